package ftp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"

	"trivium/identity"
)

// ticketPrefix marks our entry among those that a ticket carries.
const ticketPrefix = "trivium-ftp:"

// errReuse is the refusal of a data connection that does not resume its control connection's
// TLS session.
var errReuse = errors.New("the data connection did not resume the TLS session of its control connection")

// baseTLS is the configuration that all connections share. FTP clients offer the ALPN name "ftp"
// or none; one that offers only others is no FTP client (ALPACA).
func baseTLS(c *tls.Config, certificates bool) *tls.Config {
	base := c.Clone()
	if certificates {
		// Who vouches for it, if anybody, identity sees. Data connections ask too: a session in which a
		// certificate was shown is resumed by nobody who would not have asked for one.
		base.ClientAuth = tls.RequestClientCert
	}
	base.NextProtos = []string{"ftp"}
	base.MinVersion = max(base.MinVersion, tls.VersionTLS12)
	return base
}

// boundTLS is base for one control connection (data false) or its data connections. The keys of
// tickets are base's, so that control connections resume each other's sessions; a data
// connection resumes only a session whose ticket holds the id of its own control connection.
// A clone alone would not bind: Clone copies the keys.
func boundTLS(base *tls.Config, id string, data bool, reuse string) *tls.Config {
	c := base.Clone()
	mark := []byte(ticketPrefix + id)
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		ss.Extra = append(ss.Extra, mark)
		return base.EncryptTicket(cs, ss)
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := base.DecryptTicket(ticket, cs)
		if err != nil || ss == nil {
			return nil, err
		}
		if data && reuse != "off" && !holds(ss.Extra, mark) {
			return nil, nil // a full handshake follows
		}
		return ss, nil
	}
	if data {
		c.DynamicRecordSizingDisabled = true // many short connections: full records from the first
		if reuse == "required" {
			c.VerifyConnection = func(cs tls.ConnectionState) error {
				if !cs.DidResume {
					return errReuse
				}
				return nil
			}
		}
		classic := c.Clone()
		classic.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if slices.Contains(hello.Extensions, extensionPSK) {
				return classic, nil
			}
			return nil, nil // c itself
		}
	}
	return c
}

// extensionPSK is pre_shared_key (RFC 8446 section 4.2.11). A connection that resumes a session
// takes its secrecy from that session's key exchange too (section 7.1), so the hybrid one with
// ML-KEM, which costs a tenth of a small transfer, need not be done once more.
const extensionPSK = 41

// dataTLS is what the session's data connections use.
func (s *session) dataTLS() *tls.Config {
	reuse := s.ses.Class().TLSReuse
	if reuse == "" {
		reuse = s.srv.cfg.TLSReuse
	}
	return boundTLS(s.srv.tls, s.ses.ID(), true, reuse)
}

func holds(extra [][]byte, mark []byte) bool {
	for _, e := range extra {
		if bytes.Equal(e, mark) {
			return true
		}
	}
	return false
}

// startTLS does the handshake of a control connection within limits.tls_timeout.
func (s *session) startTLS() (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.limits.TLSTimeout)
	defer cancel()
	conn := tls.Server(s.underTLS(), boundTLS(s.srv.tls, s.ses.ID(), false, s.srv.cfg.TLSReuse))
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn, nil
}

// shown is what the client has shown in the handshake of the control connection, or, where that has
// resumed a session, in the one of that session.
func (s *session) shown() identity.Chain {
	if !s.srv.cfg.ClientCertificates {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.conn.(*tls.Conn); ok {
		return t.ConnectionState().PeerCertificates
	}
	return nil
}

// tlsName is the version as sessions show it.
func tlsName(c net.Conn) string {
	t, ok := c.(*tls.Conn)
	if !ok {
		return ""
	}
	return tls.VersionName(t.ConnectionState().Version)
}
