// Package blocking lets an account block addresses (XEP-0191 1.3) and say why (XEP-0377 0.4). The
// router asks it about every stanza between two accounts; what a blocked sender hears is what it
// would hear if there were nobody.
package blocking

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// The namespaces.
const (
	ns        = "urn:xmpp:blocking"
	nsReports = "urn:xmpp:reporting:1"
)

// maxBlocked is how many addresses an account may block.
const maxBlocked = 2000

// Store is what blocking needs of a database.
type Store interface {
	// Blocked lists what an account has blocked, sorted.
	Blocked(ctx context.Context, owner identity.UserID) ([]string, error)
	// Block adds addresses; those that are there already stay. It is durable when it returns nil.
	Block(ctx context.Context, owner identity.UserID, jids ...string) error
	// Unblock removes addresses; with none it removes all.
	Unblock(ctx context.Context, owner identity.UserID, jids ...string) error
}

// Report is what somebody says of an address that it blocks.
type Report struct {
	By     xmpp.Owner
	Stream *xmpp.Stream
	JID    string
	Reason string // "spam" or "abuse"
	Text   string // at most 1,000 characters, in the person's words
	IDs    []string
}

// Options is what New needs.
type Options struct {
	Store Store
	// Report takes reports; nil where nobody reads them, and then none are offered.
	Report func(ctx context.Context, r Report)
}

// Blocking is the module.
type Blocking struct {
	store  Store
	report func(context.Context, Report)
	router *xmpp.Router
	asked  xmpp.Flag // the client has asked for the list and gets pushes
	lists  lists
}

// New makes the module.
func New(o Options) *Blocking {
	b := &Blocking{store: o.Store, report: o.Report}
	b.lists.read, b.lists.max = o.Store.Blocked, maxListBytes
	return b
}

// Register implements xmpp.Module.
func (b *Blocking) Register(reg *xmpp.Registrar) {
	b.router = reg.Router
	b.asked = reg.Flag()
	b.lists.log = reg.Log()
	name := func(local string) xml.Name { return xml.Name{Space: ns, Local: local} }
	reg.Serve(
		xmpp.Service{To: xmpp.ToSelf, Name: name("blocklist"), Resource: "xmpp:roster", Answer: b.list},
		xmpp.Service{To: xmpp.ToSelf, Name: name("block"), Resource: "xmpp:roster", SetOnly: true, Answer: b.block},
		xmpp.Service{To: xmpp.ToSelf, Name: name("unblock"), Resource: "xmpp:roster", SetOnly: true, Answer: b.unblock},
	)
	reg.Feature(xmpp.ToServer, ns)
	if b.report != nil {
		reg.Feature(xmpp.ToServer, nsReports)
	}
	reg.Blocks(b.lists.blocked)
	reg.Removed(func(ctx context.Context, id identity.UserID) error {
		b.lists.forget(id)
		return b.store.Unblock(ctx, id)
	})
}

// list is section 3.2.
func (b *Blocking) list(ctx context.Context, q *xmpp.Request) {
	if q.Account.ID == "" {
		q.Fail(xstanza.NotAllowed, xstanza.Cancel)
		return
	}
	jids, err := b.store.Blocked(ctx, q.Account.ID)
	if err != nil {
		q.Broken(err)
		return
	}
	q.By.Set(b.asked, true)
	q.Result(element("blocklist", jids))
}

func element(local string, jids []string) string {
	e := []byte("<" + local + " xmlns='" + ns + "'>")
	for _, j := range jids {
		e = append(xmpp.AppendAttr(append(e, "<item"...), "jid", j), "/>"...)
	}
	return string(append(e, "</"+local+">"...))
}

// block is section 3.3.
func (b *Blocking) block(ctx context.Context, q *xmpp.Request) {
	items, ok := b.items(q)
	if !ok {
		return
	}
	if len(items) == 0 {
		q.Bad()
		return
	}
	had, err := b.store.Blocked(ctx, q.Account.ID)
	if err != nil {
		q.Broken(err)
		return
	}
	jids := addresses(items)
	fresh := slices.DeleteFunc(slices.Clone(jids), func(j string) bool { return slices.Contains(had, j) })
	if len(had)+len(fresh) > maxBlocked {
		q.FailText(xstanza.PolicyViolation, xstanza.Wait, "The list of blocked addresses is full. Remove some first.", "")
		return
	}
	if err := b.store.Block(ctx, q.Account.ID, jids...); err != nil {
		q.Broken(err)
		return
	}
	b.lists.forget(q.Account.ID)
	q.Result("")
	b.push(q.Account, element("block", jids))
	for _, i := range items {
		b.part(ctx, q.Account, i.jid)
		if i.report != nil && b.report != nil {
			i.report.By, i.report.Stream, i.report.JID = q.Account, q.By, i.jid.String()
			b.report(ctx, *i.report)
		}
	}
}

// unblock is sections 3.4 and 3.5.
func (b *Blocking) unblock(ctx context.Context, q *xmpp.Request) {
	items, ok := b.items(q)
	if !ok {
		return
	}
	jids := addresses(items)
	had, err := b.store.Blocked(ctx, q.Account.ID)
	if err == nil {
		err = b.store.Unblock(ctx, q.Account.ID, jids...)
	}
	if err != nil {
		q.Broken(err)
		return
	}
	b.lists.forget(q.Account.ID)
	q.Result("")
	b.push(q.Account, element("unblock", jids))
	if len(jids) == 0 {
		jids = had
	}
	for _, text := range jids {
		if j, err := jid.Parse(text); err == nil && slices.Contains(had, text) {
			b.meet(ctx, q.Account, j)
		}
	}
}

// Block blocks addresses for an account, or lets them reach it again, and tells its clients, as if one of
// them had asked (XEP-0191 sections 3.3 and 3.4).
func (b *Blocking) Block(ctx context.Context, owner xmpp.Owner, on bool, j jid.JID) error {
	had, err := b.store.Blocked(ctx, owner.ID)
	if err != nil {
		return err
	}
	text := j.String()
	local, change, see := "unblock", b.store.Unblock, b.meet
	if on {
		local, change, see = "block", b.store.Block, b.part
	}
	switch {
	case slices.Contains(had, text) == on:
		return nil
	case on && len(had) >= maxBlocked:
		return fmt.Errorf("the list of blocked addresses is full; remove some first: %w", identity.ErrRefused)
	}
	if err := change(ctx, owner.ID, text); err != nil {
		return err
	}
	b.lists.forget(owner.ID)
	b.push(owner, element(local, []string{text}))
	see(ctx, owner, j)
	return nil
}

// Blocked lists the addresses that an account has blocked.
func (b *Blocking) Blocked(ctx context.Context, owner xmpp.Owner) ([]string, error) {
	return b.store.Blocked(ctx, owner.ID)
}

// push tells the clients that have asked for the list what has changed.
func (b *Blocking) push(owner xmpp.Owner, payload string) {
	var buf [8]*xmpp.Stream
	for _, s := range b.router.Streams(buf[:0], owner.Address) {
		if s.Is(b.asked) {
			e := xmpp.AppendAttr([]byte("<iq type='set' id='blocking'"), "to", s.FullJID())
			s.Put(append(append(append(e, '>'), payload...), "</iq>"...))
		}
	}
}

// part makes two who may see one another look away: the account that blocks seems to go offline
// (section 3.3), and its own clients see the other one go.
func (b *Blocking) part(ctx context.Context, owner xmpp.Owner, j jid.JID) {
	for _, c := range b.contacts(ctx, owner, j) {
		if c.state.Has(xmpp.SubscriptionFrom) {
			b.router.Hide(owner.Address, c.address)
		}
		if c.state.Has(xmpp.SubscriptionTo) {
			b.router.Hide(c.address, owner.Address)
		}
	}
}

// meet shows them to one another again (section 3.4).
func (b *Blocking) meet(ctx context.Context, owner xmpp.Owner, j jid.JID) {
	for _, c := range b.contacts(ctx, owner, j) {
		them, ok, err := b.router.Owner(ctx, c.address)
		if err != nil || !ok || b.router.Blocked(owner, c.address, "") || b.router.Blocked(them, owner.Address, "") {
			continue
		}
		b.router.Reveal(ctx, owner, c.address)
		b.router.Reveal(ctx, them, owner.Address)
	}
}

type contact struct {
	address xmpp.Address
	state   xmpp.Subscription
}

// contacts are those of the roster that an address of the list means.
func (b *Blocking) contacts(ctx context.Context, owner xmpp.Owner, j jid.JID) []contact {
	roster, err := b.router.Roster(ctx, owner)
	if err != nil {
		b.router.Log().Error("presence not changed after blocking", "user", owner.String(), "error", err)
		return nil
	}
	var list []contact
	for _, c := range roster.Contacts {
		other, err := jid.Parse(c.JID)
		if err == nil && j.Resourcepart() == "" && (j.Localpart() == "" || j.Localpart() == other.Localpart()) && j.Domainpart() == other.Domainpart() {
			list = append(list, contact{xmpp.AddressOf(other), c.State})
		}
	}
	return list
}
