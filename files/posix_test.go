package files_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"trivium/files"
	"trivium/identity"
)

// TestChmodOfFolders: setgid and sticky bits, as chmod(1) of GNU has them.
func TestChmodOfFolders(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	no(t, alice.Mkdir(ctx, "/d"))
	put(t, alice, "/f", "x")
	for _, tt := range []struct {
		p    string
		set  fs.FileMode
		want fs.FileMode
	}{
		{"/d", 0o777 | fs.ModeSticky, fs.ModeDir | fs.ModeSticky | 0o777},
		{"/d", 0o750, fs.ModeDir | fs.ModeSticky | 0o750},
		{"/d", 0o750 | fs.ModeSetgid, fs.ModeDir | fs.ModeSticky | fs.ModeSetgid | 0o750},
		{"/d", 0o755 | fs.ModeSetgid | fs.ModeDir, fs.ModeDir | fs.ModeSetgid | 0o755},
		{"/d", 0o755 | fs.ModeDir, fs.ModeDir | 0o755},
		{"/d", 0o755 | fs.ModeSetuid, fs.ModeDir | 0o755},
		{"/f", 0o711 | fs.ModeSetgid | fs.ModeSticky | fs.ModeSetuid, 0o711},
	} {
		no(t, alice.Chmod(ctx, tt.p, tt.set))
		if i, err := alice.Stat(ctx, tt.p); err != nil || i.Mode != tt.want {
			t.Errorf("%s set to %v: %v, %v; want %v", tt.p, tt.set, i.Mode, err, tt.want)
		}
	}
	// Setgid only for a group that one is in.
	gid := uint32(teamGID)
	no(t, alice.Chown(ctx, "/d", nil, &gid))
	left := w.alice()
	want(t, "setgid of another group", left.Chmod(ctx, "/d", 0o750|fs.ModeSetgid), fs.ErrPermission)
	no(t, left.Chmod(ctx, "/d", 0o700))
	no(t, alice.Chmod(ctx, "/d", 0o750|fs.ModeSetgid))
	no(t, left.Chmod(ctx, "/d", 0o770)) // it stays
	if i, _ := left.Stat(ctx, "/d"); i.Mode != fs.ModeDir|fs.ModeSetgid|0o770 {
		t.Errorf("%v", i.Mode)
	}
	// What is made in it has its group, and folders hand that on.
	no(t, left.MkdirAll(ctx, "/d/e/f"))
	put(t, left, "/d/e/f/g", "x")
	for p, mode := range map[string]fs.FileMode{"/d/e": fs.ModeDir | fs.ModeSetgid | 0o750, "/d/e/f": fs.ModeDir | fs.ModeSetgid | 0o750, "/d/e/f/g": 0o640} {
		if i, err := left.Stat(ctx, p); err != nil || i.GID != teamGID || i.Mode != mode || i.UID != aliceUID {
			t.Errorf("%s: %+v, %v", p, i, err)
		}
	}
}

// TestSticky: in a folder that all may write, each removes and renames what is their own.
func TestSticky(t *testing.T) {
	w := newWorld(t, mounted(t, "/drop", func(m *files.Mount) { m.Mode = 0o777 | fs.ModeSticky }))
	ctx := t.Context()
	alice, bob := w.alice(), w.s.ViewOf(session("bob", bobUID, identity.LevelUser))
	for _, tree := range []*files.Tree{alice, bob} {
		i, err := tree.Stat(ctx, "/drop")
		if err != nil || i.Mode != fs.ModeDir|fs.ModeSticky|0o777 {
			t.Fatalf("%+v, %v", i, err)
		}
	}
	put(t, alice, "/drop/a", "alice's")
	no(t, alice.MkdirAll(ctx, "/drop/da/x"))
	put(t, bob, "/drop/b", "bob's")
	for name, err := range map[string]error{
		"remove": bob.Remove(ctx, "/drop/a"), "rmdir": bob.RemoveAll(ctx, "/drop/da"), "rename": bob.Rename(ctx, "/drop/a", "/drop/c"),
		"take away": bob.Rename(ctx, "/drop/a", "/mine"), "rename over": bob.Rename(ctx, "/drop/b", "/drop/a"),
		"make it loose": bob.Chmod(ctx, "/drop", 0o777|fs.ModeDir),
	} {
		want(t, name, err, fs.ErrPermission)
	}
	_, err := try(t, bob, "/drop/a", "over it")
	want(t, "write over", err, fs.ErrPermission)
	i, err := bob.Stat(ctx, "/drop/a")
	if a := bob.Access(i); err != nil || a.Delete || a.Rename || a.Write || !a.Read {
		t.Errorf("%+v, %v", a, err)
	}
	no(t, alice.Rename(ctx, "/drop/a", "/drop/c"))
	no(t, alice.RemoveAll(ctx, "/drop/da"))
	no(t, alice.Remove(ctx, "/drop/c"))
	if got := names(t, bob, "/drop"); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%v", got)
	}
}

// TestLinkChains: links to links lead on inside the mount; loops and long chains lead nowhere.
func TestLinkChains(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tree := w.alice()
	no(t, tree.MkdirAll(ctx, "/a/b"))
	put(t, tree, "/a/b/f", "x")
	no(t, tree.Symlink(ctx, "a/b", "/one"))
	no(t, tree.Symlink(ctx, "../one/f", "/a/two"))
	no(t, tree.Symlink(ctx, "a/two", "/three"))
	if get(t, tree, "/three") != "x" || get(t, tree, "/one/../three") != "x" {
		t.Error("not led on")
	}
	last := "three"
	for i := range 41 {
		next := "chain" + string(rune('A'+i))
		no(t, tree.Symlink(ctx, last, "/"+next))
		last = next
	}
	_, err := tree.Stat(ctx, "/"+last)
	want(t, "too many links", err, fs.ErrNotExist)
	no(t, tree.Symlink(ctx, "loop/x", "/loop"))
	for name, err := range map[string]error{
		"mkdir": tree.MkdirAll(ctx, "/loop/x/y"), "copy": tree.Copy(ctx, "/loop", "/c", files.CopyOptions{Deep: true}),
		"into": tree.Copy(ctx, "/a", "/loop/c", files.CopyOptions{Deep: true}), "remove": tree.RemoveAll(ctx, "/loop/x"),
	} {
		want(t, name, err, fs.ErrNotExist)
	}
	no(t, tree.RemoveAll(ctx, "/loop"))
	no(t, tree.RemoveAll(ctx, "/one")) // the link alone
	if get(t, tree, "/a/b/f") != "x" {
		t.Error("what it led to is gone")
	}
}

// TestHardLinks: names of one file that a shell made are counted, and go one by one.
func TestHardLinks(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tree := w.alice()
	put(t, tree, "/a", "12345")
	no(t, os.Link(w.path("home/alice/a"), filepath.Join(w.path("home/alice"), "b")))
	a, err := tree.Stat(ctx, "/a")
	no(t, err)
	b, err := tree.Stat(ctx, "/b")
	no(t, err)
	if a.Links != 2 || b.Links != 2 || a.Unique != b.Unique {
		t.Errorf("%+v, %+v", a, b)
	}
	no(t, tree.Copy(ctx, "/a", "/c", files.CopyOptions{}))
	put(t, tree, "/a", "replaced") // this name alone
	no(t, tree.Remove(ctx, "/c"))
	if get(t, tree, "/b") != "12345" {
		t.Error("the other name was written to")
	}
	if b, _ = tree.Stat(ctx, "/b"); b.Links != 1 {
		t.Errorf("%d links", b.Links)
	}
}
