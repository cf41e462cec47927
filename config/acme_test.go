package config

import (
	"slices"
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
