package xmpp

// nsCSI is client state indication, XEP-0352.
const nsCSI = "urn:xmpp:csi:0"

// idle is what waits while a client is inactive, in the order in which it goes. Stream.mu guards it.
type idle struct {
	items []waiting
	byKey map[string]int // where the newest of a key is
	bytes int
}

// size is what it takes.
func (w *idle) size() int {
	if w == nil {
		return 0
	}
	return w.bytes + len(w.items)*overhead
}

// waiting is one stanza; b is nil where a newer one has taken its place.
type waiting struct {
	key string
	b   []byte
}

// PutState is Put for what an inactive client can do without until it is active again, such as
// presence (XEP-0352): it goes before the next stanza that cannot wait. Of those with the same
// key, unless it is "", only the newest goes. The key of presence is the full JID that it is from.
func (s *Stream) PutState(key string, b []byte) bool {
	s.mu.Lock()
	if s.gone.Load() || !s.inactive && s.t != nil {
		s.mu.Unlock()
		return s.put(item{b: b})
	}
	w := s.idle
	if w == nil {
		w = &idle{}
		s.idle = w
	}
	if i, ok := w.byKey[key]; ok && key != "" {
		w.bytes -= len(w.items[i].b)
		w.items[i].b = nil
	}
	if key != "" {
		if w.byKey == nil {
			w.byKey = make(map[string]int)
		}
		w.byKey[key] = len(w.items)
	}
	w.items = append(w.items, waiting{key, b})
	w.bytes += len(b)
	// A quarter of the queue is for what waits; beyond it nothing is gained by waiting.
	if w.size() > s.maxBytes/4 {
		s.spill()
		s.wake()
	}
	ok := !s.gone.Load()
	over := s.t == nil && s.charge()
	s.mu.Unlock()
	if over {
		s.lot.trim()
	}
	return ok
}

// spill puts what waits for an inactive client into the queue.
func (s *Stream) spill() {
	w := s.idle
	if w == nil {
		return
	}
	s.idle = nil
	for _, x := range w.items {
		if x.b != nil && !s.queue(item{b: x.b}) {
			return
		}
	}
}

// Inactive reports whether the client has said that nobody looks at it (XEP-0352). Others must not
// learn it (section 6).
func (s *Stream) Inactive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inactive
}

// setInactive is `<inactive/>` or `<active/>`; what waited goes out before anything that the client
// asks for next (section 5.1).
func (s *Stream) setInactive(inactive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inactive = inactive; !inactive {
		s.spill()
		s.wake()
	}
}

// state handles an element of XEP-0352 that came over a bound stream.
func (s *Stream) state(el *Element) bool {
	switch el.Name.Local {
	case "active", "inactive":
		s.setInactive(el.Name.Local == "inactive")
		return true
	}
	return false
}

// CanWait reports whether an inactive client can do without a stanza for now, and the key under
// which a newer one takes its place: presence, and messages that say no more than what somebody
// does at the moment (XEP-0085). From must be set.
func (st *Stanza) CanWait() (key string, ok bool) {
	switch {
	case st.Kind == KindPresence && (st.Type == "" || st.Type == "unavailable"):
		return st.From.String(), true
	case st.Kind == KindMessage && st.Type != "error":
		state := false
		for i := range st.Children {
			switch c := &st.Children[i].Name; c.Space {
			case nsChatStates:
				state = true
			case "urn:xmpp:hints", "urn:xmpp:sid:0":
			default:
				if c.Space != nsClient || c.Local != "thread" {
					return "", false
				}
			}
		}
		if state {
			return " " + st.From.String(), true // no address begins so
		}
	}
	return "", false
}

// putMessage is Put, or PutState for what can wait.
func (s *Stream) putMessage(m *Message) bool {
	if key, ok := m.CanWait(); ok {
		return s.PutState(key, m.Bytes())
	}
	return s.Put(m.Bytes())
}

const nsChatStates = "http://jabber.org/protocol/chatstates"
