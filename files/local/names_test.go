package local

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"trivium/files"
	"trivium/files/backendtest"
)

// TestBatches: a folder is read in order, each name once, however few names are held at a time.
func TestBatches(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	var want []string
	for i := range 500 {
		n := fmt.Sprintf("%s%d", []string{"file with a long beginning ", "f", "ä", ""}[i%4], rnd.IntN(1e6))
		if i%10 == 0 {
			n = "same beginning"[:1+i/10%14]
		}
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		want = append(want, n)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for _, tt := range []struct{ most, text int }{{maxNames, maxNameText}, {2, maxNameText}, {7, maxNameText}, {100, maxNameText}, {500, 600}, {499, maxNameText}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			f, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b := batch{most: tt.most, mostText: tt.text}
			var got []string
			for {
				if err := b.fill(f); err != nil {
					t.Fatal(err)
				}
				if len(b.names) > tt.most || len(b.text) > tt.text {
					t.Fatalf("%d names of %d bytes are held", len(b.names), len(b.text))
				}
				for _, n := range b.names {
					got = append(got, string(b.name(n)))
				}
				if !b.more {
					break
				}
				b.after = got[len(got)-1]
				if _, err := f.Seek(0, io.SeekStart); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d names, want %d", len(got), len(want))
			}
		})
	}
}

// TestManyEntries: a folder that two goroutines look at is listed as any other.
func TestManyEntries(t *testing.T) {
	s := open(t)
	top, err := s.Tree(t.Context(), backendtest.Key, true)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	home := filepath.Join(s.root.Name(), backendtest.Key)
	const entries = 20*piece + 7
	for i := range entries {
		if err := os.WriteFile(filepath.Join(home, fmt.Sprintf("%05d", i)), make([]byte, i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := func(fn func(n files.Node) error) (got int, err error) {
		err = top.ReadDir(t.Context(), func(n files.Node) error {
			if want := fmt.Sprintf("%05d", n.Size); n.Name != want {
				t.Fatalf("%s has the size of %s", n.Name, want)
			}
			got++
			return fn(n)
		})
		return got, err
	}
	if got, err := list(func(files.Node) error { return nil }); got != entries || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	enough := errors.New("enough")
	for _, at := range []int{1, piece, piece + 1, 3 * piece} {
		calls := 0
		got, err := list(func(files.Node) error {
			if calls++; calls == at {
				return enough
			}
			return nil
		})
		if got != at || err != enough {
			t.Errorf("stopped at %d: %d, %v", at, got, err)
		}
	}
	// What goes while the folder is read may still be given or not, and is no error.
	got, err := list(func(n files.Node) error {
		if n.Size != 0 {
			return nil
		}
		for i := 1; i < entries; i++ {
			if err := os.Remove(filepath.Join(home, fmt.Sprintf("%05d", i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || got > (ahead+3)*piece {
		t.Errorf("%d, %v", got, err)
	}
}
