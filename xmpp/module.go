package xmpp

import (
	"context"
	"encoding/xml"
	"fmt"

	"trivium/identity"
)

// Module is a part of the chat road that has a package of its own, such as the archive. New calls
// Register once, before the first connection; what the module hooks into is called from then on,
// by many goroutines. Hooks of one kind are called in the order in which modules were given.
type Module interface {
	Register(reg *Registrar)
}

// Registrar is where a module says what it takes part in. It embeds the router, which the module
// may keep to send stanzas and to ask about accounts.
type Registrar struct {
	*Router
}

// Owner is an account of this server; ID is "" for an anonymous session, and for a bare JID that
// is nobody's.
type Owner struct {
	Address
	ID identity.UserID
}

// Service answers requests (IQ of type get and set) of one kind. Its namespace stands among the
// features of the target in service discovery, unless Quiet.
type Service struct {
	To       Target   // ToServer, ToSelf, or ToAccount for other accounts of ours
	Name     xml.Name // of the payload; its local name may be "" for any of the namespace
	Resource identity.Resource
	Least    identity.Level // beside the policy
	Set      bool           // takes `set`
	SetOnly  bool           // takes `set` alone
	Quiet    bool

	// Absent answers for an account that is not there, or that has blocked who asks; nil: as what is
	// not offered. It must be what Answer says where it may say nothing.
	Absent func(q *Request)

	// Answer is called in the asking stream's own goroutine, in the order of its stanzas. It answers
	// once, now or later.
	Answer func(ctx context.Context, q *Request)
}

// hooks is what modules have registered. Nothing changes it after New.
type hooks struct {
	flags        int // given out
	services     map[serviceKey]Service
	features     map[Target][]string
	guarded      map[Target][]guarded
	identities   map[Target][]string
	forms        map[Target][]func(ctx context.Context, q *Request) []byte
	nodes        map[Target][]Nodes
	offers       []func(ses *identity.Session) []byte
	binds        []bindHook
	checks       []func(ctx context.Context, m *Message) bool
	inboxes      []func(ctx context.Context, m *Message) bool
	accepts      []func(ctx context.Context, m *Message)
	delivered    []func(ctx context.Context, m *Message)
	undelivered  []func(ctx context.Context, s *Stream, st *Stanza)
	decorations  []func(ctx context.Context, s *Stream, st *Stanza) *Stanza
	presences    []func(ctx context.Context, p *Presence)
	relations    []func(ctx context.Context, r Relation)
	ups, downs   []func(ctx context.Context, s *Stream)
	strangers    map[xml.Name]func(ctx context.Context, q *Stranger) []byte
	welcome      []byte // stream features for strangers
	removals     []func(ctx context.Context, id identity.UserID) error
	preauth      func(ctx context.Context, owner Owner, who, token string) bool
	blocks       func(owner Owner, peer Address, resource string) bool
	rosterGroups func(ctx context.Context, owner Owner) ([]Contact, error)
	known        []identity.Known // resources that are no service's
}

// serviceKey is whom a request is for and the name of its payload.
type serviceKey struct {
	target Target
	name   xml.Name
}

type bindHook struct {
	name   xml.Name
	answer func(ctx context.Context, s *Stream, el *Element) []byte
}

func newHooks() *hooks {
	return &hooks{
		services: map[serviceKey]Service{}, features: map[Target][]string{}, guarded: map[Target][]guarded{}, identities: map[Target][]string{},
		forms: map[Target][]func(context.Context, *Request) []byte{}, nodes: map[Target][]Nodes{},
	}
}

// Flag is one bit that a module keeps with each stream, such as that its client wants copies. It
// stays over a resumption.
type Flag uint32

// Flag gives the module a bit of its own; there are 32.
func (reg *Registrar) Flag() Flag {
	reg.hooks.flags++
	return 1 << (reg.hooks.flags - 1)
}

// Set sets or clears a flag.
func (s *Stream) Set(f Flag, on bool) {
	if on {
		s.flags.Or(uint32(f))
	} else {
		s.flags.And(^uint32(f))
	}
}

// Is reports whether a flag is set.
func (s *Stream) Is(f Flag) bool { return s.flags.Load()&uint32(f) != 0 }

// Serve adds services.
func (reg *Registrar) Serve(list ...Service) {
	for _, v := range list {
		reg.hooks.services[serviceKey{v.To, v.Name}] = v
	}
}

// Known names a resource of the policy that the module asks about beside those of its services; least is
// what it asks by itself, LevelNone for nothing.
func (reg *Registrar) Known(res identity.Resource, text string, least identity.Level) {
	k := identity.Known{Resource: res, Group: identity.GroupXMPP, Text: text}
	if least != identity.LevelNone {
		k.Own, k.Raises = &least, true
	}
	reg.hooks.known = append(reg.hooks.known, k)
}

// Feature adds to what service discovery tells of a target, beside the namespaces of services.
func (reg *Registrar) Feature(to Target, vars ...string) {
	reg.hooks.features[to] = append(reg.hooks.features[to], vars...)
}

// guarded is what service discovery tells to sessions that may use a resource.
type guarded struct {
	resource identity.Resource
	identity string // an element, or ""
	features []string
}

// FeatureOf is Feature for what hangs on a resource of the access policy: a session that may not
// use it is not told. category and typ are those of an identity, "" for none.
func (reg *Registrar) FeatureOf(res identity.Resource, to Target, category, typ string, vars ...string) {
	g := guarded{resource: res, features: vars}
	if category != "" {
		g.identity = fmt.Sprintf("<identity category='%s' type='%s'/>", Escape(category), Escape(typ))
	}
	reg.hooks.guarded[to] = append(reg.hooks.guarded[to], g)
}

// Identity adds an identity to what service discovery tells of a target (XEP-0030 section 3.1).
func (reg *Registrar) Identity(to Target, category, typ string) {
	reg.hooks.identities[to] = append(reg.hooks.identities[to], fmt.Sprintf("<identity category='%s' type='%s'/>", Escape(category), Escape(typ)))
}

// Form adds a data form to disco#info of a target (XEP-0128): a whole element, or nil for none.
func (reg *Registrar) Form(to Target, form func(ctx context.Context, q *Request) []byte) {
	reg.hooks.forms[to] = append(reg.hooks.forms[to], form)
}

// Nodes answers service discovery about nodes (XEP-0030 sections 3.2 and 4.2).
type Nodes interface {
	// NodeInfo returns the children of the `<query/>` of disco#info; false where it knows no such
	// node.
	NodeInfo(ctx context.Context, q *Request, node string) (children []byte, ok bool)
	// NodeItems returns the `<item/>`s of disco#items. With "" it adds to the items of the target
	// itself, and ok is ignored.
	NodeItems(ctx context.Context, q *Request, node string) (items []byte, ok bool)
}

// Nodes adds nodes to a target.
func (reg *Registrar) Nodes(to Target, n Nodes) { reg.hooks.nodes[to] = append(reg.hooks.nodes[to], n) }

// Offer adds to the stream features after the log-in: whole elements, or nil for none.
func (reg *Registrar) Offer(feature func(ses *identity.Session) []byte) {
	reg.hooks.offers = append(reg.hooks.offers, feature)
}

// Bind adds something that a client may ask for while it binds (XEP-0386 section 3.2). Its name's
// namespace is offered as inline feature; answer returns what goes into `<bound/>`, or nil. One
// with a zero name is told to every client that binds so, with nil for the element, after those
// that were asked for.
func (reg *Registrar) Bind(name xml.Name, answer func(ctx context.Context, s *Stream, el *Element) []byte) {
	reg.hooks.binds = append(reg.hooks.binds, bindHook{name, answer})
}

// Stranger is a request that came over TLS from somebody who has not logged in.
type Stranger struct {
	*Stanza
	Session *identity.Session
	Domain  string // of ours, that the stream is for
}

// Stranger answers requests of people who have not logged in, by the name of their payload; feature
// stands among the stream features before the log-in. The answer is written as it is.
func (reg *Registrar) Stranger(name xml.Name, feature string, answer func(ctx context.Context, q *Stranger) []byte) {
	if reg.hooks.strangers == nil {
		reg.hooks.strangers = make(map[xml.Name]func(context.Context, *Stranger) []byte)
	}
	reg.hooks.strangers[name] = answer
	reg.hooks.welcome = append(reg.hooks.welcome, feature...)
}

// Check is asked before a message goes anywhere. Where it returns false it has answered, or wants
// silence, and nothing more happens.
func (reg *Registrar) Check(hook func(ctx context.Context, m *Message) bool) {
	reg.hooks.checks = append(reg.hooks.checks, hook)
}

// Inbox is asked about a message to one of our domains itself, of any type; it returns true where it
// has taken it. A message that nobody takes is refused.
func (reg *Registrar) Inbox(hook func(ctx context.Context, m *Message) bool) {
	reg.hooks.inboxes = append(reg.hooks.inboxes, hook)
}

// Accept is called when a message is about to be delivered or kept: it may add to what the
// recipient gets, set Kept, and hold the acknowledgement until something is durable.
func (reg *Registrar) Accept(hook func(ctx context.Context, m *Message)) {
	reg.hooks.accepts = append(reg.hooks.accepts, hook)
}

// Delivered is called when a message is in the queues of those in Reached, which may be none.
func (reg *Registrar) Delivered(hook func(ctx context.Context, m *Message)) {
	reg.hooks.delivered = append(reg.hooks.delivered, hook)
}

// Undelivered is called for each message that was in the queue of a stream which has ended, and of
// which nobody knows whether the client has it.
func (reg *Registrar) Undelivered(hook func(ctx context.Context, s *Stream, st *Stanza)) {
	reg.hooks.undelivered = append(reg.hooks.undelivered, hook)
}

// Decorate may change a presence that a client broadcasts, before it is kept and sent; it returns
// the stanza, which is another one where it changed something.
func (reg *Registrar) Decorate(hook func(ctx context.Context, s *Stream, st *Stanza) *Stanza) {
	reg.hooks.decorations = append(reg.hooks.decorations, hook)
}

// Presence is called when a stream's own presence has changed, after it was sent to those who may
// see it; also when an available stream ends.
func (reg *Registrar) Presence(hook func(ctx context.Context, p *Presence)) {
	reg.hooks.presences = append(reg.hooks.presences, hook)
}

// Presence is a change of a stream's own presence.
type Presence struct {
	*Stanza           // of type "" or "unavailable", as it was broadcast
	By        *Stream // whose it is
	Available bool
	First     bool // the stream was not available before
	Priority  int8
}

// Relation is called when a subscription between two accounts of ours, or of one of ours with
// somebody elsewhere, has changed. The router waits for it with both accounts locked: it must not
// call the router but for [Stream.Put] and what reads.
func (reg *Registrar) Relation(hook func(ctx context.Context, r Relation)) {
	reg.hooks.relations = append(reg.hooks.relations, hook)
}

// Relation is what an account's roster says of a contact.
type Relation struct {
	Owner    Owner
	Contact  Address
	Old, New Subscription
}

// Up is called when a resource has been bound, before its first stanza is read.
func (reg *Registrar) Up(hook func(ctx context.Context, s *Stream)) {
	reg.hooks.ups = append(reg.hooks.ups, hook)
}

// Down is called when a stream has ended for good, after Presence.
func (reg *Registrar) Down(hook func(ctx context.Context, s *Stream)) {
	reg.hooks.downs = append(reg.hooks.downs, hook)
}

// Removed is called when an account has been removed: what hangs on its ID goes. An error means
// that it will be called again.
func (reg *Registrar) Removed(hook func(ctx context.Context, id identity.UserID) error) {
	reg.hooks.removals = append(reg.hooks.removals, hook)
}

// Blocks gives the router the one function that says whether an account has blocked an address,
// with a resource or "" (XEP-0191). It is called for every stanza between two accounts, and must
// not wait.
func (reg *Registrar) Blocks(blocked func(owner Owner, peer Address, resource string) bool) {
	reg.hooks.blocks = blocked
}

// RosterGroups gives the router the contacts that an account has by its groups, beside those of
// its own. Each is in state both.
func (reg *Registrar) RosterGroups(contacts func(ctx context.Context, owner Owner) ([]Contact, error)) {
	reg.hooks.rosterGroups = contacts
}
