// Package tokens makes, checks and revokes the random credentials that people know as app
// passwords and programs as bearer tokens.
//
// The wire form is that of Prosody's mod_tokenauth: the RFC 8959 prefix and an unpadded
// base64url (RFC 4648 section 5) of
//
//	version  1 byte, 1
//	id       12 bytes: names the row; no secret
//	secret   24 bytes
//	jid      the owner's bare JID, UTF-8, the only part of variable length
//
// Stored are the id and SHA-256 of the secret and, for scope xmpp, SCRAM-SHA-256 keys (RFC 5802,
// RFC 7677) of the whole wire form under the account's own salt and iterations, so that an app
// password works in a client that knows SCRAM alone. The secret is random, so one SHA-256 is
// enough: no guess is worth making.
//
// A token is accepted as an FTP or SASL PLAIN password, in SCRAM, as HTTP bearer and HTTP Basic
// password, never in the web's log-in form, and never gives more than its owner has now.
package tokens
