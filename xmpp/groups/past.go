package groups

import "trivium/identity"

// Bounds of what is kept of accounts that have gone.
const (
	maxPast        = 4096
	maxPastMembers = 32768 // of their groups together, each counted for each account
)

// past keeps the groups of accounts that have gone offline, so that those who come and go read
// nothing. A change of any account or group forgets all of it, for who is offline is told of none.
// Groups.mu guards it.
type past struct {
	of      map[identity.UserID]lately
	members int
	shut    bool // a change is being met: who goes now may have what was before it
}

// lately is what an account had when it went: its groups, and who was in each.
type lately struct {
	groups  []key
	members []*group
}

// keep notes what an account has. Where there is no room, others have to go, any of them.
func (p *past) keep(id identity.UserID, keys []key, all map[key]*group) {
	if p.shut {
		return
	}
	l := lately{groups: keys, members: make([]*group, len(keys))}
	for i, k := range keys {
		if l.members[i] = all[k]; l.members[i] == nil {
			return // what is there now is not known
		}
	}
	n := l.size()
	if n > maxPastMembers {
		return
	}
	p.remove(id)
	for other := range p.of {
		if len(p.of) < maxPast && p.members+n <= maxPastMembers {
			break
		}
		p.remove(other)
	}
	if p.of == nil {
		p.of = make(map[identity.UserID]lately)
	}
	p.of[id] = l
	p.members += n
}

func (l lately) size() int {
	n := 0
	for _, g := range l.members {
		n += len(g.members)
	}
	return n
}

func (p *past) remove(id identity.UserID) {
	if l, ok := p.of[id]; ok {
		p.members -= l.size()
		delete(p.of, id)
	}
}

func (p *past) forget() { p.of, p.members = nil, 0 }
