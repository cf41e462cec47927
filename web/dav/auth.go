package dav

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"trivium/identity"
)

// authenticate opens or finds the session of the credential that came.
func (q *request) authenticate() error {
	l, err := credential(q.r)
	if err != nil {
		return err
	}
	v, own := visit(q.r), &holder{all: &q.h.transfers}
	v.Holder = own
	ses, err := q.h.o.Identity.Request(q.ctx, identity.ProtocolDAV, v, l)
	if err != nil {
		return err
	}
	own.ses.Store(ses) // if the session is another request's, nobody looks at own
	if creds, ok := ses.Credentials(); !ok || creds.Anonymous() {
		return identity.ErrCredentials
	}
	q.ses = ses
	return nil
}

// challenge is RFC 9110 section 11.6.1, Basic first: some clients look no further.
func challenge(h http.Header) {
	h.Add("WWW-Authenticate", `Basic realm="trivium", charset="UTF-8"`)
	h.Add("WWW-Authenticate", `Bearer realm="trivium"`)
}

// credential reads the Authorization header, the only place where one may stand.
func credential(r *http.Request) (identity.Login, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return identity.Login{}, identity.ErrCredentials
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		if rest = strings.TrimSpace(rest); rest != "" {
			return identity.Login{Method: identity.MethodBearer, Secret: identity.NewSecret(rest)}, nil
		}
	case "basic":
		if name, password, ok := r.BasicAuth(); ok && password != "" {
			return identity.Login{Method: identity.MethodPassword, Name: name, Secret: identity.NewSecret(password)}, nil
		}
	}
	return identity.Login{}, identity.ErrCredentials
}

func visit(r *http.Request) identity.Visit {
	v := identity.Visit{Remote: addrPort(r.RemoteAddr), UserAgent: r.UserAgent()}
	if r.TLS != nil {
		v.TLS = tls.VersionName(r.TLS.Version)
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
