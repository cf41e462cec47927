package storetest

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trivium/files"
)

// Shares checks the ShareStore that open returns, an empty one at each call.
func Shares(t *testing.T, open func(*testing.T) files.ShareStore) {
	ctx := context.Background()
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	full := files.Share{ID: "a", Code: "A1", Owner: "alice", Path: "/ä", Canonical: "/home/alice/ä", Dir: true, Drop: true, Note: "for “bob”",
		Salt: []byte{0, 1}, Hash: []byte{2}, CreatedAt: at, ExpiresAt: at.Add(time.Hour), Limit: 3, Count: 1}
	plain := files.Share{ID: "b", Code: "a1", Owner: "bob", Path: "/b", Canonical: "/home/bob/b", CreatedAt: at.Add(time.Minute)}
	put := func(t *testing.T, s files.ShareStore, list ...files.Share) {
		t.Helper()
		for _, x := range list {
			if err := s.PutShare(ctx, x); err != nil {
				t.Fatal(err)
			}
		}
	}
	same := func(a, b files.Share) bool {
		a.CreatedAt, b.CreatedAt = a.CreatedAt.UTC(), b.CreatedAt.UTC()
		a.ExpiresAt, b.ExpiresAt = a.ExpiresAt.UTC(), b.ExpiresAt.UTC()
		if len(a.Salt)+len(b.Salt) == 0 {
			a.Salt, b.Salt, a.Hash, b.Hash = nil, nil, nil, nil
		}
		return reflect.DeepEqual(a, b)
	}

	t.Run("what is put comes back, by its very code", func(t *testing.T) {
		s := open(t)
		put(t, s, full, plain)
		for _, want := range []files.Share{full, plain} {
			if got, err := s.Share(ctx, want.Code); err != nil || !same(got, want) {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		}
		if _, err := s.Share(ctx, "A2"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		for _, twice := range []files.Share{{ID: "a", Code: "new", CreatedAt: at}, {ID: "new", Code: "A1", CreatedAt: at}} {
			if err := s.PutShare(ctx, twice); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%+v: %v", twice, err)
			}
		}
	})
	t.Run("lists are one account's, or all, the newest first", func(t *testing.T) {
		s := open(t)
		put(t, s, full, plain)
		if list, err := s.Shares(ctx, "alice"); err != nil || len(list) != 1 || !same(list[0], full) {
			t.Errorf("%+v, %v", list, err)
		}
		if list, err := s.Shares(ctx, ""); err != nil || len(list) != 2 || list[0].ID != "b" {
			t.Errorf("%+v, %v", list, err)
		}
		if err := s.DropShare(ctx, "a", "none"); err != nil {
			t.Error(err)
		}
		if list, err := s.Shares(ctx, "alice"); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
	t.Run("nobody counts beyond the limit", func(t *testing.T) {
		s := open(t)
		put(t, s, full, plain)
		var counted atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if s.CountShare(ctx, full.ID) == nil {
					counted.Add(1)
				}
			})
		}
		all.Wait()
		if n := counted.Load(); n != 2 {
			t.Errorf("%d were counted where 2 were left", n)
		}
		if err := s.CountShare(ctx, full.ID); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if err := s.CountShare(ctx, "none"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if err := s.CountShare(ctx, plain.ID); err != nil {
			t.Error(err)
		}
		if got, err := s.Share(ctx, plain.Code); err != nil || got.Count != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
