package sqldb_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

func migrations(sql ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i, s := range sql {
		name := "0000" + string(rune('1'+i)) + "_step.sql"
		text := &fstest.MapFile{Data: []byte("-- +goose Up\n" + s + "\n")}
		fsys["migrations/sqlite/"+name], fsys["migrations/postgres/"+name] = text, text
	}
	return fsys
}

func TestMigrate(t *testing.T) { sqltest.Each(t, testMigrate) }

func testMigrate(t *testing.T, e sqltest.Engine) {
	t.Parallel()
	db := e.Open(t)
	ctx := t.Context()
	one := migrations("CREATE TABLE a (x INTEGER);")
	two := migrations("CREATE TABLE a (x INTEGER);", "ALTER TABLE a ADD COLUMN y TEXT;")
	for _, step := range []struct {
		name, module string
		fsys         fstest.MapFS
	}{
		{"new", "first", one},
		{"again", "first", one},
		{"further", "first", two},
		{"another module with the same numbers", "second", migrations("CREATE TABLE b (x INTEGER);")},
	} {
		if err := db.Migrate(ctx, step.module, step.fsys); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	// The writer, whose connection is older than the tables, sees them.
	if err := db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO a (x, y) SELECT max(version_id), 'y' FROM first_versions")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var x int
	if err := db.QueryRowContext(ctx, "SELECT x FROM a").Scan(&x); err != nil || x != 2 {
		t.Errorf("version %d, %v; want 2", x, err)
	}

	err := db.Migrate(ctx, "first", one)
	if !errors.Is(err, sqldb.ErrNewerSchema) {
		t.Fatalf("a newer schema: %v", err)
	}
	for _, want := range []string{"first", "version 2", "up to 1", "newer program", "restore the backup", db.Place()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

func TestMigrateFailure(t *testing.T) { sqltest.Each(t, testMigrateFailure) }

func testMigrateFailure(t *testing.T, e sqltest.Engine) {
	t.Parallel()
	db := e.Open(t)
	ctx := t.Context()
	err := db.Migrate(ctx, "m", migrations("CREATE TABLE a (x INTEGER);", "CREATE TABLE b (x INTEGER); CREATE nonsense;"))
	if err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Fatalf("got %v", err)
	}
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM a").Scan(&n); err != nil {
		t.Errorf("the file before the one that failed has left nothing: %v", err)
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM b").Scan(&n); err == nil {
		t.Error("the file that failed has left a table")
	}
	if err := db.Migrate(ctx, "m", migrations("CREATE TABLE a (x INTEGER);", "CREATE TABLE b (x INTEGER);")); err != nil {
		t.Errorf("the mended migration: %v", err)
	}
}

func TestMigrateRefuses(t *testing.T) { sqltest.Each(t, testMigrateRefuses) }

func testMigrateRefuses(t *testing.T, e sqltest.Engine) {
	t.Parallel()
	db := e.Open(t)
	for _, tt := range []struct {
		name, module string
		fsys         fstest.MapFS
	}{
		{"name", "a;b", migrations("SELECT 1;")},
		{"no files", "m", fstest.MapFS{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := db.Migrate(t.Context(), tt.module, tt.fsys); err == nil {
				t.Error("no error")
			}
		})
	}
}
