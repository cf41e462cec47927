package xmpp

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
)

const mechExternal = "EXTERNAL"

// evidence is what a log-in hangs on beside its account: a token or a certificate, which can be
// revoked by itself.
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
// the TLS handshake: one that the account has made known (XEP-0257), whoever has signed it, or one
// that names the account and is signed by an authority that config trusts (XEP-0178). identity asks
// it whether that is so.
type external struct {
	n    *negotiation
	cert *x509.Certificate
	name string // of the certificate in the account's list; "": an authority vouches for it
	turn uint64
}

func (m *external) step(ctx context.Context, in []byte) ([]byte, bool, identity.Credentials, error) {
	name, err := m.claim(ctx, string(in))
	if err != nil {
		return nil, false, identity.Credentials{}, err
	}
	l, err := m.n.login(identity.MethodExternal, name, identity.Secret{})
	if err != nil {
		return nil, false, identity.Credentials{}, err
	}
	l.Prover = m
	c, err := m.n.srv.identity.Login(ctx, m.n.c.ses, l)
	if err != nil {
		return nil, false, c, err
	}
	m.n.evidence = m
	m.n.fixed = ""
	for _, j := range xmppAddrs(m.cert) {
		if j.Resourcepart() != "" && j.Bare().String() == c.BareJID() {
			m.n.fixed = j.Resourcepart() // XEP-0257 section 3: the certificate is for that one alone
		}
	}
	return nil, true, c, nil
}

// claim is the name that the client wants to log in as (XEP-0178 section 2).
func (m *external) claim(ctx context.Context, authzid string) (string, error) {
	if authzid != "" {
		if err := m.n.checkAuthzid(authzid, ""); err != nil {
			return "", err
		}
		return authzid, nil
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
	owners, err := m.n.srv.store.CertificateOwners(ctx, fingerprint(m.cert.Raw))
	if err != nil {
		return "", fmt.Errorf("%w: %w", identity.ErrUnavailable, err)
	}
	if len(owners) != 1 {
		return "", identity.ErrCredentials
	}
	acc, err := m.n.srv.identity.UserByID(ctx, owners[0])
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return "", identity.ErrCredentials
	case err != nil:
		return "", fmt.Errorf("%w: %w", identity.ErrUnavailable, err)
	}
	return string(acc.Login) + "@" + acc.Domain, nil
}

// Prove is identity's question.
func (m *external) Prove(ctx context.Context, acc *identity.Account) error {
	var owner identity.UserID
	if acc != nil {
		owner = acc.ID
	}
	m.turn = m.n.srv.router.revocations.Load()
	c, err := m.n.srv.store.Certificate(ctx, owner, fingerprint(m.cert.Raw))
	switch {
	case acc == nil:
		return identity.ErrCredentials
	case err == nil:
		m.name = c.Name
		return nil
	case !errors.Is(err, identity.ErrNotFound):
		return fmt.Errorf("%w: %w", identity.ErrUnavailable, err)
	case m.n.vouched(m.cert, string(acc.Login)+"@"+acc.Domain):
		return nil
	}
	return identity.ErrCredentials
}

func (m *external) since() uint64 { return m.turn }

func (m *external) holds(ctx context.Context, owner identity.UserID) bool {
	if m.name == "" {
		return true
	}
	_, err := m.n.srv.store.Certificate(ctx, owner, fingerprint(m.cert.Raw))
	return err == nil
}

// vouched reports whether an authority that config trusts says that the certificate is that of an
// account (RFC 6120 section 13.7.1.2).
func (n *negotiation) vouched(cert *x509.Certificate, bare string) bool {
	if n.srv.clientCA == nil || !slices.ContainsFunc(xmppAddrs(cert), func(j jid.JID) bool { return j.Bare().String() == bare }) {
		return false
	}
	between := x509.NewCertPool()
	if state := n.t.tlsState(); state != nil {
		for _, c := range state.PeerCertificates[1:] {
			between.AddCert(c)
		}
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: n.srv.clientCA, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

// certified is a client certificate that somebody has logged in by.
type certified struct {
	fingerprint string
	vouched     bool // it stands in no list of the account: an authority vouches for it
}

// certified is nil where the log-in was by something else.
func (n *negotiation) certified() *certified {
	if m, ok := n.evidence.(*external); ok {
		return &certified{fingerprint(m.cert.Raw), m.name == ""}
	}
	return nil
}

// Certificate is the fingerprint of the client certificate by which the stream's client logged in;
// "" where it was by something else.
func (s *Stream) Certificate() string {
	if c := s.proof.Load(); c != nil {
		return c.fingerprint
	}
	return ""
}

// clientCertificate is what the client has shown in the handshake, while it is valid; nil where it
// has shown none.
func (n *negotiation) clientCertificate() *x509.Certificate {
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
	return cert
}

// fingerprint is the SHA-256 of a certificate in hexadecimal.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// readClientCA reads the authorities of config; nil where it names none.
func readClientCA(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path) //nolint:gosec // the administrator's own file
	if err != nil {
		return nil, fmt.Errorf("reading xmpp.client_ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s, which xmpp.client_ca names, holds no certificate in PEM", path)
	}
	return pool, nil
}

// maxAddrs is how many addresses of one certificate are looked at.
const maxAddrs = 16

// xmppAddrs are the addresses of a certificate: otherNames of the type id-on-xmppAddr among its
// subject alternative names (RFC 6120 section 13.7.1.4).
func xmppAddrs(cert *x509.Certificate) []jid.JID {
	i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) })
	if i < 0 {
		return nil
	}
	return parseAltNames(cert.Extensions[i].Value)
}

func parseAltNames(der []byte) []jid.JID {
	var names asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &names); err != nil || len(rest) > 0 || names.Class != asn1.ClassUniversal || names.Tag != asn1.TagSequence {
		return nil
	}
	var list []jid.JID
	for rest := names.Bytes; len(rest) > 0 && len(list) < maxAddrs; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return list
		}
		if name.Class != asn1.ClassContextSpecific || name.Tag != 0 || !name.IsCompound {
			continue
		}
		var id asn1.ObjectIdentifier
		var value asn1.RawValue
		after, err := asn1.Unmarshal(name.Bytes, &id)
		if err != nil || !id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 5}) {
			continue
		}
		if after, err = asn1.Unmarshal(after, &value); err != nil || len(after) > 0 || value.Class != asn1.ClassContextSpecific || value.Tag != 0 {
			continue
		}
		var text asn1.RawValue
		if after, err = asn1.Unmarshal(value.Bytes, &text); err != nil || len(after) > 0 || text.Class != asn1.ClassUniversal || text.Tag != asn1.TagUTF8String {
			continue
		}
		if j, err := jid.Parse(string(text.Bytes)); err == nil && j.Localpart() != "" {
			list = append(list, j)
		}
	}
	return list
}
