package xmpp

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
)

// presence handles a presence by type and address (RFC 6121 section 4).
func (r *Router) presence(ctx context.Context, s *Stream, st *Stanza) {
	if !r.accounts.Allowed(s.ses, "xmpp:presence") {
		r.refuse(s, st)
		return
	}
	if req, ok := requestOf(st.Type); ok {
		r.subscription(ctx, s, st, req)
		return
	}
	directed := st.To.Domainpart() != ""
	switch {
	case st.Type == "" && !directed:
		r.goOnline(ctx, s, st)
	case st.Type == "unavailable" && !directed:
		unlock := r.lock(s.res.Address)
		was := r.goOffline(ctx, s, st, true)
		unlock()
		if was {
			r.changed(ctx, &Presence{Stanza: st, By: s})
		}
		s.ses.Update(func(d *identity.Details) { d.State, d.Presence, d.Priority = identity.StateConnected, "", 0 })
	case st.Type == "" || st.Type == "unavailable":
		r.direct(ctx, s, st)
	case st.Type == "probe":
		// Section 4.3: clients have no need to send one. What one may see comes, once more.
		if t := r.targetOf(s, st.To); t == ToAccount || t == ToResource {
			r.answerProbe(ctx, addressOf(st.To), s)
		}
	case st.Type == "error":
		if r.targetOf(s, st.To) == ToResource {
			r.relay(s, st)
		}
	default:
		r.fail(s, st, xstanza.BadRequest, xstanza.Modify)
	}
}

// goOnline takes a presence without type and address: the first one of a resource makes it
// available (section 4.2), a further one is an update (section 4.4).
func (r *Router) goOnline(ctx context.Context, s *Stream, st *Stanza) {
	if len(st.raw) > maxPresence {
		r.fail(s, st, xstanza.PolicyViolation, xstanza.Modify)
		return
	}
	a, err := parsePresence(st.raw)
	if err != nil {
		r.fail(s, st, xstanza.BadRequest, xstanza.Modify)
		return
	}
	st = r.decorated(ctx, s, st)
	first, probes, err := r.announce(ctx, s, st, a)
	if err != nil {
		r.broken(s, st, err)
		return
	}
	s.ses.Update(func(d *identity.Details) {
		d.State, d.Presence, d.Priority = identity.StateAvailable, a.show, a.priority
	})
	r.changed(ctx, &Presence{Stanza: st, By: s, Available: true, First: first, Priority: a.priority})
	if !first {
		return
	}
	// Each contact's own book tells whether s may see its presence and keeps this answer in
	// order with the contact's changes; so probes come after our book is given back.
	// Many of them are more than the queue holds, and no reason to end a client that is slow.
	for _, contact := range probes {
		s.Room()
		r.answerProbe(ctx, contact, s)
	}
}

// announce stores and broadcasts presence and returns the contacts to probe.
func (r *Router) announce(ctx context.Context, s *Stream, st *Stanza, a availability) (first bool, probes []Address, err error) {
	defer r.lock(s.res.Address)()
	if s.res.left {
		return false, nil, nil
	}
	roster, err := r.rosterOf(ctx, s)
	if err != nil {
		return false, nil, err
	}
	r.mu.Lock()
	first = !s.res.available
	s.res.available, s.res.priority, s.res.presence, s.res.since = true, a.priority, st, r.now()
	r.mu.Unlock()
	own := s.res.Address.String()
	// Section 4.2.2: to all of one's own available resources, this one too.
	r.showOwn(s, st.Rewritten(s.res.full, own))
	r.showAll(roster.from, s, st)
	if !first {
		return false, nil, nil
	}
	for _, x := range r.shown(s.res.Address) {
		if x.full != s.res.full {
			s.Put(x.to(own))
		}
	}
	for _, ask := range roster.asks {
		s.Put(ask)
	}
	return true, roster.to, nil
}

// decorated lets modules change a presence that s sends.
func (r *Router) decorated(ctx context.Context, s *Stream, st *Stanza) *Stanza {
	for _, decorate := range r.hooks.decorations {
		st = decorate(ctx, s, st)
	}
	return st
}

// changed tells modules of a presence that has gone out. No book is held.
func (r *Router) changed(ctx context.Context, p *Presence) {
	for _, hook := range r.hooks.presences {
		hook(ctx, p)
	}
}

// apart reports whether one of the two has blocked the other.
func (r *Router) apart(a, b *Stream) bool {
	return r.hooks.blocks != nil &&
		(r.blocked(a.Owner(), b.res.Address, b.res.name) || r.blocked(b.Owner(), a.res.Address, a.res.name))
}

// show sends presence of a stream to an account, whose clients get it where they are available.
func (r *Router) show(to Address, by *Stream, st *Stanza) { r.showAll([]Address{to}, by, st) }

// showOwn sends presence of a stream to all available ones of its account.
func (r *Router) showOwn(by *Stream, b []byte) {
	var buf [usual]*Stream
	for _, x := range r.pick(buf[:0], by.res.Address, isAvailable) {
		x.PutState(by.res.full, b)
	}
}

// showAll is show to many accounts.
func (r *Router) showAll(all []Address, by *Stream, st *Stanza) {
	var buf [usual]*Stream
	var before, behind []byte
	for _, to := range all {
		list := r.pick(buf[:0], to, isAvailable)
		if r.hooks.blocks != nil { // one of them alone may be blocked, by its full JID
			list = slices.DeleteFunc(list, func(x *Stream) bool { return r.apart(by, x) })
		}
		if len(list) == 0 {
			continue
		}
		if before == nil {
			before, behind = st.parted(by.res.full)
		}
		b := append(make([]byte, 0, len(before)+len(behind)+len(to.local)+len(to.domain)+8), before...)
		b = append(AppendAttr(b, "to", to.String()), behind...)
		for _, x := range list {
			x.PutState(by.res.full, b)
		}
	}
}

// goOffline makes s unavailable and tells all who saw it (section 4.5.2), and those who got
// directed presence (section 4.6.3), each once. The account's book is held. Where the roster
// cannot be read nobody but one's own resources and the directed ones can be told.
func (r *Router) goOffline(ctx context.Context, s *Stream, st *Stanza, asked bool) (was bool) {
	r.mu.Lock()
	was = s.res.available
	s.res.available, s.res.priority, s.res.presence = false, 0, nil
	r.mu.Unlock()
	told := make(map[Address]bool)
	if was {
		roster, err := r.rosterOf(ctx, s)
		if err != nil {
			r.log.Error("unavailable presence not sent", slog.Any("", s.ses), "error", err)
			roster = &kept{}
		}
		r.showAll(roster.from, s, st)
		for _, contact := range roster.from {
			told[contact] = true
		}
		b := st.Rewritten(s.res.full, s.res.Address.String())
		r.showOwn(s, b)
		told[s.res.Address] = true
		if asked {
			s.Put(b) // section 4.5.2: to the one that asked for it as well
		}
	}
	for _, to := range s.res.directed {
		if told[addressOf(to)] && (to.Resourcepart() == "" || r.reached(to)) {
			continue
		}
		r.relayTo(s, to, st)
	}
	s.res.directed = nil
	s.res.sent.Store(0)
	return was
}

// reached reports whether a full JID gets what is sent to all available resources of its account.
func (r *Router) reached(full jid.JID) bool {
	var buf [usual]*Stream
	name := full.Resourcepart()
	return len(r.pick(buf[:0], addressOf(full), func(x *resource) bool { return x.available && x.name == name })) > 0
}

// direct sends presence to one address that the client chose (section 4.6).
func (r *Router) direct(ctx context.Context, s *Stream, st *Stanza) {
	switch r.targetOf(s, st.To) {
	case ToForeign:
		if st.Type == "" {
			r.fail(s, st, xstanza.RemoteServerNotFound, xstanza.Cancel)
		}
		return
	case ToServer:
		return // section 8.4: nothing here wants it
	}
	if st.Type == "" {
		if r.blocked(s.Owner(), addressOf(st.To), st.To.Resourcepart()) {
			r.failBlocked(s, st)
			return
		}
		st = r.decorated(ctx, s, st)
	}
	defer r.lock(s.res.Address)()
	if s.res.left {
		return
	}
	key := st.To.String()
	if st.Type == "unavailable" {
		if _, known := s.res.directed[key]; known {
			delete(s.res.directed, key)
			s.res.sent.Add(-int32(len(key)))
		}
	} else if _, known := s.res.directed[key]; !known {
		if len(s.res.directed) >= maxDirected || int(s.res.sent.Load())+len(key) > maxDirectedSize {
			r.fail(s, st, xstanza.PolicyViolation, xstanza.Wait)
			return
		}
		if s.res.directed == nil {
			s.res.directed = make(map[string]jid.JID)
		}
		s.res.directed[key] = st.To
		s.res.sent.Add(int32(len(key)))
	}
	r.relay(s, st)
}

// relay sends presence on to where its address says; nobody there is no error
// (sections 8.5.1, 8.5.2.2.2 and 8.5.3.2.2).
func (r *Router) relay(s *Stream, st *Stanza) { r.relayTo(s, st.To, st) }

func (r *Router) relayTo(by *Stream, to jid.JID, st *Stanza) {
	if to.Resourcepart() == "" {
		r.show(addressOf(to), by, st)
		return
	}
	if x := r.at(to); x != nil && !r.apart(by, x) {
		if b := st.Rewritten(by.res.full, to.String()); st.Type == "error" {
			x.Put(b)
		} else {
			x.PutState(by.res.full, b)
		}
	}
}

// answerProbe sends s the presence of an account's resources, if that account lets s's see it
// (section 4.3.2). Whoever may not see it learns nothing, not even whether there is an account.
func (r *Router) answerProbe(ctx context.Context, of Address, s *Stream) {
	r.mu.RLock()
	online := len(r.bound[of]) > 0
	var id identity.UserID
	if online {
		id = r.bound[of][0].res.owner
	}
	r.mu.RUnlock()
	if !online || id == "" || s.res.owner == "" || r.blocked(s.Owner(), of, "") || r.blocked(Owner{of, id}, s.res.Address, s.res.name) {
		return
	}
	defer r.lock(of)()
	if !r.Sees(ctx, s.res.Address, Owner{of, id}) {
		return
	}
	own := s.res.Address.String()
	for _, x := range r.shown(of) {
		s.PutState(x.full, x.to(own))
	}
}

// shown is one available resource as others see it.
type shown struct {
	by       *Stream
	full     string
	presence *Stanza
	since    time.Time
}

// to is its presence for somebody who did not get it at the time. It is the account's domain that has
// kept it (XEP-0203 section 2).
func (x shown) to(to string) []byte {
	delay := AppendAttr([]byte("<delay xmlns='"+nsDelay+"'"), "from", x.by.res.domain)
	delay = AppendAttr(delay, "stamp", x.since.UTC().Format(time.RFC3339))
	return x.presence.outgoing(x.full, to, string(append(delay, "/>"...)))
}

// shown lists the available resources of an account. Its book is held.
func (r *Router) shown(a Address) []shown {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []shown
	for _, s := range r.bound[a] {
		if s.res.available {
			list = append(list, shown{s, s.res.full, s.res.presence, s.res.since})
		}
	}
	return list
}

// local reads the JID of a contact as an account of ours.
func (r *Router) local(bare string) (Address, bool) {
	for i := range len(bare) {
		if bare[i] == '@' {
			a := Address{bare[:i], bare[i+1:]}
			return a, i > 0 && r.domains[a.domain]
		}
	}
	return Address{}, false
}

// unavailable is the presence that a server sends for a resource that has gone
// (section 4.5.1), as a stanza without sender.
func unavailable(why string) *Stanza {
	raw := "<presence type='unavailable'/>"
	m := markup{nameEnd: len("<presence"), open: len(raw), body: len(raw)}
	if why != "" {
		open := "<presence type='unavailable'>"
		status := open + "<status>" + Escape(why) + "</status>"
		raw = status + "</presence>"
		m.open, m.body = len(open), len(status)
	}
	m.attrs = []Attr{{start: len("<presence "), end: len("<presence type='unavailable'")}}
	m.attrs[0].Name.Local, m.attrs[0].Value = "type", "unavailable"
	return &Stanza{Kind: KindPresence, Type: "unavailable", Element: Element{raw: []byte(raw), markup: m}}
}
