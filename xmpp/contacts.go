package xmpp

import (
	"context"
	"errors"
	"fmt"

	"mellium.im/xmpp/jid"

	"trivium/identity"
)

// between begins an exchange of an account with a contact of that bare JID, on behalf of no stream. The
// books are held until unlock.
func (r *Router) between(ctx context.Context, owner Owner, contact string) (x *exchange, unlock func(), err error) {
	j, err := jid.Parse(contact)
	if err != nil || j.Localpart() == "" {
		return nil, nil, fmt.Errorf("an address looks like name@example.org: %w", identity.ErrInvalid)
	}
	to := addressOf(j)
	switch {
	case to == owner.Address:
		return nil, nil, fmt.Errorf("this is your own address: %w", identity.ErrInvalid)
	case owner.ID == "":
		return nil, nil, identity.ErrNotFound
	}
	them := party{Address: to}
	if r.domains[to.domain] {
		if them, err = r.party(ctx, to); err != nil {
			return nil, nil, err
		}
	}
	x = &exchange{r: r, me: party{owner.Address, owner.ID, true}, them: them}
	unlock = r.lock(owner.Address, to)
	if x.mine.group, err = r.byGroup(ctx, owner, to); err != nil {
		unlock()
		return nil, nil, err
	}
	return x, unlock, nil
}

// arrange does fn in a transaction, and tells clients of what came of it.
func (r *Router) arrange(ctx context.Context, owner Owner, contact string, fn func(x *exchange, w StoreWriter) error) error {
	x, unlock, err := r.between(ctx, owner, contact)
	if err != nil {
		return err
	}
	defer unlock()
	err = x.change(ctx, func(w StoreWriter) error { return fn(x, w) })
	if errors.Is(err, errFull) {
		return fmt.Errorf("%w: %w", ErrRosterFull, identity.ErrRefused)
	}
	if err != nil {
		return err
	}
	x.announce(ctx)
	x.related(ctx)
	return nil
}

// NameContact gives a contact of an account another name, "" for none, as a client does by its roster
// (RFC 6121 section 2.4); ErrNotFound where there is no such contact.
func (r *Router) NameContact(ctx context.Context, owner Owner, contact, name string) error {
	if len(name) > maxContactName {
		return fmt.Errorf("the name of a contact has at most %d bytes: %w", maxContactName, identity.ErrInvalid)
	}
	return r.arrange(ctx, owner, contact, func(x *exchange, _ StoreWriter) error {
		if !x.mine.now.Listed && x.mine.group == nil {
			return identity.ErrNotFound
		}
		if x.mine.now.Name = CleanText(name); x.mine.group != nil {
			x.mine.now.Listed = x.mine.now.Name != "" || len(x.mine.now.Groups) > 0 || x.mine.now.State != SubscriptionNone
		}
		return nil
	})
}

// DropContact removes a contact of an account, and ends what there is between the two (RFC 6121 section
// 2.5.2). One whom a group brings stays, which is ErrRefused.
func (r *Router) DropContact(ctx context.Context, owner Owner, contact string) error {
	return r.arrange(ctx, owner, contact, func(x *exchange, w StoreWriter) error {
		if x.mine.group != nil {
			return fmt.Errorf("this contact is there by the group %s, and stays as long as both are members: %w", x.mine.group.Groups[0], identity.ErrRefused)
		}
		return x.forget(ctx, w)
	})
}

// AskContact asks somebody to be a contact of an account, who enters its roster by that (RFC 6121 section
// 3.1). Whether there is such an account on this server is not told.
func (r *Router) AskContact(ctx context.Context, owner Owner, contact string) error {
	return r.arrange(ctx, owner, contact, func(x *exchange, w StoreWriter) error {
		switch {
		case !r.domains[x.them.domain]:
			return fmt.Errorf("this server reaches no accounts of %s: %w", x.them.domain, identity.ErrInvalid)
		case r.blocked(owner, x.them.Address, ""):
			return fmt.Errorf("you have blocked this address; unblock it first: %w", identity.ErrRefused)
		case x.mine.group != nil:
			return nil // they are contacts already
		}
		return x.send(ctx, w, subscribe, requestPresence(subscribe, x.me.Address, x.them.Address))
	})
}

// AnswerContact answers who asks to be a contact of an account; yes asks them the same, so that both see
// each other. ErrNotFound where nobody of that name has asked.
func (r *Router) AnswerContact(ctx context.Context, owner Owner, contact string, yes bool) error {
	return r.arrange(ctx, owner, contact, func(x *exchange, w StoreWriter) error {
		if !x.mine.now.State.Has(PendingIn) {
			return identity.ErrNotFound
		}
		steps := []request{unsubscribed}
		if yes {
			steps = []request{subscribed}
			if x.mine.now.State&(SubscriptionTo|PendingOut) == 0 {
				steps = append(steps, subscribe)
			}
		}
		for _, step := range steps {
			if err := x.send(ctx, w, step, requestPresence(step, x.me.Address, x.them.Address)); err != nil {
				return err
			}
		}
		return nil
	})
}
