package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"trivium/config"
	"trivium/identity"
	"trivium/internal/certs"
	"trivium/internal/probe"
	"trivium/tokens"
)

// Bounds of connection tests.
const (
	testsPerMinute = 8 // of one account
	testsAtOnce    = 8 // of everybody
	testTokenLife  = 30 * time.Second
	testTokenEnd   = 5 * time.Second // how long the end of the token may take
)

// tester tries the roads as a client of an account does, with a password that is thrown away.
type tester struct {
	cfg    *config.Config
	status *status
	users  *identity.Service
	tokens *tokens.Service
	certs  *certs.Source
	log    *slog.Logger

	mu      sync.Mutex // guards what follows
	running map[string]bool
	began   map[string][]time.Time
}

func newTester(cfg *config.Config, st *status, s *identity.Service, t *tokens.Service, src *certs.Source, log *slog.Logger) *tester {
	return &tester{cfg: cfg, status: st, users: s, tokens: t, certs: src, log: log, running: map[string]bool{}, began: map[string][]time.Time{}}
}

// noTester is for a command that works on a stopped server's store.
func noTester() *tester { return nil }

// Test tries one road ("ftp", "dav", "xmpp", "api") and reports each step as it ends; it takes at most
// probe.Whole and a moment. user is a login, or login@domain, whose account the actor may make tokens for;
// "" leaves the log-in out. at is an address in the place of the usual one, which must be one of this
// server's. One test of an actor runs at a time, and some in a minute: else identity.ErrThrottled.
func (t *tester) Test(ctx context.Context, by identity.Actor, user, road, at string, report func(probe.Step)) error {
	leave, err := t.enter(by.User)
	if err != nil {
		return err
	}
	defer leave()
	return t.run(ctx, by, user, road, at, report)
}

// enter counts the tests of an actor.
func (t *tester) enter(who string) (leave func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for name, list := range t.began { // few: those of one minute
		list = slices.DeleteFunc(list, func(at time.Time) bool { return now.Sub(at) > time.Minute })
		if t.began[name] = list; len(list) == 0 {
			delete(t.began, name)
		}
	}
	switch {
	case t.running[who], len(t.running) >= testsAtOnce:
		return nil, fmt.Errorf("a connection test is running already: %w", identity.ErrThrottled)
	case len(t.began[who]) >= testsPerMinute:
		return nil, fmt.Errorf("%d connection tests in a minute are enough: %w", testsPerMinute, identity.ErrThrottled)
	}
	t.running[who] = true
	t.began[who] = append(t.began[who], now)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.running, who)
	}, nil
}

// testScopes are the least that a log-in on a road needs.
func testScopes(road string) []tokens.Scope {
	switch road {
	case "ftp":
		return []tokens.Scope{tokens.ScopeFTP, tokens.ScopeFilesRead}
	case "dav":
		return []tokens.Scope{tokens.ScopeWeb, tokens.ScopeFilesRead}
	case "xmpp":
		return []tokens.Scope{tokens.ScopeXMPP}
	case "api":
		return []tokens.Scope{tokens.ScopeAPI}
	}
	return nil
}

func (t *tester) run(ctx context.Context, by identity.Actor, user, road, at string, report func(probe.Step)) error {
	scopes := testScopes(road)
	if scopes == nil {
		return fmt.Errorf("%q is no way to test; there are ftp, dav, xmpp and api: %w", road, identity.ErrInvalid)
	}
	domain := t.cfg.Domain
	var login probe.Login
	if user != "" {
		acc, err := t.users.User(ctx, user)
		if err != nil {
			return err
		}
		secret, end, err := t.tokens.Passing(ctx, by, tokens.Request{User: user, Scopes: scopes, TTL: testTokenLife, Label: "connection test"})
		if err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), testTokenEnd)
			defer cancel()
			if err := end(ctx); err != nil {
				t.log.Warn("the end of a connection test was not recorded", "err", err)
			}
		}()
		domain = acc.Domain
		login = probe.Login{User: string(acc.Login), Secret: secret.Reveal}
		if acc.Domain != t.cfg.Domain && road != "xmpp" {
			login.User += "@" + acc.Domain
		}
	}
	run, err := t.prepare(road, at, domain, login)
	if err != nil {
		return err
	}
	run(ctx, report)
	return nil
}

// prepare finds what a road's probe has to be told.
func (t *tester) prepare(road, at, domain string, login probe.Login) (func(context.Context, func(probe.Step)), error) {
	base := probe.Target{Login: login, Mine: t.certs.Has}
	off := fmt.Errorf("this way is off: %w", identity.ErrInvalid)
	other, err := t.other(road, at)
	if err != nil {
		return nil, err
	}
	switch road {
	case "ftp":
		target := probe.FTPTarget{Target: base, PassivePorts: t.cfg.FTP.PassivePorts}
		explicit, first := t.listener("ftp")
		implicit, second := t.listener("ftps")
		switch {
		case first:
			target.Host, target.Port, target.Own, target.TLS = explicit.host, explicit.port, explicit.own, "explicit"
			if explicit.tls == "none" {
				target.TLS = "none"
			}
			if second && other == nil {
				target.Implicit, target.ImplicitOwn = implicit.port, implicit.own
			}
		case second:
			target.Host, target.Port, target.Own, target.TLS = implicit.host, implicit.port, implicit.own, "implicit"
		default:
			return nil, off
		}
		if other != nil {
			target.Host, target.Port, target.Own = other.Hostname(), or(other.Port(), map[string]string{"ftp": "21", "ftps": "990"}[other.Scheme]), ""
			if other.Scheme == "ftps" {
				target.TLS = "implicit"
			} else if target.TLS == "implicit" {
				target.TLS = "explicit"
			}
		}
		return func(ctx context.Context, report func(probe.Step)) { probe.FTP(ctx, target, report) }, nil
	case "xmpp":
		target := probe.XMPPTarget{Target: base}
		open, first := t.listener("xmpp")
		direct, second := t.listener("xmpps")
		switch {
		case first:
			target.Port, target.Own, target.TLS = open.port, open.own, "starttls"
			if second {
				target.Direct, target.DirectOwn = direct.port, direct.own
			}
		case second:
			target.Port, target.Own, target.TLS = direct.port, direct.own, "direct"
		default:
			return nil, off
		}
		target.Host = domain
		if other != nil {
			target.Host, target.Port = other.Hostname(), or(other.Port(), target.Port)
		}
		if u, own := t.web(); u != nil && t.cfg.XMPP.WebSocket {
			target.WebSocket, target.WebOwn = "ws"+strings.TrimPrefix(u.JoinPath(websocketPath).String(), "http"), own
			if u.Scheme == "https" { // asked of the domain itself (XEP-0156 section 3)
				meta := url.URL{Scheme: "https", Host: domain, Path: "/.well-known/host-meta"}
				if u.Port() != "" && u.Host != t.publicHost() {
					meta.Host = net.JoinHostPort(domain, u.Port())
				}
				target.HostMeta = meta.String()
			}
		}
		return func(ctx context.Context, report func(probe.Step)) { probe.XMPP(ctx, target, report) }, nil
	}
	u, own := t.web()
	if other != nil {
		u, own = other, ""
	}
	if u == nil || road == "dav" && !t.cfg.Web.DAV {
		return nil, off
	}
	base.Own = own
	if road == "dav" {
		target := probe.DAVTarget{Target: base, URL: u.JoinPath("/dav/").String(), Resume: u.JoinPath("/files/").String()}
		return func(ctx context.Context, report func(probe.Step)) { probe.DAV(ctx, target, report) }, nil
	}
	target := probe.APITarget{Target: base, URL: u.JoinPath("/api/v1/me").String()}
	return func(ctx context.Context, report func(probe.Step)) { probe.API(ctx, target, report) }, nil
}

// publicHost is the host of web.public_url, with its port; "" where that is not set.
func (t *tester) publicHost() string {
	u, err := url.Parse(t.cfg.Web.PublicURL)
	if err != nil {
		return ""
	}
	return u.Host
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// place is where clients find a listener, and where it is itself.
type place struct{ host, port, own, tls string }

// listener is the first of a name that is open.
func (t *tester) listener(name string) (place, bool) {
	for _, b := range t.status.bound() {
		if b.Name != name {
			continue
		}
		host, port, err := net.SplitHostPort(b.Addr)
		if err != nil {
			continue
		}
		p := place{host: t.cfg.Domain, port: port, own: b.Addr, tls: b.TLS}
		if a, err := netip.ParseAddr(host); err == nil {
			switch {
			case a.IsLoopback(): // nobody else reaches it
				p.host = host
			case a.IsUnspecified() && a.Is4():
				p.own = net.JoinHostPort("127.0.0.1", port)
			case a.IsUnspecified():
				p.own = net.JoinHostPort("localhost", port) // of the two families the one that listens
			}
		}
		return p, true
	}
	return place{}, false
}

// web is the address of the pages as clients have it, and where the listener itself is; nil where the road
// is off.
func (t *tester) web() (u *url.URL, own string) {
	for _, l := range []struct{ name, scheme, usual string }{{"https", "https", "443"}, {"web", "http", "80"}} {
		p, ok := t.listener(l.name)
		if !ok {
			continue
		}
		if u, err := url.Parse(t.cfg.Web.PublicURL); err == nil && u.Host != "" {
			if u.Scheme != l.scheme {
				p.own = "" // a proxy in front makes TLS of it: the listener alone would show something else
			}
			return u, p.own
		}
		u = &url.URL{Scheme: l.scheme, Host: p.host}
		if p.port != l.usual {
			u.Host = net.JoinHostPort(p.host, p.port)
		} else if strings.Contains(p.host, ":") {
			u.Host = "[" + p.host + "]"
		}
		return u, p.own
	}
	return nil, ""
}

// other reads an address that somebody wants tested; nil for "". It must be a name of this server, or an
// address of this machine: nothing else is contacted.
func (t *tester) other(road, at string) (*url.URL, error) {
	if at == "" {
		return nil, nil
	}
	schemes := map[string][]string{"ftp": {"ftp", "ftps"}, "xmpp": {"xmpp"}, "dav": {"http", "https"}, "api": {"http", "https"}}[road]
	u, err := url.Parse(at)
	if err != nil || u.Hostname() == "" || u.User != nil || !slices.Contains(schemes, u.Scheme) {
		return nil, fmt.Errorf("%q is no address such as %s://%s: %w", at, schemes[0], t.cfg.Domain, identity.ErrInvalid)
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	own := append([]string{t.cfg.Domain, "localhost"}, t.cfg.Domains...)
	if name := t.cfg.FTP.PublicAddress; name != "auto" {
		own = append(own, name)
	}
	if p, err := url.Parse(t.cfg.Web.PublicURL); err == nil {
		own = append(own, p.Hostname())
	}
	if slices.Contains(own, host) || probe.Here(host) {
		return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")}, nil
	}
	return nil, fmt.Errorf("%s is no name of this server: a test contacts nothing else: %w", u.Hostname(), identity.ErrInvalid)
}
