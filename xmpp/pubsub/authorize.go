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
	f := xmpp.Form{Type: xmpp.FormOpen, Kind: nsAuthorize, Fields: []xmpp.Field{
		{Var: "pubsub#node", Type: "text-single", Label: "Node", Values: []string{s.Node}},
		{Var: "pubsub#subscriber_jid", Type: "jid-single", Label: "Who asks", Values: []string{s.JID}},
		{Var: "pubsub#allow", Type: "boolean", Label: "Allow it", Values: []string{"false"}},
	}}
	e.body = f.Append(e.body)
	p.send(ctx, e, svc.String())
}

// authorization takes the owner's answer, which is a message to its own account.
func (p *PubSub) authorization(ctx context.Context, m *xmpp.Message) bool {
	if m.By == nil || m.Sender.ID == "" || m.Sender.ID != m.Recipient.ID || m.To.Resourcepart() != "" {
		return true
	}
	f, ok := formIn(&m.Element)
	if !ok || f == nil || f.Kind != nsAuthorize || f.Type == xmpp.FormOpen {
		return true
	}
	if f.Type != xmpp.FormSubmit {
		return false // it goes on waiting
	}
	if err := p.authorize(ctx, m.Sender, f); err != nil {
		p.log.Error("answer about a subscription not handled", "user", m.Sender.String(), "error", err)
	}
	return false
}

// authorize does what the form says; one about what does not wait does nothing.
func (p *PubSub) authorize(ctx context.Context, svc xmpp.Owner, f *xmpp.Form) error {
	node, _ := f.Field("pubsub#node")
	who, _ := f.Field("pubsub#subscriber_jid")
	answer, _ := f.Field("pubsub#allow")
	allow, ok := xmpp.ParseBool(answer.Value())
	if !ok {
		return nil
	}
	defer p.lock(svc)()
	n, err := p.store.Node(ctx, svc.ID, node.Value())
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
	i := slices.IndexFunc(list, func(s Subscription) bool { return s.JID == who.Value() && s.Pending })
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
