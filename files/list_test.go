package files_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"trivium/files"
)

// TestListings: the three ways to read a folder tell the same.
func TestListings(t *testing.T) {
	w := newWorld(t)
	tree, ctx := w.alice(), t.Context()
	for _, n := range []string{"/a", "/-x", "/ b", "/.dot", "/z"} {
		put(t, tree, n, "12345")
	}
	no(t, tree.Mkdir(ctx, "/d"))
	no(t, tree.Symlink(ctx, "d", "/to d"))
	no(t, tree.Chmod(ctx, "/a", 0o400))
	put(t, tree, "/d/in", "")
	for _, n := range []string{"cannot\nbe said", "\xff"} {
		no(t, os.WriteFile(w.path("/home/alice/"+n), nil, 0o600))
	}
	for _, p := range []string{"/", "/d", "/to d", "/pub"} {
		var plain, access []files.Info
		var want, names []string
		no(t, tree.ReadDir(ctx, p, func(i files.Info) error {
			plain = append(plain, i)
			want = append(want, i.Name+" "+i.Mode.Type().String())
			return nil
		}))
		no(t, tree.ReadDirAccess(ctx, p, func(i files.Info, a files.Access) error {
			access = append(access, i)
			if a != tree.Access(i) {
				t.Errorf("%s: %+v, and Access says %+v", i.Path, a, tree.Access(i))
			}
			one, err := tree.Lstat(ctx, i.Path)
			no(t, err)
			if one.Name != i.Name || one.Path != i.Path || one.Mode != i.Mode || one.Owner != i.Owner || one.Group != i.Group || one.Target != i.Target {
				t.Errorf("listed %+v, alone %+v", i, one)
			}
			return nil
		}))
		no(t, tree.ReadNames(ctx, p, func(name string, typ fs.FileMode) error {
			names = append(names, name+" "+typ.String())
			return nil
		}))
		if len(plain) != len(access) || !slices.Equal(names, want) {
			t.Errorf("%s: %q, %q and %d", p, names, want, len(access))
		}
		if p == "/" && len(names) != 8 {
			t.Errorf("%q", names)
		}
	}
	enough := errors.New("enough")
	if err := tree.ReadNames(ctx, "/", func(string, fs.FileMode) error { return enough }); err != enough {
		t.Errorf("%v", err)
	}
	if err := tree.ReadNames(ctx, "/a", func(string, fs.FileMode) error { return nil }); !errors.Is(err, files.ErrNotDir) {
		t.Errorf("a file: %v", err)
	}
}
