package files

import (
	"testing"
	"time"
)

// TestCalm: what was looked at counts as it was only where nobody has been inside since, or was then.
func TestCalm(t *testing.T) {
	visit := func(n *turnstile) { n.RLock(); n.RUnlock() } //nolint:staticcheck // it is the visit that counts
	for _, tt := range []struct {
		name          string
		before, after func(n *turnstile)
		age           time.Duration
		want          bool
	}{
		{name: "nobody", want: true},
		{name: "somebody long before", before: visit, want: true},
		{name: "somebody inside", before: (*turnstile).RLock},
		{name: "somebody inside, gone since", before: (*turnstile).RLock, after: (*turnstile).RUnlock},
		{name: "somebody since", after: visit},
		{name: "somebody who changes things since", after: func(n *turnstile) { n.Lock(); n.Unlock() }}, //nolint:staticcheck // as above
		{name: "somebody since, inside", after: (*turnstile).RLock},
		{name: "too long ago", age: 2 * calmFor},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n turnstile
			if tt.before != nil {
				tt.before(&n)
			}
			c := n.calm(0)
			if !c.since.IsZero() {
				c.since = c.since.Add(-tt.age)
			}
			if tt.after != nil {
				tt.after(&n)
			}
			n.RLock()
			if got := n.undisturbed(c); got != tt.want {
				t.Errorf("undisturbed: %v", got)
			}
		})
	}
	t.Run("asked inside", func(t *testing.T) {
		var n turnstile
		n.RLock()
		c := n.calm(1)
		n.RUnlock()
		n.Lock()
		if !n.undisturbed(c) {
			t.Error("disturbed by who asked")
		}
	})
}
