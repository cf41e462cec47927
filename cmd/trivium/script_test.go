package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"trivium": main})
}

// TestScripts runs the program as people do; each script has a data directory of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector sleeps a second at each exit
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("TRIVIUM_DATA_DIR", filepath.Join(env.WorkDir, "data"))
			env.Setenv("TZ", "UTC")
			env.Values[ftpKey{}] = new(*textproto.Conn)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "until": until, "ftp": ftpLogin, "ftpends": ftpEnds},
		// The golden parts of the scripts are written anew by TRIVIUM_UPDATE=1 go test.
		UpdateScripts: os.Getenv("TRIVIUM_UPDATE") != "",
	})
}

// exits CODE PROGRAM ARG... runs a program and wants its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until PROGRAM ARG... runs a program again and again until it succeeds.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: until PROGRAM ARG...")
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if ts.Exec(args[0], args[1:]...) == nil {
			return
		}
	}
	ts.Fatalf("it did not succeed within a minute")
}

// ftp USER PASSWORD logs in by FTP at the running server, and stays.
func ftpLogin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ftp USER PASSWORD")
	}
	ts.Check(ts.Exec("trivium", "status", "--json"))
	var st status
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &st))
	addr := ""
	for _, l := range st.Listeners {
		if l.Name == "ftp" {
			addr = l.Addr
		}
	}
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	ts.Check(err)
	ts.Defer(func() { _ = conn.Close() })
	ts.Check(conn.SetDeadline(time.Now().Add(time.Minute)))
	c := textproto.NewConn(conn)
	for _, step := range []struct {
		send string
		want int
	}{{"", 220}, {"USER " + args[0], 331}, {"PASS " + args[1], 230}} {
		if step.send != "" {
			ts.Check(c.PrintfLine("%s", step.send))
		}
		_, _, err := c.ReadResponse(step.want)
		ts.Check(err)
	}
	*ts.Value(ftpKey{}).(**textproto.Conn) = c
}

type ftpKey struct{}

// ftpends wants the server to say 421 and hang up.
func ftpEnds(ts *testscript.TestScript, _ bool, _ []string) {
	c := *ts.Value(ftpKey{}).(**textproto.Conn)
	_, _, err := c.ReadResponse(421)
	ts.Check(err)
	if _, err := c.ReadLine(); !errors.Is(err, io.EOF) {
		ts.Fatalf("the connection is still there: %v", err)
	}
}
