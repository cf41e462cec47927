package sqlstore_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"io/fs"

	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/identity/storetest"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

func open(t *testing.T) identity.Store {
	t.Helper()
	db := sqltest.Open(t)
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return sqlstore.New(db)
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}

func TestQueries(t *testing.T) {
	t.Parallel()
	sqltest.CheckQueries(t, ".")
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	for range 2 {
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDialectsAgree compares the tables and columns of both dialects, names of types apart.
func TestDialectsAgree(t *testing.T) {
	t.Parallel()
	files, err := sqlstore.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	types := regexp.MustCompile(`BLOB|BYTEA|INTEGER PRIMARY KEY AUTOINCREMENT|BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY`)
	read := func(dialect string) string {
		names, err := fs.Glob(files, dialect+"/*.sql")
		if err != nil || len(names) == 0 {
			t.Fatalf("no migrations of %s: %v", dialect, err)
		}
		var all strings.Builder
		for _, n := range names {
			b, err := fs.ReadFile(files, n)
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString(strings.TrimPrefix(n, dialect) + "\n" + types.ReplaceAllString(string(b), "?"))
		}
		return all.String()
	}
	if read("sqlite") != read("postgres") {
		t.Error("the tables of SQLite and PostgreSQL differ in more than their types")
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	s := sqlstore.New(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Account(t.Context(), "example.org", "user1"); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("reading from a closed store: %v", err)
	}
	err = s.Write(t.Context(), func(identity.StoreWriter) error { return nil })
	if !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("writing to a closed store: %v", err)
	}
}
