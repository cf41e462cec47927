package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the tables of identity to their newest form.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	return db.Migrate(ctx, "identity", migrations)
}

// Store is an identity.Store.
type Store struct {
	reader
	db        *sqldb.DB
	auditMany string // the statement that writes auditRows rows
}

var (
	_ identity.Store       = (*Store)(nil)
	_ identity.StoreWriter = (*writer)(nil)
)

// New returns a store on a database that Migrate has been run on. The caller closes db.
func New(db *sqldb.DB) *Store {
	return &Store{reader: reader{db, db.Dialect()}, db: db, auditMany: manyRows()}
}

// reader reads, inside and outside of a transaction.
type reader struct {
	q       sqldb.Querier
	dialect sqldb.Dialect
}

// writer is one transaction.
type writer struct {
	reader
	tx        *sqldb.Tx
	auditMany string
}

// Write implements identity.Store.
func (s *Store) Write(ctx context.Context, fn func(identity.StoreWriter) error) error {
	var own error
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		own = fn(&writer{reader{tx, s.dialect}, tx, s.auditMany})
		return own
	})
	if own != nil {
		return own
	}
	return unavailable("writing accounts", err)
}

// unavailable makes an error of the database one of identity's: ErrNotFound where there was no
// row, the context's own where it ended, else ErrUnavailable.
func unavailable(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return identity.ErrNotFound
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%s: %w: %w", doing, identity.ErrUnavailable, err)
}

// exec runs a statement of a transaction, which stands where the statement is refused.
func (w *writer) exec(ctx context.Context, doing, query string, args ...any) (sql.Result, error) {
	res, err := w.tx.TryContext(ctx, query, args...)
	return result(doing, res, err)
}

// run is exec for what comes with each log-in, and has no constraint that could refuse it: it costs a
// little less.
func (w *writer) run(ctx context.Context, doing, query string, args ...any) (sql.Result, error) {
	res, err := w.tx.ExecContext(ctx, query, args...)
	return result(doing, res, err)
}

func result(doing string, res sql.Result, err error) (sql.Result, error) {
	if sqldb.IsUnique(err) {
		return nil, fmt.Errorf("%s: %w", doing, identity.ErrExists)
	}
	if sqldb.IsForeign(err) {
		return nil, fmt.Errorf("%s: %w", doing, identity.ErrNotFound)
	}
	return res, unavailable(doing, err)
}

// change runs a statement that must meet a row; ErrNotFound where it meets none.
func (w *writer) change(ctx context.Context, doing, query string, args ...any) error {
	res, err := w.exec(ctx, doing, query, args...)
	return met(doing, res, err)
}

func met(doing string, res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return unavailable(doing, err)
}

// each calls scan for every row of a query.
func (r reader) each(ctx context.Context, doing string, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := r.q.QueryContext(ctx, query, args...)
	if err != nil {
		return unavailable(doing, err)
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	for rows.Next() {
		if err := scan(rows); err != nil {
			return unavailable(doing, err)
		}
	}
	return unavailable(doing, rows.Err())
}

// micros is t for a column; 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the time of a column; the zero time for 0.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
