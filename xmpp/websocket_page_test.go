package xmpp_test

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"trivium/identity"
)

// page is a client over WebSocket, in the place of a browser's page.
type page struct {
	t    *testing.T
	conn *websocket.Conn
	jid  string
}

// webSite is a site that web serves too, over https, or over http where clear is set.
func webSite(t *testing.T, clear bool, o options) (*site, *httptest.Server) {
	t.Helper()
	s := start(t, o)
	h := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from := r.Header.Get("X-Test-From"); from != "" { // as web does for a trusted proxy
			r = r.Clone(r.Context())
			r.RemoteAddr, r.TLS = from, new(tls.ConnectionState)
		}
		s.srv.WebSocket().ServeHTTP(w, r)
	}))
	if clear {
		h.Start()
	} else {
		h.StartTLS()
	}
	t.Cleanup(h.Close)
	return s, h
}

func dialWS(t *testing.T, h *httptest.Server, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, h.URL+"/xmpp-websocket", &websocket.DialOptions{HTTPClient: h.Client(), HTTPHeader: header, Subprotocols: protocols})
	if conn != nil {
		conn.SetReadLimit(1 << 24)
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

func newPage(t *testing.T, h *httptest.Server) *page {
	t.Helper()
	conn, _, err := dialWS(t, h, nil, "xmpp")
	must(t, err)
	if conn.Subprotocol() != "xmpp" {
		t.Errorf("subprotocol %q", conn.Subprotocol())
	}
	return &page{t: t, conn: conn}
}

func (p *page) send(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	must(p.t, p.conn.Write(ctx, websocket.MessageText, []byte(text)))
}

// next is one message, which must be whole by itself.
func (p *page) next() string {
	p.t.Helper()
	text, err := p.read()
	must(p.t, err)
	return text
}

func (p *page) read() (string, error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	kind, b, err := p.conn.Read(ctx)
	if err != nil {
		return "", err
	}
	if kind != websocket.MessageText {
		p.t.Errorf("a message of kind %v", kind)
	}
	wellFormed(p.t, string(b))
	return string(b), nil
}

// expect passes over messages until one holds want.
func (p *page) expect(want string) string {
	p.t.Helper()
	for {
		if text := p.next(); strings.Contains(text, want) {
			return text
		}
	}
}

// ends reads the stream error, the close element and the close frame.
func (p *page) ends(cond string) string {
	p.t.Helper()
	var all []string
	for {
		text, err := p.read()
		if err != nil {
			if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				p.t.Errorf("the connection ends with %v, after %q", err, all)
			}
			break
		}
		all = append(all, text)
	}
	n := len(all)
	if n < 2 || all[n-1] != "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>" ||
		!strings.HasPrefix(all[n-2], "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><"+cond+" xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>") {
		p.t.Errorf("got %q, want %s", all, cond)
	}
	return strings.Join(all, "")
}

const openWS = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' to='" + host + "'/>"

// open opens a stream and returns the features.
func (p *page) open() string {
	p.t.Helper()
	p.send(openWS)
	if text := p.next(); !strings.HasPrefix(text, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' xml:lang='en' id='") || !strings.HasSuffix(text, " from='"+host+"'/>") {
		p.t.Errorf("opened by %q", text)
	}
	return p.next()
}

// login is a whole log-in.
func (p *page) login(name, resource string) *page {
	p.t.Helper()
	p.open()
	p.send(authPlain(name, password))
	if text := p.next(); text != "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>" {
		p.t.Fatalf("log-in: %q", text)
	}
	p.open()
	p.send(strings.Replace(bindTo(resource), "<iq ", "<iq xmlns='jabber:client' ", 1))
	_, rest, _ := strings.Cut(p.next(), "<jid>")
	p.jid, _, _ = strings.Cut(rest, "</jid>")
	if p.jid == "" {
		p.t.Fatal("no address in the answer to bind")
	}
	return p
}

// wellFormed checks that a message is one whole document, with every prefix declared.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	d, depth, tops := xml.NewDecoder(strings.NewReader(text)), 0, 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				tops++
			}
			// encoding/xml leaves a prefix that is not declared in the place of its namespace.
			if tok.Name.Space == "" || tok.Name.Space == "stream" {
				t.Errorf("%s has no namespace in %q", tok.Name.Local, text)
			}
			for _, a := range tok.Attr {
				if a.Name.Space == "stream" {
					t.Errorf("%s has no namespace in %q", a.Name.Local, text)
				}
			}
		case xml.EndElement:
			depth--
		}
	}
	if tops != 1 {
		t.Errorf("%d elements in %q", tops, text)
	}
}

// none waits until a user has no session.
func (s *site) none(user string) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(s.svc.Registry.List(identity.Filter{User: user})) > 0; {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is still here", user)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
