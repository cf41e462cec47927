package identity

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// levelOf is the level that a person holds by their groups; false where the intake says nothing of
// levels.
func (in Intake) levelOf(p Person) (Level, bool) {
	if len(in.Levels) == 0 {
		return 0, false
	}
	level := in.Level
	for _, g := range p.Groups {
		for name, l := range in.Levels {
			if strings.EqualFold(name, g) && l > level {
				level = l
			}
		}
	}
	return level, true
}

// groupsOf are the groups here that a person is in by those there, and all that go by those there.
func (in Intake) groupsOf(p Person) (mine, all []string) {
	for _, name := range slices.Sorted(maps.Keys(in.Memberships)) {
		for _, g := range in.Memberships[name] {
			all = append(all, g)
			if slices.ContainsFunc(p.Groups, func(have string) bool { return strings.EqualFold(have, name) }) {
				mine = append(mine, g)
			}
		}
	}
	return mine, all
}

// profileFrom is old with what a person's source says of them, as far as that is good.
func profileFrom(old Profile, p Person) Profile {
	set := func(field *string, text string) {
		if text = strings.TrimSpace(text); text == "" || text == *field {
			return
		}
		was := *field
		*field = text
		if _, err := old.checked(); err != nil {
			*field = was
		}
	}
	set(&old.Email, p.Email)
	set(&old.Name, p.Name)
	set(&old.Phone, p.Phone)
	return old
}

// create makes the account of somebody from a source; source and subject are "" where only a link
// leads to it.
func (s *Service) create(ctx context.Context, by Actor, source, subject string, in Intake, p Person, more ...func(e *edit, id UserID) error) (Account, error) {
	login, domain, err := ParseAddress(p.Login, in.Domain)
	if err != nil {
		return Account{}, err
	}
	if domain != in.Domain {
		return Account{}, faultf(ErrInvalid, "the login %q is not one of the domain %s", p.Login, in.Domain)
	}
	n := NewUser{Login: string(login) + "@" + in.Domain, Level: in.Level, Profile: profileFrom(Profile{}, p)}
	if l, ok := in.levelOf(p); ok {
		n.Level = l
	}
	plan, err := s.planUser(ctx, by, n)
	if err != nil {
		return Account{}, err
	}
	plan.user.Source, plan.user.Subject = source, subject
	mine, _ := in.groupsOf(p)
	mine = append(slices.Clone(in.Groups), mine...)
	var out Account
	err = s.edit(ctx, by, func(e *edit) error {
		if err := s.numbersFrom(ctx, e, &plan.user, p); err != nil {
			return err
		}
		plan.groups = nil
		for _, g := range mine {
			name, err := s.groupFor(ctx, e, g, in.Domain)
			if err != nil {
				return err
			}
			if !slices.Contains(plan.groups, name) {
				plan.groups = append(plan.groups, name)
			}
		}
		var err error
		if out, err = s.insert(ctx, e, by, plan); err != nil {
			return err
		}
		for _, fn := range more {
			if err := fn(e, out.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Account{}, err
	}
	return out, nil
}

// numbersFrom takes the uid and the primary group of a person over where they can be: a uid that is
// free and not below the first one given out, and a group of that number and name.
func (s *Service) numbersFrom(ctx context.Context, e *edit, u *User, p Person) error {
	if p.UID >= s.opts.UIDMin && checkNumber("uid", p.UID) == nil {
		taken, err := e.UIDTaken(ctx, p.UID)
		if err != nil {
			return err
		}
		if !taken {
			u.UID = p.UID
		}
	}
	if p.GID < s.opts.UIDMin || checkNumber("gid", p.GID) != nil || p.Group == "" {
		return nil
	}
	name, err := ParseUserName(p.Group)
	if err != nil {
		return nil
	}
	switch g, err := e.GroupBriefByGID(ctx, p.GID); {
	case err == nil:
		if g.Domain == u.Domain && g.Name == name {
			u.GID = g.GID
		}
		return nil
	case !errors.Is(err, ErrNotFound):
		return err
	case name == u.Login: // a group of their own
		u.GID = p.GID
		return nil
	case s.free(ctx, e, u.Domain, name) != nil:
		return nil
	}
	u.GID = p.GID
	if err := e.PutGroup(ctx, 0, Group{GID: p.GID, Domain: u.Domain, Name: name, CreatedAt: u.CreatedAt}); err != nil {
		return err
	}
	e.note("group.add", s.display(name, u.Domain), nil, fields{"name": string(name), "gid": p.GID})
	return nil
}

// groupFor returns the name of a group, which is made where there is none.
func (s *Service) groupFor(ctx context.Context, e *edit, name, domain string) (string, error) {
	n, d, err := ParseAddress(name, domain)
	if err != nil {
		return "", err
	}
	_, err = e.GroupRow(ctx, d, n)
	if !errors.Is(err, ErrNotFound) {
		return string(n) + "@" + d, err
	}
	if err := s.free(ctx, e, d, n); err != nil {
		return "", err
	}
	gid, err := e.NextID(ctx, s.opts.UIDMin)
	if err != nil {
		return "", err
	}
	if err := e.PutGroup(ctx, 0, Group{GID: gid, Domain: d, Name: n, CreatedAt: s.now().UTC().Truncate(timeUnit)}); err != nil {
		return "", err
	}
	e.note("group.add", s.display(n, d), nil, fields{"name": string(n), "gid": gid})
	return string(n) + "@" + d, nil
}

// followed is the user as the source has it. The state follows it for accounts that are from it.
func (s *Service) followed(in Intake, u User, p Person) User {
	u.Profile = profileFrom(u.Profile, p)
	if l, ok := in.levelOf(p); ok {
		u.Level = l
	}
	if u.Source == "" {
		return u
	}
	switch {
	case p.Disabled && u.State == UserActive:
		u.State, u.SourceOff = UserDisabled, true
		u.CredentialVersion++
	case !p.Disabled && u.State == UserDisabled && u.SourceOff:
		u.State, u.SourceOff = UserActive, false
	}
	return u
}

// regrouped returns the names of the groups that an account is to join and to leave.
func (s *Service) regrouped(in Intake, a Account, p Person) (join, leave []string) {
	mine, all := in.groupsOf(p)
	has := func(name string) bool {
		return string(a.Group.Name) == name || slices.ContainsFunc(a.Groups, func(g Group) bool { return string(g.Name) == name })
	}
	for _, name := range all {
		n, err := ParseUserName(name)
		if err != nil {
			continue
		}
		name = string(n)
		switch wanted := slices.ContainsFunc(mine, func(m string) bool { x, err := ParseUserName(m); return err == nil && x == n }); {
		case wanted && !has(name) && !slices.Contains(join, name):
			join = append(join, name)
		case !wanted && slices.ContainsFunc(a.Groups, func(g Group) bool { return string(g.Name) == name }) && !slices.Contains(leave, name):
			leave = append(leave, name)
		}
	}
	return join, leave
}

// follow brings an account in line with what its source says of the person, and returns it as it is
// then. It writes nothing where nothing differs.
func (s *Service) follow(ctx context.Context, by Actor, in Intake, a Account, p Person) (out Account, changed bool, err error) {
	join, leave := s.regrouped(in, a, p)
	if len(join)+len(leave) == 0 && reflect.DeepEqual(s.followed(in, a.User, p), a.User) {
		return a, false, nil
	}
	err = s.edit(ctx, by, func(e *edit) error {
		now, err := e.AccountByID(ctx, a.ID)
		if err != nil {
			return err
		}
		u := s.followed(in, now.User, p)
		if !reflect.DeepEqual(u, now.User) {
			if err := s.keepsAdministrator(ctx, e, now.User, u); err != nil {
				return err
			}
			if _, err := e.PutUser(ctx, u); err != nil {
				return err
			}
			s.noteUser(e, now.User, u)
		}
		join, leave := s.regrouped(in, now, p)
		if err := s.regroup(ctx, e, now, join, leave); err != nil {
			return err
		}
		e.concern(a.ID)
		out, err = e.AccountByID(ctx, a.ID)
		return err
	})
	return out, err == nil, err
}

// regroup lets an account join and leave groups.
func (s *Service) regroup(ctx context.Context, e *edit, a Account, join, leave []string) error {
	name := s.display(a.Login, a.Domain)
	for _, g := range join {
		full, err := s.groupFor(ctx, e, g, a.Domain)
		if err != nil {
			return err
		}
		info, err := s.findGroup(ctx, e, full, a.Domain)
		if err != nil {
			return err
		}
		if err := e.PutMember(ctx, info.GID, a.ID, false); err != nil {
			return err
		}
		e.note("member.add", name, nil, fields{"group": g, "manager": false})
	}
	for _, g := range leave {
		info, err := s.findGroup(ctx, e, g, a.Domain)
		if err != nil {
			return err
		}
		if err := e.RemoveMember(ctx, info.GID, a.ID); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		e.note("member.remove", name, fields{"group": g}, nil)
	}
	if len(join)+len(leave) == 0 {
		return nil
	}
	return e.touch(ctx, a.ID)
}
