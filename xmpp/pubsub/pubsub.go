package pubsub

import (
	"context"
	"encoding/xml"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// Capabilities says what clients support (XEP-0115).
type Capabilities interface {
	// Features are the features of a client, sorted; false while they are not known.
	Features(s *xmpp.Stream) (features []string, ok bool)
	// Has reports whether a client is known to support a feature.
	Has(s *xmpp.Stream, feature string) bool
	// Learned registers what is called when the features of a client have become known after its
	// presence; it must not wait.
	Learned(hook func(ctx context.Context, s *xmpp.Stream))
}

// Limits bound what an account keeps.
type Limits struct {
	Nodes         int   // of an account
	Items         int   // of a node, which is what "max" means
	Payload       int   // bytes of one item
	Bytes         int64 // of all items of an account
	Subscriptions int   // to a node
	Subscriber    int   // of one account to the nodes of another
	Affiliations  int   // at a node
	Burst         int   // changes that an account may make at once
	PerMinute     int   // changes that it may make after that; 0: as many as it likes
}

// DefaultLimits are for stanzas of at most stanza bytes: a payload is half of one, so that a
// notification is always smaller than what the client could send.
func DefaultLimits(stanza int64) Limits {
	return Limits{
		Nodes: 500, Items: 10000, Payload: int(stanza / 2), Bytes: 16 << 20,
		Subscriptions: 1000, Subscriber: 100, Affiliations: 500, Burst: 1000, PerMinute: 300,
	}
}

// Options are what New needs.
type Options struct {
	Store  Store
	Caps   Capabilities
	Limits Limits
	// Alone says that nobody else changes what the store has, such as another process: then it is known
	// whose nodes need not be looked at when they leave.
	Alone bool
}

// PubSub is the module.
type PubSub struct {
	router *xmpp.Router
	store  Store
	caps   Capabilities
	limits Limits
	log    *slog.Logger
	pace   pace

	published []func(ctx context.Context, owner xmpp.Owner, node, id string, payload []byte)
	retracted []func(ctx context.Context, owner xmpp.Owner, node, id string)

	// books keep the changes of one account and their notifications in one order. No other lock of
	// this package is taken with one, and the router's own never wait for one.
	books [64]sync.Mutex
	seed  maphash.Seed

	mu      sync.Mutex // guards what follows
	greeted map[*xmpp.Stream]struct{}
	waiting map[*xmpp.Stream][]string // whose last items go to a client next; it has a goroutine

	lasting *lasting // nil: nobody knows
}

// New makes the module.
func New(o Options) *PubSub {
	p := &PubSub{store: o.Store, caps: o.Caps, limits: o.Limits, seed: maphash.MakeSeed(), greeted: map[*xmpp.Stream]struct{}{}, waiting: map[*xmpp.Stream][]string{}}
	if o.Alone {
		p.lasting = newLasting()
		p.store = watched{o.Store, p.lasting}
	}
	return p
}

// resource is what the access policy calls it.
const resource identity.Resource = "xmpp:pubsub"

// Register implements xmpp.Module.
func (p *PubSub) Register(reg *xmpp.Registrar) {
	p.router, p.log = reg.Router, reg.Log()
	for _, to := range []xmpp.Target{xmpp.ToSelf, xmpp.ToAccount} {
		for _, space := range []string{ns, nsOwner} {
			reg.Serve(xmpp.Service{To: to, Name: xml.Name{Space: space, Local: "pubsub"}, Resource: resource, Set: true, Quiet: true, Answer: p.answer})
		}
		reg.FeatureOf(resource, to, "pubsub", "pep", features()...)
		reg.Nodes(to, &nodes{p})
	}
	// XEP-0223 section 5: clients look at the server, too. It has no nodes of its own, though, which
	// all the other features would promise.
	reg.FeatureOf(resource, xmpp.ToServer, "pubsub", "pep", ns+"#publish", ns+"#publish-options")
	reg.Presence(p.presence)
	reg.Relation(p.relation)
	reg.Down(p.down)
	reg.Check(p.authorization)
	reg.Removed(p.store.Remove)
	p.caps.Learned(p.learned)
}

// features is what works, by the names of XEP-0060 section 10; those of access models name the
// default.
func features() []string {
	list := []string{ns}
	for _, f := range []string{
		"access-presence", "auto-create", "auto-subscribe", "config-node", "config-node-max", "create-and-configure",
		"create-nodes", "delete-items", "delete-nodes", "filtered-notifications", "instant-nodes", "item-ids", "last-published",
		"manage-subscriptions", "member-affiliation", "meta-data", "modify-affiliations", "multi-items", "outcast-affiliation",
		"persistent-items", "presence-subscribe", "publish", "publish-node-full", "publish-only-affiliation", "publish-options",
		"publisher-affiliation", "pubsub-on-a-jid", "purge-nodes", "retract-items", "retrieve-affiliations", "retrieve-default",
		"retrieve-items", "retrieve-subscriptions", "rsm", "subscribe", "subscription-notifications",
	} {
		list = append(list, ns+"#"+f)
	}
	return list
}

// call is a request at work.
type call struct {
	*xmpp.Request
	*request
	p     *PubSub
	svc   xmpp.Owner // whose service it is
	who   xmpp.Owner // who asks
	owner bool       // the two are one
}

// outcome is what a change has led to.
type outcome struct {
	answer string
	tell   func() // sends notifications, while the account's book is still held
	after  func() // calls hooks
}

// handler does what one verb says.
type handler func(ctx context.Context, c *call) (outcome, error)

// handlers are the verbs by namespace and type of request.
func (p *PubSub) handler(space, typ, verb string) (handler, error) {
	switch space + " " + typ + " " + verb {
	case ns + " set publish":
		return p.publish, nil
	case ns + " set retract":
		return p.retract, nil
	case ns + " set create":
		return p.create, nil
	case ns + " set subscribe":
		return p.subscribe, nil
	case ns + " set unsubscribe":
		return p.unsubscribe, nil
	case ns + " get items":
		return p.items, nil
	case ns + " get subscriptions":
		return p.subscriptions, nil
	case ns + " get affiliations":
		return p.affiliations, nil
	case ns + " get options", ns + " set options":
		return nil, unsupported("subscription-options")
	case ns + " get default":
		return nil, unsupported("retrieve-default-sub")
	case nsOwner + " get configure":
		return p.configuration, nil
	case nsOwner + " set configure":
		return p.configure, nil
	case nsOwner + " get default":
		return p.defaultConfiguration, nil
	case nsOwner + " set delete":
		return p.remove, nil
	case nsOwner + " set purge":
		return p.purge, nil
	case nsOwner + " get affiliations":
		return p.affiliated, nil
	case nsOwner + " set affiliations":
		return p.affiliate, nil
	case nsOwner + " get subscriptions":
		return p.subscribed, nil
	case nsOwner + " set subscriptions":
		return p.manage, nil
	}
	return nil, badRequest("")
}

// answer takes every request.
func (p *PubSub) answer(ctx context.Context, q *xmpp.Request) {
	if q.Account.ID == "" || q.By.Owner().ID == "" {
		q.Refuse() // an anonymous session has nothing here
		return
	}
	el, err := q.Payload()
	if err != nil {
		q.Bad()
		return
	}
	r, err := readRequest(el)
	if err != nil {
		refuse(q, err)
		return
	}
	do, err := p.handler(el.Name.Space, q.Type, r.verb)
	if err != nil {
		refuse(q, err)
		return
	}
	c := &call{Request: q, request: r, p: p, svc: q.Account, who: q.By.Owner()}
	c.owner = c.svc.ID == c.who.ID
	unlock := func() {}
	if q.Type == "set" {
		if !p.pace.take(c.who.ID, p.router.Now(), &p.limits) {
			refuse(q, tooMuch(xstanza.ResourceConstraint, xstanza.Wait, "", "Too much is being published. Wait a minute and try again."))
			return
		}
		unlock = p.lock(c.svc)
	}
	out, err := do(ctx, c)
	if err != nil {
		unlock()
		refuse(q, err)
		return
	}
	q.Result(out.answer)
	if out.tell != nil {
		out.tell()
	}
	unlock()
	if out.after != nil {
		out.after()
	}
}

// lock takes the book of an account.
func (p *PubSub) lock(owner xmpp.Owner) (unlock func()) {
	b := &p.books[maphash.String(p.seed, string(owner.ID))%uint64(len(p.books))]
	b.Lock()
	return b.Unlock
}

// find reads the node that the request names.
func (c *call) find(ctx context.Context) (Node, error) {
	if c.node == "" {
		return Node{}, badRequest("nodeid-required")
	}
	n, err := c.p.store.Node(ctx, c.svc.ID, c.node)
	if errors.Is(err, identity.ErrNotFound) {
		return n, notFound()
	}
	return n, err
}

// own is find for what the owner alone may do.
func (c *call) own(ctx context.Context) (Node, error) {
	if !c.owner {
		return Node{}, forbidden() // the same whether or not there is such a node
	}
	return c.find(ctx)
}
