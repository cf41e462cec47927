package xmpp_test

import (
	"fmt"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/xmpp"
	"trivium/xmpp/xmpptest"
)

// settle returns what has come by the time that the server answers a ping: all that was put before.
func (p *peer) settle() string {
	p.t.Helper()
	p.send("<iq type='get' id='settle'><ping xmlns='urn:xmpp:ping'/></iq>")
	text := p.expect("<iq type='result' id='settle'")
	p.expect(">")
	return text[:len(text)-len("<iq type='result' id='settle'")]
}

// online logs in, asks for the roster and sends presence; what comes of that is read.
func (s *site) online(name, resource, presence string) *peer {
	s.t.Helper()
	p := s.login(name, resource)
	p.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>" + presence)
	p.settle()
	return p
}

// then lets p send text and returns what comes of it to p itself and to the others.
func (p *peer) then(text string, others ...*peer) []string {
	p.t.Helper()
	p.send(text)
	got := []string{p.settle()}
	for _, o := range others {
		got = append(got, o.settle())
	}
	return got
}

func has(t *testing.T, who, text string, parts ...string) {
	t.Helper()
	xmpptest.Has(t, who, text, parts...)
}

func nothing(t *testing.T, who, text string) {
	t.Helper()
	xmpptest.Nothing(t, who, text)
}

func request(typ, to string) string { return "<presence type='" + typ + "' to='" + to + "'/>" }

func item(jid, rest string) string { return "<item jid='" + jid + "'" + rest + "/>" }

func rosterSet(id, item string) string {
	return "<iq type='set' id='" + id + "'><query xmlns='jabber:iq:roster'>" + item + "</query></iq>"
}

// friends are alice and bob online, who see each other.
func (s *site) friends() (alice, bob *peer) {
	s.t.Helper()
	alice, bob = s.online("alice", "a", "<presence/>"), s.online("bob", "b", "<presence/>")
	alice.then(request("subscribe", bobJID), bob)
	bob.then(request("subscribed", aliceJID)+request("subscribe", aliceJID), alice)
	alice.then(request("subscribed", bobJID), bob)
	return alice, bob
}

func TestSubscriptionOnline(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.online("alice", "a", "<presence/>"), s.online("bob", "b", "<presence><show>dnd</show></presence>")

	got := alice.then("<presence type='subscribe' to='"+bobJID+"/any' id='s1'><status>me &amp; you</status></presence>", bob)
	has(t, "alice", got[0], "<iq type='set' id='push", "to='"+alice.jid+"'", item(bobJID, " subscription='none' ask='subscribe'"))
	has(t, "bob", got[1], "<presence type='subscribe' id='s1' from='"+aliceJID+"' to='"+bobJID+"'><status>me &amp; you</status></presence>")
	if strings.Contains(got[1], "push") {
		t.Errorf("a waiting request was pushed: %q", got[1])
	}

	got = bob.then(request("subscribed", aliceJID), alice)
	has(t, "bob", got[0], item(aliceJID, " subscription='from'"))
	has(t, "alice", got[1], "<presence type='subscribed' from='"+bobJID+"' to='"+aliceJID+"'/>", item(bobJID, " subscription='to'"),
		"<presence from='"+bob.jid+"' to='"+aliceJID+"'><show>dnd</show><delay xmlns='urn:xmpp:delay' from='"+host+"' stamp='")
	nothing(t, "bob, who sees alice not yet", alice.then("<presence><show>away</show></presence>", bob)[1])
	has(t, "alice", bob.then("<presence/>", alice)[1], "<presence from='"+bob.jid+"' to='"+aliceJID+"'/>")

	got = bob.then(request("subscribe", aliceJID), alice)
	has(t, "bob", got[0], item(aliceJID, " subscription='from' ask='subscribe'"))
	has(t, "alice", got[1], "type='subscribe' from='"+bobJID)
	got = alice.then(request("subscribed", bobJID), bob)
	has(t, "alice", got[0], item(bobJID, " subscription='both'"))
	has(t, "bob", got[1], "type='subscribed'", item(aliceJID, " subscription='both'"), "from='"+alice.jid, "<show>away</show>")
	nothing(t, "bob, asked again by one who has it", alice.then(request("subscribe", bobJID), bob)[1])

	// RFC 6121 section 3.3: alice wants to see bob no more.
	got = alice.then(request("unsubscribe", bobJID), bob)
	has(t, "alice", got[0], item(bobJID, " subscription='from'"), "<presence type='unavailable' from='"+bob.jid+"' to='"+aliceJID+"'/>")
	has(t, "bob", got[1], "<presence type='unsubscribe' from='"+aliceJID+"' to='"+bobJID+"'/>", item(aliceJID, " subscription='to'"))
	nothing(t, "alice, who left", bob.then("<presence><show>xa</show></presence>", alice)[1])
	has(t, "bob", alice.then("<presence><show>chat</show></presence>", bob)[1], "<show>chat</show>")

	// Section 3.2: alice lets bob see her no more.
	got = alice.then(request("unsubscribed", bobJID), bob)
	has(t, "alice", got[0], item(bobJID, " subscription='none'"))
	has(t, "bob", got[1], "<presence type='unsubscribed' from='"+aliceJID, item(aliceJID, " subscription='none'"), "<presence type='unavailable' from='"+alice.jid)
	nothing(t, "bob, refused", alice.then("<presence/>", bob)[1])
	nothing(t, "bob, who probes", bob.then("<presence type='probe' to='" + aliceJID + "'/>")[0])
	nothing(t, "alice, told what she knows", bob.then(request("unsubscribed", aliceJID), alice)[1])
}

func TestSubscriptionOffline(t *testing.T) {
	s := start(t, options{})
	alice := s.online("alice", "a", "<presence/>")
	alice.then("<presence type='subscribe' to='" + bobJID + "'><status>hello</status></presence>" + request("subscribe", bobJID))

	for _, resource := range []string{"first", "second"} { // it comes until it is answered
		bob := s.login("bob", resource)
		bob.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
		if got := bob.settle(); strings.Contains(got, "<item") {
			t.Errorf("the roster shows a waiting request: %q", got)
		}
		got := bob.then("<presence/>")[0]
		has(t, "bob", got, "type='subscribe'", "<status>hello</status>")
		if strings.Count(got, "type='subscribe'") != 1 {
			t.Errorf("more than one request: %q", got)
		}
		nothing(t, "bob, an update later", strings.Replace(bob.then("<presence><show>away</show></presence>")[0],
			"<presence from='"+bob.jid+"' to='"+bobJID+"'><show>away</show></presence>", "", 1))
		bob.send("</stream:stream>")
		bob.rest()
	}
	alice.send("</stream:stream>")
	alice.rest()

	bob := s.online("bob", "b", "<presence/>")
	bob.then(request("subscribed", aliceJID))
	bob.then("<presence><show>xa</show></presence>")
	alice = s.login("alice", "a")
	alice.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
	has(t, "alice", alice.settle(), item(bobJID, " subscription='to'"))
	got := alice.then("<presence/>", bob)
	has(t, "alice, by a probe", got[0], "<presence from='"+bob.jid+"' to='"+aliceJID+"'><show>xa</show><delay")
	nothing(t, "bob, who sees nothing of alice", got[1])

	// What ends while the other is away is seen at the next log-in.
	bob.then(request("unsubscribed", aliceJID), alice)
	alice.send("</stream:stream>")
	alice.rest()
	alice = s.online("alice", "a", "")
	nothing(t, "alice", alice.then("<presence to='" + bobJID + "' type='probe'/>")[0])
}

func TestRequestRefused(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.online("alice", "a", "<presence/>"), s.online("bob", "b", "<presence/>")
	alice.then(request("subscribe", bobJID), bob)
	got := bob.then(request("unsubscribed", aliceJID), alice)
	nothing(t, "bob, whose roster alice never was in", got[0])
	has(t, "alice", got[1], "<presence type='unsubscribed' from='"+bobJID, item(bobJID, " subscription='none'"))
	if strings.Contains(got[1], "unavailable") {
		t.Errorf("presence told to whom it was refused: %q", got[1])
	}
	// Taken back by the one who asked.
	alice.then(request("subscribe", bobJID), bob)
	got = alice.then(request("unsubscribe", bobJID), bob)
	has(t, "alice", got[0], item(bobJID, " subscription='none'"))
	has(t, "bob", got[1], "<presence type='unsubscribe' from='"+aliceJID)
	again := s.login("bob", "again")
	if got := again.then("<presence/>")[0]; strings.Contains(got, "subscribe") {
		t.Errorf("a request that was taken back: %q", got)
	}
}

func TestPreApproval(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.online("alice", "a", "<presence/>"), s.online("bob", "b", "<presence/>")
	got := bob.then(request("subscribed", aliceJID), alice)
	has(t, "bob", got[0], item(aliceJID, " subscription='none' approved='true'"))
	nothing(t, "alice, who has not asked", got[1])
	got = alice.then(request("subscribe", bobJID), bob)
	has(t, "alice", got[0], "type='subscribed' from='"+bobJID, item(bobJID, " subscription='to'"), "<presence from='"+bob.jid)
	has(t, "bob", got[1], item(aliceJID, " subscription='from' approved='true'"))
	if strings.Contains(got[1], "type='subscribe'") {
		t.Errorf("asked in spite of pre-approval: %q", got[1])
	}
}

func TestRosterRemoveEndsAll(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.friends()
	got := alice.then(rosterSet("x", item(bobJID, " subscription='remove'")), bob)
	has(t, "alice", got[0], "<iq type='result' id='x'", "<item subscription='remove' jid='"+bobJID+"'/>", "<presence type='unavailable' from='"+bob.jid)
	has(t, "bob", got[1], "type='unsubscribe' from='"+aliceJID, "type='unsubscribed' from='"+aliceJID,
		item(aliceJID, " subscription='none'"), "<presence type='unavailable' from='"+alice.jid)
	nothing(t, "bob", alice.then("<presence/>", bob)[1])
	nothing(t, "alice", bob.then("<presence/>", alice)[1])
	has(t, "alice", alice.then(rosterSet("y", item(bobJID, " subscription='remove'")))[0], "id='y'", "<item-not-found")
}

func TestRoster(t *testing.T) {
	s := start(t, options{})
	alice, quiet := s.online("alice", "a", ""), s.login("alice", "quiet")
	second := s.online("alice", "second", "")
	bob := s.online("bob", "b", "<presence/>")

	got := alice.then(rosterSet("1", "<item jid='BOB@Example.org/x' name='B &amp; &lt;b&gt;' subscription='both'><group>z'</group><group>a&amp;b</group></item>"), second, quiet, bob)
	want := "<item jid='" + bobJID + "' name='B &amp; &lt;b&gt;' subscription='none'><group>a&amp;b</group><group>z&apos;</group></item>"
	has(t, "alice", got[0], "<iq type='result' id='1'")
	for i, p := range []*peer{alice, second} {
		has(t, p.jid, got[i], "<iq type='set' id='push", " to='"+p.jid+"'><query xmlns='jabber:iq:roster' ver='", "'>"+want+"</query></iq>")
	}
	nothing(t, "a resource that did not ask for the roster", got[2])
	nothing(t, "bob", got[3])
	nothing(t, "second, the same once more", alice.then(rosterSet("2", want), second)[1])

	alice.send("<iq type='get' id='g'><query xmlns='jabber:iq:roster' ver=''/></iq>")
	text := alice.expect("</iq>")
	has(t, "alice", text, "<iq type='result' id='g'", want)
	ver := text[strings.Index(text, "ver='")+5:]
	ver = ver[:strings.IndexByte(ver, '\'')]
	has(t, "alice, who has this version", alice.then("<iq type='get' id='g2'><query xmlns='jabber:iq:roster' ver='" + ver + "'/></iq>")[0], "<iq type='result' id='g2' to='"+alice.jid+"'/>")
	alice.then(rosterSet("3", item("carol@second.example", "")), second)
	has(t, "alice, who has an older one", alice.then("<iq type='get' id='g3'><query xmlns='jabber:iq:roster' ver='" + ver + "'/></iq>")[0], want, item("carol@second.example", " subscription='none'"))

	for _, tt := range []struct{ name, item, cond string }{
		{"two", item("b@x", "") + item("c@x", ""), "bad-request"},
		{"none", "", "bad-request"},
		{"group twice", "<item jid='b@x'><group>g</group><group>g</group></item>", "bad-request"},
		{"empty group", "<item jid='b@x'><group/></item>", "not-acceptable"},
		{"no address", item("@", ""), "jid-malformed"},
		{"oneself", item(aliceJID, ""), "not-allowed"},
		{"remove what is not there", item("b@x", " subscription='remove'"), "item-not-found"},
	} {
		got := alice.then(rosterSet("e", tt.item), second)
		has(t, tt.name, got[0], "<iq type='error' id='e'", "<"+tt.cond+" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>")
		nothing(t, "second after "+tt.name, got[1])
	}
	// Section 2.1.5: nobody else's roster, the same bytes whether or not there is one.
	for _, to := range []string{bobJID, "nobody@" + host, bobJID + "/none"} {
		has(t, to, alice.then("<iq type='get' to='" + to + "' id='f'><query xmlns='jabber:iq:roster'/></iq>")[0],
			"<iq type='error' id='f' from='"+to+"' to='"+alice.jid+"'><error type='cancel' code='503'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
	}
	// Sections 2.1.5 and 2.3.3: nobody else's is changed either, and that says nothing of who there is.
	for _, to := range []string{bobJID, "nobody@" + host} {
		has(t, to, alice.then("<iq type='set' to='" + to + "' id='f'><query xmlns='jabber:iq:roster'>" + item("m@x", "") + "</query></iq>")[0],
			"<iq type='error' id='f' from='"+to+"' to='"+alice.jid+"'><error type='auth' code='403'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
	}
	// A forged push goes to another client as what it is: from its sender.
	has(t, "bob", alice.then("<iq type='set' to='"+bob.jid+"' id='p'><query xmlns='jabber:iq:roster'>"+item("m@x", "")+"</query></iq>", bob)[1], "from='"+alice.jid+"'")
	if i := s.session("bob", func(identity.Info) bool { return true }); i.Interested == nil || !*i.Interested || i.Presence == nil || *i.Presence != "available" || i.State != identity.StateAvailable {
		t.Errorf("bob's session: %+v", i)
	}
	if i := s.session("bob", func(identity.Info) bool { return true }); *i.Priority != 0 {
		t.Errorf("priority %d", *i.Priority)
	}
	bob.then("<presence><show>xa</show><priority>-5</priority></presence>")
	if i := s.session("bob", func(identity.Info) bool { return true }); *i.Presence != "xa" || *i.Priority != -5 {
		t.Errorf("bob's session: %+v", i)
	}
	bob.then("<presence type='unavailable'/>")
	if i := s.session("bob", func(identity.Info) bool { return true }); i.Presence != nil || i.State != identity.StateConnected {
		t.Errorf("bob's session: %+v", i)
	}
}

func TestRosterFull(t *testing.T) {
	var store xmpp.Store
	s := start(t, options{xmpp: func(o *xmpp.Options) { store = o.Store }})
	acc, err := s.svc.User(t.Context(), "alice")
	must(t, err)
	const limit = 2000
	must(t, store.Write(t.Context(), func(w xmpp.StoreWriter) error {
		for i := range limit {
			if err := w.PutContact(t.Context(), acc.ID, xmpp.Contact{JID: fmt.Sprintf("u%d@x.example", i), Listed: true}); err != nil {
				return err
			}
		}
		return nil
	}))
	alice, bob := s.login("alice", "a"), s.online("bob", "b", "<presence/>")
	got := alice.then(rosterSet("1", item(bobJID, ""))+request("subscribe", bobJID), bob)
	has(t, "alice", got[0], "id='1'", "<policy-violation", "<presence type='error'", "<policy-violation")
	nothing(t, "bob", got[1])
	has(t, "alice, an old contact", alice.then(rosterSet("2", item("u7@x.example", " name='n'")))[0], "<iq type='result' id='2'")
}

func TestMessages(t *testing.T) {
	s := start(t, options{})
	alice := s.online("alice", "a", "<presence/>")
	hi := s.online("bob", "hi", "<presence><priority>5</priority></presence>")
	hi2 := s.online("bob", "hi2", "<presence><priority>5</priority></presence>")
	lo := s.online("bob", "lo", "<presence><priority>1</priority></presence>")
	neg := s.online("bob", "neg", "<presence><priority>-1</priority></presence>")
	off := s.login("bob", "off")
	bobs := []*peer{hi, hi2, lo, neg, off}
	for _, b := range bobs {
		b.settle()
	}
	for _, tt := range []struct {
		name, typ, to, gets string // gets: one letter for each of bobs
		bounced             bool
	}{
		{"chat", "chat", bobJID, "11000", false},
		{"normal", "normal", bobJID, "11000", false},
		{"no type", "", bobJID, "11000", false},
		{"unknown type", "odd", bobJID, "11000", false},
		{"headline", "headline", bobJID, "11100", false},
		{"groupchat", "groupchat", bobJID, "00000", true},
		{"error", "error", bobJID, "00000", false},
		{"chat to full", "chat", bobJID + "/lo", "00100", false},
		{"chat to negative", "chat", bobJID + "/neg", "00010", false},
		{"chat to not available", "chat", bobJID + "/off", "00001", false},
		{"groupchat to full", "groupchat", bobJID + "/lo", "00100", false},
		{"error to full", "error", bobJID + "/lo", "00100", false},
		{"chat to nobody's resource", "chat", bobJID + "/gone", "11000", false},
		{"normal to nobody's resource", "normal", bobJID + "/gone", "00000", true},
		{"groupchat to nobody's resource", "groupchat", bobJID + "/gone", "00000", true},
		{"headline to nobody's resource", "headline", bobJID + "/gone", "00000", false},
		{"error to nobody's resource", "error", bobJID + "/gone", "00000", false},
		{"chat to nobody", "chat", "nobody@" + host, "00000", true},
		{"chat to nobody there", "chat", "carol@second.example", "00000", true},
		{"headline to nobody", "headline", "nobody@" + host, "00000", false},
		{"error to nobody", "error", "nobody@" + host, "00000", false},
		{"chat to the server", "chat", host, "00000", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			typ := ""
			if tt.typ != "" {
				typ = " type='" + tt.typ + "'"
			}
			got := alice.then("<message"+typ+" id='m' to='"+tt.to+"'><body>x &amp; y</body><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='"+bobJID+"'/></message>", bobs...)
			reply := "<message type='error' id='m' from='" + tt.to + "' to='" + alice.jid + "'><error type='cancel' code='503'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
			if tt.bounced && got[0] != reply || !tt.bounced && got[0] != "" {
				t.Errorf("alice got %q, bounced should be %v", got[0], tt.bounced)
			}
			for i, b := range bobs {
				want := ""
				if tt.gets[i] == '1' {
					want = "<message" + typ + " id='m' from='" + alice.jid + "' to='" + tt.to + "'><body>x &amp; y</body></message>"
				}
				if got[i+1] != want {
					t.Errorf("%s got %q, want %q", b.jid, got[i+1], want)
				}
			}
		})
	}
	t.Run("only negative ones", func(t *testing.T) {
		for _, b := range bobs[:3] {
			b.then("<presence type='unavailable'/>")
		}
		got := alice.then("<message to='"+bobJID+"' id='n'><body>x</body></message>", neg)
		has(t, "alice", got[0], "<service-unavailable")
		if strings.Contains(got[1], "<body>") {
			t.Errorf("a negative priority got %q", got[1])
		}
	})
}

func TestIQRouting(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	got := alice.then("<iq type='get' id='1' to='"+bob.jid+"'><q xmlns='urn:x'/></iq>", bob)
	nothing(t, "alice", got[0])
	has(t, "bob", got[1], "<iq type='get' id='1' from='"+alice.jid+"' to='"+bob.jid+"'><q xmlns='urn:x'/></iq>")
	has(t, "alice", bob.then("<iq type='result' id='1' to='"+alice.jid+"'/>", alice)[1], "<iq type='result' id='1' from='"+bob.jid+"' to='"+alice.jid+"'/>")
	for _, tt := range []struct{ name, stanza, want string }{
		{"unknown to oneself", "<iq type='get' id='2'><q xmlns='urn:x'/></iq>", "<service-unavailable"},
		{"unknown to the server", "<iq type='set' id='2' to='" + host + "'><q xmlns='urn:x'/></iq>", "<service-unavailable"},
		{"a set where only get is", "<iq type='set' id='2' to='" + host + "'><ping xmlns='urn:xmpp:ping'/></iq>", "<service-unavailable"},
		{"a resource of the server", "<iq type='get' id='2' to='" + host + "/x'><ping xmlns='urn:xmpp:ping'/></iq>", "<service-unavailable"},
		{"another account", "<iq type='get' id='2' to='" + bobJID + "'><ping xmlns='urn:xmpp:ping'/></iq>", "<service-unavailable"},
		{"gone", "<iq type='get' id='2' to='" + bobJID + "/gone'><ping xmlns='urn:xmpp:ping'/></iq>", "<service-unavailable"},
		{"no payload", "<iq type='get' id='2'/>", "<bad-request"},
		{"two payloads", "<iq type='get' id='2'><a xmlns='x'/><b xmlns='x'/></iq>", "<bad-request"},
		{"no type", "<iq id='2'><a xmlns='x'/></iq>", "<bad-request"},
		{"foreign", "<iq type='get' id='2' to='far.example'><a xmlns='x'/></iq>", "<remote-server-not-found"},
		{"foreign message", "<message id='2' to='x@far.example'><body/></message>", "<remote-server-not-found"},
		{"foreign request", "<presence type='subscribe' id='2' to='x@far.example'/>", "<remote-server-not-found"},
		{"foreign presence", "<presence id='2' to='x@far.example/r'/>", "<remote-server-not-found"},
		{"a bad priority", "<presence id='2'><priority>1000</priority></presence>", "<bad-request"},
		{"an unknown presence", "<presence id='2' type='odd'/>", "<bad-request"},
	} {
		t.Run(tt.name, func(t *testing.T) { has(t, "alice", alice.then(tt.stanza)[0], "type='error' id='2'", tt.want) })
	}
	for _, silent := range []string{"<iq type='result' id='3' to='" + bobJID + "/gone'/>", "<iq type='error' id='3' to='" + host + "'/>", "<iq type='result' id='3' to='x@far.example'/>",
		"<presence type='unavailable' to='x@far.example'/>", "<presence to='nobody@" + host + "'/>", request("subscribe", "nobody@"+host) + request("unsubscribe", "nobody@"+host)} {
		if got := alice.then(silent)[0]; strings.Contains(got, "error") {
			t.Errorf("%s was answered %q", silent, got)
		}
	}
}

func TestServices(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Version = "9.9" }})
	alice := s.login("alice", "a")
	ask := func(to, payload string) string {
		return alice.then("<iq type='get' id='q'" + to + ">" + payload + "</iq>")[0]
	}
	server := " to='" + host + "'"
	has(t, "server info", ask(server, "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<identity category='server' type='im'",
		"<feature var='http://jabber.org/protocol/disco#info'/>", "<feature var='http://jabber.org/protocol/disco#items'/>", "<feature var='jabber:iq:last'/>", "<feature var='urn:xmpp:ping'/>", "<feature var='urn:xmpp:time'/>")
	if got := ask(server, "<query xmlns='http://jabber.org/protocol/disco#info'/>"); strings.Contains(got, "version") {
		t.Errorf("the version is shown to everybody: %q", got)
	}
	has(t, "version", ask(server, "<query xmlns='jabber:iq:version'/>"), "<service-unavailable")
	has(t, "account info", ask("", "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<identity category='account' type='registered'/>", "jabber:iq:roster")
	has(t, "a node", ask(server, "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>"), "<item-not-found")
	has(t, "items", ask(server, "<query xmlns='http://jabber.org/protocol/disco#items'></query>"), "<iq type='result'", "disco#items'></query>")
	// Section 8 of XEP-0030: an empty list for who may not see, as of nobody, whatever the node.
	for _, to := range []string{bobJID, "nobody@" + host} {
		for _, node := range []string{"", " node='x'"} {
			has(t, to+node, ask(" to='"+to+"'", "<query xmlns='http://jabber.org/protocol/disco#items'"+node+"/>"),
				"<iq type='result' id='q' from='"+to+"' to='"+alice.jid+"'><query xmlns='http://jabber.org/protocol/disco#items'"+node+"/></iq>")
		}
		has(t, "info of "+to, ask(" to='"+to+"'", "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<service-unavailable")
	}
	has(t, "ping", ask(server, "<ping xmlns='urn:xmpp:ping'/>"), "<iq type='result' id='q' from='"+host+"' to='"+alice.jid+"'/>")
	has(t, "time", ask(server, "<time xmlns='urn:xmpp:time'/>"), "<tzo>", "<utc>", "Z</utc>")
	has(t, "last", ask(server, "<query xmlns='jabber:iq:last'/>"), "seconds='")
	staff := identity.LevelStaff
	_, err := s.svc.SetUser(t.Context(), byMachine, "alice", identity.UserChange{Level: &staff})
	must(t, err)
	has(t, "version, to staff", ask(server, "<query xmlns='jabber:iq:version'/>"), "<version>9.9</version>")
}

// What a level may not use looks like what is not there.
func TestPolicyHides(t *testing.T) {
	s := start(t, options{identity: func(o *identity.Options) {
		o.Policy = map[string]string{"xmpp:message": "staff", "xmpp:time": "nobody", "xmpp:iq": "staff", "xmpp:presence": "staff"}
	}})
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	has(t, "time", alice.then("<iq type='get' id='1' to='" + host + "'><time xmlns='urn:xmpp:time'/></iq>")[0],
		"<iq type='error' id='1' from='"+host+"' to='"+alice.jid+"'><error type='cancel' code='503'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
	if got := alice.then("<iq type='get' id='1' to='" + host + "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")[0]; strings.Contains(got, "urn:xmpp:time") {
		t.Errorf("hidden service advertised: %q", got)
	}
	for _, stanza := range []string{"<message id='2' to='%s'><body/></message>", "<iq type='get' id='2' to='%s'><a xmlns='x'/></iq>"} {
		there := alice.then(fmt.Sprintf(stanza, bob.jid), bob)
		absent := alice.then(fmt.Sprintf(stanza, bobJID+"/x"), bob)
		if want := strings.ReplaceAll(absent[0], bobJID+"/x", bob.jid); there[0] != want || there[1] != "" {
			t.Errorf("refused %q, absent %q, bob got %q", there[0], absent[0], there[1])
		}
	}
}

func TestOwnResources(t *testing.T) {
	s := start(t, options{})
	one := s.online("alice", "one", "<presence><show>dnd</show></presence>")
	two := s.login("alice", "two")
	got := two.then("<presence/>", one)
	has(t, "two", got[0], "<presence from='"+two.jid, "<presence from='"+one.jid, "<show>dnd</show>")
	has(t, "one", got[1], "<presence from='"+two.jid)
	has(t, "two", two.then("<presence type='unavailable'><status>bye</status></presence>", one)[0], "<presence type='unavailable' from='"+two.jid)
	has(t, "one", one.settle()+two.then("<presence/><presence type='unavailable'/>", one)[1], "<presence type='unavailable' from='"+two.jid)
	two.then("<presence/>", one)
	// The same address again: the older stream goes, and its presence with it.
	newer := s.login("alice", "two")
	two.ends("conflict")
	has(t, "one", one.settle(), "<presence type='unavailable' from='"+newer.jid)
	has(t, "one", newer.then("<presence/>", one)[1], "<presence from='"+newer.jid)
}

func TestDirectedPresence(t *testing.T) {
	s := start(t, options{})
	bob := s.online("bob", "b", "<presence/>")
	for _, tt := range []struct{ name, end, want string }{
		{"unavailable", "<presence type='unavailable'><status>off</status></presence>", "<status>off</status></presence>"},
		{"closed", "</stream:stream>", "<presence type='unavailable' from='" + aliceJID + "/a' to='"},
		{"lost", "", "<status>connection lost</status></presence>"},
	} {
		for _, to := range []string{bobJID, bob.jid} {
			for _, public := range []string{"", "<presence/>"} {
				t.Run(tt.name+" "+to+public, func(t *testing.T) {
					alice := s.login("alice", "a")
					got := alice.then(public+"<presence to='"+to+"'><show>chat</show></presence>", bob)
					has(t, "bob", got[1], "<presence from='"+alice.jid+"' to='"+to+"'><show>chat</show></presence>")
					nothing(t, "bob, of an update for others", alice.then("<presence><show>xa</show></presence>", bob)[1])
					if tt.end == "" {
						must(t, alice.raw.Close())
					} else {
						alice.send(tt.end)
					}
					text := bob.expect("<presence type='unavailable'") + bob.expect(">")
					if strings.HasSuffix(tt.want, "</presence>") {
						text += bob.expect("</presence>")
					}
					has(t, "bob", text, tt.want)
					nothing(t, "bob, a second time", bob.settle())
				})
			}
		}
	}
	alice := s.login("alice", "x")
	alice.then("<presence to='"+bobJID+"'/><presence type='unavailable' to='"+bobJID+"'/>", bob)
	alice.send("</stream:stream>")
	alice.rest()
	nothing(t, "bob, who was told", bob.settle())
}

// A friend's resource that is not available itself got directed presence, and so its end.
func TestDirectedToUnavailableFriend(t *testing.T) {
	s := start(t, options{})
	alice, _ := s.friends()
	hidden := s.login("bob", "hidden")
	has(t, "hidden", alice.then("<presence to='"+hidden.jid+"'/>", hidden)[1], "<presence from='"+alice.jid)
	has(t, "hidden", alice.then("<presence type='unavailable'/>", hidden)[1], "<presence type='unavailable' from='"+alice.jid+"' to='"+hidden.jid+"'/>")
}

func TestOddResource(t *testing.T) {
	s := start(t, options{})
	alice := s.login("alice", "a")
	bob := s.login("bob", "x' y=&quot;&lt;b&gt;&amp;é漢")
	if want := bobJID + "/x&apos; y=&quot;&lt;b&gt;&amp;é漢"; bob.jid != want {
		t.Fatalf("bound %q, want %q", bob.jid, want)
	}
	bob.then("<presence to='"+aliceJID+"/a'/><message to='"+aliceJID+"/a'><body>x</body></message><iq type='get' id='&apos;&lt;' to='"+aliceJID+"/none'><a xmlns='x'/></iq>"+
		"<iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>", alice)
	text := alice.then("<message to='" + bob.jid + "' id='back'><body>y</body></message>")[0]
	nothing(t, "alice", text)
	has(t, "bob", bob.settle(), "id='back' from='"+alice.jid+"' to='"+bob.jid+"'")
	got := bob.then("<message to='"+aliceJID+"/a' id='z'><body>z</body></message>", alice)
	has(t, "alice", got[1], "from='"+bob.jid+"' to='"+alice.jid+"'")
	has(t, "bob", bob.then("<iq type='get' id='&apos;&lt;' to='" + aliceJID + "/none'><a xmlns='x'/></iq>")[0], "id='&apos;&lt;'", "to='"+bob.jid+"'")
}

// TestLargePresence: what each contact gets at log-in would fill the queues of slow ones.
func TestLargePresence(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.friends()
	status := func(n int) string { return "<presence><status>" + strings.Repeat("x", n) + "</status></presence>" }
	got := alice.then(status(11<<10), bob)
	has(t, "alice", got[0], "<presence type='error'", "<policy-violation")
	nothing(t, "bob", got[1])
	has(t, "bob", alice.then(status(9<<10), bob)[1], "<status>xxx")
}

// TestLargeRequests: the requests of many strangers wait for a person and all come at log-in.
func TestLargeRequests(t *testing.T) {
	s := start(t, options{})
	alice := s.online("alice", "a", "<presence/>")
	alice.then("<presence type='subscribe' to='" + bobJID + "'><status>" + strings.Repeat("x", 2000) + "</status></presence>")
	bob := s.login("bob", "b")
	got := bob.then("<presence/>")[0]
	has(t, "bob", got, "<presence type='subscribe'")
	if strings.Contains(got, "xxx") {
		t.Error("a large request was stored whole")
	}
}
