package xmpp

import (
	"context"
	"crypto/x509"
	"slices"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
)

const mechExternal = "EXTERNAL"

// evidence is what a log-in hangs on beside its account: a token, which can be revoked by itself.
// Certificates identity keeps an eye on.
type evidence interface {
	// since is Router.revocations of when it was looked at.
	since() uint64
	// holds looks again.
	holds(ctx context.Context, owner identity.UserID) bool
}

// revoked reports whether what the log-in hangs on has been revoked since it was looked at. It is
// asked when the stream can be found by those who revoke, so one of the two sees the other.
func (n *negotiation) revoked() bool {
	if n.evidence == nil || n.srv.router.revocations.Load() == n.evidence.since() {
		return false
	}
	ctx, cancel := n.context()
	defer cancel()
	return !n.evidence.holds(ctx, n.creds.UserID)
}

// external is SASL EXTERNAL (RFC 4422 appendix A) with the certificate that the client has shown in
// the TLS handshake. Whose it is identity decides: that of who has it in their list (XEP-0257), or of
// whom it names, signed by an authority that config trusts (XEP-0178).
type external struct {
	n    *negotiation
	cert *x509.Certificate
}

func (m *external) step(ctx context.Context, in []byte) ([]byte, bool, identity.Credentials, error) {
	name, err := m.claim(string(in))
	if err != nil {
		return nil, false, identity.Credentials{}, err
	}
	l, err := m.n.login(identity.MethodExternal, name, identity.Secret{})
	if err != nil {
		return nil, false, identity.Credentials{}, err
	}
	c, err := m.n.srv.identity.Login(ctx, m.n.c.ses, l)
	if err != nil {
		return nil, false, c, err
	}
	m.n.fixed = ""
	for _, j := range xmppAddrs(m.cert) {
		if j.Resourcepart() != "" && j.Bare().String() == c.BareJID() {
			m.n.fixed = j.Resourcepart() // XEP-0257 section 3: the certificate is for that one alone
		}
	}
	return nil, true, c, nil
}

// claim is the name that the client wants to log in as (XEP-0178 section 2); "": whose the certificate
// is.
func (m *external) claim(authzid string) (string, error) {
	if authzid != "" {
		return authzid, m.n.checkAuthzid(authzid, "")
	}
	var named []jid.JID
	for _, j := range xmppAddrs(m.cert) {
		if j = j.Bare(); j.Domainpart() == m.n.domain && !slices.ContainsFunc(named, j.Equal) {
			named = append(named, j)
		}
	}
	peer := m.n.peer
	switch {
	case len(named) == 1:
		return named[0].String(), nil
	case len(named) > 1 && !slices.ContainsFunc(named, peer.Equal):
		return "", &saslError{cond: saslInvalidAuthzid, text: "The certificate names several accounts. Say which one."}
	case peer.Localpart() != "":
		return peer.String(), nil
	}
	return "", nil
}

// shown is what the client has shown in the handshake, while it is valid; nil where it has shown
// nothing.
func (n *negotiation) shown() identity.Chain {
	if _, ok := n.t.(bindable); !ok || !n.srv.config.ClientCertificates {
		return nil
	}
	state := n.t.tlsState()
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	cert, now := state.PeerCertificates[0], time.Now()
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil
	}
	return state.PeerCertificates
}

// clientCertificate is the first of them.
func (n *negotiation) clientCertificate() *x509.Certificate {
	if chain := n.shown(); len(chain) > 0 {
		return chain[0]
	}
	return nil
}

// Certificate is the fingerprint of the client certificate by which the stream's client logged in;
// "" where it was by something else.
func (s *Stream) Certificate() string { return s.ses.Certificate() }

// xmppAddrs are the addresses of a certificate: otherNames of the type id-on-xmppAddr among its
// subject alternative names (RFC 6120 section 13.7.1.4).
func xmppAddrs(cert *x509.Certificate) (list []jid.JID) {
	for _, text := range identity.XMPPAddrs(cert) {
		if j, err := jid.Parse(text); err == nil && j.Localpart() != "" {
			list = append(list, j)
		}
	}
	return list
}
