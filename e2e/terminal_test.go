package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// terminal is a program in a terminal of its own (tmux), with a home of its own.
type terminal struct {
	t      *testing.T
	socket string
}

// terminalLimit is how long a text may take to show.
const terminalLimit = 60 * time.Second

// open runs a program in a terminal, or skips the test where it or tmux is not installed.
func open(t *testing.T, program string) *terminal {
	t.Helper()
	for _, p := range []string{"tmux", program} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed")
		}
	}
	home, err := os.MkdirTemp("", "e2e") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t, filepath.Join(home, "tmux")}
	t.Cleanup(func() {
		_, _ = x.tmux("kill-server")
		_ = os.RemoveAll(home)
	})
	cmd := exec.Command("tmux", "-f", "/dev/null", "-S", x.socket, "new-session", "-d", "-x", "160", "-y", "50", program)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home+"/config", "XDG_DATA_HOME="+home+"/data", "TERM=xterm", "LANG=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return x
}

func (x *terminal) tmux(args ...string) (string, error) {
	out, err := exec.CommandContext(x.t.Context(), "tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	return string(out), err
}

// types types lines.
func (x *terminal) types(lines ...string) {
	x.t.Helper()
	for _, line := range lines {
		for _, keys := range [][]string{{"-l", line}, {"Enter"}} {
			if out, err := x.tmux(append([]string{"send-keys"}, keys...)...); err != nil {
				x.t.Fatalf("%v: %s", err, out)
			}
		}
	}
}

// shows waits until the screen shows text, and returns the screen.
func (x *terminal) shows(text string) string {
	x.t.Helper()
	return x.until(text, func(screen string) bool { return strings.Contains(screen, text) })
}

func (x *terminal) until(what string, right func(screen string) bool) string {
	x.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond) // a screen says nothing when it changes
	defer tick.Stop()
	screen := ""
	for limit := time.Now().Add(terminalLimit); time.Now().Before(limit); <-tick.C {
		var err error
		if screen, err = x.tmux("capture-pane", "-p"); err == nil && right(screen) {
			return screen
		}
	}
	x.t.Fatalf("the screen did not show %s:\n%s", what, strings.TrimSpace(screen))
	return ""
}
