// Package sqlstore keeps what pubsub.Store asks for in the SQL store.
//
// The tables are pubsub_nodes, pubsub_items, pubsub_affiliations and pubsub_subscriptions.
package sqlstore
