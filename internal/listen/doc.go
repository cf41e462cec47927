// Package listen opens TCP listeners with errors that say what to do, accepts on them without
// giving up when descriptors run out, and shares a TLS port among protocols by ALPN (RFC 7301).
//
// Not here: PROXY protocol, sockets handed over by systemd.
package listen
