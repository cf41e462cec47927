package xmpp_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"trivium/config"
	"trivium/identity"
	"trivium/xmpp"
)

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
