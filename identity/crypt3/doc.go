// Package crypt3 checks passwords against the hashes that other servers keep: those of crypt(5), of
// htpasswd, of SFTPGo, Pure-FTPd, passlib and Django. It makes none. What a check may cost is bounded:
// a hash that asks for more is refused when it is read, and never run.
//
// | begins with | is | bound |
// |---|---|---|
// | $2a$ $2b$ $2y$ | bcrypt | cost 14 |
// | $y$ | yescrypt as libxcrypt makes it (flavour j, t=0, p=1) | 128 MiB |
// | $7$ | scrypt | 128 MiB, N·r·p of 2^22 |
// | $argon2id$ $argon2i$ | Argon2 v19 (RFC 9106) | 128 MiB, 4 GiB over all passes |
// | $5$ $6$ | SHA-256 and SHA-512 of crypt(5) | 1,000,000 rounds |
// | $pbkdf2-…$ $pbkdf2$ pbkdf2_sha256$ | PBKDF2 of SFTPGo, passlib, Django (RFC 8018) | 2,000,000 iterations |
// | $1$ $apr1$ | MD5 of crypt(5) and of Apache; weak | |
// | {SHA} {SSHA} {MD5} {SHA256} {SHA512} | one plain digest (RFC 2307; SFTPGo's in hexadecimal); weak | |
// | 13 characters | traditional DES, which sees 8 characters of a password; weak | |
//
// Left out: $gy$ (GOST), $md5 (SunOS), $3$ (NT), $sha1 (NetBSD), _ (BSDi), $2x$, and forms of yescrypt
// that libxcrypt does not make.
package crypt3
