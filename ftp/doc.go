// Package ftp is the FTP road: our own command loop, which owns all state of a control
// connection, and two engines for its transfers, a library for what is large and a direct one for
// what is soon done.
//
//	RFC 959   commands, replies, NVT-ASCII; TYPE A, I and L 8, MODE S and Z, STRU F
//	RFC 1123  section 4.1.2: STOU, PASV parsing, Telnet, quoting of MKD; 554 after REST
//	RFC 1413  ident look-ups, where config turns them on
//	RFC 2228  AUTH, PBSZ, PROT; no other mechanism than TLS
//	RFC 2389  FEAT, OPTS
//	RFC 2428  EPSV, EPRT, EPSV ALL
//	RFC 2577  no bounce: PORT and EPRT lead to the client itself, to other hosts for classes with
//	          fxp alone, never to ports below 1024
//	RFC 2640  UTF-8 names; LANG EN
//	RFC 3659  MDTM, SIZE, REST STREAM, MLST, MLSD; TVFS
//	RFC 4217  AUTH TLS; PROT C and P; CCC where TLS is optional; 521, 522, 534
//	RFC 5797  502 for what is registered and not done, 500 for the rest
//	RFC 7151  HOST, and TLS that names a host
//	drafts    MFMT, MFCT, MFF (draft-somers-ftp-mfxx), HASH (draft-bryan-ftpext-hash), RANG
//	          (draft-bryan-ftp-range), MD5 (draft-twine-ftpmd5), AVBL, CSID
//	          (draft-peterson-streamlined-ftp-command-extensions)
//	usage     XCRC, XMD5, XSHA*, COMB, CLNT, MDTM with a time, SITE
//
// docs/ftp.md says verb by verb what is done and what is left out.
//
// # Who owns what
//
// One goroutine reads a control connection's lines and runs them. While a transfer runs it goes
// on reading: NOOP, STAT without a path and ABOR are answered at once, other lines wait in a
// queue, which the end of the transfer starts to run in a goroutine of its own. So the fields of
// session belong to whoever runs commands, the reader or that goroutine, never both; the fields
// of control are guarded by control.mu and are all that a verb may touch that overtakes. The
// direct engine carries a transfer in the reader's own goroutine; if that takes longer than a
// moment, another goroutine takes the reader's turn, and the old one ends with the transfer; so does
// one where the client rests after its log-in, for a log-in needs a deep stack. A job
// is work that takes long and needs no data connection, a checksum or a copy on the server: it
// runs beside the reader as a transfer does. The order of locks is
// watch.mu, control.mu, door.mu; moments.mu is taken alone.
package ftp
