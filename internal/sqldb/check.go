package sqldb

import (
	"context"
	"fmt"
	"strings"
)

// Check asks the engine whether its files are whole: PRAGMA quick_check of SQLite; of PostgreSQL, which
// looks after its own, that it answers. It returns the engine with its version.
func (db *DB) Check(ctx context.Context) (engine string, err error) {
	if db.Dialect() == Postgres {
		err := db.read.QueryRowContext(ctx, "SHOW server_version").Scan(&engine)
		return "PostgreSQL " + engine, err
	}
	if err := db.read.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&engine); err != nil {
		return "SQLite", err
	}
	rows, err := db.read.QueryContext(ctx, "PRAGMA quick_check(20)")
	if err != nil {
		return "SQLite " + engine, err
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	var found []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "SQLite " + engine, err
		}
		if line != "ok" {
			found = append(found, line)
		}
	}
	if err := rows.Err(); err != nil {
		return "SQLite " + engine, err
	}
	if len(found) > 0 {
		return "SQLite " + engine, fmt.Errorf("the database is damaged: %s", strings.Join(found, "; "))
	}
	return "SQLite " + engine, nil
}
