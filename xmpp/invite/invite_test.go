package invite_test

import (
	"errors"
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

// What a page changes of a contact list reaches the clients of both at once, as if a client had done it.
func TestListIsChanged(t *testing.T) {
	c := invite.New(nil)
	s := Start(t, Options{Modules: func(*sqldb.DB, *identity.Service) []xmpp.Module { return []xmpp.Module{c} }})
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	a, err := s.Identity.User(t.Context(), "alice")
	Must(t, err)
	b, err := s.Identity.User(t.Context(), "bob")
	Must(t, err)
	for _, x := range []*Client{alice, bob} {
		x.Ask("get", "", rosterQuery)
	}
	Must(t, c.Ask(t.Context(), a, "bob@example.org"))
	Has(t, "alice is pushed who was asked", alice.Settle(), "jid='bob@example.org'", "ask='subscribe'")
	Has(t, "bob is asked", bob.Settle(), "type='subscribe'", "from='alice@example.org'")
	list, err := c.List(t.Context(), b)
	if err != nil || len(list) != 1 || !list[0].Asks {
		t.Errorf("who asks: %+v, %v", list, err)
	}
	Must(t, c.Answer(t.Context(), b, "alice@example.org", true))
	Has(t, "bob is pushed who is a contact", bob.Settle(), "jid='alice@example.org'", "subscription='from'", "ask='subscribe'")
	Has(t, "alice is asked back", alice.Settle(), "type='subscribed'", "type='subscribe'")
	Must(t, c.Answer(t.Context(), a, "bob@example.org", true))
	Has(t, "both see each other", alice.Settle(), "jid='bob@example.org'", "subscription='both'")
	bob.Settle()
	Must(t, c.Rename(t.Context(), a, "bob@example.org", "Bob <&> Co"))
	Has(t, "alice is pushed the name", alice.Settle(), "name='Bob &lt;&amp;&gt; Co'", "subscription='both'")
	Must(t, c.Remove(t.Context(), a, "bob@example.org"))
	Has(t, "alice is pushed that bob went", alice.Settle(), "subscription='remove'", "jid='bob@example.org'")
	Has(t, "bob hears of it", bob.Settle(), "type='unsubscribed'", "jid='alice@example.org'", "subscription='none'")
	for what, err := range map[string]error{
		"an answer to nobody": c.Answer(t.Context(), a, "bob@example.org", true), "a name of nobody": c.Rename(t.Context(), a, "carol@example.org", "x"),
		"removed twice": c.Remove(t.Context(), a, "bob@example.org"),
	} {
		if !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{"oneself": c.Ask(t.Context(), a, "alice@example.org"), "no address": c.Ask(t.Context(), a, "@@"), "elsewhere": c.Ask(t.Context(), a, "kim@example.net")} {
		if !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Whether there is somebody of that name is not told.
	Must(t, c.Ask(t.Context(), a, "nobody@example.org"))
	Has(t, "alice is pushed as if there were", alice.Settle(), "jid='nobody@example.org'", "ask='subscribe'")
}
