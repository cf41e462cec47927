package command_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/tokens"
	"trivium/xmpp"
	"trivium/xmpp/announce"
	"trivium/xmpp/command"
	. "trivium/xmpp/xmpptest"
)

// issuer is the real service of tokens, as the application gives it to the module.
type issuer struct{ *tokens.Service }

func (i issuer) Issue(ctx context.Context, by identity.Actor, login, label string, roads []identity.Road, ttl time.Duration) (identity.Secret, error) {
	var scopes []tokens.Scope
	for _, r := range roads {
		scopes = append(scopes, tokens.Scope(r))
	}
	_, secret, err := i.Service.Issue(ctx, by, tokens.Request{User: login, Label: label, Scopes: scopes, TTL: ttl})
	return secret, err
}

type place struct {
	*Site
	tokens *tokens.Service
}

// start starts a server with an administrator, boss, and one of no less level, other.
func start(t *testing.T) place {
	site, issued := StartWithTokens(t, func(svc *identity.Service, issued *tokens.Service) []xmpp.Module {
		told := announce.New(svc, svc.Registry)
		svc.OnAnnounce(told.Begin)
		ctx, stop := context.WithCancel(context.Background())
		go told.Run(ctx)
		t.Cleanup(stop)
		return []xmpp.Module{command.New(append(command.Admin(svc, svc.Registry), command.Own(svc.Registry, issuer{issued})...)...), told}
	})
	p := place{site, issued}
	for _, name := range []string{"boss", "other"} {
		p.Add(name)
		level := identity.LevelAdmin
		_, err := p.Identity.SetUser(t.Context(), Actor(), name, identity.UserChange{Level: &level})
		Must(t, err)
	}
	return p
}

const (
	ns    = "http://jabber.org/protocol/commands"
	admin = "http://jabber.org/protocol/admin#"
	own   = "urn:trivium:commands#"
)

func run(c *Client, node, rest string) string {
	return c.Ask("set", Host, "<command xmlns='"+ns+"' node='"+node+"'"+rest)
}

var sessionID = regexp.MustCompile(`sessionid='([^']+)'`)

// begin is the first step of a command; it returns the answer and the attribute for the next.
func begin(t *testing.T, c *Client, node string) (answer, id string) {
	t.Helper()
	answer = run(c, node, " action='execute'/>")
	Has(t, "the command", answer, "<iq type='result'", "status='executing'", "<actions execute='complete'><complete/></actions>", "<x xmlns='jabber:x:data' type='form'>")
	return answer, " sessionid='" + sessionID.FindStringSubmatch(answer)[1] + "'"
}

// fill submits the form of a command with fields as "name=value".
func fill(t *testing.T, c *Client, node string, fields ...string) string {
	t.Helper()
	_, id := begin(t, c, node)
	return run(c, node, id+">"+submit(fields...)+"</command>")
}

func submit(fields ...string) string {
	b := "<x xmlns='jabber:x:data' type='submit'>"
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		b += "<field var='" + name + "'>"
		for _, v := range strings.Split(value, "\n") {
			b += "<value>" + v + "</value>"
		}
		b += "</field>"
	}
	return b + "</x>"
}

func TestLists(t *testing.T) {
	s := start(t)
	boss, alice := s.Online("boss", "b"), s.Online("alice", "a")
	items := func(c *Client) string {
		return c.Ask("get", Host, "<query xmlns='http://jabber.org/protocol/disco#items' node='"+ns+"'/>")
	}
	Has(t, "boss", items(boss), "node='"+admin+"add-user'", "node='"+own+"sessions'")
	got := items(alice)
	Has(t, "alice", got, "<item jid='example.org' node='"+own+"sessions' name='Show where I am logged in'/>")
	if strings.Contains(got, admin) {
		t.Errorf("alice sees %s", got)
	}
	info := func(c *Client, node string) string {
		return c.Ask("get", Host, "<query xmlns='http://jabber.org/protocol/disco#info' node='"+node+"'/>")
	}
	Has(t, "boss", info(boss, admin+"add-user"), "<identity category='automation' type='command-node' name='Add a user'/>", "<feature var='jabber:x:data'/>")
	Has(t, "the list", info(alice, ns), "type='command-list'")
	// What alice may not use is not there, byte for byte.
	same := func(what, hidden, absent string) {
		t.Helper()
		if hidden != strings.ReplaceAll(absent, "no-such", "add-user") {
			t.Errorf("%s: %q, and of nothing %q", what, hidden, absent)
		}
		Has(t, what, hidden, "<item-not-found")
	}
	same("running", run(alice, admin+"add-user", "/>"), run(alice, admin+"no-such", "/>"))
	same("info", info(alice, admin+"add-user"), info(alice, admin+"no-such"))
	Has(t, "features", boss.Ask("get", Host, "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<feature var='"+ns+"'/>")
}

func TestSteps(t *testing.T) {
	s := start(t)
	boss, second := s.Online("boss", "b"), s.Online("boss", "c")
	node := admin + "disable-user"
	_, id := begin(t, boss, node)
	Has(t, "another client", run(second, node, id+"/>"), "<not-allowed", "<session-expired")
	Has(t, "another command", run(boss, admin+"add-user", id+"/>"), "<bad-sessionid")
	Has(t, "no such action", run(boss, node, id+" action='jump'/>"), "<malformed-action")
	Has(t, "no way back", run(boss, node, id+" action='prev'/>"), "<bad-action")
	Has(t, "nothing in it", run(boss, node, id+">"+submit()+"</command>"), "<bad-payload")
	Has(t, "cancelled", run(boss, node, id+" action='cancel'/>"), "status='canceled'")
	Has(t, "over", run(boss, node, id+">"+submit("accountjids="+Alice)+"</command>"), "<session-expired")
	_, id = begin(t, boss, node)
	for range 5 {
		begin(t, boss, node)
	}
	Has(t, "too many are open", run(boss, node, id+"/>"), "<session-expired")
	Has(t, "garbage", run(boss, node, "><x xmlns='jabber:x:data'>text<y/></x></command>"), "status='executing'")
}

func TestAccounts(t *testing.T) {
	s := start(t)
	boss := s.Online("boss", "b")
	ctx := t.Context()
	Has(t, "adding", fill(t, boss, admin+"add-user", "accountjid=dave@example.org", "password="+Password, "password-verify="+Password, "email=dave@example.net", "given_name=Dave", "surname=D"), "status='completed'", "dave@example.org was added.")
	acc, err := s.Identity.User(ctx, "dave")
	if err != nil || acc.Profile.Name != "Dave D" || acc.Profile.Email != "dave@example.net" || acc.Level != identity.LevelUser {
		t.Errorf("%+v, %v", acc.User, err)
	}
	dave := s.Online("dave", "d")
	Has(t, "again", fill(t, boss, admin+"add-user", "accountjid=dave@example.org"), "<conflict")
	Has(t, "two passwords", fill(t, boss, admin+"add-user", "accountjid=eve@example.org", "password=one password", "password-verify=another password"), "not the same", "<bad-payload")
	Has(t, "elsewhere", fill(t, boss, admin+"add-user", "accountjid=eve@example.net"), "<bad-payload")

	Has(t, "nobody", fill(t, boss, admin+"disable-user", "accountjids=nobody@example.org"), "<item-not-found")
	Has(t, "an equal", fill(t, boss, admin+"disable-user", "accountjids=other@example.org"), "<forbidden")
	Has(t, "some", fill(t, boss, admin+"disable-user", "accountjids=dave@example.org\nother@example.org\nnobody@example.org"), "status='completed'", "<note type='error'", "Done for 1 of 3", "other@", "nobody@")
	Has(t, "dave", dave.Rest(), "<stream:error>")
	Has(t, "disabled", fill(t, boss, admin+"get-disabled-users-list", "max_items=25"), "<field var='disableduserjids' type='jid-multi' label='Users'><value>dave@example.org</value></field>")
	Has(t, "how many", run(boss, admin+"get-disabled-users-num", "/>"), "status='completed'", "<value>1</value>")
	Has(t, "enabled", fill(t, boss, admin+"reenable-user", "accountjids=dave@example.org"), "Done.")
	dave = s.Online("dave", "d")

	Has(t, "a password", fill(t, boss, admin+"change-user-password", "accountjid=dave@example.org", "password=another one 9"), "status='completed'")
	Has(t, "dave", dave.Rest(), "<not-authorized")
	dave = s.LoginWith("dave", "d", "another one 9")
	Has(t, "of an equal", fill(t, boss, admin+"change-user-password", "accountjid=other@example.org", "password=another one 9"), "<forbidden")
	Has(t, "too short", fill(t, boss, admin+"change-user-password", "accountjid=dave@example.org", "password=short"), "too short", "<bad-payload")

	Has(t, "removing", fill(t, boss, admin+"delete-user", "accountjids=dave@example.org"), "Done.")
	Has(t, "dave", dave.Rest(), "<stream:error>")
	if strings.Contains(s.Log(), "another one 9") {
		t.Error("a password is in the log")
	}
	events, err := s.Identity.Audit(ctx, identity.AuditFilter{Actor: "boss"})
	Must(t, err)
	var got []string
	for _, e := range events {
		if e.Via == "xmpp" {
			got = append(got, e.Event)
		}
	}
	if want := "[user.remove password.set user.set user.set user.add]"; fmt.Sprint(got) != want {
		t.Errorf("audit: %v, want %s", got, want)
	}
}

func TestSessionsOfOthers(t *testing.T) {
	s := start(t)
	boss, alice := s.Online("boss", "b"), s.Online("alice", "a")
	second, other := s.Online("alice", "second"), s.Online("other", "o")
	Has(t, "online", run(boss, admin+"get-online-users-num", "/>"), "<value>3</value>")
	Has(t, "online", fill(t, boss, admin+"get-online-users-list", "max_items=2"), "<value>alice@example.org</value><value>boss@example.org</value></field>", "there are more")
	Has(t, "statistics", fill(t, boss, admin+"user-stats", "accountjid="+Alice), "<value>127.0.0.1</value>", "<field var='rostersize' type='text-single' label='Contacts'><value>0</value>", "<value>a</value><value>second</value>")
	Has(t, "last log-in", fill(t, boss, admin+"get-user-lastlogin", "accountjids=bob@example.org"), "<field var='accountjids' type='jid-multi' label='User'><value>bob@example.org</value>", "<value>never</value>")
	Has(t, "two last log-ins", fill(t, boss, admin+"get-user-lastlogin", "accountjids=bob@example.org", "accountjids="+Alice), "Give one address.")
	Has(t, "contacts", alice.Ask("set", "", "<query xmlns='jabber:iq:roster'><item jid='bob@example.org' name='B &amp; B'/></query>"), "<iq type='result'")
	Has(t, "contacts", fill(t, boss, admin+"get-user-roster", "accountjids="+Alice), "<query xmlns='jabber:iq:roster'><item jid='bob@example.org' name='B &amp; B' subscription='none'/></query></x>")
	Has(t, "contacts of an equal", fill(t, boss, admin+"get-user-roster", "accountjids=other@example.org"), "<forbidden")

	Has(t, "telling nothing", fill(t, boss, admin+"announce", "announcement= "), "<bad-payload")
	Quiet(alice, second, other)
	Has(t, "telling", fill(t, boss, admin+"announce", "announcement=Down at 9\nfor an hour"), "3 users were told.")
	Has(t, "alice", alice.Expect("</message>"), "<message type='headline' from='example.org'", "<body>Down at 9&#xA;for an hour</body>")
	Has(t, "other", other.Expect("</message>"), "Down at 9")

	Has(t, "one", fill(t, boss, admin+"end-user-session", "accountjids="+second.JID), "Done.")
	Has(t, "the second", second.Rest(), "<policy-violation")
	alice.Settle()
	Has(t, "one that is not there", fill(t, boss, admin+"end-user-session", "accountjids="+Alice+"/none"), "<item-not-found")
	Has(t, "all", fill(t, boss, admin+"end-user-session", "accountjids="+Alice), "Done.")
	Has(t, "alice", alice.Rest(), "<policy-violation")
	Has(t, "an equal", fill(t, boss, admin+"end-user-session", "accountjids=other@example.org"), "<forbidden")
	other.Settle()
}

func TestOwn(t *testing.T) {
	s := start(t)
	alice, second := s.Online("alice", "a"), s.Online("alice", "second")
	bob := s.Online("bob", "b")
	got := run(alice, own+"sessions", "/>")
	Has(t, "the list", got, "status='completed'", "<reported>", "<item>", "xmpp (this one)", "<value>second</value>")
	if strings.Contains(got, "<value>b</value>") {
		t.Errorf("it shows bob's: %s", got)
	}
	form, id := begin(t, alice, own+"end-sessions")
	option := regexp.MustCompile(`<value>(1-[a-z0-9]+)</value>`).FindStringSubmatch(form)
	if option == nil || strings.Count(form, "<option") != 2 {
		t.Fatal(form)
	}
	Has(t, "bob", fill(t, s.Online("bob", "c"), own+"end-sessions", "sessions="+option[1]), "0 sessions were ended.")
	second.Settle()
	Has(t, "ending", run(alice, own+"end-sessions", id+">"+submit("sessions="+option[1])+"</command>"), "One session was ended.")
	Has(t, "the second", second.Rest(), "<stream:error>")
	Has(t, "no more", run(alice, own+"end-sessions", "/>"), "status='completed'", "nowhere else")
	bob.Settle()

	got = fill(t, alice, own+"app-password", "label=a bot", "roads=xmpp\nftp", "expires=30")
	secret := regexp.MustCompile(`<value>(secret-token:[^<]+)</value>`).FindStringSubmatch(got)
	if secret == nil {
		t.Fatal(got)
	}
	bot := s.LoginWith("alice", "bot", secret[1])
	list, err := s.tokens.List(t.Context(), "alice")
	if err != nil || len(list) != 1 || list[0].Label != "a bot" || len(list[0].Scopes) != 2 || list[0].ExpiresAt == nil {
		t.Errorf("%+v, %v", list, err)
	}
	if strings.Contains(s.Log(), secret[1]) {
		t.Error("the app password is in the log")
	}
	cert := Certificate(t)
	Has(t, "a certificate", alice.Ask("set", "", "<append xmlns='urn:xmpp:saslcert:1'><name>x</name><x509cert>"+base64.StdEncoding.EncodeToString(cert.Certificate[0])+"</x509cert></append>"), "<iq type='result'")
	robot := s.LoginExternal(cert, "robot")
	for _, node := range []string{"sessions", "end-sessions", "app-password"} {
		Has(t, "by an app password", run(bot, own+node, "/>"), "<item-not-found")
		Has(t, "by a certificate", run(robot, own+node, "/>"), "<item-not-found")
	}
	for _, fields := range [][]string{{"roads=xmpp"}, {"label=x"}, {"label=x", "roads=admin"}, {"label=x", "roads=xmpp", "expires=7"}} {
		Has(t, fmt.Sprint(fields), fill(t, alice, own+"app-password", fields...), "<bad-payload")
	}
}

// Whatever is in a command, the stream goes on, and one answer comes.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{"<x xmlns='jabber:x:data' type='submit'><field var='max_items'><value>5</value></field></x>",
		"<x xmlns='jabber:x:data'><field><value/></field><field var='a'/></x>", "<x/>", "<x xmlns='jabber:x:data'><item><field/></item></x>", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		el, err := xmpp.ParseElement([]byte("<command xmlns='" + ns + "'>" + body + "</command>"))
		if err != nil {
			return
		}
		v, ok := command.Submitted(el)
		if ok {
			v.One("a")
			v.Lines("max_items")
			v.Yes("b")
		}
	})
}
