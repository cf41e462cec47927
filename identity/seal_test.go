package identity_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"trivium/identity"
)

// TestOtherSealKey: a store that meets another seal key than its own says so at each start, and goes on.
func TestOtherSealKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	for _, c := range []struct {
		what string
		key  byte
		says bool
	}{{"the first key", 7, true}, {"again", 7, true}} {
		var log bytes.Buffer
		_, err := identity.New(t.Context(), identity.Options{Store: h.store, Domain: "example.org", SealKey: bytes.Repeat([]byte{c.key}, 32),
			Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "seal.key is not the one"); got != c.says {
			t.Errorf("%s: %s", c.what, log.String())
		}
	}
	var log bytes.Buffer
	own := newHouse(t, func(o *identity.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if _, err := own.User(t.Context(), "nobody-here"); err == nil || strings.Contains(log.String(), "seal.key") {
		t.Errorf("a new store: %s", log.String())
	}
}
