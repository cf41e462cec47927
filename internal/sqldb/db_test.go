package sqldb_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SQLDB_TEST_CHILD"); dir != "" {
		writeUntilKilled(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, url, want string }{
		{"empty", "", "is empty"},
		{"postgres", "postgres://u:pw@h/db", "PostgreSQL"},
		{"unknown", "mysql://u:pw@h/db", "no known kind"},
		{"no file", "sqlite:", "names no file"},
		{"memory", "sqlite::memory:", "in memory"},
		{"parameters", "sqlite:/a.db?mode=ro", "parameters"},
		{"no folder", "sqlite:" + filepath.Join(dir, "none", "a.db"), "folder does not exist"},
		{"another kind of file", "sqlite:" + text, "not an SQLite database"},
		{"a folder", "sqlite:" + dir, "is a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db, err := sqldb.Open(t.Context(), tt.url, discard())
			if err == nil {
				t.Fatal(errors.Join(errors.New("opened"), db.Close()))
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "pw") {
				t.Errorf("error %q, want one with %q and without the password", err, tt.want)
			}
		})
	}
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	// Characters that mean something in SQLite's URI names must stay part of the name.
	path := filepath.Join(t.TempDir(), "a b#c%20d&é.db")
	db, err := sqldb.Open(t.Context(), "sqlite:"+path, discard())
	if err != nil {
		t.Fatal(err)
	}
	create(t, db)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		st, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(path+suffix), st.Mode())
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the write-ahead log is still there after Close: %v", err)
	}
	if err := db.Write(t.Context(), func(*sqldb.Tx) error { return nil }); !errors.Is(err, sqldb.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
}

func TestSettings(t *testing.T) {
	db := sqltest.Open(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "0"} {
		t.Run(pragma, func(t *testing.T) {
			var got string
			err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
				return tx.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got)
			})
			if err != nil || got != want {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
		})
	}
	if _, err := db.QueryContext(t.Context(), "CREATE TABLE x (a)"); err == nil {
		t.Error("a read connection could write")
	}
}

// create makes the tables of the tests.
func create(t testing.TB, db *sqldb.DB) {
	t.Helper()
	err := db.Write(context.Background(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(context.Background(), `
			CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
			CREATE TABLE parts (id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items (id));`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, db *sqldb.DB) (n int) {
	t.Helper()
	if err := db.QueryRowContext(context.Background(), "SELECT count(*) FROM items").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func insert(ctx context.Context, tx *sqldb.Tx, name string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO items (name) VALUES ($1)", name)
	return err
}

func TestConstraints(t *testing.T) {
	db := sqltest.Open(t)
	create(t, db)
	ctx := t.Context()
	for _, tt := range []struct {
		name, query     string
		unique, foreign bool
	}{
		{"first", "INSERT INTO items (id, name) VALUES (1, 'a')", false, false},
		{"same name", "INSERT INTO items (id, name) VALUES (2, 'a')", true, false},
		{"same key", "INSERT INTO items (id, name) VALUES (1, 'b')", true, false},
		{"no such item", "INSERT INTO parts (item) VALUES (7)", false, true},
		{"null", "INSERT INTO items (name) VALUES (NULL)", false, false},
		{"syntax", "INSERT nonsense", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := db.Write(ctx, func(tx *sqldb.Tx) error {
				_, err := tx.ExecContext(ctx, tt.query)
				return err
			})
			if sqldb.IsUnique(err) != tt.unique || sqldb.IsForeign(err) != tt.foreign {
				t.Errorf("IsUnique %v, IsForeign %v for %v", sqldb.IsUnique(err), sqldb.IsForeign(err), err)
			}
		})
	}
}
