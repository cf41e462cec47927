package identity

import (
	"cmp"
	"container/list"
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Opening is what a road knows of a connection when it accepts it.
type Opening struct {
	Protocol      Protocol
	Remote, Local netip.AddrPort
	TLS           string // as Details.TLS
	UserAgent     string
	State         State // the first one; "" means the protocol's own
	Holder        Holder
	Token         bool // what is to prove who it is, is there already, and is a token
}

// Registry is the list of the sessions on this node. Its methods: Open, List, Get, Count, Watch,
// End and EndWhere.
//
// Locks: Registry.mu, then Session.mu, never the other way; no holder, hook or store is called
// under either.
type Registry struct {
	node    string
	now     func() time.Time
	limits  atomic.Pointer[Limits]
	classes *classTable
	ban     *throttle     // nil: nobody is banned
	onEnd   func([]ended) // called when the holders know
	locate  func(netip.Addr) string

	watching atomic.Int32 // number of watchers, so that nobody pays for events without one
	totals   totals

	mu        sync.Mutex // guards what follows and Session.counted
	sessions  map[string]*Session
	rows      []row // the same, in no order; counted.index is where each stands
	roads     map[Road]int
	protocols map[Protocol]int
	prefixes  map[netip.Prefix]*prefixCount
	waiting   *list.List // of *Session: connections that are not logged in, oldest first
	classed   map[classCount]int
	owners    map[UserID]map[*Session]struct{} // a session stays until its holder knows of its end
	tokens    map[string]map[*Session]struct{}
	expiring  map[*Session]struct{}
	watchers  map[*watcher]struct{}
	feed      feed
}

// prefixCount counts the connections of one address block.
type prefixCount struct{ connections, waiting int }

// classCount is a key of Registry.classed; the zero prefix counts the whole class.
type classCount struct {
	class  *Class
	prefix netip.Prefix
}

// counted is where a session stands in the counts.
type counted struct {
	index      int  // in Registry.rows
	leaving    bool // it gives way to another session of its account
	prefix     netip.Prefix
	class      *Class
	connection bool          // false for browser sessions, which have no connection of their own
	waiting    *list.Element // in Registry.waiting
	owner      UserID
	token      string
}

// ended is a session that has ended, as it was.
type ended struct {
	session *Session
	info    *Info // nil where nobody looks at it: the client went, and no watcher is there
	reason  Reason
}

func newRegistry(o Options, classes *classTable) *Registry {
	if o.Locate == nil {
		o.Locate = func(netip.Addr) string { return "" }
	}
	r := &Registry{
		node: o.Node, now: o.Now, classes: classes,
		onEnd:    func([]ended) {},
		locate:   o.Locate,
		sessions: map[string]*Session{}, roads: map[Road]int{}, protocols: map[Protocol]int{}, prefixes: map[netip.Prefix]*prefixCount{}, waiting: list.New(),
		classed: map[classCount]int{}, owners: map[UserID]map[*Session]struct{}{},
		tokens: map[string]map[*Session]struct{}{}, expiring: map[*Session]struct{}{},
		watchers: map[*watcher]struct{}{},
	}
	r.limits.Store(&o.Limits)
	return r
}

// Limits are those in force now. They must not be changed.
func (r *Registry) Limits() Limits { return *r.limits.Load() }

// Open lists a new session: the class is decided, level NONE, no credentials. It answers
// ErrBanned, ErrClassDenied, ErrConnections, ErrSessions or ErrTLSRequired where the connection
// may not be; the road then refuses in its own words and closes.
func (r *Registry) Open(ctx context.Context, o Opening) (*Session, error) {
	if err := r.checkBan(o.Remote.Addr(), o.Token); err != nil {
		return nil, err
	}
	s, err := r.newSession(ctx, r.newID(), o)
	if err != nil {
		return nil, err
	}
	if err := r.add(s); err != nil {
		return nil, err
	}
	return s, nil
}

// ClassOf names the class that a connection from the address would have; "" where none matches.
func (r *Registry) ClassOf(ctx context.Context, a netip.Addr) string {
	if c := r.classes.of(ctx, a); c != nil {
		return c.Name
	}
	return ""
}

// checkBan says whether somebody may connect from an address. token: they bring one along, which a
// ban for guessing lets try.
func (r *Registry) checkBan(a netip.Addr, token bool) error {
	if r.ban == nil {
		return nil
	}
	kind, left := r.ban.verdict(a)
	if kind == "" || token && kind == BanGuessing || r.ban.passes(kind, BlockOf(a)) {
		return nil
	}
	r.ban.hit(a)
	return &waitError{ErrBanned, left}
}

// newSession makes a session and decides its class; it is not listed yet.
func (r *Registry) newSession(ctx context.Context, id string, o Opening) (*Session, error) {
	class := r.classes.of(ctx, o.Remote.Addr())
	if !class.open(o.Protocol.Road()) {
		return nil, ErrClassDenied
	}
	s := &Session{
		id: id, protocol: o.Protocol, remote: o.Remote, local: o.Local, class: class,
		started: r.now(), holder: o.Holder, registry: r, location: r.locate(o.Remote.Addr()),
		ended: make(chan struct{}), told: make(chan struct{}),
		details: Details{State: cmp.Or(o.State, firstState(o.Protocol)), TLS: o.TLS, UserAgent: o.UserAgent},
	}
	s.Touch()
	return s, nil
}

func firstState(p Protocol) State {
	switch p {
	case ProtocolXMPP:
		return StateUnauthed
	case ProtocolWeb:
		return StateAnonymous
	default:
		return StateConnected
	}
}

// idChars of 5 random bits each make an ID that is not met twice; it guards nothing.
const idChars = 13

func newID() string { return strings.ToLower(rand.Text()[:idChars]) }

func (r *Registry) newID() string { return r.node + "-" + newID() }

// add lists s, or says which limit forbids it.
func (r *Registry) add(s *Session) error {
	r.mu.Lock()
	victim, err := r.count(s)
	if err == nil {
		r.enlist(s)
		r.note(EventOpened, s)
	}
	r.mu.Unlock()
	if victim != nil {
		r.finish([]*Session{victim}, Reason{Code: ReasonPolicy, Text: "too many connections wait for a log-in; this one was the oldest: connect again and log in at once"}, true)
	}
	return err
}

// count enters s in the counts. Where the server has too many connections that are not logged
// in, it names the oldest one, which has to go.
func (r *Registry) count(s *Session) (victim *Session, err error) {
	c := counted{prefix: BlockOf(s.remote.Addr()), class: s.class, connection: s.browser == nil}
	if road := s.protocol.Road(); reached(len(r.sessions), r.limits.Load().Sessions) || reached(r.roads[road], r.limits.Load().SessionsPerRoad[road]) {
		return nil, ErrSessions
	}
	if err := r.classRoom(c); err != nil {
		return nil, err
	}
	if c.connection {
		n := r.prefixes[c.prefix]
		if n == nil {
			n = &prefixCount{}
		}
		if c.prefix.IsValid() && (reached(n.connections, r.limits.Load().ConnectionsPerAddress) ||
			reached(n.waiting, r.limits.Load().UnauthenticatedPerAddress)) {
			return nil, ErrConnections
		}
		if reached(r.waiting.Len(), r.limits.Load().Unauthenticated) {
			victim = r.waiting.Front().Value.(*Session)
		}
		n.connections++
		n.waiting++
		r.prefixes[c.prefix] = n
		c.waiting = r.waiting.PushBack(s)
	}
	r.countClass(c, 1)
	s.counted = c
	return victim, nil
}

func reached(n, limit int) bool { return limit > 0 && n >= limit }

func (r *Registry) classRoom(c counted) error {
	if c.class == nil {
		return nil
	}
	if reached(r.classed[classCount{class: c.class}], c.class.MaxSessions) ||
		reached(r.classed[classCount{c.class, c.prefix}], c.class.MaxSessionsPerAddress) {
		return ErrSessions
	}
	return nil
}

func (r *Registry) countClass(c counted, by int) {
	if c.class == nil {
		return
	}
	for _, k := range []classCount{{class: c.class}, {c.class, c.prefix}} {
		if r.classed[k] += by; r.classed[k] == 0 {
			delete(r.classed, k)
		}
	}
}

// uncount takes s out of all counts but that of its owner.
func (r *Registry) uncount(s *Session) {
	c := s.counted
	r.setWaiting(s, false)
	if n := r.prefixes[c.prefix]; c.connection && n != nil {
		if n.connections--; n.connections == 0 {
			delete(r.prefixes, c.prefix)
		}
	}
	r.countClass(c, -1)
	unindex(r.tokens, c.token, s)
	delete(r.expiring, s)
}

// setWaiting notes whether a connection is still to log in.
func (r *Registry) setWaiting(s *Session, waits bool) {
	c := &s.counted
	if !c.connection || waits == (c.waiting != nil) {
		return
	}
	n := r.prefixes[c.prefix]
	if waits {
		c.waiting = r.waiting.PushBack(s)
		n.waiting++
		return
	}
	r.waiting.Remove(c.waiting)
	c.waiting = nil
	n.waiting--
}

func index[K comparable](m map[K]map[*Session]struct{}, k K, s *Session) {
	if m[k] == nil {
		m[k] = map[*Session]struct{}{}
	}
	m[k][s] = struct{}{}
}

func unindex[K comparable](m map[K]map[*Session]struct{}, k K, s *Session) {
	delete(m[k], s)
	if len(m[k]) == 0 {
		delete(m, k)
	}
}

// Get returns one session by ID.
func (r *Registry) Get(id string) (*Session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sessions[id]
	return s, ok
}

// End ends one session and tells its holder; ErrNotFound where there is none. When it returns
// the session has left the list and cannot act any more.
func (r *Registry) End(id string, why Reason) error {
	if s, ok := r.Get(id); ok && len(r.finish([]*Session{s}, why, true)) == 1 {
		return nil
	}
	return ErrNotFound
}

// EndWhere ends all that f chooses and returns them.
func (r *Registry) EndWhere(f Filter, why Reason) []Info {
	infos := []Info{}
	list := r.find(f)
	slices.SortFunc(list, byStart)
	for _, e := range r.finish(list, why, true) {
		infos = append(infos, *e.info)
	}
	return infos
}

// finish ends those of the sessions that have not ended, and with tell calls their holders.
func (r *Registry) finish(sessions []*Session, why Reason, tell bool) []ended {
	var gone []ended
	r.mu.Lock()
	for _, s := range sessions {
		if r.sessions[s.id] != s {
			continue
		}
		e := ended{session: s, reason: why}
		if tell || r.heard() {
			e.info = s.snapshot()
		}
		r.delist(s)
		r.uncount(s)
		s.mu.Lock()
		s.done, s.reason, s.level = true, why, LevelNone
		s.mu.Unlock()
		close(s.ended)
		gone = append(gone, e)
		r.publish(EventEnded, e.info, why)
	}
	r.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	for _, e := range gone {
		if tell && e.session.holder != nil {
			e.session.holder.SessionEnded(why)
		}
	}
	r.onEnd(gone)
	r.mu.Lock()
	for _, e := range gone {
		unindex(r.owners, e.session.counted.owner, e.session)
		close(e.session.told)
	}
	r.mu.Unlock()
	return gone
}
