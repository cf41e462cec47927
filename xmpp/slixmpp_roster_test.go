package xmpp_test

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestSlixmppRoster(t *testing.T) {
	if err := exec.Command(python, "-c", "import slixmpp").Run(); err != nil {
		t.Skip("slixmpp is not there")
	}
	s := start(t, options{})
	addr, port, err := net.SplitHostPort(s.tls)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "testdata/slixmpp_roster.py", addr, port)
	cmd.Stdin = strings.NewReader(password + "\n")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	want := "alice sees bob@example.org/b\nbob sees alice@example.org/a\nboth both\nbob misses alice@example.org/a"
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("%v: got\n%s\nwant\n%s\nit says:\n%s", err, got, want, said.String())
	}
}
