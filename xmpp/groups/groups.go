// Package groups puts the members of a group into each other's rosters, under the group's name and
// with subscriptions in both directions, for as long as they are members. Groups are those of
// identity; primary ones count where more than one account has them.
package groups

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"trivium/identity"
	"trivium/xmpp"
)

// MaxContacts is how many contacts an account has by its groups. A group with more members is no
// group of rosters; of an account whose groups have more together, those that come first by name
// count until one does not fit.
const MaxContacts = 2000

// Accounts is what the module needs of identity.
type Accounts interface {
	UserByID(ctx context.Context, id identity.UserID) (identity.Account, error)
	User(ctx context.Context, name string) (identity.Account, error)
	// Group reads a group by name@domain.
	Group(ctx context.Context, name string) (identity.GroupInfo, error)
}

// Groups is the module. It keeps the groups of accounts that are online.
type Groups struct {
	accounts Accounts
	router   *xmpp.Router

	changing sync.Mutex // held while a change is met; before mu

	mu     sync.Mutex
	turn   uint64 // rises with each change, before it is read
	online map[identity.UserID]*account
	past   past
	groups map[key]*group // of those in users
	users  map[key]int    // how many accounts that are online have it
}

// key is a group: its name may change, and then it is another one.
type key struct {
	gid    uint32
	name   string
	domain string
}

// account is one that is online. Groups.mu guards it.
type account struct {
	owner   xmpp.Owner
	streams int
	known   bool // groups is what the account has
	groups  []key
}

// group is one of which somebody is online. Nothing of it changes.
type group struct {
	members []member // by JID; more than MaxContacts are none
}

type member struct {
	id   identity.UserID
	jid  string
	name string
}

// New makes the module. Its Changed is to be called with each change of accounts.
func New(accounts Accounts) *Groups {
	return &Groups{accounts: accounts, online: make(map[identity.UserID]*account), groups: make(map[key]*group), users: make(map[key]int)}
}

// Register implements xmpp.Module.
func (g *Groups) Register(reg *xmpp.Registrar) {
	g.router = reg.Router
	reg.RosterGroups(g.contacts)
	reg.Up(func(_ context.Context, s *xmpp.Stream) { g.up(s.Owner()) })
	reg.Down(func(_ context.Context, s *xmpp.Stream) { g.down(s.Owner()) })
}

func (g *Groups) up(owner xmpp.Owner) {
	if owner.ID == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.online[owner.ID]
	if a == nil {
		a = &account{owner: owner}
		g.online[owner.ID] = a
	}
	a.streams++
}

func (g *Groups) down(owner xmpp.Owner) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.online[owner.ID]
	if a == nil {
		return
	}
	if a.streams--; a.streams > 0 {
		return
	}
	if a.known {
		g.past.keep(owner.ID, a.groups, g.groups)
	}
	g.have(a, nil)
	delete(g.online, owner.ID)
}

// have notes which groups an account has now. g.mu is held.
func (g *Groups) have(a *account, keys []key) {
	for _, k := range keys {
		g.users[k]++
	}
	for _, k := range a.groups {
		if g.users[k]--; g.users[k] == 0 {
			delete(g.users, k)
			delete(g.groups, k)
		}
	}
	a.groups = keys
}

// contacts is what the router asks: an account's contacts by its groups, sorted by JID.
func (g *Groups) contacts(ctx context.Context, owner xmpp.Owner) ([]xmpp.Contact, error) {
	for {
		g.mu.Lock()
		a, turn := g.online[owner.ID], g.turn
		if a != nil && !a.known {
			if was, ok := g.past.of[owner.ID]; ok {
				a.known = true
				g.have(a, was.groups)
				for i, k := range was.groups {
					if g.groups[k] == nil {
						g.groups[k] = was.members[i]
					}
				}
			}
		}
		if a != nil && a.known {
			list := contactsOf(owner.ID, a.groups, g.groups)
			g.mu.Unlock()
			return list, nil
		}
		g.mu.Unlock()
		keys, all, err := g.read(ctx, owner.ID)
		if err != nil {
			return nil, err
		}
		if a == nil {
			return contactsOf(owner.ID, keys, all), nil
		}
		g.mu.Lock()
		if g.turn == turn { // else what was read may be what was before the change
			if g.online[owner.ID] == a {
				a.known = true
				g.have(a, keys)
				maps.Copy(g.groups, all)
			}
			g.mu.Unlock()
			return contactsOf(owner.ID, keys, all), nil
		}
		g.mu.Unlock()
	}
}

// contactsOf makes contacts of the members of groups.
func contactsOf(owner identity.UserID, keys []key, all map[key]*group) []xmpp.Contact {
	var list []xmpp.Contact
	at := make(map[identity.UserID]int)
	for _, k := range keys {
		gr := all[k]
		if gr == nil {
			continue
		}
		fresh := 0
		for _, m := range gr.members {
			if _, had := at[m.id]; !had && m.id != owner {
				fresh++
			}
		}
		if len(list)+fresh > MaxContacts {
			continue
		}
		for _, m := range gr.members {
			if m.id == owner {
				continue
			}
			i, had := at[m.id]
			if !had {
				i = len(list)
				at[m.id] = i
				list = append(list, xmpp.Contact{JID: m.jid, Name: m.name, State: xmpp.SubscriptionBoth, Listed: true})
			}
			list[i].Groups = append(list[i].Groups, k.name)
		}
	}
	slices.SortFunc(list, func(a, b xmpp.Contact) int { return cmp.Compare(a.JID, b.JID) })
	for i := range list {
		slices.Sort(list[i].Groups)
	}
	return list
}

// read reads the groups of an account that have other members.
func (g *Groups) read(ctx context.Context, id identity.UserID) ([]key, map[key]*group, error) {
	keys, err := g.keysOf(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	all := make(map[key]*group, len(keys))
	for _, k := range keys {
		gr, err := g.load(ctx, k)
		if err != nil {
			return nil, nil, err
		}
		all[k] = gr
	}
	return keys, all, nil
}

// keysOf are the groups of an account, by name; none where it may not chat or is gone.
func (g *Groups) keysOf(ctx context.Context, id identity.UserID) ([]key, error) {
	acc, err := g.accounts.UserByID(ctx, id)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !chats(&acc):
		return nil, nil
	}
	var keys []key
	for _, gr := range append([]identity.Group{acc.Group}, acc.Groups...) {
		if gr.Name != "" && !gr.NoRoster {
			keys = append(keys, key{gr.GID, string(gr.Name), acc.Domain})
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(a.name, b.name) })
	return slices.Compact(keys), nil
}

// load reads a group. One that is not there any more has no members.
func (g *Groups) load(ctx context.Context, k key) (*group, error) {
	info, err := g.accounts.Group(ctx, k.name+"@"+k.domain)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return &group{}, nil
	case err != nil:
		return nil, err
	case info.GID != k.gid || len(info.Members)+len(info.Primary) < 2:
		return &group{}, nil
	case len(info.Members)+len(info.Primary) > MaxContacts:
		g.router.Log().Warn("a group has too many members for rosters", "group", k.name, "members", len(info.Members)+len(info.Primary), "max", MaxContacts)
		return &group{}, nil
	}
	gr := &group{}
	add := func(acc identity.Account, err error) error {
		switch {
		case errors.Is(err, identity.ErrNotFound): // meanwhile
			return nil
		case err != nil:
			return err
		}
		if chats(&acc) {
			gr.members = append(gr.members, member{acc.ID, string(acc.Login) + "@" + acc.Domain, acc.Profile.Name})
		}
		return nil
	}
	for _, m := range info.Members {
		if err := add(g.accounts.UserByID(ctx, m.User)); err != nil {
			return nil, err
		}
	}
	for _, login := range info.Primary {
		if err := add(g.accounts.User(ctx, string(login)+"@"+k.domain)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(gr.members, func(a, b member) int { return cmp.Compare(a.jid, b.jid) })
	return gr, nil
}

// chats reports whether an account may be on this road at all.
func chats(acc *identity.Account) bool {
	return acc.State == identity.UserActive && (len(acc.Roads) == 0 || slices.Contains(acc.Roads, identity.RoadXMPP))
}
