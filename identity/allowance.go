package identity

import (
	"sync"
	"time"
)

// allowance bounds how often something is done for one key within a window of time. What it keeps is
// bounded; it is safe for any goroutine.
type allowance[K comparable] struct {
	most   int
	window time.Duration

	mu   sync.Mutex // guards done
	done *recent[K, []time.Time]
}

func newAllowance[K comparable](most int, window time.Duration) *allowance[K] {
	return &allowance[K]{most: most, window: window, done: newRecent[K](maxTracked, func(*[]time.Time) {})}
}

// take counts one more, or says how long there can be none.
func (a *allowance[K]) take(k K, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	of := a.done.get(k)
	for len(*of) > 0 && now.Sub((*of)[0]) >= a.window {
		*of = (*of)[1:]
	}
	if len(*of) >= a.most {
		return a.window - now.Sub((*of)[0])
	}
	*of = append(*of, now)
	return 0
}
