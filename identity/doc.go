// Package identity is the one place that knows who somebody is: users, groups, levels,
// classes, credentials, and the sessions of all three roads.
//
// The words, once, for the whole program, and where each comes from:
//
//	user         an account: login@domain, immutable ID, uid, primary gid, level,
//	             profile (Node++ users record; ProFTPD Auth API; JID)
//	session      one presence of somebody over one road, from accept to close. Its ID never
//	             changes and is no secret. Registry.Open makes it; only Service.Login gives
//	             it credentials
//	road         ftp, web or xmpp: what policy, token scopes and classes speak of
//	protocol     ftp, web, dav, api, xmpp, s2s or component: what a session speaks
//	level        what a session may do at most: NONE 0 … ROOT 100, NOBODY 125 (Node++)
//	credentials  user, orig_user, ident_user, anon_user, uid, gid, group, gids, groups,
//	             class (ProFTPD session.*)
//	class        a named set of client addresses, decided at accept (ProFTPD Class)
//	upgrade      anonymous → logged in after a successful check; downgrade is the way back
//	             (Node++); callbacks run on both
//	token        a random credential with id, secret, scopes and expiry (Prosody
//	             mod_tokenauth, RFC 8959); package tokens
//	resource     something a level guards: a web route, a part of the file tree, an FTP
//	             command, an XMPP service (Node++ npp_require_auth)
//
// Identity is a return value of one Service.Login; protocols translate and decide nothing.
// Names follow RFC 8265 (UsernameCaseMapped), SCRAM RFC 5802 and RFC 7677.
package identity
