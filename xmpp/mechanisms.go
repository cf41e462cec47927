package xmpp

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"mellium.im/xmpp/jid"

	"trivium/identity"
)

// login is what a mechanism has learnt, for identity. A name of another host is wrong on this
// stream, whoever has it there.
func (n *negotiation) login(m identity.Method, name string, secret identity.Secret) (identity.Login, error) {
	if _, host, ok := strings.Cut(name, "@"); ok {
		if d, err := identity.ParseDomain(host); err != nil || d != n.domain {
			return identity.Login{}, identity.ErrCredentials
		}
	}
	return identity.Login{Method: m, Name: name, Domain: n.domain, Secret: secret, Certificate: n.shown()}, nil
}

// checkAuthzid refuses to act for anybody but the account itself: the authorization identity is
// absent, or the bare JID of the name that logs in (RFC 6120 section 6.3.8).
func (n *negotiation) checkAuthzid(authzid, name string) error {
	if authzid == "" {
		return nil
	}
	refused := &saslError{cond: saslInvalidAuthzid, text: "You can log in as yourself only."}
	j, err := jid.Parse(authzid)
	if err != nil || j.Resourcepart() != "" || j.Domainpart() != n.domain {
		return refused
	}
	if n.peer.Localpart() != "" && !j.Equal(n.peer) { // XEP-0388 section 2.3
		return refused
	}
	want, err := identity.ParseUserName(j.Localpart())
	if err != nil {
		return refused
	}
	if name == "" { // a bearer's: the token says whose it is
		return nil
	}
	got, _, err := identity.ParseAddress(name, n.domain)
	if err != nil || got != want {
		return refused
	}
	return nil
}

// plain is RFC 4616.
type plain struct{ n *negotiation }

func (m *plain) step(ctx context.Context, in []byte) ([]byte, bool, identity.Credentials, error) {
	malformed := &saslError{cond: saslMalformedRequest}
	parts := bytes.Split(in, []byte{0})
	if len(parts) != 3 || !utf8.Valid(in) || len(parts[1]) == 0 || len(parts[2]) == 0 {
		return nil, false, identity.Credentials{}, malformed
	}
	name := string(parts[1])
	if err := m.n.checkAuthzid(string(parts[0]), name); err != nil {
		return nil, false, identity.Credentials{}, err
	}
	l, err := m.n.login(identity.MethodPlain, name, identity.NewSecret(string(parts[2])))
	if err != nil {
		return nil, false, identity.Credentials{}, err
	}
	c, err := m.n.srv.identity.Login(ctx, m.n.c.ses, l)
	return nil, true, c, err
}

// anonymous is RFC 4505; whether it may be is policy, which identity keeps. What the client says
// of itself is of no use and dropped.
type anonymous struct{ n *negotiation }

func (m *anonymous) step(ctx context.Context, _ []byte) ([]byte, bool, identity.Credentials, error) {
	c, err := m.n.srv.identity.LoginAnonymous(ctx, m.n.c.ses, identity.Anonymous{Domain: m.n.domain})
	return nil, true, c, err
}

// bearer is OAUTHBEARER (RFC 7628), with our tokens.
type bearer struct {
	n      *negotiation
	failed error
}

func (m *bearer) step(ctx context.Context, in []byte) ([]byte, bool, identity.Credentials, error) {
	if m.failed != nil { // section 3.2.3: the client has taken note of the error
		return nil, false, identity.Credentials{}, m.failed
	}
	c, err := m.login(ctx, in)
	if errors.Is(err, identity.ErrCredentials) {
		m.failed = err
		return []byte(`{"status":"invalid_token"}`), false, c, nil
	}
	return nil, true, c, err
}

func (m *bearer) login(ctx context.Context, in []byte) (identity.Credentials, error) {
	malformed := &saslError{cond: saslMalformedRequest}
	fields := strings.Split(string(in), "\x01")
	if !utf8.Valid(in) || len(fields) < 3 || fields[len(fields)-1] != "" || fields[len(fields)-2] != "" {
		return identity.Credentials{}, malformed
	}
	flag, rest, _ := strings.Cut(fields[0], ",")
	authz, end, ok := strings.Cut(rest, ",")
	if !ok || end != "" || flag != "n" && flag != "y" {
		return identity.Credentials{}, malformed
	}
	name, err := gs2Name(authz)
	if err != nil {
		return identity.Credentials{}, err
	}
	if err := m.n.checkAuthzid(name, ""); err != nil {
		return identity.Credentials{}, err
	}
	for _, f := range fields[1:] {
		key, value, _ := strings.Cut(f, "=")
		scheme, token, ok := strings.Cut(value, " ")
		if key != "auth" || !ok || !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		l, err := m.n.login(identity.MethodBearer, name, identity.NewSecret(strings.TrimSpace(token)))
		if err != nil {
			return identity.Credentials{}, err
		}
		return m.n.srv.identity.Login(ctx, m.n.c.ses, l)
	}
	return identity.Credentials{}, malformed
}
