package api_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"trivium/identity"
	"trivium/web/api"
)

func TestTransfers(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelCustomer, identity.LevelStaff, identity.LevelAdmin)
	var stopped, others atomic.Int32
	ses, err := s.id.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolFTP})
	check(t, err)
	t.Cleanup(ses.Close)
	_, err = s.id.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "user", Secret: identity.NewSecret(password)})
	check(t, err)
	m := ses.Move(identity.TransferInfo{Verb: "STOR", Direction: identity.DirectionIn, Path: "/a.iso", Bytes: 43, Size: 100}, func() { stopped.Add(1) }, nil)
	m.Show(43, 7)
	ses.Move(identity.TransferInfo{Verb: "RETR", Direction: identity.DirectionOut, Path: "/Books/b.iso", Size: -1}, func() { others.Add(1) }, nil)
	ask := func(who, query string) []api.Transfer {
		var list []api.Transfer
		s.ask(t, basic(who), http.MethodGet, "/transfers"+query, "").into(t, &list)
		return list
	}
	var id string
	for who, want := range map[string]int{"user": 2, "customer": 0, "staff": 2} {
		list := ask(who, "")
		if len(list) != want {
			t.Fatalf("%s sees %d transfers, want %d", who, len(list), want)
		}
		if want == 0 {
			continue
		}
		x := list[slices.IndexFunc(list, func(x api.Transfer) bool { return x.Path == "/a.iso" })]
		if id = x.ID; x.Session != ses.ID() || *x.User != "user" || x.Bytes != 43 || x.Size != 100 || x.Rate != 7 || x.Direction != identity.DirectionIn || id == ses.ID() {
			t.Errorf("%+v", x)
		}
	}
	for query, want := range map[string]int{
		"?path=BOOK": 1, "?path=none": 0, "?direction=in": 1, "?direction=out": 1, "?direction=here": 0, "?protocol=ftp": 2, "?protocol=web": 0,
		"?user=user": 2, "?user=customer": 0, "?session=" + ses.ID(): 2, "?session=none": 0, "?user=user&path=iso&direction=out": 1,
	} {
		if list := ask("staff", query); len(list) != want {
			t.Errorf("%s chooses %d transfers, want %d", query, len(list), want)
		}
	}
	absent := s.ask(t, basic("customer"), http.MethodDelete, "/transfers/none.1", "")
	if hidden := s.ask(t, basic("customer"), http.MethodDelete, "/transfers/"+id, ""); hidden.status != http.StatusNotFound ||
		strings.ReplaceAll(string(hidden.body), id, "none.1") != string(absent.body) {
		t.Errorf("another's transfer is seen not to be absent: %d %s and %s", hidden.status, hidden.body, absent.body)
	}
	for _, tt := range []struct {
		who, id string
		status  int
	}{
		{"staff", id, http.StatusForbidden},
		{"user", ses.ID(), http.StatusNotFound}, // a session is no transfer
		{"user", id, http.StatusNoContent},
		{"user", id, http.StatusNoContent}, // it is about to end
	} {
		if got := s.ask(t, basic(tt.who), http.MethodDelete, "/transfers/"+tt.id, ""); got.status != tt.status {
			t.Errorf("%s stops it: %d %s", tt.who, got.status, got.body)
		}
	}
	m.End(nil)
	if got := s.ask(t, basic("admin"), http.MethodDelete, "/transfers/"+id, ""); got.status != http.StatusNotFound {
		t.Errorf("what has ended: %d %s", got.status, got.body)
	}
	select {
	case <-ses.Ended():
		t.Error("the session has ended")
	default:
	}
	if stopped.Load() != 1 || others.Load() != 0 || len(ask("user", "")) != 1 {
		t.Errorf("stopped %d times, the other %d times, %d are listed", stopped.Load(), others.Load(), len(ask("user", "")))
	}
}
