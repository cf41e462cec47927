package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"trivium/config"
)

// loadTest is a development configuration on free ports with its data in dir.
func loadTest(t *testing.T, dir string, set ...string) *config.Config {
	t.Helper()
	cfg, err := LoadConfig(config.Options{Dev: true, Dir: t.TempDir(), SystemDir: t.TempDir(), DataDir: dir,
		Set: append([]string{"ftp.listen=127.0.0.1:0", "web.listen=127.0.0.1:0", "xmpp.listen=127.0.0.1:0", "xmpp.tls_listen=127.0.0.1:0", "log.level=error"}, set...)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// serveTest runs Serve until stop is called, and returns its ready line.
func serveTest(t *testing.T, cfg *config.Config) (line ready, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	var stderr lockedBuffer
	go func() {
		err := Serve(ctx, cfg, ServeOptions{Version: "test", Stdout: w, Stderr: &stderr, Started: time.Now()})
		_ = w.CloseWithError(io.ErrUnexpectedEOF)
		ended <- err
	}()
	if err := json.NewDecoder(r).Decode(&line); err != nil {
		cancel()
		t.Fatalf("no ready line: %v; Serve: %v; %s", err, <-ended, stderr.String())
	}
	return line, func() error {
		cancel()
		return <-ended
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestServeStartsAndStopsWhole(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := filepath.Join(t.TempDir(), "data")
	line, stop := serveTest(t, loadTest(t, dir))
	names := map[string]string{}
	for _, l := range line.Listeners {
		names[l.Name] = l.Addr
		c, err := net.Dial("tcp", l.Addr)
		if err != nil {
			t.Errorf("%s: %v", l.Name, err)
			continue
		}
		_ = c.Close()
	}
	for _, want := range []string{"ftp", "web", "xmpp", "xmpps"} {
		if names[want] == "" {
			t.Errorf("no listener %q in %v", want, names)
		}
	}
	if line.Event != "ready" || !strings.Contains(line.Setup, "/setup?code=") {
		t.Errorf("ready line: %+v", line)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for name, addr := range names {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens", name)
		}
	}
	// The data directory is free again, so a second server starts on it at once.
	_, stop = serveTest(t, loadTest(t, dir))
	if err := stop(); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func TestStartFaultsAreOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		dir, set, want string
	}{
		"port in use":      {"", "xmpp.listen=" + taken.Addr().String(), "in use"},
		"bad certificate":  {"", "tls.cert=" + file, file},
		"no directory":     {file, "", "data directory"},
		"damaged seal key": {sealedWith(t, "short"), "", "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tt.dir
			if dir == "" {
				dir = filepath.Join(t.TempDir(), "data")
			}
			var set []string
			if tt.set != "" {
				set = append(set, tt.set)
			}
			if strings.HasPrefix(tt.set, "tls.cert") {
				set = append(set, "tls.key=@file:"+file)
			}
			cfg := loadTest(t, dir, set...)
			err := Serve(context.Background(), cfg, ServeOptions{Version: "test", Stdout: io.Discard, Stderr: io.Discard, Started: time.Now()})
			if err == nil {
				t.Fatal("it started")
			}
			if s := err.Error(); !strings.Contains(s, tt.want) || strings.Contains(s, "\n") || strings.Contains(s, "fx.") || strings.Contains(s, "dig.") {
				t.Errorf("error %q, want one line with %q", s, tt.want)
			}
		})
	}
}

func sealedWith(t *testing.T, key string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "seal.key"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestControlWorksRunningAndStopped(t *testing.T) {
	// Deeper than the 108 bytes that a Unix socket's name may have.
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30), "data")
	cfg := loadTest(t, dir)
	ask := func(wantLive bool) {
		t.Helper()
		c, err := Control(t.Context(), cfg, "test")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		if c.Live() != wantLive {
			t.Errorf("Live() = %v", c.Live())
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://trivium/api/v1/users", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var users []any
		if err := json.NewDecoder(resp.Body).Decode(&users); err != nil || resp.StatusCode != http.StatusOK || len(users) != 0 {
			t.Errorf("got %d, %v, %v", resp.StatusCode, users, err)
		}
	}
	ask(false)
	_, stop := serveTest(t, cfg)
	ask(true)
	if err := stop(); err != nil {
		t.Error(err)
	}
	ask(false)
}

// TestStartWithMounts: a mount's folder must be there, and is opened and closed with the server.
func TestStartWithMounts(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	root := t.TempDir()
	cfg := loadTest(t, filepath.Join(t.TempDir(), "data"))
	cfg.Mount = []config.Mount{{Path: "/media", Root: root, Owner: "root", Group: "root", Mode: "0755", Umask: "022", Level: "logged-in"}}
	_, stop := serveTest(t, cfg)
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if os.Geteuid() == 0 {
		cfg.Files.Ownership = "system"
		_, stop = serveTest(t, cfg)
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	cfg.Mount[0].Root = filepath.Join(root, "none")
	err := Serve(t.Context(), cfg, ServeOptions{Version: "test", Stdout: io.Discard, Stderr: io.Discard, Started: time.Now()})
	if err == nil || !strings.Contains(err.Error(), "mount /media: the folder "+cfg.Mount[0].Root) {
		t.Errorf("without the folder: %v", err)
	}
}
