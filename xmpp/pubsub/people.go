package pubsub

import (
	"context"
	"slices"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/xmpp"
)

// affiliated is XEP-0060 section 8.9.1.
func (p *PubSub) affiliated(ctx context.Context, c *call) (outcome, error) {
	n, err := c.own(ctx)
	if err != nil {
		return outcome{}, err
	}
	list, err := p.store.Affiliations(ctx, c.svc.ID, n.Name, "")
	if err != nil {
		return outcome{}, err
	}
	list = append([]Affiliated{{n.Name, c.svc.String(), Owning}}, list...)
	b := append(xmpp.AppendAttr([]byte("<pubsub xmlns='"+nsOwner+"'><affiliations"), "node", n.Name), '>')
	for _, a := range list {
		b = xmpp.AppendAttr(append(b, "<affiliation"...), "jid", a.JID)
		b = append(xmpp.AppendAttr(b, "affiliation", string(a.Affiliation)), "/>"...)
	}
	return outcome{answer: string(append(b, "</affiliations></pubsub>"...))}, nil
}

// affiliate is section 8.9.2. Where one of the changes cannot be, none is made.
func (p *PubSub) affiliate(ctx context.Context, c *call) (outcome, error) {
	n, err := c.own(ctx)
	if err != nil {
		return outcome{}, err
	}
	entries, err := c.entries("affiliation", "affiliation")
	if err != nil {
		return outcome{}, err
	}
	old, err := p.store.Affiliations(ctx, c.svc.ID, n.Name, "")
	if err != nil {
		return outcome{}, err
	}
	var list []Affiliated
	total := len(old)
	for _, e := range entries {
		j, err := jid.Parse(e.jid)
		if err != nil {
			return outcome{}, badRequest("")
		}
		a := Affiliated{n.Name, j.Bare().String(), Affiliation(e.value)}
		switch {
		case slices.ContainsFunc(list, func(x Affiliated) bool { return x.JID == a.JID }):
			return outcome{}, badRequest("") // section 8.9.2.4
		case !e.given:
			continue
		case a.JID == c.svc.String() && a.Affiliation == Owning:
			continue
		case a.JID == c.svc.String():
			return outcome{}, notAcceptable("") // the one owner stays
		}
		switch a.Affiliation {
		case None, Publisher, PublishOnly, Member, Outcast:
		default:
			return outcome{}, notAcceptable("")
		}
		if !slices.ContainsFunc(old, func(x Affiliated) bool { return x.JID == a.JID }) {
			total++
		}
		list = append(list, a)
	}
	if total > p.limits.Affiliations {
		return outcome{}, tooMuch(xstanza.PolicyViolation, xstanza.Modify, "", "This node names as many people as it may. Remove some and try again.")
	}
	return outcome{}, p.store.Write(ctx, func(w StoreWriter) error {
		for _, a := range list {
			if err := w.PutAffiliation(ctx, c.svc.ID, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// subscribed is section 8.8.1; those that wait come as questions to the owner.
func (p *PubSub) subscribed(ctx context.Context, c *call) (outcome, error) {
	n, err := c.own(ctx)
	if err != nil {
		return outcome{}, err
	}
	list, err := p.store.Subscriptions(ctx, c.svc.ID, n.Name, "")
	if err != nil {
		return outcome{}, err
	}
	b := append(xmpp.AppendAttr([]byte("<pubsub xmlns='"+nsOwner+"'><subscriptions"), "node", n.Name), '>')
	for _, s := range list {
		if !s.Pending {
			b = appendSubscription(b, "", s.JID, s.State())
		}
	}
	return outcome{answer: string(append(b, "</subscriptions></pubsub>"...))}, nil
}

// manage is section 8.8.2. The owner may end a subscription and allow one that waits; nobody is
// subscribed who has not asked.
func (p *PubSub) manage(ctx context.Context, c *call) (outcome, error) {
	n, err := c.own(ctx)
	if err != nil {
		return outcome{}, err
	}
	entries, err := c.entries("subscription", "subscription")
	if err != nil {
		return outcome{}, err
	}
	old, err := p.store.Subscriptions(ctx, c.svc.ID, n.Name, "")
	if err != nil {
		return outcome{}, err
	}
	var changes []decision
	for _, e := range entries {
		i := slices.IndexFunc(old, func(s Subscription) bool { return s.JID == e.jid })
		switch {
		case !e.given:
			continue
		case i < 0, e.value != "none" && e.value != "subscribed":
			return outcome{}, notAcceptable("")
		}
		changes = append(changes, decision{old[i], e.value == "subscribed"})
	}
	return p.decide(ctx, c.svc, &n, changes)
}

// decision is what the owner says about a subscription.
type decision struct {
	Subscription
	allow bool
}

// decide does what the owner says and tells those concerned (section 12.13).
func (p *PubSub) decide(ctx context.Context, svc xmpp.Owner, n *Node, changes []decision) (outcome, error) {
	err := p.store.Write(ctx, func(w StoreWriter) error {
		for _, d := range changes {
			var err error
			if s := d.Subscription; d.allow {
				s.Pending = false
				err = w.PutSubscription(ctx, svc.ID, s)
			} else {
				_, err = w.RemoveSubscription(ctx, svc.ID, n.Name, s.JID)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return outcome{tell: func() {
		for _, d := range changes {
			if d.allow && !d.Pending {
				continue // it was so before
			}
			p.tellState(ctx, svc, n, d)
		}
	}}, err
}

// tellState tells a subscriber what its subscription is from now on.
func (p *PubSub) tellState(ctx context.Context, svc xmpp.Owner, n *Node, d decision) {
	to, err := jid.Parse(d.JID)
	if err != nil || p.apart(svc, xmpp.Owner{Address: xmpp.AddressOf(to), ID: d.Account}) {
		return
	}
	state := "none"
	if d.allow {
		state = "subscribed"
	}
	e := &event{svc: svc, node: n}
	e.body = append(appendSubscription([]byte("<event xmlns='"+nsEvent+"'>"), n.Name, d.JID, state), "</event>"...)
	if to.Resourcepart() == "" {
		p.send(ctx, e, d.JID)
	} else if s := p.router.Stream(to); s != nil {
		s.Put(e.message(d.JID))
	}
	if d.allow {
		p.welcome(ctx, svc, n, to)
	}
}
