package pubsub

import (
	"context"
	"sync"

	"trivium/identity"
)

// mostLasting bounds how many accounts are known to leave nothing behind that goes with them.
const mostLasting = 8192

// lasting knows accounts that have no node which is purged when their last client leaves: most have none
// ever, and to ask the store took a twentieth of the time of a log-in with its end. Any change of any node
// is reason to ask again.
type lasting struct {
	mu   sync.Mutex // guards what follows
	turn uint64     // rises with each change
	of   map[identity.UserID]struct{}
}

func newLasting() *lasting { return &lasting{of: map[identity.UserID]struct{}{}} }

// mark is asked for before the store is read, and given to keep with what was read.
func (l *lasting) mark() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turn
}

// keep notes an account, unless something has changed since mark.
func (l *lasting) keep(mark uint64, owner identity.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mark != l.turn {
		return
	}
	if len(l.of) >= mostLasting {
		clear(l.of)
	}
	l.of[owner] = struct{}{}
}

// has reports whether an account is known to have no such node.
func (l *lasting) has(owner identity.UserID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.of[owner]
	return ok
}

// forget is called when nodes may have changed.
func (l *lasting) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
	clear(l.of)
}

// watched is a store whose changes are seen.
type watched struct {
	Store
	lasting *lasting
}

// Write implements Store. What was changed is known before who changed it goes on.
func (w watched) Write(ctx context.Context, fn func(StoreWriter) error) error {
	defer w.lasting.forget()
	return w.Store.Write(ctx, fn)
}

// Remove implements Store.
func (w watched) Remove(ctx context.Context, owner identity.UserID) error {
	defer w.lasting.forget()
	return w.Store.Remove(ctx, owner)
}
