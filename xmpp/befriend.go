package xmpp

import (
	"context"
	"errors"
	"fmt"
)

const nsPreauth = "urn:xmpp:pars:0"

// maxPreauth bounds the token of a pre-authenticated request in bytes.
const maxPreauth = 256

// Preauth gives the router the one function that is asked about a subscription request with a token
// (XEP-0379): whether owner has given it to who, a bare JID. A token that is good has been used when it
// returns. It is called with no book held.
func (reg *Registrar) Preauth(good func(ctx context.Context, owner Owner, who, token string) bool) {
	reg.hooks.preauth = good
}

// preauthorized reports whether a subscription request brings a token that its recipient has given
// out. Where it would change nothing the token is not used.
func (r *Router) preauthorized(ctx context.Context, me, them party, st *Stanza) bool {
	if r.hooks.preauth == nil || !them.exists || r.blocked(them.owner(), me.Address, "") {
		return false
	}
	c, ok := st.Find(nsPreauth, "preauth")
	if !ok {
		return false
	}
	el, err := st.Child(c)
	if err != nil {
		return false
	}
	token, _ := el.Attr("token")
	if token == "" || len(token) > maxPreauth {
		return false
	}
	had, err := entry(ctx, r.store, them, me)
	if err != nil || had.State.Has(SubscriptionFrom) {
		return false
	}
	return r.hooks.preauth(ctx, them.owner(), me.String(), token)
}

// admit lets me subscribe to them, who have invited me: the request is granted at once, and the server
// asks me for the same in their name (XEP-0379 section 3.5).
func (x *exchange) admit(ctx context.Context, q StoreReader, body []byte) error {
	approved := x.theirs.now.State & PreApproved
	x.theirs.now.State = x.theirs.now.State&^PendingIn | PreApproved
	if err := x.send(ctx, q, subscribe, body); err != nil {
		return err
	}
	x.theirs.now.State = x.theirs.now.State&^PreApproved | approved
	if x.theirs.now.State.Has(SubscriptionTo) {
		return nil
	}
	x.turn()
	defer x.turn()
	return x.send(ctx, q, subscribe, requestPresence(subscribe, x.me.Address, x.them.Address))
}

// turn makes the exchange the other's.
func (x *exchange) turn() {
	x.me, x.them = x.them, x.me
	x.mine, x.theirs = x.theirs, x.mine
}

// ErrRosterFull is a roster that has all the contacts it may have.
var ErrRosterFull = errors.New("the contact list is full")

// Befriend makes two accounts of ours contacts of each other that see each other's presence, as if
// both had asked and both had agreed. Their clients are told. Nothing happens where one is the other.
func (r *Router) Befriend(ctx context.Context, a, b Owner) error {
	if a.Address == b.Address {
		return nil
	}
	x := &exchange{r: r, me: party{a.Address, a.ID, true}, them: party{b.Address, b.ID, true}}
	defer r.lock(a.Address, b.Address)()
	var err error
	if x.mine.group, err = r.byGroup(ctx, a, b.Address); err != nil {
		return fmt.Errorf("making %s and %s contacts: %w", a, b, err)
	}
	if x.theirs.group, err = r.byGroup(ctx, b, a.Address); err != nil {
		return fmt.Errorf("making %s and %s contacts: %w", a, b, err)
	}
	err = x.change(ctx, func(StoreWriter) error {
		for _, d := range []*side{&x.mine, &x.theirs} {
			d.now.State, d.now.Listed, d.now.Request = SubscriptionBoth, true, nil
		}
		return nil
	})
	if errors.Is(err, errFull) {
		err = ErrRosterFull
	}
	if err != nil {
		return fmt.Errorf("making %s and %s contacts: %w", a, b, err)
	}
	x.announce(ctx)
	for _, d := range []struct {
		before Contact
		group  *Contact
		of, to Address
	}{{x.mine.before, x.mine.group, a.Address, b.Address}, {x.theirs.before, x.theirs.group, b.Address, a.Address}} {
		if d.group != nil || d.before.State.Has(SubscriptionFrom) {
			continue // they see it already
		}
		for _, p := range r.shown(d.of) {
			r.deliver(d.to, isAvailable, p.to(d.to.String()))
		}
	}
	x.related(ctx)
	return nil
}
