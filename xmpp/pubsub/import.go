package pubsub

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
	"trivium/xmpp"
)

// Import adds what an account brings from elsewhere (XEP-0227), and tells nobody: it is for a store on
// which no server works. What the account has already stays as it is, and what its limits have no room
// for is left out.
type Import struct {
	p     *PubSub
	owner xmpp.Owner
	at    time.Time       // when it is said to be published
	made  map[string]bool // of each node that it has come upon: whether it has made it
}

// Import begins one; at is now.
func (p *PubSub) Import(owner xmpp.Owner, at time.Time) *Import {
	return &Import{p: p, owner: owner, at: at, made: make(map[string]bool)}
}

// Node makes a node and configures it as a form says, of which it passes over what there is not here
// (XEP-0227 section 4.9.1). Without a form, until one comes, the node is for its owner alone. made is
// false where the account has the node already, or has as many as it may have.
func (i *Import) Node(ctx context.Context, name string, f *xmpp.Form) (made bool, err error) {
	if name == "" || len(name) > maxNameLength {
		return false, nil
	}
	n := Node{Owner: i.owner.ID, JID: i.owner.String(), Name: name, Config: i.config(f), Created: i.at}
	err = i.p.store.Write(ctx, func(w StoreWriter) error {
		made = false
		had, err := w.Node(ctx, n.Owner, name)
		switch {
		case err == nil && !i.made[name]:
			return nil
		case err == nil:
			n.Created = had.Created
		case !errors.Is(err, identity.ErrNotFound):
			return err
		}
		nodes, _, err := w.Usage(ctx, n.Owner)
		if err != nil || !i.made[name] && nodes >= i.p.limits.Nodes {
			return err
		}
		made = !i.made[name]
		return w.PutNode(ctx, n)
	})
	if err != nil {
		return false, err
	}
	i.made[name] = i.made[name] || made
	return made, nil
}

// config is what a form says as far as it can be. An access model that there is not is the strictest.
func (i *Import) config(f *xmpp.Form) Config {
	c := defaults()
	if f == nil {
		Private(&c)
		return c
	}
	for _, x := range f.Fields {
		next := c
		unknown, bad := next.apply(&xmpp.Form{Fields: []xmpp.Field{x}}, &i.p.limits)
		switch {
		case unknown == "" && bad == "":
			c = next
		case bad == "access_model":
			c.Access = Whitelist
		}
	}
	return c
}

// Affiliate gives an address an affiliation to a node that the import has made.
func (i *Import) Affiliate(ctx context.Context, node, address string, a Affiliation) error {
	j, err := jid.Parse(address)
	switch a {
	case Publisher, PublishOnly, Member, Outcast:
	default:
		return nil
	}
	if err != nil || !i.made[node] || xmpp.AddressOf(j) == i.owner.Address {
		return nil
	}
	return i.p.store.Write(ctx, func(w StoreWriter) error {
		list, err := w.Affiliations(ctx, i.owner.ID, node, "")
		if err != nil || len(list) >= i.p.limits.Affiliations {
			return err
		}
		return w.PutAffiliation(ctx, i.owner.ID, Affiliated{Node: node, JID: xmpp.AddressOf(j).String(), Affiliation: a})
	})
}

// Subscribe adds a subscription to a node that the import has made; account is whose address it is, ""
// for nobody of ours.
func (i *Import) Subscribe(ctx context.Context, node, address string, account identity.UserID, pending bool) error {
	j, err := jid.Parse(address)
	if err != nil || !i.made[node] {
		return nil
	}
	return i.p.store.Write(ctx, func(w StoreWriter) error {
		list, err := w.Subscriptions(ctx, i.owner.ID, node, "")
		if err != nil || len(list) >= i.p.limits.Subscriptions {
			return err
		}
		return w.PutSubscription(ctx, i.owner.ID, Subscription{Node: node, JID: j.String(), Bare: xmpp.AddressOf(j).String(), Account: account, Pending: pending})
	})
}

// Item adds an item behind those that are there, in a node that is made where there is none. Of a node
// that the import has made the newest stay, of another those that it had. added is false for an item
// that is there, or for which there is no room.
func (i *Import) Item(ctx context.Context, node, id string, payload []byte) (added bool, err error) {
	if _, known := i.made[node]; !known {
		if _, err := i.Node(ctx, node, nil); err != nil {
			return false, err
		}
	}
	if id == "" {
		id = rand.Text()
	}
	item := Item{ID: id, Payload: payload, Publisher: i.owner.String(), Published: i.at}
	if len(id) > maxItemID || len(payload) > i.p.limits.Payload {
		return false, nil
	}
	owner := i.owner.ID
	err = i.p.store.Write(ctx, func(w StoreWriter) error {
		added = false
		n, err := w.Node(ctx, owner, node)
		if errors.Is(err, identity.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Item(ctx, owner, node, id); !errors.Is(err, identity.ErrNotFound) {
			return err
		}
		_, used, err := w.Usage(ctx, owner)
		if err != nil {
			return err
		}
		keep := n.Config.MaxItems
		if keep == 0 {
			keep = i.p.limits.Items
		}
		if !n.Config.Persist || used+item.size() > i.p.limits.Bytes || !i.made[node] && n.Items >= keep {
			return nil
		}
		if err := w.PutItem(ctx, owner, node, item); err != nil {
			return err
		}
		added = true
		_, err = w.Trim(ctx, owner, node, keep)
		return err
	})
	return added && err == nil, err
}
