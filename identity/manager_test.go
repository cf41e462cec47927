package identity_test

import (
	"errors"
	"slices"
	"testing"

	"trivium/identity"
)

// TestManagerAddsMember: a manager who is only USER adds a member, whose live sessions on three roads have
// the group before the operation returns; the folder switch and the audit log follow.
func TestManagerAddsMember(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("mana1", nil)
	h.person("alice", nil)
	h.person("boss", func(u *identity.User) { u.Level = identity.LevelStaff })
	if _, err := h.AddGroup(t.Context(), owner, "choir", 0); err != nil {
		t.Fatal(err)
	}
	if err := h.AddMembers(t.Context(), owner, "choir", []string{"mana1"}, true); err != nil {
		t.Fatal(err)
	}
	ftp, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	chat, _ := h.in(identity.ProtocolXMPP, "alice", testPassword)
	web, _ := h.browse("alice")
	manager := identity.Actor{User: "mana1", Level: identity.LevelUser, Via: "web"}
	if err := h.AddMembers(t.Context(), manager, "choir", []string{"alice"}, false); err != nil {
		t.Fatal(err)
	}
	for name, ses := range map[string]*identity.Session{"ftp": ftp, "xmpp": chat, "web": web.Session} {
		if c, _ := ses.Credentials(); !slices.Contains(c.Groups, "choir") || len(c.NoFolders) != 0 {
			t.Errorf("over %s: groups %v, without a folder %v", name, c.Groups, c.NoFolders)
		}
	}
	for _, err := range []error{
		h.AddMembers(t.Context(), manager, "choir", []string{"boss"}, false),
		h.AddMembers(t.Context(), manager, "choir", []string{"alice"}, true),
		h.AddMembers(t.Context(), identity.Actor{User: "alice", Level: identity.LevelUser}, "choir", []string{"boss"}, false),
	} {
		if !errors.Is(err, identity.ErrRefused) {
			t.Errorf("a manager may do more than add people of their level: %v", err)
		}
	}
	no := false
	if _, err := h.SetGroup(t.Context(), owner, "choir", identity.GroupChange{Folder: &no}); err != nil {
		t.Fatal(err)
	}
	if c, _ := ftp.Credentials(); !slices.Equal(c.NoFolders, []string{"choir"}) {
		t.Errorf("without its folder: %v", c.NoFolders)
	}
	if err := h.RemoveMembers(t.Context(), manager, "choir", []string{"alice"}); err != nil {
		t.Fatal(err)
	}
	if c, _ := chat.Credentials(); slices.Contains(c.Groups, "choir") {
		t.Errorf("after leaving: %v", c.Groups)
	}
	events, err := h.Audit(t.Context(), identity.AuditFilter{Event: "member.*", Actor: "mana1"})
	if err != nil || len(events) != 2 {
		t.Errorf("the manager left %d events, %v", len(events), err)
	}
}

// TestGroupDefaults: what an account gets that is made in a group; of several the first that says anything.
func TestGroupDefaults(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	level, bytes := identity.LevelCustomer, int64(1<<30)
	for name, c := range map[string]identity.GroupChange{"plain": {}, "guests": {MemberLevel: &level}, "big": {MemberBytes: &bytes}} {
		if _, err := h.AddGroup(t.Context(), owner, name, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := h.SetGroup(t.Context(), owner, name, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		login  string
		level  identity.Level
		groups []string
		want   identity.Level
		bytes  int64
	}{
		{"a", 0, nil, identity.LevelUser, 0},
		{"b", 0, []string{"plain", "guests", "big"}, identity.LevelCustomer, bytes},
		{"c", identity.LevelStaff, []string{"guests"}, identity.LevelStaff, 0},
	} {
		acc, err := h.AddUser(t.Context(), owner, identity.NewUser{Login: tt.login, Level: tt.level, Groups: tt.groups})
		if err != nil || acc.Level != tt.want || acc.QuotaBytes != tt.bytes {
			t.Errorf("%s: %v, %d bytes, %v", tt.login, acc.Level, acc.QuotaBytes, err)
		}
	}
	if _, err := h.AddUser(t.Context(), owner, identity.NewUser{Login: "d", Groups: []string{"none"}}); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("in a group that there is not: %v", err)
	}
	root := identity.LevelRoot
	if _, err := h.SetGroup(t.Context(), identity.Actor{User: "a1", Level: identity.LevelAdmin}, "plain", identity.GroupChange{MemberLevel: &root}); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("an administrator makes a group of roots: %v", err)
	}
}
