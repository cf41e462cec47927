package identity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// read takes what there is and shows it; a moment without anything ends it.
func readFeed(t *testing.T, f *identity.Feed, want int) (kinds string, last string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var out []string
	for len(out) < want {
		got := f.Next(ctx, 100)
		if got == nil {
			t.Fatalf("after %v nothing comes", out)
		}
		for _, e := range got {
			user := ""
			if e.Session != nil && e.Session.User != nil {
				user = ":" + *e.Session.User
			}
			out, last = append(out, string(e.Kind)+user), e.ID
		}
	}
	return strings.Join(out, " "), last
}

// TestFeed shows the life of a browser session, what a reader who comes back gets, and what one gets
// who was away for too long.
func TestFeed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	h.open(identity.ProtocolFTP, home) // before anybody reads
	f := h.Registry.Feed("")
	b, _, err := h.StartAnonymous(t.Context(), h.visit())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Upgrade(t.Context(), b, form("alice", testPassword), false); err != nil {
		t.Fatal(err)
	}
	const begin = "opened upgraded:alice changed:alice"
	got, last := readFeed(t, f, 3)
	if got != begin || last != f.Last() {
		t.Errorf("got %q, want %q; the last is %s, %s says the feed", got, begin, last, f.Last())
	}
	f.Close()
	// What happens while nobody is connected is there for who comes back soon.
	if _, err := h.Downgrade(t.Context(), b, identity.Reason{Code: identity.ReasonEnded}); err != nil {
		t.Fatal(err)
	}
	b.Update(func(d *identity.Details) { d.Doing = "waiting" })
	b.Close()
	again := h.Registry.Feed(last)
	const end = "downgraded changed changed ended"
	if got, _ := readFeed(t, again, 4); got != end {
		t.Errorf("got %q, want %q", got, end)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := again.Next(ctx, 10); got != nil {
		t.Errorf("nothing happened, and it says %v", got)
	}
	again.Close()
	for what, after := range map[string]string{"no place": "x", "a place of another process": "abc-5", "a place to come": last + "000", "a number": "7"} {
		f := h.Registry.Feed(after)
		if got, _ := readFeed(t, f, 1); got != "lagged" {
			t.Errorf("%s: %q", what, got)
		}
		f.Close()
	}
	slow := h.Registry.Feed("")
	for range 3000 {
		ses, _ := h.open(identity.ProtocolFTP, home)
		ses.Close()
	}
	got, place := readFeed(t, slow, 1)
	if got != "lagged" {
		t.Errorf("who fell behind gets %q", got)
	}
	h.open(identity.ProtocolXMPP, home)
	if got, _ := readFeed(t, slow, 1); got != "opened" {
		t.Errorf("after it has caught up: %q", got)
	}
	slow.Close()
	h.open(identity.ProtocolXMPP, home)
	back := h.Registry.Feed(place)
	if got, _ := readFeed(t, back, 2); got != "opened opened" {
		t.Errorf("from the place where it lagged: %q", got)
	}
	back.Close()
	// Long after the last reader nothing is kept, and who comes back is told.
	place = back.Last()
	h.clock.pass(11 * time.Minute)
	h.open(identity.ProtocolFTP, home)
	late := h.Registry.Feed(place)
	if got, _ := readFeed(t, late, 1); got != "lagged" {
		t.Errorf("much later: %q", got)
	}
	late.Close()
}
