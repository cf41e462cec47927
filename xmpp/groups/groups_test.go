package groups_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/groups"
	. "trivium/xmpp/xmpptest"
)

func site(t *testing.T) *Site {
	return Start(t, Options{Modules: func(_ *sqldb.DB, svc *identity.Service) []xmpp.Module {
		g := groups.New(svc)
		svc.OnChange(g.Changed)
		return []xmpp.Module{g}
	}})
}

func crew(t *testing.T, s *Site, names ...string) {
	t.Helper()
	if _, err := s.Identity.Group(t.Context(), "crew"); err != nil {
		_, err := s.Identity.AddGroup(t.Context(), Actor(), "crew", 0)
		Must(t, err)
	}
	Must(t, s.Identity.AddMembers(t.Context(), Actor(), "crew", names, false))
}

const (
	roster    = "<query xmlns='jabber:iq:roster'/>"
	bobItem   = "<item jid='bob@example.org' subscription='both'><group>crew</group></item>"
	available = "<presence"
)

var version = regexp.MustCompile(`ver='([^']*)'`)

// ver is the last version that text names.
func ver(text string) string {
	all := version.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

func fetch(c *Client, ver string) string {
	return c.Ask("get", "", "<query xmlns='jabber:iq:roster' ver='"+ver+"'/>")
}

func TestMembersSeeEachOther(t *testing.T) {
	s := site(t)
	crew(t, s, "alice", "bob")
	bob := s.Online("bob", "b")
	alice := s.Online("alice", "a")
	got := fetch(alice, "")
	Has(t, "alice", got, bobItem)
	if strings.Contains(got, "carol") {
		t.Errorf("alice has %q", got)
	}
	Has(t, "bob", bob.Settle(), available, "from='"+alice.JID+"'")
	Nothing(t, "the same version again", strings.TrimPrefix(fetch(alice, ver(got)), "<iq type='result' id='q' to='"+alice.JID+"'/>"))
	Has(t, "bob", alice.Then("<presence><show>away</show></presence>", bob)[1], "<show>away</show>")
	// A presence of before is there for one who comes later, without requests.
	late := s.Login("bob", "late")
	Has(t, "bob's other client", late.Then("<presence/>")[0], "from='"+alice.JID+"'", "<show>away</show>")
	Has(t, "disco of a group's member", bob.Ask("get", Alice, "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<identity category='account'")
}

func TestMembershipChanges(t *testing.T) {
	s := site(t)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	s.Add("dave")
	crew(t, s, "alice", "dave")
	Has(t, "alice", alice.Settle(), "<iq type='set'", "<item jid='dave@example.org' subscription='both'><group>crew</group></item>")
	crew(t, s, "bob")
	got := alice.Settle()
	Has(t, "alice", got, "<iq type='set'", bobItem, available, "from='"+bob.JID+"'")
	if again := fetch(alice, ver(got)); strings.Contains(again, "<query") {
		t.Errorf("the version of the push is not that of the roster: %s", again)
	}
	Has(t, "bob", bob.Settle(), "alice@example.org", "dave@example.org", available, "from='"+alice.JID+"'")

	name := "team"
	_, err := s.Identity.SetGroup(t.Context(), Actor(), "crew", identity.GroupChange{Name: &name})
	Must(t, err)
	got = alice.Settle()
	Has(t, "alice", got, "<item jid='bob@example.org' subscription='both'><group>team</group></item>", "dave@")
	if strings.Contains(got, "<presence") {
		t.Errorf("presence at a new name: %s", got)
	}
	_, err = s.Identity.SetUser(t.Context(), Actor(), "bob", identity.UserChange{Profile: &identity.Profile{Name: "Bob B."}})
	Must(t, err)
	Has(t, "alice", alice.Settle(), "<item jid='bob@example.org' name='Bob B.' subscription='both'><group>team</group></item>")
	Quiet(bob)

	Must(t, s.Identity.RemoveMembers(t.Context(), Actor(), "team", []string{"bob"}))
	Has(t, "alice", alice.Settle(), "<item subscription='remove' jid='bob@example.org'/>", "type='unavailable'", bob.JID)
	Has(t, "bob", bob.Settle(), "<item subscription='remove' jid='alice@example.org'/>", "type='unavailable'", alice.JID)
	Nothing(t, "bob", alice.Then("<presence><show>dnd</show></presence>", bob)[1])

	Must(t, s.Identity.RemoveUser(t.Context(), Actor(), "dave"))
	Has(t, "alice", alice.Settle(), "<item subscription='remove' jid='dave@example.org'/>")
	crew2 := []string{"bob"}
	Must(t, s.Identity.AddMembers(t.Context(), Actor(), "team", crew2, false))
	Has(t, "alice", alice.Settle(), "bob@example.org")
	Must(t, s.Identity.RemoveGroup(t.Context(), Actor(), "team"))
	Has(t, "alice", alice.Settle(), "<item subscription='remove' jid='bob@example.org'/>")
}

func TestOwnEntry(t *testing.T) {
	s := site(t)
	crew(t, s, "alice", "bob")
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	Quiet(alice, bob)
	set := func(body string) string {
		return alice.Ask("set", "", "<query xmlns='jabber:iq:roster'>"+body+"</query>")
	}
	got := set("<item jid='bob@example.org' name='Bobby'><group>crew</group><group>fun</group></item>")
	Has(t, "alice", got, "<iq type='result'", "<item jid='bob@example.org' name='Bobby' subscription='both'><group>crew</group><group>fun</group></item>")
	if again := fetch(alice, ver(got)); strings.Contains(again, "<query") {
		t.Errorf("the version of the push is not that of the roster: %s", again)
	}
	Has(t, "removing", set("<item jid='bob@example.org' subscription='remove'/>"), "<not-allowed", "crew")
	Has(t, "still there", fetch(alice, ""), "name='Bobby'")

	for _, tt := range []struct{ typ, want string }{
		{"subscribe", "<presence type='subscribed' from='bob@example.org' to='alice@example.org'/>"},
		{"unsubscribe", "<not-allowed"},
		{"unsubscribed", "<not-allowed"},
	} {
		got := alice.Then("<presence type='"+tt.typ+"' to='bob@example.org'/>", bob)
		Has(t, tt.typ, got[0], tt.want)
		Nothing(t, "bob", got[1])
	}
	if got := alice.Then("<presence type='subscribed' to='bob@example.org'/>", bob); got[0]+got[1] != "" {
		t.Errorf("subscribed: %q", got)
	}

	// What is one's own shows again when the group has gone, without the group.
	Must(t, s.Identity.RemoveMembers(t.Context(), Actor(), "crew", []string{"bob"}))
	Has(t, "alice", alice.Settle(), "<item jid='bob@example.org' name='Bobby' subscription='none'><group>fun</group></item>", "type='unavailable'")
	Has(t, "removing", set("<item jid='bob@example.org' subscription='remove'/>"), "<iq type='result'")

	// Nothing of one's own is left where the client says what the group says.
	crew(t, s, "bob")
	Quiet(alice, bob)
	Has(t, "as it is", set("<item jid='bob@example.org'><group>crew</group></item>"), "<iq type='result'")
	Must(t, s.Identity.RemoveMembers(t.Context(), Actor(), "crew", []string{"bob"}))
	Has(t, "alice", alice.Settle(), "<item subscription='remove' jid='bob@example.org'/>")
}

// A subscription of one's own outlives the group, and nobody is told of a change that is none.
func TestFriendsInGroup(t *testing.T) {
	s := site(t)
	alice, bob := s.Friends()
	Quiet(alice, bob)
	crew(t, s, "alice", "bob")
	got := alice.Settle()
	Has(t, "alice", got, bobItem)
	if strings.Contains(got, "<presence") {
		t.Errorf("presence of one who was seen: %s", got)
	}
	Must(t, s.Identity.RemoveMembers(t.Context(), Actor(), "crew", []string{"bob"}))
	Has(t, "alice", alice.Settle(), "<item jid='bob@example.org' subscription='both'/>")
	Has(t, "bob", alice.Then("<presence><show>dnd</show></presence>", bob)[1], "<show>dnd</show>")
}

func TestWhoIsNotShown(t *testing.T) {
	s := site(t)
	for _, n := range []string{"off", "files", "one"} {
		s.Add(n)
	}
	crew(t, s, "alice", "bob", "off", "files")
	disabled, roads := identity.UserDisabled, []identity.Road{identity.RoadFTP}
	_, err := s.Identity.SetUser(t.Context(), Actor(), "off", identity.UserChange{State: &disabled})
	Must(t, err)
	_, err = s.Identity.SetUser(t.Context(), Actor(), "files", identity.UserChange{Roads: &roads})
	Must(t, err)
	alice := s.Online("alice", "a")
	got := fetch(alice, "")
	Has(t, "alice", got, bobItem)
	for _, n := range []string{"off@", "files@", "one@", "alice@example.org' name"} {
		if strings.Contains(got, n) {
			t.Errorf("alice sees %s in %s", n, got)
		}
	}
	active := identity.UserActive
	_, err = s.Identity.SetUser(t.Context(), Actor(), "off", identity.UserChange{State: &active})
	Must(t, err)
	Has(t, "alice", alice.Settle(), "off@example.org")
}

// The group is as large as a roster; one more member and it is none of rosters.
func TestBound(t *testing.T) {
	s := site(t)
	few := s.Online("bob", "b")
	_, err := s.Identity.AddGroup(t.Context(), Actor(), "crew", 0)
	Must(t, err)
	g, err := s.Identity.Group(t.Context(), "crew")
	Must(t, err)
	for i := range groups.MaxContacts - 1 {
		_, err := s.Identity.AddUser(t.Context(), Actor(), identity.NewUser{Login: fmt.Sprintf("u%04d", i), GID: g.GID})
		Must(t, err)
	}
	Nothing(t, "bob", few.Settle())
	alice := s.Login("alice", "a")
	crew(t, s, "alice")
	if n := strings.Count(fetch(alice, ""), "<item "); n != groups.MaxContacts-1 {
		t.Errorf("alice has %d contacts", n)
	}
	crew(t, s, "bob")
	Has(t, "alice", alice.Settle(), "<item subscription='remove' jid='u0000@example.org'/>")
	if n := strings.Count(fetch(alice, ""), "<item "); n != 0 {
		t.Errorf("alice has %d contacts of a group that is too large", n)
	}
}

// Who was away meanwhile finds the groups as they are.
func TestChangesWhileAway(t *testing.T) {
	s := site(t)
	crew(t, s, "alice", "bob")
	look := func() string {
		alice := s.Login("alice", "a")
		defer func() { alice.Send("</stream:stream>"); alice.Rest() }()
		return fetch(alice, "")
	}
	Has(t, "alice", look(), bobItem)
	Has(t, "alice again", look(), bobItem)
	Must(t, s.Identity.RemoveMembers(t.Context(), Actor(), "crew", []string{"bob"}))
	for _, when := range []string{"after", "long after"} {
		if text := look(); strings.Contains(text, "bob@") {
			t.Errorf("%s bob has left the group, alice has %s", when, text)
		}
	}
	crew(t, s, "bob")
	bob := s.Online("bob", "b") // somebody is there while it changes
	Has(t, "alice", look(), bobItem)
	name := "team"
	_, err := s.Identity.SetGroup(t.Context(), Actor(), "crew", identity.GroupChange{Name: &name})
	Must(t, err)
	Has(t, "alice", look(), "<group>team</group>")
	Must(t, s.Identity.RemoveUser(t.Context(), Actor(), "bob"))
	if text := look(); strings.Contains(text, "bob@") {
		t.Errorf("bob has gone, alice has %s", text)
	}
	bob.Rest()
}
