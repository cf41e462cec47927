package xmpp

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	xstanza "mellium.im/xmpp/stanza"
)

// What an account's groups add to its roster. Nothing of it is stored with the roster: it is added
// where the roster is read, so an entry of one's own may stand below, and shows again when the
// group has gone.

// groupContacts are those that an account has by its groups, sorted by JID.
func (r *Router) groupContacts(ctx context.Context, owner Owner) ([]Contact, error) {
	if r.hooks.rosterGroups == nil || owner.ID == "" {
		return nil, nil
	}
	return r.hooks.rosterGroups(ctx, owner)
}

// byGroup is what the owner's groups say of one contact, or nil.
func (r *Router) byGroup(ctx context.Context, owner Owner, contact Address) (*Contact, error) {
	list, err := r.groupContacts(ctx, owner)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return find(list, contact.String()), nil
}

func find(list []Contact, jid string) *Contact {
	i, ok := slices.BinarySearchFunc(list, jid, func(c Contact, jid string) int { return cmp.Compare(c.JID, jid) })
	if !ok {
		return nil
	}
	return &list[i]
}

// wholeRoster reads the contacts of an account with those by its groups.
func (r *Router) wholeRoster(ctx context.Context, owner Owner) (Roster, error) {
	roster, err := r.store.Roster(ctx, owner.ID)
	if err != nil {
		return Roster{}, err
	}
	return r.withGroups(ctx, owner, roster)
}

// withGroups is a roster as the store has it with what the owner's groups add.
func (r *Router) withGroups(ctx context.Context, owner Owner, roster Roster) (Roster, error) {
	groups, err := r.groupContacts(ctx, owner)
	if err != nil || len(groups) == 0 {
		return roster, err
	}
	return roster.with(groups), nil
}

// with is a roster with what groups add.
func (r Roster) with(groups []Contact) Roster {
	own := make(map[string]int, len(r.Contacts))
	all := make([]Contact, len(r.Contacts), len(r.Contacts)+len(groups))
	for i, c := range r.Contacts {
		own[c.JID] = i
		all[i] = c
	}
	for i := range groups {
		if at, ok := own[groups[i].JID]; ok {
			all[at] = all[at].with(&groups[i])
		} else {
			all = append(all, groups[i])
		}
	}
	return Roster{Version: versionWith(r.Version, groups), Contacts: all}
}

// with is a contact with what groups say of it, if anything: the name that its owner gave it wins.
func (c Contact) with(group *Contact) Contact {
	if group == nil {
		return c
	}
	if !c.Listed {
		c.Name, c.Groups = "", nil
	}
	c.Name = cmp.Or(c.Name, group.Name)
	c.Groups = append(slices.Clone(c.Groups), group.Groups...)
	slices.Sort(c.Groups)
	c.Groups = slices.Compact(c.Groups)
	c.State, c.Listed, c.Request = SubscriptionBoth, true, nil
	return c
}

// versionWith names the state of a roster of which version names the owner's part.
func versionWith(version string, groups []Contact) string {
	if len(groups) == 0 {
		return version
	}
	h := sha256.New()
	for i := range groups {
		h.Write(appendItem(nil, groups[i]))
	}
	const enough = 12 // bytes: only a change must show
	return cmp.Or(version, "0") + "." + hex.EncodeToString(h.Sum(nil)[:enough])
}

// together answers a request about a subscription that a group has made already: there is nothing
// to ask, and neither of the two can end it alone. The books are held.
func (r *Router) together(s *Stream, st *Stanza, req request, to Address) {
	switch req {
	case subscribe:
		s.Put(requestPresence(subscribed, to, s.res.Address))
	case unsubscribe, unsubscribed:
		r.fail(s, st, xstanza.NotAllowed, xstanza.Cancel)
	}
}

// Regrouping is how the contacts that an account has by its groups have changed; both lists are
// sorted by JID.
type Regrouping struct {
	Owner       Owner
	Before, Now []Contact
}

// Regroup is called when contacts by groups have changed, and the function given to
// [Registrar.RosterGroups] returns them as they are now: clients get roster pushes and see those
// who have come or gone. All whose contacts have changed by one event come in one call.
func (r *Router) Regroup(ctx context.Context, list []Regrouping) {
	// First nobody's presence goes by what was; then it is told.
	for _, g := range list {
		unlock := r.lock(g.Owner.Address)
		r.rosters.drop(g.Owner.ID)
		unlock()
	}
	for _, g := range list {
		if changes := g.changes(); len(changes) > 0 {
			r.regroup(ctx, g, changes)
		}
	}
}

// regrouped is one contact of whom groups say something else than before; nil: nothing.
type regrouped struct {
	jid         string
	before, now *Contact
	own         Contact // what the owner has of it
}

func (g Regrouping) changes() []regrouped {
	var list []regrouped
	for i := range g.Before {
		was := &g.Before[i]
		now := find(g.Now, was.JID)
		if now == nil || !now.same(*was) {
			list = append(list, regrouped{jid: was.JID, before: was, now: now})
		}
	}
	for i := range g.Now {
		if find(g.Before, g.Now[i].JID) == nil {
			list = append(list, regrouped{jid: g.Now[i].JID, now: &g.Now[i]})
		}
	}
	return list
}

func (r *Router) regroup(ctx context.Context, g Regrouping, changes []regrouped) {
	roster, err := r.store.Roster(ctx, g.Owner.ID)
	if err != nil {
		r.log.Error("clients were not told of changed groups", "user", g.Owner.String(), "error", err)
		return
	}
	own := make(map[string]Contact, len(roster.Contacts))
	for _, c := range roster.Contacts {
		own[c.JID] = c
	}
	for i := range changes {
		c := &changes[i]
		c.own = Contact{JID: c.jid}
		if had, ok := own[c.jid]; ok {
			c.own = had
		}
	}
	r.pushRegrouped(ctx, g, changes)
	for i := range changes {
		r.meet(ctx, g.Owner, &changes[i])
	}
}

// pushRegrouped sends the roster pushes. The last one alone names a version that counts: a client
// that has missed some asks for the whole roster.
func (r *Router) pushRegrouped(ctx context.Context, g Regrouping, changes []regrouped) {
	defer r.lock(g.Owner.Address)()
	list := r.pick(nil, g.Owner.Address, isInterested)
	if len(list) == 0 {
		return
	}
	stored, err := r.store.RosterVersion(ctx, g.Owner.ID)
	if err != nil {
		stored = rand.Text()
	}
	for i, c := range changes {
		version := versionWith(cmp.Or(stored, "0"), g.Now)
		if i < len(changes)-1 {
			version = rand.Text()
		}
		if item := c.own.with(c.now).looks(c.own.with(c.before)); item != nil {
			r.pushItem(list, item, version)
		}
	}
}

// meet lets an account see the presence of somebody who has come into one of its groups, or see
// them go who are in none of them any more.
func (r *Router) meet(ctx context.Context, owner Owner, c *regrouped) {
	contact, ok := r.local(c.jid)
	was, is := c.own.with(c.before).State, c.own.with(c.now).State
	if !ok || was == is {
		return
	}
	defer r.lock(owner.Address, contact)()
	var buf [usual]*Stream
	list := r.pick(buf[:0], owner.Address, isAvailable)
	comes, goes := is.Has(SubscriptionTo) && !was.Has(SubscriptionTo), was.Has(SubscriptionTo) && !is.Has(SubscriptionTo)
	to := owner.Address.String()
	for _, x := range r.shown(contact) {
		if !comes && !goes || len(list) == 0 || r.apart(x.by, list[0]) {
			continue
		}
		b := unavailable("").Rewritten(x.full, to)
		if comes {
			b = x.to(to)
		}
		for _, s := range list {
			s.Put(b)
		}
	}
	for _, hook := range r.hooks.relations {
		hook(ctx, Relation{owner, contact, was, is})
	}
}
