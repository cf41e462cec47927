package files_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"trivium/files"
	"trivium/identity"
)

func TestMkdirAll(t *testing.T) {
	w := newWorld(t, func(o *files.Options) { o.Policy = rules{"/home/alice/open/hidden"} })
	ctx := t.Context()
	tree := w.alice()
	no(t, tree.MkdirAll(ctx, "/a/b/c"))
	no(t, tree.MkdirAll(ctx, "/a/b/c/d"))
	no(t, tree.MkdirAll(ctx, "/a"))
	no(t, tree.MkdirAll(ctx, "/"))
	no(t, tree.MkdirAll(ctx, "/pub"))
	if got := strings.Join(w.events(), ", "); got != "mkdir /home/alice/a 0, mkdir /home/alice/a/b 0, mkdir /home/alice/a/b/c 0, mkdir /home/alice/a/b/c/d 0" {
		t.Error(got)
	}
	put(t, tree, "/a/f", "x")
	no(t, tree.Symlink(ctx, "a/b", "/l"))
	no(t, tree.MkdirAll(ctx, "/l/by"))
	if names(t, tree, "/a/b")[0] != "by" {
		t.Error("a link inside is followed")
	}
	no(t, tree.Mkdir(ctx, "/shut"))
	no(t, tree.Chmod(ctx, "/shut", 0o500))
	for _, tt := range []struct {
		p   string
		err error
	}{
		{"/a/f", files.ErrNotDir}, {"/a/f/x", files.ErrNotDir}, {"/shut/x/y", fs.ErrPermission}, {"/groups/new/x", fs.ErrNotExist},
		{"/pub/x", fs.ErrPermission}, {"/open/hidden/x", fs.ErrNotExist}, {"/a\x00", files.ErrName},
	} {
		want(t, tt.p, tree.MkdirAll(ctx, tt.p), tt.err)
	}
	if got := below(t, w.alice(), "/shut"); len(got) != 0 {
		t.Errorf("%v", got)
	}
	deep := strings.Repeat("/d", 2000)
	no(t, tree.MkdirAll(ctx, deep))
	if i, err := tree.Stat(ctx, deep); err != nil || !i.Dir {
		t.Errorf("%+v, %v", i, err)
	}
	no(t, tree.RemoveAll(ctx, "/d"))
}

func TestRemoveAll(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tree := w.alice()
	put(t, tree, "/keep", "keep")
	no(t, tree.MkdirAll(ctx, "/a/b/c"))
	put(t, tree, "/a/f", "12345")
	put(t, tree, "/a/b/c/g", "g")
	no(t, tree.Symlink(ctx, "../keep", "/a/l"))
	no(t, tree.Symlink(ctx, "b", "/a/ld"))
	no(t, tree.RemoveAll(ctx, "/a"))
	if exists(w.path("home/alice/a")) || get(t, tree, "/keep") != "keep" || used(t, tree) != 4 {
		t.Errorf("used %d", used(t, tree))
	}
	if _, n := w.s.UsageOf("example.org/home/alice"); n != 1 {
		t.Errorf("%d entries are counted", n)
	}
	got := w.events()[8:]
	slices.Sort(got)
	if s := strings.Join(got, ", "); s != "remove /home/alice/a/b/c/g 1, remove /home/alice/a/f 5, remove /home/alice/a/l 0, remove /home/alice/a/ld 0, "+
		"rmdir /home/alice/a 0, rmdir /home/alice/a/b 0, rmdir /home/alice/a/b/c 0" {
		t.Error(s)
	}
	no(t, tree.Symlink(ctx, "keep", "/l"))
	no(t, tree.RemoveAll(ctx, "/l"))
	no(t, tree.RemoveAll(ctx, "/keep"))
	for p, err := range map[string]error{"/none": fs.ErrNotExist, "/": fs.ErrPermission, "/pub": fs.ErrPermission, "/groups": fs.ErrNotExist} {
		want(t, p, tree.RemoveAll(ctx, p), err)
	}
}

// TestRemoveAllStops: what may not be removed stays, with what is above it; the rest goes.
func TestRemoveAllStops(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	no(t, alice.MkdirAll(ctx, "/groups/team/d/sub"))
	no(t, bob.MkdirAll(ctx, "/groups/team/d/bobs/empty"))
	put(t, bob, "/groups/team/d/bobs/f", "bob's")
	put(t, alice, "/groups/team/d/a", "a")
	put(t, alice, "/groups/team/d/sub/z", "z")
	no(t, bob.Chmod(ctx, "/groups/team/d/bobs", 0o755))
	err := alice.RemoveAll(ctx, "/groups/team/d")
	want(t, "a folder of another", err, fs.ErrPermission)
	if !strings.Contains(err.Error(), "/groups/team/d/bobs") {
		t.Error(err)
	}
	if got := below(t, bob, "/groups/team"); !slices.Equal(got, []string{"/groups/team/d/", "/groups/team/d/bobs/", "/groups/team/d/bobs/empty/", "/groups/team/d/bobs/f bob's"}) {
		t.Errorf("%q", got)
	}
	// In a sticky folder only the owner of either takes an entry.
	no(t, bob.Chmod(ctx, "/groups/team/d/bobs", 0o771))
	w.sticky("groups/team/d/bobs")
	put(t, alice, "/groups/team/d/bobs/mine", "alice's")
	want(t, "sticky", alice.RemoveAll(ctx, "/groups/team/d"), fs.ErrPermission)
	if got := below(t, bob, "/groups/team/d"); !slices.Equal(got, []string{"/groups/team/d/bobs/", "/groups/team/d/bobs/empty/", "/groups/team/d/bobs/f bob's"}) {
		t.Errorf("%q", got)
	}
	// An empty folder of another goes, though it cannot be listed, as with rmdir.
	no(t, bob.Mkdir(ctx, "/groups/team/shut"))
	no(t, bob.Chmod(ctx, "/groups/team/shut", 0o700))
	no(t, alice.RemoveAll(ctx, "/groups/team/shut"))

	// A file that is being appended to stays.
	put(t, alice, "/x/../log", "log")
	no(t, alice.Mkdir(ctx, "/x"))
	no(t, alice.Rename(ctx, "/log", "/x/log"))
	put(t, alice, "/x/other", "o")
	u := create(t, alice, "/x/log", files.UploadOptions{Append: true, Size: -1})
	want(t, "busy", alice.RemoveAll(ctx, "/x"), files.ErrBusy)
	if got := names(t, alice, "/x"); !slices.Equal(got, []string{"log"}) {
		t.Errorf("%v", got)
	}
	_, err = u.Commit(ctx)
	no(t, err)
	mkfifo(t, filepath.Join(w.path("home/alice"), "x/pipe"))
	want(t, "what cannot be named", alice.RemoveAll(ctx, "/x"), files.ErrNotEmpty)
}

// TestRemoveAllHidden: a folder with something hidden in it stays as it is.
func TestRemoveAllHidden(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	no(t, w.alice().MkdirAll(ctx, "/a/secret"))
	put(t, w.alice(), "/a/secret/f", "x")
	put(t, w.alice(), "/a/open", "o")
	tree := openWorld(t, w.dir, func(o *files.Options) { o.Policy = rules{"/home/alice/a/secret"} }).alice()
	want(t, "guarded", tree.RemoveAll(ctx, "/a"), fs.ErrPermission)
	if got := below(t, w.alice(), "/a"); !slices.Equal(got, []string{"/a/open o", "/a/secret/", "/a/secret/f x"}) {
		t.Errorf("%q", got)
	}
	// A policy that cannot list its rules is asked at every name.
	tree = openWorld(t, w.dir, func(o *files.Options) { o.Policy = hidden{"/home/alice/a/secret"} }).alice()
	err := tree.RemoveAll(ctx, "/a")
	want(t, "hidden", err, fs.ErrPermission)
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error names what is hidden: %v", err)
	}
	if got := below(t, w.alice(), "/a"); !slices.Equal(got, []string{"/a/secret/", "/a/secret/f x"}) {
		t.Errorf("%q", got)
	}
}

// TestRemoveAllOfADeepTree: a tree deeper than any path goes, with few descriptors.
func TestRemoveAllOfADeepTree(t *testing.T) {
	const levels = 2000
	w := newWorld(t)
	tree := w.alice()
	no(t, os.MkdirAll(w.path("home/alice/top"), 0o700))
	at, err := unix.Open(w.path("home/alice/top"), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	no(t, err)
	for range levels {
		no(t, unix.Mkdirat(at, "a", 0o700))
		no(t, unix.Mkdirat(at, "b", 0o700))
		next, err := unix.Openat(at, "b", unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		no(t, err)
		_ = unix.Close(at)
		at = next
	}
	_ = unix.Close(at)
	before := descriptors(t)
	most := 0
	w.on = func(files.Changed) {
		if n := len(w.seen); n%500 == 0 {
			most = max(most, descriptors(t))
		}
	}
	no(t, tree.RemoveAll(t.Context(), "/top"))
	if exists(w.path("home/alice/top")) {
		t.Error("it is still there")
	}
	if most == 0 || most > before+200 {
		t.Errorf("%d descriptors, %d before", most, before)
	}
	noMore(t, before)
	if _, n := w.s.UsageOf("example.org/home/alice"); n != 0 {
		t.Errorf("%d entries are counted", n)
	}
}

// TestRemoveAllSwapRace exchanges a folder for a link to another home while trees are removed and
// copied.
func TestRemoveAllSwapRace(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser))
	put(t, bob, "/f", "bob's")
	tree := w.alice()
	home := w.path("home/alice")
	no(t, tree.Mkdir(ctx, "/t"))
	stop, done := make(chan struct{}), make(chan struct{})
	no(t, os.Symlink("../../bob", filepath.Join(home, "link")))
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(filepath.Join(home, "t/d"), filepath.Join(home, "away"))
			_ = os.Rename(filepath.Join(home, "link"), filepath.Join(home, "t/d"))
			_ = os.Rename(filepath.Join(home, "t/d"), filepath.Join(home, "link"))
			_ = os.Rename(filepath.Join(home, "away"), filepath.Join(home, "t/d"))
		}
	}()
	for range 500 {
		_ = tree.MkdirAll(ctx, "/t/d/e")
		_, _ = try(t, tree, "/t/d/f", "mine")
		if err := tree.Copy(ctx, "/t", "/copy", files.CopyOptions{Deep: true}); err == nil {
			if f, err := tree.Open(ctx, "/copy/d/f"); err == nil {
				if f.Info().Size != 4 {
					t.Fatalf("copied %d bytes", f.Info().Size)
				}
				_ = f.Close()
			}
		}
		_ = tree.RemoveAll(ctx, "/copy")
		_ = tree.RemoveAll(ctx, "/t/d")
	}
	close(stop)
	<-done
	if get(t, bob, "/f") != "bob's" {
		t.Error("bob's file was changed")
	}
	if got := names(t, bob, "/"); !slices.Equal(got, []string{"f", "pub"}) {
		t.Errorf("bob's home: %v", got)
	}
}

// TestAllOfOthers: the operations on trees as an attacker would use them.
func TestAllOfOthers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	no(t, bob.MkdirAll(ctx, "/d/e"))
	put(t, bob, "/d/f", "bob's")
	staff := w.s.ViewOf(session("staff", 10004, identity.LevelStaff))
	no(t, staff.MkdirAll(ctx, "/pub/d"))
	put(t, staff, "/pub/d/f", "public")
	alice := session("alice", aliceUID, identity.LevelUser)
	put(t, w.s.ViewOf(alice), "/in/../f", "f")
	no(t, w.s.ViewOf(alice).MkdirAll(ctx, "/in/d"))
	put(t, w.s.ViewOf(alice), "/in/f", "f")
	bound := session("alice", aliceUID, identity.LevelUser)
	bound.c.Grant = &identity.Grant{Files: identity.FilesWrite, Path: "/home/alice/in"}
	reader := session("alice", aliceUID, identity.LevelUser)
	reader.c.Grant = &identity.Grant{Files: identity.FilesRead}
	writer := session("alice", aliceUID, identity.LevelUser)
	writer.c.Grant = &identity.Grant{Files: identity.FilesNone}
	ended := session("alice", aliceUID, identity.LevelUser)
	close(ended.ended)
	anon := anonymous("1-x")
	for _, tt := range []struct {
		name string
		who  *someone
		op   string
		a, b string
		err  error
	}{
		{"another's home", alice, "copy", "/home/bob/d", "/x", fs.ErrNotExist},
		{"another's home", alice, "copy", "/../bob/d", "/x", fs.ErrNotExist},
		{"another's home", alice, "rm", "/home/bob/d", "", fs.ErrNotExist},
		{"a group of others", alice, "copy", "/groups/team", "/x", fs.ErrNotExist},
		{"into a group of others", alice, "copy", "/in", "/groups/team/x", fs.ErrNotExist},
		{"mkdir in a group of others", alice, "mkdir", "/groups/team/x", "", fs.ErrNotExist},
		{"what is public", alice, "rm", "/pub/d", "", fs.ErrPermission},
		{"into what is public", alice, "copy", "/in", "/pub/in", fs.ErrPermission},
		{"out of the bound", bound, "copy", "/in", "/x", fs.ErrNotExist},
		{"from outside of the bound", bound, "copy", "/f", "/in/x", fs.ErrNotExist},
		{"the bound's parent", bound, "rm", "/", "", fs.ErrPermission},
		{"outside of the bound", bound, "rm", "/f", "", fs.ErrNotExist},
		{"the bound itself", bound, "mkdir", "/x/y", "", fs.ErrNotExist},
		{"a token that reads", reader, "copy", "/in", "/x", fs.ErrPermission},
		{"a token that reads", reader, "rm", "/in", "", fs.ErrPermission},
		{"a token that reads", reader, "mkdir", "/x/y", "", fs.ErrPermission},
		{"a token without files", writer, "copy", "/in", "/x", fs.ErrPermission},
		{"a token without files", writer, "rm", "/in", "", fs.ErrPermission},
		{"an ended session", ended, "copy", "/in", "/x", identity.ErrEnded},
		{"an ended session", ended, "rm", "/in", "", identity.ErrEnded},
		{"an ended session", ended, "mkdir", "/x/y", "", identity.ErrEnded},
		{"anonymous", anon, "copy", "/pub/d", "/pub/e", fs.ErrPermission},
		{"anonymous", anon, "copy", "/pub/d", "/x", fs.ErrNotExist},
		{"anonymous", anon, "rm", "/pub/d", "", fs.ErrPermission},
		{"anonymous", anon, "rm", "/", "", fs.ErrPermission},
		{"anonymous", anon, "mkdir", "/pub/x/y", "", fs.ErrPermission},
		{"anonymous", anon, "mkdir", "/x/y", "", fs.ErrNotExist},
	} {
		t.Run(tt.name+" "+tt.op, func(t *testing.T) {
			tree := w.s.ViewOf(tt.who)
			var err error
			switch tt.op {
			case "copy":
				err = tree.Copy(ctx, tt.a, tt.b, files.CopyOptions{Over: true, Deep: true})
			case "rm":
				err = tree.RemoveAll(ctx, tt.a)
			case "mkdir":
				err = tree.MkdirAll(ctx, tt.a)
			}
			want(t, tt.a, err, tt.err)
		})
	}
	no(t, w.s.ViewOf(bound).Copy(ctx, "/in/f", "/in/g", files.CopyOptions{}))
	no(t, w.s.ViewOf(bound).RemoveAll(ctx, "/in/d"))
	if got := below(t, w.s.ViewOf(alice), "/in"); !slices.Equal(got, []string{"/in/f f", "/in/g f"}) {
		t.Errorf("%q", got)
	}
	if got := below(t, bob, "/d"); !slices.Equal(got, []string{"/d/e/", "/d/f bob's"}) {
		t.Errorf("%q", got)
	}
}

// directory is a Names for tests.
type directory struct{}

func (directory) UserName(uint32) string  { return "" }
func (directory) GroupName(uint32) string { return "" }
func (directory) FindUser(domain, name string) (uint32, bool) {
	return bobUID, domain == "example.org" && name == "bob"
}
func (directory) FindGroup(_, name string) (uint32, bool) { return 777, name == "staff" }

func TestFind(t *testing.T) {
	w := newWorld(t, func(o *files.Options) { o.Names = directory{} })
	user := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	root := w.s.ViewOf(session("root", 1, identity.LevelRoot))
	for _, tt := range []struct {
		tree  *files.Tree
		group bool
		name  string
		id    uint32
		ok    bool
	}{
		{user, false, "alice", aliceUID, true}, {user, false, "bob", 0, false}, {user, false, "4711", 4711, true},
		{user, false, "", 0, false}, {user, false, "4294967295", 0, false}, {user, false, "-1", 0, false},
		{user, true, "team", teamGID, true}, {user, true, "alice", aliceUID, true}, {user, true, "staff", 0, false},
		{root, false, "bob", bobUID, true}, {root, false, "nobody", 0, false}, {root, true, "staff", 777, true},
		{root, true, "12", 12, true},
	} {
		find := tt.tree.FindUser
		if tt.group {
			find = tt.tree.FindGroup
		}
		if id, ok := find(t.Context(), tt.name); ok != tt.ok || ok && id != tt.id {
			t.Errorf("%q: %d, %v", tt.name, id, ok)
		}
	}
}
