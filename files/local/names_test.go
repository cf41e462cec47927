package local

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
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
