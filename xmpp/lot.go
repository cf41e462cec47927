package xmpp

import (
	"sync"
	"time"
)

const (
	// parkedCost is what a stream without a connection takes beside its queue: itself, its session
	// and its presence.
	parkedCost = 4 << 10
	// maxParked bounds the streams of one account that wait for their clients.
	maxParked = 10
)

// lot is where streams wait whose connection is lost (XEP-0198 section 5). Together they take no
// more than max bytes: of those that take no less than the average the one that waits longest goes
// first, so that nobody drives out all others with a few large ones. Who takes a stream out sees to
// its end or to its new connection.
type lot struct {
	life   time.Duration // how long one may wait; 0: not at all
	max    int64
	depart func(*Stream) // the end of a stream, in a goroutine of its own

	// mu guards what follows and each stream's parked. It may be taken with a Stream.mu held, and
	// none is taken with it.
	mu            sync.Mutex
	closed        bool
	oldest, newer *parked // the ends of the list
	bytes, count  int64
	wg            sync.WaitGroup // those that depart
}

// parked is a place in the lot.
type parked struct {
	s           *Stream
	older, next *parked
	bytes       int64
	since       time.Time
}

// park lets s wait; false while the server shuts down. Stream.mu is held.
func (l *lot) park(s *Stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	p := &parked{s: s, older: l.newer, since: time.Now()}
	if l.newer != nil {
		l.newer.next = p
	} else {
		l.oldest = p
	}
	l.newer, s.sm.parked = p, p
	l.count++
	return true
}

// charge notes how many bytes s takes; over means that they are too many. Stream.mu is held.
func (l *lot) charge(s *Stream, bytes int64) (over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := s.sm.parked
	if p == nil {
		return false
	}
	l.bytes += bytes - p.bytes
	p.bytes = bytes
	return l.bytes > l.max
}

// take takes s out; false where it is not there. Stream.mu is held.
func (l *lot) take(s *Stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takeLocked(s)
}

func (l *lot) takeLocked(s *Stream) bool {
	if s.sm == nil || s.sm.parked == nil {
		return false
	}
	p := s.sm.parked
	s.sm.parked = nil
	l.bytes -= p.bytes
	l.count--
	if p.older != nil {
		p.older.next = p.next
	} else {
		l.oldest = p.next
	}
	if p.next != nil {
		p.next.older = p.older
	} else {
		l.newer = p.older
	}
	return true
}

// end lets a stream that has ended depart, where it waited here. Stream.mu is held.
func (l *lot) end(s *Stream) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.takeLocked(s) {
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			l.depart(s)
		}()
	}
}

// first is the stream that waits longest; nil: none.
func (l *lot) first() *Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.oldest == nil {
		return nil
	}
	return l.oldest.s
}

// tooMuch is the stream that has to go; nil: none, as there is room.
func (l *lot) tooMuch() *Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes <= l.max {
		return nil
	}
	for p := l.oldest; p != nil; p = p.next {
		if p.bytes*l.count >= l.bytes { // one always does
			return p.s
		}
	}
	return nil
}

// trim ends streams until there is room. No Stream.mu is held.
func (l *lot) trim() {
	for s := l.tooMuch(); s != nil; s = l.tooMuch() {
		s.expire()
	}
}

// close ends all, lets none in any more and waits for those that depart.
func (l *lot) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	for s := l.first(); s != nil; s = l.first() {
		s.expire()
	}
	l.wg.Wait()
}

// waiting is since when s has been in the lot; false where it is not. Stream.mu is not held.
func (l *lot) waiting(s *Stream) (since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sm == nil || s.sm.parked == nil {
		return time.Time{}, false
	}
	return s.sm.parked.since, true
}

// expire ends the stream if it still waits.
func (s *Stream) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sm != nil && s.sm.parked != nil {
		s.dropLocked()
	}
}

// charge tells the lot what the stream takes; it means nothing to a stream that is not there.
func (s *Stream) charge() (over bool) {
	if s.sm == nil || s.sm.parked == nil {
		return false
	}
	return s.lot.charge(s, int64(s.bytes+s.idle.size()+2*int(s.res.sent.Load()))+parkedCost)
}
