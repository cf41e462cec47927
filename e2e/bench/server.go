package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const password = "correct horse battery"

// server is a running trivium.
type server struct {
	bin, dir string
	args     []string
	cmd      *exec.Cmd
	addr     map[string]string
	ready    time.Duration // from exec to the ready line
	tookMS   int64         // as the server says
}

// scratch is where data lies: in memory where there is such a place, so that no disk is measured.
func scratch() string {
	const shm = "/dev/shm"
	if i, err := os.Stat(shm); err == nil && i.IsDir() {
		return shm
	}
	return os.TempDir()
}

func start(ctx context.Context, bin string, flags ...string) (*server, error) {
	return startIn(ctx, scratch(), bin, flags...)
}

// startIn starts the server with its data in a folder of its own below parent.
func startIn(ctx context.Context, parent, bin string, flags ...string) (*server, error) {
	dir, err := os.MkdirTemp(parent, "trivium-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, dir: dir}
	s.args = append([]string{"serve", "--dev", "--data-dir", filepath.Join(dir, "data"), "--log-level", "error", "--log-format", "json",
		"--set", "ftp.listen=127.0.0.1:0", "--set", "web.listen=127.0.0.1:0",
		"--set", "xmpp.listen=127.0.0.1:0", "--set", "xmpp.tls_listen=127.0.0.1:0",
		// One address plays many people here.
		"--set", "limits.unauthenticated_per_address=0", "--set", "limits.ban_after=0",
		"--set", "limits.sessions_per_user_xmpp=0", "--set", "limits.sessions_per_user_ftp=0"}, flags...)
	if err := s.launch(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// launch starts the process and waits until it is ready.
func (s *server) launch(ctx context.Context) error {
	s.addr = map[string]string{}
	s.cmd = exec.CommandContext(ctx, s.bin, s.args...)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("no ready line: %w", err)
	}
	s.ready = time.Since(begin)
	var r struct {
		Listeners []struct{ Name, Addr string }
		TookMS    int64 `json:"took_ms"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	for _, l := range r.Listeners {
		s.addr[l.Name] = l.Addr
	}
	s.tookMS = r.TookMS
	return nil
}

// end ends the process.
func (s *server) end() {
	if s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
	}
}

// again ends the process and starts another with the same data.
func (s *server) again(ctx context.Context) error {
	s.end()
	return s.launch(ctx)
}

func (s *server) stop() {
	s.end()
	_ = os.RemoveAll(s.dir)
}

// add makes an account by the command line.
func (s *server) add(ctx context.Context, login string) error {
	cmd := exec.CommandContext(ctx, s.bin, "user", "add", login, "--password-stdin", "--quiet")
	cmd.Env = append(os.Environ(), "TRIVIUM_DATA_DIR="+filepath.Join(s.dir, "data"))
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("user add: %w: %s", err, out)
	}
	return nil
}

func (s *server) status() string { return fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid) }

// home is the account's folder on disk.
func (s *server) home(login string) string {
	return filepath.Join(s.dir, "data", "files", "localhost", "home", login)
}

// target is the server for a figure that compares.
func (s *server) target(login string) *target {
	return &target{name: "trivium", addr: s.addr["ftp"], user: login, password: password, pid: s.cmd.Process.Pid,
		home: s.home(login), stop: s.stop}
}

func benchStart(ctx context.Context, bin string) error {
	best := time.Hour
	for range 5 {
		s, err := start(ctx, bin)
		if err != nil {
			return err
		}
		best = min(best, s.ready)
		s.stop()
	}
	fmt.Printf("start to ready, empty store, best of 5:    %d ms\n", best.Milliseconds())
	return nil
}
