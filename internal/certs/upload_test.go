package certs

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pemOf is a pair for domains as text.
func pemOf(t *testing.T, domains ...string) (cert, key []byte) {
	t.Helper()
	_, from := selfSigned(t, domains...)
	cert, err := os.ReadFile(filepath.Join(from, certName))
	if err != nil {
		t.Fatal(err)
	}
	key, err = os.ReadFile(filepath.Join(from, keyName))
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestImport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	s, err := Load(Options{Dir: dir, Domains: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	before := s.Fingerprint()
	cert, key := pemOf(t, "example.org")
	_, other := pemOf(t, "example.net")
	for _, tt := range []struct {
		name, as  string
		cert, key []byte
		want      string
	}{
		{"a key of another", "main", cert, other, "does not belong"},
		{"no certificate", "main", key, key, "BEGIN CERTIFICATE"},
		{"no key", "main", cert, cert, "BEGIN PRIVATE KEY"},
		{"nothing", "main", nil, nil, "BEGIN CERTIFICATE"},
		{"a path for a name", "../x", cert, key, "no name"},
		{"a hidden name", ".x", cert, key, "no name"},
		{"a name with a slash", "a/b", cert, key, "no name"},
	} {
		if _, err := s.Import(tt.as, tt.cert, tt.key); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if s.Fingerprint() != before {
			t.Fatalf("%s changed the certificate", tt.name)
		}
	}
	info, err := s.Import("main", cert, key)
	if err != nil || s.Fingerprint() != info.Fingerprint || info.Fingerprint == before {
		t.Fatalf("the pair is not used: %+v, %v", info, err)
	}
	if st, err := os.Stat(filepath.Join(dir, "uploaded", "main.key")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", st, err)
	}
	cert2, key2 := pemOf(t, "two.example")
	if _, err := s.Import("two", cert2, key2); err != nil {
		t.Fatal(err)
	}
	got, err := s.Config("x").GetCertificate(&tls.ClientHelloInfo{ServerName: "two.example"})
	if err != nil || got.Leaf.DNSNames[0] != "two.example" {
		t.Errorf("two.example gets %v, %v", got.Leaf.DNSNames, err)
	}
	// A new process uses the same.
	again, err := Load(Options{Dir: dir, Domains: []string{"example.org"}})
	if err != nil || again.Fingerprint() != info.Fingerprint || len(again.List()) != 2 || !again.List()[0].Uploaded {
		t.Errorf("after a restart: %+v, %v", again.List(), err)
	}
	if err := s.SelfSigned("main"); err != nil || s.Fingerprint() == info.Fingerprint {
		t.Errorf("self-signed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "uploaded", "main.crt.old")); err != nil {
		t.Errorf("the old one is not kept: %v", err)
	}
	if err := s.Remove("two"); err != nil || len(s.List()) != 1 {
		t.Errorf("Remove: %v, %v", err, s.List())
	}
	if err := s.Remove("two"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove twice: %v", err)
	}
}

func TestMainOfTheConfigurationStays(t *testing.T) {
	work := t.TempDir()
	certFile, keyFile := filepath.Join(work, "c.pem"), filepath.Join(work, "k.pem")
	keep(t, certFile, keyFile, "example.org")
	s, err := Load(Options{CertFile: certFile, KeyFile: keyFile, Dir: filepath.Join(work, "tls"), Domains: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	cert, key := pemOf(t, "example.org")
	if _, err := s.Import("main", cert, key); !errors.Is(err, ErrConfigured) {
		t.Errorf("Import: %v", err)
	}
	if err := s.SelfSigned("main"); !errors.Is(err, ErrConfigured) {
		t.Errorf("SelfSigned: %v", err)
	}
}
