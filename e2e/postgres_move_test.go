package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestMoveToPostgres: a store that three roads have filled moves, and everybody goes on.
func TestMoveToPostgres(t *testing.T) {
	pg, flags := onPostgres(t)
	data := t.TempDir() + "/data"
	s, err := start(suite, data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.kill() }()
	s.run(t, password+"\n", "user", "add", "alice", "--level", "customer", "--password-stdin")
	s.run(t, password+"\n", "user", "add", "bob", "--password-stdin")
	s.run(t, "", "group", "add", "choir")
	s.run(t, "", "group", "member", "add", "choir", "alice")
	token := strings.TrimSpace(s.run(t, "", "token", "issue", "alice", "--scope", "ftp,xmpp", "--label", "phone"))
	ftp := dialFTP(t, s.addr["ftp"])
	ftp.login("alice", token)
	if got := ftp.put("STOR kept.txt", []byte("kept")); !strings.HasPrefix(got, "226") {
		t.Fatalf("an upload: %s", got)
	}
	web := newWeb(t, s.addr["web"])
	web.login("alice", password)
	speak := func(from, text string) {
		t.Helper()
		x := dialXMPP(t, s.addr["xmpps"], "localhost")
		x.login(from, password, "localhost", "phone")
		x.send(`<message to='bob@localhost' type='chat' id='m'><body>` + text + `</body></message><iq type='get' id='done'><ping xmlns='urn:xmpp:ping'/></iq>`)
		x.until(`<iq[^>]*id=['"]done['"][^>]*>`)
	}
	for _, text := range []string{"first", "second", "third"} {
		speak("alice", text)
	}
	users := s.run(t, "", "user", "list", "--plain")

	move := []string{"store", "move", "--to", pg.URL("trivium")}
	refused := func(what, want string, args ...string) {
		t.Helper()
		out, err := s.cli(t.Context(), "", append(move, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "goroutine") {
			t.Errorf("%s: %s, %v; want %q", what, out, err, want)
		}
	}
	refused("while the server runs", "the server is running")
	// A browser that is logged in stays so, and its cookie holds in the other store.
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cli(t.Context(), "", "store", "move", "--to", "postgres://trivium:hunter2@localhost/trivium")
	if err == nil {
		t.Fatalf("a password in the URL was taken: %s", out)
	}
	_, said, _ := strings.Cut(err.Error(), "exit status") // what stands before it is what was asked
	if !strings.Contains(said, "holds a password") || strings.Contains(out+said, "hunter2") {
		t.Errorf("a password in the URL: %s, %s", out, said)
	}
	if err := pg.Exec(t.Context(), "trivium", "CREATE TABLE wiki (page TEXT)"); err != nil {
		t.Fatal(err)
	}
	refused("beside another program's tables", "it has tables of something else: wiki")
	if err := pg.Exec(t.Context(), "trivium", "DROP TABLE wiki"); err != nil {
		t.Fatal(err)
	}
	moved := s.run(t, "", move...)
	if !strings.Contains(moved, "Moved ") || !strings.Contains(moved, "to the PostgreSQL database trivium") {
		t.Errorf("the move says: %s", moved)
	}
	refused("again", "the database is not empty")

	if s, err = start(suite, data, flags...); err != nil {
		t.Fatal(err)
	}
	if got := s.run(t, "", "user", "list", "--plain"); got != users {
		t.Errorf("the accounts are\n%s\nand were\n%s", got, users)
	}
	if out := s.run(t, "", "audit", "verify"); !strings.Contains(out, "as they were written") {
		t.Errorf("the audit log: %s", out)
	}
	ftp = dialFTP(t, s.addr["ftp"])
	ftp.login("alice", token)
	if b, _ := ftp.get("kept.txt"); string(b) != "kept" {
		t.Errorf("the file has %q", b)
	}
	web.base = "http://" + s.addr["web"]
	if status, to, _ := web.get("/sessions"); status != http.StatusOK {
		t.Errorf("the browser's session: %d to %q", status, to)
	}
	speak("alice", "fourth")
	bob := dialXMPP(t, s.addr["xmpps"], "localhost")
	bob.login("bob", password, "localhost", "desk")
	bob.send(`<iq type='set' id='p1'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set></query></iq>`)
	page := bob.until(`<fin[^>]*>.*</iq>`)
	_, last, _ := strings.Cut(page, "<last>")
	last, _, _ = strings.Cut(last, "</last>")
	if !strings.Contains(page, "first") || !strings.Contains(page, "second") || strings.Contains(page, "third") || last == "" {
		t.Errorf("the first page of the archive: %s", page)
	}
	bob.send(`<iq type='set' id='p2'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>2</max><after>` + last + `</after></set></query></iq>`)
	if page = bob.until(`<fin[^>]*>.*</iq>`); !strings.Contains(page, "third") || !strings.Contains(page, "fourth") {
		t.Errorf("the second page of the archive: %s", page)
	}
	s.run(t, password+"\n", "user", "add", "carol", "--password-stdin") // numbers go on
	s.run(t, "", "audit", "verify")
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
