package storetest

import (
	"slices"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp/greet"
)

// Greet is the contract of greet.Store; open returns an empty one.
func Greet(t *testing.T, open func(*testing.T) greet.Store) {
	s, ctx := open(t), t.Context()
	at := time.UnixMicro(1_700_000_000_000_001)
	day := greet.Greeting{Kind: greet.Day, Series: "1", Text: "a", SetAt: at}
	for _, step := range []struct {
		put  greet.Greeting
		want []greet.Greeting
	}{
		{day, []greet.Greeting{day}},
		{greet.Greeting{Kind: greet.Welcome, Series: "2", Text: "w", SetAt: at}, []greet.Greeting{day, {Kind: greet.Welcome, Series: "2", Text: "w", SetAt: at}}},
		{greet.Greeting{Kind: greet.Welcome}, []greet.Greeting{day}},
		{greet.Greeting{Kind: greet.Day, Series: "3", Text: "b", SetAt: at}, []greet.Greeting{{Kind: greet.Day, Series: "3", Text: "b", SetAt: at}}},
	} {
		if err := s.PutGreeting(ctx, step.put); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Greetings(ctx); !slices.Equal(got, step.want) || err != nil {
			t.Errorf("after %v: %v, %v", step.put, got, err)
		}
	}
	tell := func(series string, want []identity.UserID, owners ...identity.UserID) {
		t.Helper()
		if got, err := s.Tell(ctx, greet.Day, series, owners...); !slices.Equal(got, want) || err != nil {
			t.Errorf("told %v of %v, %v; want %v", got, owners, err, want)
		}
	}
	told := func(who identity.UserID, k greet.Kind, series string, want bool) {
		t.Helper()
		if got, err := s.Told(ctx, who, k, series); got != want || err != nil {
			t.Errorf("%s was told %s %s: %v, %v", who, k, series, got, err)
		}
	}
	told(alice, greet.Day, "1", false)
	tell("1", nil)
	tell("1", []identity.UserID{alice}, alice)
	tell("1", []identity.UserID{bob}, alice, bob)
	told(alice, greet.Day, "1", true)
	told(alice, greet.Welcome, "1", false)
	tell("2", []identity.UserID{alice}, alice)
	told(alice, greet.Day, "1", false)
	told(bob, greet.Day, "1", true)
	if err := s.Forget(ctx, alice); err != nil {
		t.Fatal(err)
	}
	told(alice, greet.Day, "2", false)
	told(bob, greet.Day, "1", true)
}
