package hook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"trivium/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secretText = "0123456789abcdef0123"

// program is the other side: it checks signatures as its author should.
type program struct {
	t      *testing.T
	secret identity.Secret

	mu     sync.Mutex
	answer func(q question) (status int, body string) // nil: the usual
	header func(http.Header)
	nonces map[string]bool
	asked  []string
}

func (p *program) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	stamp := r.Header.Get(HeaderTimestamp)
	at, _ := strconv.ParseInt(stamp, 10, 64)
	var q question
	if err := json.Unmarshal(body, &q); err != nil || r.Method != http.MethodPost || Signature(p.secret, stamp, body) != r.Header.Get(HeaderSignature) ||
		q.Timestamp != at || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nonces[q.Nonce] {
		p.t.Errorf("a nonce came twice")
	}
	if p.nonces == nil {
		p.nonces = map[string]bool{}
	}
	p.nonces[q.Nonce] = true
	p.asked = append(p.asked, q.Action)
	status, text := http.StatusOK, `{"ok":false}`
	switch {
	case p.answer != nil:
		status, text = p.answer(q)
	case q.Action == "probe":
		text = `{"ok":true}`
	case q.Login == "alice" && (q.Action == "find" || q.Password == "there"):
		text = `{"ok":true,"person":{"id":"7","login":"alice","email":"alice@example.com","groups":["staff"],"uid":12345}}`
	case q.Action == "list" && q.Cursor == "":
		text = `{"ok":true,"people":[{"id":"7","login":"alice"}],"cursor":"more"}`
	case q.Action == "list":
		text = `{"ok":true,"people":[{"id":"8","login":"bob","disabled":true}]}`
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(HeaderSignature, Signature(p.secret, q.Nonce, []byte(text)))
	if p.header != nil {
		p.header(w.Header())
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func begin(t *testing.T) (*program, *Source) {
	t.Helper()
	p := &program{t: t, secret: identity.NewSecret(secretText)}
	srv := httptest.NewTLSServer(p)
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	s := New(Options{URL: srv.URL, Secret: p.secret, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, List: true})
	t.Cleanup(func() { _ = s.Close(); srv.Close() })
	return p, s
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	_, s := begin(t)
	who, err := s.Check(t.Context(), "alice", identity.NewSecret("there"))
	if err != nil || who.Subject != "7" || who.Login != "alice" || who.Email != "alice@example.com" || who.UID != 12345 || who.Groups[0] != "staff" {
		t.Errorf("right: %+v, %v", who, err)
	}
	for _, c := range [][2]string{{"alice", "wrong"}, {"bob", "there"}, {"alice", ""}, {"", "there"}} {
		if _, err := s.Check(t.Context(), identity.UserName(c[0]), identity.NewSecret(c[1])); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("%q with %q: %v", c[0], c[1], err)
		}
	}
	if who, err := s.Find(t.Context(), "alice"); err != nil || who.Subject != "7" {
		t.Errorf("found: %+v, %v", who, err)
	}
	if _, err := s.Find(t.Context(), "bob"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	var all []string
	if err := s.People(t.Context(), func(p identity.Person) error { all = append(all, p.Login); return nil }); err != nil || strings.Join(all, " ") != "alice bob" {
		t.Errorf("listed %v, %v", all, err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	s.o.List = false
	if err := s.People(t.Context(), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without list: %v", err)
	}
}

func TestBadAnswers(t *testing.T) {
	t.Parallel()
	p, s := begin(t)
	ask := func() error {
		_, err := s.Check(t.Context(), "alice", identity.NewSecret("a secret"))
		return err
	}
	say := func(status int, body string) func(question) (int, string) {
		return func(question) (int, string) { return status, body }
	}
	yes := `{"ok":true,"person":{"id":"7","login":"alice"}}`
	for _, c := range []struct {
		what   string
		answer func(question) (int, string)
		header func(http.Header)
	}{
		{"another status", say(500, yes), nil},
		{"created", say(201, yes), nil},
		{"a redirect", say(302, yes), func(h http.Header) { h.Set("Location", "https://elsewhere.example/") }},
		{"no JSON", say(200, "yes"), nil},
		{"nothing", say(200, ""), nil},
		{"no object", say(200, "true"), nil},
		{"yes, of nobody", say(200, `{"ok":true}`), nil},
		{"neither yes nor no", say(200, `{"person":{"id":"7","login":"alice"}}`), nil},
		{"a text for yes", say(200, `{"ok":"true","person":{"id":"7","login":"alice"}}`), nil},
		{"an unknown field", say(200, `{"ok":true,"admin":true,"person":{"id":"7","login":"alice"}}`), nil},
		{"an unknown field of a person", say(200, `{"ok":true,"person":{"id":"7","login":"alice","level":100}}`), nil},
		{"two answers", say(200, `{"ok":false}`+yes), nil},
		{"no id", say(200, `{"ok":true,"person":{"login":"alice"}}`), nil},
		{"a negative uid", say(200, `{"ok":true,"person":{"id":"7","login":"alice","uid":-1}}`), nil},
		{"a long text", say(200, `{"ok":true,"person":{"id":"7","login":"`+strings.Repeat("a", 1025)+`"}}`), nil},
		{"too long", say(200, `{"ok":true,"person":{"id":"7","login":"alice"},"cursor":"`+strings.Repeat("a", maxAnswer)+`"}`), nil},
		{"a text type", say(200, yes), func(h http.Header) { h.Set("Content-Type", "text/html") }},
		{"no signature", say(200, yes), func(h http.Header) { h.Del(HeaderSignature) }},
		{"a forged signature", say(200, yes), func(h http.Header) { h.Set(HeaderSignature, "sha256=00") }},
		{"an answer to another question", say(200, yes), func(h http.Header) { h.Set(HeaderSignature, Signature(p.secret, "nonce", []byte(yes))) }},
		{"a packed answer", say(200, yes), func(h http.Header) { h.Set("Content-Encoding", "gzip"); h.Set(HeaderSignature, "x") }},
	} {
		p.mu.Lock()
		p.answer, p.header = c.answer, c.header
		p.mu.Unlock()
		err := ask()
		if err == nil || errors.Is(err, identity.ErrCredentials) {
			t.Errorf("%s: %v, want an error of the directory", c.what, err)
		} else if strings.Contains(err.Error(), "a secret") || strings.Contains(err.Error(), secretText) {
			t.Errorf("%s: the error tells a secret: %v", c.what, err)
		}
	}
	p.mu.Lock()
	p.answer, p.header = func(q question) (int, string) { return 200, `{"ok":true,"people":[],"cursor":"same"}` }, nil
	p.mu.Unlock()
	if err := s.People(t.Context(), func(identity.Person) error { return nil }); err == nil {
		t.Error("a list without an end is read for ever")
	}
}

func TestSecretAndTLS(t *testing.T) {
	t.Parallel()
	p, s := begin(t)
	s.o.Secret = identity.NewSecret("another secret of some length")
	if err := s.Probe(t.Context()); err == nil {
		t.Error("another secret will do")
	}
	s.o.Secret = p.secret
	strange := New(Options{URL: s.o.URL, Secret: p.secret})
	defer func() { _ = strange.Close() }()
	if err := strange.Probe(t.Context()); err == nil {
		t.Error("a certificate of nobody knows whom will do")
	}
	p.mu.Lock()
	p.answer = func(question) (int, string) { return 200, `{"ok":true}` }
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if err := s.Probe(ctx); err == nil || ctx.Err() == nil {
		t.Errorf("no time left: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"ok":true,"person":{"id":"7","login":"alice"}}`, `{"ok":false}`, `{"ok":true,"people":[{"id":"1","login":"a"}],"cursor":"x"}`, `{`, `[]`, `null`, `{"ok":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parse(text)
		if err != nil {
			return
		}
		if a.OK == nil || a.Person != nil && (a.Person.ID == "" || a.Person.Login == "") || len(a.People) > maxPeople {
			t.Errorf("taken: %+v", a)
		}
	})
}
