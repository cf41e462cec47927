// Package certs loads the server's certificates, or makes a self-signed one, and gives each
// listener a TLS configuration that speaks its own protocol only.
//
// | specification | state |
// |---|---|
// | RFC 8446, RFC 5246: TLS 1.3 and 1.2, no older, no renegotiation | done (crypto/tls) |
// | RFC 7301: another protocol's ALPN is refused, none is let in (ALPACA) | done |
// | RFC 6066 section 3: the name that a client asks for chooses the certificate | done |
// | RFC 5280: self-signed ECDSA P-256, names in subjectAltName | done |
// | RFC 8555: certificates by ACME | kept and used here; package acme gets them |
package certs
