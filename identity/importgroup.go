package identity

import (
	"context"
	"errors"
	"slices"
)

// primary chooses the primary group, and returns the one that is to be made for it, or nil. The own
// group of a user has the user's name.
func (t *importing) primary(ctx context.Context, in *incoming, u *User) (make *Group, err error) {
	s := t.service
	name := in.login
	if in.Group != "" {
		if name, err = ParseUserName(in.Group); err != nil {
			in.out.warn("the primary group was left out: %v", err)
			name = in.login
		}
	}
	g, err := t.group(ctx, name, u.Domain)
	switch {
	case err == nil:
		u.GID = g.GID
		// The name of another's own group, or of a group that stands for itself.
		if err := s.freeFor(ctx, t, u.Domain, in.login, name == in.login); err != nil {
			return nil, err
		}
		return nil, t.mayEnter(ctx, g)
	case err != nil && !errors.Is(err, ErrNotFound):
		return nil, err
	}
	if err := s.free(ctx, t, u.Domain, in.login); err != nil {
		return nil, err
	}
	if name != in.login && !t.o.MakeGroups {
		in.out.warn("there is no group %q, so it has one of its own", name)
		name = in.login
	}
	g = &Group{Domain: u.Domain, Name: name, CreatedAt: u.CreatedAt}
	if name != in.login {
		if err := t.makeGroup(ctx, in, g, in.GID); err != nil {
			return nil, err
		}
		u.GID = g.GID
		return nil, nil
	}
	if in.GID != nil && t.o.UIDs != UIDNew && checkNumber("gid", *in.GID) == nil {
		if other, err := t.GroupRowByGID(ctx, *in.GID); errors.Is(err, ErrNotFound) {
			g.GID, u.GID = *in.GID, *in.GID
		} else if err != nil {
			return nil, err
		} else if is, err := t.stands(ctx, other); err != nil {
			return nil, err
		} else if is && in.Group == "" && other.Domain == u.Domain {
			u.GID = other.GID // the import names a number alone, and there is a group of it
			return nil, t.mayEnter(ctx, &other)
		} else {
			in.out.warn("the gid %d is another group's, so its own group has a new one", *in.GID)
		}
	}
	return g, nil
}

// stands reports whether a group stands for itself, and is not the own one of a user.
func (t *importing) stands(ctx context.Context, g Group) (bool, error) {
	login, _, _, err := t.NameTaken(ctx, g.Domain, g.Name)
	return !login, err
}

// group looks a group up, once in a transaction.
func (t *importing) group(ctx context.Context, name UserName, domain string) (*Group, error) {
	key := string(name) + "@" + domain
	if g := t.groups[key]; g != nil {
		return g, nil
	}
	g, err := t.GroupRow(ctx, domain, name)
	if err != nil {
		return nil, err
	}
	t.groups[key] = &g
	return &g, nil
}

// makeGroup makes a group with the number given, or with another one where that is taken.
func (t *importing) makeGroup(ctx context.Context, in *incoming, g *Group, gid *uint32) (err error) {
	s := t.service
	if err := s.free(ctx, t, g.Domain, g.Name); err != nil {
		return err
	}
	if gid != nil && t.o.UIDs != UIDNew && checkNumber("gid", *gid) == nil {
		if _, err := t.GroupRowByGID(ctx, *gid); errors.Is(err, ErrNotFound) {
			g.GID = *gid
		} else if err != nil {
			return err
		} else {
			in.out.warn("the gid %d is another group's, so %s has a new one", *gid, g.Name)
		}
	}
	if g.GID == 0 {
		if g.GID, err = t.NextID(ctx, s.opts.UIDMin); err != nil {
			return err
		}
	}
	if err := t.PutGroup(ctx, 0, *g); err != nil {
		return err
	}
	t.groups[groupKey(*g)] = g
	t.note("group.add", s.display(g.Name, g.Domain), nil, fields{"name": string(g.Name), "gid": g.GID})
	return nil
}

// mayEnter says why accounts may not be put into a group that there is, or nil.
func (t *importing) mayEnter(ctx context.Context, g *Group) error {
	if t.by.Level == LevelRoot {
		return nil // who stands above everybody
	}
	info, err := t.GroupBriefByGID(ctx, g.GID)
	if err != nil {
		return err
	}
	return t.service.mayJoin(ctx, t, t.by, info, g.Domain)
}

// join makes an account a member of its further groups, but of those that it is in. A group that
// cannot be joined is left out with a warning.
func (t *importing) join(ctx context.Context, in *incoming, u User, is []Group) (names []string, err error) {
	for _, want := range in.Groups {
		g, err := t.wanted(ctx, in, want, u)
		if err != nil {
			if !ofAccount(err) {
				return nil, err
			}
			in.out.warn("the group %q was left out: %v", want.Name, err)
			continue
		}
		if g.GID == u.GID || slices.ContainsFunc(is, func(x Group) bool { return x.GID == g.GID }) || slices.Contains(names, string(g.Name)) {
			continue
		}
		if err := t.PutMember(ctx, g.GID, u.ID, false); err != nil {
			return nil, err
		}
		names = append(names, string(g.Name))
	}
	return names, nil
}

func (t *importing) wanted(ctx context.Context, in *incoming, want ImportGroup, u User) (*Group, error) {
	name, err := ParseUserName(want.Name)
	if err != nil {
		return nil, err
	}
	g, err := t.group(ctx, name, u.Domain)
	if errors.Is(err, ErrNotFound) {
		if !t.o.MakeGroups {
			return nil, faultf(ErrNotFound, "there is none of this name")
		}
		g = &Group{Domain: u.Domain, Name: name, CreatedAt: t.service.now().UTC().Truncate(timeUnit)}
		return g, t.makeGroup(ctx, in, g, want.GID)
	}
	if err != nil {
		return nil, err
	}
	return g, t.mayEnter(ctx, g)
}
