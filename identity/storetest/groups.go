package storetest

import (
	"context"
	"slices"
	"testing"

	"trivium/identity"
)

func groups(t *testing.T, s identity.Store) {
	a, b, c, gone := newUser("user1", 10000), newUser("user2", 10001), newUser("user3", 10002), newUser("gone", 10003)
	put(t, s, a, b, c, gone)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutGroup(ctx, 0, newGroup("staff", 20000)); err != nil {
			return err
		}
		c.GID = 20000
		if _, err := w.PutUser(ctx, c); err != nil {
			return err
		}
		gone.State = identity.UserDeleted
		if _, err := w.PutUser(ctx, gone); err != nil {
			return err
		}
		if err := w.PutMember(ctx, 20000, b.ID, false); err != nil {
			return err
		}
		if err := w.PutMember(ctx, 20000, a.ID, false); err != nil {
			return err
		}
		if err := w.PutMember(ctx, 20000, a.ID, true); err != nil { // again, as a manager
			return err
		}
		g := newGroup("staff", 20000)
		g.QuotaBytes, g.QuotaFiles = 1<<40, -1
		g.NoFolder, g.NoRoster, g.Room, g.MemberLevel, g.MemberBytes, g.MemberFiles = true, true, true, identity.LevelCustomer, 7, -1
		return w.PutGroup(ctx, 20000, g)
	})
	g, err := s.Group(t.Context(), domain, "staff")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "members by login", g.Members, []identity.Member{
		{User: a.ID, Login: "user1", Manager: true}, {User: b.ID, Login: "user2"}})
	equal(t, "primary", g.Primary, []identity.UserName{"user3"})
	if g.GID != 20000 || g.Domain != domain || !g.CreatedAt.Equal(at(1)) || g.ChangeSeq == 0 || g.QuotaBytes != 1<<40 || g.QuotaFiles != -1 {
		t.Errorf("group: %+v", g.Group)
	}
	row, err := s.GroupRow(t.Context(), domain, "staff")
	equal(t, "GroupRow", []any{row, err}, []any{g.Group, error(nil)})
	row, err = s.GroupRowByGID(t.Context(), 20000)
	equal(t, "GroupRowByGID", []any{row, err}, []any{g.Group, error(nil)})
	_, err = s.GroupRow(t.Context(), "example.net", "staff")
	is(t, "GroupRow of another domain", err, identity.ErrNotFound)
	_, err = s.GroupRowByGID(t.Context(), 20009)
	is(t, "GroupRowByGID of nobody", err, identity.ErrNotFound)
	if !g.NoFolder || !g.NoRoster || !g.Room || g.MemberLevel != identity.LevelCustomer || g.MemberBytes != 7 || g.MemberFiles != -1 {
		t.Errorf("switches and defaults: %+v", g.Group)
	}
	for _, id := range []identity.UserID{b.ID, c.ID} { // as another group, and as the primary one
		acc, err := s.AccountByID(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		of := acc.Group
		if acc.GID != 20000 {
			of = acc.Groups[0]
		}
		if !of.NoFolder || !of.NoRoster {
			t.Errorf("the group of %s: %+v", acc.Login, of)
		}
	}
	byGID, err := s.GroupByGID(t.Context(), 20000)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by gid", byGID, g)
	brief(t, s, g)
	_, err = s.GroupByGID(t.Context(), 20009)
	is(t, "by a gid of no group", err, identity.ErrNotFound)
	all, err := s.Groups(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range all {
		names = append(names, string(g.Name))
	}
	equal(t, "groups by name", names, []string{"gone", "staff", "user1", "user2", "user3"})
	equal(t, "the same in the list", all[1], g)
	none, err := s.Groups(t.Context(), "example.net")
	if len(none) != 0 || err != nil {
		t.Errorf("groups of another domain: %v, %v", none, err)
	}
	for name, fn := range map[string]func(w identity.StoreWriter) error{
		"a taken name": func(w identity.StoreWriter) error { return w.PutGroup(t.Context(), 0, newGroup("staff", 20001)) },
		"a taken gid":  func(w identity.StoreWriter) error { return w.PutGroup(t.Context(), 0, newGroup("new", 20000)) },
		"another's name": func(w identity.StoreWriter) error {
			return w.PutGroup(t.Context(), 20000, newGroup("user1", 20000))
		},
		"another's gid": func(w identity.StoreWriter) error { return w.PutGroup(t.Context(), 20000, newGroup("staff", 10000)) },
	} {
		is(t, name, s.Write(t.Context(), fn), identity.ErrExists)
	}
	for name, fn := range map[string]func(w identity.StoreWriter) error{
		"a member of no group":   func(w identity.StoreWriter) error { return w.PutMember(t.Context(), 999, a.ID, false) },
		"a member who is nobody": func(w identity.StoreWriter) error { return w.PutMember(t.Context(), 20000, "nobody", false) },
		"removing no member":     func(w identity.StoreWriter) error { return w.RemoveMember(t.Context(), 20000, c.ID) },
		"removing no group":      func(w identity.StoreWriter) error { return w.RemoveGroup(t.Context(), 999) },
		"changing no group":      func(w identity.StoreWriter) error { return w.PutGroup(t.Context(), 999, newGroup("new", 998)) },
	} {
		is(t, name, s.Write(t.Context(), fn), identity.ErrNotFound)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveMember(ctx, 20000, a.ID) })
	if groups := get(t, s, "user1").Groups; len(groups) != 0 {
		t.Errorf("after leaving: %v", groups)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveGroup(ctx, 20000) })
	if groups := get(t, s, "user2").Groups; len(groups) != 0 {
		t.Errorf("after the group is gone: %v", groups)
	}
	_, err = s.Group(t.Context(), domain, "staff")
	is(t, "removed", err, identity.ErrNotFound)
}

func regroup(t *testing.T, s identity.Store) {
	a, b := newUser("user1", 10000), newUser("user2", 10001)
	b.GID = 10000
	put(t, s, a, b)
	c := newUser("user3", 10002)
	put(t, s, c)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutMember(ctx, 10000, c.ID, true); err != nil {
			return err
		}
		return w.PutGroup(ctx, 10000, newGroup("renamed", 10777))
	})
	g, err := s.Group(t.Context(), domain, "renamed")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "primary users follow", g.Primary, []identity.UserName{"user1", "user2"})
	equal(t, "members follow", g.Members, []identity.Member{{User: c.ID, Login: "user3", Manager: true}})
	got := get(t, s, "user2")
	equal(t, "gid of a user", got.GID, uint32(10777))
	equal(t, "name of a user's group", got.Group.Name, identity.UserName("renamed"))
}

func aliases(t *testing.T, s identity.Store) {
	a := newUser("user1", 10000)
	put(t, s, a)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutAlias(ctx, identity.Alias{Domain: domain, Name: "zed", Target: a.ID}); err != nil {
			return err
		}
		return w.PutAlias(ctx, identity.Alias{Domain: domain, Name: "ann", Target: a.ID})
	})
	got, err := s.Aliases(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by name", got, []identity.Alias{{Domain: domain, Name: "ann", Target: a.ID, Login: "user1"},
		{Domain: domain, Name: "zed", Target: a.ID, Login: "user1"}})
	elsewhere, err := s.Aliases(t.Context(), "example.net")
	if len(elsewhere) != 0 || err != nil {
		t.Errorf("of another domain: %v, %v", elsewhere, err)
	}
	login, alias, group, err := s.NameTaken(t.Context(), domain, "ann")
	equal(t, "NameTaken", []any{login, alias, group, err}, []any{false, true, false, error(nil)})
	is(t, "a taken alias", s.Write(t.Context(), func(w identity.StoreWriter) error {
		return w.PutAlias(t.Context(), identity.Alias{Domain: domain, Name: "ann", Target: a.ID})
	}), identity.ErrExists)
	is(t, "for nobody", s.Write(t.Context(), func(w identity.StoreWriter) error {
		return w.PutAlias(t.Context(), identity.Alias{Domain: domain, Name: "new", Target: "nobody"})
	}), identity.ErrNotFound)
	remove := func(w identity.StoreWriter) error { return w.RemoveAlias(t.Context(), domain, "ann") }
	if err := s.Write(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	is(t, "removed twice", s.Write(t.Context(), remove), identity.ErrNotFound)
	_, err = s.Account(t.Context(), domain, "ann")
	is(t, "Account by a removed alias", err, identity.ErrNotFound)
}

// brief compares what is read of a group that may have many members with all of it.
func brief(t *testing.T, s identity.Store, g identity.GroupInfo) {
	t.Helper()
	ctx := t.Context()
	want := identity.GroupInfo{Group: g.Group}
	var users []identity.UserID
	for _, m := range g.Members {
		users = append(users, m.User)
		if m.Manager {
			want.Members = append(want.Members, m)
		}
		got, err := s.GroupMember(ctx, g.GID, m.User)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "a member", got, m)
	}
	for _, login := range g.Primary {
		a := get(t, s, string(login))
		users = append(users, a.ID)
		_, err := s.GroupMember(ctx, g.GID, a.ID)
		is(t, "a primary user as a member", err, identity.ErrNotFound)
	}
	for what, read := range map[string]func() (identity.GroupInfo, error){
		"by name": func() (identity.GroupInfo, error) { return s.GroupBrief(ctx, g.Domain, g.Name) },
		"by gid":  func() (identity.GroupInfo, error) { return s.GroupBriefByGID(ctx, g.GID) },
	} {
		got, err := read()
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Primary) > 0 && (len(got.Primary) != 1 || !slices.Contains(g.Primary, got.Primary[0])) {
			t.Errorf("brief %s: primary users %v of %v", what, got.Primary, g.Primary)
		}
		got.Primary = nil
		equal(t, "brief "+what, got, want)
	}
	got, err := s.GroupUsers(ctx, g.GID)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(users)
	equal(t, "all users of a group", got, users)
	_, err = s.GroupBrief(ctx, g.Domain, "nosuchgroup")
	is(t, "brief of no group", err, identity.ErrNotFound)
	_, err = s.GroupBriefByGID(ctx, 29999)
	is(t, "brief of no gid", err, identity.ErrNotFound)
	_, err = s.GroupMember(ctx, g.GID, "nobody")
	is(t, "a member that is none", err, identity.ErrNotFound)
}
