package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"trivium/internal/pgtest"
	"trivium/internal/sqldb"
)

// Engine makes stores of one kind.
type Engine struct {
	Dialect sqldb.Dialect
	server  *sharedPG // nil: SQLite
	readers int
}

// Each runs fn on each engine in a subtest of its name. Where no PostgreSQL is installed that one is
// skipped.
func Each(t *testing.T, fn func(t *testing.T, e Engine)) {
	t.Helper()
	t.Run(string(sqldb.SQLite), func(t *testing.T) { fn(t, Engine{Dialect: sqldb.SQLite}) })
	t.Run(string(sqldb.Postgres), func(t *testing.T) { fn(t, Postgres(t)) })
}

// EachBench is Each for a benchmark. With TEST_PG_FSYNC=on in the environment the PostgreSQL server waits for
// its disk, as SQLite does here.
func EachBench(b *testing.B, fn func(b *testing.B, e Engine)) {
	b.Helper()
	b.Run(string(sqldb.SQLite), func(b *testing.B) { fn(b, Engine{Dialect: sqldb.SQLite}) })
	b.Run(string(sqldb.Postgres), func(b *testing.B) {
		e := Postgres(b)
		e.readers = benchReaders
		fn(b, e)
	})
}

// benchReaders is what a store has where nobody says.
const benchReaders = 8

// Postgres is the engine PostgreSQL, on a server that all tests of the binary share. It skips the test
// where none is installed.
func Postgres(t testing.TB) Engine {
	t.Helper()
	s, err := shared()
	if errors.Is(err, pgtest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("starting PostgreSQL: %v", err)
	}
	return Engine{sqldb.Postgres, s, pgReaders}
}

// sharedPG is a server with the databases of many tests.
type sharedPG struct {
	*pgtest.Server
	mu        sync.Mutex // guards what follows
	count     int
	templates map[string]string // by the name of what migrates: a database that it has migrated
}

// shared starts the one server of this binary, when a test first asks for it.
var shared = sync.OnceValues(func() (*sharedPG, error) {
	pg, err := pgtest.New()
	if err != nil {
		return nil, err
	}
	return &sharedPG{Server: pg, templates: map[string]string{}}, pg.Start(context.Background())
})

// URL is that of an empty store which goes with the test.
func (e Engine) URL(t testing.TB) string {
	t.Helper()
	if e.server == nil {
		return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	}
	return e.server.fresh(t, "")
}

// fresh makes a database as template is, or an empty one, and removes it with the test.
func (s *sharedPG) fresh(t testing.TB, template string) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	name := fmt.Sprintf("test%d", s.count)
	var err error
	if template == "" {
		err = s.Create(context.Background(), name)
	} else {
		err = s.Exec(context.Background(), "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Exec(context.Background(), "postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return s.Server.URL(name)
}

// Open opens an empty store, which is closed and removed with the test.
func (e Engine) Open(t testing.TB) *sqldb.DB {
	t.Helper()
	return e.open(t, e.URL(t))
}

func (e Engine) open(t testing.TB, url string) *sqldb.DB {
	t.Helper()
	if e.server != nil {
		url += fmt.Sprintf("&pool_max_conns=%d", e.readers)
	}
	db, err := sqldb.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("opening the test store: %v", err)
	}
	t.Cleanup(func() {
		if e.server != nil && e.readers == pgReaders {
			checkWidths(t, db)
		}
		if err := db.Close(); err != nil {
			t.Errorf("closing the test store: %v", err)
		}
	})
	return db
}

// Migrated is Open with the tables that each of migrate makes, which are the Migrate of packages' stores. They
// are made once for all tests of the binary; each test has a copy.
func (e Engine) Migrated(t testing.TB, migrate ...Migrate) *sqldb.DB {
	t.Helper()
	if e.server != nil {
		return e.open(t, e.server.fresh(t, e.server.template(t, migrate)))
	}
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, liteTemplate(t, migrate), 0o600); err != nil {
		t.Fatalf("copying the test store: %v", err)
	}
	return e.open(t, "sqlite:"+path)
}

// template is a database that migrate has been run on, once for all tests.
func (s *sharedPG) template(t testing.TB, migrate []Migrate) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	by := names(migrate)
	if name := s.templates[by]; name != "" {
		return name
	}
	name := fmt.Sprintf("template%d", len(s.templates)+2)
	if err := s.Create(context.Background(), name); err != nil {
		t.Fatalf("making a test store: %v", err)
	}
	migrateAll(t, s.Server.URL(name), migrate)
	s.templates[by] = name
	return name
}

// pgReaders is few, so that the statements of all connections can be looked at.
const pgReaders = 3

// checkWidths fails where a statement of the test has a parameter that PostgreSQL takes for a number of
// 32 bits, such as $1 in "$1 = 0 OR at > $1": larger ones would be refused, and a cast is missing.
func checkWidths(t testing.TB, db *sqldb.DB) {
	t.Helper()
	ctx := context.Background()
	// The last row is never read past, so that the rows stay open and the next look goes to another
	// connection.
	const kept = `SELECT statement FROM pg_prepared_statements WHERE 'integer'::regtype = ANY (parameter_types) UNION ALL SELECT ''`
	look := func(q sqldb.Querier) (*sql.Rows, error) {
		rows, err := q.QueryContext(ctx, kept)
		for text := "more"; err == nil && text != "" && rows.Next(); {
			if err = rows.Scan(&text); text != "" && err == nil {
				t.Errorf("PostgreSQL takes a parameter of this statement for 32 bits: %s", strings.Join(strings.Fields(text), " "))
			}
		}
		return rows, err
	}
	err := db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := look(tx) // the rows are closed with it
		return err
	})
	if errors.Is(err, sqldb.ErrClosed) || errors.Is(err, sqldb.ErrGone) {
		return
	}
	for range pgReaders {
		if err != nil {
			t.Error(err)
			return
		}
		var rows *sql.Rows
		if rows, err = look(db); err == nil {
			defer func() { _ = rows.Close() }()
		}
	}
}
