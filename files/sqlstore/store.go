package sqlstore

import (
	"context"
	"embed"
	"time"

	"trivium/internal/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Store is a files.UsageStore, a files.BinStore, a files.SumStore and a files.ShareStore. Its methods are safe for any goroutine.
type Store struct{ db *sqldb.DB }

// New returns a Store on a database that Migrate has been run on.
func New(db *sqldb.DB) *Store { return &Store{db} }

// Migrate brings the tables of this package to their newest form.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	return db.Migrate(ctx, "files", migrations)
}

// optionalTime writes the zero time as NULL.
func optionalTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}
