package identity

import "fmt"

// SetAway notes whether a session waits for its client to come back with another connection.
// Meanwhile it does not count among the sessions that its account may have, so that the client can
// log in for it; the road bounds how many wait.
func (s *Session) SetAway(away bool) { s.away.Store(away) }

// Resume lets a session that has lost its connection go on over the one of next, which has logged
// in as the same account since: old takes over next's addresses, class and credentials, and with
// them what may be done from there and by what it can be ended; it is not away any more. next
// stays listed, at the place that old had, until the road closes it. The error is ErrEnded where
// one of them has ended, and ErrInvalid where they are not of one account.
func (r *Registry) Resume(old, next *Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[old.id] != old || r.sessions[next.id] != next {
		return ErrEnded
	}
	a := next.had()
	if old == next || old.protocol != next.protocol || a == nil || a.creds.UserID == "" || old.counted.owner != a.creds.UserID {
		return fmt.Errorf("resuming another's session: %w", ErrInvalid)
	}
	old.counted.prefix, next.counted.prefix = next.counted.prefix, old.counted.prefix
	old.counted.class, next.counted.class = next.counted.class, old.counted.class
	next.mu.Lock()
	remote, local, class, location := next.remote, next.local, next.class, next.location
	next.mu.Unlock()
	old.mu.Lock()
	old.remote, old.local, old.class, old.location = remote, local, class, location
	old.mu.Unlock()
	old.away.Store(false)
	r.place(old, a)
	r.reread(next)
	return nil
}
