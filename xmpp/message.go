package xmpp

import (
	"bytes"
	"context"
	"encoding/xml"
	"strings"

	xstanza "mellium.im/xmpp/stanza"
)

// nsBlocked is the application's condition of XEP-0191 section 3.5.
const nsBlocked = "urn:xmpp:blocking:errors"

// Message is a message on its way to an account of ours.
type Message struct {
	*Stanza
	By        *Stream // whose client sent it; nil for one of the server's own
	Sender    Owner   // zero where it is nobody of ours
	Recipient Owner
	Reached   []*Stream // in whose queues it is; for Delivered
	// Kept says that somewhere durable holds it for the recipient, so that it is no error when
	// nobody is there. It may be set in Accept and in Delivered.
	Kept bool

	one      [1]*Stream // room for Reached
	dropped  bool
	plain    []byte // without what is added; made once
	added    []string
	addedOwn []string
	hints    Hint
	copied   []byte // as the recipient gets it; made once
}

// Add adds a whole element to what the recipient gets, in Accept only.
func (m *Message) Add(element string) { m.added = append(m.added, element) }

// AddOwn adds a whole element to the copies that the sender's own clients get, in Accept only.
func (m *Message) AddOwn(element string) { m.addedOwn = append(m.addedOwn, element) }

// Drop says, in Accept, that the recipient has this very message already: it goes no further, and
// nobody hears of that.
func (m *Message) Drop() { m.dropped = true }

// Plain is the message as the recipient gets it, without what modules add for the one or the other:
// as an archive keeps it. Nobody changes it.
func (m *Message) Plain() []byte {
	if m.plain == nil {
		m.plain = m.outgoing(nil)
	}
	return m.plain
}

// Bytes is the message as the recipient gets it.
func (m *Message) Bytes() []byte {
	switch {
	case m.copied != nil:
	case m.plain == nil:
		m.copied = m.outgoing(m.added)
	default:
		m.copied = m.with(m.plain, m.added)
	}
	return m.copied
}

// with is a copy of b, made by outgoing, that has more children.
func (m *Message) with(b []byte, added []string) []byte {
	if len(added) == 0 {
		return b
	}
	if b[len(b)-2] == '/' { // it has no end tag
		return m.outgoing(added)
	}
	end := len(b) - (m.nameEnd + len("</>") - len("<"))
	size := len(b)
	for _, e := range added {
		size += len(e)
	}
	out := append(make([]byte, 0, size), b[:end]...)
	for _, e := range added {
		out = append(out, e...)
	}
	return append(out, b[end:]...)
}

// Forwarded is what the recipient gets, wrapped for another client of the recipient (XEP-0297).
func (m *Message) Forwarded() []byte { return m.forwarded(m.Bytes()) }

// ForwardedOwn is the message wrapped for another client of the sender.
func (m *Message) ForwardedOwn() []byte { return m.forwarded(m.with(m.Plain(), m.addedOwn)) }

func (m *Message) forwarded(b []byte) []byte {
	const head, tail = "<forwarded xmlns='urn:xmpp:forward:0'>", "</forwarded>"
	w := make([]byte, 0, len(head)+len(b)+len(tail)+len(nsClient)+9)
	w = append(append(w, head...), b[:m.nameEnd]...)
	if _, own := m.Attr("xmlns"); !own && !bytes.ContainsRune(b[:m.nameEnd], ':') {
		w = AppendAttr(w, "xmlns", nsClient)
	}
	return append(append(w, b[m.nameEnd:]...), tail...)
}

// Hold keeps the acknowledgement of XEP-0198 back until Done; for Accept and Delivered.
func (m *Message) Hold() Hold {
	if m.By == nil {
		return Hold{}
	}
	return m.By.Hold()
}

// Hint is a set of what a sender asks of those who handle a message (XEP-0334).
type Hint uint8

// The hints, and that they have been looked for.
const (
	HintNoPermanentStore Hint = 1 << iota
	HintNoStore
	HintNoCopy
	HintStore
	hintsRead
)

// Hints returns what the sender asks for.
func (m *Message) Hints() Hint {
	if m.hints != 0 {
		return m.hints
	}
	m.hints = hintsRead
	for _, c := range m.Children {
		if c.Name.Space != "urn:xmpp:hints" {
			continue
		}
		switch c.Name.Local {
		case "no-permanent-store":
			m.hints |= HintNoPermanentStore
		case "no-store":
			m.hints |= HintNoStore
		case "no-copy":
			m.hints |= HintNoCopy
		case "store":
			m.hints |= HintStore
		}
	}
	return m.hints
}

// Asks reports whether the sender gave the hint.
func (m *Message) Asks(h Hint) bool { return m.Hints()&h != 0 }

// message routes a message that a client sent, by the table of RFC 6121 section 8.5.
func (r *Router) message(ctx context.Context, s *Stream, st *Stanza) {
	if !r.accounts.Allowed(s.ses, "xmpp:message") {
		r.refuse(s, st)
		return
	}
	m := &Message{Stanza: st, By: s, Sender: s.Owner()}
	switch r.targetOf(s, st.To) {
	case ToForeign:
		r.fail(s, st, xstanza.RemoteServerNotFound, xstanza.Cancel)
		return
	case ToServer:
		for _, take := range r.hooks.inboxes {
			if take(ctx, m) {
				return
			}
		}
		r.refuse(s, st)
		return
	case ToSelf:
		m.Recipient = m.Sender
	default:
		to, _ := st.toParts()
		them, err := r.party(ctx, to)
		if err != nil {
			r.broken(s, st, err)
			return
		}
		m.Recipient = them.owner()
	}
	r.route(ctx, m)
}

// Send routes a message that the server itself sends, to a bare or full JID of ours; From is what
// the recipient sees. Nobody hears of it when it cannot be delivered.
func (r *Router) Send(ctx context.Context, st *Stanza) error {
	them, err := r.party(ctx, addressOf(st.To))
	if err != nil {
		return err
	}
	r.route(ctx, &Message{Stanza: st, Recipient: them.owner()})
	return nil
}

// route passes a message through the modules and delivers it.
func (r *Router) route(ctx context.Context, m *Message) {
	for _, check := range r.hooks.checks {
		if !check(ctx, m) {
			return
		}
	}
	// XEP-0191 section 3.5: who is blocked hears what it would hear of somebody who is not there; so
	// what one has blocked oneself comes first, as that says nothing about the other one.
	if r.hooks.blocks != nil {
		from, name := m.fromParts()
		to, toName := m.toParts()
		switch {
		case m.Sender.ID != "" && m.Sender != m.Recipient && r.blocked(m.Sender, to, toName):
			r.failBlocked(m.By, m.Stanza)
			return
		case r.blocked(m.Recipient, from, name):
			r.undeliverable(m)
			return
		}
	}
	m.Reached = m.one[:0]
	full := r.at(m.To)
	if full == nil && !m.toAccount() {
		r.undeliverable(m)
		return
	}
	if m.Recipient.ID != "" || full != nil {
		for _, accept := range r.hooks.accepts {
			if accept(ctx, m); m.dropped {
				return
			}
		}
	}
	if full != nil && full.putMessage(m) { // section 8.5.3.1
		m.Reached = append(m.Reached, full)
	} else if m.toAccount() {
		r.deliverBare(m)
	}
	if m.Recipient.ID == "" && len(m.Reached) == 0 {
		r.undeliverable(m) // modules hear no more of nobody than of one who has blocked the sender
		return
	}
	for _, delivered := range r.hooks.delivered {
		delivered(ctx, m)
	}
	if len(m.Reached) == 0 && !m.Kept {
		r.undeliverable(m)
	}
}

// toAccount reports whether the message may go to any resource of the account: its address is
// bare, or it is for a resource that is not there and of a type that does not insist (section
// 8.5.3.2.1).
func (m *Message) toAccount() bool { return m.To.Resourcepart() == "" || m.Type == "chat" }

// undeliverable answers for a message that reached nobody, as the tables of sections 8.5.2 and
// 8.5.3 say: the same for an address without an account as for one that cannot be reached.
func (r *Router) undeliverable(m *Message) {
	if m.By != nil && m.Type != "headline" {
		r.refuse(m.By, m.Stanza)
	}
}

// deliverBare delivers to an account (sections 8.5.2.1.1 and 8.5.2.2.1).
func (r *Router) deliverBare(m *Message) {
	var buf [usual]*Stream
	list := buf[:0]
	switch m.Type {
	case "error", "groupchat":
	case "headline":
		list = r.pick(list, m.Recipient.Address, takesAll)
	default:
		list = r.mostAvailable(list, m.Recipient.Address)
	}
	for _, s := range list {
		if s.putMessage(m) { // a stream may have ended since
			m.Reached = append(m.Reached, s)
		}
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

// blocked reports whether owner has blocked the address.
func (r *Router) blocked(owner Owner, peer Address, resource string) bool {
	return r.hooks.blocks != nil && owner.ID != "" && owner.Address != peer && r.hooks.blocks(owner, peer, resource)
}

// failBlocked tells a client that it has blocked the address itself (XEP-0191 section 3.5).
func (r *Router) failBlocked(s *Stream, st *Stanza) {
	if st.Type == "error" || st.Kind == KindIQ && st.Type == "result" {
		return
	}
	s.Put(st.FailureDetail(xstanza.NotAcceptable, xstanza.Cancel, "", "<blocked xmlns='"+nsBlocked+"'/>"))
}

func (m *Message) outgoing(added []string) []byte {
	to := m.toText()
	if to == "" {
		to = m.Recipient.String() // RFC 6120 section 10.3.1
	}
	return m.Stanza.outgoing(m.fromText(), to, added...)
}

// fromParts are the parts of From, and fromText is it as text.
func (m *Message) fromParts() (bare Address, resource string) {
	if m.By != nil && m.From.Equal(m.By.full) {
		return m.By.res.Address, m.By.res.name
	}
	return addressOf(m.From), m.From.Resourcepart()
}

func (m *Message) fromText() string {
	if m.By != nil && m.From.Equal(m.By.full) {
		return m.By.res.full
	}
	return m.From.String()
}

// outgoing is the stanza as others get it.
func outgoing(s *Stream, st *Stanza) []byte {
	to := st.toText()
	if to == "" {
		to = s.res.Address.String()
	}
	return st.outgoing(s.res.full, to)
}

// outgoing says from whom the stanza is, as the server knows it (RFC 6120 section 8.1.2.1). What only
// others could say is gone: an archive's identifier that the client made up (XEP-0359 section 3.1), and
// that somebody else has delayed the stanza (XEP-0203 section 4).
func (st *Stanza) outgoing(from, to string, added ...string) []byte {
	if !st.Has(nsSID, "stanza-id") && !st.Has(nsDelay, "delay") {
		return st.Rewritten(from, to, added...)
	}
	return st.Without(func(c Child) bool {
		return c.Name == xml.Name{Space: nsSID, Local: "stanza-id"} || c.Name == xml.Name{Space: nsDelay, Local: "delay"} && st.delayedBy(c, from)
	}, from, to, added...)
}

const (
	nsSID   = "urn:xmpp:sid:0"
	nsDelay = "urn:xmpp:delay"
)

// delayedBy reports whether a `<delay/>` says that somebody else than the sender has delayed it.
func (st *Stanza) delayedBy(c Child, sender string) bool {
	el, err := st.Child(c)
	if err != nil {
		return true
	}
	by, said := el.Attr("from")
	bare, _, _ := strings.Cut(sender, "/")
	return said && by != sender && by != bare
}
