package pubsub

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// create is XEP-0060 section 8.1.
func (p *PubSub) create(ctx context.Context, c *call) (outcome, error) {
	if !c.owner {
		return outcome{}, forbidden()
	}
	name := c.node
	if name == "" {
		name = rand.Text()
	}
	n := Node{Owner: c.svc.ID, JID: c.svc.String(), Name: name, Config: defaults(), Created: p.router.Now()}
	if err := p.submitted(&n.Config, c.options); err != nil {
		return outcome{}, err
	}
	switch _, err := p.store.Node(ctx, c.svc.ID, name); {
	case err == nil:
		return outcome{}, fail(xstanza.Conflict, xstanza.Cancel, "")
	case !errors.Is(err, identity.ErrNotFound):
		return outcome{}, err
	}
	nodes, _, err := p.store.Usage(ctx, c.svc.ID)
	if err != nil {
		return outcome{}, err
	}
	if nodes >= p.limits.Nodes {
		return outcome{}, p.tooManyNodes()
	}
	if err := p.store.Write(ctx, func(w StoreWriter) error { return w.PutNode(ctx, n) }); err != nil {
		return outcome{}, err
	}
	return outcome{answer: string(append(xmpp.AppendAttr([]byte("<pubsub xmlns='"+ns+"'><create"), "node", name), "/></pubsub>"...))}, nil
}

// submitted changes a configuration as a form says; nil says nothing. Fields that there are not
// say nothing either.
func (p *PubSub) submitted(to *Config, f *xmpp.Form) error {
	if f == nil {
		return nil
	}
	if f.Type != xmpp.FormSubmit || f.Kind != nsNodeConfig && f.Kind != "" {
		return badRequest("")
	}
	want := *to
	switch _, bad := want.apply(f, &p.limits); bad {
	case "":
	case "access_model":
		return notAcceptable("unsupported-access-model")
	default:
		return tooMuch(xstanza.NotAcceptable, xstanza.Modify, "", "The value of "+bad+" cannot be.")
	}
	*to = want
	return nil
}

// configuration is section 8.2.1.
func (p *PubSub) configuration(ctx context.Context, c *call) (outcome, error) {
	n, err := c.own(ctx)
	if err != nil {
		return outcome{}, err
	}
	b := append(xmpp.AppendAttr([]byte("<pubsub xmlns='"+nsOwner+"'><configure"), "node", n.Name), '>')
	return outcome{answer: string(append(n.Config.form(xmpp.FormOpen).Append(b), "</configure></pubsub>"...))}, nil
}

// defaultConfiguration is section 8.3.
func (p *PubSub) defaultConfiguration(_ context.Context, c *call) (outcome, error) {
	if typ, ok := c.el.Attr("type"); ok && typ != "leaf" {
		return outcome{}, unsupported("collections")
	}
	d := defaults()
	return outcome{answer: "<pubsub xmlns='" + nsOwner + "'><default>" + string(d.form(xmpp.FormOpen).Append(nil)) + "</default></pubsub>"}, nil
}

// configure is section 8.2.4.
func (p *PubSub) configure(ctx context.Context, c *call) (outcome, error) {
	n, err := c.own(ctx)
	if err != nil {
		return outcome{}, err
	}
	f, ok := formIn(c.el)
	if !ok || f == nil {
		return outcome{}, badRequest("")
	}
	if f.Type == "cancel" {
		return outcome{}, nil
	}
	if err := p.submitted(&n.Config, f); err != nil {
		return outcome{}, err
	}
	var gone []string
	err = p.store.Write(ctx, func(w StoreWriter) error {
		if err := w.PutNode(ctx, n); err != nil {
			return err
		}
		if !n.Config.Persist {
			return w.RemoveItems(ctx, c.svc.ID, n.Name, time.Time{})
		}
		if n.Config.MaxItems == 0 {
			return nil
		}
		var err error
		gone, err = w.Trim(ctx, c.svc.ID, n.Name, n.Config.MaxItems)
		return err
	})
	if err != nil {
		return outcome{}, err
	}
	return outcome{tell: func() {
		if n.Config.NotifyConf && n.Config.Deliver {
			e := &event{svc: c.svc, node: &n}
			e.body = append(xmpp.AppendAttr([]byte("<event xmlns='"+nsEvent+"'><configuration"), "node", n.Name), '>')
			if n.Config.Payloads {
				e.body = n.Config.form(xmpp.FormResult).Append(e.body)
			}
			e.body = append(e.body, "</configuration></event>"...)
			p.notify(ctx, e)
		}
		if n.Config.NotifyItems && n.Config.Deliver {
			p.tellRetracted(ctx, c.svc, &n, gone[:min(len(gone), maxAtOnce)])
		}
	}}, nil
}

// remove is section 8.4.
func (p *PubSub) remove(ctx context.Context, c *call) (outcome, error) {
	n, err := c.own(ctx)
	if err != nil {
		return outcome{}, err
	}
	redirect := ""
	if r, ok := c.el.Only(nsOwner, "redirect"); ok {
		uri, _ := r.Attr("uri")
		if len(uri) > maxNameLength {
			return outcome{}, notAcceptable("")
		}
		redirect = string(append(xmpp.AppendAttr([]byte("<redirect"), "uri", uri), "/>"...))
	}
	e := &event{svc: c.svc, node: &n, all: true}
	e.body = append(xmpp.AppendAttr([]byte("<event xmlns='"+nsEvent+"'><delete"), "node", n.Name), ">"+redirect+"</delete></event>"...)
	tell, err := p.goes(ctx, e)
	if err != nil {
		return outcome{}, err
	}
	return outcome{tell: tell, after: func() { p.wereRetracted(ctx, c.svc, n.Name, []string{""}) }}, nil
}

// goes removes the node of an event. Who is to hear of it can be found only while the node is
// there, and nobody hears of what has not happened.
func (p *PubSub) goes(ctx context.Context, e *event) (tell func(), err error) {
	given, err := p.store.Affiliations(ctx, e.svc.ID, e.node.Name, "")
	if err != nil {
		return nil, err
	}
	subs, err := p.store.Subscriptions(ctx, e.svc.ID, e.node.Name, "")
	if err != nil {
		return nil, err
	}
	if err := p.store.Write(ctx, func(w StoreWriter) error { return w.RemoveNode(ctx, e.svc.ID, e.node.Name) }); err != nil {
		return nil, err
	}
	return func() {
		if e.node.Config.NotifyGone && e.node.Config.Deliver {
			p.spreadTo(ctx, e, given, subs)
		}
	}, nil
}

// purge is section 8.5.
func (p *PubSub) purge(ctx context.Context, c *call) (outcome, error) {
	n, err := c.own(ctx)
	if err != nil {
		return outcome{}, err
	}
	if !n.Config.Persist {
		return outcome{}, unsupported("persistent-items")
	}
	err = p.store.Write(ctx, func(w StoreWriter) error { return w.RemoveItems(ctx, c.svc.ID, n.Name, time.Time{}) })
	if err != nil {
		return outcome{}, err
	}
	return outcome{
		tell:  func() { p.tellPurged(ctx, c.svc, &n) },
		after: func() { p.wereRetracted(ctx, c.svc, n.Name, []string{""}) },
	}, nil
}

func (p *PubSub) tellPurged(ctx context.Context, svc xmpp.Owner, n *Node) {
	if !n.Config.Deliver {
		return
	}
	e := &event{svc: svc, node: n}
	e.body = append(xmpp.AppendAttr([]byte("<event xmlns='"+nsEvent+"'><purge"), "node", n.Name), "/></event>"...)
	p.notify(ctx, e)
}
