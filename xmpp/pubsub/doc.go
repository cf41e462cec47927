// Package pubsub makes every account a service that publishes and notifies: XEP-0060 1.30.0 as far
// as XEP-0163 1.2.2 (personal eventing) needs it, and more of it that clients use.
//
// Nodes are leaf nodes of an account; the account owns them, and affiliations let others in. Who
// may read is the node's access model: presence (the default), open, roster, authorize, whitelist.
// A change is durable before it is answered, and notifications follow the answer, in the order of
// changes: to the owner's clients and those of contacts who see the owner's presence, where their
// capabilities have NODE+notify, and to explicit subscribers. A client that comes online gets the
// last items of what it asks to be notified of.
//
// What a client may not see of a node is answered as XEP-0060 has it. Who was blocked by the
// owner gets the answer of an account that there is not, from the router.
//
// Not done: collections, several subscriptions of one address, options of subscriptions, time-based
// subscriptions, subscriptions by directed presence (section 9.1.3 of XEP-0060), ad-hoc commands,
// `replyto` in notifications, nodes of the server itself. Items of transient nodes
// are not kept at all. Items that have expired are shown no more, and go at the next publication.
package pubsub
