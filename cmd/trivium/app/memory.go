package app

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// heapGrowth is by how much in a hundred the heap may grow between collections, where GOGC says
// nothing. Sessions that idle are most of the heap: at the 100 of the Go runtime 5,000 of them over
// TLS hold 38 KiB each when they have just come, at 75 31.
const heapGrowth = 75

// startGrowth is that at the start: nearly all that it allocates stays until it is over.
const startGrowth = 400

// hasten has the start collect rarely, until settleMemory.
func hasten() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(startGrowth)
	}
}

// settleMemory gives back what only the start has needed, and bounds what comes after it. Pools
// forget in two collections.
func settleMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	runtime.GC()
	debug.FreeOSMemory()
	releaseProgram()
}

const (
	restEvery = 500 * time.Millisecond
	restQuiet = 256 << 10       // bytes that a server allocates in that time while it has nothing to do
	restWorth = 4 << 20         // bytes below which nothing is given back
	restShare = 8               // and this part of the heap, at least
	restPause = 5 * time.Second // between two times at least
)

// rest gives back, once the server has nothing to do, what it has needed while it had: the garbage of a
// thousand log-ins, which would otherwise stay until as much again has come, and the pages of the program that
// they have read. What it costs is one collection for each time that the server comes to rest, and none
// before an eighth of the heap has been allocated anew.
type rest struct {
	read func() heapUse
	give func()

	last     uint64    // allocated when it was looked at last
	baseline uint64    // allocated when memory was given back last
	given    time.Time // when; zero: not yet
}

// heapUse is what the runtime says of the heap: bytes allocated since the start, and those that live as of the
// last collection.
type heapUse struct{ allocated, live uint64 }

// newRest begins from now.
func newRest(read func() heapUse, give func()) *rest {
	u := read()
	return &rest{read: read, give: give, last: u.allocated, baseline: u.allocated}
}

// look decides at one moment.
func (r *rest) look(now time.Time) {
	u := r.read()
	grown := u.allocated - r.last
	r.last = u.allocated
	if grown > restQuiet || now.Sub(r.given) < restPause || u.allocated-r.baseline < max(restWorth, u.live/restShare) {
		return
	}
	r.give()
	u = r.read()
	r.last, r.baseline, r.given = u.allocated, u.allocated, now
}

// runtimeUse reads it without stopping anything.
func runtimeUse() func() heapUse {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	return func() heapUse {
		metrics.Read(s)
		return heapUse{allocated: s[0].Value.Uint64(), live: s[1].Value.Uint64()}
	}
}

// restNowAndThen gives memory back while the server rests, until ctx ends.
func restNowAndThen(ctx context.Context) {
	r := newRest(runtimeUse(), func() {
		debug.FreeOSMemory()
		releaseProgram()
	})
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			r.look(now)
		}
	}
}
