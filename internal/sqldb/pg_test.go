package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trivium/internal/pgtest"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

// openPG opens a database of a server.
func openPG(t *testing.T, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(t.Context(), url, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// server starts a PostgreSQL with an empty database, and returns the URL of that.
func server(t *testing.T) (*pgtest.Server, string) {
	t.Helper()
	pg := pgtest.Start(t)
	if err := pg.Create(t.Context(), "store"); err != nil {
		t.Fatal(err)
	}
	return pg, pg.URL("store")
}

// While the server is away reads and writes say so, and the first ones after it is back succeed: no
// connection of the past stands in their way.
func TestServerGoesAndComes(t *testing.T) {
	pg, url := server(t)
	db := openPG(t, url)
	create(t, db)
	ctx := t.Context()
	write := func(name string) error {
		return db.Write(ctx, func(tx *sqldb.Tx) error { return insert(ctx, tx, name) })
	}
	read := func() (n int, err error) {
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM items").Scan(&n)
		return n, err
	}
	busy := func() { // so that several connections are there to break
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				var n int
				if err := db.QueryRowContext(ctx, "SELECT count(*) FROM items, pg_sleep(0.02)").Scan(&n); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	want := 0
	for _, how := range []struct {
		name string
		stop func(testing.TB)
	}{{"power", pg.Stop}, {"shutdown", pg.Shutdown}} {
		busy()
		how.stop(t)
		for range 3 {
			err := write("away")
			if !errors.Is(err, sqldb.ErrGone) || !strings.Contains(err.Error(), "cannot reach the PostgreSQL database store") {
				t.Errorf("%s: a write without a server: %v", how.name, err)
			}
			if _, err := read(); !errors.Is(err, sqldb.ErrGone) {
				t.Errorf("%s: a read without a server: %v", how.name, err)
			}
		}
		if err := pg.Start(ctx); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			want++
			if err := write(fmt.Sprint(want)); err != nil {
				t.Errorf("%s: the server is back: %v", how.name, err)
			}
			if n, err := read(); err != nil || n != want {
				t.Errorf("%s: %d rows, %v; want %d", how.name, n, err, want)
			}
		}
		busy()
		how.stop(t) // and where nobody has noticed that it went
		if err := pg.Start(ctx); err != nil {
			t.Fatal(err)
		}
		busy()
		want++
		if err := write(fmt.Sprint(want)); err != nil {
			t.Errorf("%s: after an absence that nobody saw: %v", how.name, err)
		}
	}
}

// What Write acknowledges is there, however often the server dies in the middle; what it refuses is there
// only where the error says that this is not known.
func TestServerDiesWhileWriting(t *testing.T) {
	pg, url := server(t)
	db := openPG(t, url)
	create(t, db)
	ctx := t.Context()
	var acked, refused, unsure sync.Map
	var done atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := w; ; n += 8 {
				select {
				case <-stop:
					return
				default:
				}
				name := strconv.Itoa(n)
				err := db.Write(ctx, func(tx *sqldb.Tx) error { return insert(ctx, tx, name) })
				switch {
				case err == nil:
					acked.Store(name, nil)
					done.Add(1)
				case strings.Contains(err.Error(), "may have been done or not"):
					unsure.Store(name, nil)
				case errors.Is(err, sqldb.ErrGone):
					refused.Store(name, nil)
				default:
					t.Errorf("write %s: %v", name, err)
				}
			}
		})
	}
	for range 5 {
		for from := done.Load(); done.Load() < from+200; {
			runtime.Gosched()
		}
		pg.Stop(t)
		if err := pg.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	there := map[string]bool{}
	rows, err := sqldb.All(func(r sqldb.Scanner) (s string, err error) { err = r.Scan(&s); return s, err })(db.QueryContext(ctx, "SELECT name FROM items"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rows {
		there[name] = true
	}
	acked.Range(func(k, _ any) bool {
		if !there[k.(string)] {
			t.Errorf("write %s was acknowledged and is not there", k)
		}
		return true
	})
	refused.Range(func(k, _ any) bool {
		if there[k.(string)] {
			t.Errorf("write %s was refused and is there", k)
		}
		return true
	})
}

// A connection that breaks in the middle of a group of writes takes all of it along, and each hears of it.
func TestConnectionBreaksInTheMiddle(t *testing.T) {
	db := sqltest.Postgres(t).Open(t)
	create(t, db)
	ctx := t.Context()
	entered, leave := make(chan struct{}), make(chan struct{})
	innocent, guilty := make(chan error, 1), make(chan error, 1)
	go func() {
		innocent <- db.Write(ctx, func(tx *sqldb.Tx) error {
			close(entered)
			<-leave
			return insert(ctx, tx, "innocent")
		})
	}()
	<-entered
	go func() {
		guilty <- db.Write(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
			_ = insert(ctx, tx, "after")
			return err
		})
	}()
	for db.Queued() < 1 {
		runtime.Gosched()
	}
	close(leave)
	if err := <-guilty; !errors.Is(err, sqldb.ErrGone) {
		t.Errorf("the guilty caller got %v", err)
	}
	if err := <-innocent; err == nil {
		t.Error("a write that was rolled back was acknowledged")
	}
	if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insert(ctx, tx, "next") }); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// An error that the function does not hand on still undoes its part; what was tried does not.
func TestSwallowedErrors(t *testing.T) { sqltest.Each(t, testSwallowedErrors) }

func testSwallowedErrors(t *testing.T, e sqltest.Engine) {
	db := e.Open(t)
	create(t, db)
	ctx := t.Context()
	err := db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := insert(ctx, tx, "a"); err != nil {
			return err
		}
		for range 2 {
			_, err := tx.TryContext(ctx, "INSERT INTO items (name) VALUES ($1)", "a")
			if !sqldb.IsUnique(err) {
				t.Errorf("the same name again: %v", err)
			}
			res, err := tx.TryContext(ctx, "UPDATE items SET name = $1", "b")
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n != 1 {
				t.Errorf("%d rows changed, %v", n, err)
			}
			if _, err = tx.TryContext(ctx, "UPDATE items SET name = $1", "a"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || count(t, db) != 1 {
		t.Errorf("a write that went on: %v", err)
	}
	if e.Dialect == sqldb.SQLite {
		return
	}
	for name, fn := range map[string]func(tx *sqldb.Tx) error{
		"a statement": func(tx *sqldb.Tx) error { _ = insert(ctx, tx, "a"); return nil },
		"a row":       func(tx *sqldb.Tx) error { var n int; _ = tx.QueryRowContext(ctx, "SELECT 1/0").Scan(&n); return nil },
		"and goes on": func(tx *sqldb.Tx) error { _ = insert(ctx, tx, "a"); _ = insert(ctx, tx, "c"); return nil },
	} {
		if err := db.Write(ctx, fn); err == nil {
			t.Errorf("%s failed, and the write was acknowledged", name)
		}
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// Text that PostgreSQL cannot have is found nowhere, and written as what it can have.
func TestTextThatDoesNotFit(t *testing.T) {
	db := sqltest.Postgres(t).Open(t)
	create(t, db)
	ctx := t.Context()
	for _, text := range []string{"a\x00b", "a\xffb"} {
		err := db.Write(ctx, func(tx *sqldb.Tx) error {
			if _, err := tx.ExecContext(ctx, "DELETE FROM items"); err != nil {
				return err
			}
			if err := insert(ctx, tx, text); err != nil {
				return err
			}
			_, err := tx.TryContext(ctx, "INSERT INTO items (name) VALUES ($1)", text+text)
			return err
		})
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		var n int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM items WHERE name IN ($1, $2)", "a\ufffdb", "a\ufffdba\ufffdb").Scan(&n); err != nil || n != 2 {
			t.Errorf("%q: %d rows, %v", text, n, err)
		}
	}
}

// Two processes number what they change in the order of their commits: whoever sees a number has seen
// all below it.
func TestProcessesWriteOneAfterTheOther(t *testing.T) {
	url := sqltest.Postgres(t).URL(t)
	first, second := openPG(t, url), openPG(t, url)
	ctx := t.Context()
	err := first.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE counter (value BIGINT NOT NULL); CREATE TABLE changes (seq BIGINT NOT NULL); INSERT INTO counter VALUES (0)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	const each = 150
	var wg sync.WaitGroup
	for _, db := range []*sqldb.DB{first, second} {
		for range 4 {
			wg.Go(func() {
				for range each {
					if err := db.Write(ctx, func(tx *sqldb.Tx) error {
						_, err := tx.ExecContext(ctx, "WITH c AS (SELECT value + 1 AS next FROM counter), u AS (UPDATE counter SET value = value + 1) INSERT INTO changes SELECT next FROM c")
						return err
					}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	all := make(chan struct{})
	go func() { wg.Wait(); close(all) }()
	for over := false; !over; {
		select {
		case <-all:
			over = true
		default:
		}
		var n, highest int
		if err := first.QueryRowContext(ctx, "SELECT count(*), COALESCE(max(seq), 0) FROM changes").Scan(&n, &highest); err != nil || n != highest {
			t.Fatalf("%d changes, the highest is %d, %v", n, highest, err)
		}
		if over && n != 8*each {
			t.Errorf("%d changes, want %d", n, 8*each)
		}
	}
}

func TestAlone(t *testing.T) {
	url := sqltest.Postgres(t).URL(t)
	ctx := t.Context()
	first, err := sqldb.Open(ctx, url, discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Alone(ctx); err != nil {
		t.Fatal(err)
	}
	second := openPG(t, url)
	if err := second.Alone(ctx); !errors.Is(err, sqldb.ErrInUse) || !strings.Contains(err.Error(), "stop the other") {
		t.Fatalf("a second process: %v", err)
	}
	// The connection that holds it breaks, and is the same process's again, which the server may not yet know.
	backend := func(db *sqldb.DB) (pid int) {
		t.Helper()
		if err := db.Write(ctx, func(tx *sqldb.Tx) error {
			return tx.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid)
		}); err != nil {
			t.Fatal(err)
		}
		return pid
	}
	kill := func(pid int) {
		t.Helper()
		if err := second.Write(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(ctx, "SELECT pg_terminate_backend($1)", pid)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	before := backend(first)
	kill(before)
	after := backend(first)
	if after == before {
		t.Error("the connection was not broken")
	}
	// Where the other was faster, it has it.
	fast := make(chan error, 1)
	go func() { fast <- second.Alone(ctx) }()
	kill(after)
	if err := <-fast; err == nil {
		if err := first.Write(ctx, func(*sqldb.Tx) error { return nil }); !errors.Is(err, sqldb.ErrInUse) {
			t.Errorf("the first writes beside the second: %v", err)
		}
	} else if backend(first); !errors.Is(err, sqldb.ErrInUse) {
		t.Errorf("the second: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := second.Alone(ctx); err != nil {
		t.Errorf("after the first has gone: %v", err)
	}
}

func TestMigrateTogether(t *testing.T) {
	url := sqltest.Postgres(t).URL(t)
	var wg sync.WaitGroup
	for range 4 {
		db := openPG(t, url)
		wg.Go(func() {
			if err := db.Migrate(t.Context(), "m", migrations("CREATE TABLE a (x BIGINT);", "ALTER TABLE a ADD COLUMN y TEXT;", "SELECT pg_sleep(0.1);")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestServerIsRefused(t *testing.T) {
	pg, url := server(t)
	ctx := t.Context()
	if err := pg.Exec(ctx, "postgres",
		"CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
		"CREATE ROLE guest LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
		"ALTER DATABASE store CONNECTION LIMIT -1"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, url, want string }{
		{"encoding", pg.URL("latin"), "has the encoding LATIN1"},
		{"no database", pg.URL("none"), "createdb --owner=trivium"},
		{"no role", strings.Replace(url, "trivium@", "nobody:pw@", 1), "does not let in the role"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db, err := sqldb.Open(ctx, tt.url, discard())
			if err == nil {
				t.Fatal(errors.Join(errors.New("opened"), db.Close()))
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "pw") {
				t.Errorf("error %q, want one with %q", err, tt.want)
			}
		})
	}
	db := openPG(t, strings.Replace(url, "trivium@", "guest@", 1))
	if err := db.Migrate(ctx, "m", migrations("CREATE TABLE a (x BIGINT);")); err == nil || !strings.Contains(err.Error(), "OWNER TO guest") && !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a role without rights: %v", err)
	}
	if _, err := db.QueryContext(ctx, "CREATE TABLE x (a BIGINT)"); err == nil {
		t.Error("a read connection could write")
	}
}

// A server that accepts and says nothing is given up.
func TestServerIsSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(io.Discard, c) // until the other side gives up
				_ = c.Close()
			})
		}
	})
	defer wg.Wait()
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = sqldb.Open(ctx, "postgres://u:pw@"+l.Addr().String()+"/db", discard())
	if err == nil || strings.Contains(err.Error(), "pw") {
		t.Errorf("got %v", err)
	}
}

// A password is taken from where PGPASSFILE says, and a remote server must prove who it is.
func TestURLOfPostgres(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	t.Setenv("PGPASSFILE", filepath.Join(t.TempDir(), "none"))
	for _, tt := range []struct {
		url string
		tls bool
	}{
		{"postgres://u@db.example.org/db", true},
		{"postgresql://u@192.0.2.1:5433/db", true},
		{"postgres://u@db.example.org/db?sslmode=disable", false},
		{"postgres://u@/db?host=/run/postgresql", false},
	} {
		c, err := sqldb.PostgresConfig(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		verified := c.TLSConfig != nil && !c.TLSConfig.InsecureSkipVerify && c.TLSConfig.ServerName != ""
		plain := c.TLSConfig == nil
		for _, f := range c.Fallbacks {
			plain = plain || f.TLSConfig == nil
		}
		if verified != tt.tls || plain == tt.tls {
			t.Errorf("%s: verified %v, plain %v", tt.url, verified, plain)
		}
	}
}

func FuzzURLOfPostgres(f *testing.F) {
	for _, s := range []string{"h/db", "h:5432/db?sslmode=require", "/db?host=/run", "h,g:1/db", "[::1]/db", "%zz", "h/db?password=x", "h/db?sslmode=x&sslrootcert=/none"} {
		f.Add(s)
	}
	const secret = "s3cr3t-of-the-role"
	f.Fuzz(func(t *testing.T, rest string) {
		_, err := sqldb.PostgresConfig("postgres://u:" + secret + "@" + rest)
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error of %q has the password: %v", rest, err)
		}
		_, err = sqldb.PostgresConfig("postgres://h/db?password=" + url.QueryEscape(secret) + "&" + rest)
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error of %q has the password: %v", rest, err)
		}
	})
}
