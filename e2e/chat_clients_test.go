package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const python = "/usr/bin/python3" // Debian's, which has slixmpp and aioxmpp

// needsPython skips the test where a module of the system's Python is not installed.
func needsPython(t *testing.T, module string) {
	t.Helper()
	if exec.Command(python, "-c", "import "+module).Run() != nil {
		t.Skip(module + " is not installed")
	}
}

// couple is a server with alice and bob.
func couple(t *testing.T, flags ...string) *server {
	t.Helper()
	s := serve(t, flags...)
	for _, name := range []string{"alice", "bob"} {
		s.run(t, password+"\n", "user", "add", name, "--password-stdin")
	}
	return s
}

// TestChatBySlixmpp is the life of two people: SCRAM, subscription, receipts, copies for the other
// client, messages while away, the archive, a network that breaks, and a block.
func TestChatBySlixmpp(t *testing.T) {
	needsPython(t, "slixmpp")
	s := couple(t)
	way := lay(t, s.addr["xmpp"])
	c := stay(t, "slixmpp", password+"\n", python, "testdata/clients/chat_slixmpp.py", s.addr["xmpp"], way.addr)
	for _, step := range []string{"in SCRAM-SHA-256", "roster", "chat and receipt", "carbons", "offline", "archive", "omemo devices and avatar"} {
		c.says(step)
	}
	c.says("cut")
	if n := way.cut(); n != 1 {
		t.Fatalf("%d connections were cut", n)
	}
	for _, step := range []string{"resumed", "blocking", "done"} {
		c.says(step)
	}
}

// TestChatByProfanity: two people at terminals, one of whom loses the network.
func TestChatByProfanity(t *testing.T) {
	alice, bob := open(t, "profanity"), open(t, "profanity")
	s := couple(t)
	way := lay(t, s.addr["xmpp"])
	for _, p := range []struct {
		*terminal
		name, port string
	}{{alice, "alice", port(way.addr)}, {bob, "bob", port(s.addr["xmpp"])}} {
		p.shows("Profanity. Type /help")
		p.types("/receipts request on", "/receipts send on", "/reconnect 1", "/carbons on", "/connect "+p.name+"@localhost server 127.0.0.1 port "+p.port+" tls trust")
		p.shows("Enter password")
		p.types(password)
		p.shows("logged in successfully")
		// OMEMO begins with a node that is not there yet; it publishes where it hears that by a number.
		p.types("/omemo trustmode blind", "/omemo gen")
		p.shows("Going to publish own device ID")
	}
	if n := strings.Count(s.log.String(), `"method":"scram-sha-256`); n != 2 {
		t.Errorf("%d log-ins by SCRAM", n)
	}

	alice.types("/sub request bob@localhost")
	bob.shows("alice@localhost")
	bob.types("/sub allow alice@localhost")
	alice.types("/msg bob@localhost grüße <&> ☃")
	bob.types("/msg alice@localhost you are here")
	alice.shows("you are here")
	bob.shows("grüße <&> ☃")

	// An answer to who asks for a receipt.
	raw := dialXMPP(t, s.addr["xmpps"], "localhost")
	raw.login("bob", password, "localhost", "raw")
	raw.send(`<message to='alice@localhost' type='chat' id='asked'><body>got it?</body><request xmlns='urn:xmpp:receipts'/></message>`)
	raw.until(`<received[^>]*id=['"]asked['"]`)
	alice.shows("got it?")

	alice.types("/omemo start bob@localhost")
	alice.shows("[OMEMO]")
	alice.types("for your eyes only")
	bob.shows("for your eyes only")
	raw.send(`<iq type='set' id='page'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><before/></set></query></iq>`)
	if page := raw.until(`<iq [^>]*id=['"]page['"]`); !strings.Contains(page, "<encrypted xmlns='eu.siacs.conversations.axolotl'") && !strings.Contains(page, `<encrypted xmlns="eu.siacs.conversations.axolotl"`) || strings.Contains(page, "for your eyes only") {
		t.Errorf("the archive has %s", page)
	}
	alice.types("/omemo end")

	before := s.sessions(t, "--user", "alice")
	if n := way.cut(); n != 1 {
		t.Fatalf("%d connections were cut", n)
	}
	bob.types("in the dark")
	screen := alice.shows("in the dark")
	if n := strings.Count(screen, "in the dark"); n != 1 {
		t.Errorf("shown %d times:\n%s", n, screen)
	}
	if after := s.sessions(t, "--user", "alice"); len(after) != 1 || after[0].ID != before[0].ID || after[0].RemoteAddr == before[0].RemoteAddr {
		t.Errorf("not resumed: before %+v, after %+v", before, after)
	}
	for _, p := range []*terminal{alice, bob} {
		p.types("/quit")
	}
}

// TestChatByGoSendxmpp: messages from the command line, to somebody who is away and to somebody who
// listens.
func TestChatByGoSendxmpp(t *testing.T) {
	if _, err := exec.LookPath("go-sendxmpp"); err != nil {
		t.Skip("go-sendxmpp is not installed")
	}
	s := couple(t)
	config := func(name, extra string) string {
		file := filepath.Join(t.TempDir(), name)
		text := "username: " + name + "@localhost\njserver: " + extra + "\npassword: " + password + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	say := func(text string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "timeout", append([]string{"30", "go-sendxmpp", "-n"}, args...)...)
		cmd.Stdin = strings.NewReader(text + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	starttls, direct := strings.Replace(s.addr["xmpp"], "127.0.0.1", "localhost", 1), strings.Replace(s.addr["xmpps"], "127.0.0.1", "localhost", 1)
	say("while you were away", "-f", config("alice", starttls), "bob@localhost")
	bob := stay(t, "go-sendxmpp", "", "go-sendxmpp", "-n", "-l", "-t", "-f", config("bob", direct))
	bob.says("alice@localhost: while you were away")
	say("grüße <&> ☃", "-t", "-f", config("alice", direct), "bob@localhost")
	bob.says("alice@localhost: grüße <&> ☃")
}

// TestChatByAioxmpp: the same with another library, which waits for acknowledgements, looks what
// the server can do, and has a list of contacts with groups.
func TestChatByAioxmpp(t *testing.T) {
	needsPython(t, "aioxmpp")
	s := couple(t)
	way := lay(t, s.addr["xmpp"])
	c := stay(t, "aioxmpp", password+"\n", python, "testdata/clients/chat_aioxmpp.py", s.addr["xmpp"], way.addr)
	for _, step := range []string{"in", "roster", "chat", "disco", "pep"} {
		c.says(step)
	}
	c.says("cut")
	if n := way.cut(); n != 1 {
		t.Fatalf("%d connections were cut", n)
	}
	for _, step := range []string{"resumed", "blocking", "done"} {
		c.says(step)
	}
	if n := strings.Count(s.log.String(), `"method":"scram-sha-256`); n < 2 {
		t.Errorf("%d log-ins by SCRAM", n)
	}
}
