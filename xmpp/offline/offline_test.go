package offline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/offline"
	"trivium/xmpp/sqlstore"
	. "trivium/xmpp/xmpptest"
)

func site(t *testing.T, max int) (*Site, *sqlstore.Store) {
	var store *sqlstore.Store
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		store = sqlstore.New(db)
		return []xmpp.Module{offline.New(offline.Options{Store: store, Max: max})}
	}})
	return s, store
}

// archive keeps all messages, as far as others know.
type archive struct{}

func (archive) Register(reg *xmpp.Registrar) {
	reg.Accept(func(_ context.Context, m *xmpp.Message) { m.Kept = true })
}

// What the archive has waits as well, for clients that do not look there; that the list is full is
// nobody's concern then.
func TestBesideTheArchive(t *testing.T) {
	var store *sqlstore.Store
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		store = sqlstore.New(db)
		return []xmpp.Module{archive{}, offline.New(offline.Options{Store: store, Max: 300})}
	}})
	bob, err := s.Identity.User(t.Context(), "bob")
	Must(t, err)
	alice := s.Online("alice", "a")
	for i := range 400 {
		alice.Send(message("chat", Bob, fmt.Sprint(i), fmt.Sprintf("<body>no %d</body>", i)))
	}
	Nothing(t, "alice", alice.Settle())
	Eventually(t, "300 are kept", func() bool {
		n, err := store.Count(t.Context(), bob.ID)
		Must(t, err)
		return n == 300
	})
	got := s.Login("bob", "b").Then("<presence/>")[0]
	Has(t, "bob", got, "<body>no 0</body>", "<body>no 150</body>", "<body>no 299</body>")
	if strings.Contains(got, "no 300<") {
		t.Error("more than the list holds came")
	}
	empty(t, s, store)
}

func message(typ, to, id, children string) string {
	return "<message type='" + typ + "' to='" + to + "' id='" + id + "'>" + children + "</message>"
}

// empty waits until nothing waits for bob.
func empty(t *testing.T, s *Site, store *sqlstore.Store) {
	t.Helper()
	bob, err := s.Identity.User(t.Context(), "bob")
	Must(t, err)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		n, err := store.Count(t.Context(), bob.ID)
		Must(t, err)
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d still wait", n)
		}
	}
}

func TestFlood(t *testing.T) {
	s, store := site(t, 100)
	alice := s.Online("alice", "a")
	got := alice.Then(message("chat", Bob, "1", "<body>one</body>") + message("normal", Bob, "2", "<body>two</body>") + message("chat", Bob+"/gone", "3", "<received xmlns='urn:xmpp:receipts' id='x'/>"))
	Nothing(t, "alice", got[0])

	idle := s.Login("bob", "idle")
	idle.Send("<presence><priority>-1</priority></presence>")
	if text := idle.Settle(); strings.Contains(text, "<message") {
		t.Errorf("a resource that takes no messages got %q", text)
	}
	bob := s.Online("bob", "b")
	bob2 := s.Login("bob", "second") // nothing is left for it
	if text := bob2.Then("<presence/>")[0]; strings.Contains(text, "<message") {
		t.Errorf("the second got %q", text)
	}
	again := alice.Then(message("chat", bob.JID, "4", "<body>now</body>"), bob)[1]
	Has(t, "bob", again, "now")
	empty(t, s, store)
}

func TestOrderAndDelay(t *testing.T) {
	s, store := site(t, 100)
	alice := s.Online("alice", "a")
	for i := range 50 {
		alice.Send(message("chat", Bob, fmt.Sprint(i), fmt.Sprintf("<body>no %d</body>", i)))
	}
	Nothing(t, "alice", alice.Settle())
	bob := s.Login("bob", "b")
	got := bob.Then("<presence/>")[0]
	var parts []string
	for i := range 50 {
		parts = append(parts, fmt.Sprintf("<message type='chat' id='%d' from='%s' to='%s'", i, alice.JID, Bob), fmt.Sprintf("<body>no %d</body>", i),
			"<delay xmlns='urn:xmpp:delay' from='"+Host+"' stamp='20", "Offline Storage</delay></message>")
	}
	Has(t, "bob", got, parts...)
	empty(t, s, store)
}

func TestWhatIsKept(t *testing.T) {
	s, _ := site(t, 100)
	alice := s.Online("alice", "a")
	for _, tt := range []struct {
		name, stanza string
		kept         bool
	}{
		{"chat", message("chat", Bob, "1", "<body>x</body>"), true},
		{"no type", "<message to='" + Bob + "' id='1'><body>x</body></message>", true},
		{"encrypted", message("chat", Bob, "1", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>"), true},
		{"chat state alone", message("chat", Bob, "1", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"), false},
		{"empty", message("chat", Bob, "1", ""), false},
		{"headline", message("headline", Bob, "1", "<body>x</body>"), false},
		{"groupchat", message("groupchat", Bob, "1", "<body>x</body>"), false},
		{"no-store", message("chat", Bob, "1", "<body>x</body><no-store xmlns='urn:xmpp:hints'/>"), false},
		{"no-permanent-store", message("chat", Bob, "1", "<body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/>"), false},
		{"nobody", message("chat", "nobody@"+Host, "1", "<body>x</body>"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := alice.Then(tt.stanza)[0]
			if refused := strings.Contains(got, "<service-unavailable"); refused == tt.kept && tt.name != "headline" {
				t.Errorf("alice got %q", got)
			}
			bob := s.Login("bob", "b")
			if got := bob.Then("<presence/>")[0]; strings.Contains(got, "<message") != tt.kept {
				t.Errorf("bob got %q", got)
			}
			bob.Send("</stream:stream>")
			bob.Rest()
		})
	}
}

func TestFull(t *testing.T) {
	s, _ := site(t, 3)
	alice := s.Online("alice", "a")
	for range 3 {
		Nothing(t, "alice", alice.Then(message("chat", Bob, "1", "<body>x</body>"))[0])
	}
	Has(t, "alice", alice.Then(message("chat", Bob, "4", "<body>x</body>"))[0], "<message type='error' id='4'", "<service-unavailable")
}

func TestRetrieve(t *testing.T) {
	s, _ := site(t, 100)
	alice := s.Online("alice", "a")
	for i := range 3 {
		alice.Send(message("chat", Bob, fmt.Sprint(i), fmt.Sprintf("<body>no %d</body>", i)))
	}
	alice.Settle()
	bob := s.Login("bob", "b")
	const node = " node='http://jabber.org/protocol/offline'/>"
	Has(t, "count", bob.Ask("get", "", "<query xmlns='http://jabber.org/protocol/disco#info'"+node), "type='message-list'", "<value>3</value>")
	headers := bob.Ask("get", "", "<query xmlns='http://jabber.org/protocol/disco#items'"+node)
	Has(t, "headers", headers, "<item jid='"+Bob+"' node='", "' name='"+alice.JID+"'/>")
	var nodes []string
	for _, part := range strings.Split(headers, " node='")[2:] {
		n, _, _ := strings.Cut(part, "'")
		nodes = append(nodes, n)
	}
	if len(nodes) != 3 {
		t.Fatalf("nodes %q", nodes)
	}
	if got := bob.Then("<presence/>")[0]; strings.Contains(got, "<message") {
		t.Errorf("who asked got a flood: %q", got)
	}
	item := func(action, node string) string {
		return "<offline xmlns='http://jabber.org/protocol/offline'><item action='" + action + "' node='" + node + "'/></offline>"
	}
	Has(t, "view", bob.Ask("get", "", item("view", nodes[1])), "<message", "no 1", "<offline xmlns='http://jabber.org/protocol/offline'><item node='"+nodes[1]+"'/></offline>", "<delay", "<iq type='result' id='q'")
	Has(t, "remove", bob.Ask("set", "", item("remove", nodes[1])), "<iq type='result' id='q'")
	Has(t, "what is gone", bob.Ask("get", "", item("view", nodes[1])), "<item-not-found")
	Has(t, "what is gone", bob.Ask("set", "", item("remove", nodes[1])), "<item-not-found")
	Has(t, "nonsense", bob.Ask("set", "", item("remove", "1")), "<item-not-found")
	Has(t, "nonsense", bob.Ask("get", "", item("remove", nodes[0])), "<bad-request")
	Has(t, "all", bob.Ask("get", "", "<offline xmlns='http://jabber.org/protocol/offline'><fetch/></offline>"), "no 0", "no 2", "<iq type='result' id='q'")
	Has(t, "purge", bob.Ask("set", "", "<offline xmlns='http://jabber.org/protocol/offline'><purge/></offline>"), "<iq type='result' id='q'")
	Has(t, "count", bob.Ask("get", "", "<query xmlns='http://jabber.org/protocol/disco#info'"+node), "<value>0</value>")
	Has(t, "a stranger", alice.Ask("get", Bob, "<query xmlns='http://jabber.org/protocol/disco#info'"+node), "<service-unavailable")
}

// archives is a module that stands for the archive: it has all that says so.
type archives struct{}

func (archives) Register(reg *xmpp.Registrar) {
	reg.Accept(func(_ context.Context, m *xmpp.Message) {
		if m.Has("urn:example", "archive") {
			m.Kept = true
			m.Add("<stanza-id xmlns='urn:xmpp:sid:0' by='" + m.Recipient.String() + "' id='1'/>")
		}
	})
}

// slow is a store whose Keep waits.
type slow struct {
	*sqlstore.Store
	in, open chan struct{}
}

func (s slow) Keep(ctx context.Context, list []offline.Waiting, max int) ([]bool, error) {
	s.in <- struct{}{}
	<-s.open
	return s.Store.Keep(ctx, list, max)
}

// A client that comes while a message is being kept gets it, and not at its next log-in.
func TestLate(t *testing.T) {
	for _, more := range []string{"", "<archive xmlns='urn:example'/>"} {
		t.Run(more, func(t *testing.T) {
			st := slow{nil, make(chan struct{}), make(chan struct{})}
			s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
				st.Store = sqlstore.New(db)
				return []xmpp.Module{archives{}, offline.New(offline.Options{Store: st, Max: 100})}
			}})
			alice := s.Online("alice", "a")
			alice.Send(message("chat", Bob, "1", "<body>late</body>"+more))
			<-st.in
			bob := s.Login("bob", "b")
			if got := bob.Then("<presence/>")[0]; strings.Contains(got, "<message") {
				t.Fatalf("bob got %q", got)
			}
			close(st.open)
			bob.Expect("<body>late</body>")
			empty(t, s, st.Store)
		})
	}
}

// What a client has not acknowledged another one of the account gets, whatever the message says of
// having waited before.
func TestAnother(t *testing.T) {
	s, store := site(t, 1)
	alice, phone, laptop := s.Online("alice", "a"), s.Online("bob", "phone"), s.Login("bob", "laptop")
	Quiet(alice)
	phone.Send("<presence><priority>5</priority></presence><enable xmlns='urn:xmpp:sm:3'/>")
	phone.Expect("<enabled")
	laptop.Send("<presence/>")
	laptop.Settle()
	alice.Send(message("chat", Bob, "1", "<body>once</body><delay xmlns='urn:xmpp:delay' from='"+Host+"' stamp='2020-01-01T00:00:00Z'>Offline Storage</delay>"))
	phone.Expect("<body>once</body>")
	phone.Close()
	if got := laptop.Expect("<body>once</body>"); strings.Contains(got, "2020") {
		t.Errorf("laptop got %q", got)
	}
	empty(t, s, store)
}

// Who comes and goes has each message once, whether something waited at their last log-in or not.
func TestComingAndGoing(t *testing.T) {
	s, store := site(t, 100)
	alice := s.Online("alice", "a")
	for i := range 3 {
		for range 2 { // the second time it is known that nothing waits
			bob := s.Online("bob", "b")
			if text := bob.Settle(); strings.Contains(text, "<message") {
				t.Errorf("round %d: %q has come again", i, text)
			}
			bob.Send("</stream:stream>")
			bob.Rest()
		}
		Nothing(t, "alice", alice.Then(message("chat", Bob, fmt.Sprint(i), fmt.Sprintf("<body>word %d</body>", i)))[0])
		bob := s.Login("bob", "b")
		Has(t, "bob", bob.Then("<presence/>")[0], fmt.Sprintf("word %d", i))
		empty(t, s, store)
		bob.Send("</stream:stream>")
		bob.Rest()
	}
}

// What was on its way to an account while that was removed does not stay.
func TestNothingStaysOfTheRemoved(t *testing.T) {
	for _, more := range []string{"", "<archive xmlns='urn:example'/>"} {
		t.Run(more, func(t *testing.T) {
			st := slow{nil, make(chan struct{}), make(chan struct{})}
			s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
				st.Store = sqlstore.New(db)
				return []xmpp.Module{archives{}, offline.New(offline.Options{Store: st, Max: 100})}
			}})
			bob, err := s.Identity.User(t.Context(), "bob")
			Must(t, err)
			alice := s.Online("alice", "a")
			alice.Send(message("chat", Bob, "1", "<body>late</body>"+more))
			<-st.in
			alice.Send(message("chat", Carol, "2", "<body>after it</body>"+more))
			Must(t, s.Identity.RemoveUser(t.Context(), Actor(), "bob"))
			Must(t, s.Server.Remove(t.Context(), bob.ID))
			st.open <- struct{}{}
			<-st.in // the first has been written, and what follows it is next
			n, err := st.Count(t.Context(), bob.ID)
			Must(t, err)
			if n != 0 {
				t.Errorf("%d messages wait for nobody", n)
			}
			close(st.open)
			alice.Settle()
		})
	}
}
