package pubsub

import (
	"context"
	"slices"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/xmpp"
)

// subscriber is the address that a request wants to be subscribed: the asking account's, bare or
// full. What the client writes there is only believed where it is its own (XEP-0060 section
// 6.1.3.1).
func (c *call) subscriber() (jid.JID, bool) {
	text, _ := c.el.Attr("jid")
	j, err := jid.Parse(text)
	return j, err == nil && xmpp.AddressOf(j) == c.who.Address
}

// appendSubscription writes a subscription; node may be "".
func appendSubscription(b []byte, node, jid, state string) []byte {
	b = xmpp.AppendAttr(append(b, "<subscription"...), "node", node)
	b = xmpp.AppendAttr(b, "jid", jid)
	return append(xmpp.AppendAttr(b, "subscription", state), "/>"...)
}

// subscribe is section 6.1.
func (p *PubSub) subscribe(ctx context.Context, c *call) (outcome, error) {
	who, own := c.subscriber()
	if !own {
		return outcome{}, badRequest("invalid-jid")
	}
	n, err := c.find(ctx)
	if err != nil {
		return outcome{}, err
	}
	a, err := p.standing(ctx, c.svc, n.Name, c.who)
	if err != nil {
		return outcome{}, err
	}
	all, err := p.store.Subscriptions(ctx, c.svc.ID, "", c.who.String())
	if err != nil {
		return outcome{}, err
	}
	s := Subscription{Node: n.Name, JID: who.String(), Bare: c.who.String(), Account: c.who.ID}
	i := slices.IndexFunc(all, func(x Subscription) bool { return x.Node == s.Node && x.JID == s.JID })
	if i >= 0 && all[i].Pending {
		return outcome{}, notAuthorized("pending-subscription")
	}
	s.Pending = n.Config.Access == Authorize && (a == None) &&
		!slices.ContainsFunc(all, func(x Subscription) bool { return x.Node == s.Node && !x.Pending })
	if !s.Pending {
		if err := p.allowed(ctx, c.svc, &n, c.who.Address, a); err != nil {
			return outcome{}, err
		}
	}
	if !n.Config.Subscribe && a != Owning {
		return outcome{}, unsupported("subscribe")
	}
	if i < 0 {
		if err := p.room(ctx, c, &n, len(all)); err != nil {
			return outcome{}, err
		}
		err := p.store.Write(ctx, func(w StoreWriter) error { return w.PutSubscription(ctx, c.svc.ID, s) })
		if err != nil {
			return outcome{}, err
		}
	}
	b := appendSubscription([]byte("<pubsub xmlns='"+ns+"'>"), s.Node, s.JID, s.State())
	return outcome{answer: string(append(b, "</pubsub>"...)), tell: func() {
		if s.Pending {
			p.askOwner(ctx, c.svc, s)
		} else if i < 0 {
			p.welcome(ctx, c.svc, &n, who)
		}
	}}, nil
}

// room answers why there may be no more subscriptions (section 6.1.3.9).
func (p *PubSub) room(ctx context.Context, c *call, n *Node, theirs int) error {
	list, err := p.store.Subscriptions(ctx, c.svc.ID, n.Name, "")
	if err != nil {
		return err
	}
	if theirs >= p.limits.Subscriber || len(list) >= p.limits.Subscriptions {
		return fail(xstanza.PolicyViolation, xstanza.Wait, "too-many-subscriptions")
	}
	return nil
}

// welcome sends the last item to a new subscriber (section 6.1.7).
func (p *PubSub) welcome(ctx context.Context, svc xmpp.Owner, n *Node, to jid.JID) {
	if n.Config.SendLast == never || !n.Config.Deliver {
		return
	}
	e, err := p.last(ctx, svc, n)
	if err != nil {
		p.log.Error("last item not sent", "user", svc.String(), "node", n.Name, "error", err)
	}
	if e == nil || err != nil {
		return
	}
	r := &round{p: p, event: e, wish: n.Name + "+notify", told: map[*xmpp.Stream]bool{}}
	r.address(ctx, to)
}

// unsubscribe is section 6.2.
func (p *PubSub) unsubscribe(ctx context.Context, c *call) (outcome, error) {
	who, own := c.subscriber()
	if !own {
		return outcome{}, forbidden() // section 6.2.3.3
	}
	n, err := c.find(ctx)
	if err != nil {
		return outcome{}, err
	}
	there := false
	err = p.store.Write(ctx, func(w StoreWriter) error {
		there, err = w.RemoveSubscription(ctx, c.svc.ID, n.Name, who.String())
		return err
	})
	if err != nil {
		return outcome{}, err
	}
	if !there {
		return outcome{}, fail(xstanza.UnexpectedRequest, xstanza.Cancel, "not-subscribed")
	}
	b := appendSubscription([]byte("<pubsub xmlns='"+ns+"'>"), n.Name, who.String(), "none")
	return outcome{answer: string(append(b, "</pubsub>"...))}, nil
}

// subscriptions is section 5.6: those of the asking account.
func (p *PubSub) subscriptions(ctx context.Context, c *call) (outcome, error) {
	list, err := p.store.Subscriptions(ctx, c.svc.ID, c.node, c.who.String())
	if err != nil {
		return outcome{}, err
	}
	b := append(xmpp.AppendAttr([]byte("<pubsub xmlns='"+ns+"'><subscriptions"), "node", c.node), '>')
	for _, s := range list {
		b = appendSubscription(b, s.Node, s.JID, s.State())
	}
	return outcome{answer: string(append(b, "</subscriptions></pubsub>"...))}, nil
}

// affiliations is section 5.7: those of the asking account.
func (p *PubSub) affiliations(ctx context.Context, c *call) (outcome, error) {
	var list []Affiliated
	if c.owner {
		nodes, err := p.store.Nodes(ctx, c.svc.ID)
		if err != nil {
			return outcome{}, err
		}
		for _, n := range nodes {
			if c.node == "" || c.node == n.Name {
				list = append(list, Affiliated{n.Name, "", Owning})
			}
		}
	} else {
		var err error
		if list, err = p.store.Affiliations(ctx, c.svc.ID, c.node, c.who.String()); err != nil {
			return outcome{}, err
		}
	}
	b := append(xmpp.AppendAttr([]byte("<pubsub xmlns='"+ns+"'><affiliations"), "node", c.node), '>')
	for _, a := range list {
		b = xmpp.AppendAttr(append(b, "<affiliation"...), "node", a.Node)
		b = append(xmpp.AppendAttr(b, "affiliation", string(a.Affiliation)), "/>"...)
	}
	return outcome{answer: string(append(b, "</affiliations></pubsub>"...))}, nil
}
