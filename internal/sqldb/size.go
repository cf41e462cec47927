package sqldb

import (
	"context"
	"fmt"
)

// Size is the engine with its version, and how many bytes the database takes there.
func (db *DB) Size(ctx context.Context) (engine string, bytes int64, err error) {
	name, version, size := "SQLite", "SELECT sqlite_version()", "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if db.Dialect() == Postgres {
		name, version, size = "PostgreSQL", "SHOW server_version", "SELECT pg_database_size(current_database())"
	}
	if err := db.read.QueryRowContext(ctx, version).Scan(&engine); err != nil {
		return name, 0, fmt.Errorf("asking for the engine's version: %w", err)
	}
	if err := db.read.QueryRowContext(ctx, size).Scan(&bytes); err != nil {
		return name + " " + engine, 0, fmt.Errorf("asking for the size of the database: %w", err)
	}
	return name + " " + engine, bytes, nil
}
