package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"trivium/internal/certs"
)

func TestAnswers(t *testing.T) {
	var a Answers
	if _, ok := a.KeyAuthorization("example.org", ""); ok || a.Certificate("") != nil {
		t.Error("the zero value answers")
	}
	end, err := a.present("example.org", acme.Challenge{Type: viaHTTP, Token: "token", KeyAuthorization: "token.thumb"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host, token string
		want        bool
	}{
		{"example.org", "token", true},
		{"Example.ORG.:80", "token", true},
		{"example.org:8080", "token", true},
		{"example.net", "token", false},
		{"", "token", false},
		{"example.org", "other", false},
		{"example.org", "", false},
	} {
		if text, ok := a.KeyAuthorization(tt.host, tt.token); ok != tt.want || ok && text != "token.thumb" {
			t.Errorf("%s %s: %q, %v", tt.host, tt.token, text, ok)
		}
	}
	end()
	if _, ok := a.KeyAuthorization("example.org", "token"); ok {
		t.Error("it is answered after its end")
	}

	end, err = a.present("example.org", acme.Challenge{Type: viaTLS, Token: "token", KeyAuthorization: "token.thumb"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := a.KeyAuthorization("example.org", "token"); ok {
		t.Error("one proof is answered by another")
	}
	cert := a.Certificate("EXAMPLE.org")
	if cert == nil || a.Certificate("example.net") != nil || a.Certificate("") != nil {
		t.Fatal("the certificate is for another name")
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil || !slices.Equal(leaf.DNSNames, []string{"example.org"}) {
		t.Errorf("%v, %v", leaf.DNSNames, err)
	}
	// RFC 8737 section 3: a critical extension, so that nobody takes it for a server's certificate.
	if len(leaf.UnhandledCriticalExtensions) != 1 || leaf.UnhandledCriticalExtensions[0].String() != "1.3.6.1.5.5.7.1.31" {
		t.Errorf("extensions: %v", leaf.UnhandledCriticalExtensions)
	}
	end()
	if a.Certificate("example.org") != nil {
		t.Error("it is shown after its end")
	}
}

func TestFaults(t *testing.T) {
	problem := func(kind string) error {
		return fmt.Errorf("attempt 1: https://ca.example/x: %w", acme.Problem{Type: acme.ProblemTypeNamespace + kind, Detail: "said"})
	}
	seen := map[string]string{}
	for _, tt := range []struct {
		err  error
		code string
	}{
		{problem("dns"), "dns"}, {problem("connection"), "connection"}, {problem("tls"), "tls"}, {problem("unauthorized"), "elsewhere"},
		{problem("caa"), "caa"}, {problem("rejectedIdentifier"), "name"}, {problem("rateLimited"), "limit"}, {problem("externalAccountRequired"), "account"},
		{problem("invalidContact"), "contact"}, {&fault{"binding", "said"}, "binding"}, {problem("serverInternal"), "authority"}, {problem("malformed"), "refused"},
		{fmt.Errorf("final order is invalid: %w", &acme.Problem{Type: acme.ProblemTypeCAA}), "caa"},
		{errors.New("dial tcp 192.0.2.1:443: connection refused"), "unreachable"},
		{context.DeadlineExceeded, "unreachable"},
		{fmt.Errorf("x: %w", &fault{"disk", "full"}), "disk"},
		{&fault{"challenge", ""}, "challenge"}, {&fault{"unusable", ""}, "unusable"},
	} {
		f := faultOf(tt.err)
		if f.Code != tt.code {
			t.Errorf("%v is %s, want %s", tt.err, f.Code, tt.code)
		}
		w := words(f.Code)
		if w.trouble == "" || w.advice == "" || !strings.HasSuffix(w.advice, ".") || strings.HasSuffix(w.trouble, ".") {
			t.Errorf("%s says %+v", f.Code, w)
		}
		if other := seen[w.trouble]; other != "" && other != f.Code {
			t.Errorf("%s and %s say the same", f.Code, other)
		}
		seen[w.trouble] = f.Code
	}
	f := faultOf(acme.Problem{Detail: "a\x1b[31m\nb\u202ec\xff" + strings.Repeat("ä", 600), Subproblems: []acme.Subproblem{{Problem: acme.Problem{Detail: "more"}}}})
	if strings.ContainsAny(f.Detail, "\x1b\n\u202e") || len(f.Detail) > maxDetail+4 || !strings.HasPrefix(f.Detail, "a [31m b c") {
		t.Errorf("%q", f.Detail)
	}
}

func TestDue(t *testing.T) {
	now := time.Now()
	leaf := &x509.Certificate{NotBefore: now.Add(-30 * 24 * time.Hour), NotAfter: now.Add(60 * 24 * time.Hour)}
	for _, tt := range []struct {
		name string
		st   state
		leaf *x509.Certificate
		want time.Time
	}{
		{"none yet", state{Directory: "a"}, nil, time.Time{}},
		{"of another authority", state{Directory: "b"}, leaf, time.Time{}},
		{"the last third", state{Directory: "a"}, leaf, now.Add(30 * 24 * time.Hour)},
		{"when the authority says", state{Directory: "a", RenewAt: now.Add(time.Hour)}, leaf, now.Add(time.Hour)},
		{"but not too late", state{Directory: "a", RenewAt: now.Add(100 * 24 * time.Hour)}, leaf, now.Add(51 * 24 * time.Hour)},
		{"nor at once again", state{Directory: "a", RenewAt: now.Add(-time.Hour), Tried: now}, leaf, now.Add(time.Minute)},
		{"after a failure", state{Directory: "a", Failures: 2, Next: now.Add(5 * time.Minute)}, nil, now.Add(5 * time.Minute)},
	} {
		if got := tt.st.due(tt.leaf, "a"); !got.Equal(tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestFailuresWaitLonger(t *testing.T) {
	var st state
	now, last := time.Now(), time.Duration(0)
	for i := range 20 {
		news := st.failed(&fault{"dns", ""}, now)
		if news != (i == 0) {
			t.Errorf("failure %d is news: %v", i, news)
		}
		pause := st.Next.Sub(now)
		if pause < last && i < len(pauses()) || pause > 14*time.Hour || pause < time.Minute {
			t.Errorf("failure %d: pause of %s after %s", i, pause, last)
		}
		last = pause
	}
	if !st.failed(&fault{"caa", ""}, now) || !st.Since.Equal(now) || st.Failures != 21 {
		t.Errorf("%+v", st)
	}
	st = state{}
	if st.failed(&fault{"limit", ""}, now); st.Next.Sub(now) < time.Hour {
		t.Errorf("a limit that was reached is tried again after %s", st.Next.Sub(now))
	}
}

// book is a Certificates of a test.
type book struct{ brought bool }

func (b *book) Issued(string) *x509.Certificate    { return nil }
func (b *book) Brought(string, time.Duration) bool { return b.brought }
func (b *book) Keep(string, []byte, []byte) error  { return errors.New("not here") }

func manager(t *testing.T, dir string, b *book) *Manager {
	t.Helper()
	m, err := New(Options{Directory: "https://127.0.0.1:1/dir", Names: []string{"a.test", "b.test"}, Dir: dir, Certificates: b, HTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Nobody answers at the directory: each name says so, it is kept, and who waits is told.
func TestUnreachable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	m := manager(t, dir, &book{})
	if err := m.Renew(t.Context(), "a.test"); !errors.Is(err, errStopped) {
		t.Errorf("before Run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	var err error
	for err = m.Renew(t.Context(), "b.test"); errors.Is(err, errStopped); { // until Run has begun
		err = m.Renew(t.Context(), "b.test")
	}
	var f *fault
	if !errors.As(err, &f) || f.Code != "unreachable" {
		t.Errorf("%v", err)
	}
	if err := m.Renew(t.Context(), "c.test"); !errors.Is(err, certs.ErrNotAutomatic) {
		t.Errorf("a name that is not ours: %v", err)
	}
	cancel()
	<-done
	if err := m.Renew(t.Context(), "a.test"); !errors.Is(err, errStopped) {
		t.Errorf("after Run: %v", err)
	}
	again := manager(t, dir, &book{}).Automatic()
	if len(again) != 2 || again[1].Code != "unreachable" || again[1].Failures < 1 || again[1].Next == nil || !again[1].Next.After(time.Now()) {
		t.Errorf("after a restart: %+v", again)
	}
	for _, path := range []string{dir, filepath.Join(dir, "state.json")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestNothingIsOrderedForWhatWasBrought(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	m := manager(t, dir, &book{brought: true})
	if pause := m.round(t.Context()); pause < longestSleep/2 {
		t.Errorf("the next look is after %s", pause)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("something was kept: %v", err)
	}
	if a := m.Automatic(); !a[0].Instead || a[0].Next != nil || a[0].Failures != 0 {
		t.Errorf("%+v", a[0])
	}
}

func TestBrokenStateStopsNothing(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "{", "null", "[]", `{"a.test":{"failures":"x"}}`} {
		if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if a := manager(t, dir, &book{}).Automatic(); len(a) != 2 || a[0].Failures != 0 {
			t.Errorf("%q: %+v", text, a)
		}
	}
}

// The account's key is made once, and kept with it.
func TestAccountIsKept(t *testing.T) {
	m := manager(t, filepath.Join(t.TempDir(), "acme"), &book{})
	_, key, err := m.keptAccount()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.keepAccount(account{Directory: m.opt.Directory, Location: "https://127.0.0.1:1/a/1"}, key); err != nil {
		t.Fatal(err)
	}
	who, err := m.account(t.Context()) // asks nobody: there is nobody
	if err != nil || who.Location != "https://127.0.0.1:1/a/1" || who.Status != acme.StatusValid {
		t.Fatalf("%+v, %v", who, err)
	}
	if err := m.forgetAccount(); err != nil {
		t.Fatal(err)
	}
	kept, again, err := m.keptAccount()
	if err != nil || kept.Location != "" || !again.(*ecdsa.PrivateKey).Equal(key) {
		t.Errorf("%+v, %v", kept, err)
	}
	if err := os.WriteFile(m.accountFile(), []byte(`{"key":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var f *fault
	if _, err := m.account(t.Context()); !errors.As(err, &f) || f.Code != "disk" {
		t.Errorf("a broken account: %v", err)
	}
}
