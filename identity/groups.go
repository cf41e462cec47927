package identity

import (
	"cmp"
	"context"
	"errors"
	"strings"
)

// AddGroup makes a group; gid 0 takes the next free one.
func (s *Service) AddGroup(ctx context.Context, by Actor, name string, gid uint32) (Group, error) {
	n, domain, err := s.address(name)
	if err != nil {
		return Group{}, err
	}
	if err := oneScript(n); err != nil {
		return Group{}, err
	}
	if gid != 0 {
		if err := checkNumber("gid", gid); err != nil {
			return Group{}, err
		}
	}
	g := Group{GID: gid, Domain: domain, Name: n, CreatedAt: s.now().UTC().Truncate(timeUnit)}
	err = s.edit(ctx, by, func(e *edit) error {
		if err := s.mayChangeGroup(ctx, e, by, GroupInfo{}); err != nil {
			return err
		}
		if err := s.free(ctx, e, domain, n); err != nil {
			return err
		}
		if gid == 0 {
			if g.GID, err = e.NextID(ctx, s.opts.UIDMin); err != nil {
				return err
			}
		} else if err := s.freeGID(ctx, e, gid); err != nil {
			return err
		}
		if err := e.PutGroup(ctx, 0, g); err != nil {
			return err
		}
		e.note("group.add", s.display(n, domain), nil, fields{"name": string(n), "gid": g.GID})
		g, err = e.GroupRow(ctx, domain, n)
		return err
	})
	if err != nil {
		return Group{}, err
	}
	return g, nil
}

// freeGID refuses a gid that a group has.
func (s *Service) freeGID(ctx context.Context, r StoreReader, gid uint32) error {
	g, err := r.GroupRowByGID(ctx, gid)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return faultf(ErrExists, "the gid %d is that of the group %q; choose another one or leave it out", gid, s.display(g.Name, g.Domain))
}

// GroupInfo is a group with its members.
type GroupInfo struct {
	Group
	Members []Member   // supplementary members, by login
	Primary []UserName // whose primary group it is
}

// Group reads a group.
func (s *Service) Group(ctx context.Context, name string) (GroupInfo, error) {
	return s.wholeGroup(ctx, s.store, name, s.opts.Domain)
}

// GroupRow reads a group without anybody in it; the error is ErrNotFound or ErrInvalid as Group's.
func (s *Service) GroupRow(ctx context.Context, name string) (Group, error) {
	n, domain, err := ParseAddress(name, s.opts.Domain)
	if err != nil {
		return Group{}, err
	}
	return s.store.GroupRow(ctx, domain, n)
}

// GroupByGID reads the group that has a gid, without anybody in it.
func (s *Service) GroupByGID(ctx context.Context, gid uint32) (Group, error) {
	return s.store.GroupRowByGID(ctx, gid)
}

// Groups lists groups by name.
func (s *Service) Groups(ctx context.Context) ([]GroupInfo, error) { return s.store.Groups(ctx, "") }

// SetGroup changes a group. A new gid does not change the files that carry the old one.
func (s *Service) SetGroup(ctx context.Context, by Actor, name string, c GroupChange) (Group, error) {
	var out Group
	err := s.edit(ctx, by, func(e *edit) error {
		info, err := s.findGroup(ctx, e, name, s.opts.Domain)
		if err != nil {
			return err
		}
		if err := s.mayChangeGroup(ctx, e, by, info); err != nil {
			return err
		}
		g := info.Group
		if c.Name != nil {
			if g.Name, err = s.newGroupName(ctx, e, info.Group, *c.Name); err != nil {
				return err
			}
		}
		if gid := c.GID; gid != nil && *gid != g.GID {
			if err := checkNumber("gid", *gid); err != nil {
				return err
			}
			if err := s.mayChangeMembers(ctx, e, by, info); err != nil {
				return err
			}
			if err := s.freeGID(ctx, e, *gid); err != nil {
				return err
			}
			g.GID = *gid
		}
		if c.QuotaBytes != nil {
			g.QuotaBytes = *c.QuotaBytes
		}
		if c.QuotaFiles != nil {
			g.QuotaFiles = *c.QuotaFiles
		}
		if err := c.switches(by, &g); err != nil {
			return err
		}
		out = g
		if g == info.Group {
			return nil
		}
		// Before it has another name.
		ids, err := e.GroupUsers(ctx, info.GID)
		if err != nil {
			return err
		}
		if err := e.PutGroup(ctx, info.GID, g); err != nil {
			return err
		}
		if s.rulesOfGroup(info.GID) > 0 { // they carry its name
			e.rules = true
			if err := e.TouchRules(ctx); err != nil {
				return err
			}
		}
		e.note("group.set", s.display(info.Name, info.Domain), groupFields(info.Group), groupFields(g))
		e.concern(ids...)
		if err := e.Touch(ctx, ids...); err != nil {
			return err
		}
		out, err = e.GroupRow(ctx, g.Domain, g.Name)
		return err
	})
	if err != nil {
		return Group{}, err
	}
	return out, nil
}

// switches changes what a group is beside a gid. A level that it gives is one that the actor could give.
func (c GroupChange) switches(by Actor, g *Group) error {
	if c.Folder != nil {
		g.NoFolder = !*c.Folder
	}
	if c.Roster != nil {
		g.NoRoster = !*c.Roster
	}
	if c.Room != nil {
		g.Room = *c.Room
	}
	if c.MemberLevel != nil && *c.MemberLevel != g.MemberLevel {
		if *c.MemberLevel != LevelNone {
			if err := mayGive(by, *c.MemberLevel); err != nil {
				return err
			}
		}
		g.MemberLevel = *c.MemberLevel
	}
	if c.MemberBytes != nil {
		g.MemberBytes = *c.MemberBytes
	}
	if c.MemberFiles != nil {
		g.MemberFiles = *c.MemberFiles
	}
	return nil
}

// groupDefaults are what the groups of a new account give it: the first that says anything about a thing
// counts.
func (s *Service) groupDefaults(ctx context.Context, r StoreReader, groups []string, domain string) (level Level, bytes, entries int64, err error) {
	for _, name := range groups {
		n, domain, err := ParseAddress(name, domain)
		if err != nil {
			return 0, 0, 0, err
		}
		g, err := r.GroupRow(ctx, domain, n)
		if errors.Is(err, ErrNotFound) {
			return 0, 0, 0, faultf(ErrNotFound, "no group %q", name)
		}
		if err != nil {
			return 0, 0, 0, err
		}
		level = cmp.Or(level, g.MemberLevel)
		bytes, entries = cmp.Or(bytes, g.MemberBytes), cmp.Or(entries, g.MemberFiles)
	}
	return level, bytes, entries, nil
}

// GroupsOf lists the groups that an account is a member of, and of each whether it manages it.
func (s *Service) GroupsOf(ctx context.Context, id UserID) ([]GroupInfo, error) {
	a, err := s.store.AccountByID(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []GroupInfo
	for _, g := range a.Groups {
		info, err := s.store.GroupByGID(ctx, g.GID)
		if errors.Is(err, ErrNotFound) {
			continue // meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

// ManagedBy reports whether an account is a manager of the group.
func (g GroupInfo) ManagedBy(id UserID) bool {
	m, ok := g.member(id)
	return ok && m.Manager
}

// groupFields is what the audit record says of a group.
func groupFields(g Group) fields {
	return fields{"name": string(g.Name), "gid": g.GID, "quota_bytes": g.QuotaBytes, "quota_files": g.QuotaFiles,
		"folder": !g.NoFolder, "roster": !g.NoRoster, "room": g.Room, "member_level": g.MemberLevel.String(), "member_bytes": g.MemberBytes, "member_files": g.MemberFiles}
}

// newGroupName checks the name that a group is to have.
func (s *Service) newGroupName(ctx context.Context, r StoreReader, g Group, name string) (UserName, error) {
	n, domain, err := ParseAddress(name, g.Domain)
	if err != nil {
		return "", err
	}
	if domain != g.Domain {
		return "", faultf(ErrInvalid, "a group cannot change its domain")
	}
	if n == g.Name {
		return n, nil
	}
	if a, err := r.Account(ctx, domain, n); err == nil && a.Login == n && a.GID == g.GID {
		return n, nil // the user's own group gets the user's name back
	}
	if err := oneScript(n); err != nil {
		return "", err
	}
	return n, s.free(ctx, r, domain, n)
}

// RemoveGroup removes a group that is nobody's primary one.
func (s *Service) RemoveGroup(ctx context.Context, by Actor, name string) error {
	return s.edit(ctx, by, func(e *edit) error {
		g, err := s.wholeGroup(ctx, e, name, s.opts.Domain)
		if err != nil {
			return err
		}
		if err := s.mayChangeMembers(ctx, e, by, g); err != nil {
			return err
		}
		if len(g.Primary) > 0 {
			return faultf(ErrRefused, "the group %q is the primary group of %s; give them another one first", g.Name, someNames(g.Primary))
		}
		ids, err := e.GroupUsers(ctx, g.GID)
		if err != nil {
			return err
		}
		if err := e.RemoveGroup(ctx, g.GID); err != nil {
			return err
		}
		e.rules = s.rulesOfGroup(g.GID) > 0
		e.note("group.remove", s.display(g.Name, g.Domain), fields{"name": string(g.Name), "gid": g.GID, "members": memberNames(g.Members)}, nil)
		e.concern(ids...)
		return e.Touch(ctx, ids...)
	})
}

// someNames lists at most three names for a sentence.
func someNames(names []UserName) string {
	const most = 3
	var shown []string
	for _, n := range names[:min(len(names), most)] {
		shown = append(shown, string(n))
	}
	if len(names) > most {
		shown = append(shown, "others")
	}
	return strings.Join(shown, ", ")
}

func memberNames(ms []Member) string {
	var names []UserName
	for _, m := range ms {
		names = append(names, m.Login)
	}
	return someNames(names)
}
