package xmpp

import (
	"slices"
	"sync"
	"time"
)

// batchItems bounds what one call of transport.write gets. So many small stanzas fill a record of
// TLS.
const batchItems = 128

var itemBatches = sync.Pool{New: func() any { return new([batchItems]item) }}

// wake sees to it that a writer runs where there is something to write.
func (s *Stream) wake() {
	if !s.writing && !s.held && s.t != nil && s.due() {
		s.writing = true
		go s.write(s.t, s.turn.Load())
	}
}

// due reports whether there is something to write.
func (s *Stream) due() bool {
	switch {
	case s.final != nil:
		return true
	case s.gone.Load():
		return false
	}
	return len(s.first) > 0 || s.sent < s.q.len() || s.sm.due()
}

// batch appends what is to be written next to items. The first n of them the client has when they
// have been written; the rest when it says so. last means that nothing comes after them.
func (s *Stream) batch(items []item) (_ []item, n int, last bool) {
	if s.gone.Load() && !s.flush {
		items, s.final = append(items, s.final...), nil
		return items, len(items), true
	}
	n = min(len(s.first), cap(items)-len(items)-reserved)
	items = append(items, s.first[:n]...)
	if s.first = s.first[n:]; len(s.first) == 0 {
		s.first = nil
	}
	more := s.q.live()[s.sent:]
	more = more[:min(len(more), cap(items)-len(items)-reserved)]
	items = append(items, more...)
	s.sent += len(more)
	if s.sm != nil {
		for _, it := range more {
			s.sm.out += it.size()
		}
		if len(more) > 0 {
			s.spaced()
		}
	}
	if s.sm == nil {
		n = len(items)
	} else {
		items = s.tail(items, more)
	}
	if len(items) == 0 && s.final != nil {
		items, s.final = append(items, s.final...), nil
		last = true
	}
	return items, n, last
}

// write is the writer.
func (s *Stream) write(t transport, turn uint32) {
	scratch := itemBatches.Get().(*[batchItems]item)
	used := 0
	defer func() {
		clear(scratch[:used])
		itemBatches.Put(scratch)
	}()
	for {
		s.mu.Lock()
		if s.turn.Load() != turn {
			s.mu.Unlock()
			return
		}
		items, n, last := s.batch(scratch[:0])
		used = max(used, len(items))
		if len(items) == 0 {
			s.stopped()
			s.mu.Unlock()
			return
		}
		plain := s.sm == nil
		s.mu.Unlock()

		err := t.write(items, patience)
		if err == nil {
			// Before the stream knows: whoever is told that it has ended knows by then what has left.
			for _, it := range items[:n] {
				if it.gone != nil {
					it.gone()
				}
			}
			if last {
				t.shut()
			}
		}

		s.mu.Lock()
		if s.turn.Load() == turn {
			switch {
			case err != nil:
				if s.sm != nil { // else they are in the queue yet
					s.first = append(slices.Clone(items[:n]), s.first...)
				}
				s.broken()
			case last:
				s.stopped()
			case plain && s.sm == nil: // else enable has taken them out
				s.taken(s.sent)
			}
		}
		s.mu.Unlock()
		if err != nil || last {
			return
		}
	}
}

// stopped says that no writer runs any more.
func (s *Stream) stopped() {
	s.writing = false
	if s.quiet != nil {
		close(s.quiet)
		s.quiet = nil
	}
}

// taken forgets the first n items of the queue: the client has them.
func (s *Stream) taken(n int) {
	bytes := 0
	for _, it := range s.q.live()[:n] {
		bytes += it.size()
	}
	if s.bytes -= bytes; s.sm != nil {
		s.sm.out -= bytes
	}
	s.q.drop(n)
	s.sent -= n
	s.spaced()
}

// broken is a write that has failed: nothing more can be written there. Where the client may come
// back the reader, which will fail as well, sees to it; else the stream has ended.
func (s *Stream) broken() {
	s.t.cut()
	s.stopped()
	if s.resumable() && !s.gone.Load() {
		s.t = nil
		s.spaced()
		return
	}
	s.dropLocked()
}

// farewell ends a connection whose stream goes on over another one: its reader stops at once, and
// the client hears why if it reads. A writer that still runs there has that long, too, and the words
// come after its own; nobody waits for them.
func farewell(t transport, words []byte) {
	t.hurry(time.Now().Add(linger))
	go func() { // writing may take that long, and shutting TLS longer; the reader's end cuts it
		if t.conclude([]item{{b: words}, {b: t.closing()}}, linger) == nil {
			t.shut()
		}
	}()
}
