package app

import (
	"context"
	"fmt"

	"trivium/xmpp"
	"trivium/xmpp/pubsub"
)

// nodes gives modules of chat the nodes of accounts in the form that they ask for: none knows
// another.
type nodes struct{ *pubsub.PubSub }

// Items lists what reader may read.
func (n nodes) Items(ctx context.Context, reader, owner xmpp.Owner, node string) ([]xmpp.Item, error) {
	if may, err := n.May(ctx, owner, node, reader); err != nil || !may {
		return nil, err
	}
	var list []xmpp.Item
	err := n.PubSub.Items(ctx, owner, node, func(id string, payload []byte) error {
		list = append(list, xmpp.Item{ID: id, Payload: payload})
		return nil
	})
	return list, err
}

// Publish makes the node with that access and number of items where it is not there. What is for
// its owner alone is not put where others read.
func (n nodes) Publish(ctx context.Context, owner xmpp.Owner, node string, item xmpp.Item, access string, max int) error {
	if access == string(pubsub.Whitelist) {
		list, err := n.Nodes(ctx, owner)
		if err != nil {
			return err
		}
		for _, there := range list {
			if there.Name == node && there.Config.Access != pubsub.Whitelist {
				return fmt.Errorf("publishing to %q: others may read it, as its access model is %q", node, there.Config.Access)
			}
		}
	}
	return n.PubSub.Publish(ctx, owner, node, item.ID, item.Payload, pubsub.Publishing{Config: func(c *pubsub.Config) {
		if access == string(pubsub.Whitelist) {
			pubsub.Private(c)
		}
		c.Access, c.Persist, c.MaxItems = pubsub.Access(access), true, max
	}})
}

// OnChange hears of all that changes a node.
func (n nodes) OnChange(changed func(ctx context.Context, owner xmpp.Owner, node string)) {
	n.OnPublish(func(ctx context.Context, owner xmpp.Owner, node, _ string, _ []byte) { changed(ctx, owner, node) })
	n.OnRetract(func(ctx context.Context, owner xmpp.Owner, node, _ string) { changed(ctx, owner, node) })
}
