package identity_test

import (
	"net/netip"
	"testing"

	"trivium/identity"
)

// A session that goes on from elsewhere is what a log-in from there may be: its class and its
// credential count, and what it was before no more.
func TestResume(t *testing.T) {
	h := newHouse(t, func(o *identity.Options) {
		o.Classes = []identity.Class{
			{Name: "office", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
			{Name: "wan", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, MaxLevel: identity.LevelUser, MaxSessions: 2},
		}
	})
	alice := h.person("alice", func(u *identity.User) { u.Level = identity.LevelStaff })
	phone := h.tokens.add(alice, identity.Grant{Roads: []identity.Road{identity.RoadXMPP}, Admin: true})
	old, told := h.in(identity.ProtocolXMPP, "alice", testPassword)
	if old.Level() != identity.LevelStaff || old.Class().Name != "office" {
		t.Fatalf("level %v, class %q", old.Level(), old.Class().Name)
	}
	const far = "198.51.100.7:5000"
	next, _ := h.open(identity.ProtocolXMPP, far)
	if _, err := h.login(next, "alice", phone); err != nil {
		t.Fatal(err)
	}
	if err := h.Registry.Resume(old, next); err != nil {
		t.Fatal(err)
	}
	next.Close()
	i := old.Info()
	if i.RemoteAddr != far || old.Level() != identity.LevelUser || old.Class().Name != "wan" || i.TokenID == nil || *i.Class != "wan" {
		t.Errorf("after: %+v", i)
	}
	// The counts have moved along: one of the two places of the class is taken.
	other, _ := h.open(identity.ProtocolXMPP, far)
	if _, _, err := h.tryOpen(identity.ProtocolXMPP, far); err == nil {
		t.Error("the session is not counted where it is now")
	}
	other.Close()
	// The token that brought it back ends it; the password, which did not, does nothing.
	h.set(alice, func(u *identity.User) { u.CredentialVersion++ })
	if n := len(told.reasons()); n != 0 {
		t.Errorf("a new password ended what a token had opened: %v", told.reasons())
	}
	h.tokens.remove(phone)
	h.TokensChanged(t.Context(), *i.TokenID)
	if r := told.reasons(); len(r) != 1 || r[0].Code != identity.ReasonRevoked {
		t.Errorf("the token is gone, and the session heard %v", r)
	}
	for range 2 {
		if _, _, err := h.tryOpen(identity.ProtocolXMPP, far); err != nil {
			t.Errorf("its place is not free: %v", err)
		}
	}
}

func TestResumeRefused(t *testing.T) {
	h := newHouse(t, nil)
	h.person("alice", nil)
	h.person("bob", nil)
	alice, _ := h.in(identity.ProtocolXMPP, "alice", testPassword)
	again, _ := h.in(identity.ProtocolXMPP, "alice", testPassword)
	bob, _ := h.in(identity.ProtocolXMPP, "bob", testPassword)
	ftp, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	stranger, _ := h.open(identity.ProtocolXMPP, home)
	gone, _ := h.in(identity.ProtocolXMPP, "alice", testPassword)
	gone.Close()
	for _, tt := range []struct {
		name      string
		old, next *identity.Session
		want      error
	}{
		{"another's", alice, bob, identity.ErrInvalid},
		{"one that has not logged in", alice, stranger, identity.ErrInvalid},
		{"by a stranger", stranger, alice, identity.ErrInvalid},
		{"another road's", ftp, again, identity.ErrInvalid},
		{"itself", alice, alice, identity.ErrInvalid},
		{"one that has ended", gone, again, identity.ErrEnded},
		{"over one that has ended", alice, gone, identity.ErrEnded},
	} {
		wantErr(t, tt.name, h.Registry.Resume(tt.old, tt.next), tt.want)
	}
}

// A session that waits for its client leaves its place free for the client's log-in.
func TestAway(t *testing.T) {
	h := newHouse(t, func(o *identity.Options) {
		o.Limits.SessionsPerUser = map[identity.Road]int{identity.RoadXMPP: 1}
	})
	h.person("alice", nil)
	old, _ := h.in(identity.ProtocolXMPP, "alice", testPassword)
	next, _ := h.open(identity.ProtocolXMPP, home)
	_, err := h.login(next, "alice", testPassword)
	wantErr(t, "two sessions", err, identity.ErrSessions)
	old.SetAway(true)
	if _, err := h.login(next, "alice", testPassword); err != nil {
		t.Fatal(err)
	}
	if err := h.Registry.Resume(old, next); err != nil {
		t.Fatal(err)
	}
	next.Close()
	third, _ := h.open(identity.ProtocolXMPP, home)
	_, err = h.login(third, "alice", testPassword)
	wantErr(t, "two sessions after it is back", err, identity.ErrSessions)
}
