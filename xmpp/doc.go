// Package xmpp is the chat road: client streams, presence, rosters and messages.
//
// A connection ([Server], over TCP, TLS or WebSocket) negotiates TLS, log-in and resource, and becomes
// a [Stream]. Its own goroutine reads stanzas from then on and hands them to the [Router], which
// answers them, or puts them into other streams. [Store] keeps rosters, tokens and certificates;
// sqlstore is it over SQL.
//
// Larger extensions are packages below this one, each a [Module] that says to the [Registrar] what it
// takes part in: requests, messages on their way, presence, binding, discovery. None imports
// another, and app puts them together.
//
// Services are guarded by the access policy as resources, such as xmpp:message, xmpp:presence,
// xmpp:iq (requests to other clients), xmpp:roster, xmpp:disco, xmpp:pubsub. What a session may not
// use is answered with the same bytes as what there is not: service-unavailable. Who somebody is comes
// from the stream alone; what a stanza says of its sender is written over.
//
// A connection has one goroutine, which reads from accept to end, and a writer only while something
// waits to be written. The locks of a connection, in the order in which they are taken: client.mu,
// stream.mu, the transport's own; the router says how its locks stand to them. A stream whose
// connection is lost waits in the lot for its client (XEP-0198), without a goroutine, and keeps its
// session, its resource and what is sent to it; another connection takes it out.
//
// The table is what the DOAP file and that of docs/xmpp.md are made of (gendoap): state is complete,
// partial, or planned for what clients may miss; what is said last is what is left out or decided.
//
// | document | version | state | what |
// |---|---|---|---|
// | RFC 6120 | | complete | streams, TLS, SASL, bind, stanzas, errors, for clients; no server-to-server, which answers remote-server-not-found |
// | RFC 6121 | | complete | rosters with versions and pushes, subscriptions with pre-approval, presence, probes, directed presence, delivery; a roster that changed is sent whole, not as pushes |
// | RFC 7590, RFC 9325 | | complete | TLS 1.2 or later before log-in |
// | RFC 5802, RFC 7677 | | complete | SCRAM-SHA-256 and, where config has it, SCRAM-SHA-1; both with -PLUS |
// | RFC 9266, RFC 5929 | | complete | channel bindings tls-exporter and tls-server-end-point; not tls-unique |
// | RFC 4616 | | complete | PLAIN, over TLS alone |
// | RFC 4505 | | complete | ANONYMOUS, where policy has it |
// | RFC 7628 | | complete | OAUTHBEARER with app passwords, over TLS alone |
// | RFC 7622 | | complete | addresses |
// | RFC 7395 | | complete | streams over WebSocket, by HTTP/1.1 alone; no see-other-uri |
// | XEP-0004 | 2.13.2 | complete | data forms; reported and item only in results of commands |
// | XEP-0012 | 2.0 | complete | last activity of accounts for those who see their presence, of others' clients by the client, uptime of the server; who may not see hears what they would hear of nobody; after a restart the time of the last log-in stands for that of the last departure |
// | XEP-0013 | 1.3 | complete | flexible offline message retrieval |
// | XEP-0030 | 2.5.0 | complete | service discovery |
// | XEP-0045 | 1.35.5 | planned | rooms |
// | XEP-0048 | 1.2 | complete | bookmarks in the old form, made of those of XEP-0402 |
// | XEP-0049 | 1.2 | complete | private XML; at most 200 elements of 128 KiB |
// | XEP-0050 | 1.3.0 | complete | ad-hoc commands of the server; one form each, no way back; what one may not use is not there |
// | XEP-0054 | 1.3.0 | complete | vcard-temp; it is the card of XEP-0292, and its picture the avatar of XEP-0084 |
// | XEP-0059 | 1.0 | complete | result set management, in queries of the archive and of nodes; no page by number |
// | XEP-0060 | 1.30.0 | complete | nodes of accounts, with all access models, affiliations and publishing options; no collections, options of subscriptions, or nodes of the server |
// | XEP-0070 | 1.0.2 | complete | log-ins on the web are confirmed, by IQ or by a message with the code; no HTTP authentication of its own |
// | XEP-0077 | 2.4 | complete | change of the password; making and removing of accounts where config has it, over TLS alone; no CAPTCHA |
// | XEP-0084 | 1.1.4 | complete | avatars, in nodes |
// | XEP-0085 | 2.1 | complete | what somebody does at the moment is not kept, and waits while a client is inactive |
// | XEP-0086 | 1.0 | complete | errors carry the numbers of old, too; policy-violation has none |
// | XEP-0092 | 1.1 | complete | software version; levels STAFF and above get it |
// | XEP-0107 | 1.2.2 | complete | mood, in nodes |
// | XEP-0108 | 1.3 | complete | activity, in nodes |
// | XEP-0115 | 1.6.0 | complete | capabilities of clients, which count for others where the hash fits; those of the server; SHA-1 and stronger |
// | XEP-0118 | 1.3.0 | complete | tune, in nodes |
// | XEP-0128 | 1.0.1 | complete | forms in service discovery |
// | XEP-0133 | 1.3.1 | complete | users, their passwords, sessions, contacts, numbers and lists, announcements, message of the day, welcome, administrators as a level, restart and shutdown; no lists of blocked or allowed addresses |
// | XEP-0153 | 1.1.1 | complete | the avatar's hash in presence, by the server |
// | XEP-0156 | 1.4.0 | complete | host-meta in XML and JSON, for WebSocket; no BOSH |
// | XEP-0157 | 1.1.1 | complete | contact addresses |
// | XEP-0160 | 1.0.1 | complete | offline messages; what the archive has as well carries its id, by which a client that reads both knows it again |
// | XEP-0163 | 1.2.2 | complete | personal eventing; notifications by capabilities, last items at presence |
// | XEP-0172 | 1.1 | complete | nickname, in nodes and where clients send it along |
// | XEP-0175 | 1.2 | complete | anonymous log-in, off unless config has it; addresses of a domain of their own |
// | XEP-0178 | 1.2 | complete | EXTERNAL for clients, by the xmppAddr of an authority that config trusts; servers not |
// | XEP-0184 | 1.4.0 | complete | receipts go on, as copies too, and are in the archive |
// | XEP-0191 | 1.3 | complete | blocking; at most 2,000 addresses |
// | XEP-0198 | 1.6.3 | complete | acknowledgement and resumption over any transport; where the archive cannot keep a message the connection ends, so that the client sends it again; no location; streams that wait end with the process |
// | XEP-0199 | 2.0.1 | complete | ping |
// | XEP-0202 | 2.0 | complete | time of the server |
// | XEP-0203 | 2.0 | complete | delay |
// | XEP-0215 | 1.0.0 | complete | STUN and TURN servers with credentials for 12 hours; no pushes |
// | XEP-0222 | 1.0 | complete | public data in nodes |
// | XEP-0223 | 1.1.1 | complete | private data in nodes; publish-options are kept to |
// | XEP-0227 | 1.1 | partial | accounts out of a stopped server and into one, whole but for rooms; preferences of the archive in the form of XEP-0441; SCRAM keys where the administrator asks for them, other passwords never; no XInclude, privacy lists |
// | XEP-0257 | 0.3 | complete | own client certificates, at most 20, each good until it is revoked, whatever the password; who logged in by one changes neither password nor account; off unless config has it |
// | XEP-0280 | 1.0.1 | complete | carbons, by the rules of rules:0 |
// | XEP-0292 | 0.12.0 | complete | vCard4 in nodes, made into vcard-temp and of it; by IQ, too, as it was until 0.11 |
// | XEP-0297 | 1.0 | complete | forwarding, in carbons and the archive |
// | XEP-0308 | 1.2.1 | complete | corrections go on and are archived as they are |
// | XEP-0313 | 1.1.3 | complete | message archive with the extended queries, metadata and flipped pages; what is said in rooms is not in the archives of persons |
// | XEP-0333 | 1.0.0 | complete | markers go on, as copies too, and are in the archive |
// | XEP-0334 | 1.0.0 | complete | hints; no-store and no-permanent-store keep a message out of archive and offline messages, store puts it in |
// | XEP-0352 | 1.0.0 | complete | client states; presence and chat states wait, the newest of each |
// | XEP-0357 | 0.4.1 | complete | push notifications, which say how many messages there are and nothing else; services of other servers wait for server-to-server |
// | XEP-0359 | 0.7.0 | complete | stanza-id by the account; what clients forge is removed |
// | XEP-0363 | 1.2.0 | planned | upload |
// | XEP-0368 | 1.1.0 | complete | direct TLS, on a port of its own and by ALPN on those of the web |
// | XEP-0377 | 0.4.1 | complete | reports go to the audit log; none is forwarded |
// | XEP-0379 | 0.3.3 | complete | who shows the code of an invitation is let in by the server, whether or not the inviter is there; codes that clients give out are the clients' |
// | XEP-0386 | 1.1.0 | complete | Bind 2; the resource is tag/identifier; carbons, client states, stream management and the archive inline |
// | XEP-0388 | 1.0.4 | complete | SASL2, over TLS alone; the only tasks are those of XEP-0480 |
// | XEP-0390 | 0.3.2 | complete | capabilities 2.0, SHA-256 and stronger |
// | XEP-0398 | 1.0.0 | complete | one picture for vcard-temp and XEP-0084; presence is not sent anew when it changes |
// | XEP-0401 | 0.6.0 | complete | invitations by command: contacts by everybody, accounts by those whose level allows it; a login that is chosen is reserved by an account that waits |
// | XEP-0402 | 1.2.0 | complete | bookmarks, with #compat and #compat-pep |
// | XEP-0411 | 1.1.0 | complete | bookmarks as private XML are those of XEP-0402 |
// | XEP-0424 | 0.4.2 | complete | a message that its sender takes back is a tombstone in both archives |
// | XEP-0431 | 0.2.0 | complete | search of the archive: all words must stand in the text; one query looks at 50,000 messages at most |
// | XEP-0440 | 1.0.0 | complete | tls-exporter and tls-server-end-point; none over WebSocket |
// | XEP-0441 | 0.2.0 | complete | preferences of the archive; at most 1,000 addresses |
// | XEP-0444 | 0.2.1 | complete | reactions go on and are archived as they are |
// | XEP-0445 | 0.2.0 | complete | the code of an invitation opens registration |
// | XEP-0449 | 0.2.0 | complete | stickers, in nodes |
// | XEP-0461 | 0.2.1 | complete | replies go on and are archived as they are |
// | XEP-0474 | 0.5.0 | complete | SCRAM tells what mechanisms and channel bindings were offered |
// | XEP-0478 | 0.2.0 | complete | limits of the stream: the largest stanza, and the silence after which a client is asked |
// | XEP-0480 | 0.2.0 | complete | upgrade tasks, by which accounts get the SCRAM keys that they lack |
// | XEP-0484 | 0.2.0 | complete | FAST with HT-SHA-256-EXPR, -ENDP and -NONE; a token lasts 21 days; no 0-RTT, none for app passwords |
// | XEP-0490 | 1.0.1 | complete | what has been read, in private nodes; no server assist |
// | XEP-0492 | 0.2.0 | complete | settings of notifications stay in the extensions of bookmarks |
// | XEP-0494 | 0.1.0 | complete | clients, app passwords and sessions of the other roads, each to be revoked |
// | XEP-0509 | 0.2.0 | complete | a version of the features, so that a client logs in with its open tag |
// | XEP-0515 | 0.1.0 | complete | SCRAM tells the version of TLS |
package xmpp

//go:generate go run ./gendoap doc.go ../docs/trivium.doap ../docs/xmpp.md
