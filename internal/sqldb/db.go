package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// Querier reads. Both [DB] (its own connection, the last committed state) and [Tx] (what this
// transaction has written too) satisfy it, so that a store's read functions serve both.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

var (
	_ Querier = (*DB)(nil)
	_ Querier = (*Tx)(nil)
)

// DB is an open store. Its methods may be called from any goroutine.
type DB struct {
	engine engine
	log    *slog.Logger
	read   *sql.DB
	write  *sql.DB
	writer *writer

	mu       sync.Mutex // guards prepared
	prepared map[string]*sql.Stmt

	closeOnce sync.Once
	closeErr  error
}

// Open opens the store that url names: "sqlite:/path/file.db", making the file (mode 0600) where
// there is none in a folder that exists, or "postgres://role@host/database", which must exist. ctx
// bounds opening only. No error holds the URL's password. The caller must Close it.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	e, err := engineFor(url, log)
	if err != nil {
		return nil, err
	}
	db := &DB{engine: e, log: log, prepared: make(map[string]*sql.Stmt)}
	// The write handle first: it turns on WAL, which a query_only connection could not.
	if db.write, err = e.open(ctx, true); err != nil {
		return nil, e.explain(err)
	}
	if db.read, err = e.open(ctx, false); err != nil {
		return nil, errors.Join(e.explain(err), db.write.Close())
	}
	if db.writer, err = startWriter(ctx, db.write, e, log); err != nil {
		return nil, errors.Join(e.explain(err), db.read.Close(), db.write.Close())
	}
	return db, nil
}

// Place names the store for people, without secrets: the path of the file, or the database and its
// server.
func (db *DB) Place() string { return db.engine.place() }

// Dialect says which engine this is.
func (db *DB) Dialect() Dialect { return db.engine.dialect() }

// QueryContext runs a query on a read connection. It sees everything that Write acknowledged
// before. The caller must close the rows.
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if st := db.statement(ctx, query); st != nil {
		return st.QueryContext(ctx, args...)
	}
	return db.read.QueryContext(ctx, query, args...)
}

// maxPrepared bounds the queries whose statements are kept: more than there are fixed ones.
const maxPrepared = 256

// statement gives the kept statement of a query, for parsing one takes longer than most take to
// run; nil where there is none and none can be kept.
func (db *DB) statement(ctx context.Context, query string) *sql.Stmt {
	if !db.engine.prepares() {
		return nil
	}
	db.mu.Lock()
	st, room := db.prepared[query], len(db.prepared) < maxPrepared
	db.mu.Unlock()
	if st != nil || !room {
		return st
	}
	st, err := db.read.PrepareContext(ctx, positional(query)) // may wait for a connection
	if err != nil {
		return nil // the query itself says why
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if other := db.prepared[query]; other != nil {
		_ = st.Close() // nothing hangs on it
		return other
	}
	db.prepared[query] = st
	return st
}

// Brief is ctx for a query that reads a few rows by a key: it is looked at before the query and does
// not interrupt it. To be ready to interrupt one takes two goroutines, and they take longer than such
// a query does.
func Brief(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// QueryRowContext runs a query that answers at most one row on a read connection; its context is
// taken as [Brief].
func (db *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = Brief(ctx)
	if st := db.statement(ctx, query); st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return db.read.QueryRowContext(ctx, query, args...)
}

// Write runs fn inside the writer's transaction and returns after the commit: nil means that what
// fn wrote is on disk.
//
// fn runs on the writer's goroutine while everyone else who writes waits, so it must be short, do
// no network or file work, and must not call Write (it would wait for itself). An error or a panic
// of fn undoes what fn did and is answered to its caller alone (a panic as a [*PanicError]); if the
// common commit fails, every caller of that transaction gets the error. Write blocks while the
// queue is full. When ctx ends before fn was started, fn is not run and Write answers the
// context's error; afterwards Write waits for the outcome. After Close it answers [ErrClosed].
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	return db.writer.do(ctx, fn)
}

// Close runs what is still queued, folds the write-ahead log into the file of an SQLite database, and
// closes all connections. Calls after the first answer what the first did.
func (db *DB) Close() error {
	db.closeOnce.Do(func() {
		err := db.writer.close()
		if rerr := db.read.Close(); rerr != nil {
			err = errors.Join(err, fmt.Errorf("closing the read connections: %w", rerr))
		}
		// After the readers, as they could hold the log's frames back.
		err = errors.Join(err, db.engine.finish(db.write))
		if werr := db.write.Close(); werr != nil {
			err = errors.Join(err, fmt.Errorf("closing the write connection: %w", werr))
		}
		db.closeErr = err
	})
	return db.closeErr
}
