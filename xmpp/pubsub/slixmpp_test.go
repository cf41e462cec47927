package pubsub_test

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"trivium/xmpp/xmpptest"
)

const python = "/usr/bin/python3" // the system's own, where Debian's python3-slixmpp lives

func TestSlixmpp(t *testing.T) {
	if err := exec.Command(python, "-c", "import slixmpp").Run(); err != nil {
		t.Skip("slixmpp is not there")
	}
	s := start(t, options{})
	addr, port, err := net.SplitHostPort(s.TLS)
	xmpptest.Must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "testdata/slixmpp_pep.py", addr, port)
	cmd.Stdin = strings.NewReader(xmpptest.Password + "\n")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	want := strings.Join([]string{
		"pep True True",
		"alice hears alice@example.org eu.siacs.conversations.axolotl.devicelist current 1,2",
		"bob reads ['1', '2']",
		"bob hears alice@example.org eu.siacs.conversations.axolotl.devicelist current 1,2",
		"bob hears alice@example.org urn:xmpp:omemo:2:devices current 7",
		"bundles ['7', '8']",
		"private not-allowed",
		"avatar 1",
		"alice hears alice@example.org urn:xmpp:omemo:2:devices current 7",
	}, "\n")
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("%v: got\n%s\nwant\n%s\nit says:\n%s", err, got, want, said.String())
	}
}
