package storetest

import (
	"fmt"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp/offline"
)

// Offline is the contract of offline.Store; open returns an empty one.
func Offline(t *testing.T, open func(*testing.T) offline.Store) {
	s, ctx := open(t), t.Context()
	at := time.UnixMicro(1_700_000_000_123_456)
	keep := func(want string, batch ...offline.Waiting) {
		t.Helper()
		if kept, err := s.Keep(ctx, batch, 3); fmt.Sprint(kept) != want || err != nil {
			t.Fatalf("kept %v, %v; want %s", kept, err, want)
		}
	}
	one := func(i byte) offline.Waiting {
		return offline.Waiting{Owner: alice, From: "bob@example.org/x", At: at, Stanza: []byte{i}}
	}
	keep("[true]", one('a'))
	keep("[true true true false]", one('b'), offline.Waiting{Owner: bob, Stanza: []byte("x")}, one('c'), one('d'))
	keep("[false]", one('e'))
	list := func(owner identity.UserID, after int64, n, want int) []offline.Waiting {
		t.Helper()
		got, err := s.Wait(ctx, owner, after, n)
		if err != nil || len(got) != want {
			t.Fatalf("%s has %+v, %v; want %d", owner, got, err, want)
		}
		return got
	}
	all := list(alice, 0, 10, 3)
	for i, w := range all {
		if string(w.Stanza) != string(rune('a'+i)) || w.From != "bob@example.org/x" || !w.At.Equal(at) || i > 0 && w.ID <= all[i-1].ID {
			t.Errorf("message %d is %+v", i, w)
		}
	}
	list(alice, 0, 2, 2)
	list(alice, all[1].ID, 10, 1)
	if err := s.Drop(ctx, bob, all[0].ID); err != nil {
		t.Fatal(err)
	}
	list(alice, 0, 10, 3) // bob may not remove alice's
	if err := s.Drop(ctx, alice, all[1].ID, 1<<40); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(ctx, alice); n != 2 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	if n, err := s.DropAll(ctx, alice, all[0].ID); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	// An ID is not given out again, or a client that comes back would take one message for another.
	if n, err := s.DropAll(ctx, alice, 1<<62); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	keep("[true]", one('n'))
	if got := list(alice, 0, 10, 1); got[0].ID <= all[2].ID {
		t.Errorf("ID %d came again", got[0].ID)
	}
	list(bob, 0, 10, 1)
}
