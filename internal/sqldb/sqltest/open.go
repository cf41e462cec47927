package sqltest

import (
	"io/fs"
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

// Migrated is Open followed by Migrate for one module.
func Migrated(t testing.TB, module string, fsys fs.FS) *sqldb.DB {
	t.Helper()
	db := Open(t)
	if err := db.Migrate(t.Context(), module, fsys); err != nil {
		t.Fatalf("migrating the test store: %v", err)
	}
	return db
}
