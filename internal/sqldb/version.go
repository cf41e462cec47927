package sqldb

import (
	"context"
	"fmt"
)

// Engine is the engine with its version.
func (db *DB) Engine(ctx context.Context) (string, error) {
	name, query := "SQLite", "SELECT sqlite_version()"
	if db.Dialect() == Postgres {
		name, query = "PostgreSQL", "SHOW server_version"
	}
	var version string
	if err := db.QueryRowContext(ctx, query).Scan(&version); err != nil {
		return name, fmt.Errorf("asking for the engine's version: %w", err)
	}
	return name + " " + version, nil
}
