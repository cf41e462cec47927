// Package caps learns what clients support from the hashes in their presence, and says what the
// server itself supports: entity capabilities, XEP-0115 1.6.0 and XEP-0390 0.3.2.
//
// A hash that nobody has explained yet is asked about, and the answer counts for all who announce
// the hash only if it hashes to it. Any other answer counts for the client alone that gave it, as
// it concerns nobody else. What is known is kept in memory, within bounds, and asked for again
// after a restart: one question for each kind of client.
//
// XEP-0115 joins its parts by marks that may also stand in them, so that an answer can be made in
// which features seem to be something else. Such answers are not shared (see digest).
//
// Not done: optimised presence, queries answered in the place of clients, hashes sent before
// presence.
package caps
