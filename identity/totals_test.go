package identity_test

import (
	"maps"
	"testing"

	"trivium/identity"
)

func TestTotals(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	before := h.Registry.Totals()
	a, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	b, _ := h.open(identity.ProtocolXMPP, home)
	if _, err := h.login(b, "alice", "wrong"); err == nil {
		t.Fatal("a wrong password logs in")
	}
	if got, want := h.Registry.CountByProtocol(), map[identity.Protocol]int{identity.ProtocolFTP: 1, identity.ProtocolXMPP: 1}; !maps.Equal(got, want) {
		t.Errorf("sessions are %v, want %v", got, want)
	}
	a.CountIn(5)
	a.CountOut(7)
	m := a.Move(identity.TransferInfo{Verb: "STOR"}, func() {}, nil)
	for range 3 { // one transfer, told of three times
		m.Show(1, 1)
	}
	m.End(nil)
	a.Close() // what has ended still counts
	got := h.Registry.Totals()
	want := identity.Totals{BytesIn: before.BytesIn + 5, BytesOut: before.BytesOut + 7, Transfers: before.Transfers + 1,
		LoginsOK: before.LoginsOK + 1, LoginsRefused: before.LoginsRefused + 1}
	if got != want {
		t.Errorf("totals are %+v, want %+v", got, want)
	}
	if got := h.Registry.CountByProtocol(); len(got) != 1 || got[identity.ProtocolXMPP] != 1 {
		t.Errorf("after the end there are %v", got)
	}
}
