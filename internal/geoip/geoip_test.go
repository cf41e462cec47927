package geoip_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trivium/internal/geoip"
)

// testdata/city.mmdb was written with github.com/maxmind/mmdbwriter; it knows documentation prefixes.
func TestLocate(t *testing.T) {
	t.Parallel()
	f, err := geoip.Open("testdata/city.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	for addr, want := range map[string]string{
		"192.0.2.7":        "Berlin, DE",
		"::ffff:192.0.2.7": "Berlin, DE",
		"198.51.100.1":     "PL",
		"203.0.113.5":      "Atlantis",
		"2001:db8::1":      "Zürich, CH",
		"10.0.0.1":         "",
		"::1":              "",
	} {
		if got := f.Locate(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
	if got := f.Locate(netip.Addr{}); got != "" {
		t.Errorf("no address is in %q", got)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.mmdb")
	if err := os.WriteFile(bad, []byte("no such thing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, bad + ".absent"} {
		if _, err := geoip.Open(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "identity.geoip") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A damaged file makes no more than places that nobody knows.
func FuzzLocate(f *testing.F) {
	good, err := os.ReadFile("testdata/city.mmdb")
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(good); i += 97 {
		f.Add(i, byte(0xff))
	}
	path := filepath.Join(f.TempDir(), "x.mmdb")
	f.Fuzz(func(t *testing.T, at int, with byte) {
		if at < 0 || at >= len(good) {
			t.Skip()
		}
		b := append([]byte{}, good...)
		b[at] = with
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := geoip.Open(path)
		if err != nil {
			return
		}
		for _, a := range []string{"192.0.2.7", "2001:db8::1", "10.0.0.1"} {
			if got := x.Locate(netip.MustParseAddr(a)); len(got) > 200 {
				t.Errorf("%s is in %q", a, got)
			}
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
}
