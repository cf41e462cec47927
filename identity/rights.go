package identity

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// Levels from which on somebody may change what is not their own; the roads' own guards and the
// policy table may ask for more.
const (
	changeAccounts = LevelModerator
	changeGroups   = LevelAdmin
)

// above reports whether the actor may change somebody of that level: it is below their own, or
// they are ROOT. NOBODY as a held level passes nothing.
func (by Actor) above(level Level) bool {
	if by.Level == LevelNobody {
		return false
	}
	return by.Level == LevelRoot || level < by.Level
}

// isSelf reports whether the actor is the account itself.
func (s *Service) isSelf(by Actor, u User) bool {
	return by.User != "" && by.User == s.display(u.Login, u.Domain)
}

// mayChange says why the actor may not change an account, or nil. own: what is to be changed is
// the person's own to decide.
func (s *Service) mayChange(by Actor, u User, own bool) error {
	switch {
	case own && s.isSelf(by, u):
		return nil
	case s.isSelf(by, u) && by.Level != LevelRoot:
		return faultf(ErrRefused, "nobody changes the rights of their own account; ask somebody of a higher level")
	case !by.Level.Allows(changeAccounts):
		return faultf(ErrRefused, "changing other accounts needs the level %s; yours is %s", changeAccounts, by.Level)
	case !by.above(u.Level):
		return faultf(ErrRefused, "%q has the level %s and yours is %s: only accounts below your own level can be changed",
			s.display(u.Login, u.Domain), u.Level, by.Level)
	}
	return nil
}

// mayGive says why the actor may not make somebody hold a level, or nil.
func mayGive(by Actor, level Level) error {
	switch {
	case !level.Holdable():
		return faultf(ErrInvalid, "an account cannot hold the level %s; it holds one of loggedin, user, customer, staff, moderator, admin, root", level)
	case !by.Level.Allows(changeAccounts):
		return faultf(ErrRefused, "giving levels needs the level %s; yours is %s", changeAccounts, by.Level)
	case !by.above(level):
		return faultf(ErrRefused, "your own level is %s: only levels below it can be given, not %s", by.Level, level)
	}
	return nil
}

// mayChangeGroup says why the actor may not change a group, or nil: a primary group opens its
// user's home, so who changes it must stand above its users.
func (s *Service) mayChangeGroup(ctx context.Context, r StoreReader, by Actor, g GroupInfo) error {
	if !by.Level.Allows(changeGroups) {
		return faultf(ErrRefused, "changing groups needs the level %s; yours is %s", changeGroups, by.Level)
	}
	if len(g.Primary) == 0 {
		return nil
	}
	return s.noneAbove(ctx, r, by, g, func(a Account) error {
		if a.GID != g.GID {
			return nil
		}
		return faultf(ErrRefused, "%q is the primary group of %q, whose level %s is not below yours",
			g.Name, s.display(a.Login, a.Domain), a.Level)
	})
}

// mayChangeMembers is mayChangeGroup for what changes the rights of every member.
func (s *Service) mayChangeMembers(ctx context.Context, r StoreReader, by Actor, g GroupInfo) error {
	if err := s.mayChangeGroup(ctx, r, by, g); err != nil {
		return err
	}
	return s.noneAbove(ctx, r, by, g, func(a Account) error {
		return faultf(ErrRefused, "%q has the member %q, whose level %s is not below yours",
			g.Name, s.display(a.Login, a.Domain), a.Level)
	})
}

// noneAbove asks fault about each account of a group that the actor does not stand above.
func (s *Service) noneAbove(ctx context.Context, r StoreReader, by Actor, g GroupInfo, fault func(Account) error) error {
	if by.Level == LevelRoot {
		return nil
	}
	for _, level := range Levels() {
		if by.above(level) || !level.Holdable() {
			continue
		}
		as, err := r.Accounts(ctx, UserFilter{Group: groupKey(g.Group), Level: &level, Limit: math.MaxInt32})
		if err != nil {
			return err
		}
		for _, a := range as {
			if s.isSelf(by, a.User) {
				continue
			}
			if err := fault(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// administers reports whether an account may log in now and administer.
func administers(u User, now time.Time) bool {
	return u.Level.Allows(LevelAdmin) && u.State == UserActive && (u.ExpiresAt.IsZero() || u.ExpiresAt.After(now))
}

// keepsAdministrator refuses a change that would leave nobody who administers.
func (s *Service) keepsAdministrator(ctx context.Context, r StoreReader, before, after User) error {
	now := s.now()
	stays := administers(after, now) && (after.ExpiresAt.IsZero() || after.ExpiresAt.Equal(before.ExpiresAt))
	if !administers(before, now) || stays {
		return nil
	}
	other, err := anyAdministrator(ctx, r, func(u User) bool { return u.ID != before.ID && administers(u, now) })
	if err != nil || other {
		return err
	}
	return faultf(ErrRefused, "%q is the last active administrator; make another one first", s.display(before.Login, before.Domain))
}

// someAdministrators are read at a time; one that will do is mostly the first.
const someAdministrators = 4

// anyAdministrator reports whether an active account of LevelAdmin or above is one that ok wants.
func anyAdministrator(ctx context.Context, r StoreReader, ok func(User) bool) (bool, error) {
	for _, level := range Levels() {
		if !level.Holdable() || !level.Allows(LevelAdmin) {
			continue
		}
		f := UserFilter{Level: &level, State: UserActive, Limit: someAdministrators}
		for {
			as, err := r.Accounts(ctx, f)
			if err != nil {
				return false, err
			}
			for _, a := range as {
				if ok(a.User) {
					return true, nil
				}
			}
			if len(as) < f.Limit {
				break
			}
			f.After = as[len(as)-1].Place()
		}
	}
	return false, nil
}

// HasAdministrator reports whether an active account of LevelAdmin or above exists.
func (s *Service) HasAdministrator(ctx context.Context) (bool, error) {
	if s.known.isRuled() {
		return true, nil // asked for each log-in page
	}
	mark := s.known.mark()
	has, err := anyAdministrator(ctx, s.store, func(User) bool { return true })
	if has {
		s.known.rule(mark)
	}
	return has, err
}

// address reads a name that a person gave; its domain must be one of the server's.
func (s *Service) address(name string) (UserName, string, error) {
	n, domain, err := ParseAddress(name, s.opts.Domain)
	if err != nil {
		return "", "", err
	}
	if !slices.Contains(s.domains, domain) {
		return "", "", faultf(ErrInvalid, "%q is not a domain of this server; set domain or domains in the config", domain)
	}
	return n, domain, nil
}

// find reads an account by a name that a person gave.
func (s *Service) find(ctx context.Context, r StoreReader, name string) (Account, error) {
	login, domain, err := ParseAddress(name, s.opts.Domain)
	if err != nil {
		return Account{}, err
	}
	a, err := r.Account(ctx, domain, login)
	if errors.Is(err, ErrNotFound) {
		return Account{}, faultf(ErrNotFound, "no user %q", name)
	}
	return a, err
}

// findGroup reads a group by a name that a person gave; without a domain it is in the given one. Of its
// members it has the managers alone, and of its primary users one (StoreReader.GroupBrief).
func (s *Service) findGroup(ctx context.Context, r StoreReader, name, domain string) (GroupInfo, error) {
	n, domain, err := ParseAddress(name, domain)
	if err != nil {
		return GroupInfo{}, err
	}
	g, err := r.GroupBrief(ctx, domain, n)
	if errors.Is(err, ErrNotFound) {
		return GroupInfo{}, faultf(ErrNotFound, "no group %q", name)
	}
	return g, err
}

// wholeGroup is findGroup with all members.
func (s *Service) wholeGroup(ctx context.Context, r StoreReader, name, domain string) (GroupInfo, error) {
	g, err := s.findGroup(ctx, r, name, domain)
	if err != nil {
		return GroupInfo{}, err
	}
	g, err = r.GroupByGID(ctx, g.GID)
	if errors.Is(err, ErrNotFound) {
		return GroupInfo{}, faultf(ErrNotFound, "no group %q", name)
	}
	return g, err
}

// groupKey is how UserFilter.Group names one group.
func groupKey(g Group) string { return string(g.Name) + "@" + g.Domain }

// free refuses a name that cannot be given: reserved, or taken as a login, an alias or a group.
func (s *Service) free(ctx context.Context, r StoreReader, domain string, name UserName) error {
	return s.freeFor(ctx, r, domain, name, false)
}

// freeFor is free, where a group of the name may be no obstacle.
func (s *Service) freeFor(ctx context.Context, r StoreReader, domain string, name UserName, besideGroup bool) error {
	if name.Reserved() {
		return faultf(ErrInvalid, "the name %s is reserved for anonymous log-ins; choose another one", name)
	}
	login, alias, group, err := r.NameTaken(ctx, domain, name)
	if err != nil {
		return err
	}
	shown := s.display(name, domain)
	switch {
	case login:
		_, err := r.Account(ctx, domain, name)
		if errors.Is(err, ErrNotFound) {
			return faultf(ErrExists, "the login %q was an account that has been removed, and stays reserved so that nobody inherits what is sent to it; choose another one", shown)
		}
		if err != nil {
			return err
		}
		return faultf(ErrExists, "there is a user %q already", shown)
	case alias:
		return faultf(ErrExists, "there is an alias %q already; remove it first or choose another name", shown)
	case group && !besideGroup:
		return faultf(ErrExists, "there is a group %q already; choose another name", shown)
	}
	return s.unlike(ctx, r, domain, name)
}

// unlike refuses a new name in letters of another alphabet that a reader would take for one that there is.
func (s *Service) unlike(ctx context.Context, r StoreReader, domain string, name UserName) error {
	like := name.Skeleton()
	if like == name {
		return nil
	}
	login, alias, group, err := r.NameTaken(ctx, domain, like)
	if err != nil {
		return err
	}
	if login || alias || group || like.Reserved() {
		return faultf(ErrExists, "%q looks like %q, which there is; choose another name", s.display(name, domain), s.display(like, domain))
	}
	return nil
}

// largestChosen bounds uid and gid chosen by hand, so that numbers to give out remain above.
const largestChosen = math.MaxInt32

// checkNumber refuses a uid or gid that cannot be chosen by hand.
func checkNumber(what string, n uint32) error {
	switch {
	case n == 0 || n > largestChosen:
		return faultf(ErrInvalid, "the %s must be between 1 and %d", what, largestChosen)
	case n == AnonymousID || n == AnonymousID+1:
		return faultf(ErrInvalid, "the %s %d stands for nobody; choose another one", what, n)
	}
	return nil
}
