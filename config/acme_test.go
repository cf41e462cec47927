package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestACMENames(t *testing.T) {
	const own = "https://ca.example.lan/acme/directory"
	for _, tt := range []struct {
		name      string
		domains   []string
		url       string
		directory string
		want      []string
	}{
		{"public names, each once", []string{"Example.org", "example.net", "example.org."}, "https://files.example.org/x", "", []string{"example.org", "example.net", "files.example.org"}},
		{"an address, with a port", []string{"192.0.2.1"}, "https://[2001:db8::1]:8443", "", nil},
		{"this machine", []string{"localhost", "host"}, "http://127.0.0.1:8080", "", nil},
		{"of a private network", []string{"nas.local", "a.internal", "b.test", "c.example", "d.home.arpa", "e.lan"}, "", "", nil},
		{"the same of an authority of one's own", []string{"nas.local", "host", "192.0.2.1"}, "", own, []string{"nas.local", "host"}},
		{"another alphabet", []string{"bücher.example.org"}, "", "", []string{"xn--bcher-kva.example.org"}},
		{"no name", []string{"*.example.org", "a/b", ""}, "", own, nil},
		{"the directory for tries", []string{"nas.local"}, "", "https://acme-staging-v02.api.letsencrypt.org/directory", nil},
		{"one that looks like it", []string{"nas.local"}, "", "https://letsencrypt.org.example/directory", []string{"nas.local"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Config{Domain: tt.domains[0], Domains: tt.domains[1:], Web: Web{PublicURL: tt.url}, TLS: TLS{ACMEDirectory: tt.directory}}
			if tt.directory == "" {
				c.TLS.ACMEDirectory = "https://acme-v02.api.letsencrypt.org/directory"
			}
			if got := c.ACMENames(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestACMEAnswers(t *testing.T) {
	for _, tt := range []struct {
		name        string
		listen, tls []string
		http, alpn  bool
	}{
		{"both usual", []string{":80"}, []string{":443"}, true, true},
		{"443 alone", []string{"127.0.0.1:8080"}, []string{":443"}, false, true},
		{"80 alone", []string{"[::]:80"}, []string{":8443"}, true, false},
		{"behind something", []string{":8080"}, []string{":8443"}, true, true},
		{"no TLS", []string{":8080"}, nil, true, false},
		{"nothing", nil, nil, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Config{Web: Web{Listen: tt.listen, TLSListen: tt.tls}}
			if http, alpn := c.ACMEAnswers(); http != tt.http || alpn != tt.alpn {
				t.Errorf("got %v, %v", http, alpn)
			}
		})
	}
}

// What stands in the way of ACME is found before the server starts, each fault with the key that it is about.
func TestACMEFaults(t *testing.T) {
	const on = "domain = 'files.example.org'\n[tls]\nacme = 'on'\n"
	for _, tt := range []struct {
		name, text string
		want       string // "": it is fine
	}{
		{"public name", on, ""},
		{"off, with all faults", "[tls]\nacme_directory = 'http://x'\nacme_email = 'x'\nacme_ca = '/nowhere'\nacme_eab_kid = 'x'\n", ""},
		{"a certificate of one's own", on + "cert = 'c.pem'\nkey = 'k.pem'\n", "tls.acme is on, but tls.cert names a certificate"},
		{"no listener", on + "[web]\nlisten = []\ntls_listen = []\n", "nothing can answer the authority"},
		{"in the clear", on + "acme_directory = 'http://ca.example.org/dir'\n", "tls.acme_directory is no address that begins with https://"},
		{"no host", on + "acme_directory = 'https:///dir'\n", "tls.acme_directory is no address"},
		{"no address", on + "acme_directory = 'ca.example.org'\n", "tls.acme_directory is no address"},
		{"mail address", on + "acme_email = 'admin@example.org'\n", ""},
		{"no mail address", on + "acme_email = 'admin'\n", "tls.acme_email is no mail address"},
		{"two mail addresses", on + "acme_email = 'a@example.org,b@example.org'\n", "tls.acme_email is no mail address"},
		{"mail address with a name", on + "acme_email = 'A <a@example.org>'\n", "tls.acme_email is no mail address"},
		{"mail address with headers", on + "acme_email = 'a@example.org?cc=b@example.org'\n", "tls.acme_email is no mail address"},
		{"no such file", on + "acme_ca = '/no/such/file.pem'\n", "tls.acme_ca: there is no file /no/such/file.pem"},
		{"no public name", "domain = 'nas.local'\n[tls]\nacme = 'on'\n", "there is no name that the authority can know"},
		{"one for an authority of one's own", "domain = 'nas.local'\n[tls]\nacme = 'on'\nacme_directory = 'https://ca.lan/dir'\n", ""},
		{"bound", on + "acme_eab_kid = 'kid-1'\nacme_eab_hmac_key = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44n_-'\n", ""},
		{"bound by a file", on + "acme_eab_kid = 'kid-1'\nacme_eab_hmac_key = '@file:KEY'\n", ""},
		{"key without a name", on + "acme_eab_hmac_key = 'AAAA'\n", "tls.acme_eab_kid is not: the authority gives both"},
		{"name without a key", on + "acme_eab_kid = 'kid-1'\n", "tls.acme_eab_hmac_key is not: the authority gives both"},
		{"no base64", on + "acme_eab_kid = 'kid-1'\nacme_eab_hmac_key = 'not!base64'\n", "tls.acme_eab_hmac_key is not base64url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			key := filepath.Join(dir, "key")
			for file, text := range map[string]string{key: "c2VjcmV0+/==\n", filepath.Join(dir, "trivium.toml"): strings.ReplaceAll(tt.text, "KEY", key), filepath.Join(dir, "c.pem"): "", filepath.Join(dir, "k.pem"): ""} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load(Options{Dir: dir, SystemDir: filepath.Join(dir, "etc")})
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "not!base64") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// Keys are taken in either alphabet of base64, as people copy them.
func TestACMEEABKey(t *testing.T) {
	for _, text := range []string{"-_8_-w", "+/8/+w==", " -_8_-w==\n"} {
		s := TLS{ACMEEABHMACKey: NewSecret(text)}
		if key, err := s.ACMEEABKey(); err != nil || string(key) != "\xfb\xff\x3f\xfb" {
			t.Errorf("%q: %x, %v", text, key, err)
		}
	}
}
