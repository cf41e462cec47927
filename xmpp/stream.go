package xmpp

import (
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
// transport can take its place (XEP-0198): gen counts the transports, and a goroutine that holds
// an old number changes nothing any more.
//
// Two goroutines may work for it: the connection's own, which reads, and a writer, which lives
// only while something waits to be written.
type Stream struct {
	full  jid.JID
	ses   *identity.Session
	lang  string    // of what the client sends, unless a stanza says otherwise
	agent UserAgent // what the client said of itself
	res   resource  // the router's; see there for what guards it

	known    addresses // the reader's
	maxBytes int
	flags    atomic.Uint32 // of modules
	gone     atomic.Bool   // nothing that the client sends counts any more; set under mu
	left     sync.Once     // the router has been told

	mu      sync.Mutex // guards what follows; nothing that locks is called with it but transport
	t       transport
	gen     int
	held    bool // nothing is written until release
	writing bool // a writer runs
	// q[:sent] is being written, and with XEP-0198 it stays until it is acknowledged; the rest
	// waits. Resumption sets sent to 0.
	q     []item
	sent  int
	bytes int           // of q, with overhead
	final []item        // the last words, once
	quiet chan struct{} // closed when the writer stops; made by finish
	space chan struct{} // closed when items have left the queue; made by room
}

// newStream makes a stream that queues what is put and writes nothing until release.
func newStream(full jid.JID, ses *identity.Session, lang string, l config.Limits) *Stream {
	return &Stream{full: full, ses: ses, lang: lang, maxBytes: int(l.XMPPQueueSize), held: true}
}

// attach gives the stream a transport.
func (s *Stream) attach(t transport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t = t
	s.gen++
}

// release writes first, which are the elements that tell the client of its stream, and then all that
// was put since the router knew the stream.
func (s *Stream) release(first ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	if !s.gone.Load() {
		q := make([]item, 0, len(first)+len(s.q))
		for _, b := range first {
			q = append(q, item{b: b})
			s.bytes += len(b) + overhead
		}
		s.q = append(q, s.q...)
	}
	s.wake()
}

// UserAgent is what the client said of itself when it logged in. It is for the account's owner and
// for administrators.
func (s *Stream) UserAgent() UserAgent { return s.agent }

// Put queues one whole stanza and never blocks; false means that the stream has ended, so that the
// stanza will not arrive. A stream whose queue is full ends with resource-constraint. b is kept:
// the caller must not change it, and may give the same b to many streams.
func (s *Stream) Put(b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone.Load() {
		return false
	}
	// one stanza always has room: it may be larger than the queue
	if len(s.q) > 0 && s.bytes+len(b)+overhead > s.maxBytes {
		s.endLocked(xstream.ResourceConstraint, "Too much waits to be sent to this client.")
		return false
	}
	s.q = append(s.q, item{b: b})
	s.bytes += len(b) + overhead
	s.wake()
	return true
}

// wake sees to it that a writer runs where there is something to write.
func (s *Stream) wake() {
	if !s.writing && !s.held && s.t != nil && (s.sent < len(s.q) || s.final != nil) {
		s.writing = true
		go s.write(s.t, s.gen)
	}
}

// write is the writer.
func (s *Stream) write(t transport, gen int) {
	for {
		s.mu.Lock()
		if s.gen != gen {
			s.mu.Unlock()
			return
		}
		items, last := s.q[s.sent:], false
		if len(items) == 0 {
			items, last = s.final, true
			s.final = nil
		}
		if len(items) == 0 {
			s.stopped()
			s.mu.Unlock()
			return
		}
		if !last {
			s.sent = len(s.q)
		}
		s.mu.Unlock()

		err := t.write(items, patience)
		if err == nil && last {
			t.shut()
		}

		s.mu.Lock()
		switch {
		case s.gen != gen:
		case err != nil:
			s.dropLocked()
			s.stopped()
		case last:
			s.stopped()
		default:
			s.written(len(items))
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

// written forgets the first n items, which have left; an end may have forgotten them before.
func (s *Stream) written(n int) {
	n = min(n, len(s.q))
	for _, it := range s.q[:n] {
		s.bytes -= len(it.b) + overhead
	}
	rest := copy(s.q, s.q[n:])
	clear(s.q[rest:])
	s.q, s.sent = s.q[:rest], 0
	s.spaced()
	const spare = 16 // what an idle stream may keep
	if rest == 0 && cap(s.q) > spare {
		s.q = nil
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

func (s *Stream) endLocked(cond xstream.Error, text string) {
	if s.gone.Swap(true) {
		return
	}
	s.forget()
	if s.t == nil {
		return
	}
	s.final = []item{{b: streamError(cond, text)}, {b: s.t.closing()}}
	s.t.hurry(time.Now().Add(linger))
	s.wake()
}

// close answers the client's end of the stream (RFC 6120 section 4.4): what waits is still sent.
func (s *Stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone.Swap(true) {
		return
	}
	s.final = []item{{b: s.t.closing()}}
	s.t.hurry(time.Now().Add(linger))
	s.wake()
}

// drop ends a stream whose connection is of no use any more.
func (s *Stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked()
}

func (s *Stream) dropLocked() {
	s.gone.Store(true)
	s.forget()
	s.final = nil
	if s.t != nil {
		s.t.cut()
	}
}

func (s *Stream) forget() {
	s.q, s.sent, s.bytes = nil, 0, 0
	s.spaced()
}

// spaced wakes who waits in room.
func (s *Stream) spaced() {
	if s.space != nil {
		close(s.space)
		s.space = nil
	}
}

// Room waits until no more than half of the queue is in use, or the stream has ended. Only the
// reader may call it, with no book held: what the client asked for waits for the client.
func (s *Stream) Room() {
	for {
		s.mu.Lock()
		if s.gone.Load() || s.bytes <= s.maxBytes/2 {
			s.mu.Unlock()
			return
		}
		if s.space == nil {
			s.space = make(chan struct{})
		}
		space := s.space
		s.mu.Unlock()
		<-space
	}
}

// finish waits until the writer has said the last words or given up.
func (s *Stream) finish() {
	s.mu.Lock()
	if !s.writing {
		s.mu.Unlock()
		return
	}
	quiet := make(chan struct{})
	s.quiet = quiet
	s.mu.Unlock()
	<-quiet
}

// leave tells the router, once, that the stream is gone.
func (s *Stream) leave(r *Router, why string) {
	s.left.Do(func() { r.unbind(s, why) })
}
