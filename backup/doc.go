// Package backup writes all that a server keeps into one archive, reads such archives back, and makes one
// each day.
//
// An archive is a tar (POSIX 1003.1-2008 pax) in zstd (RFC 8878), and in age (age-encryption.org/v1) where
// there are keys to encrypt it to. Its members, in this order:
//
//	trivium-backup.json   Head: format, version, domain, when
//	data/…                seal.key, audit.head and tls/ of the data directory
//	config/…              the configuration file, certificate and key that it names
//	database.sqlite       the database at one moment, as an SQLite file whatever engine the server uses
//	files/…               people's files as they lie on disk, with times, modes and the extended attributes user.*
//	SHA256SUMS            a line for each member before it, as sha256sum(1) reads them
//	manifest.json         Manifest: what is in it, and the SHA-256 of SHA256SUMS
//
// So tar, zstd and sha256sum get everything out where there is no Trivium. An archive without its
// manifest was cut off.
//
// What audit.head says is read before the database, and files after it: what was acknowledged before a backup
// began is in it. A file is replaced by a rename, so its content is an old or a new one; one that another
// program changes in its place while it is read is read again. What was moved meanwhile is found by a second
// walk. Unfinished uploads are left out.
//
// An archive is trusted with nothing: names lead nowhere but below their own folder, links are made last and
// followed by nothing, other kinds of members are refused, and nothing takes its place before all of it was
// checked.
package backup
