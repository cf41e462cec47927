// Package xmpptest helps tests of modules of the chat road: a whole server on loopback over a real
// store, and clients that say what they are told and return what comes.
package xmpptest

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/config"
	"trivium/identity"
	idstore "trivium/identity/sqlstore"
	"trivium/internal/certs"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp"
	"trivium/xmpp/sqlstore"
)

// What every site has: a domain, and accounts whose password is the same.
const (
	Host     = "example.org"
	Second   = "second.example" // another domain of the same server
	Password = "Correct-Horse-9 ä"
	Alice    = "alice@" + Host
	Bob      = "bob@" + Host
	Carol    = "carol@" + Second
)

// Options are what Start takes to change; zero values are those of a server.
type Options struct {
	Tables []sqltest.Migrate // of the modules' stores
	// Modules makes the modules, over a database that has identity's tables and those of xmpp.
	Modules  func(db *sqldb.DB, svc *identity.Service) []xmpp.Module
	Identity func(*identity.Options)
	XMPP     func(*xmpp.Options)
	// Prepare is Identity with the database, for what identity needs of it, such as tokens.
	Prepare func(db *sqldb.DB, o *identity.Options)
}

// Site is a server on loopback with the accounts alice, bob and carol@second.example.
type Site struct {
	Server   *xmpp.Server
	Identity *identity.Service
	DB       *sqldb.DB
	Clear    string // the address with STARTTLS
	TLS      string // the address with TLS from the first byte
	Cert     *certs.Source

	t   testing.TB
	log Log
}

// Log is what the server has logged so far; it is shown where the test fails.
func (s *Site) Log() string { return s.log.String() }

// Log keeps what is logged.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String is what has been logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Actor is the administrator at the machine.
func Actor() identity.Actor { return identity.Actor{Level: identity.LevelRoot, Via: "cli"} }

// Start starts a server that ends with the test.
func Start(t testing.TB, o Options) *Site {
	t.Helper()
	s := &Site{t: t, DB: sqltest.Migrated(t, append([]sqltest.Migrate{idstore.Migrate, sqlstore.Migrate}, o.Tables...)...)}
	log := slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	io := identity.Options{
		Store: idstore.New(s.DB), Log: log, Domain: Host, Domains: []string{Second},
		SealKey: bytes.Repeat([]byte{7}, 32), DefaultLevel: identity.LevelUser, SCRAMIterations: 4096, SCRAMSHA1: true,
	}
	if o.Identity != nil {
		o.Identity(&io)
	}
	if o.Prepare != nil {
		o.Prepare(s.DB, &io)
	}
	var err error
	s.Identity, err = identity.New(t.Context(), io)
	Must(t, err)
	for _, name := range []string{"alice", "bob", Carol} {
		s.Add(name)
	}
	s.Cert, err = certs.Load(certs.Options{Dir: t.TempDir(), Domains: []string{Host}})
	Must(t, err)
	xo := xmpp.Options{
		Config:  config.XMPP{Listen: []string{"127.0.0.1:0"}, TLSListen: []string{"127.0.0.1:0"}, TLS: "required"},
		Domains: []string{Host, Second}, Identity: s.Identity, Registry: s.Identity.Registry,
		Store: sqlstore.New(s.DB), TLS: s.Cert.Config("xmpp-client"), Log: log, Alone: true,
	}
	if o.Modules != nil {
		xo.Modules = o.Modules(s.DB, s.Identity)
	}
	if o.XMPP != nil {
		o.XMPP(&xo)
	}
	s.Server, err = xmpp.New(xo)
	Must(t, err)
	s.serve()
	return s
}

func (s *Site) serve() {
	Must(s.t, s.Server.Listen(s.t.Context()))
	for _, b := range s.Server.Addrs() {
		if b.TLS == "direct" {
			s.TLS = b.Addr
		} else {
			s.Clear = b.Addr
		}
	}
	served := make(chan error, 1)
	go func() { served <- s.Server.Serve() }()
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Server.Shutdown(ctx); err != nil {
			s.t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			s.t.Errorf("serve: %v", err)
		}
		if s.t.Failed() {
			s.t.Logf("server's log:\n%s", s.Log())
		}
		if strings.Contains(s.Log(), Password) {
			s.t.Error("the password is in the log")
		}
	})
}

// Add makes an account with the one password.
func (s *Site) Add(name string) identity.Account {
	s.t.Helper()
	a, err := s.Identity.AddUser(s.t.Context(), Actor(), identity.NewUser{Login: name, Password: identity.NewSecret(Password)})
	Must(s.t, err)
	return a
}

// Dial is a client on the port with TLS from the first byte, which has said nothing yet.
func (s *Site) Dial() *Client {
	s.t.Helper()
	return s.DialWith()
}

// DialWith is Dial by a client that has certificates.
func (s *Site) DialWith(certs ...tls.Certificate) *Client {
	s.t.Helper()
	raw := Dial(s.t, s.TLS)
	cfg := ClientTLS("xmpp-client")
	cfg.Certificates = certs
	conn := tls.Client(raw, cfg)
	Must(s.t, conn.Handshake())
	return &Client{t: s.t, raw: raw, conn: conn}
}

// Login is a client that has bound a resource; name may have a domain.
func (s *Site) Login(name, resource string) *Client {
	s.t.Helper()
	return s.LoginWith(name, resource, Password)
}

// LoginWith is Login with another secret than the one password.
func (s *Site) LoginWith(name, resource, secret string) *Client {
	s.t.Helper()
	login, host, found := strings.Cut(name, "@")
	if !found {
		host = Host
	}
	c := s.Dial()
	c.login(login, host, resource, secret)
	return c
}

// Online is Login with the roster asked for and presence sent; what comes of that is read.
func (s *Site) Online(name, resource string) *Client {
	s.t.Helper()
	c := s.Login(name, resource)
	c.Send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>")
	c.Settle()
	return c
}

// Friends are alice and bob, online under the resources a and b, who see each other's presence.
func (s *Site) Friends() (alice, bob *Client) {
	s.t.Helper()
	alice, bob = s.Online("alice", "a"), s.Online("bob", "b")
	alice.Then("<presence type='subscribe' to='"+Bob+"'/>", bob)
	bob.Then("<presence type='subscribed' to='"+Alice+"'/><presence type='subscribe' to='"+Alice+"'/>", alice)
	alice.Then("<presence type='subscribed' to='"+Bob+"'/>", bob)
	return alice, bob
}

// Dial opens a connection that ends with the test.
func Dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ClientTLS is what clients of a site speak, whose certificate nobody knows.
func ClientTLS(alpn ...string) *tls.Config {
	return &tls.Config{ServerName: Host, InsecureSkipVerify: true, NextProtos: alpn}
}

// Must ends the test where err is one.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Eventually waits until it holds, and ends the test where it does not in time.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
