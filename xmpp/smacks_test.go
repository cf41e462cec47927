package xmpp_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// resumes is a site whose streams wait for their clients.
func resumes(t *testing.T, more ...func(*xmpp.Options)) *site {
	t.Helper()
	return start(t, options{xmpp: func(o *xmpp.Options) {
		o.Config.ResumeTimeout, o.Config.ResumeMemory = time.Minute, 64<<20
		for _, f := range more {
			f(o)
		}
	}})
}

const (
	enable = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
	ask    = "<r xmlns='urn:xmpp:sm:3'/>"
)

var enabledForm = regexp.MustCompile(`<enabled xmlns='urn:xmpp:sm:3' id='([^']+)' resume='true' max='60'/>`)

// enable turns stream management on and returns the stream's id.
func (p *peer) enable() string {
	p.t.Helper()
	p.send(enable)
	m := enabledForm.FindStringSubmatch(p.expect("<enabled") + p.expect("/>"))
	if m == nil {
		p.t.Fatal("not enabled")
	}
	return m[1]
}

func resumeOf(id, h string) string {
	return "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='" + h + "'/>"
}

// comeback logs in and resumes; it returns what the server answers.
func (s *site) comeback(name, id, h string) (*peer, string) {
	s.t.Helper()
	p := s.dialTLS()
	p.open()
	p.send(authPlain(name, password))
	p.expect("</success>")
	p.open()
	p.send(resumeOf(id, h))
	answer := p.expect(" xmlns='urn:xmpp:sm:3'")
	return p, answer + p.expect(">")
}

func TestResume(t *testing.T) {
	s := resumes(t)
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	id := bob.enable()
	was := s.session("bob", func(i identity.Info) bool { return i.State == identity.StateConnected })

	// What is not acknowledged comes again, what is does not, in order and with what came meanwhile.
	text := func(n string) string {
		return "<message to='" + bob.jid + "' type='chat' id='" + n + "'><body>" + n + "</body></message>"
	}
	alice.send(text("m1") + text("m2"))
	bob.expect("<body>m2</body></message>")
	bob.send("<message to='" + alice.jid + "' type='chat'><body>to alice</body></message>")
	alice.expect("to alice")
	must(t, bob.raw.Close())
	s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached && i.ID == was.ID })
	alice.send(text("m3"))

	back, answer := s.comeback("bob", id, "1")
	if want := "<resumed xmlns='urn:xmpp:sm:3' previd='" + id + "' h='1'/>"; !strings.HasSuffix(answer, want) {
		t.Fatalf("got %s, want %s", answer, want)
	}
	got := back.expect("<body>m3</body></message>")
	if strings.Contains(got, "m1") || strings.Count(got, "<body>m2</body>") != 1 {
		t.Errorf("got %s", got)
	}
	// The session goes on, and nobody has seen bob go.
	now := s.session("bob", func(i identity.Info) bool { return i.State == identity.StateConnected })
	if now.ID != was.ID || now.RemoteAddr == was.RemoteAddr || now.RemoteAddr != back.conn.LocalAddr().String() || now.BytesOut <= was.BytesOut {
		t.Errorf("before %+v, now %+v", was, now)
	}
	back.send(ask)
	back.expect("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	back.send("</stream:stream>")
	back.expect("</stream:stream>")
}

// A stream goes on over another kind of connection, too.
func TestResumeOverWebSocket(t *testing.T) {
	s, h := webSite(t, false, options{xmpp: func(o *xmpp.Options) {
		o.Config.ResumeTimeout, o.Config.ResumeMemory = time.Minute, 1<<20
	}})
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	id := bob.enable()
	text := func(n string) { alice.send("<message to='" + bob.jid + "'><body>" + n + "</body></message>") }
	text("one")
	bob.expect("one")
	p := newPage(t, h)
	p.open()
	p.send(authPlain("bob", password))
	p.expect("<success")
	p.open()
	p.send(resumeOf(id, "1"))
	p.expect("<resumed xmlns='urn:xmpp:sm:3' previd='" + id + "' h='0'/>")
	bob.ends("conflict")
	text("two")
	p.expect("two")
	must(t, p.conn.CloseNow())
	s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })
	text("three")
	back, answer := s.comeback("bob", id, "1")
	if !strings.Contains(answer, "<resumed ") {
		t.Fatal(answer)
	}
	got := back.expect("three")
	if !strings.Contains(got, "two") {
		t.Errorf("got %s", got)
	}
	back.send("</stream:stream>")
	back.rest()
}
