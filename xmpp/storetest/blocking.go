package storetest

import (
	"slices"
	"testing"

	"trivium/identity"
	"trivium/xmpp/blocking"
)

// Blocking is the contract of blocking.Store; open returns an empty one.
func Blocking(t *testing.T, open func(*testing.T) blocking.Store) {
	s := open(t)
	want := func(owner identity.UserID, jids ...string) {
		t.Helper()
		got, err := s.Blocked(t.Context(), owner)
		if err != nil || !slices.Equal(got, jids) {
			t.Fatalf("%s has blocked %q, %v; want %q", owner, got, err, jids)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want(alice)
	do(s.Block(t.Context(), alice, "z@example.org", "a@example.org/x", "example.net"))
	do(s.Block(t.Context(), alice, "z@example.org"))
	do(s.Block(t.Context(), bob, "alice@example.org"))
	want(alice, "a@example.org/x", "example.net", "z@example.org")
	do(s.Unblock(t.Context(), alice, "z@example.org", "nobody@example.org"))
	want(alice, "a@example.org/x", "example.net")
	do(s.Unblock(t.Context(), alice))
	want(alice)
	want(bob, "alice@example.org")
}
