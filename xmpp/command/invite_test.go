package command_test

import (
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/command"
	. "trivium/xmpp/xmpptest"
)

const invite = "urn:xmpp:invite#"

func inviting(t *testing.T) *Site {
	s := Start(t, Options{Modules: func(_ *sqldb.DB, svc *identity.Service) []xmpp.Module {
		return []xmpp.Module{command.New(command.Invites(command.Invitations{Inviter: svc, Join: func() string { return "https://example.org/join/" },
			Register: true, Least: identity.LevelStaff})...)}
	}})
	s.Add("boss")
	level := identity.LevelAdmin
	_, err := s.Identity.SetUser(t.Context(), Actor(), "boss", identity.UserChange{Level: &level})
	Must(t, err)
	return s
}

var preauth = regexp.MustCompile(`preauth=([0-9a-z]{28})`)

// opened is the invitation of a link that a command gave.
func opened(t *testing.T, s *Site, answer string) identity.Invitation {
	t.Helper()
	m := preauth.FindStringSubmatch(answer)
	if m == nil || !strings.Contains(answer, "<value>https://example.org/join/"+m[1]+"</value>") {
		t.Fatalf("no link in %s", answer)
	}
	list, err := s.Identity.Invitations(t.Context(), Actor(), identity.InviteFilter{})
	Must(t, err)
	for _, i := range list {
		if i.ID == m[1][:8] {
			return i
		}
	}
	t.Fatalf("no invitation %s", m[1][:8])
	return identity.Invitation{}
}

// XEP-0401 section 5.1.
func TestInvite(t *testing.T) {
	s := inviting(t)
	alice, boss := s.Login("alice", "a"), s.Login("boss", "b")
	list := alice.Ask("get", Host, "<query xmlns='http://jabber.org/protocol/disco#items' node='"+ns+"'/>")
	Has(t, "alice's commands", list, "node='urn:xmpp:invite#invite'")
	if strings.Contains(list, "create-account") {
		t.Errorf("alice may make accounts: %s", list)
	}
	got := run(alice, invite+"invite", "/>")
	Has(t, "alice", got, "status='completed'", "<value>urn:xmpp:invite#invitation</value>", "<field var='uri'", "<value>xmpp:alice@example.org?roster;preauth=", "<field var='landing-url'", "<field var='expire'")
	if i := opened(t, s, got); strings.Contains(got, "ibr=y") || i.Kind != identity.InviteContact || !i.Contact || i.Uses != 1 {
		t.Errorf("%+v of %s", i, got)
	}
	got = run(boss, invite+"invite", "/>")
	Has(t, "boss", got, "<value>xmpp:boss@example.org?roster;preauth=", ";ibr=y</value>")
	if i := opened(t, s, got); i.Kind != identity.InviteAccount || !i.Contact || i.Level != identity.LevelUser {
		t.Errorf("%+v", i)
	}
	Has(t, "alice", run(alice, invite+"create-account", "/>"), "<item-not-found")
}

var session = regexp.MustCompile(`sessionid='([^']*)'`)

// XEP-0401 section 5.4.
func TestCreateAccount(t *testing.T) {
	s := inviting(t)
	boss := s.Online("boss", "b")
	create := func(fields string) string {
		got := run(boss, invite+"create-account", "/>")
		Has(t, "the form", got, "<field var='username'", "<field var='roster-subscription'")
		return run(boss, invite+"create-account", " sessionid='"+session.FindStringSubmatch(got)[1]+"'><x xmlns='jabber:x:data' type='submit'>"+fields+"</x></command>")
	}
	got := create("<field var='roster-subscription'><value>true</value></field>")
	Has(t, "no name", got, "<value>xmpp:example.org?register;preauth=")
	if i := opened(t, s, got); i.Kind != identity.InviteAccount || !i.Contact {
		t.Errorf("%+v", i)
	}
	got = create("<field var='username'><value>Kim</value></field><field var='roster-subscription'><value>1</value></field>")
	Has(t, "a name", got, "<item jid='kim@example.org' subscription='both'/>", "<value>xmpp:kim@example.org?register;preauth=")
	if i := opened(t, s, got); i.Kind != identity.InviteFirst {
		t.Errorf("%+v", i)
	}
	if a, err := s.Identity.User(t.Context(), "kim"); err != nil || a.State != identity.UserInvited {
		t.Errorf("%+v, %v", a, err)
	}
	Has(t, "again, as the link was lost", create("<field var='username'><value>kim</value></field>"), "<value>xmpp:kim@example.org?register;preauth=")
	for _, tt := range []struct{ name, user, want string }{
		{"one that there is", "alice", "<conflict"}, {"no login", "a@b@c", "<bad-request"}, {"reserved", "ftp", "<bad-request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			Has(t, "boss", create("<field var='username'><value>"+tt.user+"</value></field>"), tt.want)
		})
	}
}
