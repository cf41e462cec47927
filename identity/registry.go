package identity

import (
	"context"
	"net/netip"
)

// Opening is what a road knows of a connection when it accepts it.
type Opening struct {
	Protocol      Protocol
	Remote, Local netip.AddrPort
	TLS           string // as Details.TLS
	UserAgent     string
	State         State // the first one; "" means the protocol's own
	Holder        Holder
}

// EventKind is what happened to a session.
type EventKind string

// The kinds; EventLagged says that the watcher was too slow and must read List again.
const (
	EventOpened  EventKind = "opened"
	EventChanged EventKind = "changed"
	EventEnded   EventKind = "ended"
	EventLagged  EventKind = "lagged"
)

// Event is a change in the list of sessions.
type Event struct {
	Kind    EventKind
	Session Info
	Reason  Reason
}

// Filter chooses sessions; zero fields choose all.
type Filter struct {
	User     string // as Info.User
	Owner    UserID
	Protocol Protocol
	ID       string
}

// Registry is the list of the sessions on this node. Its methods: Open, List, Get, Count, Watch,
// End and EndWhere.
type Registry struct {
	registryState
}

// Open lists a new session: the class is decided, level NONE, no credentials. It answers
// ErrBanned, ErrClassDenied, ErrConnections, ErrSessions or ErrTLSRequired where the connection
// may not be; the road then refuses in its own words and closes.
func (r *Registry) Open(ctx context.Context, o Opening) (*Session, error) { return r.open(ctx, o) }

// List returns the chosen sessions, oldest first.
func (r *Registry) List(f Filter) []Info { return r.list(f) }

// Get returns one session by ID.
func (r *Registry) Get(id string) (*Session, bool) { return r.get(id) }

// End ends one session and tells its holder; ErrNotFound where there is none. When it returns
// the session has left the list and cannot act any more.
func (r *Registry) End(id string, why Reason) error { return r.end(id, why) }

// EndWhere ends all that f chooses and returns them.
func (r *Registry) EndWhere(f Filter, why Reason) []Info { return r.endWhere(f, why) }

// Watch sends the events of the list until ctx ends, at most buffer behind.
func (r *Registry) Watch(ctx context.Context, buffer int) <-chan Event { return r.watch(ctx, buffer) }
