package identity_test

import (
	"errors"
	"slices"
	"testing"

	"trivium/identity"
)

// TestMustChange: the password is good for choosing another one on the web, and for nothing else.
func TestMustChange(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	alice := h.person("alice", nil)
	token := h.tokens.add(alice, identity.Grant{Roads: []identity.Road{identity.RoadFTP}})
	ftp, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	app, _ := h.in(identity.ProtocolFTP, "alice", token)
	if err := h.RequireChange(t.Context(), owner, "alice", true); err != nil {
		t.Fatal(err)
	}
	if ended := ftp.Reason(); ended.Code != identity.ReasonPolicy {
		t.Errorf("the FTP session goes on: %+v", ended)
	}
	if app.Reason().Code != "" {
		t.Error("the app password's session ended")
	}
	for _, p := range []identity.Protocol{identity.ProtocolFTP, identity.ProtocolXMPP, identity.ProtocolDAV, identity.ProtocolAPI} {
		ses, _ := h.open(p, "192.0.2.1:4000")
		_, err := h.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret(testPassword)})
		if !errors.Is(err, identity.ErrMustChange) {
			t.Errorf("%s: %v", p, err)
		}
		_, err = h.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret("wrong")})
		if !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("%s: a wrong password: %v", p, err)
		}
		ses.Close()
	}
	again, _ := h.in(identity.ProtocolFTP, "alice", token)
	again.Close()
	web, _ := h.open(identity.ProtocolWeb, "192.0.2.1:4000")
	creds, err := h.Login(t.Context(), web, identity.Login{Method: identity.MethodForm, Name: "alice", Secret: identity.NewSecret(testPassword)})
	if err != nil || !creds.MustChange {
		t.Fatalf("the web: %+v, %v", creds, err)
	}
	self := identity.Actor{User: "alice", Level: identity.LevelUser, Via: "web"}
	if err := h.ChangePassword(t.Context(), self, "alice", identity.PasswordChange{Password: identity.NewSecret(testPassword), Keep: web}); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("the same password again: %v", err)
	}
	if err := h.ChangePassword(t.Context(), self, "alice", identity.PasswordChange{Password: identity.NewSecret("another one 9"), Keep: web, MustChange: true}); err != nil {
		t.Fatal(err)
	}
	if c, ok := web.Credentials(); !ok || c.MustChange {
		t.Errorf("after the change: %+v", c)
	}
	h.in(identity.ProtocolFTP, "alice", "another one 9")
	if err := h.RequireChange(t.Context(), self, "alice", true); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("of one's own account: %v", err)
	}
}

// TestKeepOthers: a change of the password ends the other sessions, or does not.
func TestKeepOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	told := &notices{}
	h.AddNotifier(told)
	h.person("alice", nil)
	self := identity.Actor{User: "alice", Level: identity.LevelUser, Via: "web", Remote: "192.0.2.1"}
	one, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	two, _ := h.in(identity.ProtocolXMPP, "alice", testPassword)
	change := func(password string, others bool) {
		t.Helper()
		err := h.ChangePassword(t.Context(), self, "alice", identity.PasswordChange{Password: identity.NewSecret(password), Keep: one, KeepOthers: others})
		if err != nil {
			t.Fatal(err)
		}
	}
	change("another one 9", true)
	if one.Reason().Code != "" || two.Reason().Code != "" {
		t.Error("a session ended that was to go on")
	}
	ses, _ := h.open(identity.ProtocolFTP, "192.0.2.1:4000")
	if _, err := h.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret(testPassword)}); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("the old password, remembered: %v", err)
	}
	change("yet another 9", false)
	if one.Reason().Code != "" || two.Reason().Code != identity.ReasonRevoked {
		t.Errorf("ended by %q and %q", one.Reason().Code, two.Reason().Code)
	}
	if got := told.take(); !slices.Equal(got, []string{"password alice   192.0.2.1", "password alice   192.0.2.1"}) {
		t.Errorf("told %q", got)
	}
}
