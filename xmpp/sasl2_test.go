package xmpp_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"trivium/identity"
	"trivium/internal/certs"
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

// The whole of a log-in in one round trip: nothing begins anew, and the stream is in use at once.
func TestSASL2Bind2(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	p.send(authenticate("alice", password, userAgent(agentID), bindTag))
	got := p.expect("</stream:features>")
	form := regexp.MustCompile(`^<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>alice@example.org/Awesome/[A-Za-z0-9_-]{12}</authorization-identifier>` +
		`<bound xmlns='urn:xmpp:bind:0'(/>|>.*</bound>)</success><stream:features>.*</stream:features>$`)
	if !form.MatchString(got) {
		t.Errorf("%s", got)
	}
	if strings.Contains(got, "xmpp-bind") || strings.Contains(got, "mechanism") || strings.Contains(got, agentID) {
		t.Errorf("too much in %s", got)
	}
	i := s.session("alice", func(i identity.Info) bool { return i.State == identity.StateConnected })
	if i.UserAgent == nil || *i.UserAgent != "AwesomeXMPP (Kiva's Phone)" || i.JID == nil || !strings.Contains(got, *i.JID) {
		t.Errorf("%+v", i)
	}
	p.ping()
	p.send(authenticate("alice", password))
	p.ends("policy-violation")
}

// Without Bind 2 the stream goes on to the older way, with no new header.
func TestSASL2LegacyBind(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	p.send(authenticate("alice", password))
	if got := p.expect("</success>"); got != "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>alice@example.org</authorization-identifier></success>" {
		t.Error(got)
	}
	if got := p.expect("</stream:features>"); !strings.HasPrefix(got, "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>") || strings.Contains(got, "mechanism") {
		t.Error(got)
	}
	p.send(bindTo("x"))
	p.expect("<jid>alice@example.org/x</jid>")
	p.ping()
}

func TestSASL2TwiceIsAnError(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	p.send(authenticate("alice", password) + authenticate("alice", password, bindTag))
	p.ends("policy-violation")
}

// The same installation takes its own place, whatever it calls itself; others of the account stay.
func TestSameClient(t *testing.T) {
	s := start(t, options{})
	const other = "01234567-89ab-4cde-8f01-23456789abcd"
	first := s.join("alice", agentID)
	apart := s.join("alice", other)
	second := s.join("alice", agentID)
	if first.jid != second.jid || first.jid == apart.jid {
		t.Errorf("%s, %s, %s", first.jid, apart.jid, second.jid)
	}
	first.ends("conflict")
	p := s.dialTLS()
	p.open()
	p.send(authenticate("alice", password, userAgent(agentID), "<bind xmlns='urn:xmpp:bind:0'><tag>Renamed</tag></bind>"))
	if got := p.expect("</success>"); !strings.Contains(got, "/Renamed/") {
		t.Error(got)
	}
	second.ends("conflict")
	apart.ping()
	if bob := s.join("bob", agentID); bob.jid[len(bob.jid)-12:] == first.jid[len(first.jid)-12:] {
		t.Error("two accounts of one installation can be told to be one")
	}
}

func TestBind2Tags(t *testing.T) {
	s := start(t, options{})
	for _, tt := range []struct{ name, tag, want string }{
		{"none", "", `^alice@example\.org/[A-Za-z0-9_-]{12}$`},
		{"markup", "<tag>a&lt;b&apos;</tag>", `^alice@example\.org/a&lt;b&apos;/[A-Za-z0-9_-]{12}$`},
		{"not a resource", "<tag>a&#x9;b</tag>", `^alice@example\.org/[A-Za-z0-9_-]{12}$`},
		{"too long", "<tag>" + strings.Repeat("x", 1020) + "</tag>", `^alice@example\.org/[A-Za-z0-9_-]{12}$`},
		{"element inside", "<tag><x/></tag>", `^alice@example\.org/[A-Za-z0-9_-]{12}$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			p.open()
			p.send(authenticate("alice", password, "<bind xmlns='urn:xmpp:bind:0'>"+tt.tag+"</bind>"))
			got := identifierForm.FindStringSubmatch(p.expect("</success>"))
			if got == nil || !regexp.MustCompile(tt.want).MatchString(got[1]) {
				t.Errorf("%q", got)
			}
		})
	}
}

// scram2 is a log-in by SASL2 with a SCRAM mechanism; it returns the last word of the server, and the
// first one, decoded.
func (p *peer) scram2(mech string, binding *scram.ChannelBinding, parts ...string) (last, challenge string) {
	p.t.Helper()
	return p.scram2As("alice", mech, binding, parts...)
}

func (p *peer) scram2As(name, mech string, binding *scram.ChannelBinding, parts ...string) (last, challenge string) {
	p.t.Helper()
	hash := scram.SHA256
	if strings.Contains(mech, "SHA-1") {
		hash = scram.SHA1
	}
	client, err := hash.NewClient(name, password, "")
	must(p.t, err)
	conv := client.NewConversation()
	if binding != nil {
		conv = client.NewConversationWithChannelBinding(*binding)
	}
	first, err := conv.Step("")
	must(p.t, err)
	p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mech + "'><initial-response>" + b64(first) + "</initial-response>" + strings.Join(parts, "") + "</authenticate>")
	for {
		text := p.expect(">")
		switch {
		case strings.HasPrefix(text, "<challenge xmlns='urn:xmpp:sasl:2'"):
			challenge = unb64(p.t, strings.TrimSuffix(p.expect("</challenge>"), "</challenge>"))
			answer, err := conv.Step(challenge)
			must(p.t, err)
			p.send("<response xmlns='urn:xmpp:sasl:2'>" + b64(answer) + "</response>")
		case strings.HasPrefix(text, "<success"), strings.HasPrefix(text, "<continue"):
			text += p.expect("</" + text[1:8])
			body := regexp.MustCompile(`<additional-data>([^<]*)</additional-data>`).FindStringSubmatch(text)
			if _, err := conv.Step(unb64(p.t, body[1])); err != nil {
				p.t.Errorf("the server's proof: %v", err)
			}
			return text + p.expect(">"), challenge
		default:
			return text + p.expect("</failure>"), challenge
		}
	}
}

func (p *peer) endPoint(s *site) *scram.ChannelBinding {
	sum := sha256.Sum256(s.cert.Leaf().Raw) // the site's certificate is signed with SHA-256
	return &scram.ChannelBinding{Type: "tls-server-end-point", Data: sum[:]}
}

func TestSASL2SCRAM(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Config.SCRAMSHA1 = true }})
	for _, tt := range []struct {
		mech    string
		binding func(*peer) *scram.ChannelBinding
	}{
		{"SCRAM-SHA-256", nil}, {"SCRAM-SHA-1", nil},
		{"SCRAM-SHA-256-PLUS", (*peer).exporter}, {"SCRAM-SHA-1-PLUS", (*peer).exporter},
		{"SCRAM-SHA-256-PLUS", func(p *peer) *scram.ChannelBinding { return p.endPoint(s) }},
	} {
		t.Run(tt.mech, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			p.open()
			var binding *scram.ChannelBinding
			if tt.binding != nil {
				binding = tt.binding(p)
			}
			if got, _ := p.scram2(tt.mech, binding, bindTag); !strings.Contains(got, "<authorization-identifier>alice@example.org/Awesome/") {
				t.Fatal(got)
			}
			p.expect("</stream:features>")
			p.ping()
		})
	}
}

func TestWrongEndPoint(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	binding := p.endPoint(s)
	binding.Data[0]++
	if got, _ := p.scram2("SCRAM-SHA-256-PLUS", binding); !strings.Contains(got, "<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>") {
		t.Error(got)
	}
	if got, _ := p.scramLogin("alice", password, "SCRAM-SHA-256-PLUS", &scram.ChannelBinding{Type: "tls-unique", Data: []byte("x")}, false); !strings.Contains(got, "<not-authorized/>") {
		t.Error(got)
	}
}

// What the client has seen goes into the proof of both sides (XEP-0474, XEP-0515).
func TestDowngradeProtection(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	f := p.open()
	hashOf := func(list string) string {
		var names []string
		for _, m := range regexp.MustCompile(`<mechanism>([^<]+)<`).FindAllStringSubmatch(list, -1) {
			names = append(names, m[1])
		}
		for i := range names { // sorted by octets
			for j := range names[:i] {
				if names[i] < names[j] {
					names[i], names[j] = names[j], names[i]
				}
			}
		}
		sum := sha256.Sum256([]byte(strings.Join(names, "\x1e") + "\x1ftls-exporter\x1etls-server-end-point"))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	list := f[strings.Index(f, "<authentication"):strings.Index(f, "<inline>")]
	if got, first := p.scram2("SCRAM-SHA-256-PLUS", p.exporter()); !strings.Contains(got, "<success") || !strings.HasSuffix(first, ",h="+hashOf(list)+",t=0304") {
		t.Errorf("%s, %s", got, first)
	}
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

// inline is a module that takes part in Bind 2.
type inline struct{}

func (inline) Register(reg *xmpp.Registrar) {
	reg.Bind(xml.Name{Space: "urn:example:a", Local: "enable"}, func(_ context.Context, s *xmpp.Stream, el *xmpp.Element) []byte {
		v, _ := el.Attr("v")
		s.Put([]byte("<message id='early'/>"))
		return []byte("<enabled xmlns='urn:example:a' v='" + v + "'/>")
	})
	reg.Bind(xml.Name{}, func(context.Context, *xmpp.Stream, *xmpp.Element) []byte {
		return []byte("<always xmlns='urn:example:b'/>")
	})
}

func TestBind2Inline(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Modules = append(o.Modules, inline{}) }})
	p := s.dialTLS()
	if f := p.open(); !strings.Contains(f, "<feature var='urn:xmpp:sm:3'/><feature var='urn:xmpp:csi:0'/><feature var='urn:example:a'/></inline></bind>") {
		t.Error(f)
	}
	p.send(authenticate("alice", password, "<bind xmlns='urn:xmpp:bind:0' xmlns:a='urn:example:a'><a:enable v='1'/><a:other/></bind>"))
	got := p.expect("<message id='early'/>")
	if !strings.Contains(got, "<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:example:a' v='1'/><always xmlns='urn:example:b'/></bound></success><stream:features>") {
		t.Error(got)
	}
	p = s.dialTLS()
	p.open()
	p.send(authenticate("alice", "wrong", "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:example:a'/></bind>"))
	if got := p.expect("</failure>"); strings.Contains(got, "urn:example") {
		t.Error(got)
	}
}

// A token and a resumption in one round trip (XEP-0198 section 10.2): what waited comes right behind
// the success, and no features.
func TestSASL2Resume(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Config.ResumeTimeout, o.Config.ResumeMemory = time.Minute, 1<<20 }})
	const none = "HT-SHA-256-NONE"
	p := s.dialTLS()
	p.open()
	p.send(authenticate("alice", password, userAgent(agentID), "<bind xmlns='urn:xmpp:bind:0'><tag>A</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>", requestToken(none)))
	got := p.expect("</stream:features>")
	id := regexp.MustCompile(`<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3' id='([^']+)' resume='true' max='60'/></bound><token`).FindStringSubmatch(got)
	full := identifierForm.FindStringSubmatch(got)
	if id == nil {
		t.Fatal(got)
	}
	if features := got[strings.Index(got, "<stream:features>"):]; strings.Contains(features, "<sm ") || !strings.Contains(features, "<csi ") {
		t.Errorf("what is on already is offered: %s", features)
	}
	token := tokenForm.FindStringSubmatch(got)[2]
	p.ping()
	_ = p.raw.Close()
	s.session("alice", func(i identity.Info) bool { return i.State == identity.StateDetached })
	bob := s.login("bob", "b")
	bob.send("<message to='" + full[1] + "' id='waiting'><body>x</body></message>")
	bob.ping()

	resume := func(id, h string) string { return "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='" + h + "'/>" }
	htAuth := func(parts string) string {
		return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + none + "'><initial-response>" + b64("alice\x00"+htHash(token, "Initiator", nil)) +
			"</initial-response><fast xmlns='urn:xmpp:fast:0'/>" + userAgent(agentID) + parts + "</authenticate>"
	}
	p = s.dialTLS()
	p.open()
	p.send(htAuth(resume(id[1], "1") + bindTag))
	got = p.expect("id='waiting'")
	if want := "<authorization-identifier>" + full[1] + "</authorization-identifier><resumed xmlns='urn:xmpp:sm:3' previd='" + id[1] + "' h='1'/></success><message "; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	p.ping()
	s.session("alice", func(i identity.Info) bool { return i.JID != nil && *i.JID == full[1] })

	// What cannot be resumed is bound.
	p2 := s.dialTLS()
	p2.open()
	p2.send(htAuth(resume("none", "0") + bindTag))
	got = p2.expect("</stream:features>")
	if !strings.Contains(got, "</authorization-identifier><failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed><bound xmlns='urn:xmpp:bind:0'/></success><stream:features>") {
		t.Error(got)
	}
	p.ends("conflict")
	// Without a bind the client may still bind by the older way.
	p3 := s.dialTLS()
	p3.open()
	p3.send(htAuth(resume("none", "0")))
	if got := p3.expect("</stream:features>"); !strings.Contains(got, "<authorization-identifier>alice@example.org</authorization-identifier><failed ") || !strings.Contains(got, "xmpp-bind") {
		t.Error(got)
	}
	// Another account's stream is none.
	p4 := s.dialTLS()
	p4.open()
	p4.send(authenticate("bob", password, resume(id[1], "1")))
	if got := p4.expect("</success>"); !strings.Contains(got, "<item-not-found") {
		t.Error(got)
	}
}

// The binding is of the certificate that this connection was given, also when there is another one by
// now.
func TestEndPointAfterReload(t *testing.T) {
	dir := t.TempDir()
	one, err := certs.Load(certs.Options{Dir: filepath.Join(dir, "one"), Domains: []string{host}})
	must(t, err)
	two, err := certs.Load(certs.Options{Dir: filepath.Join(dir, "two"), Domains: []string{"second.example"}})
	must(t, err)
	var renewed atomic.Bool
	s := start(t, options{xmpp: func(o *xmpp.Options) {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			src := one
			if renewed.Load() || h.ServerName == "second.example" {
				src = two
			}
			return src.Config("xmpp-client").GetCertificate(h)
		}}
	}})
	bindingOf := func(leaf []byte) *scram.ChannelBinding {
		sum := sha256.Sum256(leaf)
		return &scram.ChannelBinding{Type: "tls-server-end-point", Data: sum[:]}
	}
	p := s.dialTLS()
	renewed.Store(true)
	q := s.dialTLS()
	for _, tt := range []struct {
		p    *peer
		leaf []byte
		want string
	}{{p, two.Leaf().Raw, "<failure"}, {p, one.Leaf().Raw, "<success"}, {q, one.Leaf().Raw, "<failure"}, {q, two.Leaf().Raw, "<success"}} {
		if len(tt.p.got) == 0 && tt.want == "<failure" {
			tt.p.open()
		}
		if got, _ := tt.p.scram2("SCRAM-SHA-256-PLUS", bindingOf(tt.leaf)); !strings.HasPrefix(got, tt.want) {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// A connection that another port has given over can be bound as well, unless it resumes a session of
// TLS, whose certificate nobody knows.
func TestBindingsOfTheWebPort(t *testing.T) {
	s := start(t, options{})
	addr := s.served()
	cfg := s.clientTLS("xmpp-client")
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for _, resumed := range []bool{false, true} {
		p := s.dialTo(addr)
		conn := tls.Client(p.raw, cfg)
		must(t, conn.Handshake())
		p.conn = conn
		f := p.open() // and with it the ticket has come
		if conn.ConnectionState().DidResume != resumed || strings.Contains(f, "tls-server-end-point") == resumed || !strings.Contains(f, "tls-exporter") {
			t.Errorf("resumed %v: %s", conn.ConnectionState().DidResume, f)
		}
		binding := p.exporter()
		if !resumed {
			binding = p.endPoint(s)
		}
		if got, _ := p.scram2("SCRAM-SHA-256-PLUS", binding, bindTag); !strings.HasPrefix(got, "<success") {
			t.Error(got)
		}
		p.expect("</stream:features>")
		p.ping()
	}
}
