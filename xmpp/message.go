package xmpp

import (
	xstanza "mellium.im/xmpp/stanza"
)

// message routes a message by the table of RFC 6121 section 8.5. An address without an account
// and one whose account has nobody there get the same answer; nothing is kept for later.
func (r *Router) message(s *Stream, st *Stanza) {
	if !r.accounts.Allowed(s.ses, "xmpp:message") {
		r.refuse(s, st)
		return
	}
	switch r.targetOf(s, st.To) {
	case ToForeign:
		r.fail(s, st, xstanza.RemoteServerNotFound, xstanza.Cancel)
	case ToServer:
		r.refuse(s, st)
	case ToSelf:
		r.messageBare(s, st, s.res.Address)
	case ToAccount:
		r.messageBare(s, st, addressOf(st.To))
	case ToResource:
		if to := r.at(st.To); to != nil && to.Put(outgoing(s, st)) { // section 8.5.3.1
			return
		}
		switch st.Type { // section 8.5.3.2.1
		case "chat":
			r.messageBare(s, st, addressOf(st.To))
		case "headline":
		default:
			r.refuse(s, st)
		}
	}
}

// messageBare delivers to an account (RFC 6121 sections 8.5.2.1.1 and 8.5.2.2.1).
func (r *Router) messageBare(s *Stream, st *Stanza, to Address) {
	var buf [usual]*Stream
	list := buf[:0]
	switch st.Type {
	case "error":
		return
	case "groupchat":
	case "headline":
		list = r.pick(list, to, takesAll)
	default:
		list = r.mostAvailable(list, to)
	}
	arrived := false
	if len(list) > 0 {
		b := outgoing(s, st)
		for _, x := range list {
			arrived = x.Put(b) || arrived // a stream may have ended since
		}
	}
	if !arrived && st.Type != "headline" {
		r.refuse(s, st)
	}
}

// mostAvailable appends the available resources that share the highest priority, which must not
// be negative.
func (r *Router) mostAvailable(list []*Stream, a Address) []*Stream {
	r.mu.RLock()
	defer r.mu.RUnlock()
	highest := int8(0)
	for _, s := range r.bound[a] {
		if !s.res.available || s.res.priority < highest {
			continue
		}
		if s.res.priority > highest {
			highest, list = s.res.priority, list[:0]
		}
		list = append(list, s)
	}
	return list
}

// outgoing is the stanza as others get it: the server says from whom it is (RFC 6120 section
// 8.1.2.1), and an archive's identifier that the client made up is gone (XEP-0359 section 3.1).
func outgoing(s *Stream, st *Stanza) []byte {
	to := st.To.String()
	if to == "" {
		to = s.res.Address.String() // RFC 6120 section 10.3.1
	}
	if _, ok := st.Find("urn:xmpp:sid:0", "stanza-id"); ok {
		return st.Without(func(c Child) bool {
			return c.Name.Space == "urn:xmpp:sid:0" && c.Name.Local == "stanza-id"
		}, s.res.full, to)
	}
	return st.Rewritten(s.res.full, to)
}
