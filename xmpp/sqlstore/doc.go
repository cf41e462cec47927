// Package sqlstore keeps what xmpp.Store asks for in the SQL store.
//
// The tables are xmpp_contacts, xmpp_rosters, xmpp_fast and xmpp_certificates; [Migrations] holds them for each dialect, for
// the module "xmpp" of sqldb's Migrate.
package sqlstore
