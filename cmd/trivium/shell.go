package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"trivium/cmd/trivium/app"
	"trivium/config"
)

// client carries requests to the API; app.Client and socketClient are two.
type client interface {
	Do(r *http.Request) (*http.Response, error)
	Live() bool
	Close() error
}

// shell is what a command needs of the world around it.
type shell struct {
	*Globals
	ctx            context.Context // of the process; a command makes its own time limits from it
	environ        []string
	stdin          *os.File
	stdout, stderr io.Writer
	started        time.Time

	cfg    *config.Config
	client client
}

func (s *shell) getenv(name string) string {
	for i := len(s.environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(s.environ[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// fillFromEnv reads what is no key of the configuration.
func (s *shell) fillFromEnv() {
	if s.Socket == "" {
		s.Socket = s.getenv("TRIVIUM_SOCKET")
	}
}

// config loads the settings once.
func (s *shell) config() (*config.Config, error) {
	if s.cfg != nil {
		return s.cfg, nil
	}
	cfg, err := app.LoadConfig(s.configOptions())
	if err != nil {
		return nil, configError(err)
	}
	s.cfg = cfg
	return cfg, nil
}

func (s *shell) configOptions() config.Options {
	return config.Options{File: s.Globals.Config, Dev: s.Dev, DataDir: s.DataDir, Set: s.Set, Env: s.environ}
}

// connect finds the server, or what stands in its place.
func (s *shell) connect() (client, error) {
	if s.client != nil {
		return s.client, nil
	}
	if s.Socket != "" {
		s.client = newSocketClient(s.Socket)
		return s.client, nil
	}
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.wait())
	defer cancel()
	c, err := app.Control(ctx, cfg, version)
	if err != nil {
		return nil, connectError(err)
	}
	s.client = c
	return c, nil
}

func (s *shell) wait() time.Duration {
	if s.Timeout <= 0 {
		return defaultTimeout
	}
	return time.Duration(s.Timeout)
}

const defaultTimeout = 30 * time.Second

// live refuses where no server runs: what it would show exists in a running one only.
func (s *shell) live() error {
	if s.Socket == "" {
		cfg, err := s.config()
		if err != nil {
			return err
		}
		// Looked for before connect, which would open the store in the server's place only to
		// find that it is of no use here, and be in the way of a server that starts.
		if _, err := os.Lstat(filepath.Join(cfg.DataDir, "control.sock")); errors.Is(err, fs.ErrNotExist) {
			return errNotRunning()
		}
	}
	c, err := s.connect()
	if err != nil {
		return err
	}
	if !c.Live() {
		return errNotRunning()
	}
	return nil
}

func (s *shell) close() error {
	if s.client == nil {
		return nil
	}
	c := s.client
	s.client = nil
	return c.Close()
}

// newSocketClient talks to the server whose control socket is at path.
func newSocketClient(path string) client {
	return &socketClient{&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
}

type socketClient struct{ transport *http.Transport }

// Do sends a request.
func (c *socketClient) Do(r *http.Request) (*http.Response, error) { return c.transport.RoundTrip(r) }

// Live is true: there is nothing but a server at the other end.
func (c *socketClient) Live() bool { return true }

// Close gives the connection up.
func (c *socketClient) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// terminal reports whether v is a file that is a terminal.
func terminal(v any) bool {
	f, ok := v.(*os.File)
	if !ok || f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// colour reports whether w gets escape sequences (https://no-color.org).
func (s *shell) colour(w io.Writer) bool {
	switch s.Color {
	case "always":
		return true
	case "never":
		return false
	}
	return s.getenv("NO_COLOR") == "" && s.getenv("TERM") != "dumb" && terminal(w)
}
