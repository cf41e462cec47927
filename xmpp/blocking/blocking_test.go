package blocking_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/sqlstore"
	. "trivium/xmpp/xmpptest"
)

func block(items ...string) string   { return change("block", items) }
func unblock(items ...string) string { return change("unblock", items) }

func change(local string, jids []string) string {
	b := "<" + local + " xmlns='urn:xmpp:blocking'>"
	for _, j := range jids {
		b += "<item jid='" + j + "'/>"
	}
	return b + "</" + local + ">"
}

type reports struct {
	mu   sync.Mutex
	list []blocking.Report
}

func (r *reports) add(_ context.Context, one blocking.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, one)
}

func site(t *testing.T, r *reports) *Site {
	return Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		return []xmpp.Module{blocking.New(blocking.Options{Store: sqlstore.New(db), Report: r.add})}
	}})
}

const (
	noSuch     = "<error type='cancel' code='503'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
	notByMe    = "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><blocked xmlns='urn:xmpp:blocking:errors'/>"
	ping       = "<ping xmlns='urn:xmpp:ping'/>"
	goneToo    = " type='unavailable'"
	toBeRead   = "<body>x</body></message>"
	emptyBlock = "<blocklist xmlns='urn:xmpp:blocking'></blocklist>"
)

func TestBlock(t *testing.T) {
	s := site(t, &reports{})
	alice, bob := s.Friends()
	second := s.Online("alice", "second")
	Quiet(alice, bob)
	Has(t, "alice", second.Ask("get", "", "<blocklist xmlns='urn:xmpp:blocking'/>"), emptyBlock)

	alice.Send("<iq type='set' id='q'>" + block(Bob) + "</iq>")
	Has(t, "alice", alice.Settle(), "<iq type='result' id='q'", "<presence", goneToo, bob.JID)
	Has(t, "alice's second", second.Settle(), "<iq type='set' id='blocking' to='"+second.JID+"'><block xmlns='urn:xmpp:blocking'><item jid='"+Bob+"'/></block></iq>")
	Has(t, "bob", bob.Settle(), "<presence", goneToo, alice.JID)

	// Bob hears what he would hear if nobody were there, byte for byte.
	for _, stanza := range []string{"<message id='1' type='chat' to='%s'>" + toBeRead, "<message id='1' type='chat' to='%s/a'>" + toBeRead, "<message id='1' to='%s/a'>" + toBeRead,
		"<iq type='get' id='1' to='%s/a'>" + ping + "</iq>", "<iq type='get' id='1' to='%s'>" + ping + "</iq>", "<iq type='get' id='1' to='%s'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"} {
		got := bob.Then(fmt.Sprintf(stanza, Alice), alice, second)
		Nothing(t, "alice", got[1]+got[2])
		Has(t, "bob", got[0], noSuch)
		nobody := bob.Then(fmt.Sprintf(stanza, "nobody@"+Host))[0]
		if want := strings.ReplaceAll(nobody, "nobody@"+Host, Alice); got[0] != want {
			t.Errorf("bob hears %q of alice and %q of nobody", got[0], want)
		}
	}
	for _, stanza := range []string{"<presence to='" + Alice + "'/>", "<presence><show>away</show></presence>", "<presence type='subscribe' to='" + Alice + "'/>", "<presence type='probe' to='" + Alice + "'/>",
		"<iq type='result' id='1' to='" + alice.JID + "'/>"} {
		got := bob.Then(stanza, alice, second)
		Nothing(t, "alice", got[1]+got[2])
		if strings.Contains(got[0], "error") || strings.Contains(got[0], "from='"+Alice) {
			t.Errorf("bob got %q for %s", got[0], stanza)
		}
	}

	// Alice is told that it is her own doing.
	for _, stanza := range []string{"<message id='1' type='chat' to='" + Bob + "'>" + toBeRead, "<iq type='get' id='1' to='" + bob.JID + "'>" + ping + "</iq>", "<presence type='subscribe' to='" + Bob + "'/>"} {
		got := alice.Then(stanza, bob)
		Has(t, "alice", got[0], notByMe)
		Nothing(t, "bob", got[1])
	}
	Nothing(t, "bob", alice.Then("<presence><show>dnd</show></presence>", bob)[1])

	// Bob comes anew, and sees nothing of her.
	again := s.Online("bob", "again")
	if got := again.Settle(); strings.Contains(got, Alice) {
		t.Errorf("bob sees %q", got)
	}
	Quiet(alice, second, bob, again)
	alice.Send("<iq type='set' id='q'>" + unblock(Bob) + "</iq>")
	Has(t, "alice", alice.Settle(), "<iq type='result' id='q'", bob.JID)
	Has(t, "alice's second", second.Settle(), "<unblock xmlns='urn:xmpp:blocking'><item jid='"+Bob+"'/></unblock>")
	Has(t, "bob", bob.Settle(), "<presence", "from='"+alice.JID+"'", "<show>dnd</show>")
	Has(t, "alice", bob.Then("<message type='chat' to='"+alice.JID+"'>"+toBeRead, alice)[1], "<message")
}

func TestWhom(t *testing.T) {
	for _, tt := range []struct {
		name, jid     string
		tablet, phone bool // may not send
	}{
		{"bare", Bob, true, true},
		{"full", Bob + "/phone", false, true},
		{"domain", Host, true, true},
		{"other domain", Second, false, false},
		{"domain and resource", Host + "/phone", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := site(t, &reports{})
			alice, phone, tablet := s.Online("alice", "a"), s.Online("bob", "phone"), s.Online("bob", "tablet")
			Has(t, "alice", alice.Ask("set", "", block(tt.jid)), "<iq type='result'")
			for _, c := range []struct {
				name    string
				client  *Client
				blocked bool
			}{{"phone", phone, tt.phone}, {"tablet", tablet, tt.tablet}} {
				got := c.client.Then("<message type='chat' to='"+Alice+"'>"+toBeRead, alice)[1]
				if arrived := strings.Contains(got, "<body>"); arrived == c.blocked {
					t.Errorf("from the %s arrived: %v", c.name, arrived)
				}
			}
			Has(t, "alice herself", alice.Then("<message type='chat' to='" + Alice + "'>" + toBeRead)[0], "<body>")
			Has(t, "all", alice.Ask("set", "", unblock()), "<iq type='result'")
			Has(t, "none left", alice.Ask("get", "", "<blocklist xmlns='urn:xmpp:blocking'/>"), emptyBlock)
		})
	}
}

func TestBadRequests(t *testing.T) {
	s := site(t, &reports{})
	alice := s.Online("alice", "a")
	for _, tt := range []struct{ name, payload, want string }{
		{"nobody", block(), "<bad-request"},
		{"no address", "<block xmlns='urn:xmpp:blocking'><item/></block>", "<jid-malformed"},
		{"bad address", block("@x"), "<jid-malformed"},
		{"something else", "<block xmlns='urn:xmpp:blocking'><x xmlns='y'/></block>", "<bad-request"},
	} {
		t.Run(tt.name, func(t *testing.T) { Has(t, "alice", alice.Ask("set", "", tt.payload), "<iq type='error'", tt.want) })
	}
	var many []string
	for i := range 1500 {
		many = append(many, fmt.Sprintf("u%d@%s", i, Second))
	}
	Has(t, "1,500", alice.Ask("set", "", block(many...)), "<iq type='result'")
	Has(t, "the same again", alice.Ask("set", "", block(many...)), "<iq type='result'")
	for i := range many {
		many[i] = "x" + many[i]
	}
	Has(t, "too many", alice.Ask("set", "", block(many...)), "<policy-violation")
	Has(t, "another's", alice.Ask("set", Bob, block(Alice)), noSuch)
}

func TestReport(t *testing.T) {
	r := &reports{}
	s := site(t, r)
	alice := s.Online("alice", "a")
	Has(t, "alice", alice.Ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='"+Bob+"'><report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'><text>Never <b xmlns='x'/></text><text> stop this </text><stanza-id xmlns='urn:xmpp:sid:0' by='"+Alice+"' id='7'/></report></item></block>"), "<iq type='result'")
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.list) != 1 || r.list[0].Reason != "spam" || r.list[0].JID != Bob || r.list[0].Text != "stop this" || r.list[0].By.String() != Alice || len(r.list[0].IDs) != 1 {
		t.Errorf("reports: %+v", r.list)
	}
}

type broken struct{ blocking.Store }

func (broken) Block(context.Context, identity.UserID, ...string) error {
	return errors.New("the disk is full")
}

// What is not durable does not block, and is not said to.
func TestStoreFails(t *testing.T) {
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		return []xmpp.Module{blocking.New(blocking.Options{Store: broken{sqlstore.New(db)}})}
	}})
	alice, bob := s.Friends()
	Has(t, "alice", alice.Ask("set", "", block(Bob)), "<iq type='error'", "<internal-server-error")
	Has(t, "alice", bob.Then("<message type='chat' to='"+Alice+"'>"+toBeRead, alice)[1], "<body>")
}

// A client that is blocked by its full JID does not see presence, and the others of its account do.
func TestPresenceOfOneClient(t *testing.T) {
	s := site(t, &reports{})
	alice, bob := s.Friends()
	before, after := s.Online("bob", "a0"), s.Online("bob", "z9")
	Quiet(alice, bob)
	Has(t, "alice", alice.Ask("set", "", block(bob.JID)), "<iq type='result'")
	Quiet(bob, before, after)
	got := alice.Then("<presence><show>dnd</show></presence>", bob, before, after)
	Nothing(t, "the blocked one", got[1])
	Has(t, "another", got[2], "<show>dnd</show>")
	Has(t, "another", got[3], "<show>dnd</show>")
	Has(t, "alice", alice.Ask("set", "", unblock()), "<iq type='result'")
	Has(t, "alice", alice.Ask("set", "", block(after.JID)), "<iq type='result'")
	got = alice.Then("<presence><show>xa</show></presence>", bob, before, after)
	Has(t, "the first", got[1], "<show>xa</show>")
	Nothing(t, "the last, blocked now", got[3])
}
