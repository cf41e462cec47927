package xmpp

import (
	"crypto"
	_ "crypto/sha256" // the hashes of certificates
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
)

// The types of channel binding that are spoken here (RFC 9266, RFC 5929 section 4), the stronger
// one first.
const (
	bindingExporter = "tls-exporter"
	bindingEndPoint = "tls-server-end-point"
)

// channelBinding is what binds a log-in to the TLS connection that it came by.
type channelBinding struct {
	name  string
	short string // in the names of HT mechanisms
	data  []byte
}

// bindable is a transport whose log-ins can be bound to its TLS connection. One that a proxy may
// have taken the TLS off, such as a WebSocket, is none.
type bindable interface {
	tlsState() *tls.ConnectionState
	// served is the certificate that the client has seen; nil where that is not known.
	served() *x509.Certificate
}

// channelBindings are those that this connection has; none without TLS.
func channelBindings(t any) []channelBinding {
	b, ok := t.(bindable)
	if !ok {
		return nil
	}
	state := b.tlsState()
	if state == nil || !state.HandshakeComplete {
		return nil
	}
	var all []channelBinding
	// RFC 9266 section 4.2: TLS 1.2 without the extended master secret has none, and an error.
	if data, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err == nil {
		all = append(all, channelBinding{bindingExporter, "EXPR", data})
	}
	if data := endPoint(b.served()); data != nil {
		all = append(all, channelBinding{bindingEndPoint, "ENDP", data})
	}
	return all
}

// endPoint is the hash of RFC 5929 section 4.1; nil for a certificate whose signature does not name
// one hash, as then the binding is not defined.
func endPoint(cert *x509.Certificate) []byte {
	if cert == nil {
		return nil
	}
	var hash crypto.Hash
	switch cert.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.DSAWithSHA256, x509.ECDSAWithSHA256:
		hash = crypto.SHA256 // in the place of MD5 and SHA-1 too
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		hash = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		hash = crypto.SHA512
	default:
		return nil
	}
	h := hash.New()
	h.Write(cert.Raw)
	return h.Sum(nil)
}

// binding returns the binding of that name, nil where this connection has none.
func (n *negotiation) binding(name string) *channelBinding {
	for i := range n.bindings {
		if n.bindings[i].name == name {
			return &n.bindings[i]
		}
	}
	return nil
}

// servedConn is a connection that learns which certificate its handshake gave to the client: with
// several names and with certificates that change, the configuration alone cannot tell.
type servedConn struct {
	net.Conn
	ahead io.Reader         // of Conn; nil: it is read as it is
	leaf  *x509.Certificate // set in the handshake
}

func (c *servedConn) Read(b []byte) (int, error) {
	if c.ahead != nil {
		return c.ahead.Read(b)
	}
	return c.Conn.Read(b)
}

// bindableTLS is a copy of cfg that tells each servedConn its certificate. A resumed session has
// none of its own, so there is no resumption: a chat connection is long, and what a ticket saves
// is little.
func bindableTLS(cfg *tls.Config) *tls.Config {
	own := cfg.Clone()
	own.SessionTicketsDisabled = true
	own.Certificates, own.GetCertificate = nil, func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := certificateFor(cfg, hello)
		if err != nil {
			return nil, err
		}
		if c, ok := hello.Conn.(*servedConn); ok {
			if c.leaf = cert.Leaf; c.leaf == nil && len(cert.Certificate) > 0 {
				c.leaf, err = x509.ParseCertificate(cert.Certificate[0])
			}
		}
		return cert, err
	}
	return own
}

// certificateFor chooses as crypto/tls does.
func certificateFor(cfg *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cfg.GetCertificate != nil && (len(cfg.Certificates) == 0 || hello.ServerName != "") {
		if cert, err := cfg.GetCertificate(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	for i := range cfg.Certificates {
		if hello.SupportsCertificate(&cfg.Certificates[i]) == nil {
			return &cfg.Certificates[i], nil
		}
	}
	if len(cfg.Certificates) == 0 {
		return nil, fmt.Errorf("there is no certificate for %q", hello.ServerName)
	}
	return &cfg.Certificates[0], nil
}

// servedTo is the certificate of a connection that has shaken hands elsewhere a moment ago, with
// certificates from the same source, which chooses by the name alone; nil where the session was
// resumed, as it may be that of another certificate.
func (s *Server) servedTo(state tls.ConnectionState) *x509.Certificate {
	if s.tls == nil || state.DidResume {
		return nil
	}
	cert, err := s.tls.GetCertificate(&tls.ClientHelloInfo{ServerName: state.ServerName})
	if err != nil {
		return nil
	}
	return cert.Leaf
}
