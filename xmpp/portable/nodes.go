package portable

import (
	"context"
	"encoding/xml"

	"trivium/xmpp"
)

// node reads what is said about one node: its configuration, affiliations or subscriptions (section
// 4.9.1).
func (i *importer) node(ctx context.Context, p *person, e xml.StartElement) error {
	name := attr(e, "node")
	el, err := i.whole(e)
	if err != nil {
		return err
	}
	switch e.Name.Local {
	case "configure":
		form, ok := el.Form()
		if !ok {
			p.fault("the configuration of a node")
		}
		if form == nil {
			form = &xmpp.Form{} // as the server has it by itself
		}
		made := true
		if !i.dry {
			if made, err = p.nodes.Node(ctx, name, form); err != nil {
				return err
			}
		}
		if made {
			p.Nodes++
		} else {
			p.NodesLeft++
		}
		return nil
	case "affiliations":
		return i.entries(el, "affiliation", func(jid, value string) error { return p.nodes.Affiliate(ctx, name, jid, value) })
	case "subscriptions":
		return i.entries(el, "subscription", func(jid, value string) error { return p.nodes.Subscribe(ctx, name, jid, value) })
	}
	p.leave(e.Name.Local)
	return nil
}

// entries calls fn with the address and the value of each child of a name; the value stands in an
// attribute of that name.
func (i *importer) entries(el *xmpp.Element, name string, fn func(jid, value string) error) error {
	if i.dry {
		return nil
	}
	for _, c := range el.Children {
		if c.Name.Local != name {
			continue
		}
		child, err := el.Child(c)
		if err != nil {
			return err
		}
		jid, _ := child.Attr("jid")
		value, _ := child.Attr(name)
		if err := fn(jid, value); err != nil {
			return err
		}
	}
	return nil
}

// nodeItems reads the items of one node, one after the other (section 4.9.2).
func (i *importer) nodeItems(ctx context.Context, p *person, e xml.StartElement) error {
	if e.Name.Local != "items" {
		p.leave(e.Name.Local)
		_, err := i.skip("")
		return err
	}
	name := attr(e, "node")
	p.avatars, p.cards = p.avatars || name == nsAvatar, p.cards || name == nodeCard
	return i.children(func(e xml.StartElement) error {
		el, err := i.whole(e)
		if err != nil {
			return err
		}
		if e.Name.Local != "item" || len(el.Children) != 1 {
			p.fault("an item of a node")
			return nil
		}
		payload, err := el.Child(el.Children[0])
		if err != nil {
			return err
		}
		added := true
		if !i.dry {
			if added, err = p.nodes.Item(ctx, name, attr(e, "id"), payload.Bytes()); err != nil {
				return err
			}
		}
		if added {
			p.Items++
		} else {
			p.ItemsLeft++
		}
		return nil
	})
}

// fault notes what could not be read.
func (p *person) fault(what string) {
	if len(p.Faults) < maxFaults {
		p.Faults = append(p.Faults, what)
	}
}
