package carbons_test

import (
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/carbons"
	"trivium/xmpp/sqlstore"
	. "trivium/xmpp/xmpptest"
)

// Whoever is blocked cannot tell it from there being nobody, not by what its other clients get
// either, nor by having blocked back.
func TestBlockedIsAbsent(t *testing.T) {
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		return []xmpp.Module{blocking.New(blocking.Options{Store: sqlstore.New(db)}), carbons.New()}
	}})
	const nobody = "nobody@" + Host
	alice, bob, bobs := s.Online("alice", "a"), s.Online("bob", "b1"), s.Online("bob", "b2")
	Quiet(alice, bob)
	Has(t, "bob's other one", bobs.Ask("set", "", enable), "<iq type='result' id='q'")
	Has(t, "alice", alice.Ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='"+Bob+"'/></block>"), "<iq type='result'")
	compare := func(name string) {
		t.Helper()
		for _, typ := range []string{"chat", "normal", "headline", "groupchat", "error"} {
			for _, resource := range []string{"", "/a", "/gone"} {
				stanza := "<message type='" + typ + "' id='1' to='%s" + resource + "'><body>x</body></message>"
				blocked := bob.Then(strings.Replace(stanza, "%s", Alice, 1), bobs)
				absent := bob.Then(strings.Replace(stanza, "%s", nobody, 1), bobs)
				for i, who := range []string{"bob", "bob's other one"} {
					if want := strings.ReplaceAll(absent[i], nobody, Alice); blocked[i] != want {
						t.Errorf("%s, %s to %q: %s gets %q of alice, who blocks him, and %q of nobody", name, typ, resource, who, blocked[i], want)
					}
				}
			}
		}
		blocked := bob.Then("<iq type='get' id='1' to='" + alice.JID + "'><ping xmlns='urn:xmpp:ping'/></iq>")[0]
		absent := bob.Then("<iq type='get' id='1' to='" + nobody + "/a'><ping xmlns='urn:xmpp:ping'/></iq>")[0]
		if want := strings.ReplaceAll(absent, nobody, Alice); blocked != want {
			t.Errorf("%s: bob gets %q of alice's client, and %q of nobody's", name, blocked, want)
		}
	}
	compare("blocked")
	Has(t, "bob", bob.Ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='"+Alice+"'/><item jid='"+nobody+"'/></block>"), "<iq type='result'")
	compare("blocked by both")
}
