package pubsub

import (
	"context"
	"errors"
	"fmt"

	"trivium/identity"
	"trivium/xmpp"
)

// What other modules use, through interfaces that they declare.

// Publishing are the options of Publish.
type Publishing struct {
	Config    func(c *Config) // changes the defaults of a node that is made; nil leaves them
	Publisher string          // full or bare JID; "" for the owner
	Quiet     bool            // OnPublish is not called, for what came from there
}

// Private is the configuration of data for oneself: all items are kept, and nobody else may read
// them (XEP-0223, XEP-0402, XEP-0490).
func Private(c *Config) {
	c.Access, c.Persist, c.MaxItems, c.SendLast = Whitelist, true, 0, never
}

// Public is the configuration of one item that everybody may read.
func Public(c *Config) { c.Access, c.Persist, c.MaxItems = Open, true, 1 }

// OnPublish registers what is called after each publication; payload may be empty and is not
// changed. The hook may publish itself, but must end: what it publishes calls it, too, unless
// Quiet. It is registered before the first connection.
func (p *PubSub) OnPublish(hook func(ctx context.Context, owner xmpp.Owner, node, id string, payload []byte)) {
	p.published = append(p.published, hook)
}

// OnRetract registers what is called after an item was removed; id is "" where the node was purged
// or deleted. Items that expired are not told.
func (p *PubSub) OnRetract(hook func(ctx context.Context, owner xmpp.Owner, node, id string)) {
	p.retracted = append(p.retracted, hook)
}

// Item reads the payload of one item as its owner may.
func (p *PubSub) Item(ctx context.Context, owner xmpp.Owner, node, id string) (payload []byte, ok bool, err error) {
	i, err := p.store.Item(ctx, owner.ID, node, id)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, false, nil
	}
	return i.Payload, err == nil, err
}

// Last reads the item of a node that was published last.
func (p *PubSub) Last(ctx context.Context, owner xmpp.Owner, node string) (id string, payload []byte, ok bool, err error) {
	list, _, err := p.store.Items(ctx, owner.ID, node, Page{Last: true, Max: 1, Bytes: 1})
	if err != nil || len(list) == 0 {
		return "", nil, false, err
	}
	return list[0].ID, list[0].Payload, true, nil
}

// Items calls fn for each item of a node in the order of publication, until it returns an error,
// which comes back.
func (p *PubSub) Items(ctx context.Context, owner xmpp.Owner, node string, fn func(id string, payload []byte) error) error {
	return p.each(ctx, owner.ID, node, func(i Item) error { return fn(i.ID, i.Payload) })
}

func (p *PubSub) each(ctx context.Context, owner identity.UserID, node string, fn func(Item) error) error {
	const batch = 100
	for after := int64(0); ; {
		list, more, err := p.store.Items(ctx, owner, node, Page{After: after, Max: batch, Bytes: answerBytes})
		if err != nil {
			return err
		}
		for _, i := range list {
			if err := fn(i); err != nil {
				return err
			}
			after = i.Seq
		}
		if !more {
			return nil
		}
	}
}

// Nodes lists the nodes of an account by name.
func (p *PubSub) Nodes(ctx context.Context, owner xmpp.Owner) ([]Node, error) {
	return p.store.Nodes(ctx, owner.ID)
}

// May reports whether somebody may read a node, such as an avatar that is shown elsewhere.
func (p *PubSub) May(ctx context.Context, owner xmpp.Owner, node string, who xmpp.Owner) (bool, error) {
	n, err := p.store.Node(ctx, owner.ID, node)
	if err == nil {
		err = p.may(ctx, owner, &n, who)
	}
	var f *failure
	if errors.As(err, &f) || errors.Is(err, identity.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Publish publishes for an account, in a node that is made where there is none, and notifies.
// payload is one whole element that stands for itself. A nil error means that it is on disk.
func (p *PubSub) Publish(ctx context.Context, owner xmpp.Owner, node, id string, payload []byte, o Publishing) error {
	if node == "" || len(node) > maxNameLength || len(id) > maxItemID {
		return fmt.Errorf("publishing to %q: %w", node, notAcceptable(""))
	}
	pub := &publication{svc: owner, given: true, item: Item{ID: id, Payload: payload, Publisher: o.Publisher}}
	if o.Publisher == "" {
		pub.item.Publisher = owner.String()
	}
	if err := p.publishFor(ctx, pub, node, o); err != nil {
		return fmt.Errorf("publishing to %q: %w", node, err)
	}
	if !o.Quiet {
		p.happened(ctx, pub)
	}
	return nil
}

func (p *PubSub) publishFor(ctx context.Context, pub *publication, node string, o Publishing) error {
	defer p.lock(pub.svc)()
	n, err := p.store.Node(ctx, pub.svc.ID, node)
	if errors.Is(err, identity.ErrNotFound) {
		n, err = Node{Owner: pub.svc.ID, JID: pub.svc.String(), Name: node, Config: defaults(), Created: p.router.Now()}, nil
		pub.fresh = true
		if o.Config != nil {
			o.Config(&n.Config)
		}
	}
	if err != nil {
		return err
	}
	pub.node = n
	if err := p.fits(pub); err != nil {
		return err
	}
	if err := p.put(ctx, pub); err != nil {
		return err
	}
	p.announce(ctx, pub)
	return nil
}

// Retract removes an item and notifies of it; one that is not there is no error.
func (p *PubSub) Retract(ctx context.Context, owner xmpp.Owner, node, id string) error {
	defer p.lock(owner)()
	n, err := p.store.Node(ctx, owner.ID, node)
	if errors.Is(err, identity.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = p.removeItems(ctx, owner, node, []string{id})
	var f *failure
	if errors.As(err, &f) {
		return nil
	}
	if err == nil && n.Config.Deliver {
		p.tellRetracted(ctx, owner, &n, []string{id})
	}
	return err
}

// Export walks all that an account has published (XEP-0227): each node, with who may do what at
// it and who is subscribed, and its items in the order of publication. The functions may be nil.
func (p *PubSub) Export(ctx context.Context, owner xmpp.Owner, node func(Node, []Affiliated, []Subscription) error, item func(Node, Item) error) error {
	list, err := p.store.Nodes(ctx, owner.ID)
	if err != nil {
		return err
	}
	for _, n := range list {
		given, err := p.store.Affiliations(ctx, owner.ID, n.Name, "")
		if err != nil {
			return err
		}
		subs, err := p.store.Subscriptions(ctx, owner.ID, n.Name, "")
		if err != nil {
			return err
		}
		if node != nil {
			if err := node(n, given, subs); err != nil {
				return err
			}
		}
		if item == nil {
			continue
		}
		if err := p.each(ctx, owner.ID, n.Name, func(i Item) error { return item(n, i) }); err != nil {
			return err
		}
	}
	return nil
}

// Form is the configuration as a data form of type submit, as an export has it (XEP-0227 section
// 4.7).
func (c *Config) Form() []byte { return c.form(xmpp.FormSubmit).Append(nil) }
