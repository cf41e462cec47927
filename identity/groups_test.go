package identity_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"trivium/identity"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	a.add("user1", 0)
	a.add("user2", 0)
	g, err := a.AddGroup(ctx, adminOne, "Staff", 0)
	a.must("adding", err)
	if g.Name != "staff" || g.GID != 10002 || g.Domain != "example.org" {
		t.Errorf("group: %+v", g)
	}
	ses, h := a.in("user1", "correct horse user1")
	a.must("joining", a.AddMembers(ctx, adminOne, "staff", []string{"user1", "user2"}, false))
	if c, _ := ses.Credentials(); !slices.Equal(c.Groups, []string{"staff"}) || h.changed != 1 {
		t.Errorf("the session has %v, changed %d", c.Groups, h.changed)
	}
	a.must("joining again", a.AddMembers(ctx, adminOne, "staff", []string{"user1"}, false))
	if h.changed != 1 {
		t.Errorf("nothing changed, yet the session was told: %d", h.changed)
	}
	err = a.AddMembers(ctx, adminOne, "staff", []string{"user2", "user9"}, true)
	a.refused("one of two is nobody", err, identity.ErrNotFound, `no user "user9"`)
	info, err := a.Group(ctx, "staff")
	if err != nil || len(info.Members) != 2 || info.Members[1].Manager {
		t.Errorf("after a refusal: %+v, %v", info, err)
	}
	name, gid := "crew", uint32(30000)
	g, err = a.SetGroup(ctx, adminOne, "staff", identity.GroupChange{Name: &name, GID: &gid})
	a.must("renaming", err)
	if c, _ := ses.Credentials(); g.Name != "crew" || !slices.Equal(c.Groups, []string{"crew"}) || !slices.Equal(c.GIDs, []uint32{30000}) {
		t.Errorf("group %+v, the session has %v %v", g, c.Groups, c.GIDs)
	}
	for what, c := range map[string]struct {
		name *string
		gid  uint32
		kind error
	}{
		"a login":       {ptr("user2"), 0, identity.ErrExists},
		"reserved":      {ptr("ftp"), 0, identity.ErrInvalid},
		"no name":       {ptr("a/b"), 0, identity.ErrInvalid},
		"a taken gid":   {nil, 10000, identity.ErrExists},
		"gid of nobody": {nil, 65534, identity.ErrInvalid},
		"other domain":  {ptr("crew@example.net"), 0, identity.ErrInvalid},
	} {
		id := &c.gid
		if c.gid == 0 {
			id = nil
		}
		_, err := a.SetGroup(ctx, owner, "crew", identity.GroupChange{Name: c.name, GID: id})
		a.refused(what, err, c.kind)
	}
	a.refused("a primary group", a.RemoveGroup(ctx, owner, "user1"), identity.ErrRefused, "primary group of user1")
	a.must("removing", a.RemoveGroup(ctx, adminOne, "crew"))
	if c, _ := ses.Credentials(); len(c.Groups) != 0 {
		t.Errorf("the session has still %v", c.Groups)
	}
	_, err = a.Group(ctx, "crew")
	a.refused("removed", err, identity.ErrNotFound, `no group "crew"`)
	want := []string{"group.remove", "group.set", "member.add", "member.add", "group.add"}
	if got := a.events(identity.AuditFilter{Actor: "admin1"}); !slices.Equal(got, want) {
		t.Errorf("audit: %v, want %v", got, want)
	}
}

func ptr[T any](v T) *T { return &v }

func TestManagers(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	for _, n := range []string{"user1", "user2", "user3"} {
		a.add(n, 0)
	}
	_, err := a.AddGroup(ctx, owner, "club", 0)
	a.must("adding", err)
	a.must("making managers", a.AddMembers(ctx, owner, "club", []string{"user1", "user3"}, true))
	manager := identity.Actor{User: "user1", Level: identity.LevelUser}
	a.must("a manager adds", a.AddMembers(ctx, manager, "club", []string{"user2"}, false))
	a.refused("a manager makes a manager", a.AddMembers(ctx, manager, "club", []string{"user2"}, true), identity.ErrRefused)
	a.refused("a manager unmakes another", a.AddMembers(ctx, manager, "club", []string{"user3"}, false), identity.ErrRefused)
	a.refused("a manager removes another", a.RemoveMembers(ctx, manager, "club", []string{"user3"}), identity.ErrRefused)
	a.refused("a manager renames", second(a.SetGroup(ctx, manager, "club", identity.GroupChange{Name: ptr("mine")})), identity.ErrRefused)
	a.refused("a manager removes the group", a.RemoveGroup(ctx, manager, "club"), identity.ErrRefused)
	a.refused("a member removes", a.RemoveMembers(ctx, identity.Actor{User: "user2", Level: identity.LevelUser}, "club", []string{"user1"}), identity.ErrRefused)
	a.must("a manager removes a member", a.RemoveMembers(ctx, manager, "club", []string{"user2", "user2"}))
	a.refused("no member", a.RemoveMembers(ctx, manager, "club", []string{"user2"}), identity.ErrNotFound)
	a.refused("in by the primary group", a.AddMembers(ctx, owner, "user2", []string{"user2"}, false), identity.ErrExists)
	a.refused("out of the primary group", a.RemoveMembers(ctx, owner, "user2", []string{"user2"}), identity.ErrRefused)
	a.must("a manager leaves", a.RemoveMembers(ctx, manager, "club", []string{"user1"}))
}

// Nobody changes an account whose level is not below their own, by way of a group neither.
func TestMembersAbove(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	a.add("root1", identity.LevelRoot)
	a.add("admin1", identity.LevelAdmin)
	a.add("admin2", identity.LevelAdmin)
	a.add("user1", 0)
	a.add("user2", 0)
	_, err := a.AddGroup(ctx, adminOne, "crew", 0)
	a.must("adding", err)
	for _, name := range []string{"root1", "admin2", "admin1"} {
		a.refused(name, a.AddMembers(ctx, adminOne, "crew", []string{name}, false), identity.ErrRefused)
		a.refused(name+" as manager", a.AddMembers(ctx, adminOne, "crew", []string{name}, true), identity.ErrRefused)
	}
	a.must("somebody below", a.AddMembers(ctx, adminOne, "crew", []string{"user1"}, true))
	puppet := identity.Actor{User: "user1", Level: identity.LevelUser}
	a.refused("by a puppet that manages", a.AddMembers(ctx, puppet, "crew", []string{"root1"}, false), identity.ErrRefused)
	a.must("a manager adds an equal", a.AddMembers(ctx, puppet, "crew", []string{"user2"}, false))

	a.must("ROOT adds anybody", a.AddMembers(ctx, owner, "crew", []string{"root1", "admin1"}, false))
	gid := uint32(30000)
	a.refused("taking ROOT out", a.RemoveMembers(ctx, adminOne, "crew", []string{"root1"}), identity.ErrRefused)
	a.refused("a puppet taking ROOT out", a.RemoveMembers(ctx, puppet, "crew", []string{"root1"}), identity.ErrRefused)
	a.refused("removing ROOT's group", a.RemoveGroup(ctx, adminOne, "crew"), identity.ErrRefused, "root1")
	a.refused("another gid for ROOT", second(a.SetGroup(ctx, adminOne, "crew", identity.GroupChange{GID: &gid})), identity.ErrRefused, "root1")
	a.must("leaving", a.RemoveMembers(ctx, adminOne, "crew", []string{"admin1"}))
	a.must("ROOT takes ROOT out", a.RemoveMembers(ctx, owner, "crew", []string{"root1"}))
	a.must("removing a group of those below", a.RemoveGroup(ctx, adminOne, "crew"))
}

func second[T any](_ T, err error) error { return err }

func TestAliases(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	u := a.add("user1", 0)
	al, err := a.AddAlias(ctx, adminOne, "Nick", "user1")
	a.must("adding", err)
	if al.Name != "nick" || al.Target != u.ID || al.Login != "user1" || al.Domain != "example.org" {
		t.Errorf("alias: %+v", al)
	}
	ses, _ := a.in("nick", "correct horse user1")
	if c, _ := ses.Credentials(); c.User != "user1" || c.OrigUser != "nick" {
		t.Errorf("logged in as %q, sent %q", c.User, c.OrigUser)
	}
	_, err = a.AddGroup(ctx, owner, "staff", 0)
	a.must("adding a group", err)
	for name, kind := range map[string]error{"user1": identity.ErrExists, "nick": identity.ErrExists, "staff": identity.ErrExists,
		"anonymous": identity.ErrInvalid, "a b": identity.ErrInvalid, "x@example.net": identity.ErrInvalid} {
		_, err := a.AddAlias(ctx, owner, name, "user1")
		a.refused(name, err, kind)
	}
	_, err = a.AddAlias(ctx, owner, "other", "user9")
	a.refused("for nobody", err, identity.ErrNotFound, `no user "user9"`)
	list, err := a.Aliases(ctx)
	if err != nil || len(list) != 1 || list[0] != al {
		t.Errorf("list: %+v, %v", list, err)
	}
	a.must("removing", a.RemoveAlias(ctx, adminOne, "nick"))
	a.refused("removing again", a.RemoveAlias(ctx, adminOne, "nick"), identity.ErrNotFound, `no alias "nick"`)
	if got, want := a.events(identity.AuditFilter{Event: "alias.*"}), []string{"alias.remove", "alias.add"}; !slices.Equal(got, want) {
		t.Errorf("audit: %v", got)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	for _, n := range []string{"user1", "marie", "ab", "far@example.net"} {
		a.add(n, 0)
	}
	_, err := a.AddAlias(ctx, owner, "postmaster", "marie")
	a.must("adding an alias", err)
	for name, want := range map[string]string{
		"user9": "user1", "usre1": "user1", "USER2": "user1", "mari": "marie", "maarei": "marie", "postmister": "postmaster",
		"xy": "", "zzzzzz": "", "": "", "user1@example.org": "user1", "fra@example.net": "far@example.net",
	} {
		if got := a.Nearest(ctx, name); got != want {
			t.Errorf("nearest to %q: got %q, want %q", name, got, want)
		}
	}
}

func TestBans(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := newAccounts(t, func(o *identity.Options) {
		o.Now = func() time.Time { return now }
		o.Limits = identity.Limits{BanAfter: 2, BanWindow: time.Hour, BanFor: time.Hour}
	})
	ctx := t.Context()
	a.add("user1", 0)
	for range 2 {
		_, _, err := a.login("user1", "wrong password")
		a.refused("a wrong password", err, identity.ErrCredentials)
	}
	bans, err := a.Bans(ctx)
	if err != nil || len(bans) != 1 || bans[0].Prefix != "192.0.2.1/32" {
		t.Fatalf("bans: %+v, %v", bans, err)
	}
	open := func() error {
		_, err := a.Registry.Open(ctx, identity.Opening{Protocol: identity.ProtocolFTP, Holder: &told{},
			Remote: netip.MustParseAddrPort("192.0.2.1:1000"), Local: netip.MustParseAddrPort("192.0.2.2:21")})
		return err
	}
	a.refused("connecting", open(), identity.ErrBanned)
	a.refused("lifting without the right", a.LiftBan(ctx, identity.Actor{Level: identity.LevelStaff}, "192.0.2.1/32"), identity.ErrRefused)
	a.refused("no address", a.LiftBan(ctx, owner, "here"), identity.ErrInvalid)
	a.refused("not banned", a.LiftBan(ctx, owner, "192.0.2.7"), identity.ErrNotFound)
	a.must("lifting", a.LiftBan(ctx, moderator, "192.0.2.1"))
	a.must("connecting again", open())
	if bans, err := a.Bans(ctx); err != nil || len(bans) != 0 {
		t.Errorf("after lifting: %+v, %v", bans, err)
	}
	a.in("user1", "correct horse user1")
	a.refused("lifting twice", a.LiftBan(ctx, owner, "192.0.2.1/32"), identity.ErrNotFound)
}
