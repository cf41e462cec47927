package sqltest

import (
	"context"
	"testing"

	"trivium/internal/sqldb"
)

// Open opens an empty SQLite store in t.TempDir and closes it when the test ends.
func Open(t testing.TB) *sqldb.DB {
	t.Helper()
	return Engine{Dialect: sqldb.SQLite}.Open(t)
}

// Migrated is Open followed by migrate, which is the Migrate of a package's store.
func Migrated(t testing.TB, migrate func(context.Context, *sqldb.DB) error) *sqldb.DB {
	t.Helper()
	return Engine{Dialect: sqldb.SQLite}.Migrated(t, migrate)
}
