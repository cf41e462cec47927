package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 30 * time.Second
)

// binary is the program under test, built once by TestMain: once as people get it, for commands, and once
// with the race detector, for servers.
type binary struct{ dir, path, server string }

func build(dir string) (binary, error) {
	b := binary{dir: dir, path: filepath.Join(dir, "trivium")}
	b.server = b.path
	plain := exec.Command("go", "build", "-trimpath", "-o", b.path, "../cmd/trivium")
	plain.Env = append(os.Environ(), "CGO_ENABLED=0") // as `make build`, whose packages are there already
	builds := []*exec.Cmd{plain}
	if _, err := exec.LookPath("gcc"); err == nil { // the race detector needs a C compiler
		b.server = filepath.Join(dir, "server", "trivium")
		builds = append(builds, exec.Command("go", "build", "-race", "-o", b.server, "../cmd/trivium"))
	}
	for _, cmd := range builds {
		if out, err := cmd.CombinedOutput(); err != nil {
			return b, fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	return b, nil
}

// server is a running one.
type server struct {
	bin  binary
	data string
	cmd  *exec.Cmd
	log  *logBuffer

	addr  map[string]string // listener name → host:port
	setup string            // link, "" once an administrator exists
	anew  chan []byte       // the ready line of a server that was started anew in its process
	ended chan struct{}
	err   error // of Wait, after ended
}

// start runs the server on free ports with its data in dir.
func start(b binary, dir string, flags ...string) (*server, error) {
	s := &server{bin: b, data: dir, log: &logBuffer{}, addr: map[string]string{}, anew: make(chan []byte, 1), ended: make(chan struct{})}
	args := append([]string{"serve", "--dev", "--data-dir", dir, "--log-format", "json",
		"--set", "ftp.listen=127.0.0.1:0", "--set", "web.listen=127.0.0.1:0",
		"--set", "xmpp.listen=127.0.0.1:0", "--set", "xmpp.tls_listen=127.0.0.1:0"}, flags...)
	s.cmd = exec.Command(b.server, args...)
	s.cmd.Dir = filepath.Dir(dir)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan error, 1)
	go func() {
		defer close(s.ended)
		r := bufio.NewReader(out)
		line, err := r.ReadBytes('\n')
		if err == nil {
			err = s.ready(line)
		}
		ready <- err
		for {
			line, err := r.ReadBytes('\n')
			if err != nil {
				break
			}
			select {
			case s.anew <- line:
			default: // nobody waits for a second one
			}
		}
		s.err = s.cmd.Wait()
	}()
	select {
	case err := <-ready:
		if err != nil {
			_ = s.cmd.Process.Kill()
			<-s.ended
			return nil, fmt.Errorf("no ready line: %w; stderr:\n%s", err, s.log)
		}
		return s, nil
	case <-time.After(startLimit):
		_ = s.cmd.Process.Kill()
		return nil, fmt.Errorf("not ready after %s; stderr:\n%s", startLimit, s.log)
	}
}

// again waits for a server that starts anew in its process, and takes its new addresses.
func (s *server) again(t *testing.T) {
	t.Helper()
	select {
	case line := <-s.anew:
		if err := s.ready(line); err != nil {
			t.Fatal(err)
		}
	case <-s.ended:
		t.Fatalf("the server ended: %v; stderr:\n%s", s.err, s.log)
	case <-time.After(startLimit):
		t.Fatalf("not there again after %s; stderr:\n%s", startLimit, s.log)
	}
}

func (s *server) ready(line []byte) error {
	var r struct {
		Event     string
		Listeners []struct{ Name, Addr, TLS string }
		Setup     string
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("%q: %w", line, err)
	}
	if r.Event != "ready" {
		return fmt.Errorf("%q is no ready line", line)
	}
	for _, l := range r.Listeners {
		s.addr[l.Name] = l.Addr
	}
	s.setup = r.Setup
	return nil
}

// stop ends the server as an init system does.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
	case <-time.After(stopLimit):
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // the stacks say what hangs
		<-s.ended
		return fmt.Errorf("not stopped after %s; stderr:\n%s", stopLimit, s.log)
	}
	if s.err != nil {
		return fmt.Errorf("%w; stderr:\n%s", s.err, s.log)
	}
	if strings.Contains(s.log.String(), "DATA RACE") {
		return fmt.Errorf("data race; stderr:\n%s", s.log)
	}
	return nil
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

func (s *server) env() []string {
	return []string{"TRIVIUM_DATA_DIR=" + s.data, "FTP=" + s.addr["ftp"], "FTPS=" + s.addr["ftps"], "WEB=" + s.addr["web"], "HTTPS=" + s.addr["https"],
		"XMPP=" + s.addr["xmpp"], "XMPPS=" + s.addr["xmpps"], "SETUP=" + s.setup,
		"FTPPORT=" + port(s.addr["ftp"]), "XMPPPORT=" + port(s.addr["xmpp"])}
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// quickExit spares each command the second that the race detector sleeps at its end.
const quickExit = "GORACE=atexit_sleep_ms=0"

// cli runs a command on the server's data directory, with input on its stdin.
func (s *server) cli(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.bin.path, args...)
	cmd.Env = append(os.Environ(), "TRIVIUM_DATA_DIR="+s.data, quickExit)
	cmd.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("trivium %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// serve is start for a Go test: the server stops, cleanly, with the test.
func serve(t *testing.T, flags ...string) *server {
	t.Helper()
	s, err := start(suite, filepath.Join(t.TempDir(), "data"), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("server log:\n%s", s.log)
		}
	})
	return s
}

// run is cli for a Go test that must succeed.
func (s *server) run(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := s.cli(t.Context(), input, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// logBuffer collects stderr from another goroutine.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
