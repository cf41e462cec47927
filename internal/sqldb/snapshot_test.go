package sqldb_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

// snapshotOf is the snapshot of a store, opened.
func snapshotOf(t *testing.T, db *sqldb.DB, migrate func(context.Context, *sqldb.DB) error) (*sqldb.DB, sqldb.Contents) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "copy.db")
	if err := db.Snapshot(t.Context(), file, migrate, []string{"seed"}); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(file)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", st, err)
	}
	if _, err := os.Stat(file + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a log lies beside the copy: %v", err)
	}
	c, err := sqldb.CheckFile(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := sqldb.Open(t.Context(), "sqlite:"+file, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = copied.Close() })
	return copied, c
}

func TestSnapshot(t *testing.T) {
	migrate := func(ctx context.Context, db *sqldb.DB) error { return db.Migrate(ctx, "m", moveSchema) }
	at := time.Date(2026, 11, 21, 18, 0, 0, 123456000, time.UTC)
	for name, open := range map[string]func(t *testing.T) *sqldb.DB{
		"sqlite":   func(t *testing.T) *sqldb.DB { return sqltest.Migrated(t, migrate) },
		"postgres": func(t *testing.T) *sqldb.DB { return sqltest.Postgres(t).Migrated(t, migrate) },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
				for _, q := range []struct {
					text string
					args []any
				}{
					{"INSERT INTO things (id, yes, at, raw, name) VALUES (7, $1, $2, $3, $4)", []any{true, at, []byte{0, 255}, "ünïcode"}},
					{"INSERT INTO things (id, up, yes, name) VALUES (9, 7, $1, $2)", []any{false, "x"}},
					{"INSERT INTO a_parts (thing, note) VALUES (9, NULL), (7, 'y'), (7, 'z')", nil},
					{"DELETE FROM a_parts WHERE note = 'z'", nil}, // and no other shall have its number
					{"UPDATE seed SET value = 41", nil},
				} {
					if _, err := tx.ExecContext(t.Context(), q.text, q.args...); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			copied, c := snapshotOf(t, db, migrate)
			if c.Rows["things"] != 2 || c.Rows["a_parts"] != 2 || c.Rows["seed"] != 1 || c.Versions["m"] != 1 {
				t.Errorf("%+v", c)
			}
			var yes bool
			var when time.Time
			var raw []byte
			var text string
			if err := copied.QueryRowContext(t.Context(), "SELECT yes, at, raw, name FROM things WHERE id = 7").Scan(&yes, &when, &raw, &text); err != nil {
				t.Fatal(err)
			}
			if !yes || !when.Equal(at) || string(raw) != "\x00\xff" || text != "ünïcode" {
				t.Errorf("%v %v %q %q", yes, when, raw, text)
			}
			var seed, id int64
			if err := copied.QueryRowContext(t.Context(), "SELECT value FROM seed").Scan(&seed); err != nil || seed != 41 {
				t.Errorf("seed %d, %v", seed, err)
			}
			err = copied.Write(t.Context(), func(tx *sqldb.Tx) error {
				return tx.QueryRowContext(t.Context(), "INSERT INTO a_parts (thing) VALUES (7) RETURNING id").Scan(&id)
			})
			if err != nil || id != 4 {
				t.Errorf("the next number is %d, %v; 4 follows those that were given", id, err)
			}
		})
	}
}

// TestSnapshotWhileWriting takes a snapshot while others write pairs of rows: it has both of a pair or none.
func TestSnapshotWhileWriting(t *testing.T) {
	migrate := func(ctx context.Context, db *sqldb.DB) error { return db.Migrate(ctx, "m", moveSchema) }
	db := sqltest.Migrated(t, migrate)
	ctx, stop := context.WithCancel(t.Context())
	began := make(chan struct{})
	var wg sync.WaitGroup
	var longest time.Duration
	wg.Go(func() {
		for n := int64(0); ctx.Err() == nil; n += 2 {
			from := time.Now()
			err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
				_, err := tx.ExecContext(t.Context(), "INSERT INTO things (id, yes, name) VALUES ($1, FALSE, 'a'), ($2, TRUE, 'b')", n, n+1)
				return err
			})
			longest = max(longest, time.Since(from))
			if err != nil {
				t.Error(err)
				return
			}
			if n == 100 {
				close(began)
			}
		}
	})
	<-began
	copied, c := snapshotOf(t, db, migrate)
	stop()
	wg.Wait()
	var odd int64
	if err := copied.QueryRowContext(t.Context(), "SELECT count(*) FROM things WHERE yes").Scan(&odd); err != nil {
		t.Fatal(err)
	}
	if n := c.Rows["things"]; n < 100 || n%2 != 0 || odd*2 != n {
		t.Errorf("%d rows, %d of them seconds of a pair", n, odd)
	}
	t.Logf("the longest write took %v", longest)
}

func TestCheckFileFindsDamage(t *testing.T) {
	migrate := func(ctx context.Context, db *sqldb.DB) error { return db.Migrate(ctx, "m", moveSchema) }
	db := sqltest.Migrated(t, migrate)
	file := filepath.Join(t.TempDir(), "copy.db")
	if err := db.Snapshot(t.Context(), file, migrate, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Snapshot(t.Context(), file, migrate, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(b); i += 4096 {
		copy(b[i:], "rubbish rubbish rubbish")
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqldb.CheckFile(t.Context(), file); err == nil {
		t.Error("a damaged file is good")
	}
}
