package pubsub

import (
	"context"
	"errors"
	"slices"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// greetWithin bounds what is done for a client that has come online.
const greetWithin = time.Minute

// presence sends the last items to a client that becomes available, once (XEP-0163 section 4.3.4);
// where its wishes are not known yet, that waits for them. When an account's last client leaves,
// nodes that want it are purged.
func (p *PubSub) presence(ctx context.Context, pr *xmpp.Presence) {
	s := pr.By
	if s.Owner().ID == "" {
		return
	}
	if !pr.Available {
		p.forget(s)
		var buf [1]*xmpp.Stream
		if len(p.router.AvailableStreams(buf[:0], s.Owner().Address)) == 0 {
			p.left(ctx, s.Owner())
		}
		return
	}
	if _, known := p.caps.Features(s); pr.First && known && p.once(s) {
		p.greet(ctx, s, nil)
	}
}

// learned is presence for a client whose wishes have become known later.
func (p *PubSub) learned(ctx context.Context, s *xmpp.Stream) {
	if _, _, ok := p.router.Available(s); ok && s.Owner().ID != "" && p.once(s) {
		go p.greet(ctx, s, nil)
	}
}

// once reports whether s has not been greeted since it became available.
func (p *PubSub) once(s *xmpp.Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, done := p.greeted[s]; done {
		return false
	}
	p.greeted[s] = struct{}{}
	return true
}

func (p *PubSub) forget(s *xmpp.Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.greeted, s)
}

func (p *PubSub) down(_ context.Context, s *xmpp.Stream) { p.forget(s) }

// relation sends the last items to a contact who may see the owner's presence from now on.
func (p *PubSub) relation(ctx context.Context, r xmpp.Relation) {
	if !r.New.Has(xmpp.SubscriptionFrom) || r.Old.Has(xmpp.SubscriptionFrom) {
		return
	}
	var buf [8]*xmpp.Stream
	for _, s := range p.router.AvailableStreams(buf[:0], r.Contact) {
		if _, known := p.caps.Features(s); known {
			p.later(context.WithoutCancel(ctx), s, r.Owner.String())
		}
	}
}

// later greets a client for one account in a goroutine, as the accounts are locked now. A client has
// one such goroutine, however often it comes to see somebody and however slowly it reads.
func (p *PubSub) later(ctx context.Context, s *xmpp.Stream, of string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list, busy := p.waiting[s]
	if !slices.Contains(list, of) {
		p.waiting[s] = append(list, of)
	}
	if busy {
		return
	}
	go func() {
		for {
			p.mu.Lock()
			of := p.waiting[s]
			if len(of) == 0 {
				delete(p.waiting, s)
				p.mu.Unlock()
				return
			}
			p.waiting[s] = nil
			p.mu.Unlock()
			p.greet(ctx, s, of)
		}
	}()
}

// greet sends a client the last items of nodes that it wishes to hear of: of the given accounts,
// or of its own and of its contacts'.
func (p *PubSub) greet(ctx context.Context, s *xmpp.Stream, of []string) {
	ctx, cancel := context.WithTimeout(ctx, greetWithin)
	defer cancel()
	err := p.sendLast(ctx, s, of)
	if _, _, ok := p.router.Available(s); err != nil && ok {
		p.log.Error("last items not sent", "user", s.Owner().String(), "error", err)
	}
}

func (p *PubSub) sendLast(ctx context.Context, s *xmpp.Stream, of []string) error {
	features, _ := p.caps.Features(s)
	if !slices.ContainsFunc(features, wishes) || !p.open(s) {
		return nil
	}
	who := s.Owner()
	if of == nil {
		of = []string{who.String()}
		roster, err := p.router.Roster(ctx, who)
		if err != nil {
			return err
		}
		for i := range roster.Contacts {
			if c := &roster.Contacts[i]; c.State.Has(xmpp.SubscriptionTo) {
				of = append(of, c.JID)
			}
		}
	}
	list, err := p.store.Greeting(ctx, of)
	if err != nil {
		return err
	}
	for i := range list {
		n := &list[i]
		if _, ok := slices.BinarySearch(features, n.Name+"+notify"); !ok {
			continue
		}
		if s.Detached() {
			return nil // there is no end to what may wait for a client that has gone
		}
		if err := p.sendLastOf(ctx, s, n); err != nil {
			return err
		}
	}
	return nil
}

// wishes reports whether a feature is the wish to be notified.
func wishes(feature string) bool {
	const suffix = "+notify"
	return len(feature) > len(suffix) && feature[len(feature)-len(suffix):] == suffix
}

// sendLastOf sends the last item of one node, where the client is subscribed in some way.
func (p *PubSub) sendLastOf(ctx context.Context, s *xmpp.Stream, n *Node) error {
	svc, ok := ownerOf(n)
	who := s.Owner()
	if !ok || svc.ID != who.ID && p.apart(svc, who) {
		return nil
	}
	var f *failure
	if err := p.auto(ctx, svc, n, who); errors.As(err, &f) {
		return nil
	} else if err != nil {
		return err
	}
	e, err := p.last(ctx, svc, n)
	if e == nil || err != nil {
		return err
	}
	s.Room()
	e.put(s)
	return nil
}

// auto answers why somebody is no subscriber by presence, nor by having asked.
func (p *PubSub) auto(ctx context.Context, svc xmpp.Owner, n *Node, who xmpp.Owner) error {
	if who.ID == svc.ID {
		return nil
	}
	if err := p.may(ctx, svc, n, who); err != nil {
		return err
	}
	switch n.Config.Access {
	case Open, Presence, Roster:
		if p.router.Sees(ctx, who.Address, svc) {
			return nil
		}
	}
	list, err := p.store.Subscriptions(ctx, svc.ID, n.Name, who.String())
	if err == nil && !slices.ContainsFunc(list, func(s Subscription) bool { return !s.Pending }) {
		err = notAuthorized("not-subscribed")
	}
	return err
}

// last is the event of a node's last item; nil where there is none.
func (p *PubSub) last(ctx context.Context, svc xmpp.Owner, n *Node) (*event, error) {
	list, _, err := p.store.Items(ctx, svc.ID, n.Name, Page{Last: true, Max: 1, Bytes: 1, Since: n.Config.since(p.router.Now())})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	e := &event{svc: svc, node: n, key: n.Name + "\x00" + list[0].ID}
	if n.Config.MaxItems == 1 {
		e.key = n.Name
	}
	e.body = appendItem(openItems(nil, n.Name), n, &list[0], n.Config.Payloads)
	e.body = append(append(e.body, "</items></event>"...), delayed(&list[0])...)
	return e, nil
}

// ownerOf is the account of a node.
func ownerOf(n *Node) (xmpp.Owner, bool) {
	for i := range len(n.JID) {
		if n.JID[i] == '@' {
			return xmpp.Owner{Address: xmpp.NewAddress(n.JID[:i], n.JID[i+1:]), ID: n.Owner}, true
		}
	}
	return xmpp.Owner{}, false
}

// left purges the nodes of an account whose last client has gone, where they are configured so.
func (p *PubSub) left(ctx context.Context, owner xmpp.Owner) {
	var mark uint64
	if p.lasting != nil {
		if p.lasting.has(owner.ID) {
			return
		}
		mark = p.lasting.mark()
	}
	list, err := p.store.Nodes(ctx, owner.ID)
	if err != nil {
		p.log.Error("nodes not purged", "user", owner.String(), "error", err)
		return
	}
	purged := false
	for i := range list {
		n := &list[i]
		purged = purged || n.Config.PurgeGone
		if !n.Config.PurgeGone || n.Items == 0 {
			continue
		}
		if err := p.empty(ctx, owner, n); err != nil && !errors.Is(err, identity.ErrNotFound) {
			p.log.Error("nodes not purged", "user", owner.String(), "node", n.Name, "error", err)
		}
	}
	if p.lasting != nil && !purged {
		p.lasting.keep(mark, owner.ID)
	}
}

// empty purges a node and tells of it.
func (p *PubSub) empty(ctx context.Context, owner xmpp.Owner, n *Node) error {
	defer p.lock(owner)()
	err := p.store.Write(ctx, func(w StoreWriter) error { return w.RemoveItems(ctx, owner.ID, n.Name, time.Time{}) })
	if err == nil {
		p.tellPurged(ctx, owner, n)
	}
	return err
}
