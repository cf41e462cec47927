// Package probe connects to a server as its clients would, and says of each step what it found.
//
//	FTP   name, greeting, AUTH TLS and the name in the certificate, log-in, a listing over PASV and over
//	      EPSV, and whether the address that PASV announces is the one that leads here; implicit TLS
//	XMPP  SRV records, host-meta, stream, STARTTLS, SASL, bind, direct TLS, WebSocket
//	DAV   TLS, OPTIONS, PROPFIND, HEAD and PATCH, PUT and DELETE where it is told to
//	API   TLS, the demand for credentials, a bearer token
//
// A probe dials the public name first, as a client outside would. Where that does not lead to this server
// from here, as behind a NAT without hairpin (RFC 4787 section 6), it says so and goes on at the listener's
// own address. It contacts nothing but the names and addresses of its target and what the DNS says of them.
//
// It is given a credential, which should be good for a few seconds. It sends that only over TLS whose
// certificate is valid for the name or is this server's own, or in the clear to an address of this machine.
package probe
