package e2e

import (
	"os/exec"
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
	for _, step := range []string{"in SCRAM-SHA-256", "roster", "chat and receipt", "carbons", "offline", "archive"} {
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
