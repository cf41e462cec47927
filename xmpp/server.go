package xmpp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	xstream "mellium.im/xmpp/stream"

	"trivium/config"
	"trivium/identity"
	"trivium/internal/listen"
)

// Identity is what xmpp needs of identity.Service.
type Identity interface {
	Login(ctx context.Context, ses *identity.Session, l identity.Login) (identity.Credentials, error)
	LoginAnonymous(ctx context.Context, ses *identity.Session, a identity.Anonymous) (identity.Credentials, error)
	BeginSCRAM(ctx context.Context, ses *identity.Session, l identity.Login, h identity.SCRAMHash) (*identity.SCRAM, error)
	Forget(ses *identity.Session)
	Accounts
	UserByID(ctx context.Context, id identity.UserID) (identity.Account, error)
	Record(ctx context.Context, e identity.AuditEvent) error
	DeriveKey(use string) []byte
	MissingSCRAM(ctx context.Context, ses *identity.Session, h identity.SCRAMHash) (salt []byte, iterations int, err error)
	AddSCRAM(ctx context.Context, ses *identity.Session, h identity.SCRAMHash, salted []byte) error
}

// Registry is what xmpp needs of identity.Registry.
type Registry interface {
	Open(ctx context.Context, o identity.Opening) (*identity.Session, error)
	Resume(old, next *identity.Session) error
}

// Options is what New needs.
type Options struct {
	Config   config.XMPP
	Limits   config.Limits
	Domains  []string // the first is the default
	Identity Identity
	Registry Registry
	Store    Store
	TLS      *tls.Config // may be nil where Config asks for no TLS
	Log      *slog.Logger
	Version  string // of this program, for XEP-0092

	// Alone says that no other process writes to Store: rosters are then known beyond the end of a stream.
	Alone bool

	// NoSCRAM is set where passwords are kept under a hash that SCRAM cannot use.
	NoSCRAM bool
	// Modules are the parts with packages of their own, in the order in which they are asked.
	Modules []Module
	// Anonymous offers SASL ANONYMOUS; identity decides on each log-in.
	Anonymous bool
}

// Bound is a listener as it stands.
type Bound struct {
	Name string // "xmpp" or "xmpps"
	Addr string // host:port
	TLS  string // "starttls", "direct", or "none" where there is no certificate
}

// Server is the chat road.
type Server struct {
	config    config.XMPP
	limits    config.Limits
	domain    string
	domains   map[string]bool
	identity  Identity
	registry  Registry
	tls       *tls.Config
	log       *slog.Logger
	router    *Router
	lot       *lot // streams without a connection
	noSCRAM   bool
	anonymous bool

	resourceKey []byte // of what others see of a client's installation
	fast        *fastTokens
	store       Store

	counts counts

	ctx    context.Context // of the work for all clients
	cancel context.CancelFunc
	wg     sync.WaitGroup // the connections

	mu        sync.Mutex // guards what follows
	listeners []listener
	clients   map[*client]struct{}
	closing   bool
}

// counts are what clients have sent since the start.
type counts struct{ stanzas, messages atomic.Int64 }

// Counts is how many stanzas clients have sent on bound streams since the start, and how many of them
// were messages.
func (s *Server) Counts() (stanzas, messages int64) {
	return s.counts.stanzas.Load(), s.counts.messages.Load()
}

type listener struct {
	net.Listener
	direct bool
}

// New makes a server; it listens on nothing yet.
func New(o Options) (*Server, error) {
	switch {
	case len(o.Domains) == 0:
		return nil, errors.New("xmpp needs a domain")
	case o.TLS == nil && (o.Config.TLS == "required" || len(o.Config.TLSListen) > 0):
		return nil, errors.New("xmpp asks for TLS, and there is no certificate")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		config: o.Config, limits: o.Limits, domain: o.Domains[0], domains: map[string]bool{},
		identity: o.Identity, registry: o.Registry, log: o.Log, router: newRouter(o),
		noSCRAM: o.NoSCRAM, anonymous: o.Anonymous, clients: map[*client]struct{}{},
	}
	s.store, s.fast = o.Store, &fastTokens{store: o.Store, now: time.Now}
	s.router.fast = s.fast
	if o.Identity != nil {
		s.resourceKey, s.fast.key = o.Identity.DeriveKey("xmpp resource"), o.Identity.DeriveKey("xmpp fast tokens")
	}
	for _, d := range o.Domains {
		s.domains[d] = true
	}
	if o.TLS != nil {
		s.tls = bindableTLS(o.TLS)
		if o.Config.ClientCertificates {
			s.tls.ClientAuth = tls.RequestClientCert // who vouches for it, if anybody, is seen later
		}
		// A browser that was led here with another protocol is refused in the handshake.
		s.tls.NextProtos = []string{"xmpp-client"}
		// A roster in records of a kilobyte each is a system call for each of them.
		s.tls.DynamicRecordSizingDisabled = true
	}
	defaults(&s.limits)
	if s.config.PingTimeout <= 0 {
		s.config.PingTimeout = time.Minute
	}
	s.lot = &lot{life: s.config.ResumeTimeout, max: int64(s.config.ResumeMemory), depart: s.depart}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// defaults fills in limits that config always sets and a test may not.
func defaults(l *config.Limits) {
	if l.LoginTimeout <= 0 {
		l.LoginTimeout = 30 * time.Second
	}
	if l.TLSTimeout <= 0 {
		l.TLSTimeout = 10 * time.Second
	}
	if l.LoginAttemptsXMPP <= 0 {
		l.LoginAttemptsXMPP = 5
	}
	if l.XMPPStanzaSize <= 0 {
		l.XMPPStanzaSize = 256 << 10
	}
	if l.XMPPQueueSize <= 0 {
		l.XMPPQueueSize = 1 << 20
	}
}

func (s *Server) stanzaSize() int { return int(s.limits.XMPPStanzaSize) }

// tlsRequired reports whether nobody logs in without TLS.
func (s *Server) tlsRequired() bool { return s.config.TLS != "optional" }

// Listen binds all listeners, or none and says why.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, group := range []struct {
		addrs  []string
		direct bool
	}{{s.config.Listen, false}, {s.config.TLSListen, true}} {
		for _, addr := range group.addrs {
			ln, err := listen.TCP(ctx, addr)
			if err != nil {
				s.closeListeners()
				return err
			}
			s.listeners = append(s.listeners, listener{s.proxy().Listener(ln), group.direct})
		}
	}
	return nil
}

// proxy says which proxies name their clients.
func (s *Server) proxy() listen.Proxy {
	return listen.Proxy{From: s.config.ProxyFrom, Failed: func(c net.Conn, err error) {
		s.log.Warn("a proxy's connection was closed", "protocol", "xmpp", "remote", c.RemoteAddr().String(), "error", err)
	}, Retry: s.pause}
}

// pause notes that nothing is accepted for a while.
func (s *Server) pause(err error, pause time.Duration) {
	s.log.Warn("cannot accept for a while", "protocol", "xmpp", "error", err, "pause", pause)
}

// closeListeners is called with mu held. Closing a socket that listens loses nothing.
func (s *Server) closeListeners() {
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
	s.listeners = nil
}

// Addrs says where it listens.
func (s *Server) Addrs() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Bound
	for _, ln := range s.listeners {
		b := Bound{Name: "xmpp", Addr: ln.Addr().String(), TLS: "starttls"}
		switch {
		case ln.direct:
			b.Name, b.TLS = "xmpps", "direct"
		case s.tls == nil:
			b.TLS = "none"
		}
		all = append(all, b)
	}
	return all
}

// Serve accepts clients until Shutdown, which makes it return nil, or until a listener fails.
func (s *Server) Serve() error {
	s.mu.Lock()
	listeners := append([]listener(nil), s.listeners...)
	s.mu.Unlock()
	done := make(chan error, len(listeners))
	for _, ln := range listeners {
		go func() {
			done <- listen.Serve(ln, func(c net.Conn) { s.accept(c, ln.direct) }, s.pause)
		}()
	}
	<-s.idle(len(listeners))
	var failed error
	for range listeners {
		if err := <-done; err != nil && failed == nil {
			failed = err
			s.mu.Lock()
			s.closeListeners() // never half a server
			s.mu.Unlock()
		}
	}
	return failed
}

// idle keeps a server that has no listener serving until Shutdown.
func (s *Server) idle(listeners int) <-chan struct{} {
	if listeners == 0 {
		return s.ctx.Done()
	}
	open := make(chan struct{})
	close(open)
	return open
}

// accept is a connection's goroutine. The session is opened, which decides the class and asks the
// ban list, before a byte is read.
func (s *Server) accept(conn net.Conn, direct bool) {
	at, ok := listen.Arrive(conn)
	if !ok {
		_ = conn.Close()
		return
	}
	_ = at.Raw.SetKeepAliveConfig(keepAlive) // without it a lost peer stays until we write
	t := newTCP(at)
	t.direct = direct
	s.welcome(t, "")
}

// ServeTLS serves a client on a connection that has shaken hands elsewhere, for xmpp-client by ALPN
// (XEP-0368), until it ends. The connection is the server's from now on, and ends with Shutdown.
func (s *Server) ServeTLS(conn *tls.Conn) {
	at, ok := listen.Arrive(conn.NetConn())
	if !ok {
		_ = conn.Close()
		return
	}
	_ = at.Raw.SetKeepAliveConfig(keepAlive)
	t := newTCP(at)
	state := conn.ConnectionState()
	t.conn, t.cert = conn, s.servedTo(state)
	s.welcome(t, tls.VersionName(state.Version))
}

// welcome opens the session of a connection and runs it; version is of the TLS that it has already.
func (s *Server) welcome(t *tcp, version string) {
	raw := t.raw
	c := &client{srv: s, t: t, log: s.log}
	c.at = newHolder(c)
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	defer c.cancel()
	if !s.add(c) {
		_ = raw.Close()
		return
	}
	defer s.remove(c)
	ses, err := s.registry.Open(c.ctx, identity.Opening{
		Protocol: identity.ProtocolXMPP, Remote: t.at.Remote, Local: t.at.Local,
		State: identity.StateUnauthed, TLS: version, Holder: c.at,
	})
	if err != nil {
		c.refuse(t, err)
		return
	}
	c.ses, t.ses = ses, ses
	c.run()
}

// refuse closes a connection that may not be; on the port where no TLS is awaited it says why.
func (c *client) refuse(t *tcp, err error) {
	defer t.cut()
	a, _ := answerTo(err)
	c.log.Debug("connection refused", "remote", t.at.Remote.String(), "error", err)
	if t.direct {
		return
	}
	b := append(t.open(rand.Text(), c.srv.domain, ""), streamError(a.cond, a.text)...)
	_ = t.raw.SetDeadline(time.Now().Add(linger))
	if _, err := t.conn.Write(append(b, t.closing()...)); err == nil {
		t.shut()
		t.drain(time.Now().Add(linger))
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// add lists a connection; false while the server shuts down.
func (s *Server) add(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.clients[c] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) remove(c *client) {
	s.mu.Lock()
	delete(s.clients, c)
	s.mu.Unlock()
	s.wg.Done()
}

// open lists the connections there are.
func (s *Server) open() []*client {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*client, 0, len(s.clients))
	for c := range s.clients {
		all = append(all, c)
	}
	return all
}

// Shutdown stops accepting, tells every client, waits until they have gone, and cuts those that
// are left when ctx ends; the error is ctx's then.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.closeListeners()
	s.mu.Unlock()
	for _, c := range s.open() {
		c.end(xstream.SystemShutdown, "The server is shutting down.")
	}
	gone := make(chan struct{})
	go func() { s.lot.close(); s.wg.Wait(); close(gone) }()
	defer s.cancel()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	for _, c := range s.open() {
		c.t.cut()
	}
	<-gone
	return context.Cause(ctx)
}
