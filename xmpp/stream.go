package xmpp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"
	xstream "mellium.im/xmpp/stream"

	"trivium/config"
	"trivium/identity"
)

const (
	// overhead is what a waiting stanza costs beside its bytes. With it the one limit of config
	// bounds their number too: 1 MiB is some 8,000 small ones, as a large room sends on entry.
	overhead = 64
	// patience is how long one batch may take to leave. A client that reads nothing for so long
	// has gone.
	patience = 30 * time.Second
	// linger is how long a client has to read the last words.
	linger = 2 * time.Second
)

// Stream is a bound resource. It and the transport that carries it are two things, so that another
// transport can take its place (XEP-0198).
//
// Two goroutines may work for it: the connection's own, which reads, and a writer, which lives
// only while something waits to be written. A third one may take it over for another connection:
// turn counts those who have had it, and who holds an old number changes nothing any more. Whoever
// has the last number sees to the stream's end, or the lot where it waits without a connection.
type Stream struct {
	full  jid.JID
	ses   *identity.Session
	lang  string                    // of what the client sends, unless a stanza says otherwise
	agent atomic.Pointer[UserAgent] // what the client said of itself; nil: nothing
	res   resource                  // the router's; see there for what guards it
	lot   *lot                      // where it waits; nil: nowhere

	known    addresses // the reader's
	maxBytes int
	flags    atomic.Uint32 // of modules
	gone     atomic.Bool   // nothing that the client sends counts any more; set under mu
	turn     atomic.Uint32 // set under mu
	left     sync.Once     // the router has been told
	born     sync.Mutex    // held until modules know the stream

	mu      sync.Mutex // guards what follows; taken with it: transport's, lot.mu, Router.mu, Registry.mu
	t       transport  // nil: detached
	held    bool       // nothing is written until release
	reading bool       // a connection's goroutine may still handle a stanza
	writing bool       // a writer runs
	flush   bool       // the stream ends when all that waits has been written
	// first is written before the queue; XEP-0198 neither counts nor keeps it.
	first []item
	// Of q, the first sent ones are being written, and with XEP-0198 they stay until they are
	// acknowledged; the rest waits. Resumption sets sent to 0.
	q       fifo[item]
	sent    int
	bytes   int     // of q, with overhead
	final   []item  // the last words, once
	parting []byte  // comes before them; see Parting
	sm      *smacks // nil while XEP-0198 is off; set by the reader, or before it reads
	idle    *idle   // what waits for an inactive client; nil where nothing does

	inactive bool          // XEP-0352
	quiet    chan struct{} // closed when the writer stops; made by finish
	space    chan struct{} // closed when items have left the queue; made by Room
	unread   chan struct{} // closed when reading ends; made by who takes the stream over
}

// newStream makes a stream that queues what is put and writes nothing until release.
func newStream(full jid.JID, ses *identity.Session, lang string, l config.Limits) *Stream {
	return &Stream{full: full, ses: ses, lang: lang, maxBytes: int(l.XMPPQueueSize), held: true}
}

// attach gives the stream its first transport, and the lot where it may wait for another, and
// returns the reader's turn.
func (s *Stream) attach(t transport, l *lot) (turn uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t, s.lot, s.reading = t, l, true
	return s.turn.Add(1)
}

// release writes first, which are the elements that tell the client of its stream, and then all that
// was put since the router knew the stream.
func (s *Stream) release(first ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if !s.gone.Load() {
		for _, b := range first {
			s.first = append(s.first, item{b: b})
		}
	}
	s.wake()
}

// UserAgent is what the client said of itself when it logged in. It is for the account's owner and
// for administrators.
func (s *Stream) UserAgent() UserAgent {
	if a := s.agent.Load(); a != nil {
		return *a
	}
	return UserAgent{}
}

// Put queues one whole stanza and never blocks; false means that the stream has ended, so that the
// stanza will not arrive. A stream whose queue is full ends with resource-constraint. b is kept:
// the caller must not change it, and may give the same b to many streams.
func (s *Stream) Put(b []byte) bool { return s.put(item{b: b}) }

// PutThen is Put, and calls gone once when the client has acknowledged the stanza, or where it
// does not acknowledge (XEP-0198) when it has been written. gone must not block and holds no lock.
// It is not called for a stanza that was still there when the stream ended.
func (s *Stream) PutThen(b []byte, gone func()) bool { return s.put(item{b, gone}) }

func (s *Stream) put(it item) bool {
	s.mu.Lock()
	if s.gone.Load() {
		s.mu.Unlock()
		return false
	}
	s.spill()
	ok := s.queue(it)
	over := s.t == nil && s.charge()
	s.wake()
	s.mu.Unlock()
	if over {
		s.lot.trim()
	}
	return ok
}

// queue appends to q where there is room, else ends the stream.
func (s *Stream) queue(it item) bool {
	if s.gone.Load() {
		return false
	}
	// one stanza always has room: it may be larger than the queue
	if s.bytes > 0 && s.bytes+it.size() > s.limit() {
		s.endLocked(xstream.ResourceConstraint, "Too much waits to be sent to this client.")
		return false
	}
	s.q.push(it)
	s.bytes += it.size()
	return true
}

// Detached reports whether the stream has no connection now.
func (s *Stream) Detached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.t == nil
}

// Room waits until no more than half of the queue is in use, or the stream has lost its connection
// or ended. Only the reader and goroutines of their own may call it, with no book held: what the
// client asked for waits for the client. What has been sent and is not acknowledged (XEP-0198) counts
// only from twice the queue on, and is not waited for without end: where it is the reader that waits
// no acknowledgement is read.
func (s *Stream) Room() {
	for {
		s.mu.Lock()
		late := s.sm != nil && s.bytes > 2*s.maxBytes && !s.sm.deaf
		if s.gone.Load() || s.t == nil || s.unsent() <= s.maxBytes/2 && !late {
			s.mu.Unlock()
			return
		}
		if s.space == nil {
			s.space = make(chan struct{})
		}
		space := s.space
		if late && !s.sm.asked {
			s.sm.ask = true
			s.wake()
		}
		s.mu.Unlock()
		if !late {
			<-space
			continue
		}
		if !wait(context.Background(), space, unheard) {
			s.mu.Lock()
			s.sm.deaf = true
			s.mu.Unlock()
		}
	}
}

// unsent is how many bytes of the queue have yet to be written, as far as the stream knows.
func (s *Stream) unsent() int {
	if s.sm == nil {
		return s.bytes
	}
	return s.bytes - s.sm.out
}

// limit is what the queue may hold. Beside what waits, XEP-0198 keeps what is on its way, which a
// client far away acknowledges late.
func (s *Stream) limit() int {
	switch {
	case s.sm == nil:
		return s.maxBytes
	case s.t == nil:
		return max(s.maxBytes, s.sm.roof)
	}
	return 4 * s.maxBytes
}

// spaced wakes the reader where it waits, to look again.
func (s *Stream) spaced() {
	if s.sm != nil && s.sm.room != nil {
		close(s.sm.room)
		s.sm.room = nil
	}
	if s.space != nil {
		close(s.space)
		s.space = nil
	}
}

// end tells the client a stream error and ends the connection; only the first end of a stream
// counts. What has not been sent by now will not be. It never blocks. text is for a person and
// may be empty.
func (s *Stream) end(cond xstream.Error, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(cond, text)
}

// Parting sets the stanza that comes before the stream error where the stream is ended, such as the
// answer to the request that ends it; nil takes it back.
func (s *Stream) Parting(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parting = b
}

func (s *Stream) endLocked(cond xstream.Error, text string) {
	if s.gone.Swap(true) {
		return
	}
	s.spaced()
	if s.t == nil {
		s.lot.end(s)
		return
	}
	if s.parting != nil {
		s.final = append(s.final, item{b: s.parting})
	}
	s.final = append(s.final, item{b: streamError(cond, text)}, item{b: s.t.closing()})
	s.t.hurry(time.Now().Add(linger))
	s.wake()
}

// closeLocked answers the client's end of the stream (RFC 6120 section 4.4): what waits is still
// sent.
func (s *Stream) closeLocked() {
	s.spill()
	if s.gone.Swap(true) {
		return
	}
	s.spaced()
	if s.t != nil {
		s.flush = true
		s.final = []item{{b: s.t.closing()}}
		s.t.hurry(time.Now().Add(linger))
		s.wake()
	}
}

// drop ends a stream without a word.
func (s *Stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked()
}

func (s *Stream) dropLocked() {
	was := s.gone.Swap(true)
	s.spaced()
	s.final, s.flush = nil, false
	switch {
	case s.t != nil:
		s.t.cut()
	case !was:
		s.lot.end(s)
	}
}

// finish waits until the writer has said the last words or given up.
func (s *Stream) finish() {
	if quiet := s.hush(); quiet != nil {
		<-quiet
	}
}

// breath is how long the end of a stream waits for what is being written: of that it is known then
// whether it has left.
const breath = 200 * time.Millisecond

// breathe waits a moment for the writer to end.
func (s *Stream) breathe() {
	if quiet := s.hush(); quiet != nil {
		wait(context.Background(), quiet, breath)
	}
}

// hush is closed when the writer ends; nil where none runs.
func (s *Stream) hush() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.writing {
		return nil
	}
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	return s.quiet
}

// leave tells the router, once, that the stream is gone.
func (s *Stream) leave(r *Router, why string) {
	s.left.Do(func() {
		s.born.Lock() // who takes its address may come while it is still being bound
		defer s.born.Unlock()
		r.unbind(s, why)
	})
}
