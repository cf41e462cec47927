package xmpp

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
)

const nsRoster = "jabber:iq:roster"

// rosterIQ answers get and set of one's own roster (RFC 6121 section 2).
func (r *Router) rosterIQ(ctx context.Context, req *Request) {
	s, st := req.By, req.Stanza
	if st.Type == "get" {
		r.rosterGet(ctx, req)
		return
	}
	var q rosterQuery
	if err := req.Decode(&q); err != nil {
		req.Bad()
		return
	}
	item, err := q.item()
	if err != nil {
		r.fail(s, st, xstanza.Condition(err.Error()), xstanza.Modify)
		return
	}
	if s.res.owner == "" {
		r.fail(s, st, xstanza.NotAllowed, xstanza.Cancel) // nothing to keep it for
		return
	}
	r.rosterSet(ctx, s, st, item)
}

// rosterGet answers the roster and makes the resource an interested one (sections 2.2 and 2.6).
func (r *Router) rosterGet(ctx context.Context, req *Request) {
	s := req.By
	query, err := req.Payload()
	if err != nil {
		req.Bad()
		return
	}
	version, versions := query.Attr("ver") // section 2.6: without it the client knows no versions
	if err := r.sendRoster(ctx, s, req.Stanza, version, versions); err != nil {
		r.broken(s, req.Stanza, err)
		return
	}
	s.ses.Update(func(d *identity.Details) { d.Interest = true })
}

func (r *Router) sendRoster(ctx context.Context, s *Stream, st *Stanza, version string, versions bool) error {
	// The book is held, so that no change falls between the answer and the first push.
	defer r.lock(s.res.Address)()
	roster, err := r.rosterOf(ctx, s)
	if err != nil {
		return err
	}
	var b []byte
	if !versions || version != roster.version() {
		if q := roster.query.Load(); q != nil {
			b = *q
		} else {
			b = roster.appendQuery()
			r.rosters.written(s.res.owner, roster, b)
		}
	}
	r.mu.Lock()
	s.res.interested = true
	r.mu.Unlock()
	s.Put(st.result(b))
	return nil
}

// rosterSet adds, changes or removes one contact (sections 2.3 to 2.5). The result comes after
// the commit.
func (r *Router) rosterSet(ctx context.Context, s *Stream, st *Stanza, item rosterItem) {
	j, err := jid.Parse(item.jid)
	if err != nil {
		r.fail(s, st, xstanza.JIDMalformed, xstanza.Modify)
		return
	}
	contact := addressOf(j)
	if contact == s.res.Address {
		r.fail(s, st, xstanza.NotAllowed, xstanza.Cancel)
		return
	}
	them := party{Address: contact}
	if item.remove && r.domains[contact.domain] && contact.local != "" {
		if them, err = r.party(ctx, contact); err != nil {
			r.broken(s, st, err)
			return
		}
	}
	x := &exchange{r: r, me: s.party(), them: them}
	defer r.lock(x.me.Address, contact)()
	if x.mine.group, err = r.byGroup(ctx, x.me.owner(), contact); err != nil {
		r.broken(s, st, err)
		return
	}
	if g := x.mine.group; g != nil {
		if item.remove {
			s.Put(st.FailureText(xstanza.NotAllowed, xstanza.Cancel, "This contact is in the roster by the group "+g.Groups[0]+", and stays there as long as both are members."))
			return
		}
		item.groups = slices.DeleteFunc(item.groups, func(name string) bool { return slices.Contains(g.Groups, name) })
		if item.name == g.Name {
			item.name = ""
		}
	}
	err = x.change(ctx, func(w StoreWriter) error {
		if item.remove {
			return x.forget(ctx, w)
		}
		x.mine.now.Name, x.mine.now.Groups = item.name, item.groups
		// Where the groups say it all, nothing of it is the owner's own.
		x.mine.now.Listed = x.mine.group == nil || item.name != "" || len(item.groups) > 0 || x.mine.now.State != SubscriptionNone
		return nil
	})
	switch {
	case errors.Is(err, errFull):
		r.fail(s, st, xstanza.PolicyViolation, xstanza.Modify)
	case errors.Is(err, identity.ErrNotFound):
		r.fail(s, st, xstanza.ItemNotFound, xstanza.Cancel) // section 2.5.3
	case err != nil:
		r.broken(s, st, err)
	default:
		s.Put(st.Result(""))
		x.announce(ctx)
		x.related(ctx)
	}
}

// forget removes the contact and ends what there is between the two, in both directions
// (section 2.5.2). A request that waits is refused by it.
func (x *exchange) forget(ctx context.Context, w StoreWriter) error {
	if !x.mine.now.Listed {
		return identity.ErrNotFound
	}
	state := x.mine.now.State
	for _, e := range []struct {
		req  request
		when Subscription
	}{{unsubscribe, SubscriptionTo | PendingOut}, {unsubscribed, SubscriptionFrom | PendingIn}} {
		if state&e.when == 0 {
			continue
		}
		if err := x.send(ctx, w, e.req, requestPresence(e.req, x.me.Address, x.them.Address)); err != nil {
			return err
		}
	}
	x.mine.now = Contact{JID: x.mine.now.JID}
	return nil
}

// push tells the interested resources of an account what has changed for them (section 2.1.6).
func (r *Router) push(ctx context.Context, owner Owner, d *side) {
	if d.version == "" {
		return
	}
	var buf [usual]*Stream
	list := r.pick(buf[:0], owner.Address, isInterested)
	if len(list) == 0 {
		return
	}
	version := d.version
	if groups, err := r.groupContacts(ctx, owner); err == nil {
		version = versionWith(version, groups)
	} // else one that names nothing, after which the client asks for the whole roster
	r.pushItem(list, d.now.with(d.group).looks(d.before.with(d.group)), version)
}

// pushItem tells streams of one item of the roster.
func (r *Router) pushItem(list []*Stream, item []byte, version string) {
	for _, s := range list {
		b := AppendAttr([]byte("<iq type='set'"), "id", "push"+strconv.FormatUint(r.pushes.Add(1), 10))
		b = AppendAttr(b, "to", s.res.full)
		b = AppendAttr(append(b, "><query xmlns='"+nsRoster+"'"...), "ver", version)
		b = append(append(b, '>'), item...)
		s.Put(append(b, "</query></iq>"...))
	}
}

// AppendItem writes the contact as clients get it in a roster.
func (c Contact) AppendItem(b []byte) []byte { return appendItem(b, c) }

// appendItem writes a contact as clients see it (section 2.1.2).
func appendItem(b []byte, c Contact) []byte {
	b = AppendAttr(append(b, "<item"...), "jid", c.JID)
	b = AppendAttr(b, "name", c.Name)
	b = AppendAttr(b, "subscription", c.State.text())
	if c.State.Has(PendingOut) {
		b = append(b, " ask='subscribe'"...)
	}
	if c.State.Has(PreApproved) {
		b = append(b, " approved='true'"...)
	}
	if len(c.Groups) == 0 {
		return append(b, "/>"...)
	}
	b = append(b, '>')
	for g := range slices.Values(c.Groups) {
		b = append(append(append(b, "<group>"...), Escape(g)...), "</group>"...)
	}
	return append(b, "</item>"...)
}
