// Package webhooks tells other servers what happens here: rows of the audit log, as signed JSON.
//
// The audit log is the queue. A subscription has a place in it, and goes on from there: what the log holds
// is delivered, whatever stops in between, and in the order in which it happened. Each event comes at least
// once; webhook-id is the same when it comes again.
//
// An event that is not taken is tried again, at first after seconds, then hours, and holds up what comes
// after it. A subscription that has failed for a whole day is switched off, and stays at its place.
//
//	Standard Webhooks 1.0  webhook-id, webhook-timestamp, webhook-signature (v1, HMAC-SHA256)
//	RFC 9110               any status of 2xx takes the event; 410 switches the subscription off
//
// Addresses are checked when they are dialled, so that no name leads to what only this machine can
// reach. Redirects are not followed.
package webhooks
