package identity

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// TokenVerifier is what identity needs of tokens.
type TokenVerifier interface {
	// VerifyToken checks the wire form of a token that came from remote (a host address). Not a
	// token, unknown, forged, expired or from elsewhere: ErrCredentials, at the same cost.
	VerifyToken(ctx context.Context, text Secret, remote string) (Grant, error)
	// IsToken reports whether text has the form of a token, without looking it up.
	IsToken(text Secret) bool
	// TokenKeys returns the SCRAM keys of the user's valid tokens of scope xmpp, at most 50.
	TokenKeys(ctx context.Context, user UserID, remote string) ([]TokenKey, error)
	// TokenValid re-reads a token by ID: nil error while it is valid.
	TokenValid(ctx context.Context, id string) error
	// TokenUsed notes the last use; it may be written behind.
	TokenUsed(ctx context.Context, id string, at time.Time, ses *Session)
}

// Limits are the numbers of config that identity keeps; 0 means no limit where nothing else is
// said.
type Limits struct {
	ConnectionsPerAddress     int
	UnauthenticatedPerAddress int
	Unauthenticated           int // whole server; the oldest is ended first
	Sessions                  int // whole server
	SessionsPerRoad           map[Road]int
	SessionsPerUser           map[Road]int
	WhenFull                  map[Road]WhenFull // what a log-in beyond SessionsPerUser does
	FileRoad                  SessionLimits     // of one account, where it says nothing of its own
	BanAfter                  int               // wrong log-ins per address prefix (/32, /64); 0: never
	BanWindow                 time.Duration
	BanFor                    time.Duration // the first; each further one is longer
	BanWiden                  int           // so many banned prefixes in a /24 (/64 in a /56, /56 in a /48) ban it; 0: never
}

// Options is what New needs.
type Options struct {
	Store           Store
	Tokens          TokenVerifier // nil: no tokens
	Log             *slog.Logger
	Node            string   // begins each session ID; "" for a single node is "1"
	Domain          string   // the default domain
	Domains         []string // further ones
	Classes         []Class
	Resolver        Resolver          // of the host names that classes ask for; nil: net.DefaultResolver
	Policy          map[string]string // resource pattern → level, from config
	Limits          Limits
	UIDMin          uint32                  // first uid and gid given out; 0: 10000
	SealKey         []byte                  // 32 bytes; seals the password records
	AuditHead       string                  // of the audit log, as KeepAuditHead got it last, in an earlier process; "": none
	KeepAuditHead   func(head string) error // keeps it outside of the store, so that a log with its end cut off is known; nil: nobody does
	AuditKeep       time.Duration           // how long rows of the audit log are kept; 0: for ever
	AuditKeepLogins time.Duration           // those of log-ins and sessions, where that is shorter; 0: as AuditKeep
	DefaultLevel    Level
	DefaultRequired Level // Node++ NPP_REQUIRED_AUTH_LEVEL, of the web road; 0 is LevelNone, as there

	SCRAMIterations int           // 0: 10,000
	SCRAMSHA1       bool          // keep SHA-1 keys for old clients
	Argon2id        bool          // no SCRAM: a memory-hard hash
	Foreign         ForeignHashes // of imported accounts; nil: none is known

	Passwords        PasswordJudge // nil: nothing but the length of a new password counts
	PasswordStrength int           // score that a new one must have at least, 0 to 4

	AnonymousRoads           []Road                 // where LoginAnonymous may succeed
	AnonymousRequirePassword bool                   // FTP: anon_user is then the original USER
	AnonymousPassword        Secret                 // what it must be; zero: nothing is right
	AnonymousTimeout         time.Duration          // of an anonymous browser session
	SessionTimeout           time.Duration          // of a logged-in browser session: then it is downgraded
	MaxAge                   map[Road]time.Duration // after its log-in a session ends (of a browser: is downgraded), however busy it is; 0: never

	Locate func(netip.Addr) string // says where an address is, in words; nil: nobody knows

	InviteLevel Level // least that may invite people to make accounts of the default level; 0: staff

	Certificates ClientCertificates // of clients

	Sources   []Directory // that check passwords, in the order in which they are asked
	Providers []Provider  // of OpenID Connect

	TOTP       TOTP     // nil: no authenticator apps
	Passkeys   Passkeys // nil: none
	SiteName   string   // what authenticator apps show; "" is Domain
	FactorFrom Level    // accounts of this level and above need a second factor; 0: none does

	Applications Applications // that people log in to by this server

	Now func() time.Time // nil: time.Now
}

// Service is identity's one door: log-ins, accounts, policy, audit. Registry is its list of
// sessions.
type Service struct {
	Registry *Registry

	opts    Options  // with defaults filled in
	domains []string // all, the default first
	store   Store
	tokens  TokenVerifier // of real ones and passes
	passes  *passes
	log     *slog.Logger
	now     func() time.Time

	seal       *sealer
	passwords  *passwords
	known      *knownAccounts
	decoys     *decoys
	throttle   *throttle
	registered registrations
	policy     atomic.Pointer[policyTable]
	resources  []func() []Known // set before Run
	changing   sync.Mutex       // held while the store's rules are read and take effect; before truth
	audit      *auditLog
	behind     *behind
	browsers   *browsers
	requests   *requests
	devices    *devices
	sources    *sources
	providers  map[string]Provider
	totp       TOTP     // nil: none
	passkeys   Passkeys // nil: none

	revokedCerts atomic.Pointer[map[string]struct{}] // fingerprints

	askMu  sync.Mutex // guards asks
	asks   *recent[UserID, askState]
	resets *resets
	joins  *allowance[netip.Prefix]

	grantRate  *allowance[UserID] // log-ins at applications
	notes      *notifications
	passRate   *allowance[UserID]   // passes
	onGrantEnd []func([]EndedGrant) // set before Run

	// truth is held while an account is read and its sessions are set to what it says, by log-ins
	// for reading: of two log-ins neither changes what the other has read. Before Registry.mu.
	truth sync.RWMutex
	seq   int64 // the last change that poll has met; Run's alone

	bansMu    sync.Mutex // held while bans are taken over from the store; guards what follows
	banSeq    int64      // the last change of bans that was; -1: none
	bansSwept time.Time

	onUpgrade, onDowngrade []func(*Session) // set before Run
	notifiers              []Notifier
	chat                   Chat // set before Run; nil: none
	onContact              []func(ctx context.Context, inviter, joined Account)
	invitesSwept           time.Time // Run's alone
	onChange               []func(context.Context, []UserID)
	tunable                atomic.Pointer[Tunable]
	maintenance            atomic.Pointer[Maintenance] // never nil
	maintained             keptMaintenance             // as the store had it last; guarded by maintaining
	announced              *announcements
	announceSwept          time.Time  // Run's alone
	maintaining            sync.Mutex // held while it is changed; before truth
	onSetting              []func(key, value string, set bool)
	routeLevel             func(Resource) (Level, bool) // set before Run; nil: no road has said
}

// New checks the options, reads bans and browser sessions, and returns a service whose Run is
// still to be called. An error wraps ErrInvalid where an option is wrong.
func New(ctx context.Context, o Options) (*Service, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	s := &Service{opts: o, store: o.Store, log: o.Log, now: o.Now,
		domains: append([]string{o.Domain}, o.Domains...), browsers: newBrowsers(), requests: newRequests(),
		throttle: newThrottle(o.Limits, o.Now),
		banSeq:   -1, known: newKnownAccounts(o.Now), decoys: &decoys{}, devices: newDevices(), totp: o.TOTP, passkeys: o.Passkeys,
		asks: newRecent[UserID](maxTracked, func(*askState) {})}
	s.resets, s.joins = newResets(), newAllowance[netip.Prefix](joinTries, joinWindow)
	s.grantRate = newAllowance[UserID](grantRate, grantWindow)
	s.notes = newNotifications()
	s.passes, s.passRate = newPasses(o.Tokens, o.Now), newAllowance[UserID](passRate, passWindow)
	s.tokens = s.passes
	s.OnChange(s.applicationsOf)
	s.setRevoked(o.Certificates.Revoked)
	if s.seal, err = newSealer(o.SealKey); err != nil {
		return nil, err
	}
	s.audit = newAuditLog(o.Store, s.seal.audit, o.Log, o.Now)
	s.behind = newBehind(s.audit, o.Log)
	s.passwords = &passwords{seal: s.seal, gate: newGate(runtime.GOMAXPROCS(0), maxGateQueue),
		cache: newCredentialCache(o.Now), iterations: o.SCRAMIterations, sha1: o.SCRAMSHA1, argon: o.Argon2id,
		tokens: o.Tokens, foreign: o.Foreign, heavy: newGate(heavyWidth, maxGateQueue), decoys: s.decoys}
	if err := s.passwords.ready(); err != nil {
		return nil, err
	}
	table, err := newPolicyTable(o.Policy, o.defaultLevels(), o.Domain, o.Classes)
	if err != nil {
		return nil, err
	}
	if s.sources, err = newSources(o); err != nil {
		return nil, err
	}
	s.policy.Store(table)
	if s.providers, err = o.checkProviders(); err != nil {
		return nil, err
	}
	classes, err := newClassTable(o.Classes, o.Now)
	if err != nil {
		return nil, err
	}
	if o.Resolver != nil {
		classes.dns = o.Resolver
	}
	s.maintenance.Store(&Maintenance{})
	s.announced = newAnnouncements()
	s.tunable.Store(&Tunable{Limits: o.Limits, PasswordStrength: o.PasswordStrength})
	s.Registry = newRegistry(o, classes)
	s.Registry.ban, s.Registry.onEnd = s.throttle, s.sessionsEnded
	s.throttle.onBan = s.keepBan
	return s, s.load(ctx)
}

// complete fills in defaults.
func (o Options) complete() (Options, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Node = cmp.Or(o.Node, "1")
	o.UIDMin = cmp.Or(o.UIDMin, defaultUIDMin)
	o.SCRAMIterations = cmp.Or(o.SCRAMIterations, defaultIterations)
	o.DefaultLevel = cmp.Or(o.DefaultLevel, LevelUser)
	o.InviteLevel = cmp.Or(o.InviteLevel, LevelStaff)
	if !o.DefaultLevel.Holdable() {
		return o, fmt.Errorf("an account cannot hold the default level %s: %w", o.DefaultLevel, ErrInvalid)
	}
	if o.FactorFrom != LevelNone && !o.FactorFrom.Holdable() {
		return o, fmt.Errorf("no account holds the level %s, from which a second factor is wanted: %w", o.FactorFrom, ErrInvalid)
	}
	if o.Certificates.BothFrom != LevelNone && !o.Certificates.BothFrom.Holdable() {
		return o, fmt.Errorf("no account holds the level %s, from which certificate and password are wanted: %w", o.Certificates.BothFrom, ErrInvalid)
	}
	var err error
	if o.Domain, err = ParseDomain(o.Domain); err != nil {
		return o, err
	}
	o.SiteName = cmp.Or(o.SiteName, o.Domain)
	o.Domains = slices.Clone(o.Domains)
	for i, d := range o.Domains {
		if o.Domains[i], err = ParseDomain(d); err != nil {
			return o, err
		}
	}
	return o, nil
}

// defaultUIDMin is the first uid and gid given out, above those of a system's own users.
const defaultUIDMin = 10000

func (o Options) defaultLevels() map[string]Level {
	d := map[string]Level{kindWeb: o.DefaultRequired, kindFTP: LevelLoggedIn, kindXMPP: LevelLoggedIn,
		kindLogin: LevelUser, kindFile: LevelNone}
	if slices.Contains(o.AnonymousRoads, RoadFTP) {
		d[kindFTP] = LevelAnonymous // else anonymous clients could log in, and nothing more
	}
	return d
}

// load reads what outlives the process.
func (s *Service) load(ctx context.Context) error {
	var err error
	if s.seq, err = s.store.ChangeSeq(ctx); err != nil {
		return fmt.Errorf("reading the account store: %w", err)
	}
	if err := s.checkSeal(ctx); err != nil {
		return fmt.Errorf("reading which seal key the store has: %w", err)
	}
	if err := s.decoys.load(ctx, s.store); err != nil {
		return fmt.Errorf("reading what was imported: %w", err)
	}
	if _, err := s.loadRules(ctx, s.store); err != nil {
		return fmt.Errorf("reading the rules of the policy: %w", err)
	}
	if err := s.pollBans(ctx); err != nil {
		return fmt.Errorf("reading the bans: %w", err)
	}
	if err := s.loadMaintenance(ctx); err != nil {
		return err
	}
	if err := s.loadAnnouncements(ctx); err != nil {
		return fmt.Errorf("reading the announcements: %w", err)
	}
	if err := s.knowHead(ctx); err != nil {
		return fmt.Errorf("reading where the audit log ended: %w", err)
	}
	return s.loadBrowsers(ctx)
}

func (s *Service) keepBan(b Ban) {
	s.log.Warn("address banned", "event", "ban.add", "prefix", b.Prefix, "until", b.Until, "reason", b.Reason)
	s.cutBanned()
	s.behind.record(AuditEvent{Time: s.now(), Event: EventBanAdd, Via: ViaServer, Subject: b.Prefix, Result: "ok",
		Detail: b.Reason, After: fields{"until": b.Until.UTC().Format(time.RFC3339), "count": b.Count}.text()})
	s.behind.push(func(ctx context.Context, w StoreWriter) error {
		if p, err := netip.ParsePrefix(b.Prefix); err != nil || !s.throttle.holds(p) {
			return err // lifted or over by now
		}
		return w.PutBan(ctx, b)
	})
}

// sessionsEnded does what an end leaves to do: cookies die, durably, and the audit log knows.
func (s *Service) sessionsEnded(gone []ended) {
	var rows []string
	for _, e := range gone {
		// Who is logged in by browser still is after a restart.
		if rec := e.session.browser; rec != nil && s.browsers.remove(rec) && e.reason.Code != ReasonShutdown {
			rows = append(rows, e.session.id)
		}
		was := e.session.had()
		if was == nil || was.creds.UserID == "" && e.reason.Code != ReasonEnded {
			continue
		}
		event := EventSessionEnd
		if e.reason.Code == ReasonClosed {
			event = EventLogout
		}
		s.auditEnd(event, e.session, was, e.reason)
		if was.creds.UserID != "" {
			if e.session.browser != nil {
				s.endPasses(e.session.id, e.reason)
				s.sessionGrants(e.session.id, was.creds.UserID, e.reason)
			}
			s.downgraded(e.session)
		}
	}
	if len(rows) > 0 {
		s.removeRows(rows...)
	}
}

// sealPassword derives the record of a new password behind the hashing gate. It keeps the salt
// and iterations of old, on which the SCRAM keys of tokens hang. A zero password gives a record
// that holds at most that salt. The error wraps ErrInvalid where the text cannot be a password,
// ErrBusy where the gate is full.
func (s *Service) sealPassword(ctx context.Context, id UserID, old Record, password Secret) (Record, error) {
	return s.passwords.record(ctx, netip.Prefix{}, id, old, password)
}

// Run does the background work (changes made elsewhere, inactivity, what is written behind)
// until ctx ends, and then writes what is left. It returns nil after that.
func (s *Service) Run(ctx context.Context) error {
	// Written behind until all else has stopped, so that what that leaves is written, too.
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.behind.run(writing)
	}()
	var beside sync.WaitGroup
	beside.Go(func() { s.runSyncs(ctx) })
	beside.Go(func() { s.watchDevices(ctx) })
	beside.Go(func() { s.answerResets(ctx) })
	beside.Go(func() { s.tendAudit(ctx) })
	beside.Go(func() { s.tellBehind(ctx) })
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			err := s.poll(ctx)
			if err != nil && ctx.Err() == nil && !failing {
				s.log.Error("looking for changed accounts", "err", err)
			}
			failing = err != nil
			s.sweep()
			s.sweepAnnouncements(ctx)
		}
	}
	beside.Wait()
	s.flushBrowsers(true)
	stop()
	<-done
	s.noteHead(context.WithoutCancel(ctx))
	return nil
}

// sweep ends what has expired or idles.
func (s *Service) sweep() {
	s.expire()
	s.sweepRequests()
	s.sweepBrowsers()
	s.sweepInvites(s.now())
	s.flushBrowsers(false)
}
