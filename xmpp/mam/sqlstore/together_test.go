package sqlstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp/mam"
	"trivium/xmpp/mam/sqlstore"
)

// While many write and the index is written behind, a reader finds all that was put before, each
// once and in order.
func TestReadWhileWriting(t *testing.T) { sqltest.Each(t, testReadWhileWriting) }

func testReadWhileWriting(t *testing.T, e sqltest.Engine) {
	s, err := sqlstore.Open(t.Context(), e.Migrated(t, sqlstore.Migrate), sqlstore.FoldAt(sqlstore.Options{}, 40))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	const writers, each = 4, 300
	var put atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := s.Put(t.Context(), letter(1+w, 0, fmt.Sprint(i)), nil); err != nil {
					t.Error(err)
					return
				}
				put.Add(1)
			}
		})
	}
	who, _ := account(0)
	for read := 0; read < writers*each && !t.Failed(); {
		before := int(put.Load())
		var last mam.ID
		read = 0
		err := mam.Each(t.Context(), s, who, func(m mam.Stored) error {
			if m.ID <= last {
				return fmt.Errorf("message %d came after %d", m.ID, last)
			}
			last = m.ID
			read++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if read < before {
			t.Fatalf("%d messages were read, and %d had been put", read, before)
		}
	}
	wg.Wait()
	if n, err := s.Count(t.Context(), who, ""); n != writers*each || err != nil {
		t.Errorf("%d messages, %v", n, err)
	}
}

// A fold that broke off before its last step has written runs that do not count, and the next one
// writes over them.
func TestFoldThatBrokeOff(t *testing.T) { sqltest.Each(t, testFoldThatBrokeOff) }

func testFoldThatBrokeOff(t *testing.T, e sqltest.Engine) {
	db := e.Migrated(t, sqlstore.Migrate)
	var s *sqlstore.Store
	again := func() {
		t.Helper()
		if s != nil {
			s.Close()
		}
		var err error
		if s, err = sqlstore.Open(t.Context(), db, sqlstore.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	again()
	t.Cleanup(func() { s.Close() })
	n := 0
	add := func(count int) {
		t.Helper()
		for range count {
			if _, err := s.Put(t.Context(), letter(1+n%3, 0, fmt.Sprint(n)), nil); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	who, _ := account(0)
	check := func(when string) {
		t.Helper()
		for _, back := range []bool{false, true} {
			p, err := s.Page(t.Context(), who, mam.Query{Max: 1000, Backward: back})
			if err != nil || len(p.Messages) != n {
				t.Fatalf("%s: %d messages, %v; want %d", when, len(p.Messages), err, n)
			}
			for i := range p.Messages[1:] {
				if p.Messages[i].ID >= p.Messages[i+1].ID {
					t.Fatalf("%s: message %d is out of order", when, i)
				}
			}
		}
		if count, err := s.Count(t.Context(), who, ""); count != n || err != nil {
			t.Fatalf("%s: counts %d, %v; want %d", when, count, err, n)
		}
	}
	add(250)
	if err := s.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM mam_state WHERE name = 'mark'")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	again()
	check("after the fall")
	add(30)
	check("with more")
	if err := s.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after the next fold")
	again()
	check("after a restart")
}
