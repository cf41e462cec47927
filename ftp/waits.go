package ftp

import "runtime"

// waits bounds how many threads may be blocked for what comes within a moment, instead of leaving
// that to the runtime, which is quicker where one client at a time is served. One processor is always
// left to everybody else.
type waits chan struct{}

func newWaits() waits { return make(waits, max(runtime.GOMAXPROCS(0)-1, 0)) }

// enter reports whether one more may be; leave must then be called.
func (w waits) enter() bool {
	select {
	case w <- struct{}{}:
		return true
	default:
		return false
	}
}

func (w waits) leave() { <-w }
