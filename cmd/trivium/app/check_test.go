package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/config"
	"trivium/doctor"
	"trivium/internal/certs"
)

// examinee is a patient of a configuration alone.
func examinee(t *testing.T, set ...string) *patient {
	t.Helper()
	dir := t.TempDir()
	cfg, err := LoadConfig(config.Options{Dir: dir, SystemDir: dir, DataDir: filepath.Join(dir, "data"), Set: append([]string{"domain=example.org"}, set...)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &patient{cfg: cfg, certs: func() (*certs.Source, error) { return nil, nil }}
}

func TestConfigurationChecks(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  []string
		run  func(p *patient) []doctor.Result
		want doctor.State
		text string
	}{
		{"a private address for PASV", []string{"ftp.public_address=10.0.0.5"}, func(p *patient) []doctor.Result { return p.passiveAddress(context.Background()) }, doctor.Failed, "10.0.0.5, a private address"},
		{"a shared address for PASV", []string{"ftp.public_address=100.64.1.1"}, func(p *patient) []doctor.Result { return p.passiveAddress(context.Background()) }, doctor.Failed, "private"},
		{"a public one", []string{"ftp.public_address=198.51.100.7"}, func(p *patient) []doctor.Result { return p.passiveAddress(context.Background()) }, doctor.OK, "198.51.100.7"},
		{"FTP on this machine alone", []string{"ftp.listen=127.0.0.1:21,[::1]:21", "ftp.public_address=10.0.0.5"}, func(p *patient) []doctor.Result { return p.passiveAddress(context.Background()) }, doctor.Skipped, ""},
		{"FTP off", []string{"ftp.listen=off"}, func(p *patient) []doctor.Result { return p.passivePorts(context.Background()) }, doctor.Skipped, ""},
		{"too few ports", []string{"ftp.passive_ports=50000-50009", "limits.sessions_ftp=100"}, func(p *patient) []doctor.Result { return p.passivePorts(context.Background()) }, doctor.Warning, "10 at once"},
		{"no https", []string{"web.tls_listen=off"}, func(p *patient) []doctor.Result { return p.https(context.Background()) }, doctor.Failed, "without https"},
		{"https and plain", []string{"web.plain=serve"}, func(p *patient) []doctor.Result { return p.https(context.Background()) }, doctor.Warning, "plain http"},
		{"https", nil, func(p *patient) []doctor.Result { return p.https(context.Background()) }, doctor.OK, "https"},
		{"behind a proxy that is not believed", []string{"web.tls_listen=off", "web.public_url=https://example.org"}, func(p *patient) []doctor.Result { return p.proxies(context.Background()) }, doctor.Warning, "not believed"},
		{"behind a proxy that is", []string{"web.tls_listen=off", "web.public_url=https://example.org", "web.trusted_proxies=10.0.0.1"}, func(p *patient) []doctor.Result { return p.proxies(context.Background()) }, doctor.OK, ""},
		{"everybody is a proxy", []string{"web.trusted_proxies=0.0.0.0/0"}, func(p *patient) []doctor.Result { return p.proxies(context.Background()) }, doctor.Failed, "0.0.0.0/0"},
		{"no proxy", nil, func(p *patient) []doctor.Result { return p.proxies(context.Background()) }, doctor.Skipped, ""},
		{"not running", nil, func(p *patient) []doctor.Result { return p.publicURL(context.Background()) }, doctor.Skipped, "public"},
		{"no certificate yet", nil, func(p *patient) []doctor.Result { return p.certificates(context.Background()) }, doctor.Skipped, ""},
		{"fsync", nil, func(p *patient) []doctor.Result { return p.sync(context.Background()) }, doctor.OK, "to keep something"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := tt.run(examinee(t, tt.set...))
			if len(list) == 0 || list[0].State != tt.want || !strings.Contains(list[0].Title, tt.text) {
				t.Errorf("got %+v, want %s with %q", list, tt.want, tt.text)
			}
			for _, r := range list {
				if r.Bad() && (r.Why == "" || r.Fix == "" && r.State == doctor.Failed) {
					t.Errorf("%s says neither why nor what to do: %+v", r.ID, r)
				}
				if r.State == doctor.Skipped && r.Why == "" {
					t.Errorf("%s is skipped without a reason", r.ID)
				}
			}
		})
	}
}

func TestModesAreMended(t *testing.T) {
	p := examinee(t)
	key := filepath.Join(p.cfg.DataDir, "seal.key")
	if err := os.WriteFile(key, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list := p.modes(t.Context()); len(list) != 1 || list[0].State != doctor.OK {
		t.Fatalf("good modes: %+v", list)
	}
	for path, mode := range map[string]os.FileMode{key: 0o644, p.cfg.DataDir: 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	s := doctor.New(doctor.Check{ID: "config.modes", Group: doctor.Configuration, Run: p.modes, Fix: p.fixMode})
	r := s.Run(t.Context())
	if r.Count(doctor.Warning) != 2 {
		t.Fatalf("wide modes: %+v", r.Results)
	}
	for _, x := range r.Results {
		if _, err := s.Fix(t.Context(), x.ID); err != nil {
			t.Errorf("%s: %v", x.ID, err)
		}
	}
	for path, want := range map[string]os.FileMode{key: 0o600, p.cfg.DataDir: 0o750} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestCertificateChecks(t *testing.T) {
	src, err := certs.Load(certs.Options{Dir: t.TempDir(), Domains: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	end := src.Leaf().NotAfter
	for _, tt := range []struct {
		name, domain string
		at           time.Time
		want         doctor.State
		text         string
	}{
		{"self-signed", "example.org", time.Now(), doctor.Warning, "self-signed"},
		{"another name", "example.net", time.Now(), doctor.Failed, "not for example.net"},
		{"soon over", "example.org", end.Add(-13 * 24 * time.Hour), doctor.Warning, "expires in 13 days"},
		{"very soon over", "example.org", end.Add(-30 * time.Hour), doctor.Failed, "expires in 1 day"},
		{"over", "example.org", end.Add(time.Hour), doctor.Failed, "has expired"},
		{"not yet", "example.org", src.Leaf().NotBefore.Add(-time.Hour), doctor.Failed, "not valid yet"},
	} {
		if r := certificate(src, tt.domain, tt.at); r.State != tt.want || !strings.Contains(r.Title, tt.text) || r.Why == "" {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
	local, err := certs.Load(certs.Options{Dir: t.TempDir(), Domains: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	if r := certificate(local, "localhost", time.Now()); r.State != doctor.OK {
		t.Errorf("self-signed for localhost: %+v", r)
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{"192.0.2.10": true, "10.0.0.5": false, "100.64.0.1": false, "127.0.0.1": false, "2001:db8::1": true, "fe80::1": false, "fd00::1": false, "0.0.0.0": false} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestDoctorOfARunningServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cfg := loadTest(t, dir)
	_, stop := serveTest(t, cfg)
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	c, err := Control(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var r doctor.Report
	getJSON(t, c, "/doctor?check=web,storage,accounts,audit,config,certificate", &r)
	seen := map[string]doctor.State{}
	for _, x := range r.Results {
		if _, twice := seen[x.ID]; twice {
			t.Errorf("%s twice", x.ID)
		}
		seen[x.ID] = x.State
	}
	for id, want := range map[string]doctor.State{"config.file": doctor.OK, "web.public": doctor.OK, "web.public.head": doctor.OK, "web.public.patch": doctor.OK,
		"storage.database": doctor.OK, "storage.files": doctor.OK, "audit.chain": doctor.OK, "certificate.localhost": doctor.OK, "accounts.none": doctor.Warning} {
		if seen[id] != want {
			t.Errorf("%s is %q, want %s: %+v", id, seen[id], want, r.Results)
		}
	}
}

func getJSON(t *testing.T, c *Client, path string, out any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://trivium/api/v1"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(out); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
	}
}
