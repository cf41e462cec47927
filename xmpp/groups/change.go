package groups

import (
	"context"
	"slices"

	"trivium/identity"
	"trivium/xmpp"
)

// Changed is called with the accounts that a committed change concerns: those that have changed,
// and those of which a group has. Clients of members who are online have been told when it returns.
func (g *Groups) Changed(ctx context.Context, ids []identity.UserID) {
	g.changing.Lock()
	defer g.changing.Unlock()
	g.mu.Lock()
	g.turn++
	g.past.forget()
	g.past.shut = true
	idle := len(g.online) == 0
	g.mu.Unlock()
	defer g.reopen()
	if idle {
		return
	}
	fresh := make(map[identity.UserID][]key)
	touched := make(map[key]bool)
	for _, id := range ids {
		keys, err := g.keysOf(ctx, id)
		if err != nil {
			g.lost(err)
			return
		}
		g.mu.Lock()
		a := g.online[id]
		for _, k := range keys {
			if g.users[k] > 0 || a != nil && a.known {
				touched[k] = true
			}
		}
		for k, gr := range g.groups {
			if slices.ContainsFunc(gr.members, func(m member) bool { return m.id == id }) {
				touched[k] = true
			}
		}
		g.mu.Unlock()
		fresh[id] = keys
	}
	groups := make(map[key]*group, len(touched))
	for k := range touched {
		gr, err := g.load(ctx, k)
		if err != nil {
			g.lost(err)
			return
		}
		groups[k] = gr
	}
	if list := g.swap(fresh, groups); len(list) > 0 {
		g.router.Regroup(ctx, list)
	}
}

// reopen lets those be kept again who go, when the change has been met.
func (g *Groups) reopen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.past.shut = false
}

// lost forgets all, where a change could not be read: whoever asks next reads the truth.
func (g *Groups) lost(err error) {
	g.router.Log().Error("clients were not told of changed groups", "error", err)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.online {
		g.have(a, nil)
		a.known = false
	}
}

// swap puts in what has been read and returns whose contacts are others than before.
func (g *Groups) swap(fresh map[identity.UserID][]key, groups map[key]*group) []xmpp.Regrouping {
	g.mu.Lock()
	defer g.mu.Unlock()
	concerned := make(map[identity.UserID]*account)
	concern := func(id identity.UserID) {
		if a := g.online[id]; a != nil && a.known {
			concerned[id] = a
		}
	}
	for id := range fresh {
		concern(id)
	}
	for k, gr := range groups {
		for _, m := range gr.members {
			concern(m.id)
		}
		if was := g.groups[k]; was != nil {
			for _, m := range was.members {
				concern(m.id)
			}
		}
	}
	before := make(map[identity.UserID][]xmpp.Contact, len(concerned))
	for id, a := range concerned {
		before[id] = contactsOf(id, a.groups, g.groups)
	}
	for id, keys := range fresh {
		if a := concerned[id]; a != nil {
			g.have(a, keys)
		}
	}
	for k, gr := range groups {
		if g.users[k] > 0 {
			g.groups[k] = gr
		}
	}
	var list []xmpp.Regrouping
	for id, a := range concerned {
		list = append(list, xmpp.Regrouping{Owner: a.owner, Before: before[id], Now: contactsOf(id, a.groups, g.groups)})
	}
	return list
}
