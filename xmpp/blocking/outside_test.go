package blocking_test

import (
	"testing"

	"mellium.im/xmpp/jid"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/sqlstore"
	. "trivium/xmpp/xmpptest"
)

// What a page blocks holds at once and is pushed to clients, as if one of them had done it; twice is once.
func TestBlockFromOutside(t *testing.T) {
	var b *blocking.Blocking
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		b = blocking.New(blocking.Options{Store: sqlstore.New(db)})
		return []xmpp.Module{b}
	}})
	alice, bob := s.Friends()
	alice.Ask("get", "", "<blocklist xmlns='urn:xmpp:blocking'/>")
	Quiet(alice, bob)
	acc, err := s.Identity.User(t.Context(), "alice")
	Must(t, err)
	me, them := xmpp.Owner{Address: xmpp.NewAddress("alice", Host), ID: acc.ID}, jid.MustParse(Bob)
	Must(t, b.Block(t.Context(), me, true, them))
	Has(t, "alice", alice.Settle(), "<block xmlns='urn:xmpp:blocking'><item jid='"+Bob+"'/></block>", goneToo)
	Has(t, "bob", bob.Settle(), goneToo, alice.JID)
	if list, err := b.Blocked(t.Context(), me); err != nil || len(list) != 1 || list[0] != Bob {
		t.Errorf("%v, %v", list, err)
	}
	Must(t, b.Block(t.Context(), me, true, them))
	Nothing(t, "alice, the second time", alice.Settle())
	Has(t, "bob", bob.Then("<message id='1' type='chat' to='" + Alice + "'>" + toBeRead)[0], noSuch)
	Must(t, b.Block(t.Context(), me, false, them))
	Has(t, "alice", alice.Settle(), "<unblock xmlns='urn:xmpp:blocking'><item jid='"+Bob+"'/></unblock>")
	Has(t, "bob sees alice again", bob.Settle(), "<presence", alice.JID)
}
