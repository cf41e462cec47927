// Package dav is WebDAV at /dav/ over the file tree that all roads share.
//
// Each request brings its credential: HTTP Basic with a password or an app password, or a bearer
// token. Cookies are never looked at. What may be done, files decides; locks are those of files, so
// FTP and the pages keep to them too.
//
// golang.org/x/net/webdav reads and writes the XML of properties (PROPFIND, PROPPATCH). The rest is
// ours, since its PUT takes a body that was cut for a whole one, its COPY and MOVE remove the
// destination before they begin, its DELETE has one answer for every fault, and its LOCK knows
// neither shared locks nor the time that was really given.
//
//	RFC 4918  classes 1 and 2: PROPFIND (depth 0 and 1), PROPPATCH, MKCOL, COPY, MOVE, DELETE, LOCK, UNLOCK, If
//	RFC 4331  quota-available-bytes, quota-used-bytes
//	RFC 9110  GET, HEAD, PUT, OPTIONS; ranges and preconditions
//	RFC 7617  Basic with UTF-8;  RFC 6750 section 2.1 bearer tokens
package dav
