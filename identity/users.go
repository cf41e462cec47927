package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"strings"
	"time"
)

// The operations on accounts. name is `login` or `login@domain`; each is durable when it
// returns, and its effect on live sessions has happened: refreshed, downgraded or ended.

// newUserID is 128 random bits in base32.
func newUserID() UserID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return UserID(strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])))
}

// timeUnit is how finely a Store keeps times.
const timeUnit = time.Microsecond

// plan is a new account, checked as far as that goes without the store.
type plan struct {
	user   User
	groups []string
	record Record
}

// planUser checks what AddUser and Setup were given, and derives the password.
func (s *Service) planUser(ctx context.Context, by Actor, n NewUser) (plan, error) {
	login, domain, err := s.address(n.Login)
	if err != nil {
		return plan{}, err
	}
	if err := oneScript(login); err != nil {
		return plan{}, err
	}
	ofGroups, bytes, entries, err := s.groupDefaults(ctx, s.store, n.Groups, domain)
	if err != nil {
		return plan{}, err
	}
	level := cmp.Or(n.Level, ofGroups)
	if level == LevelNone {
		if level = s.opts.DefaultLevel; level == LevelNone {
			level = LevelUser
		}
	}
	if err := mayGive(by, level); err != nil {
		return plan{}, err
	}
	profile, err := n.Profile.checked()
	if err != nil {
		return plan{}, err
	}
	roads, err := checkRoads(n.Roads)
	if err != nil {
		return plan{}, err
	}
	if n.UID != 0 {
		if err := checkNumber("uid", n.UID); err != nil {
			return plan{}, err
		}
	}
	if n.GID != 0 {
		if err := checkNumber("gid", n.GID); err != nil {
			return plan{}, err
		}
	}
	state := UserActive
	if n.Invited {
		if state = UserInvited; !n.Password.IsZero() {
			return plan{}, faultf(ErrInvalid, "who is invited chooses the password; leave it out")
		}
	}
	p := plan{groups: n.Groups, user: User{
		ID: newUserID(), Domain: domain, Login: login, UID: n.UID, GID: n.GID, Level: level, State: state,
		QuotaBytes: bytes, QuotaFiles: entries, Roads: roads, Profile: profile, CreatedAt: s.now().UTC().Truncate(timeUnit), CredentialVersion: 1,
	}}
	// Before the password is derived, which costs more; it counts again in the transaction.
	if login.Reserved() {
		return plan{}, s.free(ctx, s.store, domain, login)
	}
	if !n.Password.IsZero() {
		if err := s.checkNewPassword(p.user, n.Password); err != nil {
			return plan{}, err
		}
		if p.record, err = s.sealPassword(ctx, p.user.ID, Record{}, n.Password); err != nil {
			return plan{}, err
		}
	}
	return p, nil
}

// AddUser makes an account, with a group of its own of the same name and number unless a gid is
// given that there is: then that group is the primary one.
func (s *Service) AddUser(ctx context.Context, by Actor, n NewUser) (Account, error) {
	p, err := s.planUser(ctx, by, n)
	if err != nil {
		return Account{}, err
	}
	var a Account
	err = s.edit(ctx, by, func(e *edit) (err error) {
		a, err = s.insert(ctx, e, by, p)
		return err
	})
	if err != nil {
		return Account{}, err
	}
	return a, nil
}

// insert writes a planned account.
func (s *Service) insert(ctx context.Context, e *edit, by Actor, p plan) (Account, error) {
	u := p.user
	own, err := s.numbers(ctx, e, by, &u)
	if err != nil {
		return Account{}, err
	}
	if own {
		g := Group{GID: u.GID, Domain: u.Domain, Name: u.Login, CreatedAt: u.CreatedAt}
		if err := e.PutGroup(ctx, 0, g); err != nil {
			return Account{}, err
		}
	}
	if _, err := e.PutUser(ctx, u); errors.Is(err, ErrExists) {
		return Account{}, faultf(ErrExists, "the uid %d is or was another account's; choose another one or leave it out", u.UID)
	} else if err != nil {
		return Account{}, err
	}
	if len(p.record.Sealed) > 0 {
		if err := e.PutPassword(ctx, u.ID, p.record); err != nil {
			return Account{}, err
		}
	}
	after := shownUser(u)
	after["password"] = len(p.record.Sealed) > 0
	var names []string
	for _, name := range p.groups {
		g, err := s.findGroup(ctx, e, name, u.Domain)
		if err != nil {
			return Account{}, err
		}
		if g.GID == u.GID {
			continue
		}
		if err := s.mayJoin(ctx, e, by, g, u.Domain); err != nil {
			return Account{}, err
		}
		if err := e.PutMember(ctx, g.GID, u.ID, false); err != nil {
			return Account{}, err
		}
		names = append(names, string(g.Name))
	}
	after["groups"] = strings.Join(names, ",")
	e.note("user.add", s.display(u.Login, u.Domain), nil, after)
	e.concern(u.ID)
	if u.Level.Allows(LevelAdmin) {
		if err := e.PutSetting(ctx, setupSetting, ""); err != nil {
			return Account{}, err
		}
	}
	return e.AccountByID(ctx, u.ID)
}

// numbers fills in uid and gid, and refuses names and numbers that are taken. own: the gid is to
// be that of a new group of the user's own.
func (s *Service) numbers(ctx context.Context, e *edit, by Actor, u *User) (own bool, err error) {
	var g GroupInfo
	if u.GID != 0 {
		g, err = e.GroupBriefByGID(ctx, u.GID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
	}
	own = g.GID == 0
	// A group that was made for this login, as an import does, is no obstacle to it.
	if err := s.freeFor(ctx, e, u.Domain, u.Login, !own && g.Name == u.Login); err != nil {
		return false, err
	}
	if u.UID == 0 {
		if u.UID, err = e.NextID(ctx, s.opts.UIDMin); err != nil {
			return false, err
		}
	}
	switch {
	case !own:
		return false, s.mayJoin(ctx, e, by, g, u.Domain)
	case u.GID != 0:
		return true, nil
	}
	u.GID = u.UID
	_, err = e.GroupRowByGID(ctx, u.GID)
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	if err == nil {
		u.GID, err = e.NextID(ctx, s.opts.UIDMin)
	}
	return true, err
}

// User reads an account; an alias gives its target.
func (s *Service) User(ctx context.Context, name string) (Account, error) {
	return s.find(ctx, s.store, name)
}

// Reader reads the store as it is, for who shows what a condition looks at.
func (s *Service) Reader() StoreReader { return s.store }

// UserIn is User as r has it, for a condition of a change.
func (s *Service) UserIn(ctx context.Context, r StoreReader, name string) (Account, error) {
	return s.find(ctx, r, name)
}

// UserByID reads an account by ID.
func (s *Service) UserByID(ctx context.Context, id UserID) (Account, error) {
	return s.store.AccountByID(ctx, id)
}

// UserByUID reads the account that has a uid.
func (s *Service) UserByUID(ctx context.Context, uid uint32) (Account, error) {
	return s.store.AccountByUID(ctx, uid)
}

// MayLogIn reports whether an account is there, active and not expired. Where the store cannot be
// reached it is taken to be.
func (s *Service) MayLogIn(ctx context.Context, id UserID) bool {
	a, err := s.store.AccountByID(ctx, id)
	if err != nil {
		return !errors.Is(err, ErrNotFound)
	}
	return a.State == UserActive && (a.ExpiresAt.IsZero() || a.ExpiresAt.After(s.now()))
}

// Users lists accounts by login. A group in the filter without a domain is one of the default
// domain.
func (s *Service) Users(ctx context.Context, f UserFilter) ([]Account, error) {
	f, err := s.filter(f)
	if err != nil {
		return nil, err
	}
	return s.store.Accounts(ctx, f)
}

// CountUsers is how many accounts Users would list without a bound; it stops at f.Limit, if that is not 0.
func (s *Service) CountUsers(ctx context.Context, f UserFilter) (int, error) {
	f, err := s.filter(f)
	if err != nil {
		return 0, err
	}
	return s.store.CountAccounts(ctx, f)
}

// filter is f with the group's name in full.
func (s *Service) filter(f UserFilter) (UserFilter, error) {
	if f.Group == "" {
		return f, nil
	}
	n, domain, err := ParseAddress(f.Group, s.opts.Domain)
	f.Group = groupKey(Group{Name: n, Domain: domain})
	return f, err
}

// PlaceOf is where an account of a name stands in a list, whether it is there or not.
func (s *Service) PlaceOf(name string) (UserPlace, error) {
	n, domain, err := ParseAddress(name, s.opts.Domain)
	return UserPlace{Login: n, Domain: domain}, err
}
