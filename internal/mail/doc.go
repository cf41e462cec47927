// Package mail sends mails of plain text by SMTP (RFC 5321, RFC 3207, RFC 8314), from a queue that
// outlives the process.
//
// A mail is in the store before Send returns, sealed, and leaves it when a server has taken it, has
// refused it for good, or it is too old. What one server may have got twice, as the process ended
// between its answer and the store, has the same Message-ID (RFC 5322 section 3.6.4).
package mail
