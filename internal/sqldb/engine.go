package sqldb

import (
	"context"
	"database/sql"
)

// engine is what the two databases do in ways of their own.
type engine interface {
	dialect() Dialect
	// place names the store in messages, without a secret.
	place() string
	// open opens the pool that reads, or the one of a single connection that writes.
	open(ctx context.Context, write bool) (*sql.DB, error)
	// migrator opens what a migration runs on; done gives up what keeps others from migrating.
	migrator(ctx context.Context) (pool *sql.DB, done func() error, err error)
	// explain says what a person can do about an error of opening.
	explain(err error) error
	// finish is run on the write connection before it is closed for good.
	finish(pool *sql.DB) error

	// begin starts the writer's transaction. Where saves is true, the savepoint of the first caller is
	// part of it, and release and save are one statement.
	begin() (text string, saves bool)
	// breaks reports whether err may have taken the whole transaction along.
	breaks(err error) bool
	// aborts reports whether a statement that failed leaves the caller's part beyond use.
	aborts() bool
	// state says how the transaction of a connection is.
	state(conn *sql.Conn) txState
	// prepares reports whether it pays to keep statements by text; the driver may do so itself.
	prepares() bool
}

// txState is how a transaction is.
type txState int

const (
	txOpen   txState = iota // or unknown
	txFailed                // the engine takes a rollback alone
	txNone                  // there is none: it or its connection has gone
)
