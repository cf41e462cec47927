package storetest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"trivium/files"
)

// Sums checks the SumStore that open returns, an empty one at each call.
func Sums(t *testing.T, open func(*testing.T) files.SumStore) {
	ctx := context.Background()
	at := time.Date(2026, 11, 21, 8, 0, 0, 123456789, time.UTC)
	key := files.SumKey{Tree: "example.org/home/bob", Unique: "1g2", Size: 3, ModTime: at, Changed: at.Add(1), Algorithm: files.MD5}
	has := func(t *testing.T, s files.SumStore, k files.SumKey, want []byte) {
		t.Helper()
		got, err := s.Sum(ctx, k)
		if want == nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%x, %v; want fs.ErrNotExist", got, err)
			}
		} else if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, %v; want %x", got, err, want)
		}
	}
	put := func(t *testing.T, s files.SumStore, k files.SumKey, sum []byte, at time.Time) {
		t.Helper()
		if err := s.PutSum(ctx, k, sum, at); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("what is put comes back, by its very key", func(t *testing.T) {
		s := open(t)
		has(t, s, key, nil)
		put(t, s, key, []byte{0, 1}, at)
		has(t, s, key, []byte{0, 1})
		for name, change := range map[string]func(*files.SumKey){
			"tree":      func(k *files.SumKey) { k.Tree = "example.org/home/Bob" },
			"file":      func(k *files.SumKey) { k.Unique = "1g3" },
			"size":      func(k *files.SumKey) { k.Size++ },
			"time":      func(k *files.SumKey) { k.ModTime = k.ModTime.Add(1) },
			"change":    func(k *files.SumKey) { k.Changed = k.Changed.Add(-1) },
			"no change": func(k *files.SumKey) { k.Changed = time.Time{} },
			"algorithm": func(k *files.SumKey) { k.Algorithm = files.SHA1 },
		} {
			t.Run(name, func(t *testing.T) {
				k := key
				change(&k)
				has(t, s, k, nil)
			})
		}
	})
	t.Run("the last of a file replaces the one before", func(t *testing.T) {
		s := open(t)
		put(t, s, key, []byte{1}, at)
		next := key
		next.Size = 9
		put(t, s, next, []byte{2}, at)
		has(t, s, key, nil)
		has(t, s, next, []byte{2})
	})
	t.Run("old ones and those too many go", func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			before time.Time
			keep   int
			left   int
		}{
			{"none", at, 10, 5},
			{"exactly as many", at, 5, 5},
			{"by age", at.Add(2 * time.Hour), 10, 3},
			{"by number", at, 2, 2},
			{"by both", at.Add(2 * time.Hour), 1, 1},
		} {
			t.Run(tt.name, func(t *testing.T) {
				s := open(t)
				k := func(i int) files.SumKey {
					k := key
					k.Unique = string(rune('a' + i))
					return k
				}
				for i := range 5 {
					put(t, s, k(i), []byte{byte(i)}, at.Add(time.Duration(i)*time.Hour))
				}
				if err := s.PruneSums(ctx, tt.before, tt.keep); err != nil {
					t.Fatal(err)
				}
				for i := range 5 {
					var want []byte
					if i >= 5-tt.left {
						want = []byte{byte(i)}
					}
					has(t, s, k(i), want)
				}
			})
		}
	})
}
