package dav_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/files"
	"trivium/files/local"
	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
	"trivium/web/dav"
)

const password = "correct horse battery"

var machine = identity.Actor{Level: identity.LevelRoot, Via: "cli"}

// site is a real server over real stores.
type site struct {
	*httptest.Server
	t        *testing.T
	identity *identity.Service
	tokens   *tokens.Service
	files    *files.Service
	dir      string // of the files
}

func newSite(t *testing.T, changes ...func(*identity.Options, *files.Options)) *site {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	db := sqltest.Migrated(t, identitystore.Migrate, tokenstore.Migrate)
	s := &site{t: t, dir: filepath.Join(t.TempDir(), "files")}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	verifier := tokens.NewVerifier(tokenstore.New(db), time.Now)
	io := identity.Options{Store: identitystore.New(db), Tokens: verifier, Domain: "example.org", SealKey: key, SCRAMIterations: 4096,
		DefaultLevel: identity.LevelUser, DefaultRequired: identity.LevelLoggedIn}
	backend, err := local.Open(s.dir)
	no(t, err)
	fo := files.Options{Backend: backend, Mask: 0o027, Domain: "example.org", QuotaBytes: 1_000_000}
	for _, c := range changes {
		c(&io, &fo)
	}
	s.identity, err = identity.New(ctx, io)
	no(t, err)
	s.tokens = tokens.New(verifier, s.identity, "example.org")
	fo.Policy, fo.Active = s.identity, s.identity.MayLogIn
	s.files, err = files.New(fo)
	no(t, err)
	h, err := dav.New(dav.Options{Identity: s.identity, Files: s.files, Pause: 5 * time.Second, Hosts: []string{"files.example.org"}})
	no(t, err)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := r.WithContext(r.Context()) // net/http looks at the body of its own request
		own.Body = &slow{r.Body, http.NewResponseController(w)}
		h.ServeHTTP(w, own)
	}))
	done := make(chan error, 1)
	go func() { done <- s.identity.Run(ctx) }()
	t.Cleanup(func() {
		s.Close()
		stop()
		<-done
		_ = backend.Close()
	})
	for _, login := range []string{"alice", "bob"} {
		s.user(login, identity.LevelUser)
	}
	_, err = s.identity.AddGroup(ctx, machine, "team", 0)
	no(t, err)
	no(t, s.identity.AddMembers(ctx, machine, "team", []string{"alice", "bob"}, false))
	return s
}

// slow is a body after which the server's own deadline for the answer is over, as after an upload of
// hours: each answer must have one of its own.
type slow struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (s *slow) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err == io.EOF {
		_ = s.rc.SetWriteDeadline(time.Now().Add(-time.Second))
	}
	return n, err
}

func (s *site) user(login string, level identity.Level) {
	s.t.Helper()
	_, err := s.identity.AddUser(context.Background(), machine, identity.NewUser{Login: login, Level: level, Password: identity.NewSecret(password)})
	no(s.t, err)
}

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

// do sends a request as a user; "" sends no credential. Headers are "Name: value".
func (s *site) do(user, method, path, body string, headers ...string) answer {
	s.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, in)
	no(s.t, err)
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Add(k, v)
	}
	return s.send(r)
}

func (s *site) send(r *http.Request) answer {
	s.t.Helper()
	c := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(r)
	no(s.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	no(s.t, err)
	return answer{res, string(text)}
}

func (a answer) is(t *testing.T, status int, parts ...string) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	for _, p := range parts {
		if !strings.Contains(a.body, p) {
			t.Errorf("%s %s: no %q in %s", a.Request.Method, a.Request.URL.Path, p, a.body)
		}
	}
	return a
}

// raw is a connection on which a request is written by hand.
func (s *site) raw(request string, args ...any) (net.Conn, *bufio.Reader) {
	s.t.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.Listener.Addr().String())
	no(s.t, err)
	s.t.Cleanup(func() { _ = c.Close() })
	no(s.t, c.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = fmt.Fprintf(c, strings.ReplaceAll(request, "\n", "\r\n"), args...)
	no(s.t, err)
	return c, bufio.NewReader(c)
}

// session is the one session of a user.
func (s *site) session(user string) identity.Info {
	s.t.Helper()
	list := s.identity.Registry.List(identity.Filter{User: user})
	if len(list) != 1 {
		s.t.Fatalf("%d sessions of %s", len(list), user)
	}
	return list[0]
}

// until waits for a condition that another goroutine brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("%s did not happen", what)
		case <-tick.C:
		}
	}
}
