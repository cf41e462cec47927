package xmpp_test

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"trivium/xmpp"
)

const python = "/usr/bin/python3" // the system's own, where Debian's python3-slixmpp lives

func TestSlixmpp(t *testing.T) {
	if err := exec.Command(python, "-c", "import slixmpp").Run(); err != nil {
		t.Skip("slixmpp is not there")
	}
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Config.SCRAMSHA1 = true }})
	for _, tt := range []struct {
		name, port, mech, pw string
		want                 []string
	}{
		{"STARTTLS, its own choice", s.clear, "", password, []string{"bound alice@example.org/s", "ping", "message alice@example.org/s <&> ä 漢字", "ok", "gone"}},
		{"STARTTLS, PLAIN", s.clear, "PLAIN", password, []string{"bound alice@example.org/s", "ping", "message alice@example.org/s <&> ä 漢字", "ok", "gone"}},
		{"direct TLS, SCRAM-SHA-256", s.tls, "SCRAM-SHA-256", password, []string{"bound alice@example.org/s", "ping", "message alice@example.org/s <&> ä 漢字", "ok", "gone"}},
		{"direct TLS, SCRAM-SHA-1", s.tls, "SCRAM-SHA-1", password, []string{"bound alice@example.org/s", "ping", "message alice@example.org/s <&> ä 漢字", "ok", "gone"}},
		{"wrong password", s.clear, "SCRAM-SHA-256", "wrong", []string{"failed", "gone"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr, port, err := net.SplitHostPort(tt.port)
			must(t, err)
			direct := "starttls"
			if tt.port == s.tls {
				direct = "direct"
			}
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, python, "testdata/slixmpp_login.py", "alice@example.org/s", addr, port, direct, tt.mech)
			cmd.Stdin = strings.NewReader(tt.pw + "\n")
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if got := strings.TrimSpace(string(out)); err != nil || got != strings.Join(tt.want, "\n") {
				t.Errorf("%v: got\n%s\nwant\n%s\nit says:\n%s", err, got, strings.Join(tt.want, "\n"), said.String())
			}
		})
	}
}
