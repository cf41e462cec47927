package identity

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxGateQueue bounds who waits for a slow hash. At 1.6 ms each on two CPUs the last waits a
// fifth of a second.
const maxGateQueue = 256

// gate lets as many slow hashes run at once as there are CPUs: unbounded, the memory-hard ones
// get slower together than one after the other. Who waits is served in turn by address prefix,
// so that one sender's storm does not stand before everybody else.
type gate struct {
	width, limit int

	waits  atomic.Int64 // who has waited
	waited atomic.Int64 // nanoseconds, all together
	sent   atomic.Int64 // who was sent away

	mu     sync.Mutex // guards what follows
	busy   int
	queued int
	queues map[netip.Prefix][]chan error // a waiter gets nil for a place, ErrBusy for none
	turns  []netip.Prefix                // whose turn is next
}

func newGate(width, limit int) *gate {
	return &gate{width: max(width, 1), limit: limit, queues: map[netip.Prefix][]chan error{}}
}

// enter waits for a place; leave gives it back. ErrBusy where too many wait. Who is ahead comes before
// all the others: a client that its account is known to use, in a storm of strangers.
func (g *gate) enter(ctx context.Context, from netip.Prefix, ahead bool) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	if g.busy < g.width {
		g.busy++
		g.mu.Unlock()
		return g.leave, nil
	}
	if g.queued >= g.limit && !g.makeRoom(from, ahead) {
		g.mu.Unlock()
		g.sent.Add(1)
		return nil, ErrBusy
	}
	me := make(chan error, 1)
	switch {
	case ahead:
		g.turns = slices.DeleteFunc(g.turns, func(p netip.Prefix) bool { return p == from })
		g.turns = slices.Insert(g.turns, 0, from)
		g.queues[from] = slices.Insert(g.queues[from], 0, me)
	default:
		if len(g.queues[from]) == 0 {
			g.turns = append(g.turns, from)
		}
		g.queues[from] = append(g.queues[from], me)
	}
	g.queued++
	g.mu.Unlock()
	g.waits.Add(1)
	began := time.Now()
	defer func() { g.waited.Add(int64(time.Since(began))) }()
	select {
	case err := <-me:
		if err != nil {
			return nil, err
		}
		return g.leave, nil
	case <-ctx.Done():
		return nil, g.abandon(ctx, from, me)
	}
}

// crowded reports whether anybody waits.
func (g *gate) crowded() bool { return g.depth() > 0 }

// depth is how many wait.
func (g *gate) depth() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queued
}

// makeRoom sends away the last of the longest queue, if from's own is shorter by two at least or it
// comes ahead.
func (g *gate) makeRoom(from netip.Prefix, ahead bool) bool {
	longest := from
	for _, p := range g.turns {
		if len(g.queues[p]) > len(g.queues[longest]) {
			longest = p
		}
	}
	q := g.queues[longest]
	if len(q) == 0 || !ahead && len(q) < len(g.queues[from])+2 {
		return false
	}
	q[len(q)-1] <- ErrBusy
	g.sent.Add(1)
	g.drop(longest, len(q)-1)
	return true
}

// abandon leaves the queue, or gives the place back that came at the same moment.
func (g *gate) abandon(ctx context.Context, from netip.Prefix, me chan error) error {
	g.mu.Lock()
	i := slices.Index(g.queues[from], me)
	if i >= 0 {
		g.drop(from, i)
		g.mu.Unlock()
		return ctx.Err()
	}
	g.mu.Unlock()
	if err := <-me; err == nil {
		g.leave()
	}
	return ctx.Err()
}

// drop takes a waiter out of its queue.
func (g *gate) drop(from netip.Prefix, i int) {
	g.queued--
	if g.queues[from] = slices.Delete(g.queues[from], i, i+1); len(g.queues[from]) == 0 {
		delete(g.queues, from)
		g.turns = slices.DeleteFunc(g.turns, func(p netip.Prefix) bool { return p == from })
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.turns) == 0 {
		g.busy--
		return
	}
	from := g.turns[0]
	g.turns = append(g.turns[1:], from) // drop takes it out where its queue is empty
	me := g.queues[from][0]
	g.drop(from, 0)
	me <- nil
}
