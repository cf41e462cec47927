package xmpp

import (
	xstanza "mellium.im/xmpp/stanza"
	xstream "mellium.im/xmpp/stream"

	"mellium.im/xmpp/jid"
)

// read hands the client's stanzas to the router, one after the other, until the stream ends.
func (c *client) read(s *stream) error {
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
func (c *client) stanza(s *stream, el *element) error {
	st, ok, err := newStanza(el)
	if !ok {
		return c.other(el)
	}
	st.from = s.full
	if st.lang == "" {
		st.lang = s.lang
	}
	// RFC 6120 section 8.1.2.1: the client may name itself, by either of its addresses, and
	// nobody else.
	if from, ok := st.attr("from"); ok && from != "" {
		if j, err := jid.Parse(from); err != nil || !j.Equal(s.full) && !j.Equal(s.full.Bare()) {
			return &fault{xstream.InvalidFrom, "a stanza says that it comes from somebody else"}
		}
	}
	if err != nil { // the address in to
		if st.typ != "error" && (st.kind != kindIQ || st.typ == "get" || st.typ == "set") {
			s.put(st.errorReply(xstanza.JIDMalformed, xstanza.Modify))
		}
		return nil
	}
	if st.kind == kindIQ && st.typ == "set" && (st.to.Equal(jid.JID{}) || st.to.Equal(s.full.Domain()) || st.to.Equal(s.full.Bare())) {
		switch st.child.Space {
		case nsSession: // RFC 3921 section 3: nothing to do, but old clients wait for the answer
			s.put(st.resultReply(""))
			return nil
		case nsBind: // RFC 6120 section 7.1: one resource for each stream
			s.put(st.errorReply(xstanza.NotAllowed, xstanza.Cancel))
			return nil
		}
	}
	c.srv.router.handle(c.ctx, s, st)
	return nil
}

// other judges an element that is no stanza (RFC 6120 section 4.9.3.25).
func (c *client) other(el *element) error {
	if el.name.Space == nsStream && el.name.Local == "error" {
		return errClosed // RFC 6120 section 4.9.1.1: the client ends the stream by it
	}
	if el.name.Space == nsSASL || el.name.Space == nsTLS {
		return &fault{xstream.PolicyViolation, "the log-in is over"}
	}
	return &fault{xstream.UnsupportedStanzaType, "that is no stanza"}
}
