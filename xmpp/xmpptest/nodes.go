package xmpptest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"trivium/identity"
	"trivium/xmpp"
)

// Nodes are nodes of accounts in memory, for modules that use those of package pubsub through an
// interface: without notifications, and each node readable by its owner, or by all where it was
// made open.
type Nodes struct {
	mu      sync.Mutex
	items   map[nodeName][]xmpp.Item
	open    map[nodeName]bool
	changed []func(context.Context, xmpp.Owner, string)
	changes int
}

type nodeName struct {
	owner identity.UserID
	node  string
}

// Items lists what reader may read.
func (n *Nodes) Items(_ context.Context, reader, owner xmpp.Owner, node string) ([]xmpp.Item, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	k := nodeName{owner.ID, node}
	if reader != owner && !n.open[k] {
		return nil, nil
	}
	return slices.Clone(n.items[k]), nil
}

// Publish adds or replaces an item.
func (n *Nodes) Publish(ctx context.Context, owner xmpp.Owner, node string, item xmpp.Item, access string, max int) error {
	n.mu.Lock()
	if n.items == nil {
		n.items, n.open = map[nodeName][]xmpp.Item{}, map[nodeName]bool{}
	}
	k := nodeName{owner.ID, node}
	if _, there := n.items[k]; !there {
		n.open[k] = access == "open"
	}
	if n.open[k] && access == "whitelist" {
		n.mu.Unlock()
		return errors.New("the node is open")
	}
	list := slices.DeleteFunc(n.items[k], func(i xmpp.Item) bool { return i.ID == item.ID })
	list = append(list, item)
	if max > 0 && len(list) > max {
		list = list[len(list)-max:]
	}
	n.items[k] = list
	n.mu.Unlock()
	n.tell(ctx, owner, node)
	return nil
}

// Retract removes an item.
func (n *Nodes) Retract(ctx context.Context, owner xmpp.Owner, node, id string) error {
	n.mu.Lock()
	k := nodeName{owner.ID, node}
	n.items[k] = slices.DeleteFunc(n.items[k], func(i xmpp.Item) bool { return i.ID == id })
	n.mu.Unlock()
	n.tell(ctx, owner, node)
	return nil
}

// Changes is how often a node was changed.
func (n *Nodes) Changes() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changes
}

// OnChange adds a hook.
func (n *Nodes) OnChange(changed func(ctx context.Context, owner xmpp.Owner, node string)) {
	n.changed = append(n.changed, changed)
}

func (n *Nodes) tell(ctx context.Context, owner xmpp.Owner, node string) {
	n.mu.Lock()
	n.changes++
	n.mu.Unlock()
	for _, hook := range n.changed {
		hook(ctx, owner, node)
	}
}
