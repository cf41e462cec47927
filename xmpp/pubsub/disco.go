package pubsub

import (
	"context"
	"errors"
	"strconv"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// maxListed bounds the items of a node in one answer of disco#items; all are had by `<items/>`.
const maxListed = 1000

// nodes is what service discovery tells of the nodes of an account, to those who may read them.
type nodes struct{ p *PubSub }

// readable finds a node that the asking session may read.
func (d *nodes) readable(ctx context.Context, q *xmpp.Request, node string) (Node, bool) {
	if q.Account.ID == "" || q.By.Owner().ID == "" || !d.p.open(q.By) {
		return Node{}, false
	}
	n, err := d.p.store.Node(ctx, q.Account.ID, node)
	if err == nil {
		err = d.p.may(ctx, q.Account, &n, q.By.Owner())
	}
	d.note(err)
	return n, err == nil
}

// note logs an error that is not the client's.
func (d *nodes) note(err error) {
	var f *failure
	if err != nil && !errors.Is(err, identity.ErrNotFound) && !errors.As(err, &f) {
		d.p.log.Error("nodes not read", "error", err)
	}
}

// NodeInfo is XEP-0060 sections 5.3 and 5.4.
func (d *nodes) NodeInfo(ctx context.Context, q *xmpp.Request, node string) ([]byte, bool) {
	n, ok := d.readable(ctx, q, node)
	if !ok {
		return nil, false
	}
	b := []byte("<identity category='pubsub' type='leaf'/><feature var='" + ns + "'/>")
	f := xmpp.Form{Type: xmpp.FormResult, Kind: nsMetadata}
	add := func(name string, values ...string) {
		f.Fields = append(f.Fields, xmpp.Field{Var: "pubsub#" + name, Values: values})
	}
	for _, s := range settings() {
		switch s.name {
		case "title", "description", "language", "contact", "type", "access_model", "publish_model", "max_items":
			if v := s.get(&n.Config); len(v) > 0 {
				add(s.name, v...)
			}
		}
	}
	add("creation_date", n.Created.UTC().Format(time.RFC3339))
	add("creator", n.JID)
	add("owner", n.JID)
	if q.By.Owner().ID == n.Owner {
		list, err := d.p.store.Subscriptions(ctx, n.Owner, n.Name, "")
		d.note(err)
		add("num_subscribers", strconv.Itoa(len(list)))
	}
	return f.Append(b), true
}

// NodeItems is XEP-0060 sections 5.2 and 5.5.
func (d *nodes) NodeItems(ctx context.Context, q *xmpp.Request, node string) ([]byte, bool) {
	if node == "" {
		return d.list(ctx, q), true
	}
	n, ok := d.readable(ctx, q, node)
	if !ok {
		return nil, false
	}
	items, _, err := d.p.store.Items(ctx, n.Owner, n.Name, Page{Last: true, Max: maxListed, Bytes: answerBytes, Since: n.Config.since(d.p.router.Now())})
	d.note(err)
	var b []byte
	for i := range items {
		b = xmpp.AppendAttr(append(b, "<item"...), "jid", n.JID)
		b = append(xmpp.AppendAttr(b, "name", items[i].ID), "/>"...)
	}
	return b, true
}

// list are the nodes of an account that the asking session may read.
func (d *nodes) list(ctx context.Context, q *xmpp.Request) (b []byte) {
	if q.Account.ID == "" || q.By.Owner().ID == "" || !d.p.open(q.By) {
		return nil
	}
	all, err := d.p.store.Nodes(ctx, q.Account.ID)
	d.note(err)
	for i := range all {
		n := &all[i]
		if err := d.p.may(ctx, q.Account, n, q.By.Owner()); err != nil {
			d.note(err)
			continue
		}
		b = xmpp.AppendAttr(append(b, "<item"...), "jid", n.JID)
		b = xmpp.AppendAttr(b, "node", n.Name)
		b = append(xmpp.AppendAttr(b, "name", n.Config.Title), "/>"...)
	}
	return b
}
