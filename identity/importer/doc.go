// Package importer reads the accounts that other servers keep, as neutral records: it makes none
// itself (identity.Service.ImportUsers does), and runs nothing that it reads.
//
// | format | is | brings |
// |---|---|---|
// | passwd | /etc/passwd with shadow and group (passwd(5), shadow(5), group(5)) | uid, gid, groups, hash, name, phone, expiry, locked |
// | proftpd | AuthUserFile and AuthGroupFile of ProFTPD, as ftpasswd writes them | uid, gid, groups, hash, name, locked |
// | pureftpd | the text of a puredb, as pure-pw writes it | uid, gid, hash, name, rates, quotas |
// | sftpgo | a dump of SFTPGo (JSON, version 2 and later) | uid, gid, groups, hash, e-mail, rates, quotas, expiry, roads, state |
// | prosody | the data directory of Prosody (internal storage) | SCRAM keys or password |
// | xep0227 | XEP-0227 1.1 as Prosody, ejabberd and Trivium write it | SCRAM keys or password |
// | csv | a table with a header | all fields of a record |
//
// What is read may come from strangers: a line, a record and a file have bounds, and names are only
// ever text.
package importer
