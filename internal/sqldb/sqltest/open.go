package sqltest

import (
	"testing"

	"trivium/internal/sqldb"
)

// Open opens an empty SQLite store in t.TempDir and closes it when the test ends.
func Open(t testing.TB) *sqldb.DB {
	t.Helper()
	return Engine{Dialect: sqldb.SQLite}.Open(t)
}

// Migrated is Open with the tables that each of migrate makes, as [Engine.Migrated] has it.
func Migrated(t testing.TB, migrate ...Migrate) *sqldb.DB {
	t.Helper()
	return Engine{Dialect: sqldb.SQLite}.Migrated(t, migrate...)
}
