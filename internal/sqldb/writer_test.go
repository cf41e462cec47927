package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

// hold occupies the writer until the function it answers is called.
func hold(t *testing.T, db *sqldb.DB) (release func()) {
	t.Helper()
	entered, leave, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		left <- db.Write(context.Background(), func(*sqldb.Tx) error {
			close(entered)
			<-leave
			return nil
		})
	}()
	<-entered
	return func() {
		t.Helper()
		close(leave)
		if err := <-left; err != nil {
			t.Errorf("the holding write: %v", err)
		}
	}
}

func TestWritesAreGrouped(t *testing.T) { sqltest.Each(t, testWritesAreGrouped) }

func testWritesAreGrouped(t *testing.T, e sqltest.Engine) {
	db := e.Open(t)
	create(t, db)
	before := db.Commits()
	const writers, each = 64, 20
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				if err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
					return insert(t.Context(), tx, fmt.Sprint(i, " ", j))
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, db); n != writers*each {
		t.Errorf("%d rows, want %d", n, writers*each)
	}
	if commits := db.Commits() - before; commits > writers*each/4 {
		t.Errorf("%d commits for %d writes", commits, writers*each)
	}
}

func TestOneCallerHurtsNoOther(t *testing.T) { sqltest.Each(t, testOneCallerHurtsNoOther) }

func testOneCallerHurtsNoOther(t *testing.T, e sqltest.Engine) {
	errOwn := errors.New("own")
	ctx := context.Background()
	for _, tt := range []struct {
		name string
		fn   func(tx *sqldb.Tx) error
		want func(err error) bool
	}{
		{"error", func(tx *sqldb.Tx) error { return errOwn }, func(err error) bool { return errors.Is(err, errOwn) }},
		{"constraint", func(tx *sqldb.Tx) error { return insert(ctx, tx, "bad") }, sqldb.IsUnique},
		{"panic", func(tx *sqldb.Tx) error { panic(errOwn) }, func(err error) bool {
			var p *sqldb.PanicError
			return errors.As(err, &p) && errors.Is(err, errOwn) && strings.Contains(string(p.Stack), "OneCallerHurtsNoOther")
		}},
		{"commit from inside", func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(ctx, " commit")
			return err
		}, func(err error) bool { return errors.Is(err, sqldb.ErrTxControl) }},
		{"rollback through a row, error ignored", func(tx *sqldb.Tx) error {
			_ = tx.QueryRowContext(ctx, "ROLLBACK").Scan()
			return nil
		}, func(err error) bool { return errors.Is(err, sqldb.ErrTxControl) }},
		{"cancelled inside", func(tx *sqldb.Tx) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return insert(ctx, tx, "never")
		}, func(err error) bool { return errors.Is(err, context.Canceled) }},
		{"rows left open", func(tx *sqldb.Tx) error {
			rows, err := tx.QueryContext(ctx, "INSERT INTO items (name) VALUES ('x'), ('y') RETURNING id")
			if err != nil {
				return err
			}
			rows.Next()
			tx.QueryRowContext(ctx, "INSERT INTO items (name) VALUES ('z') RETURNING id")
			return errOwn
		}, func(err error) bool { return errors.Is(err, errOwn) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := e.Open(t)
			create(t, db)
			release := hold(t, db)
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insert(ctx, tx, fmt.Sprint("good", i)) }); err != nil {
						t.Errorf("another caller got %v", err)
					}
				})
				if i == 5 {
					wg.Go(func() {
						err := db.Write(ctx, func(tx *sqldb.Tx) error {
							if err := insert(ctx, tx, "bad"); err != nil {
								return err
							}
							return tt.fn(tx)
						})
						if !tt.want(err) {
							t.Errorf("the bad caller got %v", err)
						}
					})
				}
			}
			for db.Queued() < 11 {
				runtime.Gosched()
			}
			before := db.Commits()
			release()
			wg.Wait()
			if n := count(t, db); n != 10 {
				t.Errorf("%d rows, want 10", n)
			}
			if n := db.Commits() - before; n != 1 {
				t.Errorf("%d commits, want one for all: the test did not mix them", n)
			}
		})
	}
}

// A transaction that the engine itself rolls back takes all its callers with it, and each of them
// hears of it; the next one works.
func TestLostTransaction(t *testing.T) {
	db := sqltest.Open(t)
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
			_, err := tx.ExecContext(ctx, "INSERT OR ROLLBACK INTO items (id, name) VALUES (1, 'a'), (1, 'b')")
			return err
		})
	}()
	for db.Queued() < 1 {
		runtime.Gosched()
	}
	close(leave)
	if err := <-guilty; !sqldb.IsUnique(err) {
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

func TestGoexitEndsNotTheWriter(t *testing.T) { sqltest.Each(t, testGoexitEndsNotTheWriter) }

func testGoexitEndsNotTheWriter(t *testing.T, e sqltest.Engine) {
	db := e.Open(t)
	create(t, db)
	ctx := t.Context()
	err := db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := insert(ctx, tx, "never"); err != nil {
			return err
		}
		runtime.Goexit()
		return nil
	})
	if err == nil {
		t.Error("a write that never returned was acknowledged")
	}
	if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insert(ctx, tx, "next") }); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestTxIsOverAfterItsFunction(t *testing.T) { sqltest.Each(t, testTxIsOverAfterItsFunction) }

func testTxIsOverAfterItsFunction(t *testing.T, e sqltest.Engine) {
	db := e.Open(t)
	create(t, db)
	ctx := t.Context()
	var kept *sqldb.Tx
	if err := db.Write(ctx, func(tx *sqldb.Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := insert(ctx, kept, "late"); !errors.Is(err, sqldb.ErrTxDone) {
		t.Errorf("Exec: %v", err)
	}
	if _, err := kept.QueryContext(ctx, "SELECT 1"); !errors.Is(err, sqldb.ErrTxDone) {
		t.Errorf("Query: %v", err)
	}
	var n int
	if err := kept.QueryRowContext(ctx, "SELECT 1").Scan(&n); err == nil {
		t.Error("QueryRow gave a row")
	}
}

// The same query twice at once must not share one statement.
func TestNestedQueries(t *testing.T) { sqltest.Each(t, testNestedQueries) }

func testNestedQueries(t *testing.T, e sqltest.Engine) {
	db := e.Open(t)
	create(t, db)
	ctx := t.Context()
	err := db.Write(ctx, func(tx *sqldb.Tx) error {
		for i := range 3 {
			if err := insert(ctx, tx, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		const query = "SELECT id FROM items ORDER BY id"
		outer, err := tx.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer outer.Close()
		var seen []string
		for outer.Next() {
			var a, b int
			if err := outer.Scan(&a); err != nil {
				return err
			}
			if err := tx.QueryRowContext(ctx, query).Scan(&b); err != nil {
				return err
			}
			seen = append(seen, fmt.Sprint(a, b))
		}
		if got := strings.Join(seen, ","); got != "1 1,2 1,3 1" {
			t.Errorf("saw %s", got)
		}
		return outer.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFullQueueBlocksUntilContextEnds(t *testing.T) {
	sqltest.Each(t, testFullQueueBlocksUntilContextEnds)
}

func testFullQueueBlocksUntilContextEnds(t *testing.T, e sqltest.Engine) {
	db := e.Open(t)
	release := hold(t, db)
	var wg sync.WaitGroup
	for range sqldb.QueueLen {
		wg.Go(func() {
			if err := db.Write(context.Background(), func(*sqldb.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	for db.Queued() < sqldb.QueueLen {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	go func() { got <- db.Write(ctx, func(*sqldb.Tx) error { return nil }) }()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	wg.Wait()
}

func TestCloseRunsWhatIsQueued(t *testing.T) { sqltest.Each(t, testCloseRunsWhatIsQueued) }

func testCloseRunsWhatIsQueued(t *testing.T, e sqltest.Engine) {
	url := e.URL(t)
	db, err := sqldb.Open(t.Context(), url, discard())
	if err != nil {
		t.Fatal(err)
	}
	create(t, db)
	release := hold(t, db)
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			if err := db.Write(context.Background(), func(tx *sqldb.Tx) error {
				return insert(context.Background(), tx, fmt.Sprint(i))
			}); err != nil {
				t.Error(err)
			}
		})
	}
	for db.Queued() < 300 {
		runtime.Gosched()
	}
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	release()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if db, err = sqldb.Open(t.Context(), url, discard()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 300 {
		t.Errorf("%d rows, want 300", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkWrite is one durable insert from 1 and from 64 callers at once.
func BenchmarkWrite(b *testing.B) { sqltest.EachBench(b, benchmarkWrite) }

func benchmarkWrite(b *testing.B, e sqltest.Engine) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			db := e.Open(b)
			create(b, db)
			ctx := context.Background()
			before := db.Commits()
			work := make(chan int)
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for i := range work {
						if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insert(ctx, tx, fmt.Sprint("item ", i)) }); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := range b.N {
				work <- i
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(db.Commits()-before)/float64(b.N), "commits/op")
		})
	}
}

func TestWithdrawnWhileQueued(t *testing.T) { sqltest.Each(t, testWithdrawnWhileQueued) }

func testWithdrawnWhileQueued(t *testing.T, e sqltest.Engine) {
	db := e.Open(t)
	create(t, db)
	release := hold(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		got <- db.Write(ctx, func(tx *sqldb.Tx) error { return insert(context.Background(), tx, "never") })
	}()
	for db.Queued() < 1 {
		runtime.Gosched()
	}
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) { // answered while the writer is still held
		t.Errorf("got %v", err)
	}
	release()
	if err := db.Write(t.Context(), func(*sqldb.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 0 {
		t.Error("a withdrawn write was run")
	}
}
