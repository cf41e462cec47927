package xmpp

import (
	xstanza "mellium.im/xmpp/stanza"
)

// message routes a message by the table of RFC 6121 section 8.5. An address without an account
// and one whose account has nobody there get the same answer; nothing is kept for later.
func (r *router) message(s *stream, st *stanza) {
	if !r.accounts.Allowed(s.ses, "xmpp:message") {
		r.refuse(s, st)
		return
	}
	switch r.targetOf(s, st.to) {
	case targetForeign:
		r.fail(s, st, xstanza.RemoteServerNotFound, xstanza.Cancel)
	case targetServer:
		r.refuse(s, st)
	case targetSelf:
		r.messageBare(s, st, s.res.address)
	case targetAccount:
		r.messageBare(s, st, addressOf(st.to))
	case targetFull:
		if to := r.at(st.to); to != nil && to.put(outgoing(s, st)) { // section 8.5.3.1
			return
		}
		switch st.typ { // section 8.5.3.2.1
		case "chat":
			r.messageBare(s, st, addressOf(st.to))
		case "headline":
		default:
			r.refuse(s, st)
		}
	}
}

// messageBare delivers to an account (RFC 6121 sections 8.5.2.1.1 and 8.5.2.2.1).
func (r *router) messageBare(s *stream, st *stanza, to address) {
	var buf [usual]*stream
	list := buf[:0]
	switch st.typ {
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
			arrived = x.put(b) || arrived // a stream may have ended since
		}
	}
	if !arrived && st.typ != "headline" {
		r.refuse(s, st)
	}
}

// mostAvailable appends the available resources that share the highest priority, which must not
// be negative.
func (r *router) mostAvailable(list []*stream, a address) []*stream {
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
func outgoing(s *stream, st *stanza) []byte {
	to := st.to.String()
	if to == "" {
		to = s.res.address.String() // RFC 6120 section 10.3.1
	}
	if _, ok := st.find("urn:xmpp:sid:0", "stanza-id"); ok {
		return st.without(func(c child) bool {
			return c.name.Space == "urn:xmpp:sid:0" && c.name.Local == "stanza-id"
		}, s.res.full, to)
	}
	return st.rewritten(s.res.full, to)
}
