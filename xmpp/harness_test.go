package xmpp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"trivium/config"
	"trivium/identity"
	idstore "trivium/identity/sqlstore"
	"trivium/internal/certs"
	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp"
	"trivium/xmpp/sqlstore"
)

const (
	host     = "example.org"
	password = "Correct-Horse-9 ä"
)

var byMachine = identity.Actor{Level: identity.LevelRoot, Via: "cli"}

// site is a server on loopback with the accounts alice and bob.
type site struct {
	t     testing.TB
	srv   *xmpp.Server
	svc   *identity.Service
	clear string // the address with STARTTLS
	tls   string // the address with direct TLS
	cert  *certs.Source

	mu  sync.Mutex
	log bytes.Buffer
}

func (s *site) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

// options are what start takes to change; zero values are those of a server.
type options struct {
	identity func(*identity.Options)
	xmpp     func(*xmpp.Options)
}

func start(t testing.TB, o options) *site {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	s := &site{t: t}
	log := slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	io := identity.Options{
		Store: idstore.New(sqltest.Migrated(t, idstore.Migrate)), Log: log, Domain: host, Domains: []string{"second.example"},
		SealKey: bytes.Repeat([]byte{7}, 32), DefaultLevel: identity.LevelUser, SCRAMIterations: 4096, SCRAMSHA1: true,
	}
	if o.identity != nil {
		o.identity(&io)
	}
	var err error
	s.svc, err = identity.New(t.Context(), io)
	must(t, err)
	for _, name := range []string{"alice", "bob", "carol@second.example"} {
		_, err = s.svc.AddUser(t.Context(), byMachine, identity.NewUser{Login: name, Password: identity.NewSecret(password)})
		must(t, err)
	}
	s.cert, err = certs.Load(certs.Options{Dir: t.TempDir(), Domains: []string{host}})
	must(t, err)
	xo := xmpp.Options{
		Config:  config.XMPP{Listen: []string{"127.0.0.1:0"}, TLSListen: []string{"127.0.0.1:0"}, TLS: "required"},
		Domains: []string{host, "second.example"}, Identity: s.svc, Registry: s.svc.Registry,
		Store: sqlstore.New(sqltest.Migrated(t, sqlstore.Migrate)), TLS: s.cert.Config("xmpp-client"), Log: log,
	}
	if o.xmpp != nil {
		o.xmpp(&xo)
	}
	s.srv, err = xmpp.New(xo)
	must(t, err)
	must(t, s.srv.Listen(t.Context()))
	for _, b := range s.srv.Addrs() {
		if b.TLS == "direct" {
			s.tls = b.Addr
		} else {
			s.clear = b.Addr
		}
	}
	served := make(chan error, 1)
	go func() { served <- s.srv.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if t.Failed() {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Logf("server's log:\n%s", s.log.String())
		}
		if strings.Contains(s.log.String(), password) {
			t.Error("the password is in the log")
		}
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// peer is a raw client: it sends what it is told and waits for text.
type peer struct {
	t    testing.TB
	site *site
	raw  net.Conn
	conn net.Conn
	got  []byte // read and not yet expected
	jid  string
}

func (s *site) dial() *peer {
	s.t.Helper()
	return s.dialTo(s.clear)
}

func (s *site) dialTo(addr string) *peer {
	s.t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() })
	return &peer{t: s.t, site: s, raw: conn, conn: conn}
}

// dialTLS is a peer on the port with TLS from the first byte.
func (s *site) dialTLS() *peer {
	s.t.Helper()
	p := s.dialTo(s.tls)
	p.handshake(s, "xmpp-client")
	return p
}

func (p *peer) handshake(s *site, alpn ...string) {
	p.t.Helper()
	conn := tls.Client(p.raw, s.clientTLS(alpn...))
	must(p.t, conn.Handshake())
	p.conn = conn
}

func (s *site) clientTLS(alpn ...string) *tls.Config {
	return &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: alpn} // self-signed
}

func (p *peer) send(text string) {
	p.t.Helper()
	_, err := io.WriteString(p.conn, text)
	must(p.t, err)
}

// expect reads until want has come, and returns all up to and with it.
func (p *peer) expect(want string) string {
	p.t.Helper()
	text, err := p.until(want)
	if err != nil {
		p.t.Fatalf("waiting for %q: %v, after %q", want, err, text)
	}
	return text
}

func (p *peer) until(want string) (string, error) {
	must(p.t, p.raw.SetReadDeadline(time.Now().Add(10*time.Second)))
	for {
		if i := bytes.Index(p.got, []byte(want)); i >= 0 {
			text := string(p.got[:i+len(want)])
			p.got = p.got[i+len(want):]
			return text, nil
		}
		buf := make([]byte, 4096)
		n, err := p.conn.Read(buf)
		p.got = append(p.got, buf[:n]...)
		if err != nil && n == 0 {
			return string(p.got), err
		}
	}
}

// rest reads until the server closes.
func (p *peer) rest() string {
	p.t.Helper()
	text, _ := p.last()
	return text
}

// last is rest with the error that ended it: nil for a connection that was closed in good form, and
// not by a reset, which may take the last words away.
func (p *peer) last() (string, error) {
	p.t.Helper()
	must(p.t, p.raw.SetReadDeadline(time.Now().Add(10*time.Second)))
	b, err := io.ReadAll(p.conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("the server does not close, after %q%q", p.got, b)
	}
	text := string(p.got) + string(b)
	p.got = nil
	return text, err
}

// ends checks that the stream ends in good form with the condition.
func (p *peer) ends(cond string) string {
	p.t.Helper()
	text, err := p.last()
	if err != nil {
		p.t.Errorf("the connection broke off: %v", err)
	}
	want := "<stream:error><" + cond + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
	if !strings.Contains(text, want) || !strings.HasSuffix(text, "</stream:error></stream:stream>") {
		p.t.Errorf("got %q, want %s and the end of the stream", text, cond)
	}
	return text
}

const openTo = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='"

func openStream(to string) string { return openTo + to + "'>" }

// open sends a stream header and returns the features.
func (p *peer) open() string {
	p.t.Helper()
	p.send(openStream(host))
	return p.expect("</stream:features>")
}

// secure does STARTTLS and opens the stream again.
func (p *peer) secure(s *site) string {
	p.t.Helper()
	p.open()
	p.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	p.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	p.handshake(s)
	return p.open()
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func authPlain(name, pw string) string {
	return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + b64("\x00"+name+"\x00"+pw) + "</auth>"
}

func bindTo(resource string) string {
	if resource != "" {
		resource = "<resource>" + resource + "</resource>"
	}
	return "<iq type='set' id='bind1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" + resource + "</bind></iq>"
}

var boundForm = regexp.MustCompile(`<iq type='result' id='bind1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>([^<]+)</jid></bind></iq>`)

// login is a whole log-in over direct TLS with PLAIN.
func (s *site) login(name, resource string) *peer {
	s.t.Helper()
	p := s.dialTLS()
	p.open()
	p.send(authPlain(name, password))
	p.expect("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>")
	p.open()
	p.send(bindTo(resource))
	m := boundForm.FindStringSubmatch(p.expect("</iq>"))
	if m == nil {
		s.t.Fatal("no address in the answer to bind")
	}
	p.jid = m[1]
	return p
}

// session waits until what of the one session of a user fits.
func (s *site) session(user string, fits func(identity.Info) bool) identity.Info {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		list := s.svc.Registry.List(identity.Filter{User: user})
		if len(list) == 1 && fits(list[0]) {
			return list[0]
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("sessions of %s: %+v", user, list)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// quiet reports what has come, or comes within a moment, and was not expected. It is for what must
// not come and would have come by now; whoever calls it has seen to that.
func (p *peer) quiet() error {
	must(p.t, p.raw.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	buf := make([]byte, 4096)
	n, err := p.conn.Read(buf)
	p.got = append(p.got, buf[:n]...)
	if len(p.got) > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("got %q, %w", p.got, err)
	}
	return nil
}
