// Package ldap asks an LDAP directory who people are: it is an identity.Source.
//
// A password is checked by a bind as the person (RFC 4513 section 5.1.3), whose entry a search has
// found or whose name a template gives. A bind without a password is never sent: a directory takes
// it for nobody in particular and says yes (section 5.1.2). What people send stands in filters and
// names escaped (RFC 4515 section 3, RFC 4514 section 2.4). Connections use TLS, by ldaps or StartTLS
// (RFC 4511 section 4.14) before anything is said, with the server's name checked; on loopback
// alone they may stay in the clear. Referrals are not followed. Lists are read in pages (RFC 2696).
//
// Not here: SASL binds, nested groups, changes of the directory.
package ldap
