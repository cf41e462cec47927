// Package web is the HTTP road: server-rendered pages for people, and the place where the
// handlers of others (the REST interface, chat over WebSocket) are mounted.
//
// Every page is a full page of html/template that works with links and forms alone; the ES
// modules of assets/js add comfort. One table (routes.go) gives each route its level, which the
// guard, the navigation and a test read. Identity decides who somebody is; this package
// translates cookies into identity.Visit and errors into status codes.
//
//	RFC 9110, 9112  HTTP semantics and HTTP/1.1   net/http; section 6.1 of 9112 in harden.go
//	RFC 9113        HTTP/2                        net/http, over TLS
//	RFC 6265        cookies                       session.go (`as`, `ls`, `__Host-` on https)
//	RFC 6266, 8187  Content-Disposition           disposition.go
//	RFC 6415        host-meta (XEP-0156 1.4.0)    hostmeta.go: where chat over WebSocket is, by domain
//	RFC 7301        ALPN                          server.go: other protocols are given to who takes them, or refused
//	RFC 7239        Forwarded                     not done; X-Forwarded-For/-Proto from trusted proxies
//	RFC 8615        /.well-known/change-password  wellknown.go
package web
