package identity

import (
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// State is where a session stands in its protocol.
type State string

// The states. FTP: connected → login → ready → transfer. Web: anonymous ↔ logged_in. XMPP:
// c2s_unauthed → authenticated → connected (bound) → available, and detached from these two.
const (
	StateConnected     State = "connected" // FTP: before USER. XMPP: a resource is bound
	StateLogin         State = "login"
	StateReady         State = "ready"
	StateTransfer      State = "transfer"
	StateAnonymous     State = "anonymous"
	StateLoggedIn      State = "logged_in"
	StateUnauthed      State = "c2s_unauthed"
	StateAuthenticated State = "authenticated"
	StateAvailable     State = "available"
	StateDetached      State = "detached" // the connection is lost, and the client may come back (XEP-0198)
)

// Details are the fields of a session that its road keeps; identity only shows them.
type Details struct {
	State     State
	TLS       string // "TLS 1.3"; "" in the clear
	JID       string // full JID, once bound
	Resource  string
	Priority  int8
	Bound     bool   // JID fields mean something
	Presence  string // show of the last non-directed presence without type, "available" if it has none; "" before and after
	Interest  bool   // asked for the roster
	UserAgent string // FTP CLNT, HTTP User-Agent, XMPP software
	Lang      string
	Doing     string // what is going on, for people: "STOR /a.iso"
}

// Direction is which way a transfer goes.
type Direction string

// The directions. DirectionHere is work on the server that takes long, such as a checksum or a copy.
const (
	DirectionIn   Direction = "in"
	DirectionOut  Direction = "out"
	DirectionHere Direction = "here"
)

// TransferInfo is a running transfer of a file or listing, as of the last second.
type TransferInfo struct {
	ID        string    `json:"id"`   // that of its session, a dot and a number; Move sets it
	Verb      string    `json:"verb"` // "RETR", "STOR", "APPE", "STOU", "LIST" …
	Direction Direction `json:"direction"`
	Path      string    `json:"path"` // as the client sees it
	Bytes     int64     `json:"bytes"`
	Size      int64     `json:"size"` // bytes that it will move in all; -1: nobody knows
	Rate      int64     `json:"rate"` // bytes a second, lately
	StartedAt time.Time `json:"started_at"`
}

// Info is a session as JSON, the same for CLI, REST and pages. Absent values are null.
type Info struct {
	ID           string     `json:"id"`
	Protocol     Protocol   `json:"protocol"`
	State        State      `json:"state"`
	Level        Level      `json:"level"`
	User         *string    `json:"user"`
	OrigUser     *string    `json:"orig_user"`
	IdentUser    *string    `json:"ident_user"`
	AnonUser     *string    `json:"anon_user"`
	UID          *uint32    `json:"uid"`
	GID          *uint32    `json:"gid"`
	Group        *string    `json:"group"`
	GIDs         []uint32   `json:"gids"`
	Groups       []string   `json:"groups"`
	Class        *string    `json:"class"`
	RemoteAddr   string     `json:"remote_addr"`
	LocalAddr    string     `json:"local_addr"`
	TLS          *string    `json:"tls"`
	JID          *string    `json:"jid"`
	Resource     *string    `json:"resource"`
	Priority     *int8      `json:"priority"`
	Presence     *string    `json:"presence"`
	Interested   *bool      `json:"interested"`
	UserAgent    *string    `json:"user_agent"`
	Lang         *string    `json:"lang"`
	TokenID      *string    `json:"token_id"`
	Node         string     `json:"node"`
	StartedAt    time.Time  `json:"started_at"`
	LoginAt      *time.Time `json:"login_at"`
	LastActivity time.Time  `json:"last_activity"`
	BytesIn      int64      `json:"bytes_in"`
	BytesOut     int64      `json:"bytes_out"`

	Transfer *TransferInfo `json:"transfer"` // the newest, where several run
	Location *string       `json:"location"` // where the address is, as far as somebody knows

	Owner UserID `json:"-"` // "" before log-in and for anonymous
	Doing string `json:"-"`
}

// Reason says why a session ends; a road turns Code into its own words (FTP 421, XMPP stream
// error) and may show Text, which holds nothing secret.
type Reason struct {
	Code ReasonCode
	Text string
	By   *Actor // who wanted it, for the audit log; nil: nobody in particular
}

// ReasonCode is the kind of a Reason.
type ReasonCode string

// The kinds. ReasonRevoked, ReasonDisabled and ReasonExpired are `not-authorized` in XMPP,
// ReasonEnded and ReasonPolicy `policy-violation`, ReasonShutdown and ReasonMaintenance `system-shutdown`.
const (
	ReasonEnded    ReasonCode = "ended"    // by an administrator or the person
	ReasonDisabled ReasonCode = "disabled" // the account is disabled or removed
	ReasonRevoked  ReasonCode = "revoked"  // the credential it was opened with is gone
	ReasonExpired  ReasonCode = "expired"
	ReasonPolicy   ReasonCode = "policy" // road, class or rule no longer allows it
	ReasonIdle     ReasonCode = "idle"
	ReasonReplaced ReasonCode = "replaced" // by a newer connection of the same kind
	ReasonShutdown ReasonCode = "shutdown"
	ReasonClosed   ReasonCode = "closed" // the client went

	ReasonMaintenance ReasonCode = "maintenance" // the server is closed but for those who look after it
)

// Holder is the road's side of a session. Its methods are called without locks, must not
// block, and may come from any goroutine.
type Holder interface {
	// SessionEnded tells the client and closes the connection. It comes once at most, and not
	// after Session.Close.
	SessionEnded(Reason)
	// SessionChanged says that the session goes on with other rights (groups, level, quota),
	// which Session.Credentials already returns.
	SessionChanged()
}

// Session is one presence of somebody over one road. Only Registry.Open and the browser sessions
// make one, and only Service gives it credentials. All methods are safe for any goroutine.
type Session struct {
	id       string
	protocol Protocol
	started  time.Time
	holder   Holder
	registry *Registry
	browser  *browserRecord // of a browser session, else nil

	ident    atomic.Pointer[string]
	activity atomic.Int64 // Unix nanoseconds
	in, out  atomic.Int64
	away     atomic.Bool
	trying   atomic.Int32 // log-ins that are being looked at

	ended chan struct{} // closed when the session has left the list
	told  chan struct{} // closed when its holder knows

	// Guarded by Registry.mu: where the session is counted.
	counted counted

	mu       sync.Mutex // guards what follows; taken alone or after Registry.mu
	remote   netip.AddrPort
	local    netip.AddrPort
	class    *Class
	location string // of remote
	details  Details
	has      *attachment // replaced, never changed; nil: no credentials
	level    Level
	reason   Reason
	done     bool
	changes  map[*func()]struct{} // of OnChange
	moves    *Move                // that run, the newest first
}

// ID is opaque, no secret, and never changes; it begins with the node's name.
func (s *Session) ID() string { return s.id }

// Protocol is what the session speaks.
func (s *Session) Protocol() Protocol { return s.protocol }

// Remote is the client's address; of a browser session, and of one that was resumed, the one that
// it came from last.
func (s *Session) Remote() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

// Local is the address that the client came to.
func (s *Session) Local() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local
}

// Class is the client's class; zero where no class has been configured or matches. The lists in
// it are shared: they are for reading.
func (s *Session) Class() Class {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.class == nil {
		return Class{}
	}
	return *s.class
}

// SessionLimits are what bounds the file road of a session's account, all its sessions there
// together; 0: no limit. What its class bounds counts beside them (Class.UploadRate,
// Class.DownloadRate: of the one session; Class.MaxTransfers: of the whole class).
type SessionLimits struct {
	UploadRate, DownloadRate int64 // bytes a second
	Transfers                int   // at once
}

// Limits are those of the account as of now, else the server's defaults. Of an anonymous session
// they are the defaults; there the session stands for the account.
func (s *Session) Limits() SessionLimits {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r Rates
	if s.has != nil {
		r = s.has.creds.Rates
	}
	return r.over(s.registry.limits.Load().FileRoad)
}

// Level is what the session may do at most now: LevelNone before a log-in and after the end.
func (s *Session) Level() Level {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.level
}

// Credentials returns who the session is, as of now; false before a log-in. After the end they
// say who it was, with LevelNone. The lists in it are shared: they are for reading.
func (s *Session) Credentials() (Credentials, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has == nil {
		return Credentials{}, false
	}
	c := s.has.creds
	c.Level = s.level
	return c, true
}

// Method is how the session logged in; "" before that.
func (s *Session) Method() Method {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has == nil {
		return ""
	}
	return s.has.method
}

// Update lets the road change its own fields; fn must not block or call the session.
func (s *Session) Update(fn func(*Details)) {
	s.mu.Lock()
	before := s.details
	fn(&s.details)
	changed := before != s.details
	s.mu.Unlock()
	if changed {
		s.registry.changed(s)
	}
}

// Details returns the road's own fields.
func (s *Session) Details() Details {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.details
}

// Touch notes that the client was heard now.
func (s *Session) Touch() { s.activity.Store(s.registry.now().UnixNano()) }

// LastActivity is when the client was last heard.
func (s *Session) LastActivity() time.Time { return time.Unix(0, s.activity.Load()) }

// CountIn adds n received bytes and notes activity.
func (s *Session) CountIn(n int64) {
	s.in.Add(n)
	s.registry.totals.in.Add(n)
	s.Touch()
}

// CountOut adds n sent bytes.
func (s *Session) CountOut(n int64) {
	s.out.Add(n)
	s.registry.totals.out.Add(n)
}

// OnChange calls fn each time that the session goes on with other rights, or as another than before,
// until stop is called; Holder.SessionChanged is the same for the road as a whole. fn must not block, and
// may come from any goroutine, also while stop runs.
func (s *Session) OnChange(fn func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == nil {
		s.changes = map[*func()]struct{}{}
	}
	s.changes[&fn] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.changes, &fn)
	}
}

// tellChanged tells the road, and what runs on it, that rights have changed. No lock is held.
func (s *Session) tellChanged() {
	if s.holder != nil {
		s.holder.SessionChanged()
	}
	s.mu.Lock()
	list := make([]func(), 0, len(s.changes))
	for fn := range s.changes {
		list = append(list, *fn)
	}
	s.mu.Unlock()
	for _, fn := range list {
		fn()
	}
}

// Ended is closed when the session has ended, by whomever.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// Reason says why the session has ended; zero before.
func (s *Session) Reason() Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// Close is the road's word that the client has gone: the session leaves the list. The holder
// is not called. Closing twice is fine.
func (s *Session) Close() { s.registry.finish([]*Session{s}, Reason{Code: ReasonClosed}, false) }

// SetIdent notes what the client's host answered to an RFC 1413 query (FTP only); "" where it
// did not. Until then Info.IdentUser is IdentUnknown.
func (s *Session) SetIdent(user string) {
	if user == "" {
		user = IdentUnknown
	}
	s.ident.Store(&user)
	s.registry.changed(s)
}

// Info is a snapshot.
func (s *Session) Info() Info { return *s.snapshot() }

func (s *Session) snapshot() *Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := &Info{
		ID: s.id, Protocol: s.protocol, State: s.details.State, Level: s.level,
		Class: optional(s.class.name()), RemoteAddr: addrText(s.remote), LocalAddr: addrText(s.local),
		TLS: optional(s.details.TLS), UserAgent: optional(s.details.UserAgent), Lang: optional(s.details.Lang),
		StartedAt: s.started.UTC(), LastActivity: s.LastActivity().UTC(),
		BytesIn: s.in.Load(), BytesOut: s.out.Load(), Doing: s.details.Doing,
		Location: optional(s.location),
	}
	if s.moves != nil {
		i.Transfer = s.moves.info
	}
	i.Node = s.registry.node
	if s.protocol == ProtocolFTP {
		if i.IdentUser = s.ident.Load(); i.IdentUser == nil {
			i.IdentUser = optional(IdentUnknown)
		}
	}
	if s.protocol.Road() == RoadXMPP && s.details.Bound {
		priority, interested := s.details.Priority, s.details.Interest
		i.JID, i.Resource = optional(s.details.JID), optional(s.details.Resource)
		i.Priority, i.Interested = &priority, &interested
		i.Presence = optional(s.details.Presence)
	}
	if s.has == nil {
		return i
	}
	c := &s.has.creds
	uid, gid, at := c.UID, c.GID, c.LoginAt.UTC()
	if !at.IsZero() {
		i.LoginAt = &at
	}
	i.Owner = c.UserID
	i.User, i.OrigUser, i.AnonUser = optional(c.User), optional(c.OrigUser), optional(c.AnonUser)
	i.UID, i.GID, i.Group = &uid, &gid, optional(c.Group)
	i.GIDs, i.Groups = append([]uint32{}, c.GIDs...), append([]string{}, c.Groups...)
	if c.Grant != nil && c.Grant.pass == nil {
		i.TokenID = optional(c.Grant.TokenID)
	}
	return i
}

// LogValue gives every road the same keys.
func (s *Session) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("sess", s.id), slog.String("protocol", string(s.protocol)),
		slog.String("remote", addrText(s.Remote()))}
	if a := s.had(); a != nil && a.creds.User != "" {
		attrs = append(attrs, slog.String("user", a.creds.User))
	}
	return slog.GroupValue(attrs...)
}

// addrText is "" for the absent address, as of the control socket.
func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
