package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"trivium/config"
	"trivium/files"
	"trivium/identity"
	"trivium/internal/listen"
)

// Identity is what this road needs of identity.Service.
type Identity interface {
	Login(ctx context.Context, ses *identity.Session, l identity.Login) (identity.Credentials, error)
	LoginAnonymous(ctx context.Context, ses *identity.Session, a identity.Anonymous) (identity.Credentials, error)
	Forget(ses *identity.Session)
	AnnouncedSince(ses *identity.Session, p identity.Place, seen int64) (list []identity.Announcement, now int64)
	Policy
}

// Policy is what this road needs of the table of levels.
type Policy interface {
	Allowed(ses *identity.Session, r identity.Resource) bool
	Required(r identity.Resource, def ...identity.Level) identity.Level
	// RequiredOf is Required for a session, to which rules may be narrowed.
	RequiredOf(ses *identity.Session, r identity.Resource, def ...identity.Level) identity.Level
	// Confines reports whether any rule is about paths behind the verb.
	Confines(verb string) bool
	// Guards reports whether a rule keeps the session from the verb below a canonical path.
	Guards(ses *identity.Session, verb, canon string) bool
}

// Registry is what this road needs of identity.Registry.
type Registry interface {
	Limits() identity.Limits
	Open(ctx context.Context, o identity.Opening) (*identity.Session, error)
	List(f identity.Filter) []identity.Info
	Count(f identity.Filter) int
}

// Options is what New needs.
type Options struct {
	Config   config.FTP
	Limits   config.Limits
	SiteName string   // stands in the greeting
	Contact  string   // of the administrator, for texts; may be ""
	Domains  []string // of accounts, that HOST and TLS may name; the first is the default
	Chat     Chat     // nil: there is none
	Identity Identity
	Registry Registry
	Files    *files.Service
	TLS      *tls.Config // with the certificate; nil: there is no TLS
	Resolver Resolver    // for host names in public_address; nil: the system's
	Log      *slog.Logger
}

// Bound is a listener that has been opened.
type Bound struct {
	Name string // "ftp" or "ftps"
	Addr string
	TLS  string // "none", "explicit" or "implicit"
}

// Server is the FTP road.
type Server struct {
	cfg       config.FTP
	limits    config.Limits
	name      string
	contact   string
	identity  Identity
	registry  Registry
	files     *files.Service
	tls       *tls.Config // nil: none; its ticket keys are those of all connections
	log       *slog.Logger
	domains   []string // in the form of identity.ParseDomain
	chat      Chat
	records   *recorder     // of Listen; nil: no transfer logs
	hashing   chan struct{} // holds one for each checksum that is computed
	hashWait  time.Duration
	verbs     map[string]verb
	sites     map[string]siteVerb
	ports     *ports
	pads      pads
	moments   moments
	waits     waits
	deflates  *deflates
	announcer *announcer
	gates     gates
	proxy     listen.Proxy

	engineLife   time.Duration
	large        int64         // from how many bytes on the library moves a file
	identTimeout time.Duration // of RFC 1413 look-ups
	identPort    uint16

	down     chan struct{}  // closed by Shutdown
	handlers sync.WaitGroup // one for each connection and for each goroutine of one

	mu        sync.Mutex // guards what follows
	listeners []listener
	sessions  map[*session]struct{}
	stopping  bool
}

// listener is one address.
type listener struct {
	net.Listener
	implicit bool
}

// New checks the options; nothing is opened yet.
func New(o Options) (*Server, error) {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	ports, err := parsePorts(o.Config.PassivePorts)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: o.Config, limits: o.Limits, name: o.SiteName, contact: o.Contact, identity: o.Identity, registry: o.Registry,
		files: o.Files, log: o.Log, ports: ports, waits: newWaits(), deflates: newDeflates(), announcer: newAnnouncer(o.Config, o.Resolver), engineLife: engineLife, large: large, identTimeout: identTimeout, identPort: identPort, chat: o.Chat,
		hashing: make(chan struct{}, hashTurns()), hashWait: hashPatience, down: make(chan struct{}), sessions: make(map[*session]struct{})}
	switch {
	case o.Config.TLS == "off" && len(o.Config.TLSListen) == 0:
	case o.TLS != nil:
		s.tls = baseTLS(o.TLS, o.Config.ClientCertificates)
	case o.Config.TLS == "required" || len(o.Config.TLSListen) > 0:
		return nil, errors.New("ftp.tls is required and there is no certificate; set tls.cert and tls.key, or ftp.tls = \"off\"")
	}
	for _, name := range o.Domains {
		d, err := identity.ParseDomain(name)
		if err != nil {
			return nil, err
		}
		s.domains = append(s.domains, d)
	}
	s.proxy = listen.Proxy{From: o.Config.ProxyFrom, Failed: func(c net.Conn, err error) {
		s.log.Warn("a proxy's connection was closed", "protocol", "ftp", "remote", c.RemoteAddr().String(), "error", err)
	}, Retry: s.pause}
	s.verbs = verbs()
	s.sites = siteVerbs()
	return s, nil
}

// explicit reports whether AUTH TLS is offered.
func (s *Server) explicit() bool { return s.tls != nil && s.cfg.TLS != "off" }

// Listen opens the listeners of the config.
func (s *Server) Listen(ctx context.Context) error {
	records, err := s.newLogs()
	if err != nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		records.close()
		return err
	}
	s.records = records
	s.checkTexts()
	return nil
}

// open opens the listeners.
func (s *Server) open(ctx context.Context) error {
	var opened []listener
	for _, group := range []struct {
		addrs    []string
		implicit bool
	}{{s.cfg.Listen, false}, {s.cfg.TLSListen, true}} {
		for _, addr := range group.addrs {
			ln, err := listen.TCP(ctx, addr)
			if err != nil {
				for _, l := range opened {
					_ = l.Close()
				}
				return err
			}
			opened = append(opened, listener{s.proxy.Listener(ln), group.implicit})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = opened
	return nil
}

// Addrs lists what Listen has opened.
func (s *Server) Addrs() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Bound
	for _, l := range s.listeners {
		b := Bound{Name: "ftp", Addr: l.Addr().String(), TLS: "none"}
		switch {
		case l.implicit:
			b.Name, b.TLS = "ftps", "implicit"
		case s.explicit():
			b.TLS = "explicit"
		}
		all = append(all, b)
	}
	return all
}

// Serve takes connections until Shutdown, after which it returns nil.
func (s *Server) Serve() error {
	s.mu.Lock()
	all := s.listeners
	s.mu.Unlock()
	if len(all) == 0 { // all are off
		<-s.down
	}
	failed := make(chan error, len(all))
	for _, l := range all {
		go func() {
			failed <- listen.Serve(l, func(c net.Conn) { s.handle(c, l.implicit) }, s.pause)
		}()
	}
	var first error
	for range all {
		if err := <-failed; err != nil && first == nil {
			first = fmt.Errorf("ftp: %w", err)
			s.closeListeners() // one that fails takes the others with it
		}
	}
	return first
}

// pause notes that nothing is accepted for a while.
func (s *Server) pause(err error, pause time.Duration) {
	s.log.Warn("accepting a connection", "protocol", "ftp", "error", err, "pause", pause)
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		_ = l.Close() // closed twice at worst
	}
}

// Shutdown stops accepting, tells idle clients, waits for transfers until ctx ends, then cuts
// them. Afterwards nothing of the server runs.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closeListeners()
	s.mu.Lock()
	if !s.stopping {
		s.stopping = true
		close(s.down)
	}
	all := make([]*session, 0, len(s.sessions))
	for x := range s.sessions {
		all = append(all, x)
	}
	s.mu.Unlock()
	var told sync.WaitGroup // each takes its time where the client does not read
	for _, x := range all {
		told.Go(x.shutdown)
	}
	done := make(chan struct{})
	go func() {
		s.handlers.Wait()
		told.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		var ended sync.WaitGroup
		for _, x := range all {
			ended.Go(func() {
				x.end(421, shutdownText)
				x.cancel() // what waits, such as a log-in, or copies, such as the rest of a stored range
			})
		}
		ended.Wait()
		<-done
	}
	s.records.close()
	return nil
}

// add enters a session; false when the server is stopping.
func (s *Server) add(x *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.sessions[x] = struct{}{}
	s.handlers.Add(1)
	return true
}

func (s *Server) remove(x *session) {
	s.mu.Lock()
	delete(s.sessions, x)
	s.mu.Unlock()
	s.handlers.Done()
}
