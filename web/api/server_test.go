package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/backup"
	"trivium/config"
	"trivium/files"
	disk "trivium/files/local"
	filestore "trivium/files/sqlstore"
	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
	"trivium/web/api"
	"trivium/webhooks"
	hookstore "trivium/webhooks/sqlstore"
)

const password = "correct horse battery staple"

// server is the API over a real store, on a real socket.
type server struct {
	url     string
	api     *api.API
	id      *identity.Service
	tokens  *tokens.Service
	control http.Handler
	log     *log
	files   string // folder of the file tree
	tree    *files.Service
	hooks   *webhooks.Service
}

// log keeps what the handler logs.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func root() identity.Actor { return identity.Actor{Level: identity.LevelRoot, Via: "cli"} }

// start serves; accounts of each level are named after it.
func start(t testing.TB, accounts ...identity.Level) *server {
	t.Helper()
	return startWith(t, nil, accounts...)
}

// startWith is start with rules of policy.
func startWith(t testing.TB, policy map[string]string, accounts ...identity.Level) *server {
	t.Helper()
	ctx := context.Background()
	s := &server{log: &log{}}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	db := sqltest.Migrated(t, identitystore.Migrate, tokenstore.Migrate, filestore.Migrate, hookstore.Migrate)
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	verifier := tokens.NewVerifier(tokenstore.New(db), time.Now)
	var err error
	s.id, err = identity.New(ctx, identity.Options{
		Store: identitystore.New(db), Tokens: verifier, Log: logger, Domain: "example.org", Domains: []string{"example.net"}, SealKey: key,
		SCRAMIterations: 4096, DefaultLevel: identity.LevelUser, DefaultRequired: identity.LevelLoggedIn, Policy: policy,
	})
	check(t, err)
	running, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.id.Run(running) }()
	t.Cleanup(func() {
		stop()
		check(t, <-ran)
	})
	s.tokens = tokens.New(verifier, s.id, "example.org")
	cfg, err := config.Load(config.Options{Dev: true, Dir: t.TempDir(), SystemDir: t.TempDir(), Set: []string{"domain=example.org"}})
	check(t, err)
	s.files = t.TempDir()
	backend, err := disk.Open(s.files)
	check(t, err)
	t.Cleanup(func() { check(t, backend.Close()) })
	tree, err := files.New(files.Options{Backend: backend, Domain: "example.org", QuotaBytes: 1000, SoftPercent: 80,
		Bin: filestore.New(db), Trash: files.TrashAll, Versions: 3, Shares: filestore.New(db)})
	check(t, err)
	s.tree = tree
	s.hooks, err = webhooks.New(webhooks.Options{Store: hookstore.New(db), Log: s.id, Private: true, Backoff: func(int) time.Duration { return time.Millisecond }})
	check(t, err)
	backups := backup.NewService(backup.Options{Source: backup.Source{Store: noStore{}, Temp: t.TempDir(), Now: time.Now}, Dir: t.TempDir(), Keep: 1, Log: logger})
	t.Cleanup(func() {
		_ = backups.Cancel() // ErrIdle is as good
		_ = backups.Wait(context.WithoutCancel(t.Context()))
	})
	s.api, err = api.New(api.Options{Webhooks: s.hooks, Backups: backups, Identity: s.id, Tokens: s.tokens, Files: tree, Config: cfg, Version: "1.2.3", Log: logger})
	check(t, err)
	s.control = s.api.Control(root())
	for _, l := range accounts {
		s.add(t, l.String(), l)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	srv := &http.Server{Handler: s.api.Handler(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	s.url = "http://" + ln.Addr().String() + api.Prefix
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) add(t testing.TB, login string, l identity.Level) identity.Account {
	t.Helper()
	a, err := s.id.AddUser(context.Background(), root(), identity.NewUser{Login: login, Level: l, Password: identity.NewSecret(password)})
	check(t, err)
	return a
}

// token issues one and returns its text.
func (s *server) token(t testing.TB, r tokens.Request) string {
	t.Helper()
	_, text, err := s.tokens.Issue(context.Background(), root(), r)
	check(t, err)
	return text.Reveal()
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) problem(t testing.TB) api.Problem {
	t.Helper()
	if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type %q", ct)
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	if p.Status != a.status || p.Type != "about:blank" || p.Title != http.StatusText(a.status) || p.Code == "" {
		t.Errorf("problem does not fit status %d: %+v", a.status, p)
	}
	return p
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if a.status >= 300 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

func basic(login string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(login+":"+password))
}

func bearer(text string) string { return "Bearer " + text }

// ask sends a request over the network; auth is the Authorization header.
func (s *server) ask(t testing.TB, auth, method, path, body string) answer {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, r)
	check(t, err)
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return do(t, req)
}

func do(t testing.TB, req *http.Request) answer {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	check(t, err)
	defer func() { check(t, res.Body.Close()) }()
	b, err := io.ReadAll(res.Body)
	check(t, err)
	return answer{res.StatusCode, res.Header, string(b)}
}

// noStore is a database of one word: what is asked here is who may ask.
type noStore struct{}

func (noStore) Engine() string                      { return "sqlite" }
func (noStore) Size(context.Context) (int64, error) { return 1, nil }
func (noStore) Snapshot(_ context.Context, f string) error {
	return os.WriteFile(f, []byte("database"), 0o600)
}
func (noStore) Check(context.Context, string) (backup.Contents, error) {
	return backup.Contents{}, nil
}
