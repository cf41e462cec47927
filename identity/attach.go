package identity

import (
	"net/netip"
	"time"
)

// attachment is what a log-in gives a session: made anew for each change, and never changed once a
// session has it. It is large, and passed by reference, as goroutines that read commands are to
// have small stacks.
type attachment struct {
	creds   Credentials
	method  Method
	factor  FactorKind // the second factor that was shown; "": none
	cert    *certified // the client certificate that was shown; nil: none
	held    Level      // before the class's cap
	rank    Level      // of the account, which a token and the class narrow; LevelNone without one
	roads   []Road     // that the account may use; empty: all
	expires time.Time  // of the account or token, or when the session is as old as it may be; zero: never
	aged    bool       // that is because of its age
}

// age bounds the life of a session by Options.MaxAge; LoginAt is set.
func (s *Service) age(ses *Session, a *attachment) {
	most := s.opts.MaxAge[ses.protocol.Road()]
	if most <= 0 {
		return
	}
	if end := a.creds.LoginAt.Add(most); a.expires.IsZero() || end.Before(a.expires) {
		a.expires, a.aged = end, true
	}
}

// WhenFull is what a log-in does where its account has as many sessions on that road as it may.
type WhenFull string

// The rules. The session that gives way ends with ReasonReplaced; one that waits for its client to
// come back does not count.
const (
	WhenFullRefuse WhenFull = "refuse" // the log-in is refused; also the meaning of ""
	WhenFullOldest WhenFull = "oldest" // the session that logged in first gives way
	WhenFullIdle   WhenFull = "idle"   // the session that was not heard of for longest gives way
)

// attach gives s credentials, where the limits of the account's sessions allow it. gives is the
// session that has to go for it, which the caller ends once it holds no lock.
func (r *Registry) attach(s *Session, a *attachment) (gives *Session, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.id] != s {
		return nil, ErrEnded
	}
	if !s.loginFree() {
		return nil, ErrInvalid
	}
	if a.creds.UserID != "" {
		if gives, err = r.room(s.protocol.Road(), a.creds.UserID); err != nil {
			return nil, err
		}
	}
	r.place(s, a)
	return gives, nil
}

// room finds a place for one more session of an account on a road.
func (r *Registry) room(road Road, owner UserID) (gives *Session, err error) {
	limit, rule := r.limits.Load().SessionsPerUser[road], r.limits.Load().WhenFull[road]
	n := 0
	for other := range r.owners[owner] {
		if other.protocol.Road() != road || r.sessions[other.id] != other || other.away.Load() || other.counted.leaving {
			continue
		}
		n++
		if gives == nil || rule.before(other, gives) {
			gives = other
		}
	}
	switch {
	case !reached(n, limit):
		return nil, nil
	case rule != WhenFullOldest && rule != WhenFullIdle:
		return nil, ErrSessions
	}
	gives.counted.leaving = true
	return gives, nil
}

// before reports whether a gives way before b.
func (w WhenFull) before(a, b *Session) bool {
	if w == WhenFullIdle {
		return a.activity.Load() < b.activity.Load()
	}
	return a.loginAt().Before(b.loginAt())
}

func (s *Session) loginAt() time.Time {
	if a := s.had(); a != nil {
		return a.creds.LoginAt
	}
	return s.started
}

// giveWay ends a session whose place another one of its account has taken; nil is none.
func (r *Registry) giveWay(s *Session) {
	if s != nil {
		r.finish([]*Session{s}, Reason{Code: ReasonReplaced, Text: "another log-in took its place: the account has as many sessions on this road as it may"}, true)
	}
}

// replace gives s other credentials or, with nil, none; false where it has ended.
func (r *Registry) replace(s *Session, a *attachment) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.id] != s {
		return false
	}
	r.place(s, a)
	return true
}

// swap is replace where s has what it had when its credentials were looked at.
func (r *Registry) swap(s *Session, was, a *attachment) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.id] != s || s.had() != was {
		return false
	}
	r.place(s, a)
	return true
}

// place sets what s is and counts it there; Registry.mu is held.
func (r *Registry) place(s *Session, a *attachment) {
	was := s.counted.owner
	unindex(r.owners, s.counted.owner, s)
	unindex(r.tokens, s.counted.token, s)
	delete(r.expiring, s)
	s.counted.owner, s.counted.token = "", ""
	r.setWaiting(s, a == nil)
	s.set(a)
	r.reread(s)
	if a != nil {
		c := &a.creds
		if s.counted.owner = c.UserID; c.UserID != "" {
			index(r.owners, c.UserID, s)
		}
		if c.Grant != nil {
			s.counted.token = c.Grant.TokenID
			index(r.tokens, c.Grant.TokenID, s)
		}
		if !a.expires.IsZero() {
			r.expiring[s] = struct{}{}
		}
	}
	switch now := s.counted.owner; {
	case was == "" && now != "":
		r.note(EventUpgraded, s)
	case was != "" && now == "":
		r.note(EventDowngraded, s)
	default:
		r.note(EventChanged, s)
	}
}

// move notes that a browser session came from another address, of the given class, and returns
// whether the class is another one than before.
func (r *Registry) move(s *Session, remote netip.AddrPort, class *Class) (changed, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[s.id] != s {
		return false, false
	}
	r.countClass(s.counted, -1)
	s.counted.prefix, s.counted.class = BlockOf(remote.Addr()), class
	r.countClass(s.counted, 1)
	s.mu.Lock()
	changed = s.class != class
	if s.remote.Addr() != remote.Addr() {
		s.location = r.locate(remote.Addr())
	}
	s.remote, s.class = remote, class
	s.mu.Unlock()
	r.reread(s)
	r.note(EventChanged, s)
	return changed, true
}

// ofOwner returns the sessions of an account, those too that are just ending.
func (r *Registry) ofOwner(id UserID) []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return keys(r.owners[id])
}

// ofToken returns the sessions that a token opened.
func (r *Registry) ofToken(id string) []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return keys(r.tokens[id])
}

// expired returns the sessions whose account or token has expired.
func (r *Registry) expired() []*Session {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*Session
	for s := range r.expiring {
		if a, ok := s.attached(); ok && !a.expires.IsZero() && !now.Before(a.expires) {
			out = append(out, s)
		}
	}
	return out
}

func keys(m map[*Session]struct{}) []*Session {
	out := make([]*Session, 0, len(m))
	for s := range m {
		out = append(out, s)
	}
	return out
}

// loginFree reports whether s may log in: it has no credentials, or is an anonymous browser
// session, whose way up this is.
func (s *Session) loginFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has == nil || s.browser != nil && s.has.creds.UserID == ""
}

func (s *Session) set(a *attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has, s.level = a, LevelNone
	if a != nil {
		s.level = a.creds.Level
	}
}

// attached is what s has now; nil and false where it has no credentials or has ended.
func (s *Session) attached() (*attachment, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has == nil || s.done {
		return nil, false
	}
	return s.has, true
}

// had is what s has, or had at its end; nil: nothing.
func (s *Session) had() *attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has
}
