// Package xmpp is the chat road: client streams, presence, rosters and messages.
//
// A connection becomes a stream when a resource is bound; from then on its own goroutine reads
// stanzas and hands them to the router, which answers them, or puts them into other streams.
// [Store] keeps rosters; sqlstore is it over SQL. Services are guarded by the access policy as
// resources: xmpp:message, xmpp:presence, xmpp:iq (requests to other clients), xmpp:roster,
// xmpp:ping, xmpp:disco, xmpp:time, xmpp:last, xmpp:version. What a session may not use is
// answered with the same bytes as what there is not: service-unavailable.
//
// A connection has one goroutine, which reads from accept to end, and a writer only while something
// waits to be written. The locks of a connection, in the order in which they are taken: client.mu,
// stream.mu, the transport's own; the router says how its locks stand to them.
//
// | document | what | state |
// |---|---|---|
// | RFC 6120 | streams, TLS, SASL, bind, stanzas, errors | done for clients; no server-to-server, which answers remote-server-not-found |
// | RFC 6121 | sections 2 (rosters with versions and pushes), 3 (subscriptions with pre-approval), 4 (presence, probes, directed), 8 (delivery) | done; a roster that changed is sent whole, not as pushes; no storage of messages for those who are away |
// | RFC 7590, RFC 7525 | TLS required before log-in | done |
// | RFC 5802, RFC 7677 | SCRAM-SHA-256 and, where config has it, SCRAM-SHA-1; both with -PLUS | done |
// | RFC 9266, XEP-0440 0.4 | channel binding tls-exporter, and saying so | done; neither tls-unique nor tls-server-end-point |
// | RFC 4616 | PLAIN, over TLS alone | done |
// | RFC 4505 | ANONYMOUS, where policy has it | done |
// | RFC 7628 | OAUTHBEARER with app passwords, over TLS alone | done |
// | RFC 7622 | addresses | done |
// | XEP-0012 2.0 | last activity: uptime of the server | done; not of accounts |
// | XEP-0030 2.5 | disco#info and disco#items of the server and one's own account | done; no nodes, nothing about other accounts |
// | XEP-0092 1.1 | software version | off; levels STAFF and above get it |
// | XEP-0199 2.0 | ping | done |
// | XEP-0202 2.0 | time of the server | done |
// | XEP-0203 2.0 | delay, in presence that answers probes | done |
// | XEP-0359 0.7 | stanza-id: what clients forge is removed | part; none is given out |
// | XEP-0368 1.1 | direct TLS | done |
// | XEP-0160, 0191, 0198, 0280, 0313, 0386, 0388, 0474 | offline storage, blocking, resumption (a stream has the shape for it), carbons, archive, Bind 2, SASL2, SCRAM downgrade protection | not done |
package xmpp
