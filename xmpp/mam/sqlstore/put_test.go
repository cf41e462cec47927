package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp/mam"
	"trivium/xmpp/mam/sqlstore"
)

// While the disk stands still memory is bounded: who puts waits, and goes on when it moves again.
func TestQueueIsBounded(t *testing.T) { sqltest.Each(t, testQueueIsBounded) }

func testQueueIsBounded(t *testing.T, e sqltest.Engine) {
	db := e.Migrated(t, sqlstore.Migrate)
	s, err := sqlstore.Open(t.Context(), db, sqlstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	done := make(chan error, 1<<20)
	put := func(ctx context.Context, i int) error {
		m := letter(0, 1, fmt.Sprint(i))
		m.Stanza = make([]byte, 64<<10)
		_, err := s.Put(ctx, m, func(err error) { done <- err })
		return err
	}
	if err := put(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	<-done // the rows of the accounts are there
	stuck, move := make(chan struct{}), make(chan struct{})
	go func() {
		_ = db.Write(context.Background(), func(*sqldb.Tx) error { close(stuck); <-move; return nil })
	}()
	<-stuck
	n := 1
	for ; ; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := put(ctx, n)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n > 1000 {
			t.Fatal("64 MiB wait for the disk")
		}
	}
	if n < 100 {
		t.Errorf("only %d messages may wait", n)
	}
	waits := make(chan error, 1)
	go func() { waits <- put(context.Background(), n) }()
	close(move)
	if err := <-waits; err != nil {
		t.Errorf("who waited: %v", err)
	}
	for range n {
		if err := <-done; err != nil {
			t.Errorf("writing: %v", err)
		}
	}
}

// What cannot be written is told, is not shown, and may be sent again.
func TestWriteFails(t *testing.T) { sqltest.Each(t, testWriteFails) }

func testWriteFails(t *testing.T, e sqltest.Engine) {
	db := e.Migrated(t, sqlstore.Migrate)
	s, err := sqlstore.Open(t.Context(), db, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	done := make(chan error, 1)
	put := func(origin string) mam.Receipt {
		t.Helper()
		r, err := s.Put(t.Context(), letter(0, 1, origin), func(err error) { done <- err })
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	put("1")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	rename := func(from, to string) {
		t.Helper()
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rename("mam_messages", "elsewhere")
	put("2")
	if err := <-done; err == nil {
		t.Fatal("a message was written into a table that is not there")
	}
	rename("elsewhere", "mam_messages")
	who, _ := account(1)
	if p, err := s.Page(t.Context(), who, mam.Query{Max: 10}); err != nil || len(p.Messages) != 1 {
		t.Errorf("%d messages, %v", len(p.Messages), err)
	}
	if r := put("2"); r.Again {
		t.Error("what was lost counts as sent before")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) { sqltest.Each(t, testClosed) }

func testClosed(t *testing.T, e sqltest.Engine) {
	s, err := sqlstore.Open(t.Context(), e.Migrated(t, sqlstore.Migrate), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	if _, err := s.Put(t.Context(), letter(0, 1, "1"), func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := <-done; err != nil {
		t.Errorf("what was queued before: %v", err)
	}
	if _, err := s.Put(t.Context(), letter(0, 1, "2"), nil); !errors.Is(err, mam.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
