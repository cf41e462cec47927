package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/xattr"

	"trivium/files"
	"trivium/files/backendtest"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) files.Backend { return open(t) })
}

func TestContractWithoutAttributes(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) files.Backend {
		s := open(t)
		s.features, s.xattrs = files.Features{Links: true, Why: "it was taken away"}, false
		return s
	})
}

// beside is a store whose one tree is the one that the contract looks at.
type beside struct {
	*Store
	one *Store
}

func (b beside) Tree(ctx context.Context, key string, create bool) (files.Top, error) {
	if key == backendtest.Key {
		return b.one.Tree(ctx, key, create)
	}
	return b.Store.Tree(ctx, key, create)
}

func (b beside) Keys(ctx context.Context, fn func(string) error) error {
	return errors.Join(b.Store.Keys(ctx, fn), b.one.Keys(ctx, fn))
}

// TestContractOfOneTree: a folder that is one tree itself.
func TestContractOfOneTree(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) files.Backend {
		one, err := OpenTree(t.TempDir(), backendtest.Key, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = one.Close() })
		if _, err := one.Tree(t.Context(), "example.org/pub", true); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("another tree: %v", err)
		}
		return beside{open(t), one}
	})
}

// TestReadOnlyTree: nothing is written to the folder, which must be there.
func TestReadOnlyTree(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenTree(dir, "mounts/m", Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	top, err := s.Tree(t.Context(), "mounts/m", true)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	if err := top.Parts(t.Context(), func(files.Node) error { return errors.New("a part") }); err != nil {
		t.Error(err)
	}
	if l, err := os.ReadDir(dir); err != nil || len(l) != 0 {
		t.Errorf("%v, %v", l, err)
	}
	if s, err := OpenTree(filepath.Join(dir, "none"), "mounts/n", Options{}); err == nil {
		_ = s.Close()
		t.Error("a folder that is not there was opened")
	}
}

// TestOnDisk: what others see of a file is what its mode says, with the owner's rights added, and
// attributes are written where something deviates, with a mark above.
func TestOnDisk(t *testing.T) {
	s := open(t)
	if !s.features.Attrs {
		t.Skip(s.features.Why)
	}
	top, err := s.Tree(t.Context(), backendtest.Key, true)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	p, err := top.Part(t.Context(), "ab", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(t.Context(), top, "f", 0o644, files.Attr{}, false); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(s.root.Name(), backendtest.Key)
	look := func(name string, perm fs.FileMode, text string) {
		t.Helper()
		fi, err := os.Lstat(filepath.Join(home, name))
		if err != nil || fi.Mode().Perm() != perm {
			t.Errorf("%s: %v, %v", name, fi.Mode(), err)
		}
		got, err := xattr.LGet(filepath.Join(home, name), attrName)
		if err != nil && !errors.Is(err, xattr.ENOATTR) {
			t.Fatal(err)
		}
		if string(got) != text {
			t.Errorf("%s: %q; want %q", name, got, text)
		}
	}
	look("f", 0o644, "")
	look("", storeDir, "")
	uid, none := uint32(7), fs.FileMode(0o040)
	if err := top.SetAttr(t.Context(), "f", none, files.Attr{UID: &uid, Mode: &none}); err != nil {
		t.Fatal(err)
	}
	look("f", 0o640, "1 u7 m40")
	look("", storeDir, "1 k")
	if err := xattr.LSet(filepath.Join(home, "f"), attrName, []byte("2 something newer")); err != nil {
		t.Fatal(err)
	}
	n, err := top.Lstat(t.Context(), "f")
	if err != nil || n.Attr.Mode == nil || *n.Attr.Mode != 0 || n.Attr.UID == nil || *n.Attr.UID != 0 {
		t.Errorf("what cannot be read is closed: %+v, %v", n, err)
	}
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{"1", "1 u0 g4294967295 m7777 k", "1 m2770", "", "2", "1 u-1", "1 m8", "1 kk", "1 x", "1  k ", "1 u1 u2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := parse(text)
		again := parse(r.String())
		if r.String() != again.String() {
			t.Fatalf("%q reads as %q, and that as %q", text, r, again)
		}
		if !strings.HasPrefix(text, version) && r.String() != closed().String() {
			t.Fatalf("%q is open: %q", text, r)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(file); err == nil {
		_ = s.Close()
		t.Error("a file was opened as a store")
	}
	// A tree that is a link is not followed, not even inside the store.
	s := open(t)
	if err := os.MkdirAll(filepath.Join(s.root.Name(), "example.org/home/bob"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("bob", filepath.Join(s.root.Name(), "example.org/home/alice")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Tree(t.Context(), backendtest.Key, true); !errors.Is(err, files.ErrNotDir) {
		t.Errorf("a link as a tree: %v", err)
	}
}
