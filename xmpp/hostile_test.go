package xmpp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"trivium/config"
	"trivium/identity"
	"trivium/xmpp"
)

func TestHeader(t *testing.T) {
	s := start(t, options{})
	const ns = "xmlns:stream='http://etherx.jabber.org/streams'"
	for _, tt := range []struct{ name, in, from, want string }{
		{"another host", openStream("evil.example"), host, "host-unknown"},
		{"a person", openStream("alice@" + host), host, "host-unknown"},
		{"no host", "<stream:stream xmlns='jabber:client' " + ns + " version='1.0'>", host, "host-unknown"},
		{"markup in host", openStream("a&apos;/>&lt;x"), host, "host-unknown"},
		{"server's namespace", "<stream:stream xmlns='jabber:server' " + ns + " version='1.0' to='example.org'>", host, "invalid-namespace"},
		{"no namespace", "<stream:stream " + ns + " version='1.0' to='example.org'>", host, "invalid-namespace"},
		{"wrong stream namespace", "<stream:stream xmlns='jabber:client' xmlns:stream='u' version='1.0' to='example.org'>", host, "invalid-namespace"},
		{"another prefix", "<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' version='1.0' to='example.org'>", host, "bad-namespace-prefix"},
		{"another element", "<stream:x xmlns='jabber:client' " + ns + " version='1.0' to='example.org'>", host, "bad-format"},
		{"no version", "<stream:stream xmlns='jabber:client' " + ns + " to='example.org'>", host, "unsupported-version"},
		{"version 0.9", "<stream:stream xmlns='jabber:client' " + ns + " version='0.9' to='example.org'>", host, "unsupported-version"},
		{"HTTP", "GET / HTTP/1.1\r\nHost: example.org\r\nCookie: a=<script>\r\n\r\n", host, "not-well-formed"},
		{"DTD", "<!DOCTYPE x [<!ENTITY a 'b'>]>", host, "restricted-xml"},
		{"stanza before the log-in", openStream(host) + "<message to='bob@example.org'><body>x</body></message>", host, "not-authorized"},
		{"unknown element", openStream(host) + "<x xmlns='u'/>", host, "unsupported-stanza-type"},
		{"compression", openStream(host) + "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>", host, "unsupported-stanza-type"},
		{"too deep", openStream(host) + strings.Repeat("<a>", 65), host, "policy-violation"},
		{"a large element", openStream(host) + "<a>" + strings.Repeat("x", 17<<10), host, "policy-violation"},
		{"many bytes", openStream(host) + strings.Repeat(" ", 65<<10), host, "policy-violation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dial()
			p.t = t
			p.send(tt.in)
			got := p.ends(tt.want)
			if !strings.HasPrefix(got, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' ") || !strings.Contains(got, " from='"+tt.from+"'") {
				t.Errorf("no open tag: %s", got)
			}
			if strings.Contains(got, "script") || strings.Contains(got, "evil") {
				t.Errorf("it echoes: %s", got)
			}
		})
	}
}

// What a man in the middle puts behind starttls must not count after TLS (RFC 6120 section 5.4.3.1).
func TestStartTLSInjection(t *testing.T) {
	s := start(t, options{})
	p := s.dial()
	p.open()
	p.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" + openStream(host))
	if got := p.ends("policy-violation"); strings.Contains(got, "proceed") {
		t.Error(got)
	}
}

// go-xmpp ends the line behind it.
func TestStartTLSLineEnd(t *testing.T) {
	s := start(t, options{})
	p := s.dial()
	p.open()
	p.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\r\n")
	p.expect("<proceed")
	p.expect("/>")
	if err := tls.Client(p.raw, s.clientTLS()).Handshake(); err != nil {
		t.Error(err)
	}
}

func TestStartTLSTwice(t *testing.T) {
	s := start(t, options{})
	p := s.dial()
	p.secure(s)
	p.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	if got := p.rest(); got != "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>" {
		t.Error(got)
	}
}

// The certificate is every road's: a browser that was led here must not get through the handshake.
func TestALPN(t *testing.T) {
	s := start(t, options{})
	for _, tt := range []struct {
		name string
		alpn []string
		ok   bool
	}{
		{"xmpp", []string{"xmpp-client"}, true},
		{"none", nil, true},
		{"web", []string{"h2", "http/1.1"}, false},
		{"ftp", []string{"ftp"}, false},
		{"web or xmpp", []string{"h2", "xmpp-client"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			direct := tls.Client(s.dialTo(s.tls).raw, s.clientTLS(tt.alpn...))
			if err := direct.Handshake(); (err == nil) != tt.ok {
				t.Errorf("direct: %v", err)
			}
			p := s.dial()
			p.open()
			p.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			p.expect("<proceed")
			p.expect("/>")
			if err := tls.Client(p.raw, s.clientTLS(tt.alpn...)).Handshake(); (err == nil) != tt.ok {
				t.Errorf("STARTTLS: %v", err)
			}
		})
	}
}

// Nothing renews the time for the log-in, least of all a dribble.
func TestLoginTimeout(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Limits.LoginTimeout = 400 * time.Millisecond }})
	silent := s.dial()
	silent.ends("connection-timeout")
	p := s.dialTLS()
	p.open()
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := p.conn.Write([]byte(" ")); err != nil {
				return
			}
		}
	}()
	p.ends("connection-timeout")
	_ = p.raw.Close()
	<-stop
}

func TestTLSTimeout(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Limits.TLSTimeout = 200 * time.Millisecond }})
	p := s.dialTo(s.tls)
	begun := time.Now()
	p.rest()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%s", took)
	}
}

// After bind no time limit of the negotiation is left.
func TestIdleAfterLogin(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Limits.LoginTimeout = time.Second }})
	p := s.login("alice", "a")
	_ = p.raw.SetReadDeadline(time.Now().Add(1500 * time.Millisecond))
	if n, err := p.conn.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
		t.Fatalf("%d %v", n, err)
	}
	p.send(" <iq type='get' id='p1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
	p.expect("id='p1'")
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func TestAfterBind(t *testing.T) {
	s := start(t, options{})
	for _, tt := range []struct{ name, in, want string }{
		{"another's from", "<message from='bob@example.org' to='alice@example.org'/>", "invalid-from"},
		{"another resource's from", "<message from='alice@example.org/other' to='alice@example.org'/>", "invalid-from"},
		{"no address as from", "<presence from='@'/>", "invalid-from"},
		{"a log-in", authPlain("bob", password), "policy-violation"},
		{"STARTTLS", "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "policy-violation"},
		{"no stanza", "<x/>", "unsupported-stanza-type"},
		{"a stanza of another namespace", "<message xmlns='jabber:server'/>", "unsupported-stanza-type"},
		{"comment", "<message><!-- --></message>", "restricted-xml"},
		{"unbound prefix", "<message><z:x/></message>", "not-well-formed"},
		{"another header", openStream(host), "restricted-xml"},
		{"a large stanza", "<message>" + strings.Repeat("x", 257<<10) + "</message>", "policy-violation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.login("alice", "a")
			p.t = t
			go func() { _, _ = io.WriteString(p.conn, tt.in) }()
			p.ends(tt.want)
		})
	}
	t.Run("malformed to", func(t *testing.T) {
		p := s.login("alice", "a")
		p.t = t
		p.send("<iq type='get' id='1' to='@'><ping xmlns='urn:xmpp:ping'/></iq>")
		if got := p.expect("</iq>"); !strings.Contains(got, "<jid-malformed") {
			t.Error(got)
		}
	})
	t.Run("own from", func(t *testing.T) {
		p := s.login("alice", "b")
		p.t = t
		p.send("<iq from='alice@example.org' type='get' id='1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>" +
			"<iq from='Alice@example.org/b' type='get' id='2' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
		p.expect("id='2'")
	})
}

// Each way to end a session has its stream error, and who ends up outside can read it, even
// while sending.
func TestEnded(t *testing.T) {
	s := start(t, options{})
	for _, tt := range []struct {
		code identity.ReasonCode
		want string
	}{
		{identity.ReasonEnded, "policy-violation"},
		{identity.ReasonPolicy, "policy-violation"},
		{identity.ReasonDisabled, "not-authorized"},
		{identity.ReasonRevoked, "not-authorized"},
		{identity.ReasonExpired, "not-authorized"},
		{identity.ReasonReplaced, "conflict"},
		{identity.ReasonShutdown, "system-shutdown"},
	} {
		t.Run(string(tt.code), func(t *testing.T) {
			p := s.login("alice", "a")
			p.t = t
			i := s.session("alice", func(i identity.Info) bool { return i.State == identity.StateConnected })
			stop := make(chan struct{})
			go func() { // it keeps sending
				defer close(stop)
				junk := strings.Repeat("<iq type='result' id='x' to='example.org'/>", 50)
				for {
					if _, err := io.WriteString(p.conn, junk); err != nil {
						return
					}
				}
			}()
			if err := s.svc.Registry.End(i.ID, identity.Reason{Code: tt.code, Text: "because of <you>"}); err != nil {
				t.Fatal(err)
			}
			if got := p.ends(tt.want); !strings.Contains(got, "because of &lt;you&gt;") {
				t.Error(got)
			}
			_ = p.raw.Close()
			<-stop
			if _, ok := s.svc.Registry.Get(i.ID); ok {
				t.Error("the session is still listed")
			}
		})
	}
}

// The same before a resource is bound, where the negotiation has the word.
func TestEndedBeforeBind(t *testing.T) {
	s := start(t, options{})
	for _, state := range []string{"connected", "opened", "secured", "authenticated"} {
		t.Run(state, func(t *testing.T) {
			p := s.dial()
			p.t = t
			switch state {
			case "opened":
				p.open()
			case "secured":
				p.secure(s)
			case "authenticated":
				p.secure(s)
				p.send(authPlain("alice", password))
				p.expect("<success")
				p.open()
			}
			list := s.svc.Registry.List(identity.Filter{})
			for deadline := time.Now().Add(5 * time.Second); len(list) != 1 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				list = s.svc.Registry.List(identity.Filter{})
			}
			if len(list) != 1 {
				t.Fatalf("%d sessions", len(list))
			}
			if err := s.svc.Registry.End(list[0].ID, identity.Reason{Code: identity.ReasonEnded}); err != nil {
				t.Fatal(err)
			}
			p.ends("policy-violation")
		})
	}
}

func TestDisabledAccount(t *testing.T) {
	s := start(t, options{})
	p := s.login("alice", "a")
	off := identity.UserDisabled
	if _, err := s.svc.SetUser(t.Context(), byMachine, "alice", identity.UserChange{State: &off}); err != nil {
		t.Fatal(err)
	}
	p.ends("not-authorized")
}

func TestShutdown(t *testing.T) {
	s := start(t, options{})
	p := s.login("alice", "a")
	q := s.dial()
	q.open()
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done <- s.srv.Shutdown(ctx)
	}()
	p.ends("system-shutdown")
	q.ends("system-shutdown")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.clear); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it still listens: %v", err)
	}
}

// A client that does not go is cut when the time is over.
func TestShutdownCuts(t *testing.T) {
	s := start(t, options{})
	p := s.login("alice", "a")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	p.rest()
}

// A client that reads nothing is ended when its queue is full, and nobody waits for it.
func TestSlowReader(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Limits.XMPPQueueSize = config.Size(256 << 10) }})
	slow := s.login("alice", "slow")
	if err := slow.raw.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	p := s.login("alice", "fast")
	msg := "<message to='" + slow.jid + "' type='headline'><body>" + strings.Repeat("x", 10000) + "</body></message>"
	var worst time.Duration
	gone := false
	for range 5000 {
		begun := time.Now()
		p.send(msg)
		worst = max(worst, time.Since(begun))
		if list := s.svc.Registry.List(identity.Filter{User: "alice"}); len(list) == 1 {
			gone = true
			break
		}
	}
	if !gone {
		t.Error("the slow client is still there")
	}
	if worst > time.Second {
		t.Errorf("a sender waited %s", worst)
	}
	p.send("<iq type='get' id='p1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
	p.expect("id='p1'")
}

// The answer to bind is the first thing that a resource hears, however many write to it.
func TestFloodBeforeBind(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Limits.XMPPQueueSize = 64 << 20 }})
	p := s.login("bob", "flood")
	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		msg := strings.Repeat("<iq type='result' id='f' to='alice@example.org/target'/>", 20)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := io.WriteString(p.conn, msg); err != nil {
					return
				}
			}
		}
	}()
	flooded := 0
	for range 20 {
		q := s.dialTLS()
		q.open()
		q.send(authPlain("alice", password))
		q.expect("<success")
		q.expect("</success>")
		q.open()
		q.send(bindTo("target"))
		if got := q.expect("</iq>"); boundForm.FindString(got) != got {
			t.Fatalf("before the answer: %s", got)
		}
		q.expect("id='f'")
		flooded++
		_ = q.raw.Close()
	}
	close(stop)
	<-sent
	if flooded == 0 {
		t.Error("no flood reached anybody: the test shows nothing")
	}
}

// A connection that is lost without a word leaves nothing behind.
func TestLost(t *testing.T) {
	s := start(t, options{})
	p := s.login("alice", "a")
	_ = p.raw.Close()
	for deadline := time.Now().Add(5 * time.Second); len(s.svc.Registry.List(identity.Filter{})) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the session is still listed")
		}
	}
}

func TestListenErrors(t *testing.T) {
	s := start(t, options{})
	o := xmpp.Options{Config: config.XMPP{Listen: []string{"127.0.0.1:0", s.clear}, TLS: "optional"}, Domains: []string{host}}
	srv, err := xmpp.New(o)
	must(t, err)
	if err := srv.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") || len(srv.Addrs()) != 0 {
		t.Errorf("%v, %v", err, srv.Addrs())
	}
	must(t, srv.Shutdown(t.Context()))
	if _, err := xmpp.New(xmpp.Options{Config: config.XMPP{TLS: "required"}, Domains: []string{host}}); err == nil {
		t.Error("no certificate is no error")
	}
}

// TestBigStanzas sends stanzas near the limit through, byte by byte the same.
func TestBigStanzas(t *testing.T) {
	s := start(t, options{})
	p := s.login("alice", "a")
	body := strings.Repeat("ä&amp;<![CDATA[<&]]>x", 8000)
	msg := "<message to='" + p.jid + "' id='big'><body>" + body + "</body></message>"
	for range 5 {
		go func() { _, _ = io.Copy(p.conn, bytes.NewReader([]byte(msg))) }()
		if got := p.expect("</message>"); !strings.Contains(got, "<body>"+body+"</body>") {
			t.Fatalf("%d bytes came back", len(got))
		}
	}
}

// The last words reach even a client that is behind with reading and goes on sending: closing at
// once would make the kernel answer what it sends with a reset and throw away what is on its way.
func TestEndedWhileBehind(t *testing.T) {
	s := start(t, options{})
	p := s.login("alice", "a")
	must(t, p.raw.(*net.TCPConn).SetReadBuffer(64<<10))
	i := s.session("alice", func(i identity.Info) bool { return i.State == identity.StateConnected })
	p.send(strings.Repeat("<message to='"+p.jid+"' type='headline'><body>"+strings.Repeat("x", 10000)+"</body></message>", 30))
	for deadline := time.Now().Add(5 * time.Second); i.BytesOut < 100000 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		i = s.session("alice", func(identity.Info) bool { return true })
	}
	must(t, s.svc.Registry.End(i.ID, identity.Reason{Code: identity.ReasonEnded}))
	for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
		if _, err := io.WriteString(p.conn, " "); err != nil {
			break
		}
	}
	p.ends("policy-violation")
}
