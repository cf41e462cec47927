package identity

import (
	"context"
	"errors"
)

// mayJoin says why the actor may not put somebody of a domain into a group, or nil: that takes
// the right to change it, or being a manager of it.
func (s *Service) mayJoin(ctx context.Context, r StoreReader, by Actor, g GroupInfo, domain string) error {
	if g.Domain != domain {
		return faultf(ErrInvalid, "the group %q is one of the domain %s, the user of %s", g.Name, g.Domain, domain)
	}
	if s.manages(by, g) {
		return nil
	}
	return s.mayChangeGroup(ctx, r, by, g)
}

// manages reports whether the actor is a manager of the group.
func (s *Service) manages(by Actor, g GroupInfo) bool {
	for _, m := range g.Members {
		if m.Manager && s.isSelf(by, User{Login: m.Login, Domain: g.Domain}) {
			return true
		}
	}
	return false
}

// member finds a user among the supplementary members.
func (g GroupInfo) member(id UserID) (Member, bool) {
	for _, m := range g.Members {
		if m.User == id {
			return m, true
		}
	}
	return Member{}, false
}

// memberOf reads whether an account is a supplementary member.
func memberOf(ctx context.Context, r StoreReader, g GroupInfo, id UserID) (Member, bool, error) {
	m, err := r.GroupMember(ctx, g.GID, id)
	if errors.Is(err, ErrNotFound) {
		return Member{}, false, nil
	}
	return m, err == nil, err
}

// AddMembers and RemoveMembers change who is in a group. All of the users or none are added; one
// that is a member already becomes or ceases to be a manager, as manager says. Managers of the
// group may do it too with accounts up to their own level, but make no managers.
func (s *Service) AddMembers(ctx context.Context, by Actor, group string, users []string, manager bool) error {
	return s.edit(ctx, by, func(e *edit) error {
		g, err := s.findGroup(ctx, e, group, s.opts.Domain)
		if err != nil {
			return err
		}
		for _, name := range users {
			a, err := s.findIn(ctx, e, g, name)
			if err != nil {
				return err
			}
			if a.GID == g.GID {
				return faultf(ErrExists, "%q is in %q already: it is their primary group", a.Login, g.Name)
			}
			m, is, err := memberOf(ctx, e, g, a.ID)
			if err != nil {
				return err
			}
			if is && m.Manager == manager {
				continue
			}
			if err := s.mayChangeMember(ctx, e, by, g, a.User, manager || m.Manager); err != nil {
				return err
			}
			if err := e.PutMember(ctx, g.GID, a.ID, manager); err != nil {
				return err
			}
			var before fields
			if is {
				before = fields{"manager": m.Manager}
			}
			e.note("member.add", s.display(a.Login, a.Domain), before, fields{"group": string(g.Name), "manager": manager})
			if err := e.touch(ctx, a.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveMembers: see AddMembers.
func (s *Service) RemoveMembers(ctx context.Context, by Actor, group string, users []string) error {
	return s.edit(ctx, by, func(e *edit) error {
		g, err := s.findGroup(ctx, e, group, s.opts.Domain)
		if err != nil {
			return err
		}
		done := map[UserID]bool{}
		for _, name := range users {
			a, err := s.findIn(ctx, e, g, name)
			if err != nil {
				return err
			}
			if done[a.ID] {
				continue // named twice
			}
			done[a.ID] = true
			m, is, err := memberOf(ctx, e, g, a.ID)
			if err != nil {
				return err
			}
			if !is && a.GID == g.GID {
				return faultf(ErrRefused, "%q is the primary group of %q; give them another one first", g.Name, a.Login)
			}
			if !is {
				return faultf(ErrNotFound, "%q is not a member of %q", a.Login, g.Name)
			}
			if err := s.mayRemoveMember(ctx, e, by, g, a.User, m.Manager); err != nil {
				return err
			}
			if err := e.RemoveMember(ctx, g.GID, a.ID); err != nil {
				return err
			}
			e.note("member.remove", s.display(a.Login, a.Domain), fields{"group": string(g.Name), "manager": m.Manager}, nil)
			if err := e.touch(ctx, a.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// mayChangeMember says why the actor may not make an account a member or take it out, or nil.
// Managers may not touch other managers nor accounts above their own level, or a puppet that an
// administrator makes one would do for them what they may not; all others need the right to
// change both the group and the account.
func (s *Service) mayChangeMember(ctx context.Context, r StoreReader, by Actor, g GroupInfo, u User, manager bool) error {
	if !manager && s.manages(by, g) {
		if u.Level > by.Level && by.Level != LevelRoot {
			return faultf(ErrRefused, "%q has the level %s, which is above yours", s.display(u.Login, u.Domain), u.Level)
		}
		return nil
	}
	if err := s.mayChangeGroup(ctx, r, by, g); err != nil {
		return err
	}
	return s.mayChange(by, u, false)
}

// mayRemoveMember is mayChangeMember, where everybody who manages or changes groups may leave.
func (s *Service) mayRemoveMember(ctx context.Context, r StoreReader, by Actor, g GroupInfo, u User, manager bool) error {
	if !s.isSelf(by, u) {
		return s.mayChangeMember(ctx, r, by, g, u, manager)
	}
	if s.manages(by, g) {
		return nil
	}
	return s.mayChangeGroup(ctx, r, by, g)
}

// findIn reads a user of the group's domain.
func (s *Service) findIn(ctx context.Context, r StoreReader, g GroupInfo, name string) (Account, error) {
	login, domain, err := ParseAddress(name, g.Domain)
	if err != nil {
		return Account{}, err
	}
	if domain != g.Domain {
		return Account{}, faultf(ErrInvalid, "the group %q is one of the domain %s, the user of %s", g.Name, g.Domain, domain)
	}
	a, err := r.Account(ctx, domain, login)
	if errors.Is(err, ErrNotFound) {
		return Account{}, faultf(ErrNotFound, "no user %q", name)
	}
	return a, err
}

// touch gives users the next ChangeSeq and concerns them.
func (e *edit) touch(ctx context.Context, ids ...UserID) error {
	e.concern(ids...)
	return e.Touch(ctx, ids...)
}
