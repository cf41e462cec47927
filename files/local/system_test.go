package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"trivium/files"
	"trivium/files/backendtest"
)

func openSystem(t *testing.T) *Store {
	t.Helper()
	s, err := OpenWith(t.TempDir(), Options{System: true})
	if os.Geteuid() != 0 {
		if !errors.Is(err, errNotRoot) {
			t.Errorf("without being root: %v", err)
		}
		t.Skip("only root may give files away")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContractOfTheSystem(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) files.Backend { return openSystem(t) })
}

func TestContractOfOneTreeOfTheSystem(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) files.Backend {
		all := openSystem(t)
		one, err := OpenTree(t.TempDir(), backendtest.Key, Options{System: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = one.Close() })
		if err := one.top.Chmod(0); err != nil { // as one that is new
			t.Fatal(err)
		}
		return beside{all, one}
	})
}

// TestSystemOnDisk: the inodes have owner and mode, and no attribute says anything.
func TestSystemOnDisk(t *testing.T) {
	s := openSystem(t)
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	ctx := t.Context()
	top, err := s.Tree(ctx, backendtest.Key, true)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	uid, gid, mode := uint32(10001), uint32(10002), fs.FileMode(0o2775).Perm()|fs.ModeSetgid
	a := files.Attr{UID: &uid, GID: &gid, Mode: &mode}
	n, err := top.Stat(ctx)
	if err != nil || !n.Attr.IsZero() {
		t.Errorf("a new top: %+v, %v", n, err)
	}
	for _, err := range []error{top.SetAttr(ctx, ".", mode, a), top.Mkdir(ctx, "d", mode, a)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	look := func(p string, uid, gid uint32, mode fs.FileMode) {
		t.Helper()
		fi, err := os.Lstat(filepath.Join(s.root.Name(), p))
		if err != nil {
			t.Fatal(err)
		}
		st := fi.Sys().(*syscall.Stat_t)
		if st.Uid != uid || st.Gid != gid || fi.Mode() != mode {
			t.Errorf("%s: %d %d %v", p, st.Uid, st.Gid, fi.Mode())
		}
	}
	look("example.org", 0, 0, fs.ModeDir|0o711)
	look("example.org/home", 0, 0, fs.ModeDir|0o711)
	look(backendtest.Key, uid, gid, fs.ModeDir|fs.ModeSetgid|0o775)
	look(backendtest.Key+"/d", uid, gid, fs.ModeDir|fs.ModeSetgid|0o775)
	p, err := top.Part(ctx, "ab", true)
	if err != nil {
		t.Fatal(err)
	}
	look(backendtest.Key+"/.trivium", 0, gid, fs.ModeDir|fs.ModeSetgid|0o700)
	look(backendtest.Key+"/.trivium/parts/ab", 0, gid, 0o600)
	plain := fs.FileMode(0o644)
	if err := p.Commit(ctx, top, "f", plain, files.Attr{UID: &uid, GID: &gid, Mode: &plain}, false); err != nil {
		t.Fatal(err)
	}
	look(backendtest.Key+"/f", uid, gid, 0o644)
	if left, err := filepath.Glob(filepath.Join(s.root.Name(), newPrefix+"*")); len(left) != 0 || err != nil {
		t.Errorf("%v, %v", left, err)
	}
}

// TestSystemAttacks: what somebody with a shell and a folder of their own could put in the way.
func TestSystemAttacks(t *testing.T) {
	s := openSystem(t)
	ctx := context.Background()
	top, err := s.Tree(ctx, backendtest.Key, true)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	home := filepath.Join(s.root.Name(), backendtest.Key)
	alice, bob, mode := uint32(10001), uint32(10002), fs.FileMode(0o600)
	for name, uid := range map[string]uint32{"mine": alice, "other": bob} {
		if err := os.WriteFile(filepath.Join(home, name), nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(home, name), int(uid), int(uid)); err != nil {
			t.Fatal(err)
		}
	}
	mine, err := top.Lstat(ctx, "mine")
	if err != nil {
		t.Fatal(err)
	}
	// Another file is put in the place of the one that was looked at.
	if err := os.Rename(filepath.Join(home, "other"), filepath.Join(home, "mine")); err != nil {
		t.Fatal(err)
	}
	err = top.(*tree).SetAttrOf(ctx, mine, "mine", 0o666, files.Attr{UID: &alice})
	now, lerr := top.Lstat(ctx, "mine")
	if !errors.Is(err, fs.ErrNotExist) || lerr != nil || *now.Attr.UID != bob || *now.Attr.Mode != mode {
		t.Errorf("%v; %+v, %v", err, now, lerr)
	}
	// The store's own folder is exchanged for one of theirs.
	if err := os.MkdirAll(filepath.Join(home, reserved, partsName), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(home, reserved), int(alice), int(alice)); err != nil {
		t.Fatal(err)
	}
	if p, err := top.Part(ctx, "aa", true); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), reserved) {
		t.Errorf("%v, %v", p, err)
	}
	if d, err := top.Kept(ctx, files.KeptTrash, true); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, %v", d, err)
	}
}
