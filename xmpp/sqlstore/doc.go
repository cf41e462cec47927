// Package sqlstore keeps what xmpp.Store asks for in the SQL store.
//
// It meets the stores of the small modules too, each in a file of its name. The tables' names begin with
// xmpp_.
package sqlstore
