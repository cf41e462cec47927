package push_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/push"
	"trivium/xmpp/sqlstore"
	. "trivium/xmpp/xmpptest"
)

// keeper keeps messages, as the archive would.
type keeper struct{}

func (keeper) Register(reg *xmpp.Registrar) {
	reg.Accept(func(_ context.Context, m *xmpp.Message) { m.Kept = true })
}

func site(t *testing.T) *Site {
	return Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		return []xmpp.Module{push.New(sqlstore.New(db)), keeper{}}
	}})
}

const (
	options = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'><value>s&amp;t</value></field></x>"
	body    = "<body>x</body></message>"
)

func enable(jid, node, form string) string {
	return "<enable xmlns='urn:xmpp:push:0' jid='" + jid + "' node='" + node + "'>" + form + "</enable>"
}

// TestWake: carol's client stands for a push service, here a test service that answers.
func TestWake(t *testing.T) {
	s := site(t)
	service, alice := s.Online(Carol, "push"), s.Online("alice", "a")
	phone := s.Online("bob", "phone")
	Has(t, "info", phone.Ask("get", "", "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<feature var='urn:xmpp:push:0'/>")
	Has(t, "phone", phone.Ask("set", "", enable(service.JID, "n1", options)), "<iq type='result'")

	// While the phone is there nobody is told.
	Nothing(t, "service", alice.Then("<message type='chat' to='"+Bob+"'>"+body, service)[1])
	Has(t, "phone", phone.Settle(), "<message")
	phone.Send("</stream:stream>")
	phone.Rest()

	for _, quiet := range []string{
		"<message type='chat' to='" + Bob + "'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
		"<message type='headline' to='" + Bob + "'>" + body,
		"<message type='error' to='" + Bob + "'>" + body,
	} {
		Nothing(t, "service", alice.Then(quiet, service)[1])
	}
	alice.Send("<message type='chat' to='" + Bob + "'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>")
	got := service.Expect("</iq>")
	Has(t, "service", got, "<iq type='set' id='", "' from='"+Host+"' to='"+service.JID+"'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n1'><item><notification xmlns='urn:xmpp:push:0'>",
		"<field var='message-count'><value>1</value></field>", "</item></publish><publish-options><x xmlns='jabber:x:data' type='submit'>", "<value>s&amp;t</value>")
	if strings.Contains(got, Alice) || strings.Contains(got, "axolotl") {
		t.Errorf("the service is told more than that something came: %s", got)
	}
	// A second one comes at the end of the pause, and counts both.
	alice.Send("<message type='chat' to='" + Bob + "'>" + body + "<message type='chat' to='" + Bob + "'>" + body)
	Has(t, "service", service.Expect("</iq>"), "<value>3</value>")

	phone = s.Online("bob", "phone")
	Has(t, "phone", phone.Ask("set", "", "<disable xmlns='urn:xmpp:push:0' jid='"+service.JID+"'/>"), "<iq type='result'")
	phone.Send("</stream:stream>")
	phone.Rest()
	Nothing(t, "service", alice.Then("<message type='chat' to='"+Bob+"'>"+body, service)[1])
}

// A client that somebody else has named as a service is left in peace where it has blocked them.
func TestBlockedService(t *testing.T) {
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		store := sqlstore.New(db)
		return []xmpp.Module{push.New(store), blocking.New(blocking.Options{Store: store}), keeper{}}
	}})
	victim, alice := s.Online(Carol, "victim"), s.Online("alice", "a")
	phone := s.Online("bob", "phone")
	for i := range 3 {
		phone.Ask("set", "", enable(victim.JID, fmt.Sprint(i), ""))
	}
	phone.Send("</stream:stream>")
	phone.Rest()
	Has(t, "the one who is named", victim.Ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='"+Bob+"'/></block>"), "<iq type='result'")
	Nothing(t, "the one who is named", alice.Then("<message type='chat' to='"+Bob+"'>"+body, victim)[1])
}

// A service that answers with errors only is told no more.
func TestFaults(t *testing.T) {
	s := site(t)
	service, alice := s.Online(Carol, "push"), s.Online("alice", "a")
	phone := s.Online("bob", "phone")
	// each node has a pause of its own
	phone.Ask("set", "", enable(service.JID, "n1", ""))
	phone.Send("</stream:stream>")
	phone.Rest()
	store := sqlstore.New(s.DB)
	bob, err := s.Identity.User(t.Context(), "bob")
	Must(t, err)
	Must(t, store.PutService(t.Context(), bob.ID, push.Service{JID: service.JID, Node: "n1", Resource: "phone", Faults: 9}))
	alice.Send("<message type='chat' to='" + Bob + "'>" + body)
	got := service.Expect("</iq>")
	id := strings.Split(strings.Split(got, " id='")[1], "'")[0]
	service.Send(fmt.Sprintf("<iq type='error' id='%s' to='%s'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", id, Host))
	service.Settle()
	Eventually(t, "the service is removed", func() bool {
		list, err := store.Services(t.Context(), bob.ID)
		Must(t, err)
		return len(list) == 0
	})
}

func TestBadRequests(t *testing.T) {
	s := site(t)
	bob := s.Online("bob", "b")
	for _, tt := range []struct{ name, to, payload, want string }{
		{"no address", "", "<enable xmlns='urn:xmpp:push:0'/>", "<jid-malformed"},
		{"oneself", "", enable(Bob+"/b", "n", ""), "<not-acceptable"},
		{"long node", "", enable(Carol, strings.Repeat("n", 2000), ""), "<not-acceptable"},
		{"another's", Alice, enable(Carol, "n", ""), "<service-unavailable"},
		{"nothing there", "", "<disable xmlns='urn:xmpp:push:0' jid='" + Carol + "'/>", "<iq type='result'"},
	} {
		t.Run(tt.name, func(t *testing.T) { Has(t, "bob", bob.Ask("set", tt.to, tt.payload), tt.want) })
	}
	for i := range 20 {
		Has(t, "bob", bob.Ask("set", "", enable(Carol, fmt.Sprint(i), "")), "<iq type='result'")
	}
	Has(t, "again", bob.Ask("set", "", enable(Carol, "3", "")), "<iq type='result'")
	Has(t, "too many", bob.Ask("set", "", enable(Carol, "x", "")), "<policy-violation")
}
