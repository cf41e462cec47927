package config

import (
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// ACMENames are the names that certificates are ordered for, in the form of the DNS, each once: those of the
// configuration that the authority can know. The first is domain, if that is one.
func (c *Config) ACMENames() []string {
	all := append([]string{c.Domain}, c.Domains...)
	if u, err := url.Parse(c.Web.PublicURL); err == nil {
		all = append(all, u.Hostname())
	}
	var list []string
	for _, name := range all {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
			continue
		}
		name, err := idna.Lookup.ToASCII(name)
		if err != nil || name == "" || len(name) > 253 || strings.ContainsAny(name, "/\\*") || slices.Contains(list, name) {
			continue
		}
		if !public(c.TLS.ACMEDirectory) || known(name) {
			list = append(list, name)
		}
	}
	return list
}

// ACMEAnswers says by which proof a name can be shown to lead here: HTTP-01 on web.listen, TLS-ALPN-01 on
// web.tls_listen. Where one of them is on the port that the authority goes to, the other need not try; where
// none is, something in front leads there.
func (c *Config) ACMEAnswers() (http, tls bool) {
	on := func(list []string, port string) bool {
		return slices.ContainsFunc(list, func(addr string) bool {
			_, p, err := net.SplitHostPort(addr)
			return err == nil && p == port
		})
	}
	http, tls = on(c.Web.Listen, "80"), on(c.Web.TLSListen, "443")
	if !http && !tls {
		return len(c.Web.Listen) > 0, len(c.Web.TLSListen) > 0
	}
	return http, tls
}

// public reports whether a directory is that of an authority for everybody, which issues nothing for names that
// only a private network knows. Of others nothing is known: one
// of a private network may issue for what it likes.
func public(directory string) bool {
	u, err := url.Parse(directory)
	return err != nil || u.Hostname() == "letsencrypt.org" || strings.HasSuffix(u.Hostname(), ".letsencrypt.org")
}

// known reports whether the DNS of the world can have a name (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
func known(name string) bool {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return false
	}
	switch name[at+1:] {
	case "local", "localhost", "internal", "test", "example", "invalid", "onion", "alt", "arpa", "lan", "home", "corp":
		return false
	}
	return true
}

// ACMEEABKey is the key of acme_eab_hmac_key: base64url, as RFC 8555 section 7.3.4 has it, or the common
// alphabet of base64, with padding or without; nil where there is none.
func (t *TLS) ACMEEABKey() ([]byte, error) {
	text := strings.TrimRight(strings.TrimSpace(t.ACMEEABHMACKey.Reveal()), "=")
	key, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(text))
	if err != nil {
		return nil, errors.New("no base64url") // and nothing of the key
	}
	return key, nil
}
