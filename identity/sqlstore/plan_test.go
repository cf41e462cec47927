package sqlstore

import (
	"strings"
	"testing"

	"trivium/internal/sqldb/sqltest"
)

// TestAccountPlan holds that the query of every log-in reads by index and never a whole table.
func TestAccountPlan(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	if err := Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+accountByName, "example.org", "user1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	steps := 0
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps++
		if strings.HasPrefix(detail, "SCAN") {
			t.Errorf("a whole table is read: %s", detail)
		}
	}
	if err := rows.Err(); err != nil || steps == 0 {
		t.Fatalf("%d steps, %v", steps, err)
	}
}
