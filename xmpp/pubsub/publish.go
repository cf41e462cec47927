package pubsub

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// publication is an item on its way into a node.
type publication struct {
	svc   xmpp.Owner
	node  Node
	fresh bool // the node is made by it
	item  Item
	given bool     // there is an item, not the mere event of a transient node
	gone  []string // items that had to make room
}

// publish is XEP-0060 section 7.1.
func (p *PubSub) publish(ctx context.Context, c *call) (outcome, error) {
	if c.node == "" {
		return outcome{}, badRequest("nodeid-required")
	}
	list, err := c.request.items()
	switch {
	case err != nil:
		return outcome{}, err
	case len(list) > 1: // section 7.1.1: one item at most
		return outcome{}, badRequest("")
	}
	pub := &publication{svc: c.svc}
	if err := p.target(ctx, pub, c); err != nil {
		return outcome{}, err
	}
	if len(list) == 1 {
		payload, err := list[0].payload()
		if err != nil {
			return outcome{}, err
		}
		pub.given, pub.item.ID, pub.item.Payload = true, list[0].id, bytes.Clone(payload)
	}
	pub.item.Publisher = c.By.FullJID()
	// Who may not remove an item may not write over it.
	if !c.owner && pub.item.ID != "" {
		if err := p.theirs(ctx, c, []string{pub.item.ID}); err != nil && !errors.Is(err, errGone) {
			return outcome{}, err
		}
	}
	if err := p.fits(pub); err != nil {
		return outcome{}, err
	}
	if err := p.put(ctx, pub); err != nil {
		return outcome{}, err
	}
	b := append(xmpp.AppendAttr([]byte("<pubsub xmlns='"+ns+"'><publish"), "node", c.node), '>')
	if pub.given {
		b = append(xmpp.AppendAttr(append(b, "<item"...), "id", pub.item.ID), "/>"...)
	}
	return outcome{
		answer: string(append(b, "</publish></pubsub>"...)),
		tell:   func() { p.announce(ctx, pub) },
		after:  func() { p.happened(ctx, pub) },
	}, nil
}

// target finds the node that is published to, or makes one (section 7.1.4), and checks the
// preconditions (section 7.1.5).
func (p *PubSub) target(ctx context.Context, pub *publication, c *call) error {
	n, err := p.store.Node(ctx, c.svc.ID, c.node)
	switch {
	case errors.Is(err, identity.ErrNotFound) && c.owner:
		n = Node{Owner: c.svc.ID, JID: c.svc.String(), Name: c.node, Config: defaults(), Created: p.router.Now()}
		pub.fresh = true
	case errors.Is(err, identity.ErrNotFound):
		return forbidden() // the same as for a node that is not for this publisher
	case err != nil:
		return err
	default:
		if err := p.mayPublish(ctx, c.svc, &n, c.who); err != nil {
			return err
		}
	}
	if c.options != nil {
		if c.options.Kind != nsOptions || c.options.Type != xmpp.FormSubmit {
			return badRequest("")
		}
		want := n.Config
		unknown, bad := want.apply(c.options, &p.limits)
		switch {
		case unknown != "" || bad != "", !pub.fresh && !want.equal(&n.Config):
			return preconditionNotMet()
		}
		n.Config = want
	}
	pub.node = n
	return nil
}

// fits checks an item against the configuration of its node (section 7.1.3).
func (p *PubSub) fits(pub *publication) error {
	c := &pub.node.Config
	largest := p.limits.Payload
	if c.MaxPayload > 0 {
		largest = min(largest, c.MaxPayload)
	}
	switch {
	case !pub.given && c.Persist:
		return badRequest("item-required")
	case pub.given && !c.Persist && !c.Payloads:
		return badRequest("item-forbidden")
	case len(pub.item.Payload) == 0 && c.Payloads:
		return badRequest("payload-required")
	case len(pub.item.Payload) > largest:
		return notAcceptable("payload-too-big")
	}
	if pub.given && pub.item.ID == "" {
		pub.item.ID = rand.Text()
	}
	pub.item.Published = p.router.Now()
	return nil
}

// put stores a publication. The account's book is held.
func (p *PubSub) put(ctx context.Context, pub *publication) error {
	owner, n := pub.svc.ID, &pub.node
	nodes, used, err := p.store.Usage(ctx, owner)
	if err != nil {
		return err
	}
	if pub.fresh && nodes >= p.limits.Nodes {
		return p.tooManyNodes()
	}
	stored := pub.given && n.Config.Persist
	if stored && used+pub.item.size() > p.limits.Bytes {
		return tooMuch(xstanza.ResourceConstraint, xstanza.Wait, "", "The published items of this account take all the room that they may. Remove some and try again.")
	}
	if !stored && !pub.fresh {
		return nil
	}
	keep := n.Config.MaxItems
	if keep == 0 {
		keep = p.limits.Items
	}
	return p.store.Write(ctx, func(w StoreWriter) error {
		if pub.fresh {
			if err := w.PutNode(ctx, *n); err != nil {
				return err
			}
		}
		if !stored {
			return nil
		}
		if since := n.Config.since(pub.item.Published); !since.IsZero() {
			if err := w.RemoveItems(ctx, owner, n.Name, since); err != nil {
				return err
			}
		}
		if err := w.PutItem(ctx, owner, n.Name, pub.item); err != nil {
			return err
		}
		if n.Config.Full == reject {
			// Section 7.1.3.4; one that takes the place of another always fits.
			count, err := w.Count(ctx, owner, n.Name, 0, n.Config.since(pub.item.Published))
			if err != nil || count <= keep {
				return err
			}
			return fail(xstanza.Conflict, xstanza.Cancel, "node-full")
		}
		pub.gone, err = w.Trim(ctx, owner, n.Name, keep)
		return err
	})
}

func (p *PubSub) tooManyNodes() error {
	return tooMuch(xstanza.PolicyViolation, xstanza.Modify, "", "This account has as many nodes as it may. Delete some and try again.")
}

// announce notifies of a publication. The account's book is held.
func (p *PubSub) announce(ctx context.Context, pub *publication) {
	n := &pub.node
	if !n.Config.Deliver {
		return
	}
	e := &event{svc: pub.svc, node: n, key: n.Name + "\x00" + pub.item.ID}
	if n.Config.MaxItems == 1 {
		e.key = n.Name // only the newest counts
	}
	e.body = openItems(nil, n.Name)
	if pub.given {
		e.body = appendItem(e.body, n, &pub.item, n.Config.Payloads)
	}
	e.body = append(e.body, "</items></event>"...)
	p.notify(ctx, e)
	if len(pub.gone) > 0 && n.Config.NotifyItems && n.Config.Full == retractOldest {
		p.tellRetracted(ctx, pub.svc, n, pub.gone)
	}
}

// happened tells other modules of a publication.
func (p *PubSub) happened(ctx context.Context, pub *publication) {
	for _, id := range pub.gone {
		for _, hook := range p.retracted {
			hook(ctx, pub.svc, pub.node.Name, id)
		}
	}
	for _, hook := range p.published {
		hook(ctx, pub.svc, pub.node.Name, pub.item.ID, pub.item.Payload)
	}
}

// retract is section 7.2; several items are one batch (section 12.10), which fails as a whole.
func (p *PubSub) retract(ctx context.Context, c *call) (outcome, error) {
	if c.node == "" {
		return outcome{}, badRequest("nodeid-required")
	}
	list, err := c.request.items()
	if err != nil {
		return outcome{}, err
	}
	if len(list) == 0 {
		return outcome{}, badRequest("item-required")
	}
	ids := make([]string, 0, len(list))
	for _, i := range list {
		if i.id == "" {
			return outcome{}, badRequest("item-required")
		}
		ids = append(ids, i.id)
	}
	a, err := p.standing(ctx, c.svc, c.node, c.who)
	if err != nil {
		return outcome{}, err
	}
	if a != Owning && a != Publisher && a != PublishOnly {
		return outcome{}, forbidden()
	}
	n, err := c.find(ctx)
	if err != nil {
		return outcome{}, err
	}
	if !n.Config.Persist {
		return outcome{}, unsupported("persistent-items")
	}
	if a != Owning {
		if err := p.theirs(ctx, c, ids); err != nil {
			return outcome{}, err
		}
	}
	if err := p.removeItems(ctx, c.svc, n.Name, ids); err != nil {
		return outcome{}, err
	}
	text, _ := c.el.Attr("notify")
	tell, _ := xmpp.ParseBool(text)
	return outcome{
		tell: func() {
			if (tell || n.Config.NotifyItems) && n.Config.Deliver {
				p.tellRetracted(ctx, c.svc, &n, ids)
			}
		},
		after: func() { p.wereRetracted(ctx, c.svc, n.Name, ids) },
	}, nil
}

// theirs checks that items are the asking account's own.
func (p *PubSub) theirs(ctx context.Context, c *call, ids []string) error {
	own := c.who.String()
	for _, id := range ids {
		i, err := p.store.Item(ctx, c.svc.ID, c.node, id)
		switch {
		case errors.Is(err, identity.ErrNotFound):
			return errGone
		case err != nil:
			return err
		case bareOf(i.Publisher) != own:
			return forbidden()
		}
	}
	return nil
}

// removeItems removes all of the items or none.
func (p *PubSub) removeItems(ctx context.Context, svc xmpp.Owner, node string, ids []string) error {
	return p.store.Write(ctx, func(w StoreWriter) error {
		for _, id := range ids {
			there, err := w.RemoveItem(ctx, svc.ID, node, id)
			if err != nil {
				return err
			}
			if !there {
				return notFound()
			}
		}
		return nil
	})
}

// wereRetracted tells other modules.
func (p *PubSub) wereRetracted(ctx context.Context, svc xmpp.Owner, node string, ids []string) {
	for _, hook := range p.retracted {
		for _, id := range ids {
			hook(ctx, svc, node, id)
		}
	}
}

// tellRetracted notifies of items that have gone.
func (p *PubSub) tellRetracted(ctx context.Context, svc xmpp.Owner, n *Node, ids []string) {
	for _, id := range ids {
		e := &event{svc: svc, node: n, key: n.Name + "\x00" + id}
		e.body = openItems(nil, n.Name)
		e.body = append(xmpp.AppendAttr(append(e.body, "<retract"...), "id", id), "/></items></event>"...)
		p.notify(ctx, e)
	}
}
