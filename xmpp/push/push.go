// Package push wakes clients that are away: it tells the push services which they have named that
// something has come (XEP-0357 0.4.1). It says that there is a message, not from whom nor what.
package push

import (
	"context"
	"encoding/xml"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// The namespaces.
const (
	ns        = "urn:xmpp:push:0"
	nsPubsub  = "http://jabber.org/protocol/pubsub"
	nsOptions = "http://jabber.org/protocol/pubsub#publish-options"
	nsSummary = "urn:xmpp:push:summary"
	nsClient  = "jabber:client"
)

// Bounds of what clients name.
const (
	maxServices = 20 // of one account
	maxNode     = 1024
	maxOptions  = 4096
)

// maxFaults is how many errors in a row a service may answer until it is no longer told.
const maxFaults = 10

// pause is the least time between two notices to one service about one account: what comes
// meanwhile is told at its end, as one.
const pause = 2 * time.Second

// Service is a push service that a client has named. JID and Node together name it.
type Service struct {
	JID      string
	Node     string
	Resource string // of the client that named it
	Options  []byte // the form that goes with each notice; nil where none was given
	Faults   int    // errors in a row
}

// Store is what push needs of a database.
type Store interface {
	// Services lists what an account has named, the newest last.
	Services(ctx context.Context, owner identity.UserID) ([]Service, error)
	// PutService adds a service or replaces the one of that JID and node.
	PutService(ctx context.Context, owner identity.UserID, s Service) error
	// DropServices removes those of a JID, or that of a JID and node; with an empty JID all.
	DropServices(ctx context.Context, owner identity.UserID, jid string, node *string) error
}

// Push is the module.
type Push struct {
	store  Store
	router *xmpp.Router
	log    *slog.Logger

	mu    sync.Mutex
	known map[identity.UserID][]*target // as the store has them; what is not there has not been read
	bytes int                           // that known takes
	made  int                           // times that the map was changed
}

// maxKnown is how many accounts' services are kept in memory.
const maxKnown = 50_000

// maxKnownBytes bounds what they take together, as [weigh] estimates it.
const maxKnownBytes = 32 << 20

// target is a service with what has been told to it.
type target struct {
	Service
	last  time.Time
	count int         // messages since the client was last there
	timer *time.Timer // runs while a notice waits for the pause to end
}

// New makes the module.
func New(store Store) *Push { return &Push{store: store, known: map[identity.UserID][]*target{}} }

// Register implements xmpp.Module.
func (p *Push) Register(reg *xmpp.Registrar) {
	p.router, p.log = reg.Router, reg.Log()
	name := func(local string) xml.Name { return xml.Name{Space: ns, Local: local} }
	reg.Serve(
		xmpp.Service{To: xmpp.ToSelf, Name: name("enable"), Resource: "xmpp:push", SetOnly: true, Answer: p.enable},
		xmpp.Service{To: xmpp.ToSelf, Name: name("disable"), Resource: "xmpp:push", SetOnly: true, Answer: p.disable},
	)
	reg.Delivered(p.delivered)
	reg.Undelivered(p.undelivered)
	reg.Up(p.up)
	reg.Removed(func(ctx context.Context, id identity.UserID) error {
		p.forget(id)
		return p.store.DropServices(ctx, id, "", nil)
	})
}

// enable is section 5.
func (p *Push) enable(ctx context.Context, q *xmpp.Request) {
	s, ok := p.named(q)
	if !ok {
		return
	}
	list, err := p.store.Services(ctx, q.Account.ID)
	if err != nil {
		q.Broken(err)
		return
	}
	known := slices.ContainsFunc(list, func(o Service) bool { return o.JID == s.JID && o.Node == s.Node })
	if !known && len(list) >= maxServices {
		q.FailText(xstanza.PolicyViolation, xstanza.Wait, "Too many clients of this account want to be woken. Disable one first.", "")
		return
	}
	if err := p.store.PutService(ctx, q.Account.ID, s); err != nil {
		q.Broken(err)
		return
	}
	p.forget(q.Account.ID)
	q.Result("")
}

// named reads a request to enable; false where it has been answered with an error.
func (p *Push) named(q *xmpp.Request) (Service, bool) {
	el, err := q.Payload()
	if err != nil {
		q.Bad()
		return Service{}, false
	}
	if q.Account.ID == "" {
		q.Fail(xstanza.NotAllowed, xstanza.Cancel)
		return Service{}, false
	}
	s := Service{Resource: q.By.Resource()}
	text, _ := el.Attr("jid")
	s.Node, _ = el.Attr("node")
	j, err := jid.Parse(text)
	if err != nil {
		q.Fail(xstanza.JIDMalformed, xstanza.Modify)
		return Service{}, false
	}
	s.JID = j.String()
	if form, ok := el.Only("jabber:x:data", "x"); ok {
		if f, ok := xmpp.ReadForm(form); ok && f.Kind == nsOptions {
			s.Options = form.Bytes()
		}
	}
	// A client that named itself would be woken by its own notices.
	if len(s.Node) > maxNode || len(s.Options) > maxOptions || xmpp.AddressOf(j) == q.Account.Address {
		q.Fail(xstanza.NotAcceptable, xstanza.Modify)
		return Service{}, false
	}
	return s, true
}

// disable is section 6.
func (p *Push) disable(ctx context.Context, q *xmpp.Request) {
	el, err := q.Payload()
	if err != nil {
		q.Bad()
		return
	}
	text, _ := el.Attr("jid")
	j, err := jid.Parse(text)
	if err != nil {
		q.Fail(xstanza.JIDMalformed, xstanza.Modify)
		return
	}
	var node *string
	if n, ok := el.Attr("node"); ok {
		node = &n
	}
	if err := p.store.DropServices(ctx, q.Account.ID, j.String(), node); err != nil {
		q.Broken(err)
		return
	}
	p.forget(q.Account.ID)
	q.Result("")
}
