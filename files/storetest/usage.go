// Package storetest is the contract of the stores of package files as a test.
package storetest

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"testing"
	"time"

	"trivium/files"
)

// Usage checks the UsageStore that open returns, an empty one at each call.
func Usage(t *testing.T, open func(*testing.T) files.UsageStore) {
	ctx := context.Background()
	at := time.Date(2026, 11, 21, 8, 0, 0, 123456000, time.UTC)
	full := files.UsageRow{Key: "example.org/home/bob", Bytes: math.MaxInt64, Files: 7, Dirty: true, CountedAt: at, SoftSince: at.Add(time.Hour)}
	bare := files.UsageRow{Key: "example.org/groups/Team"}
	last := files.UsageRow{Key: "example.org/home/éva", Bytes: 1, Files: 1, CountedAt: at}

	filled := func(t *testing.T) files.UsageStore {
		s := open(t)
		if err := s.PutUsage(ctx, full, last, bare); err != nil {
			t.Fatal(err)
		}
		return s
	}
	get := func(t *testing.T, s files.UsageStore, want files.UsageRow) {
		t.Helper()
		if got, err := s.Usage(ctx, want.Key); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}

	t.Run("what is put comes back", func(t *testing.T) {
		s := filled(t)
		for _, want := range []files.UsageRow{full, bare, last} {
			get(t, s, want)
		}
	})
	t.Run("an unknown tree has none", func(t *testing.T) {
		if _, err := filled(t).Usage(ctx, "example.org/home/BOB"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
	})
	t.Run("a row replaces the old one whole", func(t *testing.T) {
		s := filled(t)
		again := files.UsageRow{Key: full.Key, Bytes: 5}
		if err := s.PutUsage(ctx, again); err != nil {
			t.Fatal(err)
		}
		get(t, s, again)
		get(t, s, last)
	})
	t.Run("all, in the order of their keys", func(t *testing.T) {
		for _, tt := range []struct {
			name string
			s    files.UsageStore
			want []files.UsageRow
		}{
			{"none", open(t), nil},
			{"three", filled(t), []files.UsageRow{bare, full, last}},
		} {
			if got, err := tt.s.Usages(ctx); err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
			}
		}
	})
	t.Run("dropped is gone", func(t *testing.T) {
		s := filled(t)
		if err := s.DropUsage(ctx, full.Key, "unknown"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Usage(ctx, full.Key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
		get(t, s, bare)
	})
	t.Run("what ended before it began is not written", func(t *testing.T) {
		s := filled(t)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.PutUsage(ended, files.UsageRow{Key: full.Key}); err == nil {
			t.Error("no error")
		}
		get(t, s, full)
	})
}
