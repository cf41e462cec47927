package identity_test

import (
	"testing"

	"trivium/identity"
)

// Signing out everywhere ends what a password has opened, what a token has opened, and what browsers
// keep; the session that asks may stay, and the password is as good as before.
func TestSignOut(t *testing.T) {
	t.Parallel()
	h := fortress(t, nil)
	h.person("alice", nil)
	h.person("bob", nil)
	here, _ := h.browse("alice")
	there, cookie := h.browse("alice")
	ftp, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	bobs, _ := h.in(identity.ProtocolFTP, "bob", testPassword)
	alice := identity.Actor{User: "alice", Level: identity.LevelUser, Via: "web"}
	if _, err := h.SignOut(t.Context(), identity.Actor{User: "bob", Level: identity.LevelUser, Via: "web"}, "alice", nil); err == nil {
		t.Error("bob has signed alice out")
	}
	n, err := h.SignOut(t.Context(), alice, "alice", here.Session)
	if err != nil || n != 2 {
		t.Fatalf("%d sessions, %v", n, err)
	}
	if c, ok := here.Credentials(); !ok || c.User != "alice" || here.Level() != identity.LevelUser {
		t.Errorf("the session that asked: %v, %s", ok, here.Level())
	}
	for name, ses := range map[string]*identity.Session{"browser": there.Session, "ftp": ftp} {
		if l := ses.Level(); l != identity.LevelNone && l != identity.LevelAnonymous {
			t.Errorf("%s goes on with %s", name, l)
		}
	}
	if bobs.Level() != identity.LevelUser {
		t.Error("bob's session ended")
	}
	visit := h.visit()
	visit.LoggedIn = cookie.Value
	if b, _, err := h.Resume(t.Context(), visit); err == nil && b.Level() > identity.LevelAnonymous {
		t.Error("the cookie of another browser still opens the account")
	}
	h.browse("alice") // with the same password
	if _, err := h.SignOut(t.Context(), alice, "alice", nil); err != nil {
		t.Fatal(err)
	}
	if list := h.Registry.List(identity.Filter{User: "alice"}); len(list) != 0 {
		t.Errorf("sessions left: %v", list)
	}
	rows, err := h.Audit(t.Context(), identity.AuditFilter{Event: identity.EventSignOut})
	if err != nil || len(rows) != 2 || rows[0].Subject != "alice" || rows[0].Actor != "alice" {
		t.Errorf("audit %+v, %v", rows, err)
	}
}
