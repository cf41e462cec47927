package xmpp_test

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"trivium/config"
	"trivium/identity"
	"trivium/xmpp"
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

func TestWebSocket(t *testing.T) {
	s, h := webSite(t, false, options{})
	p := newPage(t, h)
	features := p.open()
	for _, want := range []string{"<stream:features xmlns:stream='http://etherx.jabber.org/streams'>", "<mechanism>PLAIN<", "<mechanism>SCRAM-SHA-256<"} {
		if !strings.Contains(features, want) {
			t.Errorf("no %s in %q", want, features)
		}
	}
	// RFC 7395 section 3.9, and no binding to a TLS connection that may be a proxy's.
	for _, not := range []string{"starttls", "-PLUS", "channel-binding"} {
		if strings.Contains(features, not) {
			t.Errorf("%s in %q", not, features)
		}
	}
	p = newPage(t, h).login("alice", "page")
	info := s.session("alice", func(i identity.Info) bool { return i.JID != nil })
	if info.TLS == nil || *info.TLS != "TLS 1.3" || info.Protocol != identity.ProtocolXMPP || !strings.HasPrefix(info.RemoteAddr, "127.0.0.1") {
		t.Errorf("session %+v", info)
	}
	bob := s.login("bob", "desk")
	big := strings.Repeat("x", 60_000)
	for _, body := range []string{"&lt;hello&gt; ä", big, strings.Repeat("y", 200)} {
		bob.send("<message to='" + p.jid + "' type='chat'><body>" + body + "</body></message>")
		want := "<message xmlns='jabber:client'"
		if text := p.next(); !strings.HasPrefix(text, want) || !strings.HasSuffix(text, "<body>"+body+"</body></message>") {
			t.Errorf("got %.200q", text)
		}
		p.send("<message xmlns='jabber:client' to='" + bob.jid + "' type='chat'><body>" + body + "</body></message>")
		bob.expect("<body>" + body + "</body></message>")
	}
	// What leans on the stream's open tag over TCP brings its declarations with it.
	bob.send("<message to='" + p.jid + "' id='m7'><stream:x/><y stream:a='1'/></message>")
	if text := p.next(); !strings.Contains(text, "m7") {
		t.Errorf("got %q", text)
	}
	p.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
	if text := p.next(); text != "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>" {
		t.Errorf("closed by %q", text)
	}
	if _, err := p.read(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the connection ends with %v", err)
	}
}

// Many that wait leave together, in order, each as a message.
func TestWebSocketBatch(t *testing.T) {
	s, h := webSite(t, false, options{})
	p, bob := newPage(t, h).login("alice", "page"), s.login("bob", "desk")
	const many = 300
	var b strings.Builder
	for i := range many {
		b.WriteString("<message to='" + p.jid + "'><body>" + strings.Repeat("z", i*17%2000) + "</body><n>" + string(rune('A'+i%26)) + "</n></message>")
	}
	bob.send(b.String())
	for i := range many {
		if text := p.next(); !strings.HasSuffix(text, "<body>"+strings.Repeat("z", i*17%2000)+"</body><n>"+string(rune('A'+i%26))+"</n></message>") {
			t.Fatalf("message %d is %.100q", i, text)
		}
	}
}

func TestWebSocketBadInput(t *testing.T) {
	_, h := webSite(t, false, options{xmpp: func(o *xmpp.Options) { o.Limits.XMPPStanzaSize = 20_000 }})
	const msg = "<message xmlns='jabber:client' to='" + host + "'/>"
	for _, tt := range []struct{ name, send, cond string }{
		{"two stanzas in one message", msg + msg, "not-well-formed"},
		{"half a stanza", "<message xmlns='jabber:client'><body>", "not-well-formed"},
		{"text", "hello", "not-well-formed"},
		{"an end tag", "</stream:stream>", "not-well-formed"},
		{"a comment", "<!-- x -->", "restricted-xml"},
		{"a declaration alone", "<?xml version='1.0'?>", "not-well-formed"},
		{"a document type", "<!DOCTYPE x><x/>", "restricted-xml"},
		{"no namespace", "<message to='" + host + "'/>", "unsupported-stanza-type"},
		{"a prefix from nowhere", "<stream:error/>", "not-well-formed"},
		{"the stream's prefix within", "<message xmlns='jabber:client'><stream:x/></message>", "not-well-formed"},
		{"no UTF-8", "<message xmlns='jabber:client' a='\xff'/>", "not-well-formed"},
		{"too large", "<message xmlns='jabber:client'><body>" + strings.Repeat("x", 20_000) + "</body></message>", "policy-violation"},
		{"another open", openWS, "unsupported-stanza-type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPage(t, h).login("alice", "page")
			p.send(tt.send)
			p.ends(tt.cond)
		})
	}
	t.Run("binary", func(t *testing.T) {
		p := newPage(t, h).login("alice", "page")
		must(t, p.conn.Write(t.Context(), websocket.MessageBinary, []byte(msg)))
		p.ends("bad-format")
	})
	t.Run("white space", func(t *testing.T) {
		p := newPage(t, h).login("alice", "page")
		p.send(" \n")
		p.send("<?xml version='1.0'?> <iq xmlns='jabber:client' type='get' id='p1' to='" + host + "'><ping xmlns='urn:xmpp:ping'/></iq>\n")
		p.expect("id='p1'")
	})
	t.Run("in fragments", func(t *testing.T) {
		p := newPage(t, h).login("alice", "page")
		w, err := p.conn.Writer(t.Context(), websocket.MessageText)
		must(t, err)
		for _, part := range []string{"<iq xmlns='jabber:client' type='get' ", "id='p2' to='" + host, "'><ping xmlns='urn:xmpp:ping'/></iq>"} {
			_, err := io.WriteString(w, part)
			must(t, err)
		}
		must(t, w.Close())
		p.expect("id='p2'")
	})
}

func TestWebSocketBadBegin(t *testing.T) {
	_, h := webSite(t, false, options{})
	for _, tt := range []struct{ name, send, cond string }{
		{"a stream's header", openStream(host), "not-well-formed"},
		{"a whole stream element", "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + host + "'/>", "bad-format"},
		{"a stanza", "<presence xmlns='jabber:client'/>", "bad-format"},
		{"another namespace", "<open xmlns='jabber:client' version='1.0' to='" + host + "'/>", "invalid-namespace"},
		{"another host", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' to='evil.example'/>", "host-unknown"},
		{"no version", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + host + "'/>", "unsupported-version"},
		{"too large", "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + host + "' a='" + strings.Repeat("x", 20_000) + "'/>", "policy-violation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPage(t, h)
			p.send(tt.send)
			text := p.ends(tt.cond)
			// RFC 7395 section 3.5: our open tag, then the error.
			if !strings.HasPrefix(text, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'") || strings.Count(text, "<open ") != 1 {
				t.Errorf("got %q", text)
			}
		})
	}
	t.Run("close at once", func(t *testing.T) {
		p := newPage(t, h)
		p.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
		if a, b := p.next(), p.next(); !strings.HasPrefix(a, "<open ") || !strings.HasPrefix(b, "<close ") {
			t.Errorf("got %q and %q", a, b)
		}
	})
	t.Run("many small ones", func(t *testing.T) {
		p := newPage(t, h)
		p.open()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for range 5000 { // the server may have closed by then
			if p.conn.Write(ctx, websocket.MessageText, []byte(strings.Repeat(" ", 1000))) != nil {
				break
			}
		}
		p.ends("policy-violation")
	})
}

func TestWebSocketHandshake(t *testing.T) {
	s, h := webSite(t, false, options{xmpp: func(o *xmpp.Options) { o.Config.WebSocketOrigins = []string{"https://chat.example.net"} }})
	for _, tt := range []struct {
		name, origin string
		protocols    []string
		status       int
	}{
		{"no browser", "", []string{"xmpp"}, 101},
		{"our domain", "https://" + host, []string{"xmpp"}, 101},
		{"our domain, another port", "https://" + host + ":8443", []string{"xmpp"}, 101},
		{"our second domain", "https://second.example", []string{"other", "xmpp"}, 101},
		{"a listed site", "https://chat.example.net", []string{"xmpp"}, 101},
		{"the address itself", h.URL, []string{"xmpp"}, 101},
		{"another site", "https://evil.example", []string{"xmpp"}, 403},
		{"a listed site without TLS", "http://chat.example.net", []string{"xmpp"}, 403},
		{"a name that only begins so", "https://" + host + ".evil.example", []string{"xmpp"}, 403},
		{"user part", "https://" + host + "@evil.example", []string{"xmpp"}, 403},
		{"a file", "null", []string{"xmpp"}, 403},
		{"no subprotocol", "", nil, 400},
		{"another subprotocol", "", []string{"mqtt"}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{}
			if tt.origin != "" {
				header.Set("Origin", tt.origin)
			}
			_, res, err := dialWS(t, h, header, tt.protocols...)
			if res == nil || res.StatusCode != tt.status {
				t.Fatalf("%v, %v, want %d", res, err, tt.status)
			}
			if res.Header.Get("Sec-WebSocket-Extensions") != "" {
				t.Error("packing is on")
			}
		})
	}
	res, err := h.Client().Get(h.URL + "/xmpp-websocket")
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusUpgradeRequired || res.Header.Get("Upgrade") != "websocket" {
		t.Errorf("a page was asked for: %v", res)
	}
	// Origins of everybody.
	_, all := webSite(t, false, options{xmpp: func(o *xmpp.Options) { o.Config.WebSocketOrigins = []string{"*"} }})
	if _, _, err := dialWS(t, all, http.Header{"Origin": {"https://evil.example"}}, "xmpp"); err != nil {
		t.Errorf("*: %v", err)
	}
	_ = s
}

func TestWebSocketInTheClear(t *testing.T) {
	_, h := webSite(t, true, options{})
	p := newPage(t, h)
	p.send(openWS)
	if text := p.ends("policy-violation"); !strings.Contains(text, "wss://") {
		t.Errorf("got %q", text)
	}
	// A trusted proxy that speaks https to the client.
	s, h := webSite(t, true, options{})
	conn, _, err := dialWS(t, h, http.Header{"X-Test-From": {"192.0.2.7:0"}}, "xmpp")
	must(t, err)
	(&page{t: t, conn: conn}).login("alice", "page")
	info := s.session("alice", func(i identity.Info) bool { return true })
	if info.TLS == nil || *info.TLS != "TLS" || !strings.HasPrefix(info.RemoteAddr, "192.0.2.7") {
		t.Errorf("session %+v", info)
	}
	// Where TLS is a choice, SCRAM alone goes without.
	_, h = webSite(t, true, options{xmpp: func(o *xmpp.Options) { o.Config.TLS = "optional" }})
	if f := newPage(t, h).open(); strings.Contains(f, "PLAIN") || strings.Contains(f, "OAUTHBEARER") || !strings.Contains(f, "SCRAM-SHA-256<") {
		t.Errorf("features %q", f)
	}
}

func TestWebSocketKick(t *testing.T) {
	s, h := webSite(t, false, options{})
	p := newPage(t, h).login("alice", "page")
	info := s.session("alice", func(i identity.Info) bool { return i.JID != nil })
	must(t, s.svc.Registry.End(info.ID, identity.Reason{Code: identity.ReasonEnded, Text: "Enough."}))
	if text := p.ends("policy-violation"); !strings.Contains(text, "Enough.") {
		t.Errorf("got %q", text)
	}
	// Before bind, too.
	p = newPage(t, h)
	p.open()
	list := s.svc.Registry.List(identity.Filter{Protocol: identity.ProtocolXMPP})
	if len(list) != 1 {
		t.Fatalf("sessions %+v", list)
	}
	must(t, s.svc.Registry.End(list[0].ID, identity.Reason{Code: identity.ReasonEnded, Text: "Enough."}))
	p.ends("policy-violation")
}

func TestWebSocketShutdown(t *testing.T) {
	s, h := webSite(t, false, options{})
	p := newPage(t, h).login("alice", "page")
	early := newPage(t, h)
	early.open()
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		done <- s.srv.Shutdown(ctx)
	}()
	p.ends("system-shutdown")
	early.ends("system-shutdown")
	must(t, <-done)
	conn, _, err := dialWS(t, h, nil, "xmpp")
	if err == nil {
		_, _, err = conn.Read(t.Context())
	}
	if err == nil {
		t.Error("a connection after the end")
	}
}

// A page that is closed says no word: the close frame alone, or nothing at all.
func TestWebSocketGone(t *testing.T) {
	s, h := webSite(t, false, options{})
	for _, tt := range []struct {
		name string
		end  func(*page) error
	}{
		{"close frame", func(p *page) error { return p.conn.Close(websocket.StatusGoingAway, "") }},
		{"cut", func(p *page) error { return p.conn.CloseNow() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPage(t, h).login("alice", "page")
			s.session("alice", func(i identity.Info) bool { return i.JID != nil })
			if err := tt.end(p); err != nil {
				t.Error(err)
			}
			s.none("alice")
		})
	}
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

// A page that reads nothing ends when its queue is full, and holds nobody up.
func TestWebSocketSlowReader(t *testing.T) {
	s, h := webSite(t, false, options{xmpp: func(o *xmpp.Options) { o.Limits.XMPPQueueSize = 65536 }})
	p, bob := newPage(t, h).login("alice", "page"), s.login("bob", "desk")
	body := strings.Repeat("x", 30_000)
	for range 1000 {
		if len(s.svc.Registry.List(identity.Filter{User: "alice"})) == 0 {
			break
		}
		bob.send("<message to='" + p.jid + "'><body>" + body + "</body></message>")
	}
	s.none("alice")
	bob.send("<iq type='get' id='still' to='" + host + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	bob.expect("id='still'")
}

func TestWebSocketLate(t *testing.T) {
	_, h := webSite(t, false, options{xmpp: func(o *xmpp.Options) { o.Limits.LoginTimeout = 300 * time.Millisecond }})
	p := newPage(t, h)
	p.open()
	p.ends("connection-timeout")
}

func TestWebSocketBanned(t *testing.T) {
	_, h := webSite(t, false, options{identity: func(o *identity.Options) { o.Limits.ConnectionsPerAddress = 1 }})
	p := newPage(t, h)
	p.open()
	newPage(t, h).ends("resource-constraint")
}

// Anonymous has an address that nobody else has.
func TestAnonymousOverWebSocket(t *testing.T) {
	_, h := webSite(t, false, options{
		identity: func(o *identity.Options) { o.AnonymousRoads = []identity.Road{identity.RoadXMPP} },
		xmpp: func(o *xmpp.Options) {
			o.Anonymous = true
			o.Config = config.XMPP{TLS: "required", Listen: o.Config.Listen, TLSListen: o.Config.TLSListen}
		},
	})
	p := newPage(t, h)
	if f := p.open(); !strings.Contains(f, "<mechanism>ANONYMOUS<") {
		t.Errorf("features %q", f)
	}
	p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>")
	p.expect("<success")
	p.open()
	p.send(strings.Replace(bindTo(""), "<iq ", "<iq xmlns='jabber:client' ", 1))
	if text := p.next(); !strings.Contains(text, "@anon."+host+"/") {
		t.Errorf("got %q", text)
	}
}

// Frames that break RFC 6455 end the connection, and nothing else.
func TestWebSocketBadFrames(t *testing.T) {
	s, h := webSite(t, true, options{xmpp: func(o *xmpp.Options) { o.Config.TLS = "optional" }})
	for _, tt := range []struct {
		name  string
		frame []byte
	}{
		{"half a code to close", []byte{0x88, 0x81, 0, 0, 0, 0, 3}},
		{"a code that is never sent", []byte{0x88, 0x82, 0, 0, 0, 0, 1005 >> 8, 1005 & 0xFF}},
		{"a code below all", []byte{0x88, 0x82, 0, 0, 0, 0, 0, 1}},
		{"not masked", []byte{0x81, 1, 'x'}},
		{"a bit too many", []byte{0xC1, 0x81, 0, 0, 0, 0, 'x'}},
		{"an unknown kind", []byte{0x83, 0x80, 0, 0, 0, 0}},
		{"a continuation of nothing", []byte{0x80, 0x80, 0, 0, 0, 0}},
		{"a ping in parts", []byte{0x09, 0x80, 0, 0, 0, 0}},
		{"an endless one", []byte{0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, '<', 'a'}},
		{"a negative length", []byte{0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}},
		{"half a head", []byte{0x81}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
			must(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "GET /xmpp-websocket HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n")
			must(t, err)
			_, err = conn.Write(tt.frame)
			must(t, err)
			must(t, conn.(*net.TCPConn).CloseWrite())
			must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
			b, err := io.ReadAll(conn)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() || !strings.HasPrefix(string(b), "HTTP/1.1 101 ") {
				t.Errorf("%v after %q", err, b)
			}
			if whole := tt.name != "half a head"; whole && !strings.Contains(string(b), "\x88\x02\x03\xEA") && !strings.Contains(string(b), "policy-violation") {
				t.Errorf("no word of a broken protocol in %q", b)
			}
		})
	}
	newPage(t, h).open()
	_ = s
}

// Success and features of SASL2 are two messages; bind is within the first.
func TestWebSocketSASL2(t *testing.T) {
	s, h := webSite(t, false, options{})
	p := newPage(t, h)
	p.open()
	p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" + b64("\x00alice\x00"+password) +
		"</initial-response><bind xmlns='urn:xmpp:bind:0'><tag>Page</tag></bind></authenticate>")
	text := p.next()
	if !strings.HasPrefix(text, "<success xmlns='urn:xmpp:sasl:2'>") || !strings.Contains(text, "<bound xmlns='urn:xmpp:bind:0'") {
		t.Errorf("got %q", text)
	}
	if text := p.next(); !strings.HasPrefix(text, "<stream:features xmlns:stream=") {
		t.Errorf("got %q", text)
	}
	s.session("alice", func(i identity.Info) bool { return i.JID != nil && strings.HasPrefix(*i.Resource, "Page") })
	p.send("<iq xmlns='jabber:client' type='get' id='p1' to='" + host + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	p.expect("id='p1'")
}

var resumeID = regexp.MustCompile(`<enabled [^>]*id='([^']+)'`)

// A stream goes on over another connection, and over another kind of connection.
func TestWebSocketResume(t *testing.T) {
	for _, from := range []string{"WebSocket", "TCP"} {
		t.Run("from "+from, func(t *testing.T) {
			s, h := webSite(t, false, options{xmpp: func(o *xmpp.Options) { o.Config.ResumeTimeout, o.Config.ResumeMemory = time.Minute, 1<<20 }})
			const enable = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
			bob := s.login("bob", "desk")
			var enabled, to string
			var lose func()
			if from == "TCP" {
				p := s.login("alice", "phone")
				p.send(enable)
				enabled, to, lose = p.expect("<enabled ")+p.expect("/>"), p.jid, func() { _ = p.raw.Close() }
				bob.send("<message to='" + to + "' id='m1'/>")
				p.expect("m1")
			} else {
				p := newPage(t, h).login("alice", "phone")
				p.send(enable)
				enabled, to, lose = p.expect("<enabled "), p.jid, func() { _ = p.conn.CloseNow() }
				bob.send("<message to='" + to + "' id='m1'/>")
				p.expect("m1")
			}
			m := resumeID.FindStringSubmatch(enabled)
			if m == nil {
				t.Fatalf("no id in %q", enabled)
			}
			lose()
			bob.send("<message to='" + to + "' id='m2'/>")
			p := newPage(t, h)
			p.open()
			p.send(authPlain("alice", password))
			p.expect("<success ")
			p.open()
			p.send("<resume xmlns='urn:xmpp:sm:3' h='0' previd='" + m[1] + "'/>")
			if text := p.next(); !strings.HasPrefix(text, "<resumed xmlns='urn:xmpp:sm:3'") {
				t.Fatalf("got %q", text)
			}
			for _, id := range []string{"m1", "m2"} {
				p.expect("id='" + id + "'")
			}
			p.send("<r xmlns='urn:xmpp:sm:3'/>")
			if text := p.expect("<a "); !strings.Contains(text, "xmlns='urn:xmpp:sm:3'") {
				t.Errorf("got %q", text)
			}
			p.send("<message xmlns='jabber:client' to='" + bob.jid + "' id='m3'/>")
			bob.expect("m3")
		})
	}
}

// Over WebSocket no open tag surrounds an element: what has no namespace there gets none where it is
// sent on.
func TestWebSocketNoNamespace(t *testing.T) {
	s, h := webSite(t, false, options{})
	alice, bob, web := newPage(t, h).login("alice", "a"), s.login("bob", "b"), newPage(t, h).login("bob", "w")
	for _, to := range []string{bob.jid, web.jid} {
		alice.send("<c:message xmlns:c='jabber:client' to='" + to + "'><body>in no namespace</body></c:message>")
	}
	if got := bob.expect("</c:message>"); !strings.Contains(got, " xmlns=''") {
		t.Errorf("over TCP it is %s", got)
	}
	_, got, err := web.conn.Read(t.Context()) // not by page: it wants all to be in a namespace
	must(t, err)
	if !strings.Contains(string(got), "<c:message xmlns='' xmlns:c='jabber:client'") {
		t.Errorf("over WebSocket it is %s", got)
	}
}
