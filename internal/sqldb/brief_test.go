package sqldb_test

import (
	"context"
	"errors"
	"testing"

	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

// TestBrief: a context that is over stops a brief query before it begins, and nothing does later.
func TestBrief(t *testing.T) { sqltest.Each(t, testBrief) }

func testBrief(t *testing.T, e sqltest.Engine) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	brief := sqldb.Brief(ctx)
	if brief.Done() != nil || brief.Value(key{}) != "v" {
		t.Error("a brief context can end, or has lost what it carries")
	}
	db := e.Open(t)
	var n int
	if err := db.QueryRowContext(ctx, "SELECT 1").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	cancel()
	if brief.Err() != nil {
		t.Error("it ended after all")
	}
	if err := db.QueryRowContext(ctx, "SELECT 1").Scan(&n); !errors.Is(err, context.Canceled) {
		t.Errorf("a query for nobody: %v", err)
	}
	if rows, err := db.QueryContext(sqldb.Brief(ctx), "SELECT 1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a query for nobody: %v", err)
		if err == nil {
			_ = rows.Close()
		}
	}
}
