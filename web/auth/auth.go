// Package auth reads who sends an HTTP request that brings its credential along, as those of the
// REST interface and of WebDAV do, in identity's words.
//
//	RFC 6750  section 2.1: bearer tokens, in the Authorization header alone
//	RFC 7617  Basic: a password, or a token in its place
//
// A client certificate is looked at beside a password, and alone where the header says so by a scheme
// of our own, Certificate, with a login behind it or nothing: a browser shows its certificate to every
// page that asks, and no page of another site is to act by it.
package auth

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"trivium/identity"
)

// The challenges of a 401 (RFC 9110 section 11.6.1). Who sends them chooses their order: some
// clients look no further than the first.
const (
	Basic  = `Basic realm="trivium", charset="UTF-8"`
	Bearer = `Bearer realm="trivium"`
)

// Credential reads the Authorization header, the only place where one may stand. None, two or a
// malformed one are identity.ErrCredentials.
func Credential(r *http.Request) (identity.Login, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return identity.Login{}, identity.ErrCredentials
	}
	var shown identity.Chain
	if r.TLS != nil {
		shown = r.TLS.PeerCertificates
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		if rest = strings.TrimSpace(rest); rest != "" {
			return identity.Login{Method: identity.MethodBearer, Secret: identity.NewSecret(rest)}, nil
		}
	case "basic":
		if name, password, ok := r.BasicAuth(); ok && password != "" {
			return identity.Login{Method: identity.MethodPassword, Name: name, Secret: identity.NewSecret(password), Certificate: shown}, nil
		}
	case "certificate":
		if len(shown) > 0 {
			return identity.Login{Method: identity.MethodExternal, Name: strings.TrimSpace(rest), Certificate: shown}, nil
		}
	}
	return identity.Login{}, identity.ErrCredentials
}

// Visit is where the request came from. The remote address is Request.RemoteAddr, and it came by
// https where Request.TLS is not nil; who serves behind a trusted proxy has put the client's there.
func Visit(r *http.Request) identity.Visit {
	v := identity.Visit{Remote: addrPort(r.RemoteAddr), UserAgent: r.UserAgent()}
	switch {
	case r.TLS != nil && r.TLS.Version != 0:
		v.TLS = tls.VersionName(r.TLS.Version)
	case r.TLS != nil: // of a trusted proxy, which does not say more
		v.TLS = "TLS"
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		v.Local = addrPort(local.String())
	}
	return v
}

func addrPort(s string) netip.AddrPort {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
