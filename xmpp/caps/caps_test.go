package caps_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/caps"
	"trivium/xmpp/xmpptest"
)

// probe tells a test which streams there are, and when one's features have become known.
type probe struct {
	caps *caps.Caps

	mu      sync.Mutex
	streams map[string]*xmpp.Stream
	learned chan string
}

func (p *probe) Register(reg *xmpp.Registrar) {
	reg.Up(func(_ context.Context, s *xmpp.Stream) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.streams[s.FullJID()] = s
	})
}

func (p *probe) features(c *xmpptest.Client) ([]string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.caps.Features(p.streams[c.JID])
}

func (p *probe) wait(t *testing.T, who string) {
	t.Helper()
	select {
	case got := <-p.learned:
		if got != who {
			t.Fatalf("%s was learned, want %s", got, who)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing of %s was learned", who)
	}
}

func start(t *testing.T) (*xmpptest.Site, *probe) {
	c := caps.New()
	p := &probe{caps: c, streams: map[string]*xmpp.Stream{}, learned: make(chan string, 100)}
	c.Learned(func(_ context.Context, s *xmpp.Stream) { p.learned <- s.FullJID() })
	return xmpptest.Start(t, xmpptest.Options{
		Modules: func(*sqldb.DB, *identity.Service) []xmpp.Module { return []xmpp.Module{c, p} },
	}), p
}

// client is a kind of client: the children of its answer, and their hash.
type client struct{ children, ver string }

func newClient(features ...string) client {
	s := "client/pc//X<"
	children := "<identity category='client' type='pc' name='X'/>"
	slices.Sort(features)
	for _, f := range features {
		s += f + "<"
		children += "<feature var='" + f + "'/>"
	}
	h := sha1.Sum([]byte(s))
	return client{children, base64.StdEncoding.EncodeToString(h[:])}
}

func (c client) presence() string {
	return "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://x' ver='" + c.ver + "'/></presence>"
}

var asked = regexp.MustCompile(`<iq type='get' id='([^']+)' from='([^']+)' to='([^']+)'><query xmlns='http://jabber.org/protocol/disco#info' node='([^']+)'/></iq>`)

// question is what the server asked in text; nil for nothing.
func question(text string) []string { return asked.FindStringSubmatch(text) }

func (c client) answer(q []string) string {
	return "<iq type='result' id='" + q[1] + "' to='" + q[2] + "'><query xmlns='http://jabber.org/protocol/disco#info' node='" + q[4] + "'>" + c.children + "</query></iq>"
}

func TestAskedOnceForAll(t *testing.T) {
	s, p := start(t)
	kind := newClient("a+notify", "b")
	alice, bob := s.Login("alice", "a"), s.Login("bob", "b")
	q := question(alice.Then(kind.presence())[0])
	if q == nil || q[2] != xmpptest.Alice || q[3] != alice.JID || q[4] != "http://x#"+kind.ver {
		t.Fatalf("alice was asked %q", q)
	}
	if _, ok := p.features(alice); ok {
		t.Error("features are known before the answer")
	}
	alice.Send(kind.answer(q))
	p.wait(t, alice.JID)
	if got, _ := p.features(alice); !slices.Equal(got, []string{"a+notify", "b"}) {
		t.Errorf("features %q", got)
	}
	if text := bob.Then(kind.presence())[0]; question(text) != nil {
		t.Errorf("bob was asked what is known: %q", text)
	}
	if got, _ := p.features(bob); !slices.Equal(got, []string{"a+notify", "b"}) {
		t.Errorf("features of bob %q", got)
	}
	if text := bob.Then("<presence><show>away</show></presence>")[0]; question(text) != nil {
		t.Errorf("a presence without caps: %q", text)
	}
	if _, ok := p.features(bob); !ok {
		t.Error("a presence without caps made features unknown")
	}
}

// A client that announces another one's hash and answers something else speaks for itself alone.
func TestForged(t *testing.T) {
	s, p := start(t)
	kind := newClient("a+notify")
	mallory, bob := s.Login("alice", "m"), s.Login("bob", "b")
	q := question(mallory.Then(kind.presence())[0])
	mallory.Send(newClient("evil").answer(q))
	p.wait(t, mallory.JID)
	if got, _ := p.features(mallory); !slices.Equal(got, []string{"evil"}) {
		t.Errorf("features of the forger: %q", got)
	}
	q = question(bob.Then(kind.presence())[0])
	if q == nil {
		t.Fatal("a forged answer counts for others")
	}
	bob.Send(kind.answer(q))
	p.wait(t, bob.JID)
	if got, _ := p.features(bob); !slices.Equal(got, []string{"a+notify"}) {
		t.Errorf("features of bob: %q", got)
	}
	// Nobody can answer for another: the id is right, and the sender is not.
	q = question(bob.Then(newClient("z").presence())[0])
	mallory.Then(newClient("z").answer(q))
	if got, _ := p.features(bob); !slices.Equal(got, []string{"a+notify"}) {
		t.Errorf("another's answer counts: %q", got)
	}
}

// Those who wait for another's answer are told, whether that comes or not.
func TestWaiting(t *testing.T) {
	s, p := start(t)
	kind := newClient("a+notify")
	one, two := s.Login("alice", "1"), s.Login("alice", "2")
	q := question(one.Then(kind.presence())[0])
	if text := two.Then(kind.presence())[0]; question(text) != nil {
		t.Fatalf("two clients of one account are asked at one time: %q", text)
	}
	one.Send("<iq type='error' id='" + q[1] + "' to='" + q[2] + "'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
	p.wait(t, one.JID)
	xmpptest.Eventually(t, "another is asked after an error", func() bool {
		q = question(two.Settle())
		return q != nil
	})
	two.Send(kind.answer(q))
	p.wait(t, two.JID)
	if got, _ := p.features(one); len(got) != 0 {
		t.Errorf("one who answered an error has %q", got)
	}
}

func TestUnknownHash(t *testing.T) {
	s, p := start(t)
	alice, bob := s.Login("alice", "a"), s.Login("bob", "b")
	for _, c := range []*xmpptest.Client{alice, bob} {
		q := question(c.Then("<presence><c xmlns='http://jabber.org/protocol/caps' hash='md5' node='http://x' ver='1'/></presence>")[0])
		if q == nil {
			t.Fatal("not asked")
		}
		c.Send(newClient("a").answer(q))
		p.wait(t, c.JID)
	}
}

func TestHashOf0390(t *testing.T) {
	s, p := start(t)
	alice := s.Login("alice", "a")
	// XEP-0390 section 4.4.1
	q := question(alice.Then("<presence><c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='unknown'>x</hash>" +
		"<hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=</hash></c></presence>")[0])
	if q == nil || q[4] != "urn:xmpp:caps#sha-256.kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=" {
		t.Fatalf("asked %q", q)
	}
	alice.Send(newClient("a").answer(q))
	p.wait(t, alice.JID)
}

// Changing hashes are not asked about without end, and keep no memory.
func TestHostileHashes(t *testing.T) {
	s, _ := start(t)
	alice := s.Login("alice", "a")
	n := 0
	for i := range 40 {
		text := alice.Then("<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://x' ver='" + strings.Repeat("x", i+1) + "'/></presence>")[0]
		n += len(asked.FindAllString(text, -1))
	}
	if n != 10 {
		t.Errorf("asked %d times", n)
	}
}

var offered = regexp.MustCompile(`<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='(urn:trivium)' ver='([^']+)'/><c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>([^<]+)</hash>`)

func TestOwn(t *testing.T) {
	s, _ := start(t)
	alice := s.Login("alice", "a")
	m := offered.FindStringSubmatch(alice.Features)
	if m == nil {
		t.Fatalf("features %q", alice.Features)
	}
	all := alice.Ask("get", xmpptest.Host, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	xmpptest.Has(t, "alice", all, "<feature var='http://jabber.org/protocol/caps'/>", "<feature var='urn:xmpp:caps'/>")
	children := func(text string) string {
		_, rest, _ := strings.Cut(text, "<identity")
		return rest
	}
	for _, node := range []string{m[1] + "#" + m[2], "urn:xmpp:caps#sha-256." + m[3]} {
		got := alice.Ask("get", xmpptest.Host, "<query xmlns='http://jabber.org/protocol/disco#info' node='"+node+"'/>")
		xmpptest.Has(t, "alice", got, "node='"+node+"'")
		if children(got) != children(all) || children(got) == "" {
			t.Errorf("node %s: got\n%s, want\n%s", node, got, all)
		}
	}
	xmpptest.Has(t, "alice", alice.Ask("get", xmpptest.Host, "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:trivium#x'/>"), "item-not-found")

	var vars []string
	for _, f := range regexp.MustCompile(`<feature var='([^']+)'/>`).FindAllStringSubmatch(all, -1) {
		vars = append(vars, f[1])
	}
	h := sha1.Sum([]byte("server/im//Trivium<" + strings.Join(vars, "<") + "<"))
	if want := base64.StdEncoding.EncodeToString(h[:]); m[2] != want {
		t.Errorf("ver %s, want %s", m[2], want)
	}
}

// Who has left, or announces something else by now, does not wait for a hash to be explained.
func TestWhoHasLeftDoesNotWait(t *testing.T) {
	s, p := start(t)
	held, other := newClient("held"), newClient("other")
	first, second := s.Login("alice", "first"), s.Login("alice", "second")
	xmpptest.Has(t, "alice", first.Then(held.presence())[0], "disco#info")
	second.Then(held.presence())
	if n := p.caps.Waiting(); n != 1 {
		t.Fatalf("%d wait, want 1", n)
	}
	second.Then(other.presence())
	if n := p.caps.Waiting(); n != 0 {
		t.Errorf("%d wait for what they do not announce any more", n)
	}
	third := s.Login("alice", "third")
	third.Then(held.presence())
	if n := p.caps.Waiting(); n != 1 {
		t.Fatalf("%d wait, want 1", n)
	}
	third.Close()
	xmpptest.Eventually(t, "nobody waits", func() bool { return p.caps.Waiting() == 0 })
}
