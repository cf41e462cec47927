package pubsub

import (
	"context"
	"slices"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/xmpp"
)

// standing is what somebody may do at a node.
func (p *PubSub) standing(ctx context.Context, svc xmpp.Owner, node string, who xmpp.Owner) (Affiliation, error) {
	if who.ID == svc.ID {
		return Owning, nil
	}
	return p.store.Affiliation(ctx, svc.ID, node, who.String())
}

// may answers why somebody may not read a node, or subscribe to it (XEP-0060 sections 6.1.3 and
// 6.5.9). With access by authorization that is a subscription; wait is set where one waits for the
// owner or must be asked for.
func (p *PubSub) may(ctx context.Context, svc xmpp.Owner, n *Node, who xmpp.Owner) error {
	a, err := p.standing(ctx, svc, n.Name, who)
	if err != nil {
		return err
	}
	return p.allowed(ctx, svc, n, who.Address, a)
}

func (p *PubSub) allowed(ctx context.Context, svc xmpp.Owner, n *Node, who xmpp.Address, a Affiliation) error {
	switch a {
	case Owning, Publisher, Member:
		return nil
	case Outcast, PublishOnly:
		return forbidden()
	}
	switch n.Config.Access {
	case Open:
		return nil
	case Presence:
		if !p.router.Sees(ctx, who, svc) {
			return notAuthorized("presence-subscription-required")
		}
		return nil
	case Roster:
		if !p.router.Sees(ctx, who, svc) {
			return notAuthorized("presence-subscription-required")
		}
		in, err := p.inGroup(ctx, svc, n, who)
		if err == nil && !in {
			err = notAuthorized("not-in-roster-group")
		}
		return err
	case Authorize:
		list, err := p.store.Subscriptions(ctx, svc.ID, n.Name, who.String())
		if err == nil && !slices.ContainsFunc(list, func(s Subscription) bool { return !s.Pending }) {
			err = notAuthorized("not-subscribed")
		}
		return err
	}
	return fail(xstanza.NotAllowed, xstanza.Cancel, "closed-node")
}

// inGroup reports whether the owner's roster has somebody in one of the node's groups.
func (p *PubSub) inGroup(ctx context.Context, svc xmpp.Owner, n *Node, who xmpp.Address) (bool, error) {
	roster, err := p.router.Roster(ctx, svc)
	if err != nil {
		return false, err
	}
	name := who.String()
	for i := range roster.Contacts {
		if c := &roster.Contacts[i]; c.JID == name {
			return inGroups(c, n), nil
		}
	}
	return false, nil
}

func inGroups(c *xmpp.Contact, n *Node) bool {
	return slices.ContainsFunc(c.Groups, func(g string) bool { return slices.Contains(n.Config.Groups, g) })
}

// mayPublish answers why somebody may not publish (section 7.1.3.1).
func (p *PubSub) mayPublish(ctx context.Context, svc xmpp.Owner, n *Node, who xmpp.Owner) error {
	a, err := p.standing(ctx, svc, n.Name, who)
	if err != nil {
		return err
	}
	switch a {
	case Owning, Publisher, PublishOnly:
		return nil
	case Outcast:
		return forbidden()
	}
	if n.Config.Publish == publishers || p.allowed(ctx, svc, n, who.Address, a) != nil {
		return forbidden()
	}
	if n.Config.Publish == anybody {
		return nil
	}
	list, err := p.store.Subscriptions(ctx, svc.ID, n.Name, who.String())
	if err == nil && !slices.ContainsFunc(list, func(s Subscription) bool { return !s.Pending }) {
		err = forbidden()
	}
	return err
}

// apart reports whether one of two accounts has blocked the other.
func (p *PubSub) apart(a, b xmpp.Owner) bool {
	return p.router.Blocked(a, b.Address, "") || p.router.Blocked(b, a.Address, "")
}

// open reports whether the access policy lets the session of a client have to do with nodes now.
func (p *PubSub) open(s *xmpp.Stream) bool { return p.router.Allowed(s.Session(), resource) }
