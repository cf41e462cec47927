package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func selfSigned(t *testing.T, domains ...string) (*Source, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tls")
	s, err := Load(Options{Dir: dir, Domains: domains})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func TestSelfSignedNames(t *testing.T) {
	for _, tt := range []struct {
		name     string
		domains  []string
		yes, not []string
	}{
		{"localhost", []string{"localhost"}, []string{"localhost", "conference.localhost", "127.0.0.1", "::1"}, []string{"example.org"}},
		{"two", []string{"example.org", "example.net"}, []string{"example.org", "conference.example.net"}, []string{"localhost", "127.0.0.1"}},
		{"beyond ASCII", []string{"bücher.example"}, []string{"xn--bcher-kva.example"}, nil},
		{"address", []string{"192.0.2.7"}, []string{"192.0.2.7"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := selfSigned(t, tt.domains...)
			for _, n := range tt.yes {
				if err := s.Leaf().VerifyHostname(n); err != nil {
					t.Error(err)
				}
			}
			for _, n := range tt.not {
				if s.Leaf().VerifyHostname(n) == nil {
					t.Errorf("the certificate has %s", n)
				}
			}
		})
	}
}

func TestSelfSignedIsKept(t *testing.T) {
	first, dir := selfSigned(t, "example.org")
	again := func(now time.Time, domains ...string) string {
		t.Helper()
		s, err := load(Options{Dir: dir, Domains: domains}, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return s.Fingerprint()
	}
	now := time.Now()
	if again(now, "example.org") != first.Fingerprint() {
		t.Error("made anew without need")
	}
	if st, err := os.Stat(filepath.Join(dir, keyName)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v", st, err)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", st, err)
	}
	second := again(now, "example.org", "example.net")
	if second == first.Fingerprint() {
		t.Error("kept though the domains changed")
	}
	later := again(now.Add(lifetime), "example.org", "example.net")
	if later == second {
		t.Error("kept though expired")
	}
	// A crash between the two files, or a broken one, must not stop the next start.
	if err := os.WriteFile(filepath.Join(dir, certName), []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again(now, "example.org")
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

// What other libraries than Go's make of the self-signed certificate once it is trusted.
func TestSelfSignedVerifiesWithOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	_, dir := selfSigned(t, "localhost")
	cert := filepath.Join(dir, certName)
	out, err := exec.CommandContext(t.Context(), openssl, "verify", "-CAfile", cert, "-purpose", "sslserver", "-verify_hostname", "localhost", cert).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestBadFiles(t *testing.T) {
	_, a := selfSigned(t, "a.example")
	_, b := selfSigned(t, "b.example")
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := filepath.Join(a, certName), filepath.Join(a, keyName)
	past := func() time.Time { return time.Now().Add(10 * lifetime) }
	for _, tt := range []struct {
		name      string
		cert, key string
		now       func() time.Time
		want      []string
	}{
		{"no key", cert, "", time.Now, []string{"tls.key is not", "both"}},
		{"no certificate", "", key, time.Now, []string{"tls.cert is not", "both"}},
		{"nothing", "", "", time.Now, []string{"data_dir"}},
		{"missing", filepath.Join(dir, "none.pem"), key, time.Now, []string{"none.pem", "does not exist", "tls.cert"}},
		{"mismatch", cert, filepath.Join(b, keyName), time.Now, []string{"does not belong", cert, filepath.Join(b, keyName)}},
		{"expired", cert, key, past, []string{cert, "expired on", "Renew"}},
		{"swapped", key, cert, time.Now, []string{key, "no certificate"}},
		{"no key in it", cert, cert, time.Now, []string{cert, "no private key"}},
		{"not PEM", write("text", "hello\n"), key, time.Now, []string{"text", "no certificate"}},
		{"broken", write("broken", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"), key, time.Now, []string{"broken", "cannot be used"}},
		{"locked key", cert, write("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n"), time.Now, []string{"locked", "passphrase"}},
		{"huge", write("huge", strings.Repeat("x", maxPEM+1)), key, time.Now, []string{"huge", "1 MiB"}},
		{"a folder", dir, key, time.Now, []string{dir, "cannot be read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(Options{CertFile: tt.cert, KeyFile: tt.key, Domains: []string{"a.example"}}, tt.now)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in %q", w, err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	_, dir := selfSigned(t, "a.example")
	key := filepath.Join(dir, keyName)
	if err := os.Chmod(key, 0); err != nil {
		t.Fatal(err)
	}
	for _, opt := range []Options{
		{CertFile: filepath.Join(dir, certName), KeyFile: key},
		{Dir: dir, Domains: []string{"a.example"}},
	} {
		if _, err := Load(opt); !errors.Is(err, fs.ErrPermission) || strings.Count(err.Error(), "permission denied") != 1 {
			t.Errorf("%v", err)
		}
	}
}

func TestReload(t *testing.T) {
	_, a := selfSigned(t, "a.example")
	_, b := selfSigned(t, "b.example")
	dir := t.TempDir()
	copyPair := func(from string) {
		t.Helper()
		for _, name := range []string{certName, keyName} {
			data, err := os.ReadFile(filepath.Join(from, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	copyPair(a)
	var log bytes.Buffer
	s, err := Load(Options{
		CertFile: filepath.Join(dir, certName), KeyFile: filepath.Join(dir, keyName),
		Domains: []string{"other.example"}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "lacks a domain") {
		t.Errorf("no word about the missing domain in the log: %s", log.String())
	}
	cfg := s.Config("ftp") // made before the reload, as a listener's is
	served := func() string {
		t.Helper()
		c, err := cfg.GetCertificate(&tls.ClientHelloInfo{ServerName: "b.example"})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.DNSNames[0]
	}
	copyPair(b)
	if err := s.Reload(); err != nil || served() != "b.example" {
		t.Errorf("%v, serving %s", err, served())
	}
	if err := os.Remove(filepath.Join(dir, keyName)); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil || served() != "b.example" {
		t.Errorf("%v, serving %s; want an error and the old one", err, served())
	}
	if got, want := strings.Count(s.Fingerprint(), ":"), 31; got != want {
		t.Errorf("fingerprint %s", s.Fingerprint())
	}
}

// TestALPN tries what SECURITY.md calls ALPACA: a client of another protocol must not finish a
// handshake, whatever kind of listener it was led to.
func TestALPN(t *testing.T) {
	s, _ := selfSigned(t, "localhost")
	listeners := []struct {
		name  string
		alpn  []string
		serve func(ln net.Listener, cfg *tls.Config) (stop func())
	}{
		{"tls.Listen", []string{"ftp"}, func(ln net.Listener, cfg *tls.Config) func() {
			return serveConns(tls.NewListener(ln, cfg), func(c net.Conn) net.Conn { return c })
		}},
		{"after STARTTLS", []string{"xmpp-client"}, func(ln net.Listener, cfg *tls.Config) func() {
			return serveConns(ln, func(c net.Conn) net.Conn { return tls.Server(c, cfg) })
		}},
		{"no ALPN of its own", nil, func(ln net.Listener, cfg *tls.Config) func() {
			return serveConns(tls.NewListener(ln, cfg), func(c net.Conn) net.Conn { return c })
		}},
		{"net/http", []string{"h2", "http/1.1"}, func(ln net.Listener, cfg *tls.Config) func() {
			srv := &http.Server{TLSConfig: cfg, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
			done := make(chan struct{})
			go func() { _ = srv.ServeTLS(ln, "", ""); close(done) }()
			return func() { _ = srv.Close(); <-done }
		}},
	}
	for _, l := range listeners {
		t.Run(l.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.serve(ln, s.Config(l.alpn...))()
			roots := x509.NewCertPool()
			roots.AddCert(s.Leaf())
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				cache := tls.NewLRUClientSessionCache(4)
				handshake := func(alpn ...string) (tls.ConnectionState, error) {
					c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{
						RootCAs: roots, ServerName: "localhost", NextProtos: alpn,
						MinVersion: version, MaxVersion: version, ClientSessionCache: cache,
					})
					if err != nil {
						return tls.ConnectionState{}, err
					}
					defer c.Close()
					_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
					_, _ = c.Read(make([]byte, 1)) // takes the session ticket in
					return c.ConnectionState(), nil
				}
				if _, err := handshake(); err != nil {
					t.Errorf("%s, no ALPN: %v", tls.VersionName(version), err)
				}
				for _, own := range l.alpn {
					if st, err := handshake("unknown", own); err != nil || st.NegotiatedProtocol != own {
						t.Errorf("%s, %s: %q, %v", tls.VersionName(version), own, st.NegotiatedProtocol, err)
					}
				}
				for _, foreign := range []string{"ftp", "xmpp-client", "xmpp-server", "http/1.1", "h2", "unknown"} {
					if strings.Contains(strings.Join(l.alpn, " "), foreign) {
						continue
					}
					if _, err := handshake(foreign); err == nil || !strings.Contains(err.Error(), "no application protocol") {
						t.Errorf("%s, %s: %v; want a refusal, on resumption too", tls.VersionName(version), foreign, err)
					}
				}
			}
		})
	}
}

// serveConns answers each connection with one byte after its handshake.
func serveConns(ln net.Listener, wrap func(net.Conn) net.Conn) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c = wrap(c)
			_, _ = io.WriteString(c, "x")
			_ = c.Close()
		}
	}()
	return func() { _ = ln.Close(); <-done }
}

func TestOldVersionsAreRefused(t *testing.T) {
	s, _ := selfSigned(t, "localhost")
	ln, err := tls.Listen("tcp", "127.0.0.1:0", s.Config("ftp"))
	if err != nil {
		t.Fatal(err)
	}
	defer serveConns(ln, func(c net.Conn) net.Conn { return c })()
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error(errors.Join(errors.New("TLS 1.1 was let in"), c.Close()))
	}
}
