package sqltest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"trivium/internal/sqldb"
)

// Open opens an empty SQLite store in t.TempDir and closes it when the test ends.
func Open(t testing.TB) *sqldb.DB {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	db, err := sqldb.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("opening the test store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the test store: %v", err)
		}
	})
	return db
}

// Migrated is Open followed by migrate, which is the Migrate of a package's store.
func Migrated(t testing.TB, migrate func(context.Context, *sqldb.DB) error) *sqldb.DB {
	t.Helper()
	db := Open(t)
	if err := migrate(t.Context(), db); err != nil {
		t.Fatalf("migrating the test store: %v", err)
	}
	return db
}
