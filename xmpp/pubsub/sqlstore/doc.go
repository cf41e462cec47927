// Package sqlstore keeps what pubsub.Store asks for in the SQL store.
//
// The tables are pubsub_nodes, pubsub_items, pubsub_affiliations and pubsub_subscriptions;
// [Migrations] holds them for each dialect, for the module "pubsub" of sqldb's Migrate.
package sqlstore
