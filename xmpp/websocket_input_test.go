package xmpp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"trivium/identity"
	"trivium/xmpp"
)

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
