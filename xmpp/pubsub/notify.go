package pubsub

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/xmpp"
)

// event is something that subscribers hear of.
type event struct {
	svc  xmpp.Owner
	node *Node
	body []byte // the children of the message
	key  string // of those with the same key only the newest matters to a client that is away; "" for each
	all  bool   // pending subscribers too
}

// openItems begins an event about items.
func openItems(b []byte, node string) []byte {
	return append(xmpp.AppendAttr(append(b, "<event xmlns='"+nsEvent+"'><items"...), "node", node), '>')
}

// appendItem writes an item.
func appendItem(b []byte, n *Node, i *Item, payload bool) []byte {
	b = xmpp.AppendAttr(append(b, "<item"...), "id", i.ID)
	if n.Config.ItemReply == "publisher" {
		b = xmpp.AppendAttr(b, "publisher", bareOf(i.Publisher))
	}
	if !payload || len(i.Payload) == 0 {
		return append(b, "/>"...)
	}
	b = append(append(b, '>'), i.Payload...)
	return append(b, "</item>"...)
}

// delayed is the time of an item that is sent later than it was published (XEP-0203).
func delayed(i *Item) string {
	return "<delay xmlns='" + nsDelay + "' stamp='" + i.Published.UTC().Format(time.RFC3339) + "'/>"
}

func bareOf(full string) string {
	bare, _, _ := strings.Cut(full, "/")
	return bare
}

// message is a notification to an address.
func (e *event) message(to string) []byte {
	from := e.svc.String()
	b := make([]byte, 0, len(e.body)+len(to)+len(from)+96)
	b = append(b, "<message"...)
	if e.node.Config.NotifyType == "headline" {
		b = append(b, " type='headline'"...)
	}
	b = xmpp.AppendAttr(b, "id", rand.Text())
	b = xmpp.AppendAttr(b, "from", from)
	b = append(xmpp.AppendAttr(b, "to", to), '>')
	return append(append(b, e.body...), "</message>"...)
}

// put gives a client a notification. An inactive client can do without (XEP-0352).
func (e *event) put(s *xmpp.Stream) bool {
	key := e.key
	if key != "" {
		key = "pubsub\x00" + e.svc.String() + "\x00" + key
	}
	return s.PutState(key, e.message(s.FullJID()))
}

// notify sends an event to all who are to hear of it (XEP-0163 section 4). The account's book is
// held, so that events arrive in the order of changes.
func (p *PubSub) notify(ctx context.Context, e *event) {
	if err := p.spread(ctx, e); err != nil {
		p.log.Error("notifications not sent", "user", e.svc.String(), "node", e.node.Name, "error", err)
	}
}

func (p *PubSub) spread(ctx context.Context, e *event) error {
	given, err := p.store.Affiliations(ctx, e.svc.ID, e.node.Name, "")
	if err != nil {
		return err
	}
	subs, err := p.store.Subscriptions(ctx, e.svc.ID, e.node.Name, "")
	if err != nil {
		return err
	}
	p.spreadTo(ctx, e, given, subs)
	return nil
}

// spreadTo is notify for affiliations and subscriptions that have been read.
func (p *PubSub) spreadTo(ctx context.Context, e *event, given []Affiliated, subs []Subscription) {
	r := &round{p: p, event: e, wish: e.node.Name + "+notify", told: map[*xmpp.Stream]bool{}, standing: make(map[string]Affiliation, len(given))}
	for _, a := range given {
		r.standing[a.JID] = a.Affiliation
	}
	var buf [8]*xmpp.Stream
	for _, s := range p.router.AvailableStreams(buf[:0], e.svc.Address) {
		r.client(s)
	}
	if err := r.contacts(ctx); err != nil {
		p.log.Error("notifications not sent", "user", e.svc.String(), "node", e.node.Name, "error", err)
	}
	r.subscribers(ctx, subs)
}

// round is one event on its way; each client gets it once.
type round struct {
	p *PubSub
	*event
	wish     string // the feature of those who want it
	standing map[string]Affiliation
	told     map[*xmpp.Stream]bool
}

// client notifies a client where it wishes it, and reports whether it has been told by now.
func (r *round) client(s *xmpp.Stream) bool {
	if !r.told[s] && r.p.caps.Has(s, r.wish) && r.p.open(s) && r.put(s) {
		r.told[s] = true
	}
	return r.told[s]
}

// contacts notifies those whom the owner lets see its presence, where the access model makes them
// subscribers (XEP-0060 section 9.1.2).
func (r *round) contacts(ctx context.Context) error {
	switch r.node.Config.Access {
	case Open, Presence, Roster:
	default:
		return nil
	}
	roster, err := r.p.router.Roster(ctx, r.svc)
	if err != nil {
		return err
	}
	var buf [8]*xmpp.Stream
	for i := range roster.Contacts {
		c := &roster.Contacts[i]
		if !c.State.Has(xmpp.SubscriptionFrom) || r.node.Config.Access == Roster && !inGroups(c, r.node) {
			continue
		}
		if a := r.standing[c.JID]; a == Outcast || a == PublishOnly {
			continue
		}
		local, domain, ok := strings.Cut(c.JID, "@")
		if !ok || !r.p.router.Ours(domain) {
			continue
		}
		for _, s := range r.p.router.AvailableStreams(buf[:0], xmpp.NewAddress(local, domain)) {
			if !r.p.apart(r.svc, s.Owner()) {
				r.client(s)
			}
		}
	}
	return nil
}

// subscribers notifies those who have asked (XEP-0163 section 4.3.2).
func (r *round) subscribers(ctx context.Context, list []Subscription) {
	for _, sub := range list {
		to, err := jid.Parse(sub.JID)
		if err != nil || sub.Pending && !r.all {
			continue
		}
		who := xmpp.Owner{Address: xmpp.AddressOf(to), ID: sub.Account}
		a := r.standing[sub.Bare]
		switch {
		case who.ID == r.svc.ID:
			a = Owning
		case a == "" && r.node.Config.Access == Authorize:
			a = Member // the owner has said yes to this subscription, or is about to hear of it
		}
		// What the access model allowed once it may not allow any more.
		if r.p.allowed(ctx, r.svc, r.node, who.Address, a) != nil || r.p.apart(r.svc, who) {
			continue
		}
		r.address(ctx, to)
	}
}

// address notifies one that was subscribed: a client, or of an account each client that wishes it,
// or where none does the account.
func (r *round) address(ctx context.Context, to jid.JID) {
	if to.Resourcepart() != "" {
		if s := r.p.router.Stream(to); s != nil && !r.told[s] && r.p.open(s) && r.put(s) {
			r.told[s] = true
		}
		return
	}
	var buf [8]*xmpp.Stream
	reached := false
	for _, s := range r.p.router.AvailableStreams(buf[:0], xmpp.AddressOf(to)) {
		reached = r.client(s) || reached
	}
	if !reached {
		r.p.send(ctx, r.event, to.String())
	}
}

// send routes an event to a bare JID.
func (p *PubSub) send(ctx context.Context, e *event, to string) {
	st, err := xmpp.ParseStanza(e.message(to))
	if err == nil {
		err = p.router.Send(ctx, st)
	}
	if err != nil {
		p.log.Error("notification not sent", "user", e.svc.String(), "node", e.node.Name, slog.String("to", to), "error", err)
	}
}
