package sqlstore

import (
	"strings"
	"testing"

	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

// explain is how SQLite means to run a query, a line for each step.
func explain(t *testing.T, db *sqldb.DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if err := rows.Err(); err != nil || len(steps) == 0 {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
	return strings.Join(steps, "\n")
}

// TestAccountPlan holds that the query of every log-in reads by index and never a whole table.
func TestAccountPlan(t *testing.T) {
	t.Parallel()
	plan := explain(t, sqltest.Migrated(t, Migrate), accountByName, "example.org", "user1")
	if strings.HasPrefix(plan, "SCAN") || strings.Contains(plan, "\nSCAN") {
		t.Errorf("a whole table is read: %s", plan)
	}
}
