package identity

import "context"

// EventKind is what happened to a session.
type EventKind string

// The kinds; EventLagged says that the watcher was too slow and must read List again.
const (
	EventOpened     EventKind = "opened"
	EventUpgraded   EventKind = "upgraded" // somebody has logged in
	EventChanged    EventKind = "changed"
	EventDowngraded EventKind = "downgraded" // it goes on without them
	EventEnded      EventKind = "ended"
	EventLagged     EventKind = "lagged"
)

// Event is a change in the list of sessions.
type Event struct {
	Kind    EventKind
	Session Info
	Reason  Reason
}

// watcher is one reader of events. Registry.mu guards it.
type watcher struct {
	events chan Event
	buffer int
	lagged bool
}

// Watch sends the events of the list until ctx ends, at most buffer behind; then the channel is
// closed.
func (r *Registry) Watch(ctx context.Context, buffer int) <-chan Event {
	w := &watcher{buffer: max(buffer, 1)}
	w.events = make(chan Event, w.buffer+1) // one place is EventLagged's
	r.mu.Lock()
	r.watchers[w] = struct{}{}
	r.mu.Unlock()
	r.watching.Add(1)
	context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watchers, w)
		r.watching.Add(-1)
		close(w.events)
	})
	return w.events
}

// heard reports whether anybody is told of events; Registry.mu is held.
func (r *Registry) heard() bool {
	return len(r.watchers) > 0 || r.fed()
}

// publish hands an event to all watchers and to the feed; Registry.mu is held, so that events come in
// the order in which the list changed. info is nil only where there is none of them.
func (r *Registry) publish(kind EventKind, info *Info, why Reason) {
	if info != nil && r.fed() {
		r.feed.add(kind, info, why, r.now())
	}
	for w := range r.watchers {
		if w.lagged && len(w.events) > 0 {
			continue // EventLagged is yet to be read, and List after it tells this, too
		}
		w.lagged = len(w.events) >= w.buffer
		if w.lagged {
			w.events <- Event{Kind: EventLagged}
			continue
		}
		w.events <- Event{Kind: kind, Session: *info, Reason: why}
	}
}

// changed publishes that s is another than before, while it is listed.
func (r *Registry) changed(s *Session) {
	if r.watching.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.id] == s {
		r.note(EventChanged, s)
	}
}

// note publishes s as it is now; Registry.mu is held.
func (r *Registry) note(kind EventKind, s *Session) {
	if r.heard() {
		r.publish(kind, s.snapshot(), Reason{})
	}
}
