package provider

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"trivium/identity"
)

// drawer keeps keys in memory.
type drawer struct{ keys []identity.ApplicationKey }

func (d *drawer) ApplicationKeys(context.Context) ([]identity.ApplicationKey, error) {
	return d.keys, nil
}

func (d *drawer) AddApplicationKey(_ context.Context, k identity.ApplicationKey) error {
	d.keys = append(d.keys, k)
	return nil
}

func (d *drawer) RemoveApplicationKeys(_ context.Context, ids ...string) error {
	d.keys = slices.DeleteFunc(d.keys, func(k identity.ApplicationKey) bool { return slices.Contains(ids, k.ID) })
	return nil
}

// TestKeysChange follows a key through its life: shown, signing, shown, gone.
func TestKeysChange(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := &drawer{}
	r := &ring{store: d, life: 90 * 24 * time.Hour, now: func() time.Time { return now }}
	signing := func() string {
		t.Helper()
		k, err := r.signing(t.Context(), jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		return k.id
	}
	shown := func() int {
		t.Helper()
		set, err := r.public(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			if !k.IsPublic() || k.Use != "sig" {
				t.Fatal("a private key is shown")
			}
		}
		return len(set.Keys)
	}
	tend := func(days int) {
		t.Helper()
		now = now.Add(time.Duration(days) * 24 * time.Hour)
		if err := r.tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first := signing()
	if n := shown(); n != 2 {
		t.Fatalf("%d keys at first", n)
	}
	tend(89)
	if signing() != first || shown() != 2 {
		t.Error("a key was changed before its time")
	}
	tend(2)
	if signing() != first || shown() != 4 {
		t.Error("the next key signs before anybody knows it, or is not shown")
	}
	tend(1)
	second := signing()
	if second == first || shown() != 4 {
		t.Error("the next key does not sign, or the old one is gone at once")
	}
	if _, ok := r.find(t.Context(), first, "ES256"); !ok {
		t.Error("what the old key has signed is not known any more")
	}
	if _, ok := r.find(t.Context(), first, "RS256"); ok {
		t.Error("a key is good for another algorithm")
	}
	tend(8)
	if signing() != second || shown() != 2 {
		t.Errorf("%d keys after the old ones were shown for long enough", shown())
	}
}

// TestOutboxIsBounded: who is gone fills only their own places.
func TestOutboxIsBounded(t *testing.T) {
	p := &Provider{log: slog.New(slog.DiscardHandler)}
	o := newOutbox(p, nil)
	put := func(app string, n int) int {
		before := len(o.queue)
		for i := range n {
			o.put([]identity.EndedGrant{{ApplicationGrant: identity.ApplicationGrant{SID: string(rune('a' + i%26))}, To: identity.Application{ID: app, LogoutURI: "https://x.example.org/"}}})
		}
		return len(o.queue) - before
	}
	if n := put("gone", maxOutboxOfOne+10); n != maxOutboxOfOne {
		t.Errorf("one application has %d places", n)
	}
	if n := put("other", 1); n != 1 {
		t.Error("an application that is gone takes another's place")
	}
	for _, app := range []string{"b", "c", "d"} {
		put(app, maxOutboxOfOne)
	}
	if len(o.queue) != maxOutbox {
		t.Errorf("%d wait in all", len(o.queue))
	}
}
