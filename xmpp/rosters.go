package xmpp

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"trivium/identity"
)

// rosterRoom bounds what the rosters that are kept in memory take together, in bytes as [kept.weigh]
// estimates them. What finds no room takes that of others, any of them, whose next use reads again.
const rosterRoom = 16 << 20

// rosters keeps those of accounts that are online, as presence asks for them again and again. An
// account's roster comes in and goes out with its book held, so that what is kept is what the store
// has: it comes in where a stream of the account needs it, and goes when it changes and with the
// last stream.
type rosters struct {
	mu   sync.RWMutex // taken last
	by   map[identity.UserID]*kept
	room int // bytes in use
	max  int

	past pastRosters
}

// pastRoom bounds what is kept of those who may come again, in bytes as [kept.weigh] estimates them.
const pastRoom = 4 << 20

// pastRosters keeps what the store has of an account beyond the end of its last stream, as whoever has left
// often comes again. It is for a process that alone writes to the store: what another wrote it would not see.
// Guarded by rosters.mu.
type pastRosters struct {
	alone bool
	of    map[identity.UserID]Roster
	room  int // bytes in use
}

// again is what the store has of an account, as far as that is known.
func (l *rosters) again(owner identity.UserID) (Roster, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	roster, ok := l.past.of[owner]
	return roster, ok
}

// note keeps what the store has of an account, whose book is held.
func (l *rosters) note(owner identity.UserID, roster Roster) {
	n := (&kept{Roster: roster}).weigh()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.past.alone || n > pastRoom {
		return
	}
	if l.past.room += n; l.past.of == nil || l.past.room > pastRoom {
		l.past.of, l.past.room = map[identity.UserID]Roster{}, n // they are read again
	}
	l.past.of[owner] = roster
}

// left forgets the roster of an account whose last stream has ended.
func (l *rosters) left(owner identity.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(owner)
}

// kept is a roster, and what presence needs of it. Nobody changes it.
type kept struct {
	Roster
	from []Address // contacts of ours that see the account's presence, in the order of the roster
	to   []Address // contacts of ours whose presence the account sees
	bare map[Address]struct{}
	asks [][]byte // subscription requests that wait for an answer

	query  atomic.Pointer[[]byte] // the roster as clients get it, once one has asked
	weight int                    // guarded by rosters.mu
}

// keep prepares a roster.
func (r *Router) keep(roster Roster) *kept {
	k := &kept{Roster: roster}
	for i := range roster.Contacts {
		c := &roster.Contacts[i]
		// Section 3.1.3: a request waits until it is answered, and comes again at each log-in.
		if c.State.Has(PendingIn) && len(c.Request) > 0 {
			k.asks = append(k.asks, c.Request)
		}
		contact, ok := r.local(c.JID)
		if !ok {
			continue
		}
		if c.State.Has(SubscriptionFrom) {
			k.from = append(k.from, contact)
		}
		if c.State.Has(SubscriptionTo) {
			k.to = append(k.to, contact)
		}
	}
	const few = 16 // are found as quickly without a map
	if len(k.from) > few {
		k.bare = make(map[Address]struct{}, len(k.from))
		for _, a := range k.from {
			k.bare[a] = struct{}{}
		}
	}
	return k
}

// sees reports whether a contact sees the account's presence.
func (k *kept) sees(who Address) bool {
	if k.bare == nil {
		return slices.Contains(k.from, who)
	}
	_, ok := k.bare[who]
	return ok
}

// version names the roster's state for clients.
func (k *kept) version() string {
	if k.Version == "" {
		return "0" // never changed; "" is what a client says that has nothing
	}
	return k.Version
}

// appendQuery writes the whole roster as clients get it.
func (k *kept) appendQuery() []byte {
	const item = 128 // bytes that a contact takes, mostly
	b := AppendAttr(append(make([]byte, 0, 64+item*len(k.Contacts)), "<query xmlns='"+nsRoster+"'"...), "ver", k.version())
	b = append(b, '>')
	for i := range k.Contacts {
		if c := &k.Contacts[i]; c.Listed {
			b = appendItem(b, *c)
		}
	}
	return append(b, "</query>"...)
}

// weigh estimates what it takes in memory, without what clients get.
func (k *kept) weigh() int {
	const contact, address = 160, 64
	n := 512 + contact*len(k.Contacts) + address*(len(k.from)+len(k.to)+2*len(k.bare))
	for i := range k.Contacts {
		c := &k.Contacts[i]
		n += len(c.JID) + len(c.Name) + len(c.Request)
		for _, g := range c.Groups {
			n += 32 + len(g)
		}
	}
	return n
}

// get is the roster that is kept of an account, or nil.
func (l *rosters) get(owner identity.UserID) *kept {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.by[owner]
}

// put keeps a roster.
func (l *rosters) put(owner identity.UserID, k *kept) {
	n := k.weigh()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(owner)
	if n > l.max {
		return
	}
	l.by[owner], k.weight = k, n
	l.room += n
	l.shrink(owner)
}

// written notes what clients get of a roster, for the next that asks.
func (l *rosters) written(owner identity.UserID, k *kept, query []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[owner] != k || k.query.Load() != nil || k.weight+len(query) > l.max {
		return
	}
	k.query.Store(&query)
	k.weight += len(query)
	l.room += len(query)
	l.shrink(owner)
}

// shrink takes out any but one until the rest have room. l.mu is held.
func (l *rosters) shrink(but identity.UserID) {
	for other := range l.by {
		if l.room <= l.max {
			return
		}
		if other != but {
			l.remove(other)
		}
	}
}

// remove takes one out. l.mu is held.
func (l *rosters) remove(owner identity.UserID) {
	if k, ok := l.by[owner]; ok {
		l.room -= k.weight
		delete(l.by, owner)
	}
}

// drop forgets rosters that have changed, or whose accounts have gone.
func (l *rosters) drop(owners ...identity.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, owner := range owners {
		l.remove(owner)
		delete(l.past.of, owner)
	}
}

// rosterOf is the roster of a stream's account, whose book is held; an anonymous session has none.
func (r *Router) rosterOf(ctx context.Context, s *Stream) (*kept, error) {
	owner := s.res.owner
	if owner == "" {
		return &kept{}, nil
	}
	if k := r.rosters.get(owner); k != nil {
		return k, nil
	}
	own, known := r.rosters.again(owner)
	if !known {
		var err error
		if own, err = r.store.Roster(ctx, owner); err != nil {
			return nil, err
		}
		r.rosters.note(owner, own)
	}
	roster, err := r.withGroups(ctx, s.Owner(), own)
	if err != nil {
		return nil, err
	}
	k := r.keep(roster)
	r.rosters.put(owner, k)
	return k, nil
}

// writeRosters is the one way to change rosters: fn runs in a transaction, and the books of the
// owners are held.
func (r *Router) writeRosters(ctx context.Context, fn func(StoreWriter) error, owners ...identity.UserID) error {
	defer r.rosters.drop(owners...)
	return r.store.Write(ctx, fn)
}

// removeRoster forgets the contacts of an account that has been removed. It stays among those of
// others, as somebody who is never online: its address is nobody else's ever.
func (r *Router) removeRoster(ctx context.Context, id identity.UserID) error {
	roster, err := r.store.Roster(ctx, id)
	if err != nil || len(roster.Contacts) == 0 {
		return err
	}
	return r.writeRosters(ctx, func(w StoreWriter) error {
		for _, c := range roster.Contacts {
			if err := w.RemoveContact(ctx, id, c.JID); err != nil {
				return err
			}
		}
		return nil
	}, id)
}
