package app

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"trivium/config"
	"trivium/identity"
	"trivium/web/api"
)

// status is what the process knows of itself: which listeners are open, since when. The roads
// put themselves in; web pages, API and ready line read.
type status struct {
	cfg      *config.Config
	identity *identity.Service
	version  string
	started  time.Time
	running  bool

	mu    sync.Mutex // guards roads
	roads []func() []Bound
}

func newStatus(cfg *config.Config, s *identity.Service, v buildVersion) *status {
	return &status{cfg: cfg, identity: s, version: string(v), started: time.Now(), running: true}
}

func (s *status) add(addrs func() []Bound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roads = append(s.roads, addrs)
}

func (s *status) bound() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Bound
	for _, addrs := range s.roads {
		all = append(all, addrs()...)
	}
	return all
}

// report is what the API shows of the process.
func (s *status) report() api.Status {
	started := s.started.UTC()
	r := api.Status{PID: os.Getpid(), DataDir: s.cfg.DataDir, ConfigFile: s.cfg.File, Running: s.running,
		StartedAt: &started, Uptime: int64(time.Since(s.started).Seconds())}
	for _, b := range s.bound() {
		r.Listeners = append(r.Listeners, api.Listener{Name: b.Name, Addr: b.Addr, TLS: b.TLS, State: "ok"})
	}
	return r
}

// baseURL is where a browser finds the pages: what config says, else what is really open.
func (s *status) baseURL() string {
	if s.cfg.Web.PublicURL != "" {
		return s.cfg.BaseURL()
	}
	for _, want := range []struct{ name, scheme, port string }{{"https", "https", "443"}, {"web", "http", "80"}} {
		for _, b := range s.bound() {
			if b.Name != want.name {
				continue
			}
			host, port, err := net.SplitHostPort(b.Addr)
			if err != nil {
				continue
			}
			if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
				host = s.cfg.Domain
			}
			u := url.URL{Scheme: want.scheme, Host: host}
			if port != want.port {
				u.Host = net.JoinHostPort(host, port)
			}
			return u.String()
		}
	}
	return s.cfg.BaseURL()
}

// setupLink is the first administrator's link; "" once there is one.
func (s *status) setupLink(ctx context.Context) (string, error) {
	code, err := s.identity.SetupCode(ctx)
	if errors.Is(err, identity.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return s.baseURL() + "/setup?code=" + url.QueryEscape(code), nil
}

// newOfflineStatus is the status of a command that works on a stopped server's store.
func newOfflineStatus(cfg *config.Config, s *identity.Service, v buildVersion) *status {
	st := newStatus(cfg, s, v)
	st.running = false
	return st
}
