package sqlstore_test

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"trivium/files"
	"trivium/files/sqlstore"
	"trivium/files/storetest"
	"trivium/internal/sqldb/sqltest"
)

func open(t *testing.T) *sqlstore.Store {
	t.Helper()
	db := sqltest.Open(t)
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return sqlstore.New(db)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	storetest.Usage(t, func(t *testing.T) files.UsageStore { return open(t) })
}

func TestSums(t *testing.T) {
	t.Parallel()
	storetest.Sums(t, func(t *testing.T) files.SumStore { return open(t) })
}

func TestBin(t *testing.T) {
	t.Parallel()
	storetest.Bin(t, func(t *testing.T) files.BinStore { return open(t) })
}

func TestQueries(t *testing.T) {
	t.Parallel()
	sqltest.CheckQueries(t, ".")
}

// TestDialectsAgree compares the tables and columns of both dialects, names of types apart.
func TestDialectsAgree(t *testing.T) {
	t.Parallel()
	all, err := sqlstore.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	types := regexp.MustCompile(`BLOB|BYTEA|TIMESTAMPTZ|TIMESTAMP|INTEGER PRIMARY KEY AUTOINCREMENT|BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY| COLLATE "C"`)
	read := func(dialect string) string {
		names, err := fs.Glob(all, dialect+"/*.sql")
		if err != nil || len(names) == 0 {
			t.Fatalf("no migrations of %s: %v", dialect, err)
		}
		var text strings.Builder
		for _, n := range names {
			b, err := fs.ReadFile(all, n)
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(strings.TrimPrefix(n, dialect) + "\n" + types.ReplaceAllStringFunc(string(b), func(s string) string {
				if strings.HasPrefix(s, " COLLATE") {
					return ""
				}
				return "?"
			}))
		}
		return text.String()
	}
	if read("sqlite") != read("postgres") {
		t.Error("the tables of SQLite and PostgreSQL differ in more than their types")
	}
}
