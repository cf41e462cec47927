package mam_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trivium/xmpp"
	"trivium/xmpp/mam"
	. "trivium/xmpp/xmpptest"
)

func TestBothArchives(t *testing.T) {
	s := start(t, nil)
	alice, laptop, bob := s.Online("alice", "phone"), s.Online("alice", "laptop"), s.Online("bob", "b")
	Quiet(alice, laptop, bob)
	laptop.Ask("set", "", "<enable xmlns='urn:xmpp:carbons:2'/>")

	got := alice.Then("<message type='chat' to='"+bob.JID+"' id='1'><body>hello</body><stanza-id xmlns='urn:xmpp:sid:0' by='"+Bob+"' id='forged'/></message>", bob, laptop)
	Nothing(t, "alice", got[0])
	if strings.Contains(got[1], "forged") {
		t.Errorf("bob got the id that the sender made up: %q", got[1])
	}
	ids := stanzaIDForm.FindStringSubmatch(got[1])
	own := stanzaIDForm.FindStringSubmatch(got[2])
	if ids == nil || ids[1] != Bob || own == nil || own[1] != Alice || ids[2] == own[2] {
		t.Fatalf("ids %q and %q in %q and %q", ids, own, got[1], got[2])
	}
	for who, id := range map[*Client]string{bob: ids[2], alice: own[2], laptop: own[2]} {
		a := page(t, who, "")
		if len(a.list) != 1 || a.list[0].id != id || a.first != id || a.last != id || !a.complete {
			t.Fatalf("the archive of %s: %+v, want the one message %s", who.JID, a, id)
		}
		want := "<message xmlns='jabber:client' type='chat' id='1' from='" + alice.JID + "' to='" + bob.JID + "'"
		if r := a.list[0]; !strings.HasPrefix(r.stanza, want) || strings.Contains(r.stanza, "stanza-id") || !strings.HasSuffix(r.stanza, "<body>hello</body></message>") {
			t.Errorf("stored is %q", r.stanza)
		}
		if at, err := time.Parse(time.RFC3339, a.list[0].stamp); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("stamp %q", a.list[0].stamp)
		}
	}
	if a := page(t, s.Online("carol@second.example", "c"), ""); len(a.list) != 0 || !a.complete {
		t.Errorf("carol's archive: %+v", a)
	}
}

func TestWhatIsStored(t *testing.T) {
	s := start(t, nil)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	for i, tt := range []struct {
		name, typ, inner string
		stored           bool
	}{
		{"chat", "chat", "<body>x</body>", true},
		{"normal", "normal", "<body>x</body>", true},
		{"without type", "", "<body>x</body>", true},
		{"headline", "headline", "<body>x</body>", false},
		{"headline to store", "headline", "<body>x</body><store xmlns='urn:xmpp:hints'/>", true},
		{"groupchat", "groupchat", "<body>x</body>", false},
		{"error", "error", "<body>x</body><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error><store xmlns='urn:xmpp:hints'/>", false},
		{"typing", "chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", false},
		{"active with text", "chat", "<body>x</body><active xmlns='http://jabber.org/protocol/chatstates'/>", true},
		{"receipt", "chat", "<received xmlns='urn:xmpp:receipts' id='1'/>", true},
		{"asks for a receipt alone", "chat", "<request xmlns='urn:xmpp:receipts'/>", false},
		{"marker", "chat", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true},
		{"reaction", "chat", "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>x</reaction></reactions>", true},
		{"enciphered", "chat", "<encrypted xmlns='urn:xmpp:omemo:2'/>", true},
		{"invitation", "normal", "<x xmlns='jabber:x:conference' jid='a@b'/>", true},
		{"no store", "chat", "<body>x</body><no-store xmlns='urn:xmpp:hints'/>", false},
		{"no permanent store", "chat", "<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>", false},
		{"both hints", "chat", "<body>x</body><store xmlns='urn:xmpp:hints'/><no-store xmlns='urn:xmpp:hints'/>", false},
		{"to store", "chat", "<data xmlns='urn:example'/><store xmlns='urn:xmpp:hints'/>", true},
		{"body of another namespace", "chat", "<body xmlns='urn:example'>x</body>", false},
	} {
		before := len(page(t, bob, "").list)
		typ := ""
		if tt.typ != "" {
			typ = " type='" + tt.typ + "'"
		}
		got := alice.Then(fmt.Sprintf("<message%s to='%s' id='w%d'>%s</message>", typ, bob.JID, i, tt.inner), bob)
		Has(t, tt.name, got[1], "<message")
		after := page(t, bob, "")
		if stored := len(after.list) > before; stored != tt.stored {
			t.Errorf("%s: stored %v", tt.name, stored)
		}
		if strings.Contains(got[1], "<stanza-id") != tt.stored {
			t.Errorf("%s: delivered was %q", tt.name, got[1])
		}
		if a := page(t, alice, ""); len(a.list) != len(after.list) {
			t.Errorf("%s: the archives differ", tt.name)
		}
	}
}

// Who is not there finds the message later; who is not at all is answered for.
func TestNobodyThere(t *testing.T) {
	s := start(t, nil)
	alice := s.Online("alice", "a")
	Nothing(t, "alice", alice.Then(say(Bob, "1", "later"))[0])
	Has(t, "alice", alice.Then(say("nobody@"+Host, "2", "never"))[0], "<service-unavailable")
	Has(t, "alice", alice.Then("<message to='" + Bob + "/gone' id='3'><body>never</body></message>")[0], "<service-unavailable")
	if a := page(t, alice, ""); a.bodies() != "later" {
		t.Errorf("alice has %q", a.bodies())
	}
	if a := page(t, s.Login("bob", "b"), ""); a.bodies() != "later" {
		t.Errorf("bob has %q", a.bodies())
	}
}

// What a client sends again is in the archives once. By an origin-id it is known for sure, and goes
// no further; by a plain id only from clients with XEP-0198, and the recipient gets it.
func TestSentAgain(t *testing.T) {
	s := start(t, nil)
	bob := s.Online("bob", "b")
	old := "<message type='chat' to='" + Bob + "' id='2'><body>old client</body></message>"
	for round, tt := range []struct {
		smacks         bool
		message, heard string
		archived       int
	}{
		{true, say(Bob, "1", "once") + old, "once old client", 2},
		{true, say(Bob, "1", "once") + old, "old client", 2},
		{false, say(Bob, "1", "once") + old, "old client", 3},
		{true, strings.Replace(old, "old client", "counts anew", 1), "counts anew", 4},
	} {
		alice := s.Online("alice", fmt.Sprint("a", round))
		if tt.smacks {
			alice.Send("<enable xmlns='urn:xmpp:sm:3'/>")
			alice.Expect("<enabled xmlns='urn:xmpp:sm:3'")
			alice.Expect(">")
		}
		Quiet(bob)
		got := alice.Then(tt.message, bob)
		Nothing(t, "alice", got[0])
		var heard []string
		for _, part := range strings.Split(got[1], "<body>")[1:] {
			text, _, _ := strings.Cut(part, "</body>")
			heard = append(heard, text)
		}
		if strings.Join(heard, " ") != tt.heard {
			t.Errorf("round %d: bob heard %q, want %q", round, heard, tt.heard)
		}
		if a := page(t, bob, ""); len(a.list) != tt.archived {
			t.Errorf("round %d: the archive has %q", round, a.bodies())
		}
	}
}

func TestPrefs(t *testing.T) {
	s := start(t, nil)
	alice, bob := s.Friends()
	s.Add("dave")
	Has(t, "alice", alice.Ask("get", "", "<prefs xmlns='"+ns+"'/>"), "<prefs xmlns='"+ns+"' default='always'><always></always><never></never></prefs>")
	n := 0
	stored := func(to string) bool {
		t.Helper()
		n++
		before := len(page(t, alice, "").list)
		alice.Send(say(to, fmt.Sprint(n), "x"))
		alice.Settle()
		return len(page(t, alice, "").list) > before
	}
	set := func(def, always, never string) {
		t.Helper()
		el := "<prefs xmlns='" + ns + "' default='" + def + "'><always>" + always + "</always><never>" + never + "</never></prefs>"
		Has(t, "alice", alice.Ask("set", "", el), el)
		Has(t, "alice", alice.Ask("get", "", "<prefs xmlns='"+ns+"'/>"), el)
	}
	for _, tt := range []struct {
		def, always, never string
		bob, dave          bool
	}{
		{"never", "", "", false, false},
		{"never", "<jid>dave@" + Host + "</jid>", "", false, true},
		{"always", "", "<jid>" + Bob + "</jid>", false, true},
		{"always", "", "<jid>" + Bob + "/other</jid>", true, true},
		{"roster", "", "", true, false},
		{"roster", "<jid>dave@" + Host + "</jid>", "<jid>" + Bob + "</jid>", false, true},
	} {
		set(tt.def, tt.always, tt.never)
		if got := stored(Bob); got != tt.bob {
			t.Errorf("%+v: bob %v", tt, got)
		}
		if got := stored("dave@" + Host); got != tt.dave {
			t.Errorf("%+v: dave %v", tt, got)
		}
	}
	if got := len(page(t, bob, "").list); got != 6 {
		t.Errorf("bob, who wants all, has %d messages", got)
	}
	for _, tt := range []struct{ el, want string }{
		{"<prefs xmlns='" + ns + "' default='maybe'/>", "bad-request"},
		{"<prefs xmlns='" + ns + "'/>", "bad-request"},
		{"<prefs xmlns='" + ns + "' default='always'><never><jid>@</jid></never></prefs>", "jid-malformed"},
		{"<prefs xmlns='" + ns + "' default='always'><never>" + strings.Repeat("<jid>a@b</jid>", 1001) + "</never></prefs>", "not-acceptable"},
	} {
		Has(t, tt.el, alice.Ask("set", "", tt.el), "<"+tt.want+" ")
	}
}

func TestRetract(t *testing.T) {
	s := start(t, nil)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	retract := func(to, id, of string) string {
		return "<message type='chat' to='" + to + "' id='" + id + "'><retract xmlns='urn:xmpp:message-retract:1' id='" + of + "'/><body>/me took it back</body></message>"
	}
	alice.Then(say(Bob, "m1", "secret")+"<message type='chat' to='"+Bob+"' id='m2'><body>hidden</body><origin-id xmlns='urn:xmpp:sid:0' id='o2'/></message>"+say(Bob, "m3", "stays"), bob)
	before := page(t, alice, "")
	// somebody else's message stays
	bob.Then(retract(Alice, "r0", "m3"))
	if a := page(t, bob, ""); !strings.Contains(a.bodies(), "stays") {
		t.Errorf("bob took back what alice has written: %q", a.bodies())
	}
	alice.Then(retract(Bob, "r1", "m1")+retract(Bob, "r2", "m2")+retract(Carol, "r3", "m3")+retract(Bob, "r4", "unknown"), bob)
	for _, c := range []*Client{alice, bob} {
		a := page(t, c, form(field("with", map[*Client]string{alice: Bob, bob: Alice}[c])))
		var all string
		for _, r := range a.list {
			all += r.stanza + "\n"
		}
		if strings.Contains(all, "secret") || strings.Contains(all, "hidden") {
			t.Errorf("%s still has %s", c.JID, all)
		}
		Has(t, c.JID, all,
			"<message xmlns='jabber:client' type='chat' id='m1' from='"+alice.JID+"' to='"+Bob+"'><retracted xmlns='urn:xmpp:message-retract:1' id='r1' stamp='",
			"id='m2' from='"+alice.JID+"' to='"+Bob+"'><retracted xmlns='urn:xmpp:message-retract:1' id='r2' stamp='", "stays", "id='r1'", "id='r2'", "id='r4'")
		if c == alice && (a.list[0].id != before.list[0].id || a.list[0].stamp != before.list[0].stamp) {
			t.Errorf("the tombstone is not in its place: %+v", a.list[0])
		}
	}
}

// A prefix for jabber:client, and a default namespace of one's own, mean in the archive what they
// meant on the way.
func TestNamespaces(t *testing.T) {
	s := start(t, nil)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	alice.Then("<c:message xmlns:c='jabber:client' type='chat' to='"+Bob+"'><body>one</body></c:message>"+
		"<message xmlns='jabber:client' type='chat' to='"+Bob+"'><body>two</body></message>"+
		"<c:message xmlns:c='jabber:client' xmlns='urn:example' type='chat' to='"+Bob+"'><c:body>three</c:body><other/></c:message>", bob)
	a := page(t, bob, "")
	if len(a.list) != 3 {
		t.Fatalf("stored: %+v", a.list)
	}
	for i, r := range a.list {
		el, err := xmpp.ParseElement([]byte("<forwarded xmlns='urn:xmpp:forward:0'>" + r.stanza + "</forwarded>"))
		Must(t, err)
		m, ok := el.Only("jabber:client", "message")
		if !ok || !m.Has("jabber:client", "body") || i == 2 && !m.Has("urn:example", "other") {
			t.Errorf("stored: %q", r.stanza)
		}
	}
}

// An archive goes with its account, and what is too much goes by itself.
func TestSweep(t *testing.T) {
	s := start(t, func(o *mam.Options) { o.Keep = 3 })
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	for i := range 5 {
		alice.Send(say(Bob, fmt.Sprint(i), fmt.Sprint(i)))
	}
	Quiet(alice, bob)
	for more := true; more; {
		var err error
		more, err = s.module.Sweep(t.Context())
		Must(t, err)
	}
	if a := page(t, bob, ""); a.bodies() != "2 3 4" {
		t.Errorf("bob has %q", a.bodies())
	}
	account, err := s.Identity.User(t.Context(), "alice")
	Must(t, err)
	Must(t, s.Identity.RemoveUser(t.Context(), Actor(), "alice"))
	_, err = s.module.Sweep(t.Context())
	Must(t, err)
	if p, err := s.store.Page(t.Context(), account.ID, mam.Query{Max: 10}); err != nil || len(p.Messages) != 0 {
		t.Errorf("what is left of alice: %+v, %v", p, err)
	}
	if a := page(t, bob, ""); a.bodies() != "2 3 4" {
		t.Errorf("bob has %q", a.bodies())
	}
}
