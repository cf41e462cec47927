package command_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/command"
	"trivium/xmpp/greet"
	"trivium/xmpp/sqlstore"
	. "trivium/xmpp/xmpptest"
)

// ending notes how the process would stop.
type ending struct{ asked []string }

func (e *ending) Stop(_ context.Context, by identity.Actor, again bool, after time.Duration) error {
	if len(e.asked) > 0 {
		return fmt.Errorf("the server is stopping already: %w", identity.ErrBusy)
	}
	e.asked = append(e.asked, fmt.Sprintln(by.User, again, after))
	return nil
}

// service starts a server with an administrator, boss, and one of level ROOT, root.
func service(t *testing.T) (*Site, *ending) {
	end := &ending{}
	s := Start(t, Options{Modules: func(db *sqldb.DB, svc *identity.Service) []xmpp.Module {
		g := greet.New(sqlstore.New(db), svc, svc.Registry)
		return []xmpp.Module{g, command.New(command.Service(svc, svc.Registry, g, end)...)}
	}})
	for name, level := range map[string]identity.Level{"boss": identity.LevelAdmin, "root": identity.LevelRoot} {
		s.Add(name)
		_, err := s.Identity.SetUser(t.Context(), Actor(), name, identity.UserChange{Level: &level})
		Must(t, err)
	}
	return s, end
}

func TestActivity(t *testing.T) {
	s, _ := service(t)
	boss, alice, bob := s.Online("boss", "b"), s.Online("alice", "a"), s.Online("bob", "b")
	Quiet(alice, bob)
	bob.Then("<presence><show>xa</show></presence>")
	Has(t, "active", run(boss, admin+"get-active-users-num", "/>"), "<field var='activeusersnum' type='text-single' label='Users who are active in chat'><value>2</value>")
	Has(t, "idle", run(boss, admin+"get-idle-users-num", "/>"), "<field var='idleusersnum' type='text-single' label='Users who are idle in chat'><value>1</value>")
	Has(t, "active", fill(t, boss, admin+"get-active-users", "max_items=25"), "<field var='activeuserjids' type='jid-multi' label='Users'><value>alice@example.org</value><value>boss@example.org</value></field>")
	Has(t, "idle", fill(t, boss, admin+"get-idle-users", "max_items=25"), "<field var='idleuserjids' type='jid-multi' label='Users'><value>bob@example.org</value></field>")
	s.Online("bob", "second") // one that is not away is enough
	Has(t, "idle", run(boss, admin+"get-idle-users-num", "/>"), "<value>0</value>")
}

// come sends the first presence of a client, and returns what comes upon it.
func come(s *Site, name, resource string) string {
	return s.Login(name, resource).Then("<presence/>")[0]
}

func TestGreetings(t *testing.T) {
	s, _ := service(t)
	boss, alice := s.Online("boss", "b"), s.Online("alice", "a")
	Quiet(alice, boss)
	Has(t, "none", run(boss, admin+"delete-motd", "/>"), "There was none.")
	Has(t, "nothing", fill(t, boss, admin+"set-motd", "motd= "), "<bad-payload")
	Has(t, "too long", fill(t, boss, admin+"set-motd", "motd="+strings.Repeat("x", greet.MaxText+1)), "longer than 4000 bytes", "<bad-payload")
	Has(t, "set", fill(t, boss, admin+"set-motd", "motd=Down &amp; out\nat 9"), "status='completed'")
	const day = "<subject>Message of the day</subject><body>Down &amp; out&#xA;at 9</body></message>"
	Has(t, "at once", alice.Settle(), "<message type='headline' from='example.org' to='alice@example.org'", day)
	Has(t, "bob", come(s, "bob", "b"), "<message type='headline' from='example.org' to='bob@example.org/b'>"+day)
	for _, name := range []string{"alice", "bob"} {
		if got := come(s, name, "c"); strings.Contains(got, "Message of the day") {
			t.Errorf("told twice: %s", got)
		}
	}
	form, _ := begin(t, boss, admin+"edit-motd")
	Has(t, "the form", form, "<value>Down &amp; out</value><value>at 9</value>")
	Has(t, "corrected", fill(t, boss, admin+"edit-motd", "motd=Down at 10"), "status='completed'")
	if got := come(s, "bob", "d"); strings.Contains(got, "Message of the day") {
		t.Errorf("the correction was told to who was told before: %s", got)
	}
	s.Add("dave")
	Has(t, "dave", come(s, "dave", "d"), "<body>Down at 10</body>")

	Has(t, "welcome", fill(t, boss, admin+"set-welcome", "welcome=Hello"), "status='completed'")
	s.Add("eve")
	Has(t, "eve", come(s, "eve", "e"), "<body>Down at 10</body>", "<subject>Welcome</subject><body>Hello</body>")
	for _, name := range []string{"dave", "eve"} {
		if got := come(s, name, "2"); strings.Contains(got, "Hello") {
			t.Errorf("%s was welcomed: %s", name, got)
		}
	}
	Has(t, "deleted", run(boss, admin+"delete-motd", "/>"), "was deleted")
	Has(t, "deleted", run(boss, admin+"delete-welcome", "/>"), "was deleted")
	s.Add("frank")
	if got := come(s, "frank", "f"); strings.Contains(got, "headline") {
		t.Errorf("after all is deleted: %s", got)
	}
	events, err := s.Identity.Audit(t.Context(), identity.AuditFilter{Actor: "boss"})
	Must(t, err)
	var got []string
	for _, e := range events {
		if e.Via == "xmpp" {
			got = append(got, e.Event+e.After)
		}
	}
	if want := `[welcome.remove motd.remove welcome.set{"text":"Hello"} motd.set{"text":"Down at 10"} motd.set{"text":"Down \u0026 out\nat 9"}]`; fmt.Sprint(got) != want {
		t.Errorf("audit: %v, want %s", got, want)
	}
}

func TestAdministrators(t *testing.T) {
	s, _ := service(t)
	boss, root := s.Online("boss", "b"), s.Online("root", "r")
	for _, node := range []string{"edit-admin", "restart", "shutdown"} { // hidden is as absent
		if got, want := run(boss, admin+node, "/>"), strings.ReplaceAll(run(boss, admin+"no-such", "/>"), "no-such", node); got != want {
			t.Errorf("%s: %q, want %q", node, got, want)
		}
	}
	form, id := begin(t, root, admin+"edit-admin")
	Has(t, "the list", form, "<field var='adminjids' type='jid-multi' label='Administrators'><value>boss@example.org</value></field>")
	Has(t, "nobody", run(root, admin+"edit-admin", id+">"+submit("adminjids=nobody@example.org")+"</command>"), "<item-not-found")
	level := func(name string) identity.Level {
		t.Helper()
		acc, err := s.Identity.User(t.Context(), name)
		Must(t, err)
		return acc.Level
	}
	if level("boss") != identity.LevelAdmin {
		t.Error("a list with a fault in it was taken")
	}
	Has(t, "edited", fill(t, root, admin+"edit-admin", "adminjids=alice@example.org\nroot@example.org"), "1 were added, 1 were taken out.")
	if level("alice") != identity.LevelAdmin || level("boss") != identity.LevelUser || level("root") != identity.LevelRoot {
		t.Errorf("levels: alice %d, boss %d, root %d", level("alice"), level("boss"), level("root"))
	}
}

func TestStop(t *testing.T) {
	s, end := service(t)
	root, alice := s.Online("root", "r"), s.Online("alice", "a")
	Quiet(alice)
	for _, delay := range []string{"", "x", "-1", "3601"} {
		Has(t, "delay "+delay, fill(t, root, admin+"shutdown", "delay="+delay), "<bad-payload")
	}
	Has(t, "asked", fill(t, root, admin+"restart", "delay=120", "announcement=Back soon"), "The server stops in 120 seconds.")
	Has(t, "alice", alice.Settle(), "<body>Back soon</body>")
	Has(t, "again", fill(t, root, admin+"shutdown", "delay=0", "announcement=Never"), "<resource-constraint")
	Nothing(t, "alice", alice.Settle())
	if want := "[root true 2m0s\n]"; fmt.Sprint(end.asked) != want {
		t.Errorf("asked: %v, want %s", end.asked, want)
	}
}
