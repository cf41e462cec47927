package mam

import (
	"fmt"
	"strings"
	"testing"

	"trivium/identity"
)

// What many accounts prefer takes a bounded part of memory.
func TestPrefsAreBounded(t *testing.T) {
	big := &prefs{Never: make([]string, maxPrefs)}
	for i := range big.Never {
		big.Never[i] = strings.Repeat("x", 3000)
	}
	var c prefsCache
	for i := range 40 {
		id := identity.UserID(fmt.Sprint(i / 2)) // each twice
		c.put(id, big)
		sum := 0
		for _, p := range c.known {
			sum += p.weigh()
		}
		if sum != c.bytes || sum > maxPrefsWeight || c.known[id] != big {
			t.Fatalf("after %d: %d bytes of %d accounts, counted as %d", i+1, sum, len(c.known), c.bytes)
		}
		if i%5 == 0 {
			c.forget(id)
			c.forget(id)
		}
	}
}
