package last_test

import (
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/last"
	. "trivium/xmpp/xmpptest"
)

const query = "<query xmlns='jabber:iq:last'/>"

func TestLast(t *testing.T) {
	s := Start(t, Options{Modules: func(_ *sqldb.DB, svc *identity.Service) []xmpp.Module { return []xmpp.Module{last.New(svc)} }})
	alice, bob := s.Friends()
	eve := s.Add("eve")
	stranger := s.Online("eve", "e")
	Has(t, "there", alice.Ask("get", Bob, query), "<query xmlns='jabber:iq:last' seconds='0'/>")
	Has(t, "alice", bob.Then("<presence type='unavailable'><status>Heading Home &amp; out</status></presence>", alice)[1], "unavailable")
	Has(t, "gone", alice.Ask("get", Bob, query), "<query xmlns='jabber:iq:last' seconds='", "'>Heading Home &amp; out</query>")
	Has(t, "oneself", bob.Ask("get", "", query), "Heading Home")
	Has(t, "back", bob.Then("<presence/>", alice)[1], "<presence")
	Has(t, "back", alice.Ask("get", Bob, query), "seconds='0'/>")

	// Whoever does not see presence hears what they would hear of nobody.
	for _, to := range []string{Bob, bob.JID} {
		hidden := stranger.Ask("get", to, query)
		absent := stranger.Ask("get", strings.Replace(to, "bob", "nobody", 1), query)
		if hidden != strings.ReplaceAll(absent, "nobody", "bob") {
			t.Errorf("of %s: %q, of nobody %q", to, hidden, absent)
		}
	}
	Nothing(t, "bob", bob.Settle())
	Has(t, "bob is asked", alice.Then("<iq type='get' id='l' to='"+bob.JID+"'>"+query+"</iq>", bob)[1], "<iq", "id='l'")
	if !regexp.MustCompile(`seconds='\d'`).MatchString(stranger.Ask("get", "eve@"+Host, query)) || eve.LastLogin.IsZero() != true {
		t.Error("eve does not see herself")
	}
	_ = bob
}
