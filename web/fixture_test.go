package web_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"trivium/backup"
	"trivium/config"
	"trivium/files"
	"trivium/files/local"
	filestore "trivium/files/sqlstore"
	"trivium/identity"
	"trivium/identity/provider"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/certs"
	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
	"trivium/web"
	"trivium/webhooks"
	hookstore "trivium/webhooks/sqlstore"
)

const password = "correct horse battery"

var machine = identity.Actor{Level: identity.LevelRoot, Via: "cli"}

// site is a real server on real sockets over real stores.
type site struct {
	*web.Server
	t        *testing.T
	identity *identity.Service
	tokens   *tokens.Service
	files    *files.Service
	dir      string // of the files
	bin      bool   // there are trash and versions
	hooks    *webhooks.Service
	private  bool   // webhooks may go to this machine
	plain    string // base addresses
	https    string
	issuer   string // of the provider for other applications; "": there is none
	provider *provider.Provider
}

type change func(*web.Options, *identity.Options)

func newSite(t *testing.T, changes ...change) *site {
	t.Helper()
	return openSite(t, &site{}, changes...)
}

// newBinSite is one with trash and versions.
func newBinSite(t *testing.T, changes ...change) *site {
	t.Helper()
	return openSite(t, &site{bin: true}, changes...)
}

func openSite(t *testing.T, s *site, changes ...change) *site {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	db := sqltest.Migrated(t, identitystore.Migrate, tokenstore.Migrate, filestore.Migrate)
	s.t, s.dir = t, filepath.Join(t.TempDir(), "files")
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	verifier := tokens.NewVerifier(tokenstore.New(db), time.Now)
	io := identity.Options{Store: identitystore.New(db), Tokens: verifier, Domain: "example.org", SealKey: key, SCRAMIterations: 4096,
		DefaultLevel: identity.LevelUser, DefaultRequired: identity.LevelLoggedIn, AnonymousRoads: []identity.Road{identity.RoadWeb},
		SessionTimeout: time.Hour, AnonymousTimeout: time.Hour}
	cert, err := certs.Load(certs.Options{Dir: t.TempDir(), Domains: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	backups := backup.NewService(backup.Options{Source: backup.Source{Store: oneWord{}, Temp: t.TempDir(), Now: time.Now}, Dir: t.TempDir(), Keep: 1, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		_ = backups.Cancel() // ErrIdle is as good
		_ = backups.Wait(context.WithoutCancel(t.Context()))
	})
	wo := web.Options{Backups: backups, Config: config.Web{Listen: []string{"127.0.0.1:0"}, Plain: "serve", TLSListen: []string{"127.0.0.1:0"}},
		Limits:   config.Limits{HTTPHeaderTimeout: 5 * time.Second, HTTPBodyTimeout: 5 * time.Second, HTTPIdleTimeout: 5 * time.Second},
		SiteName: "Example", Domain: "example.org", Version: "test", TLS: cert.Config("h2", "http/1.1"), Log: slog.New(slog.DiscardHandler)}
	for _, c := range changes {
		c(&wo, &io)
	}
	if s.identity, err = identity.New(ctx, io); err != nil {
		t.Fatal(err)
	}
	s.tokens = tokens.New(verifier, s.identity, "example.org")
	if s.issuer != "" {
		s.provider = provider.New(provider.Options{Identity: s.identity, Issuer: s.issuer})
		wo.Provider = s.provider
	}
	backend, err := local.Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	fo := files.Options{Backend: backend, Policy: s.identity, Mask: 0o027, Domain: "example.org", QuotaBytes: 50_000_000, SoftPercent: 90, SoftGrace: 24 * time.Hour}
	fo.Shares = filestore.New(db)
	if s.bin {
		fo.Bin, fo.Trash, fo.Versions = filestore.New(db), files.TrashWeb, 3
	}
	tree, err := files.New(fo)
	if err != nil {
		t.Fatal(err)
	}
	s.files = tree
	if err := hookstore.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	if wo.Webhooks, err = webhooks.New(webhooks.Options{Store: hookstore.New(db), Log: s.identity, Private: s.private}); err != nil {
		t.Fatal(err)
	}
	s.hooks = wo.Webhooks
	wo.Identity, wo.Registry, wo.Tokens, wo.Files = s.identity, s.identity.Registry, s.tokens, tree
	if s.Server, err = web.New(wo); err != nil {
		t.Fatal(err)
	}
	s.identity.UseRoutes(func(r identity.Resource) (identity.Level, bool) {
		path, ok := strings.CutPrefix(string(r), "web:")
		if !ok {
			return 0, false
		}
		return s.LevelOf(path)
	})
	s.identity.AddResources(s.Resources)
	s.identity.AddResources(tree.Resources)
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	if s.provider != nil {
		ended := make(chan struct{})
		go func() { defer close(ended); s.provider.Run(ctx) }()
		t.Cleanup(func() { <-ended })
	}
	done := make(chan error, 2)
	go func() { done <- s.identity.Run(ctx) }()
	go func() { done <- s.Serve() }()
	for _, b := range s.Addrs() {
		switch b.Name {
		case "web":
			s.plain = "http://" + b.Addr
		case "https":
			s.https = "https://" + b.Addr
		}
	}
	t.Cleanup(func() {
		limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(limit); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		stop()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Errorf("serving: %v", err)
		}
		if err := backend.Close(); err != nil {
			t.Errorf("closing the files: %v", err)
		}
	})
	return s
}

// user makes an account with the usual password.
func (s *site) user(login string, level identity.Level) identity.Account {
	s.t.Helper()
	a, err := s.identity.AddUser(context.Background(), machine, identity.NewUser{Login: login, Level: level, Password: identity.NewSecret(password)})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// browser is an HTTP client with cookies that does not follow redirects.
type browser struct {
	*http.Client
	t    *testing.T
	base string
	jar  *cookiejar.Jar
}

func (s *site) browser() *browser { return s.browserAt(s.plain) }

func (s *site) browserAt(base string) *browser {
	jar, _ := cookiejar.New(nil) // never fails without options
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &browser{t: s.t, base: base, jar: jar, Client: &http.Client{Jar: jar, Transport: tr, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	res, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{res, string(text)}
}

func (b *browser) request(method, path string, body io.Reader) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, b.base+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(b.request(http.MethodGet, path, nil))
}

var tokenInForm = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// token reads the form token of a page.
func (b *browser) token(path string) string {
	b.t.Helper()
	m := tokenInForm.FindStringSubmatch(b.get(path).body)
	if m == nil {
		b.t.Fatalf("no form on %s", path)
	}
	return m[1]
}

// send posts fields as they are.
func (b *browser) send(path string, fields url.Values) answer {
	b.t.Helper()
	r := b.request(http.MethodPost, path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// post posts a form of the page from, with its token.
func (b *browser) post(from, path string, pairs ...string) answer {
	b.t.Helper()
	fields := url.Values{"csrf": {b.token(from)}}
	for i := 0; i+1 < len(pairs); i += 2 {
		fields.Add(pairs[i], pairs[i+1])
	}
	return b.send(path, fields)
}

// login logs in and expects to get in.
func (b *browser) login(name string) *browser {
	b.t.Helper()
	a := b.post("/login", "/login", "login", name, "password", password)
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("logging in as %s: %d", name, a.StatusCode)
	}
	return b
}

func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.base)
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (a answer) expect(t *testing.T, status int, parts ...string) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: %d, want %d", a.Request.Method, a.Request.URL.Path, a.StatusCode, status)
	}
	for _, p := range parts {
		if !strings.Contains(a.body, p) {
			t.Errorf("%s %s: no %q in %s", a.Request.Method, a.Request.URL.Path, p, text(a.body))
		}
	}
	return a
}

// text is a page without its markup, for messages.
func text(html string) string {
	if _, main, ok := strings.Cut(html, "<main"); ok {
		html = main
	}
	html = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, " ")
	html = regexp.MustCompile(`\s+`).ReplaceAllString(html, " ")
	if len(html) > 600 {
		html = html[:600]
	}
	return html
}

// until waits for a condition that another goroutine brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("%s did not happen", what)
		case <-tick.C:
		}
	}
}

// oneWord is a database of one word: the pages ask about backups, not what is in them.
type oneWord struct{}

func (oneWord) Engine() string                      { return "sqlite" }
func (oneWord) Size(context.Context) (int64, error) { return 1, nil }
func (oneWord) Snapshot(_ context.Context, f string) error {
	return os.WriteFile(f, []byte("database"), 0o600)
}
func (oneWord) Check(context.Context, string) (backup.Contents, error) {
	return backup.Contents{}, nil
}
