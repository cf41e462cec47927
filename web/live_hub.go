package web

import (
	"context"
	"sync"

	"trivium/identity"
)

// liveIDs bounds the sessions that one event of a page names; past it the page looks at all of them.
const liveIDs = 100

// hub hands what happens to sessions to the pages that are open. However many there are, the registry
// tells one reader, and a page is told of a session once until it has been written out.
type hub struct {
	registry *identity.Registry

	mu   sync.Mutex // guards what follows
	subs map[*follower]struct{}
	stop context.CancelFunc // of the reader; nil: none runs
}

func newHub(r *identity.Registry) *hub { return &hub{registry: r, subs: map[*follower]struct{}{}} }

// follower is one page: what changed since it was told last.
type follower struct {
	owner identity.UserID // "": everybody's sessions
	wake  chan struct{}   // has a place for one

	// Guarded by hub.mu.
	ids map[string]struct{}
	all bool // too many to name, or nobody knows which
}

// follow begins; the reader runs while there is a page.
func (h *hub) follow(owner identity.UserID) *follower {
	f := &follower{owner: owner, wake: make(chan struct{}, 1), ids: map[string]struct{}{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[f] = struct{}{}
	if h.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		h.stop = stop
		events := h.registry.Watch(ctx, liveQueue)
		go func() {
			for e := range events { // until the last page is gone
				h.tell(&e)
			}
		}()
	}
	return f
}

func (h *hub) leave(f *follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, f)
	if len(h.subs) == 0 && h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// tell notes an event for all pages that it concerns.
func (h *hub) tell(e *identity.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.subs {
		switch {
		case e.Kind == identity.EventLagged:
			f.all = true
		case f.owner != "" && e.Session.Owner != f.owner && e.Kind != identity.EventDowngraded: // which is nobody's by now
			continue
		case !f.all:
			f.ids[e.Session.ID] = struct{}{}
			f.all = len(f.ids) > liveIDs
		}
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// take returns what changed since it was taken last; all: everything may have.
func (h *hub) take(f *follower) (ids []string, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all = f.all
	if !all {
		for id := range f.ids {
			ids = append(ids, id)
		}
	}
	f.all = false
	clear(f.ids)
	return ids, all
}
