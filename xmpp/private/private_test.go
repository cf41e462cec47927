package private_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/private"
	"trivium/xmpp/sqlstore"
	. "trivium/xmpp/xmpptest"
)

const (
	marks = "urn:xmpp:bookmarks:1"
	old   = "storage:bookmarks"
)

func site(t *testing.T) (*Site, *Nodes, xmpp.Owner) {
	nodes := &Nodes{}
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		return []xmpp.Module{private.New(sqlstore.New(db), nodes)}
	}})
	a, err := s.Identity.User(t.Context(), "alice")
	Must(t, err)
	return s, nodes, xmpp.Owner{Address: xmpp.NewAddress(string(a.Login), a.Domain), ID: a.ID}
}

func query(children string) string {
	return "<query xmlns='jabber:iq:private'>" + children + "</query>"
}

func TestPrivate(t *testing.T) {
	s, _, _ := site(t)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	Has(t, "nothing yet", alice.Ask("get", "", query("<x xmlns='urn:x'/>")), query("<x xmlns='urn:x'/>"))
	Has(t, "set", alice.Ask("set", "", query("<x xmlns='urn:x'>1</x><p:y xmlns:p='urn:y' p:a='&lt;'/>")), "<iq type='result'")
	Has(t, "get", alice.Ask("get", "", query("<x xmlns='urn:x'/>")), query("<x xmlns='urn:x'>1</x>"))
	Has(t, "get", alice.Ask("get", "", query("<y xmlns='urn:y'/>")), query("<p:y xmlns:p='urn:y' p:a='&lt;'/>"))
	Has(t, "bob has none", bob.Ask("get", "", query("<x xmlns='urn:x'/>")), query("<x xmlns='urn:x'/>"))
	Has(t, "another's", bob.Ask("get", Alice, query("<x xmlns='urn:x'/>")), "<service-unavailable")
	for _, tt := range []struct{ name, typ, children, want string }{
		{"two at once", "get", "<x xmlns='urn:x'/><y xmlns='urn:y'/>", "<bad-request"},
		{"none", "get", "", "<bad-request"},
		{"none", "set", "", "<bad-request"},
		{"in no namespace of its own", "set", "<x/>", "<not-acceptable"},
		{"in that of clients", "set", "<x xmlns='jabber:client'/>", "<not-acceptable"},
		{"too large", "set", "<x xmlns='urn:x'>" + strings.Repeat("x", 129<<10) + "</x>", "<policy-violation"},
	} {
		t.Run(tt.name, func(t *testing.T) { Has(t, "alice", alice.Ask(tt.typ, "", query(tt.children)), tt.want) })
	}
	var many strings.Builder
	for i := range 201 {
		fmt.Fprintf(&many, "<x xmlns='urn:x:%d'/>", i)
	}
	Has(t, "too many", alice.Ask("set", "", query(many.String())), "<policy-violation")
}

func payloads(t *testing.T, nodes *Nodes, me xmpp.Owner, node string) string {
	items, err := nodes.Items(t.Context(), me, me, node)
	Must(t, err)
	var b strings.Builder
	for _, i := range items {
		b.WriteString(i.ID + "=" + string(i.Payload) + "\n")
	}
	return b.String()
}

// Whichever form a client writes, the others say the same.
func TestBookmarks(t *testing.T) {
	s, nodes, me := site(t)
	alice := s.Online("alice", "a")
	const one, two = "<conference jid='one@rooms.example' name='One' autojoin='1'><nick>me</nick></conference>", "<conference jid='two@rooms.example'></conference>"
	Has(t, "set", alice.Ask("set", "", query("<storage xmlns='storage:bookmarks'>"+one+two+"<url name='dropped' url='http://x'/></storage>")), "<iq type='result'")
	if got, want := payloads(t, nodes, me, marks), "one@rooms.example=<conference xmlns='"+marks+"' name='One' autojoin='1'><nick>me</nick></conference>\ntwo@rooms.example=<conference xmlns='"+marks+"'></conference>\n"; got != want {
		t.Errorf("new form: %q, want %q", got, want)
	}
	all := "<storage xmlns='storage:bookmarks'>" + one + two + "</storage>"
	if got := payloads(t, nodes, me, old); got != "current="+all+"\n" {
		t.Errorf("old form: %q", got)
	}
	Has(t, "get", alice.Ask("get", "", query("<storage xmlns='storage:bookmarks'/>")), query(all))

	// A new client adds what the old form cannot say, and removes one.
	Must(t, nodes.Publish(t.Context(), me, marks, xmpp.Item{ID: "one@rooms.example", Payload: []byte("<conference xmlns='" + marks + "' name='One' autojoin='true'><nick>me</nick><extensions><x xmlns='urn:x'/></extensions></conference>")}, "whitelist", 0))
	Must(t, nodes.Retract(t.Context(), me, marks, "two@rooms.example"))
	Has(t, "get", alice.Ask("get", "", query("<storage xmlns='storage:bookmarks'/>")), "<conference jid='one@rooms.example' name='One' autojoin='true'><nick>me</nick></conference></storage>")

	// An old client publishes all: what is the same stays as it is, extensions stay.
	changes := nodes.Changes()
	Must(t, nodes.Publish(t.Context(), me, old, xmpp.Item{ID: "current", Payload: []byte("<storage xmlns='storage:bookmarks'>" + one + "</storage>")}, "whitelist", 1))
	Has(t, "kept", payloads(t, nodes, me, marks), "one@rooms.example=", "autojoin='true'", "<extensions><x xmlns='urn:x'/></extensions>")
	if got := nodes.Changes() - changes; got != 2 { // its own, and the old form in our words
		t.Errorf("%d changes", got)
	}
	Must(t, nodes.Publish(t.Context(), me, old, xmpp.Item{ID: "current", Payload: []byte("<storage xmlns='storage:bookmarks'><conference jid='one@rooms.example' name='Uno' autojoin='1'/></storage>")}, "whitelist", 1))
	Has(t, "changed", payloads(t, nodes, me, marks), "name='Uno' autojoin='1'>", "<extensions xmlns='"+marks+"'><x xmlns='urn:x'/></extensions></conference>")

	Has(t, "none left", alice.Ask("set", "", query("<storage xmlns='storage:bookmarks'/>")), "<iq type='result'")
	if got := payloads(t, nodes, me, marks); got != "" {
		t.Errorf("still there: %q", got)
	}
}

// Bookmarks are for their owner alone: where a node is open they are not put there.
func TestOpenNode(t *testing.T) {
	s, nodes, me := site(t)
	alice := s.Online("alice", "a")
	Must(t, nodes.Publish(t.Context(), me, marks, xmpp.Item{ID: "x@y", Payload: []byte("<conference xmlns='" + marks + "'/>")}, "open", 0))
	Has(t, "set", alice.Ask("set", "", query("<storage xmlns='storage:bookmarks'><conference jid='secret@rooms.example'/></storage>")), "<iq type='error'")
	if got := payloads(t, nodes, me, marks); strings.Contains(got, "secret") {
		t.Errorf("told to all: %q", got)
	}
}

// gate is nodes that let each publication of a bookmark wait until it is let through, or the test is over.
type gate struct {
	*Nodes
	in   chan chan<- struct{} // each tells where it waits
	over <-chan struct{}
}

func (g gate) Publish(ctx context.Context, owner xmpp.Owner, node string, item xmpp.Item, access string, max int) error {
	if node == marks {
		through := make(chan struct{})
		select {
		case g.in <- through:
		case <-g.over:
		}
		select {
		case <-through:
		case <-g.over:
		}
	}
	return g.Nodes.Publish(ctx, owner, node, item, access, max)
}

// Two clients that replace all bookmarks at once: the old form is told when both are through, and not
// for each bookmark of the slower one.
func TestReplacedTwiceAtOnce(t *testing.T) {
	nodes := gate{&Nodes{}, make(chan chan<- struct{}), t.Context().Done()}
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		return []xmpp.Module{private.New(sqlstore.New(db), nodes)}
	}})
	first, second := s.Online("alice", "a"), s.Online("alice", "b")
	set := func(jids ...string) string {
		b := "<iq type='set' id='q'>" + "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>"
		for _, j := range jids {
			b += "<conference jid='" + j + "@rooms.example'/>"
		}
		return b + "</storage></query></iq>"
	}
	next := func() chan<- struct{} {
		t.Helper()
		select {
		case through := <-nodes.in:
			return through
		case <-time.After(10 * time.Second):
			t.Fatal("nobody goes on")
			return nil
		}
	}
	first.Send(set("one", "two", "three"))
	one := next() // the first is at its first bookmark
	second.Send(set("one"))
	other := next() // so is the second
	close(one)
	one = next()
	close(other)
	second.Expect("<iq type='result' id='q'")
	before := nodes.Changes()
	close(one)
	one = next()
	if got := nodes.Changes() - before; got != 1 {
		t.Errorf("%d changes for one bookmark", got)
	}
	close(one)
	first.Expect("<iq type='result' id='q'")
}
