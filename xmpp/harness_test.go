package xmpp_test

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"trivium/identity"
	"trivium/internal/certs"
	"trivium/xmpp"
	"trivium/xmpp/xmpptest"
)

const (
	host     = xmpptest.Host
	password = xmpptest.Password
	aliceJID = xmpptest.Alice
	bobJID   = xmpptest.Bob
)

var byMachine = xmpptest.Actor()

// site is a server on loopback with the accounts alice, bob and carol@second.example, to which raw
// clients come before they have logged in.
type site struct {
	*xmpptest.Site
	t     testing.TB
	srv   *xmpp.Server
	svc   *identity.Service
	clear string // the address with STARTTLS
	tls   string // the address with direct TLS
	cert  *certs.Source
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
	s := xmpptest.Start(t, xmpptest.Options{Identity: o.identity, XMPP: o.xmpp})
	return &site{Site: s, t: t, srv: s.Server, svc: s.Identity, clear: s.Clear, tls: s.TLS, cert: s.Cert}
}

func must(t testing.TB, err error) {
	t.Helper()
	xmpptest.Must(t, err)
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
	conn := xmpptest.Dial(s.t, addr)
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

func (s *site) clientTLS(alpn ...string) *tls.Config { return xmpptest.ClientTLS(alpn...) }

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
	return xmpptest.ReadUntil(p.raw, p.conn, &p.got, want)
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

func openStream(to string) string { return xmpptest.OpenStream(to) }

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

func authPlain(name, pw string) string { return xmpptest.AuthPlain(name, pw) }

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
