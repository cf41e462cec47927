package web

import (
	"context"
	"crypto/cipher"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"trivium/backup"
	"trivium/config"
	"trivium/doctor"
	"trivium/files"
	"trivium/identity"
	"trivium/identity/oidc"
	"trivium/identity/provider"
	"trivium/internal/certs"
	"trivium/internal/listen"
	"trivium/internal/probe"
	"trivium/internal/qr"
	"trivium/internal/series"
	"trivium/tokens"
	"trivium/web/takeout"
	"trivium/web/text"
	"trivium/webhooks"
)

// Limits that SECURITY gives no key.
const (
	maxHeader = 32 << 10 // bytes of a request's header
	maxURL    = 8 << 10  // bytes of a request target
	maxForm   = 64 << 10 // bytes of a form's body

	// writeTimeout bounds how long a page may take to leave; downloads and streams renew it.
	writeTimeout = time.Minute
)

// Bound is a listener that has been opened.
type Bound struct {
	Name string // "web", "https"; of other roads "ftp", "ftps", "xmpp", "xmpps"
	Addr string
	TLS  string // "none", "explicit", "implicit", "starttls", "direct", "yes"
}

// Options is what New needs. Identity, Tokens and Files are required.
type Options struct {
	Config       config.Web
	Limits       config.Limits
	SiteName     string   // "" is Domain
	Domain       string   // the default domain
	Domains      []string // further ones
	Mail         bool     // mails are sent: a forgotten password can be reset
	Languages    fs.FS    // catalogues of further languages, as package text reads them; nil: none
	AdminContact string   // shown where a person is to ask an administrator
	Version      string

	Identity *identity.Service
	Registry *identity.Registry // nil: Identity.Registry
	Tokens   *tokens.Service
	Files    *files.Service

	// Database says which engine holds the accounts, and how many bytes that takes; nil: nobody says.
	Database func(ctx context.Context) (engine string, bytes int64, err error)

	Series *series.Recorder // what the overview draws; nil: it draws nothing

	API http.Handler // serves /api/…; nil: there is none
	// Backups makes backups and looks after them; nil: there is no page about them.
	Backups *backup.Service

	// Webhooks tells other servers what happens; nil: there is no page about them.
	Webhooks *webhooks.Service

	// Takeout gathers all that is kept of an account; nil: nobody can download it.
	Takeout func(ctx context.Context, acc identity.Account) (takeout.Person, error)
	// Tell sends a chat message from the server to an account; nil: there is no chat.
	Tell func(ctx context.Context, domain, login, subject, text string) error
	// Chat is how the pages reach the chat road; nil: there is none.
	Chat *Chat
	// DAV serves /dav/…, and tells at / that it is there; nil: there is none. DAVMethods are what it
	// takes.
	DAV        http.Handler
	DAVMethods []string

	// Links are what /.well-known/host-meta says of each of our domains; empty: there is none.
	Links []Link

	// ALPN are further protocols of the TLS listeners and who takes their connections; they are no
	// part of this server, and its Shutdown leaves them alone.
	ALPN map[string]func(*tls.Conn)

	Providers []*oidc.Provider   // of OpenID Connect, in the order of their buttons
	Provider  *provider.Provider // for other applications; nil: there is none
	BaseURL   func() string      // the address of the pages, for providers; nil: Config.PublicURL, else https://Domain

	Mounts map[string]http.Handler // further foreign handlers by path prefix, such as "/xmpp-websocket"

	Doctor *doctor.Service // looks at the server; nil: nobody does

	Live         LiveConfig    // the configuration of the running server; nil: the page is empty
	Certificates *certs.Source // the server's own; nil: there are none

	// Challenges are what an authority of certificates is answered with; nil: none asks.
	Challenges Challenges

	// TestConnection tries a road ("ftp", "dav", "xmpp", "api") as a client of the account does, and
	// reports each step; identity.ErrThrottled where tests run already. nil: there is no such test.
	TestConnection func(ctx context.Context, by identity.Actor, user, road, at string, report func(probe.Step)) error

	TLS       *tls.Config      // NextProtos h2 and http/1.1; nil: no TLS listeners
	Listeners func() []Bound   // of all roads, for the home page; nil: this road's own
	Log       *slog.Logger     // nil: discarded
	Now       func() time.Time // nil: time.Now
}

// Challenges show an authority that a name leads here.
type Challenges interface {
	// KeyAuthorization is what stands at a token under a Host (RFC 8555 section 8.3).
	KeyAuthorization(host, token string) (string, bool)
	// Certificate is that of a handshake for a name (RFC 8737 section 3); nil: nobody asks for it.
	Certificate(name string) *tls.Certificate
}

// Server is the web's three verbs. Its methods are safe for any goroutine.
type Server struct {
	opt       Options
	log       *slog.Logger
	now       func() time.Time
	routes    []route
	nav       []navPart
	below     below // before each address that leaves
	echo      *echo.Echo
	render    *renderer
	languages *text.Set
	assets    *assetSet
	flashes   *flashes
	streams   *streams
	uploads   *uploads
	drops     *drops
	dropSeal  cipher.AEAD // of the proofs in the addresses of uploads into drop boxes
	hub       *hub
	overview  overview
	imports   *imports
	packer    *packer
	drawings  qr.Drawings   // of addresses, on the first page
	drawing   chan struct{} // a place in it is for who decodes a picture
	origins   *http.CrossOriginProtection
	requests  atomic.Int64
	stopping  chan struct{} // closed when Shutdown begins: streams end

	mu    sync.Mutex // guards what follows
	bound []Bound
	open  []opened
	stop  sync.Once
}

// opened is a listener with the server that serves it.
type opened struct {
	listener net.Listener
	server   *http.Server
}

// New prepares a server. Templates and routes are checked here, so that a fault stops the start.
func New(o Options) (*Server, error) {
	if o.Identity == nil || o.Tokens == nil || o.Files == nil {
		return nil, errors.New("web: Identity, Tokens and Files are required")
	}
	if o.Registry == nil {
		o.Registry = o.Identity.Registry
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SiteName == "" {
		o.SiteName = o.Domain
	}
	s := &Server{opt: o, log: o.Log, now: o.Now, stopping: make(chan struct{}), flashes: newFlashes(o.Now), streams: newStreams(), uploads: newUploads(), drops: newDrops(),
		packer: newPacker(), drawing: make(chan struct{}, 1), hub: newHub(o.Registry), imports: &imports{now: o.Now},
		origins: http.NewCrossOriginProtection()}
	s.overview.series = o.Series
	if s.opt.Listeners == nil {
		s.opt.Listeners = s.Addrs
	}
	if u, err := url.Parse(o.Config.PublicURL); err == nil && u.Host != "" {
		// The origin that people see, where a proxy changes Host.
		if err := s.origins.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("web.public_url %q is no address such as https://example.org: %w", u, err)
		}
	}
	if s.opt.BaseURL == nil {
		s.opt.BaseURL = func() string {
			if u := strings.TrimRight(o.Config.PublicURL, "/"); u != "" {
				return u
			}
			return "https://" + o.Domain
		}
	}
	var err error
	if s.dropSeal, err = newDropSeal(o.Identity.DeriveKey("uploads into drop boxes")); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	var faults []error
	if s.languages, faults, err = text.New(o.Languages); err != nil {
		return nil, err
	}
	for _, f := range faults {
		s.log.Warn("a catalogue of texts is left out", "err", f)
	}
	if o.Config.Lang != "" && s.languages.Find(o.Config.Lang) == nil {
		s.log.Warn("there is no catalogue of web.lang; the pages are in English", "lang", o.Config.Lang)
	}
	s.routes = s.table()
	if s.below, err = newBelow(o.Config.PublicURL, s.routes); err != nil {
		return nil, err
	}
	if s.render, err = newRenderer(s.assets, s.languages, s.below); err != nil {
		return nil, err
	}
	s.nav = inNavigation(s.routes)
	if s.echo, err = s.register(s.routes); err != nil {
		return nil, err
	}
	return s, nil
}

// Listen opens every listener; an error closes those that were opened.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	add := func(name, addr string, tc *tls.Config) error {
		ln, err := listen.TCP(ctx, addr)
		if err != nil {
			return err
		}
		ln = s.proxy().Listener(ln)
		var handler http.Handler
		if tc == nil && s.redirects() {
			handler = s.harden(s.challenged(http.HandlerFunc(s.toHTTPS)))
		} else {
			handler = s.harden(s.challenged(s.echo))
		}
		srv := s.httpServer(handler, tc)
		if tc != nil {
			ln = s.share(ln, tc)
		}
		b := Bound{Name: name, Addr: ln.Addr().String(), TLS: "none"}
		if tc != nil {
			b.TLS = "yes"
		}
		s.open, s.bound = append(s.open, opened{ln, srv}), append(s.bound, b)
		return nil
	}
	for _, addr := range s.opt.Config.Listen {
		if err := add("web", addr, nil); err != nil {
			s.closeAll()
			return err
		}
	}
	if len(s.opt.Config.TLSListen) > 0 && s.opt.TLS == nil {
		s.closeAll()
		return errors.New("web.tls_listen is set and there is no certificate")
	}
	for _, addr := range s.opt.Config.TLSListen {
		if err := add("https", addr, tlsFor(s.opt.TLS, s.opt.Config.ClientCertificates)); err != nil {
			s.closeAll()
			return err
		}
	}
	return nil
}

// tlsFor makes sure that the listener offers HTTP alone, so that a client which offers only
// other protocols is refused in the handshake (RFC 7301 section 3.2). With certificates it asks for one
// of the client, and takes none for an answer: TLS 1.3 over HTTP/2 cannot ask later.
func tlsFor(c *tls.Config, certificates bool) *tls.Config {
	c = c.Clone()
	if certificates {
		c.ClientAuth = tls.RequestClientCert // whose it is identity sees
	}
	for _, p := range []string{"h2", "http/1.1"} {
		if !slices.Contains(c.NextProtos, p) {
			c.NextProtos = append(c.NextProtos, p)
		}
	}
	return c
}

// share gives the connections of other protocols away, and shakes hands with the rest.
func (s *Server) share(ln net.Listener, tc *tls.Config) net.Listener {
	var proof func(string) *tls.Certificate
	if s.opt.Challenges != nil {
		proof = s.opt.Challenges.Certificate
	}
	return listen.Share(ln, listen.ALPN{Config: tc, Proof: proof, Others: s.opt.ALPN, Within: s.opt.Limits.TLSTimeout, Most: s.opt.Limits.Unauthenticated,
		Failed: func(_ net.Conn, err error) {
			s.log.Debug("TLS handshake failed", "err", err)
			var record tls.RecordHeaderError
			if errors.As(err, &record) && record.Conn != nil && plainHTTP(record.RecordHeader) {
				_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis port speaks HTTPS: write https:// in the address.\n")
			}
		},
		Retry: s.pause})
}

// proxy says which proxies name their clients in front of a connection.
func (s *Server) proxy() listen.Proxy {
	return listen.Proxy{From: s.opt.Config.ProxyFrom, Failed: func(c net.Conn, err error) {
		s.log.Warn("a proxy's connection was closed", "protocol", "web", "remote", c.RemoteAddr().String(), "error", err)
	}, Retry: s.pause}
}

// pause notes that nothing is accepted for a while.
func (s *Server) pause(err error, pause time.Duration) {
	s.log.Warn("cannot accept for a while", "protocol", "web", "error", err, "pause", pause)
}

// plainHTTP reports whether the first bytes of a connection are those of a request in the clear.
func plainHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

func (s *Server) closeAll() {
	for _, o := range s.open {
		_ = o.listener.Close()
	}
	s.open, s.bound = nil, nil
}

// redirects reports whether plain listeners only point to https.
func (s *Server) redirects() bool {
	return s.opt.Config.Plain == "redirect" && len(s.opt.Config.TLSListen) > 0
}

func (s *Server) httpServer(h http.Handler, tc *tls.Config) *http.Server {
	l := s.opt.Limits
	return &http.Server{
		Handler:           h,
		TLSConfig:         tc,
		ReadHeaderTimeout: l.HTTPHeaderTimeout,
		IdleTimeout:       l.HTTPIdleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// Requests counts what has been asked since the start: pages, files, WebDAV and the API.
func (s *Server) Requests() int64 { return s.requests.Load() }

// Addrs lists the listeners with the ports that they got.
func (s *Server) Addrs() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bound)
}

// Serve blocks until Shutdown (nil) or until one listener fails.
func (s *Server) Serve() error {
	s.mu.Lock()
	open := slices.Clone(s.open)
	s.mu.Unlock()
	if len(open) == 0 { // the road is off
		<-s.stopping
		return nil
	}
	failed := make(chan error, len(open))
	for _, o := range open {
		go func() {
			failed <- o.server.Serve(o.listener)
		}()
	}
	var first error
	for range open {
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) && first == nil {
			first = fmt.Errorf("serving web pages: %w", err)
			for _, o := range open { // half a road is none
				_ = o.server.Close()
			}
		}
	}
	return first
}

// Shutdown stops accepting, ends streams, lets requests end until ctx does, then cuts.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop.Do(func() { close(s.stopping) })
	s.mu.Lock()
	open := slices.Clone(s.open)
	s.mu.Unlock()
	var wg sync.WaitGroup
	errs := make([]error, len(open))
	for i, o := range open {
		wg.Go(func() {
			if err := o.server.Shutdown(ctx); err != nil {
				errs[i] = errors.Join(err, o.server.Close())
			}
			_ = o.listener.Close() // one that Serve never saw
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// toHTTPS answers 308, so that a form's method and body survive. Host is only taken where it is
// ours: the answer must not point elsewhere on the word of the client.
func (s *Server) toHTTPS(w http.ResponseWriter, r *http.Request) {
	target := r.URL.RequestURI()
	if !strings.HasPrefix(target, "/") {
		target = "/" // "x:@evil.example/" would make our name the user part of another's address
	}
	w.Header().Set("Location", s.httpsBase(r)+target)
	w.WriteHeader(http.StatusPermanentRedirect)
}

func (s *Server) httpsBase(r *http.Request) string {
	if u := strings.TrimRight(s.opt.Config.PublicURL, "/"); strings.HasPrefix(u, "https://") {
		return u
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if !s.ownHost(r, host) {
		host = s.opt.Domain
	}
	port := "443"
	for _, b := range s.Addrs() {
		if b.TLS == "yes" {
			_, port, _ = net.SplitHostPort(b.Addr) // as the listener printed it
			break
		}
	}
	if port == "443" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return "https://" + host
	}
	return "https://" + net.JoinHostPort(host, port)
}

// ownHost reports whether host is one of our domains, localhost, or the very address that the
// connection came to.
func (s *Server) ownHost(r *http.Request, host string) bool {
	if host == "localhost" || host == s.opt.Domain || slices.Contains(s.opt.Domains, host) {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap() == localAddr(r).Addr().Unmap()
}
