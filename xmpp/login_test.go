package xmpp_test

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"trivium/identity"
	"trivium/xmpp"
)

func TestLoginDirectTLS(t *testing.T) {
	s := start(t, options{})
	p := s.login("alice", "phone")
	if p.jid != "alice@example.org/phone" {
		t.Errorf("bound %s", p.jid)
	}
	i := s.session("alice", func(i identity.Info) bool { return i.State == identity.StateConnected })
	if i.JID == nil || *i.JID != p.jid || i.Resource == nil || *i.Resource != "phone" || i.TLS == nil || *i.TLS != "TLS 1.3" || i.BytesIn == 0 || i.BytesOut == 0 {
		t.Errorf("%+v", i)
	}
	p.send("<iq type='set' id='s1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>")
	p.expect("<iq type='result' id='s1' to='alice@example.org/phone'/>")
	p.send("</stream:stream>")
	if got := p.rest(); got != "</stream:stream>" {
		t.Errorf("%q", got)
	}
}

func TestLoginStartTLS(t *testing.T) {
	s := start(t, options{})
	p := s.dial()
	features := p.open()
	if !strings.Contains(features, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>") || strings.Contains(features, "mechanism") {
		t.Errorf("in the clear: %s", features)
	}
	if i := s.svc.Registry.List(identity.Filter{}); len(i) != 1 || i[0].State != identity.StateUnauthed || i[0].User != nil {
		t.Errorf("%+v", i)
	}
	p.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	p.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	p.handshake(s)
	features = p.open()
	for _, want := range []string{"<mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism>", "<mechanism>PLAIN</mechanism>",
		"<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/><channel-binding type='tls-server-end-point'/></sasl-channel-binding>"} {
		if !strings.Contains(features, want) {
			t.Errorf("features lack %s: %s", want, features)
		}
	}
	for _, not := range []string{"ANONYMOUS", "SHA-1", "starttls"} {
		if strings.Contains(features, not) {
			t.Errorf("features have %s: %s", not, features)
		}
	}
	p.send(authPlain("alice", password))
	p.expect("<success")
	if features = p.open(); !strings.Contains(features, "<bind xmlns=") || strings.Contains(features, "mechanism") {
		t.Errorf("after the log-in: %s", features)
	}
	p.send(bindTo(""))
	if boundForm.FindString(p.expect("</iq>")) == "" {
		t.Error("not bound")
	}
}

// Everything at once, as a client may that knows the server (RFC 6120 does not forbid it): no byte
// is lost between the streams.
func TestPipelinedLogin(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.send(openStream(host) + authPlain("alice", password) + openStream(host) + bindTo("a") +
		"<iq type='get' id='p1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>")
	got := p.rest()
	at := 0
	for _, want := range []string{"</stream:features>", "<success", "</stream:features>", "<jid>alice@example.org/a</jid>", "id='p1'", "</stream:stream>"} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Fatalf("no %s after %d in %q", want, at, got)
		}
		at += i
	}
}

// beginSCRAM is the client of xdg-go with its first message.
func (p *peer) beginSCRAM(name, pw, mech string, binding *scram.ChannelBinding, advertise bool) (conv *scram.ClientConversation, first string) {
	p.t.Helper()
	hash := scram.SHA256
	if strings.Contains(mech, "SHA-1") {
		hash = scram.SHA1
	}
	client, err := hash.NewClient(name, pw, "")
	must(p.t, err)
	conv = client.NewConversation()
	switch {
	case binding != nil:
		conv = client.NewConversationWithChannelBinding(*binding)
	case advertise:
		conv = client.NewConversationAdvertisingChannelBinding()
	}
	first, err = conv.Step("")
	must(p.t, err)
	return conv, first
}

// answerSCRAM answers challenges in a namespace; it returns the open tag of what is none, and the last
// challenge.
func (p *peer) answerSCRAM(conv *scram.ClientConversation, ns string) (text, challenge string) {
	p.t.Helper()
	for {
		text = p.expect(">")
		if !strings.HasPrefix(text, "<challenge xmlns='"+ns+"'") {
			return text, challenge
		}
		challenge = unb64(p.t, strings.TrimSuffix(p.expect("</challenge>"), "</challenge>"))
		answer, err := conv.Step(challenge)
		must(p.t, err)
		p.send("<response xmlns='" + ns + "'>" + b64(answer) + "</response>")
	}
}

// proves checks what the server says of itself at the end.
func (p *peer) proves(conv *scram.ClientConversation, encoded string) {
	p.t.Helper()
	if _, err := conv.Step(unb64(p.t, encoded)); err != nil {
		p.t.Errorf("the server's proof: %v", err)
	}
}

// scramLogin logs in by SCRAM; the text is what the server said last.
func (p *peer) scramLogin(name, pw, mech string, binding *scram.ChannelBinding, advertise bool) (string, *scram.ClientConversation) {
	p.t.Helper()
	const ns = "urn:ietf:params:xml:ns:xmpp-sasl"
	conv, first := p.beginSCRAM(name, pw, mech, binding, advertise)
	p.send("<auth xmlns='" + ns + "' mechanism='" + mech + "'>" + b64(first) + "</auth>")
	text, _ := p.answerSCRAM(conv, ns)
	if !strings.HasPrefix(text, "<success") {
		return text + p.expect("</failure>"), conv
	}
	p.proves(conv, strings.TrimSuffix(p.expect("</success>"), "</success>"))
	return "success", conv
}

func unb64(t testing.TB, s string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	must(t, err)
	return string(b)
}

func (p *peer) exporter() *scram.ChannelBinding {
	p.t.Helper()
	state := p.conn.(*tls.Conn).ConnectionState()
	b, err := scram.NewTLSExporterBinding(&state)
	must(p.t, err)
	return &b
}

func TestSCRAM(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Config.SCRAMSHA1 = true }})
	for _, tt := range []struct {
		name, user, pw, mech string
		bound, forged, y     bool
		want                 string // condition, or "" for success
	}{
		{name: "SHA-256", user: "alice", pw: password, mech: "SCRAM-SHA-256"},
		{name: "SHA-256-PLUS", user: "alice", pw: password, mech: "SCRAM-SHA-256-PLUS", bound: true},
		{name: "SHA-1", user: "alice", pw: password, mech: "SCRAM-SHA-1"},
		{name: "SHA-1-PLUS", user: "alice", pw: password, mech: "SCRAM-SHA-1-PLUS", bound: true},
		{name: "wrong password", user: "alice", pw: "wrong", mech: "SCRAM-SHA-256", want: "not-authorized"},
		{name: "unknown name", user: "nobody", pw: password, mech: "SCRAM-SHA-256", want: "not-authorized"},
		{name: "another connection's binding", user: "alice", pw: password, mech: "SCRAM-SHA-256-PLUS", forged: true, want: "not-authorized"},
		{name: "believes that there is no PLUS", user: "alice", pw: password, mech: "SCRAM-SHA-256", y: true, want: "not-authorized"},
		{name: "PLUS without binding", user: "alice", pw: password, mech: "SCRAM-SHA-256-PLUS", want: "malformed-request"},
		{name: "binding without PLUS", user: "alice", pw: password, mech: "SCRAM-SHA-256", bound: true, want: "malformed-request"},
		{name: "name of another host", user: "carol@second.example", pw: password, mech: "SCRAM-SHA-256", want: "not-authorized"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			p.open()
			var binding *scram.ChannelBinding
			if tt.bound {
				binding = p.exporter()
			}
			if tt.forged {
				other := s.dialTLS()
				other.t = t
				binding = other.exporter()
			}
			got, conv := p.scramLogin(tt.user, tt.pw, tt.mech, binding, tt.y)
			if tt.want == "" {
				if got != "success" || !conv.Valid() {
					t.Fatalf("%s", got)
				}
				p.open()
				p.send(bindTo("x"))
				if got := p.expect("</iq>"); !strings.Contains(got, "<jid>alice@example.org/x</jid>") {
					t.Error(got)
				}
			} else if !strings.Contains(got, "<"+tt.want+"/>") {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A log-in that failed leaves the stream as it was: another mechanism may follow.
func TestRetry(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	p.send(authPlain("alice", "wrong"))
	p.expect("<not-authorized/>")
	p.expect("</failure>")
	p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'/>")
	p.expect("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></challenge>")
	p.send("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
	p.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>")
	if got, _ := p.scramLogin("alice", password, "SCRAM-SHA-256-PLUS", p.exporter(), false); got != "success" {
		t.Error(got)
	}
}

func TestAttempts(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Limits.LoginAttemptsXMPP = 3 }})
	p := s.dialTLS()
	p.open()
	for range 3 {
		p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'/>")
		p.expect("<invalid-mechanism/>")
	}
	p.ends("policy-violation")
}

func TestSASLFailures(t *testing.T) {
	s := start(t, options{})
	auth := func(mech, data string) string {
		return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + mech + "'>" + data + "</auth>"
	}
	for _, tt := range []struct{ name, auth, want string }{
		{"unknown mechanism", auth("DIGEST-MD5", ""), "invalid-mechanism"},
		{"no mechanism", "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "invalid-mechanism"},
		{"SHA-1 is off", auth("SCRAM-SHA-1", b64("n,,n=alice,r=abc")), "invalid-mechanism"},
		{"ANONYMOUS is off", auth("ANONYMOUS", "="), "invalid-mechanism"},
		{"not base64", auth("PLAIN", "!!"), "incorrect-encoding"},
		{"base64 with newline", auth("PLAIN", b64("\x00alice\x00" + password)[:8]+"\n"+b64("\x00alice\x00" + password)[8:]), "incorrect-encoding"},
		{"element inside", auth("PLAIN", "<a/>"), "malformed-request"},
		{"empty", auth("PLAIN", "="), "malformed-request"},
		{"one NUL", auth("PLAIN", b64("alice\x00"+password)), "malformed-request"},
		{"three NULs", auth("PLAIN", b64("\x00alice\x00"+password+"\x00")), "malformed-request"},
		{"no name", auth("PLAIN", b64("\x00\x00"+password)), "malformed-request"},
		{"no password", auth("PLAIN", b64("\x00alice\x00")), "malformed-request"},
		{"not UTF-8", auth("PLAIN", b64("\x00alice\x00\xff")), "malformed-request"},
		{"another's authzid", auth("PLAIN", b64("bob@example.org\x00alice\x00"+password)), "invalid-authzid"},
		{"authzid without a domain", auth("PLAIN", b64("alice\x00alice\x00"+password)), "invalid-authzid"},
		{"authzid of another host", auth("PLAIN", b64("alice@second.example\x00alice\x00"+password)), "invalid-authzid"},
		{"authzid with resource", auth("PLAIN", b64("alice@example.org/x\x00alice\x00"+password)), "invalid-authzid"},
		{"SCRAM authzid", auth("SCRAM-SHA-256", b64("n,a=bob@example.org,n=alice,r=abc")), "invalid-authzid"},
		{"name of another host", auth("PLAIN", b64("\x00carol@second.example\x00"+password)), "not-authorized"},
		{"account of another host", auth("PLAIN", b64("\x00carol\x00"+password)), "not-authorized"},
		{"wrong password", auth("PLAIN", b64("\x00alice\x00wrong")), "not-authorized"},
		{"unknown name", auth("PLAIN", b64("\x00nobody\x00wrong")), "not-authorized"},
		{"a name that cannot be", auth("PLAIN", b64("\x00a/b\x00wrong")), "not-authorized"},
		{"SCRAM without nonce", auth("SCRAM-SHA-256", b64("n,,n=alice")), "malformed-request"},
		{"SCRAM with m=", auth("SCRAM-SHA-256", b64("n,,m=x,n=alice,r=abc")), "malformed-request"},
		{"SCRAM bad escape", auth("SCRAM-SHA-256", b64("n,,n=al=ice,r=abc")), "malformed-request"},
		{"SCRAM no flag", auth("SCRAM-SHA-256", b64(",,n=alice,r=abc")), "malformed-request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			p.open()
			p.send(tt.auth)
			if got := p.expect("</failure>"); !strings.Contains(got, "<"+tt.want+"/>") {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			p.send("</stream:stream>")
			p.rest()
			for _, i := range s.svc.Registry.List(identity.Filter{}) {
				if i.User != nil {
					t.Errorf("logged in: %+v", i)
				}
			}
		})
	}
}

// What is wrong with an account stays between it and the administrator.
func TestSameWords(t *testing.T) {
	s := start(t, options{})
	off := identity.UserDisabled
	if _, err := s.svc.SetUser(t.Context(), byMachine, "bob", identity.UserChange{State: &off}); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, name := range []string{"alice", "bob", "nobody"} {
		pw := password
		if name == "alice" {
			pw = "wrong"
		}
		p := s.dialTLS()
		p.open()
		p.send(authPlain(name, pw))
		said[p.expect("</failure>")] = name
		p.send("</stream:stream>")
	}
	if len(said) != 1 {
		t.Errorf("%v", said)
	}
}

func TestOwnAuthzid(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + b64("Alice@EXAMPLE.org\x00alice\x00"+password) + "</auth>")
	p.expect("<success")
}

func TestSecondHost(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.send(openStream("second.example"))
	p.expect("from='second.example'")
	p.expect("</stream:features>")
	p.send(authPlain("carol", password))
	p.expect("<success")
	p.send(openStream("second.example"))
	p.expect("</stream:features>")
	p.send(bindTo("c"))
	p.expect("<jid>carol@second.example/c</jid>")
}

func TestAnonymous(t *testing.T) {
	s := start(t, options{
		identity: func(o *identity.Options) { o.AnonymousRoads = []identity.Road{identity.RoadXMPP} },
		xmpp:     func(o *xmpp.Options) { o.Anonymous = true },
	})
	p := s.dialTLS()
	if f := p.open(); !strings.Contains(f, "<mechanism>ANONYMOUS</mechanism>") {
		t.Fatal(f)
	}
	p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>")
	p.expect("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></challenge>")
	p.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + b64("me") + "</response>")
	p.expect("<success")
	p.open()
	p.send(bindTo(""))
	if got := p.expect("</iq>"); !strings.Contains(got, "@anon.example.org/") {
		t.Error(got)
	}
}

func TestAnonymousNeedsPolicy(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Anonymous = true }})
	p := s.dialTLS()
	p.open()
	p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>")
	p.expect("<not-authorized/>")
}

// SASL without TLS, where config has it: SCRAM alone.
func TestOptionalTLS(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Config.TLS = "optional" }})
	p := s.dial()
	f := p.open()
	for _, not := range []string{"PLAIN", "PLUS", "OAUTHBEARER", "<required/>", "channel-binding"} {
		if strings.Contains(f, not) {
			t.Errorf("%s in the clear: %s", not, f)
		}
	}
	p.send(authPlain("alice", password))
	if got := p.expect("</failure>"); !strings.Contains(got, "<invalid-mechanism/>") {
		t.Error(got)
	}
	if got, _ := p.scramLogin("alice", password, "SCRAM-SHA-256", nil, false); got != "success" {
		t.Error(got)
	}
}

func TestNoLoginInTheClear(t *testing.T) {
	s := start(t, options{})
	p := s.dial()
	p.open()
	p.send(authPlain("alice", password))
	p.expect("<encryption-required/>")
}

func TestBind(t *testing.T) {
	s := start(t, options{})
	logIn := func(t *testing.T) *peer {
		p := s.dialTLS()
		p.t = t
		p.open()
		p.send(authPlain("alice", password))
		p.expect("<success")
		p.open()
		return p
	}
	for _, tt := range []struct{ name, resource, want string }{
		{"markup is escaped", "a&lt;b&apos;&amp;", "<jid>alice@example.org/a&lt;b&apos;&amp;</jid>"},
		{"beyond ASCII", "телефон", "<jid>alice@example.org/телефон</jid>"},
		{"control character", "a&#x9;b", "<error type='modify' code='400'><bad-request"},
		{"too long", strings.Repeat("x", 1024), "<error type='modify' code='400'><bad-request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := logIn(t)
			p.send(bindTo(tt.resource))
			if got := p.expect("</iq>"); !strings.Contains(got, tt.want) {
				t.Errorf("got %s", got)
			}
			if strings.HasPrefix(tt.want, "<error") { // and may try again
				p.send(bindTo("ok"))
				p.expect("<jid>alice@example.org/ok</jid>")
			}
			p.send("</stream:stream>")
			p.rest()
		})
	}
	t.Run("a second resource", func(t *testing.T) {
		p := s.login("alice", "one")
		p.t = t
		p.send(strings.Replace(bindTo("two"), "bind1", "bind2", 1))
		if got := p.expect("</iq>"); !strings.Contains(got, "<not-allowed") || !strings.Contains(got, "id='bind2'") {
			t.Error(got)
		}
	})
	t.Run("a stanza before it", func(t *testing.T) {
		p := logIn(t)
		p.send("<message to='bob@example.org'><body>x</body></message>")
		p.ends("not-authorized")
	})
	t.Run("another host after the log-in", func(t *testing.T) {
		p := s.dialTLS()
		p.t = t
		p.open()
		p.send(authPlain("alice", password) + openStream("second.example"))
		p.ends("host-unknown")
	})
}

// The newer connection takes the address (RFC 6120 section 7.7.2.2), and the older one is told.
func TestConflict(t *testing.T) {
	s := start(t, options{})
	first := s.login("alice", "same")
	second := s.login("alice", "same")
	first.ends("conflict")
	second.send("<iq type='get' id='p1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
	second.expect("id='p1'")
	s.session("alice", func(i identity.Info) bool { return i.JID != nil && *i.JID == second.jid })
}

func TestBearer(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	msg := fmt.Sprintf("n,a=alice@example.org,\x01host=example.org\x01auth=Bearer %s\x01\x01", "secret-token:nonsense")
	p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>" + b64(msg) + "</auth>")
	if got := p.expect("</challenge>"); !strings.Contains(got, b64(`{"status":"invalid_token"}`)) {
		t.Error(got)
	}
	p.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AQ==</response>")
	p.expect("<not-authorized/>")
}
