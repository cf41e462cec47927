package storetest

import (
	"fmt"
	"testing"

	"trivium/identity"
	"trivium/xmpp/push"
)

// Push is the contract of push.Store; open returns an empty one.
func Push(t *testing.T, open func(*testing.T) push.Store) {
	s, ctx := open(t), t.Context()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(owner identity.UserID, names ...string) []push.Service {
		t.Helper()
		list, err := s.Services(ctx, owner)
		do(err)
		var got []string
		for _, p := range list {
			got = append(got, p.JID+" "+p.Node)
		}
		if fmt.Sprint(got) != fmt.Sprint(names) {
			t.Fatalf("%s has %q, want %q", owner, got, names)
		}
		return list
	}
	do(s.PutService(ctx, alice, push.Service{JID: "push.example", Node: "1", Resource: "r", Options: []byte("<x/>"), Faults: 2}))
	do(s.PutService(ctx, alice, push.Service{JID: "push.example", Node: "2"}))
	do(s.PutService(ctx, alice, push.Service{JID: "other.example", Node: ""}))
	do(s.PutService(ctx, bob, push.Service{JID: "push.example", Node: "1"}))
	list := want(alice, "push.example 1", "push.example 2", "other.example ")
	if p := list[0]; p.Resource != "r" || string(p.Options) != "<x/>" || p.Faults != 2 || list[1].Options != nil {
		t.Errorf("stored %+v", list)
	}
	do(s.PutService(ctx, alice, push.Service{JID: "push.example", Node: "1", Resource: "new"}))
	if list = want(alice, "push.example 2", "other.example ", "push.example 1"); list[2].Resource != "new" || list[2].Options != nil || list[2].Faults != 0 {
		t.Errorf("replaced %+v", list[2])
	}
	none, two := "", "2"
	do(s.DropServices(ctx, alice, "push.example", &none))
	do(s.DropServices(ctx, alice, "push.example", &two))
	want(alice, "other.example ", "push.example 1")
	do(s.DropServices(ctx, alice, "push.example", nil))
	want(alice, "other.example ")
	do(s.DropServices(ctx, alice, "", nil))
	want(alice)
	want(bob, "push.example 1")
}
