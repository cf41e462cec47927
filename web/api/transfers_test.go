package api_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"trivium/identity"
	"trivium/web/api"
)

// mover is the holder of a session that transfers something.
type mover struct{ stopped, ended atomic.Int32 }

func (m *mover) SessionEnded(identity.Reason) { m.ended.Add(1) }
func (m *mover) SessionChanged()              {}
func (m *mover) StopTransfer() bool           { return m.stopped.Add(1) == 1 }

func TestTransfers(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelCustomer, identity.LevelStaff, identity.LevelAdmin)
	m := &mover{}
	ses, err := s.id.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolFTP, Holder: m})
	check(t, err)
	t.Cleanup(ses.Close)
	_, err = s.id.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "user", Secret: identity.NewSecret(password)})
	check(t, err)
	ses.Update(func(d *identity.Details) {
		d.Transfer = &identity.TransferInfo{Verb: "STOR", Path: "/a.iso", Bytes: 43, Size: 100, Rate: 7}
	})
	for who, want := range map[string]int{"user": 1, "customer": 0, "staff": 1} {
		var list []api.Transfer
		s.ask(t, basic(who), http.MethodGet, "/transfers", "").into(t, &list)
		if len(list) != want {
			t.Fatalf("%s sees %d transfers, want %d", who, len(list), want)
		}
		if want == 1 && (list[0].Session != ses.ID() || *list[0].User != "user" || list[0].Path != "/a.iso" || list[0].Bytes != 43 || list[0].Size != 100 || list[0].Rate != 7) {
			t.Errorf("%+v", list[0])
		}
	}
	for _, tt := range []struct {
		who    string
		status int
	}{
		{"customer", http.StatusNotFound}, // another's session does not exist
		{"staff", http.StatusForbidden},
		{"user", http.StatusNoContent},
		{"admin", http.StatusNotFound}, // it transfers nothing any more
	} {
		if got := s.ask(t, basic(tt.who), http.MethodDelete, "/transfers/"+ses.ID(), ""); got.status != tt.status {
			t.Errorf("%s stops it: %d %s", tt.who, got.status, got.body)
		}
	}
	if m.stopped.Load() != 2 || m.ended.Load() != 0 {
		t.Errorf("stopped %d times, ended %d times", m.stopped.Load(), m.ended.Load())
	}
}
