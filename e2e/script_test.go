package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// suite is the binary under test; TestMain sets it before any test runs.
var suite binary

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	dir, err := os.Getenv("TRIVIUM_E2E_BIN"), error(nil) // whose programs are made anew where the code is another
	if dir == "" {
		if dir, err = os.MkdirTemp("", "trivium-e2e-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	if suite, err = build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

type serverKey struct{}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", suite.dir+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("TRIVIUM_DATA_DIR", filepath.Join(e.WorkDir, "data"))
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			e.Setenv("PY", "/usr/bin/python3") // Debian's, which has slixmpp
			e.Values[serverKey{}] = &running{}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "slixmpp" {
				return exec.Command("/usr/bin/python3", "-c", "import slixmpp").Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": cmdServe, "shutdown": cmdStop, "kill9": cmdKill, "talk": cmdTalk, "retry": cmdRetry, "logged": cmdLogged,
		},
	})
}

// running is the server of one script, or none.
type running struct{ *server }

func of(ts *testscript.TestScript) *running { return ts.Value(serverKey{}).(*running) }

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	r := of(ts)
	s, err := start(suite, ts.Getenv("TRIVIUM_DATA_DIR"), args...)
	if neg {
		if err == nil {
			s.kill()
			ts.Fatalf("the server started")
		}
		ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), []byte(err.Error()), 0o600))
		return
	}
	ts.Check(err)
	r.server = s
	ts.Defer(func() {
		if r.server == s {
			s.kill()
		}
	})
	for _, kv := range s.env() {
		for i := range kv {
			if kv[i] == '=' {
				ts.Setenv(kv[:i], kv[i+1:])
				break
			}
		}
	}
}

func cmdStop(ts *testscript.TestScript, _ bool, _ []string) {
	r := of(ts)
	err := r.stop()
	r.server = nil
	ts.Check(err)
}

func cmdKill(ts *testscript.TestScript, _ bool, _ []string) {
	r := of(ts)
	r.kill()
	r.server = nil
}

// cmdLogged expects (or with ! refuses) a text in the server's log.
func cmdLogged(ts *testscript.TestScript, neg bool, args []string) {
	found := contains(of(ts).log.String(), args[0])
	if found == neg {
		ts.Fatalf("log has %q: %v", args[0], found)
	}
}

func cmdRetry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: retry DURATION PROGRAM ARGS…")
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	deadline := time.Now().Add(limit)
	for {
		if err = ts.Exec(args[1], args[2:]...); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still failing after %s: %v", limit, err)
		}
	}
}
