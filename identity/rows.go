package identity

import "net/netip"

// row is what most filters ask of a session, side by side, so that a list of many is read through
// without a look at each of them. Registry.mu guards the rows.
type row struct {
	*Session
	addr  netip.Addr
	class *Class
	level Level
}

// enlist lists s.
func (r *Registry) enlist(s *Session) {
	s.counted.index = len(r.rows)
	r.rows = append(r.rows, row{Session: s})
	r.sessions[s.id] = s
	r.roads[s.protocol.Road()]++
	r.protocols[s.protocol]++
	r.reread(s)
}

// delist takes s off the list; the last row comes to its place.
func (r *Registry) delist(s *Session) {
	last := len(r.rows) - 1
	r.rows[s.counted.index] = r.rows[last]
	r.rows[s.counted.index].counted.index = s.counted.index
	r.rows[last] = row{}
	r.rows = r.rows[:last]
	delete(r.sessions, s.id)
	if r.roads[s.protocol.Road()]--; r.roads[s.protocol.Road()] == 0 {
		delete(r.roads, s.protocol.Road())
	}
	if r.protocols[s.protocol]--; r.protocols[s.protocol] == 0 {
		delete(r.protocols, s.protocol)
	}
}

// reread brings the row of a listed session up to date.
func (r *Registry) reread(s *Session) {
	w := &r.rows[s.counted.index]
	s.mu.Lock()
	defer s.mu.Unlock()
	w.addr, w.class, w.level = s.remote.Addr().Unmap().WithZone(""), s.class, s.level
}
