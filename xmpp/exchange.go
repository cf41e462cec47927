package xmpp

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"trivium/identity"
)

// exchange is what happens between two accounts in one transaction, and what clients are told of
// it after the commit. Both books are held from before the one until after the other.
type exchange struct {
	r        *Router
	me, them party
	mine     side // me's view of them
	theirs   side // them's view of me; not used where them does not exist
	told     []telling
}

// side is one account's entry for the other.
type side struct {
	before, now Contact
	group       *Contact // what the owner's groups say of the contact; nil: nothing
	version     string   // the roster's new version; "" where no client sees a change
}

// telling is one subscription stanza that reaches the clients of `to`.
type telling struct {
	req      request
	from, to party
	body     []byte
	old, new Subscription // of the sender's entry
	deliver  bool
}

// errFull is a roster that has all the contacts it may have.
var errFull = errors.New("the roster is full")

// load reads both sides.
func (x *exchange) load(ctx context.Context, q StoreReader) (err error) {
	if x.mine.before, err = entry(ctx, q, x.me, x.them); err != nil {
		return err
	}
	x.mine.now = x.mine.before
	if !x.them.exists {
		return nil
	}
	x.theirs.before, err = entry(ctx, q, x.them, x.me)
	x.theirs.now = x.theirs.before
	return err
}

// change does fn between reading both sides and writing them, in one transaction.
func (x *exchange) change(ctx context.Context, fn func(w StoreWriter) error) error {
	return x.r.writeRosters(ctx, func(w StoreWriter) error {
		if err := x.load(ctx, w); err != nil {
			return err
		}
		if err := fn(w); err != nil {
			return err
		}
		return x.save(ctx, w)
	}, x.me.id, x.them.id)
}

// entry reads what owner has about other; nothing is an entry, too.
func entry(ctx context.Context, q StoreReader, owner, other party) (Contact, error) {
	c, err := q.Contact(ctx, owner.id, other.String())
	if errors.Is(err, identity.ErrNotFound) {
		return Contact{JID: other.String()}, nil
	}
	return c, err
}

// send lets me send req to them; body is the stanza as they get it.
func (x *exchange) send(ctx context.Context, q StoreReader, req request, body []byte) error {
	old := x.mine.now.State
	next, route := old.outbound(req)
	x.mine.now.State = next
	if req == subscribe || next&(SubscriptionFrom|PreApproved) != 0 && next != old {
		x.mine.now.Listed = true // sections 3.1.2, 3.1.5 and 3.4.2: the contact enters the roster
	}
	if !next.Has(PendingIn) {
		x.mine.now.Request = nil
	}
	if !route || !x.them.exists || x.r.blocked(x.them.owner(), x.me.Address, "") {
		return nil // section 8.5.1: what is for nobody is ignored
	}
	return x.receive(ctx, q, req, body, old)
}

// receive lets them receive what me sent.
func (x *exchange) receive(ctx context.Context, q StoreReader, req request, body []byte, old Subscription) error {
	was := x.theirs.now.State
	next, deliver, grant := was.inbound(req)
	if next.Has(PendingIn) && !was.Has(PendingIn) {
		if !x.theirs.now.Listed {
			_, waiting, err := q.CountContacts(ctx, x.them.id)
			if err != nil {
				return err
			}
			if waiting >= maxWaiting {
				return nil // as if nobody were there to see it
			}
		}
		if x.theirs.now.Request = body; len(body) > maxStoredRequest {
			x.theirs.now.Request = requestPresence(req, x.me.Address, x.them.Address)
		}
	}
	if !next.Has(PendingIn) {
		x.theirs.now.Request = nil
	}
	if next.Has(SubscriptionFrom) && !was.Has(SubscriptionFrom) {
		x.theirs.now.Listed = true
	}
	x.theirs.now.State = next
	x.told = append(x.told, telling{req, x.me, x.them, body, old, x.mine.now.State, deliver})
	if !grant {
		return nil
	}
	// Section 3.1.3: the server answers for an account that has said yes before.
	back, tell, _ := x.mine.now.State.inbound(subscribed)
	x.mine.now.State = back
	x.told = append(x.told, telling{subscribed, x.them, x.me, requestPresence(subscribed, x.them.Address, x.me.Address), was, next, tell})
	return nil
}

// save writes what changed.
func (x *exchange) save(ctx context.Context, w StoreWriter) error {
	if err := x.mine.save(ctx, w, x.me.id); err != nil || !x.them.exists {
		return err
	}
	return x.theirs.save(ctx, w, x.them.id)
}

func (d *side) save(ctx context.Context, w StoreWriter, owner identity.UserID) error {
	if d.now.same(d.before) {
		return nil
	}
	if d.now.Listed && !d.before.Listed {
		listed, _, err := w.CountContacts(ctx, owner)
		if err != nil {
			return err
		}
		if listed >= maxContacts {
			return errFull
		}
	}
	if d.now.with(d.group).looks(d.before.with(d.group)) != nil {
		d.version = rand.Text()
		if err := w.PutRosterVersion(ctx, owner, d.version); err != nil {
			return err
		}
	}
	if !d.now.Listed && d.now.State == SubscriptionNone {
		return w.RemoveContact(ctx, owner, d.now.JID)
	}
	return w.PutContact(ctx, owner, d.now)
}

func (c Contact) same(o Contact) bool {
	return c.JID == o.JID && c.Name == o.Name && slices.Equal(c.Groups, o.Groups) &&
		c.State == o.State && c.Listed == o.Listed && slices.Equal(c.Request, o.Request)
}

// looks returns the roster item that clients get where c looks different from what they had, and
// nil where nothing that they see has changed: a request that waits is no part of the roster.
func (c Contact) looks(had Contact) []byte {
	switch {
	case !c.Listed && !had.Listed:
		return nil
	case !c.Listed:
		return append(AppendAttr([]byte("<item subscription='remove'"), "jid", c.JID), "/>"...)
	}
	now := appendItem(nil, c)
	if had.Listed && string(now) == string(appendItem(nil, had)) {
		return nil
	}
	return now
}

// announce tells clients what happened, in the order of sections 3.1 to 3.3: the stanza, the
// roster push, then presence.
func (x *exchange) announce(ctx context.Context) {
	for _, t := range x.told {
		if !t.deliver {
			continue
		}
		which := isInterested
		if t.req == subscribe {
			which = isAvailable
		}
		x.r.deliver(t.to.Address, which, t.body)
	}
	x.r.push(ctx, x.me.owner(), &x.mine)
	x.r.push(ctx, x.them.owner(), &x.theirs)
	for _, t := range x.told {
		switch {
		case t.req == subscribed && t.new.Has(SubscriptionFrom):
			// Section 3.1.5: whoever said yes shows presence at once.
			for _, p := range x.r.shown(t.from.Address) {
				x.r.deliver(t.to.Address, isAvailable, p.to(t.to.String()))
			}
		case t.req == unsubscribed && t.old.Has(SubscriptionFrom):
			x.r.hide(t.from.Address, t.to.Address) // section 3.2.1
		case t.req == unsubscribe && x.theirs.before.State.Has(SubscriptionFrom):
			x.r.hide(t.to.Address, t.from.Address) // section 3.3.3
		}
	}
}

// related tells modules which subscriptions have changed. The books are held.
func (x *exchange) related(ctx context.Context) {
	for _, hook := range x.r.hooks.relations {
		if o, n := x.mine.before.State, x.mine.now.State; o != n {
			hook(ctx, Relation{x.me.owner(), x.them.Address, o, n})
		}
		if o, n := x.theirs.before.State, x.theirs.now.State; o != n {
			hook(ctx, Relation{x.them.owner(), x.me.Address, o, n})
		}
	}
}

// Hide tells the clients of one account that all resources of another are unavailable.
func (r *Router) Hide(of, to Address) {
	defer r.lock(of)()
	r.hide(of, to)
}

// Reveal shows the available resources of an account to the clients of another, where that has a
// subscription.
func (r *Router) Reveal(ctx context.Context, of Owner, to Address) {
	defer r.lock(of.Address)()
	if of.Address == to || !r.Sees(ctx, to, of) {
		return
	}
	for _, p := range r.shown(of.Address) {
		r.deliver(to, isAvailable, p.to(to.String()))
	}
}

// hide tells the clients of `to` that all resources of `of` are unavailable, which is all that
// they may know from now on.
func (r *Router) hide(of, to Address) {
	for _, p := range r.shown(of) {
		r.deliver(to, isAvailable, unavailable("").Rewritten(p.full, to.String()))
	}
}

// requestPresence is a subscription stanza that the server sends for an account.
func requestPresence(req request, from, to Address) []byte {
	b := []byte("<presence")
	b = AppendAttr(b, "type", req.String())
	b = AppendAttr(b, "from", from.String())
	b = AppendAttr(b, "to", to.String())
	return append(b, "/>"...)
}
