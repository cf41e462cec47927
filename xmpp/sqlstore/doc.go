// Package sqlstore keeps what xmpp.Store asks for in the SQL store.
//
// The tables are xmpp_contacts, xmpp_rosters and xmpp_fast; [Migrations] holds them for each dialect, for
// the module "xmpp" of sqldb's Migrate.
package sqlstore
