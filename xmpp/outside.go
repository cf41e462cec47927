package xmpp

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
)

// What modules ask of a stream and of the router.

// JID is the full JID of the stream.
func (s *Stream) JID() jid.JID { return s.full }

// FullJID is JID as text.
func (s *Stream) FullJID() string { return s.res.full }

// Resource is the resourcepart.
func (s *Stream) Resource() string { return s.res.name }

// Ended reports whether the stream has ended, though it may still be listed: what is put there
// arrives no more.
func (s *Stream) Ended() bool { return s.gone.Load() }

// Owner is the account of the stream.
func (s *Stream) Owner() Owner { return Owner{s.res.Address, s.res.owner} }

// Session is the identity's session of the stream.
func (s *Stream) Session() *identity.Session { return s.ses }

// Lang is the language of what the client sends, or "".
func (s *Stream) Lang() string { return s.lang }

// NewAddress is a bare JID from its parts, which are in their normal form; local is "" for a
// domain.
func NewAddress(local, domain string) Address { return Address{local, domain} }

// AddressOf is the bare JID of a JID.
func AddressOf(j jid.JID) Address { return addressOf(j) }

// Local is the localpart, "" for a domain.
func (a Address) Local() string { return a.local }

// Domain is the domainpart.
func (a Address) Domain() string { return a.domain }

// Log is the chat road's.
func (r *Router) Log() *slog.Logger { return r.log }

// Now is the time.
func (r *Router) Now() time.Time { return r.now() }

// Host is the default domain.
func (r *Router) Host() string { return r.domain }

// Ours reports whether a domain is one that this server answers for.
func (r *Router) Ours(domain string) bool { return r.domains[domain] }

// Allowed says whether the session may use a resource such as xmpp:message now.
func (r *Router) Allowed(ses *identity.Session, res identity.Resource) bool {
	return r.accounts.Allowed(ses, res)
}

// Owner finds the account of a bare JID; false where there is none.
func (r *Router) Owner(ctx context.Context, a Address) (Owner, bool, error) {
	p, err := r.party(ctx, a)
	return p.owner(), p.exists, err
}

// Stream finds the stream of a full JID; nil where there is none.
func (r *Router) Stream(full jid.JID) *Stream { return r.at(full) }

// Streams appends the streams of an account to list.
func (r *Router) Streams(list []*Stream, a Address) []*Stream {
	return r.pick(list, a, func(*resource) bool { return true })
}

// AvailableStreams appends the streams of an account that have sent presence to list.
func (r *Router) AvailableStreams(list []*Stream, a Address) []*Stream {
	return r.pick(list, a, isAvailable)
}

// Available returns what the stream last broadcast, and its priority; false where it is not
// available.
func (r *Router) Available(s *Stream) (presence *Stanza, priority int8, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return s.res.presence, s.res.priority, s.res.available
}

// Roster reads the contacts of an account, those by its groups too; an anonymous session has none.
// Nobody changes what it returns.
func (r *Router) Roster(ctx context.Context, owner Owner) (Roster, error) {
	if owner.ID == "" {
		return Roster{}, nil
	}
	if k := r.rosters.get(owner.ID); k != nil {
		return k.Roster, nil
	}
	return r.wholeRoster(ctx, owner)
}

// Sees reports whether the account of lets who see its presence: itself, and contacts with a
// subscription from it.
func (r *Router) Sees(ctx context.Context, who Address, of Owner) bool {
	if who == of.Address {
		return true
	}
	if of.ID == "" {
		return false
	}
	if k := r.rosters.get(of.ID); k != nil {
		return k.sees(who)
	}
	if c, err := r.store.Contact(ctx, of.ID, who.String()); err == nil && c.State.Has(SubscriptionFrom) {
		return true
	}
	c, err := r.byGroup(ctx, of, who)
	return err == nil && c != nil
}

// Online reports whether the bare JID of an account of ours is online and shows that to an account: it
// would answer a probe.
func (r *Router) Online(ctx context.Context, bare string, to Owner) bool {
	of, ok := r.local(bare)
	if !ok {
		return false
	}
	r.mu.RLock()
	var id identity.UserID
	if list := r.bound[of]; len(list) > 0 {
		id = list[0].res.owner
	}
	r.mu.RUnlock()
	return id != "" && !r.blocked(to, of, "") && !r.blocked(Owner{of, id}, to.Address, "") &&
		r.Sees(ctx, to.Address, Owner{of, id}) && len(r.shown(of)) > 0
}

// InRoster reports whether an account has an address in its roster, by its groups too.
func (r *Router) InRoster(ctx context.Context, owner Owner, a Address) (bool, error) {
	if owner.ID == "" {
		return false, nil
	}
	c, err := r.store.Contact(ctx, owner.ID, a.String())
	if err == nil && c.Listed {
		return true, nil
	}
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return false, err
	}
	if r.hooks.rosterGroups == nil {
		return false, nil
	}
	list, err := r.hooks.rosterGroups(ctx, owner)
	if err != nil {
		return false, err
	}
	name := a.String()
	return slices.ContainsFunc(list, func(c Contact) bool { return c.JID == name }), nil
}

// Blocked reports whether owner has blocked an address, with a resource or "".
func (r *Router) Blocked(owner Owner, peer Address, resource string) bool {
	return r.blocked(owner, peer, resource)
}

// Remove forgets what hangs on an account that has been removed. It is safe to call again.
func (s *Server) Remove(ctx context.Context, id identity.UserID) error {
	if err := s.fast.remove(ctx, id); err != nil {
		return err
	}
	if err := s.router.removeRoster(ctx, id); err != nil {
		return err
	}
	for _, removed := range s.router.hooks.removals {
		if err := removed(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// undelivered gives modules a stanza that was in the queue of a stream which has ended; only
// messages matter to them.
func (r *Router) undelivered(ctx context.Context, s *Stream, b []byte) {
	if len(r.hooks.undelivered) == 0 {
		return
	}
	st, err := ParseStanza(b)
	if err != nil || st.Kind != KindMessage {
		return
	}
	for _, hook := range r.hooks.undelivered {
		hook(ctx, s, st)
	}
}

// Stream finds the bound stream of a full JID; nil where there is none.
func (s *Server) Stream(full string) *Stream {
	j, err := jid.Parse(full)
	if err != nil {
		return nil
	}
	return s.router.at(j)
}
