// Package listen opens TCP listeners with errors that say what to do, accepts on them without
// giving up when descriptors run out, shares a TLS port among protocols by ALPN (RFC 7301), and
// believes PROXY headers (HAProxy, doc/proxy-protocol.txt, versions 1 and 2) of trusted proxies alone.
//
// Not here: sockets handed over by systemd.
package listen
