package xmpp_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/xmpp"
)

const agentID = "d4565fa7-4d72-4749-b3d3-740edbf87770"

func userAgent(id string) string {
	return "<user-agent id='" + id + "'><software>AwesomeXMPP</software><device>Kiva&apos;s Phone</device></user-agent>"
}

const bindTag = "<bind xmlns='urn:xmpp:bind:0'><tag>Awesome</tag></bind>"

// authenticate is `<authenticate/>` with PLAIN.
func authenticate(name, pw string, parts ...string) string {
	return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" + b64("\x00"+name+"\x00"+pw) +
		"</initial-response>" + strings.Join(parts, "") + "</authenticate>"
}

var identifierForm = regexp.MustCompile(`<authorization-identifier>([^<]+)</authorization-identifier>`)

// join is a log-in by SASL2 with Bind 2.
func (s *site) join(name, agent string, parts ...string) *peer {
	s.t.Helper()
	p := s.dialTLS()
	p.open()
	p.send(authenticate(name, password, append(parts, userAgent(agent), bindTag)...))
	p.jid = identifierForm.FindStringSubmatch(p.expect("</success>"))[1]
	p.expect("</stream:features>")
	return p
}

func (p *peer) ping() {
	p.t.Helper()
	p.send("<iq type='get' id='p1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
	p.expect("id='p1'")
}

func TestSASL2Features(t *testing.T) {
	s := start(t, options{})
	f := s.dialTLS().open()
	for _, want := range []string{"<authentication xmlns='urn:xmpp:sasl:2'><mechanism>SCRAM-SHA-256-PLUS</mechanism>",
		"<inline><sm xmlns='urn:xmpp:sm:3'/><bind xmlns='urn:xmpp:bind:0'>", "<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='",
		"<channel-binding type='tls-exporter'/><channel-binding type='tls-server-end-point'/>"} {
		if !strings.Contains(f, want) {
			t.Errorf("features lack %s: %s", want, f)
		}
	}
	if f := s.dial().open(); strings.Contains(f, "sasl:2") {
		t.Errorf("SASL2 in the clear: %s", f)
	}
}

func TestSASL2TwiceIsAnError(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	p.send(authenticate("alice", password) + authenticate("alice", password, bindTag))
	p.ends("policy-violation")
}

func TestSASL2Failures(t *testing.T) {
	s := start(t, options{})
	raw := func(mech, inside string) string {
		return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mech + "'>" + inside + "</authenticate>"
	}
	for _, tt := range []struct{ name, auth, want string }{
		{"unknown mechanism", raw("DIGEST-MD5", ""), "invalid-mechanism"},
		{"no mechanism", "<authenticate xmlns='urn:xmpp:sasl:2'/>", "invalid-mechanism"},
		{"a FAST mechanism without a token", raw("HT-SHA-256-NONE", "<initial-response>AAAA</initial-response>"), "invalid-mechanism"},
		{"not base64", raw("PLAIN", "<initial-response>!!</initial-response>"), "incorrect-encoding"},
		{"white space", raw("PLAIN", "<initial-response> "+b64("\x00alice\x00"+password)+"</initial-response>"), "incorrect-encoding"},
		{"element inside", raw("PLAIN", "<initial-response><x/></initial-response>"), "malformed-request"},
		{"empty", raw("PLAIN", "<initial-response/>"), "malformed-request"},
		{"two responses", raw("PLAIN", strings.Repeat("<initial-response>"+b64("\x00alice\x00"+password)+"</initial-response>", 2)), "malformed-request"},
		{"two binds", authenticate("alice", password, bindTag, bindTag), "malformed-request"},
		{"an id that is none", authenticate("alice", password, userAgent("a b")), "malformed-request"},
		{"a long id", authenticate("alice", password, userAgent(strings.Repeat("a", 65))), "malformed-request"},
		{"wrong password", authenticate("alice", "wrong", bindTag), "not-authorized"},
		{"unknown name", authenticate("nobody", "wrong", bindTag), "not-authorized"},
		{"another's authzid", raw("PLAIN", "<initial-response>"+b64("bob@example.org\x00alice\x00"+password)+"</initial-response>"), "invalid-authzid"},
		{"features of old", authenticate("alice", password, "<config-version xmlns='urn:xmpp:iap:0' value='old'/>"), "aborted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			p.open()
			p.send(tt.auth)
			if got := p.expect("</failure>"); !strings.Contains(got, "<failure xmlns='urn:xmpp:sasl:2'><"+tt.want+" xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>") {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for _, i := range s.svc.Registry.List(identity.Filter{}) {
				if i.RemoteAddr == p.raw.LocalAddr().String() && i.User != nil {
					t.Errorf("logged in: %+v", i)
				}
			}
			p.send(authenticate("alice", password)) // the stream is as it was
			p.expect("<success xmlns='urn:xmpp:sasl:2'>")
			p.send("</stream:stream>")
			p.rest()
		})
	}
}

func TestSASL2NeedsTLS(t *testing.T) {
	for _, mode := range []string{"required", "optional"} {
		s := start(t, options{xmpp: func(o *xmpp.Options) { o.Config.TLS = mode }})
		p := s.dial()
		p.open()
		p.send(authenticate("alice", password))
		p.expect("<failure xmlns='urn:xmpp:sasl:2'><encryption-required xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
	}
}

// Failures of both dialects make one count.
func TestSASL2Attempts(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Limits.LoginAttemptsXMPP = 3 }})
	p := s.dialTLS()
	p.open()
	p.send(authenticate("alice", "wrong") + authPlain("alice", "wrong"))
	p.expect("</failure>")
	p.expect("</failure>")
	p.send(authenticate("alice", "wrong"))
	p.expect("</failure>")
	p.ends("policy-violation")
}

// During an exchange only its own dialect may be spoken, and abort ends it in good form.
func TestSASL2Exchange(t *testing.T) {
	s := start(t, options{})
	begin := func() *peer {
		p := s.dialTLS()
		p.open()
		p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256'/>")
		p.expect("<challenge xmlns='urn:xmpp:sasl:2'></challenge>")
		return p
	}
	for _, wrong := range []string{
		"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AAAA</response>", "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
		"<message/>", authenticate("alice", password), "<next xmlns='urn:xmpp:sasl:2' task='x'/>",
	} {
		p := begin()
		p.send(wrong)
		p.ends("policy-violation")
	}
	p := begin()
	p.send("<abort xmlns='urn:xmpp:sasl:2'><text>no</text></abort>")
	p.expect("<failure xmlns='urn:xmpp:sasl:2'><aborted xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>")
	p.send(authenticate("alice", password))
	p.expect("<success")
}

// A client that knows the features may say all at once (XEP-0509); the version tells whether it
// still does.
func TestPipelinedSASL2(t *testing.T) {
	s := start(t, options{})
	version := regexp.MustCompile(`<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='([^']+)'/>`).FindStringSubmatch(s.dialTLS().open())[1]
	p := s.dialTLS()
	p.send(openStream(host) + authenticate("alice", password, bindTag, "<config-version xmlns='urn:xmpp:iap:0' scheme='opaque' value='"+version+"'/>") +
		"<iq type='get' id='p1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>")
	got := p.rest()
	at := 0
	for _, want := range []string{"</stream:features>", "<success", "</success><stream:features>", "id='p1'", "</stream:stream>"} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Fatalf("no %s after %d in %q", want, at, got)
		}
		at += i
	}
	// Stale versions say nothing of the account, and count as no attempt.
	p = s.dialTLS()
	p.open()
	for range 10 {
		p.send(authenticate("alice", password, "<config-version xmlns='urn:xmpp:iap:0' value='stale'/>"))
		p.expect("<aborted xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><config-version-mismatch xmlns='urn:xmpp:iap:0'/></failure>")
	}
	p.send(authenticate("alice", password))
	p.expect("<success")
}

func openFrom(jid string) string {
	return strings.TrimSuffix(openStream(host), ">") + " from='" + jid + "'>"
}

func TestStreamFrom(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.send(openFrom("alice@example.org/x"))
	p.expect(" to='alice@example.org'")
	p.expect("</stream:features>")
	p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" + b64("bob@example.org\x00bob\x00"+password) + "</initial-response></authenticate>")
	p.expect("<invalid-authzid")
	p = s.dialTLS()
	p.send(openFrom("alice@elsewhere.example"))
	p.ends("invalid-from")
}

func TestSASL2Anonymous(t *testing.T) {
	s := start(t, options{
		identity: func(o *identity.Options) { o.AnonymousRoads = []identity.Road{identity.RoadXMPP} },
		xmpp:     func(o *xmpp.Options) { o.Anonymous = true },
	})
	anonymous := func(parts string) (*peer, string) {
		p := s.dialTLS()
		p.open()
		p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'><initial-response/>" + parts + "</authenticate>")
		return p, identifierForm.FindStringSubmatch(p.expect("</success>"))[1]
	}
	_, one := anonymous(userAgent(agentID) + bindTag)
	_, two := anonymous(userAgent(agentID) + bindTag)
	if one == two || one[len(one)-12:] == two[len(two)-12:] || !strings.Contains(one, "@anon.example.org/Awesome/") {
		t.Errorf("%s, %s", one, two)
	}
	p, bare := anonymous("")
	p.send(bindTo("x"))
	if got := p.expect("</iq>"); !strings.Contains(got, fmt.Sprintf("<jid>%s/x</jid>", bare)) {
		t.Errorf("%s is not of %s", got, bare)
	}
}
