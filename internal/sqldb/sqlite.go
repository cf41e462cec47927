package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readers is the number of read connections: enough that a slow page of the archive does not
// hold up log-ins, small enough that their caches stay a few megabytes.
const readers = 8

// lite is SQLite on the file path.
type lite struct{ path string }

func (l lite) dialect() Dialect { return SQLite }
func (l lite) place() string    { return l.path }
func (l lite) prepares() bool   { return true }
func (l lite) aborts() bool     { return false } // a statement that fails undoes itself alone

func (l lite) open(ctx context.Context, write bool) (*sql.DB, error) {
	n := readers
	if write {
		n = 1
	}
	return openPool(ctx, dsn(l.path, write), n)
}

// migrator needs no lock: the data directory has one.
func (l lite) migrator(ctx context.Context) (*sql.DB, func() error, error) {
	pool, err := l.open(ctx, true)
	return pool, func() error { return nil }, err
}

// finish folds the log into the file.
func (l lite) finish(pool *sql.DB) error {
	if _, err := pool.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("checkpointing the database %s: %w", l.path, err)
	}
	return nil
}

func (l lite) begin() (string, bool)        { return "BEGIN IMMEDIATE", false }
func (l lite) state(conn *sql.Conn) txState { return txOpen }

// breaks reports whether SQLite may have rolled the whole transaction back along with the
// statement that failed (https://sqlite.org/lang_transaction.html section 3).
func (l lite) breaks(err error) bool {
	switch code(err) & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY:
		return true
	}
	return false
}

// explain says what a person can do about a database that does not open.
func (l lite) explain(err error) error {
	switch code(err) & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file %s is not an SQLite database. Move it away, or set database.url to another file: %w", l.path, err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the database %s is damaged. Restore the last backup, or try the sqlite3 program's .recover: %w", l.path, err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("the database %s is locked by another program. Stop that program and start again: %w", l.path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("cannot write to the database %s or beside it in its folder. Run as its owner, or set database.url: %w", l.path, err)
	}
	return fmt.Errorf("cannot open the database %s: %w", l.path, err)
}

// openPool opens a pool of at most n connections that are kept, and tries one.
func openPool(ctx context.Context, dsn string, n int) (*sql.DB, error) {
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	// Reads the header, so that a file of another kind is found now; a ping would not look.
	var version int
	if err := pool.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}
