package certs

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keep copies a self-signed pair for domains to two files.
func keep(t *testing.T, certFile, keyFile string, domains ...string) {
	t.Helper()
	_, from := selfSigned(t, domains...)
	for a, b := range map[string]string{certName: certFile, keyName: keyFile} {
		text, err := os.ReadFile(filepath.Join(from, a))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(b), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFolder(t *testing.T) {
	dir, folder := filepath.Join(t.TempDir(), "tls"), t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{folder}, parts...)...) }
	keep(t, at("one.crt"), at("one.key"), "one.example")
	keep(t, at("live", "fullchain.pem"), at("live", "privkey.pem"), "two.example", "*.three.example")
	keep(t, at("broken.crt"), at("broken.other"), "broken.example") // its key is missing
	keep(t, at("empty", "cert.pem"), at("empty", "key.pem"), "empty.example")
	for _, name := range []string{"README", "one.issuer.crt"} {
		if err := os.WriteFile(at(name), []byte("keys"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	s, err := Load(Options{Dir: dir, Folder: folder, Domains: []string{"example.org", "one.example", "four.example"}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	given := func(name string) []string {
		t.Helper()
		c, err := s.Config("x").GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.DNSNames
	}
	for name, want := range map[string]string{
		"one.example": "one.example", "ONE.example.": "one.example", "conference.one.example": "one.example", "two.example": "two.example",
		"a.three.example": "two.example", "a.b.three.example": "example.org", "three.example": "example.org", "example.org": "example.org",
		"": "example.org", "broken.example": "example.org", "empty.example": "example.org", "*.three.example": "two.example",
	} {
		if got := given(name); got[0] != want {
			t.Errorf("%q is given %v, want that of %s", name, got, want)
		}
	}
	if text := log.String(); !strings.Contains(text, "broken.crt") || strings.Contains(text, "domain=one.example") || strings.Contains(text, "issuer") {
		t.Errorf("log: %s", text)
	}
	// A new one counts after Reload; one that is gone does no more.
	keep(t, at("broken.crt"), at("broken.key"), "broken.example")
	if err := os.Remove(at("one.crt")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if a, b := given("broken.example"), given("one.example"); a[0] != "broken.example" || b[0] != "example.org" {
		t.Errorf("after Reload %v and %v", a, b)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "tls.folder") || given("broken.example")[0] != "broken.example" {
		t.Errorf("the folder is gone: %v", err)
	}
}
