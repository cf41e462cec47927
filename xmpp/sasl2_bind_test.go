package xmpp_test

import (
	"context"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

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
