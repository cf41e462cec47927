package files_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"

	"trivium/files"
	"trivium/files/local"
	"trivium/identity"
)

// TestSystemOwnership: inodes say who owns what, and the decisions are those of perm.go.
func TestSystemOwnership(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	dir := t.TempDir()
	store, err := local.OpenWith(dir, local.Options{System: true})
	no(t, err)
	t.Cleanup(func() { _ = store.Close() })
	w := openWorld(t, dir, func(o *files.Options) { o.Backend = store })
	ctx := t.Context()
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	root := w.s.ViewOf(session("root", 1, identity.LevelRoot, "team"))
	look := func(p string, uid, gid uint32, mode fs.FileMode) {
		t.Helper()
		fi, err := os.Lstat(w.path(p))
		no(t, err)
		st := fi.Sys().(*syscall.Stat_t)
		if st.Uid != uid || st.Gid != gid || fi.Mode() != mode {
			t.Errorf("%s: %d %d %v; want %d %d %v", p, st.Uid, st.Gid, fi.Mode(), uid, gid, mode)
		}
	}
	put(t, alice, "/f", "mine")
	no(t, alice.MkdirAll(ctx, "/d/e"))
	look("home/alice", aliceUID, aliceUID, fs.ModeDir|0o700)
	look("home/alice/f", aliceUID, aliceUID, 0o640)
	look("home/alice/d/e", aliceUID, aliceUID, fs.ModeDir|0o750)
	put(t, alice, "/groups/team/f", "ours")
	no(t, bob.Mkdir(ctx, "/groups/team/d"))
	look("groups/team", 0, teamGID, fs.ModeDir|fs.ModeSetgid|0o770)
	look("groups/team/f", aliceUID, teamGID, 0o660)
	look("groups/team/d", bobUID, teamGID, fs.ModeDir|fs.ModeSetgid|0o770)
	_, err = w.s.ViewOf(session("carol", 10003, identity.LevelUser)).Stat(ctx, "/pub")
	no(t, err)
	look("pub", 0, 0, fs.ModeDir|0o755)

	no(t, alice.Chmod(ctx, "/f", 0o600))
	look("home/alice/f", aliceUID, aliceUID, 0o600)
	uid, gid := uint32(bobUID), uint32(teamGID)
	no(t, alice.Chown(ctx, "/f", nil, &gid))
	look("home/alice/f", aliceUID, teamGID, 0o600)
	want(t, "given away", alice.Chown(ctx, "/f", &uid, nil), fs.ErrPermission)
	no(t, root.Chown(ctx, "/groups/team/f", &uid, nil))
	look("groups/team/f", bobUID, teamGID, 0o660)
	put(t, alice, "/groups/team/f", "written over: it stays bob's")
	look("groups/team/f", bobUID, teamGID, 0o660)
	no(t, alice.Copy(ctx, "/groups/team/f", "/copy", files.CopyOptions{}))
	look("home/alice/copy", aliceUID, aliceUID, 0o640)
	no(t, alice.Chmod(ctx, "/copy", 0o700))
	no(t, alice.Rename(ctx, "/copy", "/groups/team/moved"))
	look("groups/team/moved", aliceUID, teamGID, 0o660)

	// What somebody does by hand counts at once.
	no(t, os.WriteFile(w.path("home/alice/roots"), []byte("root's"), 0o600))
	_, err = alice.Open(ctx, "/roots")
	want(t, "a file of root", err, fs.ErrPermission)
	no(t, os.Chown(w.path("home/alice/roots"), aliceUID, aliceUID))
	if get(t, alice, "/roots") != "root's" {
		t.Error("not read")
	}
	i, err := alice.Stat(ctx, "/roots")
	if err != nil || i.UID != aliceUID || i.Mode != 0o600 {
		t.Errorf("%+v, %v", i, err)
	}
	no(t, os.Chmod(w.path("home/alice/d"), 0))
	_, err = alice.Stat(ctx, "/d/e")
	want(t, "a closed folder", err, fs.ErrPermission)
	no(t, alice.Chmod(ctx, "/d", 0o700))
	no(t, alice.RemoveAll(ctx, "/d"))
	if got := names(t, alice, "/"); !slices.Equal(got, []string{"f", "groups", "pub", "roots"}) {
		t.Errorf("%v", got)
	}
	no(t, alice.Symlink(ctx, "f", "/l"))
	no(t, alice.Remove(ctx, "/l"))
	if err := alice.SetProps(ctx, "/f", []byte("p")); !errors.Is(err, files.ErrUnsupported) {
		got, err := alice.Props(ctx, "/f")
		if err != nil || string(got) != "p" {
			t.Errorf("%q, %v", got, err)
		}
		look("home/alice/f", aliceUID, teamGID, 0o600)
	}
}
