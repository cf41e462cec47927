package xmpp_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/config"
	"trivium/identity"
	"trivium/xmpp"
)

const unexpected = "<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"

func TestManagementOutOfOrder(t *testing.T) {
	s := resumes(t)
	for _, el := range []string{enable, ask, "<a xmlns='urn:xmpp:sm:3' h='1'/>", resumeOf("x", "0")} {
		p := s.dialTLS()
		p.open()
		p.send(el)
		p.expect(unexpected) // before the log-in
		p.send(authPlain("alice", password))
		p.expect("</success>")
		p.open()
		if !strings.Contains(el, "resume ") {
			p.send(el)
			p.expect(unexpected) // before bind
		}
		p.send(bindTo("x"))
		p.expect("</iq>")
		if !strings.HasPrefix(el, "<enable") {
			p.send(el)
			p.expect(unexpected) // before enable
		}
		p.enable()
		p.send(resumeOf("x", "0"))
		p.expect(unexpected)
		p.send("</stream:stream>")
		p.rest()
	}
}

func TestManagementAbuse(t *testing.T) {
	s := resumes(t)
	for _, tt := range []struct{ name, send, cond, detail string }{
		{"enable twice", enable, "policy-violation", ""},
		{"h too high", "<a xmlns='urn:xmpp:sm:3' h='1'/>", "undefined-condition", "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='1' send-count='0'/>"},
		{"h below zero", "<a xmlns='urn:xmpp:sm:3' h='-1'/>", "bad-format", ""},
		{"no h", "<a xmlns='urn:xmpp:sm:3'/>", "bad-format", ""},
		{"h too large", "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>", "bad-format", ""},
		{"unknown", "<x xmlns='urn:xmpp:sm:3'/>", "unsupported-stanza-type", ""},
		{"many refused resumptions", strings.Repeat(resumeOf("x", "0"), 20000) + "</stream:stream>", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.login("alice", "a")
			p.t = t
			id := p.enable()
			if tt.cond == "" {
				go func() { _, _ = p.conn.Write([]byte(tt.send)) }()
				p.rest()
				return
			}
			p.send(tt.send)
			if got := p.ends(tt.cond); !strings.Contains(got, tt.detail) {
				t.Errorf("got %s", got)
			}
			// What ended so is not resumed.
			if _, answer := s.comeback("alice", id, "0"); !strings.Contains(answer, "<failed ") {
				t.Errorf("got %s", answer)
			}
		})
	}
}

func TestResumeRefused(t *testing.T) {
	s := resumes(t)
	bob := s.login("bob", "b")
	id := bob.enable()
	alice := s.login("alice", "a")
	alice.send("<message to='" + bob.jid + "'><body>one</body></message>")
	bob.expect("one</body></message>")
	none := "<failed xmlns='urn:xmpp:sm:3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
	bad := "<failed xmlns='urn:xmpp:sm:3'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
	for _, tt := range []struct{ name, who, el, want string }{
		{"somebody else's", "alice", resumeOf(id, "0"), none},
		{"one of another host's account", "carol@second.example", resumeOf(id, "0"), none},
		{"unknown", "bob", resumeOf("x", "0"), none},
		{"no id", "bob", "<resume xmlns='urn:xmpp:sm:3' h='0'/>", bad},
		{"no h", "bob", "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "'/>", bad},
		{"h is no number", "bob", resumeOf(id, "x"), bad},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			to := host
			if _, domain, ok := strings.Cut(tt.who, "@"); ok {
				to = domain
			}
			p.send(openStream(to) + authPlain(tt.who, password))
			p.expect("</success>")
			p.send(openStream(to) + tt.el)
			p.expect(tt.want)
			p.send(bindTo("other")) // section 5: binding is possible then
			p.expect("</iq>")
		})
	}
	// h is looked at before anything is cut: the stream is as it was.
	p := s.dialTLS()
	p.send(openStream(host) + authPlain("bob", password) + openStream(host) + resumeOf(id, "2"))
	if got := p.ends("undefined-condition"); !strings.Contains(got, "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='2' send-count='1'/>") {
		t.Errorf("got %s", got)
	}
	alice.send("<message to='" + bob.jid + "'><body>two</body></message>")
	bob.expect("two</body></message>")
}

// A client that comes from elsewhere while its old connection still stands takes its stream over.
func TestTakeOver(t *testing.T) {
	s := resumes(t)
	bob := s.login("bob", "b")
	id := bob.enable()
	back, answer := s.comeback("bob", id, "0")
	if !strings.Contains(answer, "<resumed ") {
		t.Fatal(answer)
	}
	bob.ends("conflict")
	back.jid = bob.jid
	back.pinged()
	if n := len(s.svc.Registry.List(identity.Filter{User: "bob"})); n != 1 {
		t.Errorf("%d sessions", n)
	}
	// Ending the session reaches the connection that has it now.
	info := s.session("bob", func(identity.Info) bool { return true })
	must(t, s.svc.Registry.End(info.ID, identity.Reason{Code: identity.ReasonEnded}))
	back.ends("policy-violation")
}

// What is being written to the old connection when its stream goes elsewhere does not keep it from
// hearing why.
func TestTakeOverWhileWriting(t *testing.T) {
	s := resumes(t, func(o *xmpp.Options) { o.Limits.XMPPQueueSize = 32 << 20 })
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	id := bob.enable()
	const n = 100
	for i := range n { // more than the buffers of both sockets hold
		alice.send(fmt.Sprintf("<message to='%s'><body>%d:%s</body></message>", bob.jid, i, strings.Repeat("x", 200<<10)))
	}
	alice.pinged()
	if _, answer := s.comeback("bob", id, "0"); !strings.Contains(answer, "<resumed ") {
		t.Fatal(answer)
	}
	bob.ends("conflict")
}

// A client that does not read does not keep its stream from going on elsewhere.
func TestTakeOverFromStuck(t *testing.T) {
	s := resumes(t, func(o *xmpp.Options) { o.Limits.XMPPQueueSize = 32 << 20 })
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	id := bob.enable()
	const n = 100
	for i := range n { // more than the buffers of both sockets hold
		alice.send(fmt.Sprintf("<message to='%s'><body>%d:%s</body></message>", bob.jid, i, strings.Repeat("x", 200<<10)))
	}
	alice.pinged()
	begin := time.Now()
	back, answer := s.comeback("bob", id, "0")
	if !strings.Contains(answer, "<resumed ") || time.Since(begin) > 5*time.Second {
		t.Fatalf("%s after %v", answer, time.Since(begin))
	}
	for i := range n {
		back.expect(fmt.Sprintf("<body>%d:", i))
	}
}

// Of many resumptions at once one has the stream in the end, and none hangs.
func TestManyResume(t *testing.T) {
	s := resumes(t)
	bob := s.login("bob", "b")
	id := bob.enable()
	const n = 8
	peers := make([]*peer, n)
	for i := range peers {
		p := s.dialTLS()
		p.send(openStream(host) + authPlain("bob", password))
		p.expect("</success>")
		p.open()
		peers[i] = p
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	resumed, failed := 0, 0
	for _, p := range peers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p.send(resumeOf(id, "0"))
			text, _ := p.until(" xmlns='urn:xmpp:sm:3'")
			mu.Lock()
			defer mu.Unlock()
			if strings.HasSuffix(text, "<resumed xmlns='urn:xmpp:sm:3'") {
				resumed++
			} else {
				failed++
			}
		}()
	}
	wg.Wait()
	if resumed == 0 || resumed+failed != n {
		t.Errorf("%d resumed, %d failed", resumed, failed)
	}
	// The stream is alive: one of them answers to its name.
	alice := s.login("alice", "a")
	alice.send("<message to='" + bob.jid + "' type='chat'><body>who</body></message>")
	got := make(chan struct{}, n)
	for _, p := range peers {
		must(t, p.raw.SetReadDeadline(time.Now().Add(10*time.Second)))
		wg.Add(1)
		go func() {
			defer wg.Done()
			buf := make([]byte, 64<<10)
			for text := string(p.got); ; {
				if strings.Contains(text, "<body>who</body>") {
					got <- struct{}{}
					return
				}
				n, err := p.conn.Read(buf)
				if text += string(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
	select {
	case <-got:
	case <-time.After(10 * time.Second):
		t.Error("nobody has the stream")
	}
	for _, p := range peers {
		_ = p.raw.Close()
	}
	wg.Wait()
}

// unsent is a module that notes the messages that nobody got.
type unsent struct{ ids chan string }

func (u *unsent) Register(reg *xmpp.Registrar) {
	reg.Undelivered(func(_ context.Context, _ *xmpp.Stream, st *xmpp.Stanza) { u.ids <- st.ID })
}

// gate is a module whose messages wait until it is opened.
type gate struct{ open, in chan struct{} }

func (g *gate) Register(reg *xmpp.Registrar) {
	reg.Accept(func(context.Context, *xmpp.Message) {
		g.in <- struct{}{}
		<-g.open
	})
}

// What the lost connection still handles is counted before the client is told what the server has.
func TestResumeWaitsForTheReader(t *testing.T) {
	g := &gate{make(chan struct{}), make(chan struct{}, 10)}
	s := resumes(t, func(o *xmpp.Options) { o.Modules = append(o.Modules, g) })
	open := sync.OnceFunc(func() { close(g.open) })
	t.Cleanup(open) // or a failure would wait for ever
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	id := bob.enable()
	text := "<message to='" + alice.jid + "'><body>x</body></message>"
	bob.send(text + text)
	<-g.in
	p := s.dialTLS()
	p.send(openStream(host) + authPlain("bob", password))
	p.expect("</success>")
	p.open()
	p.send(resumeOf(id, "0"))
	bob.expect("<conflict ")
	must(t, p.quiet())
	open()
	// The second one was read and not handled: the client sends it again.
	p.expect("<resumed xmlns='urn:xmpp:sm:3' previd='" + id + "' h='1'/>")
}

func TestDetached(t *testing.T) {
	t.Run("listed, and ends by time", func(t *testing.T) {
		s := resumes(t, func(o *xmpp.Options) { o.Config.ResumeTimeout = time.Second })
		alice, bob := s.login("alice", "a"), s.login("bob", "b")
		bob.send("<presence to='" + alice.jid + "'/>")
		alice.expect("<presence ")
		bob.send(enable)
		bob.expect("max='1'/>")
		must(t, bob.raw.Close())
		s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })
		alice.expect("type='unavailable'")
		alice.expect("connection lost")
		s.noSession("bob")
	})
	t.Run("the client asks for less", func(t *testing.T) {
		s := resumes(t)
		bob := s.login("bob", "b")
		bob.send("<enable xmlns='urn:xmpp:sm:3' resume='1' max='7'/>")
		bob.expect("resume='true' max='7'/>")
	})
	t.Run("ended by an administrator", func(t *testing.T) {
		s := resumes(t)
		alice, bob := s.login("alice", "a"), s.login("bob", "b")
		bob.send("<presence to='" + alice.jid + "'/>")
		alice.expect("<presence ")
		id := bob.enable()
		must(t, bob.raw.Close())
		i := s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })
		must(t, s.svc.Registry.End(i.ID, identity.Reason{Code: identity.ReasonEnded}))
		alice.expect("type='unavailable'")
		if _, answer := s.comeback("bob", id, "0"); !strings.Contains(answer, "<failed ") {
			t.Error(answer)
		}
	})
	t.Run("ended with its account", func(t *testing.T) {
		s := resumes(t)
		alice, bob := s.login("alice", "a"), s.login("bob", "b")
		bob.send("<presence to='" + alice.jid + "'/>")
		alice.expect("<presence ")
		bob.enable()
		must(t, bob.raw.Close())
		s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })
		disabled := identity.UserDisabled
		_, err := s.svc.SetUser(t.Context(), byMachine, "bob", identity.UserChange{State: &disabled})
		must(t, err)
		alice.expect("type='unavailable'")
		s.noSession("bob")
	})
	t.Run("what it never got", func(t *testing.T) {
		m := &unsent{make(chan string, 10)}
		s := resumes(t, func(o *xmpp.Options) { o.Modules = append(o.Modules, m) })
		alice, bob := s.login("alice", "a"), s.login("bob", "b")
		bob.enable()
		text := func(n string) string { return "<message to='" + bob.jid + "' id='" + n + "'><body>x</body></message>" }
		alice.send(text("1") + text("2"))
		bob.expect("id='2'")
		bob.send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
		bob.pinged()
		must(t, bob.raw.Close())
		i := s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })
		alice.send(text("3") + "<iq type='get' id='q' to='" + bob.jid + "'><query xmlns='urn:example'/></iq>")
		alice.pinged()
		must(t, s.svc.Registry.End(i.ID, identity.Reason{Code: identity.ReasonEnded}))
		for _, want := range []string{"2", "3"} {
			if got := <-m.ids; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		alice.expect("<iq type='error' id='q' from='" + bob.jid + "'")
	})
	t.Run("its place is taken", func(t *testing.T) {
		s := resumes(t)
		bob := s.login("bob", "b")
		id := bob.enable()
		must(t, bob.raw.Close())
		s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })
		s.login("bob", "b")
		if _, answer := s.comeback("bob", id, "0"); !strings.Contains(answer, "<failed ") {
			t.Error(answer)
		}
	})
	t.Run("a full queue", func(t *testing.T) {
		s := resumes(t, func(o *xmpp.Options) { o.Limits.XMPPQueueSize = 64 << 10 })
		alice, bob := s.login("alice", "a"), s.login("bob", "b")
		bob.enable()
		must(t, bob.raw.Close())
		s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })
		for range 20 {
			alice.send("<message to='" + bob.jid + "'><body>" + strings.Repeat("x", 8000) + "</body></message>")
		}
		alice.expect("<service-unavailable ") // from then on nobody is there
		s.noSession("bob")
	})
	t.Run("too many of one account", func(t *testing.T) {
		s := resumes(t)
		for range 13 {
			bob := s.login("bob", "")
			bob.enable()
			must(t, bob.raw.Close())
		}
		s.sessions("bob", 10)
	})
	t.Run("too much memory", func(t *testing.T) {
		s := resumes(t, func(o *xmpp.Options) { o.Config.ResumeMemory = 100 << 10 })
		alice := s.login("alice", "a")
		var ids []string
		for i := range 4 {
			bob := s.login("bob", fmt.Sprint(i))
			ids = append(ids, bob.enable())
			must(t, bob.raw.Close())
			s.sessions("bob", i+1)
			s.detached("bob", i+1)
		}
		text := "<body>" + strings.Repeat("x", 30000) + "</body></message>"
		alice.send("<message to='bob@" + host + "/3'>" + text + "<message to='bob@" + host + "/2'>" + text + "<message to='bob@" + host + "/0'>" + text)
		s.sessions("bob", 3)
		if _, answer := s.comeback("bob", ids[0], "0"); !strings.Contains(answer, "<failed ") {
			t.Error(answer)
		}
		if _, answer := s.comeback("bob", ids[1], "0"); !strings.Contains(answer, "<resumed ") {
			t.Error(answer)
		}
	})
	t.Run("an account's limit", func(t *testing.T) {
		// Who has lost its connection can log in to get its session back.
		s := start(t, options{
			identity: func(o *identity.Options) {
				o.Limits.SessionsPerUser = map[identity.Road]int{identity.RoadXMPP: 1}
			},
			xmpp: func(o *xmpp.Options) { o.Config.ResumeTimeout, o.Config.ResumeMemory = time.Minute, 1<<20 },
		})
		bob := s.login("bob", "b")
		id := bob.enable()
		must(t, bob.raw.Close())
		s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })
		if _, answer := s.comeback("bob", id, "0"); !strings.Contains(answer, "<resumed ") {
			t.Error(answer)
		}
		p := s.dialTLS()
		p.send(openStream(host) + authPlain("bob", password))
		p.expect("<temporary-auth-failure/>")
	})
	t.Run("anonymous", func(t *testing.T) {
		s := resumes(t, func(o *xmpp.Options) { o.Limits = config.Limits{} })
		p := s.login("bob", "b")
		p.send("<enable xmlns='urn:xmpp:sm:3'/>")
		if got := p.expect("/>"); strings.Contains(got, "resume") {
			t.Error(got)
		}
		must(t, p.raw.Close())
		s.noSession("bob")
	})
}

func (s *site) noSession(user string) { s.t.Helper(); s.sessions(user, 0) }

// sessions waits until a user has n sessions.
func (s *site) sessions(user string, n int) {
	s.t.Helper()
	s.counted(n, identity.Filter{User: user}, func(identity.Info) bool { return true })
}

func (s *site) detached(user string, n int) {
	s.t.Helper()
	s.counted(n, identity.Filter{User: user}, func(i identity.Info) bool { return i.State == identity.StateDetached })
}

func (s *site) counted(n int, f identity.Filter, fits func(identity.Info) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		got := 0
		for _, i := range s.svc.Registry.List(f) {
			if fits(i) {
				got++
			}
		}
		if got == n {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d sessions, want %d", got, n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A client that has gone without a word is noticed: its stream waits where it can be resumed, else it
// ends.
func TestSilence(t *testing.T) {
	s := resumes(t, func(o *xmpp.Options) {
		o.Config.PingInterval, o.Config.PingTimeout = 100*time.Millisecond, 200*time.Millisecond
	})
	bob := s.login("bob", "b")
	bob.enable()
	bob.expect(ask)
	bob.send("<a xmlns='urn:xmpp:sm:3' h='0'/>")
	bob.expect(ask) // it has answered, and is asked again
	s.session("bob", func(i identity.Info) bool { return i.State == identity.StateDetached })

	alice := s.login("alice", "a")
	alice.expect("<ping xmlns='urn:xmpp:ping'/></iq>")
	alice.send("<iq type='result' id='ping' to='" + host + "'/>")
	alice.expect("<ping xmlns='urn:xmpp:ping'/></iq>")
	alice.send(" ") // any byte is a sign of life
	alice.expect("<ping xmlns='urn:xmpp:ping'/></iq>")
	alice.ends("connection-timeout")
}
