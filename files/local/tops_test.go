package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"trivium/files"
	"trivium/files/backendtest"
)

// store puts a file into the tree by a part.
func store(t *testing.T, s *Store, name string) error {
	t.Helper()
	ctx := context.Background()
	tr, err := s.Tree(ctx, backendtest.Key, true)
	if err != nil {
		return err
	}
	defer tr.Close()
	p, err := tr.Part(ctx, "ab", true)
	if err != nil {
		return err
	}
	if _, err := p.Write([]byte("x")); err != nil {
		return errors.Join(err, p.Close())
	}
	return p.Commit(ctx, tr, name, 0o644, files.Attr{}, false)
}

func keptOf(s *Store) *top {
	s.tops.mu.Lock()
	defer s.tops.mu.Unlock()
	return s.tops.kept[backendtest.Key]
}

// TestKeptTops: a tree that is kept open is the one that stands there, whatever hands from outside do.
func TestKeptTops(t *testing.T) {
	s := open(t)
	home := filepath.Join(s.root.Name(), backendtest.Key)
	put := func(name string) {
		t.Helper()
		if err := store(t, s, name); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(home, name)); err != nil {
			t.Error(err)
		}
	}
	put("new")
	put("a")
	first := keptOf(s)
	if first == nil || first.parts < 0 || first.users != 0 {
		t.Fatalf("%+v is kept", first)
	}
	put("b")
	if keptOf(s) != first {
		t.Error("opened anew, where nothing has changed")
	}
	if err := os.RemoveAll(filepath.Join(home, reserved)); err != nil {
		t.Fatal(err)
	}
	put("c")
	if now := keptOf(s); now == first {
		t.Error("the folder of the parts is gone, and still kept")
	}
	put("d")
	for name, away := range map[string]func() error{
		"renamed": func() error { return os.Rename(home, home+"-old") },
		"removed": func() error { return os.RemoveAll(home) },
		"link": func() error {
			return errors.Join(os.Rename(home, home+"-linked"), os.Symlink(home+"-linked", home))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := errors.Join(os.RemoveAll(home), os.MkdirAll(home, 0o750)); err != nil {
				t.Fatal(err)
			}
			put("e")
			if err := away(); err != nil {
				t.Fatal(err)
			}
			err := store(t, s, "f")
			if name == "link" {
				if err == nil {
					t.Error("a link was followed")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(filepath.Join(home, "f")); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(filepath.Join(home, "e")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the old folder still stands there: %v", err)
			}
		})
	}
}

// TestKeptTopsGo: what is kept goes when nobody uses it, and not before.
func TestKeptTopsGo(t *testing.T) {
	s := open(t)
	for _, name := range []string{"new", "a"} {
		if err := store(t, s, name); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := s.Tree(t.Context(), backendtest.Key, false)
	if err != nil {
		t.Fatal(err)
	}
	kept := keptOf(s)
	age := func(change func(*top)) {
		s.tops.mu.Lock()
		change(kept)
		s.tops.mu.Unlock()
		s.tops.pass()
	}
	age(func(k *top) { k.rested = time.Now().Add(-2 * keptFor) })
	if keptOf(s) != kept {
		t.Error("gone while it was used")
	}
	age(func(k *top) { k.opened = time.Now().Add(-2 * keptMost) })
	if keptOf(s) != nil {
		t.Error("kept for too long")
	}
	if _, err := tr.Lstat(t.Context(), "a"); err != nil {
		t.Errorf("who uses it still: %v", err)
	}
	if err := errors.Join(tr.Close(), tr.Close()); err != nil || kept.users != 0 {
		t.Errorf("%v, %d users", err, kept.users)
	}
	if err := store(t, s, "b"); err != nil {
		t.Fatal(err)
	}
	kept = keptOf(s)
	age(func(k *top) { k.rested = time.Now().Add(-2 * keptFor) })
	if keptOf(s) != nil {
		t.Error("kept without use")
	}
	if _, err := unix.FcntlInt(uintptr(kept.parts), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the folder of the parts: %v", err)
	}
	if err := store(t, s, "c"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil || keptOf(s) != nil {
		t.Errorf("%v, or something is kept by a store that is closed", err)
	}
}

// TestKeptTopsTogether is for the race detector.
func TestKeptTopsTogether(t *testing.T) {
	s := open(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				tr, err := s.Tree(context.Background(), backendtest.Key, true)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := tr.Stat(context.Background()); err != nil {
					t.Error(err)
				}
				if _, err := tr.Lstat(context.Background(), "none"); !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
				s.tops.pass()
				_ = tr.Close()
			}
		})
	}
	for range 20 {
		if k := keptOf(s); k != nil {
			(&lent{of: k}).forget()
		}
	}
	all.Wait()
	s.tops.mu.Lock()
	defer s.tops.mu.Unlock()
	for key, k := range s.tops.kept {
		if k.users != 0 {
			t.Errorf("%s has %d users", key, k.users)
		}
	}
}
