package push

import (
	"context"
	"slices"
	"strconv"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
	"trivium/xmpp"
)

// readWithin bounds what the store is asked beside a client's own request.
const readWithin = 5 * time.Second

// delivered wakes the clients of the recipient that are not there (section 7): those whose
// connection is lost, and those that have gone.
func (p *Push) delivered(ctx context.Context, m *xmpp.Message) {
	owner := m.Recipient
	if owner.ID == "" || m.Sender == owner || !matters(m.Stanza) || len(m.Reached) == 0 && !m.Kept {
		return
	}
	p.wake(ctx, owner)
}

// undelivered wakes them for what was on its way to a client that has gone.
func (p *Push) undelivered(ctx context.Context, s *xmpp.Stream, st *xmpp.Stanza) {
	owner := s.Owner()
	if owner.ID != "" && xmpp.AddressOf(st.From) != owner.Address && matters(st) {
		p.wake(ctx, owner)
	}
}

// wake tells the services of clients that are away.
func (p *Push) wake(ctx context.Context, owner xmpp.Owner) {
	for _, t := range p.targets(ctx, owner.ID) {
		if p.away(owner, t) {
			p.notify(owner, t)
		}
	}
}

// matters reports whether a message is one that a person would want to be woken for. What is
// encrypted may be: nobody here can tell.
func matters(m *xmpp.Stanza) bool {
	switch m.Type {
	case "error", "headline", "groupchat":
		return false
	}
	for _, c := range m.Children {
		switch {
		case c.Name.Space == nsClient && c.Name.Local == "body",
			c.Name.Local == "encrypted", // XEP-0384, of any version, and XEP-0373
			c.Name.Space == "urn:xmpp:jingle-message:0" && c.Name.Local == "propose":
			return true
		}
	}
	return false
}

// away reports whether the client that named a service has no connection now.
func (p *Push) away(owner xmpp.Owner, t *target) bool {
	j, err := jid.New(owner.Local(), owner.Domain(), t.Resource)
	if err != nil {
		return false
	}
	s := p.router.Stream(j)
	return s == nil || s.Detached() || s.Ended()
}

// targets reads an account's services, once.
func (p *Push) targets(ctx context.Context, owner identity.UserID) []*target {
	p.mu.Lock()
	list, ok := p.known[owner]
	made := p.made
	p.mu.Unlock()
	if ok {
		return list
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	services, err := p.store.Services(ctx, owner)
	if err != nil {
		p.log.Error("push services not read", "error", err)
		return nil
	}
	for _, s := range services {
		list = append(list, &target{Service: s})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == made {
		n := weigh(list)
		if len(p.known) >= maxKnown || p.bytes+n > maxKnownBytes {
			clear(p.known)
			p.bytes = 0
		}
		p.bytes += n - weigh(p.known[owner])
		p.known[owner] = list
	}
	return list
}

func (p *Push) forget(owner identity.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	p.bytes -= weigh(p.known[owner])
	delete(p.known, owner)
}

// weigh estimates what an account's services take in memory, in bytes.
func weigh(list []*target) int {
	const each = 256
	n := 0
	for _, t := range list {
		n += each + len(t.JID) + len(t.Node) + len(t.Resource) + len(t.Options)
	}
	return n
}

// up starts counting anew: the client is there.
func (p *Push) up(_ context.Context, s *xmpp.Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.known[s.Owner().ID] {
		if t.Resource == s.Resource() {
			t.count = 0
		}
	}
}

// notify tells a service now, or at the end of its pause.
func (p *Push) notify(owner xmpp.Owner, t *target) {
	p.mu.Lock()
	t.count++
	switch wait := pause - p.router.Now().Sub(t.last); {
	case t.timer != nil:
		p.mu.Unlock()
	case wait > 0:
		t.timer = time.AfterFunc(wait, func() {
			p.mu.Lock()
			t.timer = nil
			p.mu.Unlock()
			p.publish(owner, t)
		})
		p.mu.Unlock()
	default:
		p.mu.Unlock()
		p.publish(owner, t)
	}
}

// publish is the notice (section 7).
func (p *Push) publish(owner xmpp.Owner, t *target) {
	to, err := jid.Parse(t.JID)
	if err != nil {
		return
	}
	// A service that is a client of ours may have blocked the account, as any other may.
	if c := p.router.Stream(to); c != nil && p.router.Blocked(c.Owner(), owner.Address, "") {
		return
	}
	p.mu.Lock()
	t.last = p.router.Now()
	count := t.count
	p.mu.Unlock()
	b := []byte("<pubsub xmlns='" + nsPubsub + "'><publish")
	b = xmpp.AppendAttr(b, "node", t.Node)
	f := xmpp.Form{Type: xmpp.FormOpen, Kind: nsSummary, Fields: []xmpp.Field{{Var: "message-count", Values: []string{strconv.Itoa(count)}}}}
	b = f.Append(append(b, "><item><notification xmlns='"+ns+"'>"...))
	b = append(b, "</notification></item></publish>"...)
	if t.Options != nil {
		b = append(append(append(b, "<publish-options>"...), t.Options...), "</publish-options>"...)
	}
	p.router.Ask(owner.Domain(), to, "set", string(append(b, "</pubsub>"...)), func(answer *xmpp.Stanza, err error) {
		go p.answered(owner, t, answer, err)
	})
}

// answered counts errors in a row; a service that gives too many is told no more, as section 7
// wants. That nobody answers is no error: the way may be broken for a while.
func (p *Push) answered(owner xmpp.Owner, t *target, answer *xmpp.Stanza, err error) {
	if err != nil {
		p.log.Debug("a push service does not answer", "user", owner.String(), "service", t.JID, "error", err)
		return
	}
	p.mu.Lock()
	if answer.Type != "error" {
		t.Faults = 0
		p.mu.Unlock()
		return
	}
	t.Faults++
	tooMany := t.Faults >= maxFaults
	current := slices.Contains(p.known[owner.ID], t)
	p.mu.Unlock()
	if !tooMany || !current {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	p.log.Info("a push service answers with errors and is told no more", "user", owner.String(), "service", t.JID)
	if err := p.store.DropServices(ctx, owner.ID, t.JID, &t.Node); err != nil {
		p.log.Error("a push service was not removed", "user", owner.String(), "service", t.JID, "error", err)
	}
	p.forget(owner.ID)
}
