package invite_test

import (
	"net/netip"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/invite"
	. "trivium/xmpp/xmpptest"
)

func site(t *testing.T) *Site {
	return Start(t, Options{Modules: func(_ *sqldb.DB, svc *identity.Service) []xmpp.Module {
		c := invite.New(svc)
		svc.OnContact(c.Joined)
		return []xmpp.Module{c}
	}})
}

// by is an account that invites.
func by(login string) identity.Actor {
	return identity.Actor{User: login, Level: identity.LevelUser, Via: "web"}
}

func code(t *testing.T, s *Site, by identity.Actor, n identity.NewInvite) string {
	t.Helper()
	_, code, err := s.Identity.Invite(t.Context(), by, n)
	Must(t, err)
	return code.Reveal()
}

func asks(token string) string {
	return "<presence type='subscribe' to='" + Alice + "'><preauth xmlns='urn:xmpp:pars:0' token='" + token + "'/></presence>"
}

const (
	rosterQuery = "<query xmlns='jabber:iq:roster'/>"
	bobBoth     = "<item jid='bob@example.org' subscription='both'/>"
	aliceBoth   = "<item jid='alice@example.org' subscription='both'/>"
)

// XEP-0379 section 3 as clients do it that know of pre-approval, and once more with the same code.
func TestLetIn(t *testing.T) {
	s := site(t)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	token := code(t, s, by("alice"), identity.NewInvite{ContactOnly: true})
	got := bob.Then("<presence type='subscribed' to='"+Alice+"'/>"+asks(token), alice)
	Has(t, "bob", got[0], "<presence type='subscribed' from='alice@example.org'", "subscription='both'", "from='"+alice.JID+"'")
	Has(t, "alice", got[1], bobBoth, "from='"+bob.JID+"'")
	if strings.Contains(got[1], "type='subscribe'") {
		t.Errorf("alice is asked: %s", got[1])
	}
	uses, err := s.Identity.InviteUses(t.Context(), token[:8])
	if err != nil || len(uses[token[:8]]) != 1 || uses[token[:8]][0].Login != Bob {
		t.Errorf("uses %+v, %v", uses, err)
	}
	carol := s.Online(Carol, "c")
	got = carol.Then(asks(token), alice)
	Has(t, "a second one by the same code", got[1], "<presence type='subscribe'", Carol)
	if strings.Contains(got[0], "type='subscribed'") {
		t.Errorf("carol was let in by a code that was used: %s", got[0])
	}
}

// Who has not said that the inviter may see them is asked.
func TestAskedBack(t *testing.T) {
	s := site(t)
	bob := s.Online("bob", "b") // alice is not there
	token := code(t, s, by("alice"), identity.NewInvite{ContactOnly: true})
	got := bob.Then(asks(token))[0]
	Has(t, "bob", got, "<presence type='subscribed' from='alice@example.org'", "<presence type='subscribe' from='alice@example.org'", "subscription='to'")
	alice := s.Online("alice", "a")
	Has(t, "alice", alice.Ask("get", "", rosterQuery), "<item jid='bob@example.org' subscription='from' ask='subscribe'/>")
	got2 := bob.Then("<presence type='subscribed' to='"+Alice+"'/>", alice)
	Has(t, "bob", got2[0], aliceBoth)
	Has(t, "alice", got2[1], bobBoth, "from='"+bob.JID+"'")
}

// A code that is no good is as if there were none (section 4.1), and one is not used up for nothing.
func TestNotLetIn(t *testing.T) {
	s := site(t)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	others := code(t, s, by("bob"), identity.NewInvite{ContactOnly: true})
	plain := code(t, s, Actor(), identity.NewInvite{})
	for _, tt := range []struct{ name, token string }{
		{"none", ""}, {"nonsense", "x"}, {"long", strings.Repeat("x", 1000)}, {"somebody else's", others}, {"one that makes no contacts", plain},
		{"markup", "&lt;&apos;"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := bob.Then(asks(tt.token), alice)
			Has(t, "alice", got[1], "<presence type='subscribe'", "from='bob@example.org'")
			if strings.Contains(got[0], "type='subscribed'") {
				t.Errorf("let in: %s", got[0])
			}
			alice.Then("<presence type='unsubscribed' to='"+Bob+"'/>", bob)
		})
	}
	// What has waited for an answer is answered by the code.
	bob.Then("<presence type='subscribe' to='"+Alice+"'/>", alice)
	token := code(t, s, by("alice"), identity.NewInvite{ContactOnly: true, Uses: 2})
	Has(t, "bob", bob.Then(asks(token))[0], "type='subscribed'")
	bob.Then(asks(token), alice)
	if uses, err := s.Identity.InviteUses(t.Context(), token[:8]); err != nil || len(uses[token[:8]]) != 1 {
		t.Errorf("uses %+v, %v", uses, err)
	}
}

// XEP-0401 section 5.5: the inviter's clients hear of who has joined, and the new account has the inviter.
func TestJoined(t *testing.T) {
	s := site(t)
	level := identity.LevelAdmin
	_, err := s.Identity.SetUser(t.Context(), Actor(), "alice", identity.UserChange{Level: &level})
	Must(t, err)
	alice := s.Online("alice", "a")
	_, secret, err := s.Identity.Invite(t.Context(), identity.Actor{User: "alice", Level: level, Via: "web"}, identity.NewInvite{Contact: true})
	Must(t, err)
	join(t, s, secret, "dave")
	Has(t, "alice", alice.Settle(), "<item jid='dave@example.org' subscription='both'/>")
	dave := s.Login("dave", "d")
	Has(t, "dave", dave.Ask("get", "", rosterQuery), aliceBoth)
	Has(t, "alice's presence", dave.Then("<presence/>")[0], "from='"+alice.JID+"'")
	Has(t, "dave's presence", alice.Settle(), "from='"+dave.JID+"'")
}

func join(t *testing.T, s *Site, code identity.Secret, login string) {
	t.Helper()
	ses, err := s.Identity.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolWeb, Remote: netip.MustParseAddrPort("192.0.2.1:1")})
	Must(t, err)
	defer ses.Close()
	inv, err := s.Identity.OpenInvitation(t.Context(), ses, code.Reveal())
	Must(t, err)
	_, err = inv.Redeem(t.Context(), ses, login, identity.NewSecret(Password), identity.Profile{})
	Must(t, err)
}
