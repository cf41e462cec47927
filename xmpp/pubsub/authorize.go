package pubsub

import (
	"context"
	"errors"
	"slices"

	"trivium/identity"
	"trivium/xmpp"
)

// askOwner asks the owner of a node whether somebody may subscribe (XEP-0060 section 8.6). It is
// an ordinary message, so that it waits for an owner who is away.
func (p *PubSub) askOwner(ctx context.Context, svc xmpp.Owner, s Subscription) {
	n := &Node{Name: s.Node, Config: Config{NotifyType: "normal"}}
	e := &event{svc: svc, node: n}
	e.body = append(append([]byte("<body>"), xmpp.Escape(s.Bare+" asks to subscribe to "+s.Node+".")...), "</body>"...)
	f := openForm(nil, "form", nsAuthorize)
	f = appendField(f, "pubsub#node", "text-single", "Node", nil, []string{s.Node})
	f = appendField(f, "pubsub#subscriber_jid", "jid-single", "Who asks", nil, []string{s.JID})
	f = appendField(f, "pubsub#allow", "boolean", "Allow it", nil, []string{"false"})
	e.body = append(append(e.body, f...), "</x>"...)
	p.send(ctx, e, svc.String())
}

// authorization takes the owner's answer, which is a message to its own account.
func (p *PubSub) authorization(ctx context.Context, m *xmpp.Message) bool {
	if m.By == nil || m.Sender.ID == "" || m.Sender.ID != m.Recipient.ID || m.To.Resourcepart() != "" || !m.Has(nsData, "x") {
		return true
	}
	f, ok := formOf(&m.Element)
	if !ok || f == nil || f.kind != nsAuthorize || f.typ == "form" {
		return true
	}
	if f.typ != "submit" {
		return false // it goes on waiting
	}
	if err := p.authorize(ctx, m.Sender, f); err != nil {
		p.log.Error("answer about a subscription not handled", "user", m.Sender.String(), "error", err)
	}
	return false
}

// authorize does what the form says; one about what does not wait does nothing.
func (p *PubSub) authorize(ctx context.Context, svc xmpp.Owner, f *form) error {
	node, _ := f.field("pubsub#node")
	who, _ := f.field("pubsub#subscriber_jid")
	answer, _ := f.field("pubsub#allow")
	allow, ok := truth(answer.value())
	if !ok {
		return nil
	}
	defer p.lock(svc)()
	n, err := p.store.Node(ctx, svc.ID, node.value())
	if errors.Is(err, identity.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := p.store.Subscriptions(ctx, svc.ID, n.Name, "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(s Subscription) bool { return s.JID == who.value() && s.Pending })
	if i < 0 {
		return nil
	}
	out, err := p.decide(ctx, svc, &n, []decision{{list[i], allow}})
	if err != nil {
		return err
	}
	out.tell()
	return nil
}
