package xmpp_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"trivium/config"
	"trivium/identity"
	"trivium/xmpp"
)

// lose breaks a client's connection and waits until its stream waits for it.
func (s *site) lose(p *peer, user string) {
	s.t.Helper()
	_ = p.raw.Close()
	s.session(user, func(i identity.Info) bool { return i.State == identity.StateDetached })
}

// A stream that goes on after another log-in hangs on that log-in, whichever way it was resumed.
func TestResumedByCertificate(t *testing.T) {
	s := resumes(t, certificatesOn)
	var none *authority
	cert := none.issue(t, time.Now().Add(time.Hour))
	boss := s.login("alice", "boss")
	for _, tt := range []struct {
		name   string
		resume func(p *peer, id string)
	}{
		{"SASL", func(p *peer, id string) {
			p.send(authExternal(""))
			p.expect("<success")
			p.open()
			p.send(resumeOf(id, "0"))
			p.expect("<resumed ")
		}},
		{"SASL2", func(p *peer, id string) {
			p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='EXTERNAL'><initial-response/>" + resumeOf(id, "0") + "</authenticate>")
			p.expect("<resumed ")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check(t, boss.ask("set", appendCert("bot", cert, "<no-cert-management/>")), "type='result'")
			p := s.login("alice", "a")
			id := p.enable()
			_ = p.raw.Close()
			p = s.dialWith(t, cert)
			p.open()
			tt.resume(p, id)
			check(t, p.ask("set", appendCert("more", none.issue(t, time.Now().Add(time.Hour)))), "<forbidden")
			check(t, boss.ask("set", "<revoke xmlns='urn:xmpp:saslcert:1'><name>bot</name></revoke>"), "type='result'")
			p.ends("not-authorized")
		})
	}
}

// XEP-0257 section 3: a certificate for one resource is for no other one.
func TestResumeOfAnotherResource(t *testing.T) {
	s := resumes(t, certificatesOn)
	var none *authority
	cert := none.issue(t, time.Now().Add(time.Hour), "alice@example.org/bot")
	p := s.login("alice", "phone")
	check(t, p.ask("set", appendCert("bot", cert)), "type='result'")
	id := p.enable()
	s.lose(p, "alice")
	p = s.dialWith(t, cert)
	p.open()
	p.send(authExternal(""))
	p.expect("<success")
	p.open()
	p.send(resumeOf(id, "0"))
	p.expect("<item-not-found ")
}

// Who resumes a stream as an installation of which nothing was known is found by its name.
func TestRevokeResumed(t *testing.T) {
	s := resumes(t)
	p := s.login("alice", "phone")
	id := p.enable()
	s.lose(p, "alice")
	p = s.dialTLS()
	p.open()
	p.send(authenticate("alice", password, userAgent(agentID), resumeOf(id, "0"), requestToken("HT-SHA-256-NONE")))
	p.expect("<resumed ")
	acc, err := s.svc.User(t.Context(), "alice")
	must(t, err)
	s.session("alice", func(i identity.Info) bool { return i.UserAgent != nil })
	must(t, s.srv.Router().RevokeFAST(t.Context(), xmpp.Owner{Address: xmpp.NewAddress("alice", host), ID: acc.ID}, agentID))
	p.ends("not-authorized")
}

// What waits for a client with presence and the like counts among what all that wait may take.
func TestWaitingIsCharged(t *testing.T) {
	s := resumes(t, func(o *xmpp.Options) { o.Config.ResumeMemory = 64 << 10 })
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	bob.enable()
	s.lose(bob, "bob")
	alice.send("<message to='" + bob.jid + "'>" + typing + "<thread>" + strings.Repeat("x", 100<<10) + "</thread></message>")
	alice.pinged()
	s.detached("bob", 0)
}

// A log-in that is slowed down beyond its time ends with a word.
func TestLateLogin(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Limits = config.Limits{LoginTimeout: 700 * time.Millisecond} }})
	ses, err := s.svc.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolXMPP, TLS: "TLS 1.3"})
	must(t, err)
	defer ses.Close()
	for range 5 {
		_, _ = s.svc.Login(t.Context(), ses, identity.Login{Method: identity.MethodPlain, Name: "alice", Domain: host, Secret: identity.NewSecret("wrong")})
	}
	p := s.dialTLS()
	p.open()
	p.send(authPlain("alice", password))
	p.ends("connection-timeout")
}

// slowUp is a module that is slow to hear of a stream.
type slowUp struct {
	in, open chan struct{}
	said     chan string
}

func (m *slowUp) Register(reg *xmpp.Registrar) {
	reg.Up(func(_ context.Context, s *xmpp.Stream) {
		if first := len(m.in) == 0; first {
			m.in <- struct{}{}
			<-m.open
		}
		m.said <- "up"
	})
	reg.Down(func(context.Context, *xmpp.Stream) { m.said <- "down" })
}

// Two clients bind one address at the same moment: modules hear of each stream's beginning first.
func TestUpBeforeDown(t *testing.T) {
	m := &slowUp{make(chan struct{}, 1), make(chan struct{}), make(chan string, 10)}
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Modules = append(o.Modules, m) }})
	dial := func() *peer {
		p := s.dialTLS()
		p.open()
		p.send(authPlain("alice", password))
		p.expect("</success>")
		p.open()
		p.send(bindTo("same"))
		return p
	}
	one := dial()
	for len(m.in) == 0 {
		time.Sleep(time.Millisecond)
	}
	two := dial()
	select {
	case what := <-m.said:
		t.Errorf("%s while the first one is not up", what)
	case <-time.After(100 * time.Millisecond):
	}
	close(m.open)
	one.ends("conflict")
	two.expect("</iq>")
	two.ping()
	for _, want := range []string{"up", "down", "up"} {
		select {
		case got := <-m.said:
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no %s", want)
		}
	}
}

// The addresses that a stream has sent presence to are bounded by their size, too.
func TestLongDirectedPresence(t *testing.T) {
	s := start(t, options{})
	p := s.login("alice", "a")
	long := strings.Repeat("x", 1000)
	for i := range 100 {
		p.send(fmt.Sprintf("<presence to='%s%d@%s/%s'/>", long, i, host, long))
	}
	p.expect("<policy-violation ")
	for i := range 100 {
		p.send(fmt.Sprintf("<presence type='unavailable' to='%s%d@%s/%s'/>", long, i, host, long))
	}
	p.pinged()
	p.send("<presence to='bob@" + host + "/x'/>")
	if got := p.pinged(); strings.Contains(got, "policy") {
		t.Errorf("there is no room again: %s", got)
	}
}

// Who lets much wait does not drive out those who let little wait.
func TestLargeOnesGoFirst(t *testing.T) {
	s := resumes(t, func(o *xmpp.Options) { o.Config.ResumeMemory = 64 << 10 })
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	id := alice.enable()
	s.lose(alice, "alice")
	other := s.login("bob", "other")
	bob.enable()
	_ = bob.raw.Close()
	s.detached("bob", 1)
	other.send("<message to='" + bob.jid + "'><body>" + strings.Repeat("x", 100<<10) + "</body></message>")
	s.detached("bob", 0)
	if _, answer := s.comeback("alice", id, "0"); !strings.Contains(answer, "<resumed ") {
		t.Errorf("the small one has gone: %s", answer)
	}
}
