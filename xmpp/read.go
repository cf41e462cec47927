package xmpp

import (
	xstanza "mellium.im/xmpp/stanza"
	xstream "mellium.im/xmpp/stream"

	"mellium.im/xmpp/jid"
)

// read hands the client's stanzas to the router, one after the other, until the stream ends.
func (c *client) read(s *Stream) error {
	for {
		fr, err := c.t.next()
		if err != nil {
			return err
		}
		if s.gone.Load() {
			return nil
		}
		if fr.kind == frameClose {
			return errClosed
		}
		if err := c.stanza(s, fr.el); err != nil {
			return err
		}
	}
}

// stanza checks one element of a bound stream and passes it on.
func (c *client) stanza(s *Stream, el *Element) error {
	st, ok, err := s.known.stanza(el)
	if !ok {
		return c.other(el)
	}
	st.From = s.full
	if st.Lang == "" {
		st.Lang = s.lang
	}
	// RFC 6120 section 8.1.2.1: the client may name itself, by either of its addresses, and
	// nobody else.
	if from, ok := st.Attr("from"); ok && from != "" {
		if j, err := s.known.parse(from); err != nil || !j.Equal(s.full) && !j.Equal(s.full.Bare()) {
			return &fault{xstream.InvalidFrom, "a stanza says that it comes from somebody else"}
		}
	}
	if err != nil { // the address in to
		if st.Type != "error" && (st.Kind != KindIQ || st.Type == "get" || st.Type == "set") {
			s.Put(st.Failure(xstanza.JIDMalformed, xstanza.Modify))
		}
		return nil
	}
	if st.Kind == KindIQ && st.Type == "set" && (st.To.Equal(jid.JID{}) || st.To.Equal(s.full.Domain()) || st.To.Equal(s.full.Bare())) {
		switch st.First().Space {
		case nsSession: // RFC 3921 section 3: nothing to do, but old clients wait for the answer
			s.Put(st.Result(""))
			return nil
		case nsBind: // RFC 6120 section 7.1: one resource for each stream
			s.Put(st.Failure(xstanza.NotAllowed, xstanza.Cancel))
			return nil
		}
	}
	c.srv.router.handle(c.ctx, s, st)
	return nil
}

// other judges an element that is no stanza (RFC 6120 section 4.9.3.25).
func (c *client) other(el *Element) error {
	if el.Name.Space == nsStream && el.Name.Local == "error" {
		return errClosed // RFC 6120 section 4.9.1.1: the client ends the stream by it
	}
	if el.Name.Space == nsSASL || el.Name.Space == nsSASL2 || el.Name.Space == nsTLS {
		return &fault{xstream.PolicyViolation, "the log-in is over"}
	}
	return &fault{xstream.UnsupportedStanzaType, "that is no stanza"}
}
