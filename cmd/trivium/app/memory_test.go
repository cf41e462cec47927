package app

import (
	"testing"
	"time"
)

// What has been needed is given back once when the server comes to rest, not while it works, and not for
// little.
func TestRest(t *testing.T) {
	const mib = 1 << 20
	now := time.Unix(1000, 0)
	u, given := heapUse{allocated: 100 * mib, live: 80 * mib}, 0
	r := newRest(func() heapUse { return u }, func() { given++ })
	for _, step := range []struct {
		name    string
		grown   uint64
		after   time.Duration
		awaited int
	}{
		{"nothing has been needed", 0, time.Minute, 0},
		{"a little", 5 * mib, time.Second, 0},
		{"it rests after a little", 0, time.Second, 0},
		{"it works", 50 * mib, time.Second, 0},
		{"it still works", mib, time.Second, 0},
		{"it rests", 1000, time.Second, 1},
		{"it goes on resting", 1000, time.Minute, 1},
		{"it works again", 50 * mib, time.Second, 1},
		{"it rests again", 0, time.Second, 2},
		{"it works right after", 50 * mib, time.Second, 2},
		{"it rests right after", 0, time.Second, 2},
		{"it has rested a while", 0, restPause, 3},
	} {
		now, u.allocated = now.Add(step.after), u.allocated+step.grown
		if r.look(now); given != step.awaited {
			t.Errorf("%s: given back %d times, not %d", step.name, given, step.awaited)
		}
	}
}

// The runtime knows the names.
func TestRuntimeUse(t *testing.T) {
	if u := runtimeUse()(); u.allocated == 0 {
		t.Error("nothing was allocated")
	}
}
