package bus

import "sync"

// Lagged takes the place of the events that a subscriber lost because its queue was full. It
// arrives after everything that was queued before the loss; what was published before Lagged was
// received is in the store by then.
type Lagged struct{}

// Bus is a local bus. Its methods may be called from any goroutine.
type Bus struct {
	mu   sync.Mutex // guards subs and each subscription's fields; gives all subscribers one order
	subs map[*Subscription]struct{}
}

// New makes a bus without subscribers. It needs no closing.
func New() *Bus { return &Bus{subs: make(map[*Subscription]struct{})} }

// Subscription is one subscriber's queue.
type Subscription struct {
	// C gives the events in the order of publication. It is closed by Close, after which what was
	// queued can still be read.
	C <-chan any

	bus    *Bus
	queue  chan any // the same channel; one slot more than asked for, kept for Lagged
	lagged bool     // a Lagged was queued and may still be unread
	since  int      // events queued after it
}

// Subscribe makes a queue for buffer events, at least one. It holds what is published from now on;
// the subscriber must read C and Close the subscription when done.
func (b *Bus) Subscribe(buffer int) *Subscription {
	queue := make(chan any, max(buffer, 1)+1)
	s := &Subscription{C: queue, bus: b, queue: queue}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[s] = struct{}{}
	return s
}

// Publish queues event for each subscriber. It never waits for any.
func (b *Bus) Publish(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs {
		s.put(event)
	}
}

// put queues event, or Lagged in its place. Only put sends, under the bus's lock, so the queue can
// only become shorter meanwhile and no send blocks.
func (s *Subscription) put(event any) {
	n := len(s.queue)
	if s.lagged && n <= s.since {
		s.lagged = false // only what came after it is left: it has been read
	}
	switch {
	case s.lagged && n < cap(s.queue):
		s.since++
		s.queue <- event
	case s.lagged:
		// Lost. The Lagged in the queue will be read after this moment, so it speaks of this too.
	case n < cap(s.queue)-1:
		s.queue <- event
	default:
		s.lagged, s.since = true, 0
		s.queue <- Lagged{}
	}
}

// Close ends the subscription and closes C. Calls after the first do nothing.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if _, open := s.bus.subs[s]; open {
		delete(s.bus.subs, s)
		close(s.queue)
	}
}
