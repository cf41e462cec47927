package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// soon is when the end of a certificate is worth a warning.
const soon = 14 * 24 * time.Hour

// trust is what a handshake has shown of who is at the other end.
type trust struct {
	state tls.ConnectionState
	good  bool // the chain is valid for the name
	mine  bool // it is this server's own certificate
}

// secret reports whether a credential may be sent over the connection.
func (t trust) secret() bool { return t.good || t.mine }

// settings are of a client that decides about certificates itself: it goes on after a bad one, to say more.
func (t *Target) settings(name string, alpn ...string) *tls.Config {
	return &tls.Config{ServerName: serverName(name), InsecureSkipVerify: true, NextProtos: alpn, MinVersion: tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(4)}
}

// serverName is what may stand in SNI: no dot at the end.
func serverName(name string) string { return strings.TrimSuffix(name, ".") }

// handshake makes TLS of a connection, and writes into the step what clients will say of the certificate.
func (t *Target) handshake(ctx context.Context, s *Step, c net.Conn, conf *tls.Config, name string) (*tls.Conn, trust, error) {
	tc := tls.Client(c, conf)
	if err := tc.HandshakeContext(ctx); err != nil {
		s.fail("the TLS handshake failed: "+reason(err), "Clients cannot make the connection safe, and give up.",
			"See that the port is not taken by another program, and that tls.cert and tls.key belong together (trivium config check).")
		return nil, trust{}, err
	}
	tr := t.judge(s, tc.ConnectionState(), name)
	return tc, tr, nil
}

// judge looks at the certificate as clients do.
func (t *Target) judge(s *Step, state tls.ConnectionState, name string) trust {
	tr := trust{state: state}
	if len(state.PeerCertificates) == 0 {
		s.fail("no certificate was shown", "Clients give up.", "Set tls.cert and tls.key.")
		return tr
	}
	leaf := state.PeerCertificates[0]
	tr.mine = t.Mine != nil && t.Mine(leaf)
	s.say("<", fmt.Sprintf("%s, %s; certificate of %s, good until %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite),
		names(leaf), leaf.NotAfter.UTC().Format(time.DateOnly)))
	seen := fmt.Sprintf("%s, certificate of %s until %s", tls.VersionName(state.Version), names(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))
	if s.Detail != "" {
		seen = s.Detail + "; " + seen
	}
	s.Detail = seen
	pool := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		pool.AddCert(c)
	}
	now := time.Now()
	switch nameErr := leaf.VerifyHostname(serverName(name)); {
	case now.After(leaf.NotAfter):
		s.fail(seen, "The certificate has expired: clients refuse the connection, or ask people to trust it.",
			"Renew the certificate, then reload the server (SIGHUP).")
		return tr
	case now.Before(leaf.NotBefore):
		s.fail(seen, "The certificate is not good yet, or a clock is wrong.", "Look at the clocks, and at tls.cert.")
		return tr
	case nameErr != nil:
		s.fail(seen, fmt.Sprintf("The certificate does not name %s: clients refuse the connection, or ask people to trust it.", name),
			fmt.Sprintf("Get a certificate for %s and set tls.cert and tls.key, or put it into tls.folder.", name))
		return tr
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: serverName(name), Intermediates: pool, Roots: t.Roots})
	var unknown x509.UnknownAuthorityError
	switch {
	case err == nil:
		tr.good = true
		if leaf.NotAfter.Sub(now) < soon {
			s.warn("The certificate ends soon.", "Renew it, then reload the server (SIGHUP).")
		}
	case t.warned != nil && t.warned.Equal(leaf): // once is enough
	case errors.As(err, &unknown) && leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil:
		t.warned = leaf
		s.warn("The certificate is self-signed: clients ask people whether they trust it, and some refuse.",
			"Get a certificate of a public authority, such as Let's Encrypt, and set tls.cert and tls.key.")
	case errors.As(err, &unknown):
		t.warned = leaf
		s.warn("The certificate comes from an authority that this machine does not know, or intermediate certificates are missing in tls.cert.",
			"Put the whole chain into tls.cert, the certificate of the server first.")
	default:
		s.fail(seen, "Clients refuse the certificate: "+reason(err)+".", "Get another certificate and set tls.cert and tls.key.")
	}
	return tr
}

// names are what a certificate is for.
func names(c *x509.Certificate) string {
	list := c.DNSNames
	for _, a := range c.IPAddresses {
		list = append(list, a.String())
	}
	const most = 4
	switch {
	case len(list) == 0:
		return clean(c.Subject.CommonName)
	case len(list) > most:
		return clean(strings.Join(list[:most], ", ")) + ", …"
	}
	return clean(strings.Join(list, ", "))
}

// maySend reports whether a credential may go over a connection: where TLS has shown whose it is, and in the
// clear to this machine alone. Otherwise the step says why it was not sent.
func (s *Step) maySend(c net.Conn, tr *trust) bool {
	if tr != nil && tr.secret() || tr == nil && here(addrOf(c.RemoteAddr())) {
		return true
	}
	if tr == nil {
		s.skip("without TLS the throw-away password would cross the network in the clear")
	} else {
		s.skip("the certificate does not prove that this is the server, so the throw-away password was not sent")
	}
	return false
}
