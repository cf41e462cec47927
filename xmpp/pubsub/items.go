package pubsub

import (
	"context"
	"errors"

	"trivium/identity"
	"trivium/xmpp"
)

// answerBytes bounds the items of one answer. It has room for all bookmarks or displayed states of
// an account: clients do not ask for pages of these.
const answerBytes = 512 << 10

// items is XEP-0060 section 6.5.
func (p *PubSub) items(ctx context.Context, c *call) (outcome, error) {
	n, err := c.find(ctx)
	if err != nil {
		return outcome{}, err
	}
	if err := p.may(ctx, c.svc, &n, c.who); err != nil {
		return outcome{}, err
	}
	if !n.Config.Persist {
		return outcome{}, unsupported("persistent-items")
	}
	asked, err := c.request.items()
	if err != nil {
		return outcome{}, err
	}
	var list []Item
	set := ""
	if len(asked) > 0 {
		list, err = p.named(ctx, &n, asked)
	} else {
		list, set, err = p.page(ctx, c, &n)
	}
	if err != nil {
		return outcome{}, err
	}
	b := append(xmpp.AppendAttr([]byte("<pubsub xmlns='"+ns+"'><items"), "node", n.Name), '>')
	for i := range list {
		b = appendItem(b, &n, &list[i], true)
	}
	return outcome{answer: string(append(append(append(b, "</items>"...), set...), "</pubsub>"...))}, nil
}

// named are the items of given IDs; those that are not there are left out (section 6.5.9.12).
func (p *PubSub) named(ctx context.Context, n *Node, asked []item) (list []Item, err error) {
	since := n.Config.since(p.router.Now())
	var size int64
	for _, a := range asked {
		i, err := p.store.Item(ctx, n.Owner, n.Name, a.id)
		if errors.Is(err, identity.ErrNotFound) || err == nil && i.Published.Before(since) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if size += i.size(); size > answerBytes && len(list) > 0 {
			break
		}
		list = append(list, i)
	}
	return list, nil
}

// page are the items of a node, the most recent where a number is asked for (section 6.5.7), and
// what XEP-0059 says of them where the client asked by it or gets not all.
func (p *PubSub) page(ctx context.Context, c *call, n *Node) (list []Item, set string, err error) {
	recent, err := c.count()
	if err != nil {
		return nil, "", err
	}
	pg := Page{Max: p.limits.Items, Bytes: answerBytes, Since: n.Config.since(p.router.Now())}
	if recent > 0 {
		pg.Last, pg.Max = true, min(recent, pg.Max)
	}
	if c.paging != nil {
		if err := p.bound(ctx, c.paging, n, &pg); err != nil {
			return nil, "", err
		}
	}
	more := false
	if pg.Max > 0 {
		if list, more, err = p.store.Items(ctx, n.Owner, n.Name, pg); err != nil {
			return nil, "", err
		}
	}
	if c.paging == nil && (!more || recent > 0 && len(list) == recent) {
		return list, "", nil
	}
	count, err := p.store.Count(ctx, n.Owner, n.Name, 0, pg.Since)
	if err != nil {
		return nil, "", err
	}
	r := xmpp.ResultSet{Count: count}
	if len(list) > 0 {
		r.First, r.Last = list[0].ID, list[len(list)-1].ID
		if r.Index, err = p.store.Count(ctx, n.Owner, n.Name, list[0].Seq, pg.Since); err != nil {
			return nil, "", err
		}
	}
	return list, string(r.Append(nil)), nil
}

// bound reads what a client asks for by XEP-0059.
func (p *PubSub) bound(ctx context.Context, a *xmpp.Paging, n *Node, pg *Page) error {
	if a.Index {
		return unsupported("rsm-index")
	}
	if a.Max >= 0 {
		pg.Max = min(a.Max, pg.Max)
	}
	for _, x := range []struct {
		id string
		to *int64
	}{{a.After, &pg.After}, {a.Before, &pg.Before}} {
		if x.id == "" {
			continue
		}
		i, err := p.store.Item(ctx, n.Owner, n.Name, x.id)
		if errors.Is(err, identity.ErrNotFound) {
			return notFound() // XEP-0059 section 2.4
		}
		if err != nil {
			return err
		}
		*x.to = i.Seq
	}
	pg.Last = pg.Last || a.Backward
	return nil
}
