package files_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"trivium/files"
	"trivium/identity"
)

func TestViews(t *testing.T) {
	w := newWorld(t)
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	carol := w.s.ViewOf(session("carol", 10003, identity.LevelUser))
	staff := w.s.ViewOf(session("staff", 10004, identity.LevelStaff))
	anon := w.s.ViewOf(anonymous("1-x"))
	put(t, alice, "/a.txt", "mine")
	put(t, alice, "/zz.txt", "mine")
	put(t, alice, "/groups/team/t.txt", "ours")
	put(t, staff, "/pub/p.txt", "all's")

	if got := names(t, alice, "/"); !slices.Equal(got, []string{"a.txt", "groups", "pub", "zz.txt"}) {
		t.Errorf("alice's /: %v", got)
	}
	if got := names(t, carol, "/"); !slices.Equal(got, []string{"pub"}) {
		t.Errorf("carol's /: %v", got)
	}
	if got := names(t, anon, "/"); !slices.Equal(got, []string{"pub"}) {
		t.Errorf("anonymous /: %v", got)
	}
	if got := names(t, bob, "/groups"); !slices.Equal(got, []string{"team"}) {
		t.Errorf("bob's /groups: %v", got)
	}
	if get(t, bob, "/groups/team/t.txt") != "ours" || get(t, anon, "/pub/p.txt") != "all's" {
		t.Error("wrong content")
	}
	i, err := bob.Stat(t.Context(), "/groups/team/t.txt")
	no(t, err)
	if i.UID != aliceUID || i.GID != teamGID || i.Mode != 0o660 || i.Group != "team" || i.Owner != "10001" {
		t.Errorf("group file: %+v", i)
	}
	for _, tree := range map[string]*files.Tree{"carol": carol, "anon": anon} {
		for _, p := range []string{"/groups", "/groups/team", "/groups/team/t.txt", "/home/alice/a.txt", "/groups/nosuch"} {
			_, err := tree.Stat(t.Context(), p)
			want(t, p, err, fs.ErrNotExist)
		}
	}
	_, err = try(t, carol, "/pub/x", "")
	want(t, "carol writes to pub", err, fs.ErrPermission)
	_, err = try(t, anon, "/pub/x", "")
	want(t, "anonymous writes to pub", err, fs.ErrPermission)
	_, err = try(t, anon, "/x", "")
	want(t, "anonymous writes to /", err, fs.ErrNotExist)
	for _, p := range []string{"/groups", "/pub", "/groups/team"} {
		want(t, "rmdir "+p, alice.RemoveDir(t.Context(), p), fs.ErrPermission)
		want(t, "mkdir "+p, alice.Mkdir(t.Context(), p), fs.ErrExist)
		want(t, "rename "+p, alice.Rename(t.Context(), p, "/moved"), fs.ErrPermission)
	}
	want(t, "a new mount", alice.Mkdir(t.Context(), "/groups/new"), fs.ErrNotExist)

	// On disk: plain files under their own names, no exec bits, homes closed to all others.
	b, err := os.ReadFile(w.path("home/alice/a.txt"))
	if err != nil || string(b) != "mine" {
		t.Errorf("on disk: %q, %v", b, err)
	}
	i, err = alice.Stat(t.Context(), "/")
	if err != nil || i.Mode.Perm() != 0o700 || i.UID != aliceUID || i.Owner != "alice" {
		t.Errorf("home: %+v %v", i, err)
	}
	if i, _ = alice.Stat(t.Context(), "/a.txt"); i.Mode != 0o640 {
		t.Errorf("file mode %v", i.Mode)
	}
}

func TestSessionCounts(t *testing.T) {
	w := newWorld(t)
	who := session("alice", aliceUID, identity.LevelUser)
	tree := w.s.ViewOf(who)
	_, err := tree.Stat(t.Context(), "/groups/team")
	want(t, "before", err, fs.ErrNotExist)
	who.change(func(c *identity.Credentials) { c.Groups, c.GIDs = []string{"team"}, []uint32{teamGID} })
	put(t, tree, "/groups/team/a", "x") // a refresh counts at once

	u, err := tree.Create(t.Context(), "/late", files.UploadOptions{Size: -1})
	no(t, err)
	_, err = u.Write([]byte("abc"))
	no(t, err)
	close(who.ended)
	_, err = u.Commit(t.Context())
	want(t, "commit after the end", err, identity.ErrEnded)
	no(t, u.Suspend())
	_, err = tree.Stat(t.Context(), "/")
	want(t, "stat after the end", err, identity.ErrEnded)
	if exists(w.path("home/alice/late")) {
		t.Error("the upload of an ended session appeared")
	}
	none := session("alice", aliceUID, identity.LevelUser)
	none.none = true
	_, err = w.s.ViewOf(none).Stat(t.Context(), "/")
	want(t, "before the log-in", err, fs.ErrPermission)
	if a := w.s.ViewOf(none).Access(files.Info{}); a != (files.Access{}) {
		t.Errorf("access before the log-in: %+v", a)
	}
}

// hidden is a policy that lets nobody see some paths.
type hidden []string

func (h hidden) Allowed(_ *identity.Session, r identity.Resource) bool {
	return !slices.Contains(h, strings.TrimPrefix(string(r), "file:"))
}

func TestHiddenByLevel(t *testing.T) {
	w := newWorld(t)
	put(t, w.alice(), "/open", "o")
	no(t, w.alice().Mkdir(t.Context(), "/secret"))
	put(t, w.alice(), "/secret/f", "s")
	no(t, w.alice().Symlink(t.Context(), "secret", "/link"))
	put(t, w.alice(), "/groups-not", "")

	low := openWorld(t, w.dir, func(o *files.Options) { o.Policy = hidden{"/home/alice/secret"} }).alice()
	if got := names(t, low, "/"); slices.Contains(got, "secret") {
		t.Errorf("listed: %v", got)
	}
	absent := func(p string) error { _, err := low.Stat(t.Context(), p); return err }
	for _, p := range []string{"/secret", "/secret/f", "/link", "/link/f", "/absent", "/absent/f"} {
		want(t, p, absent(p), fs.ErrNotExist)
	}
	// Word for word the same as what is not there.
	a, b := absent("/secret").Error(), absent("/absent").Error()
	if strings.ReplaceAll(a, "secret", "absent") != b {
		t.Errorf("%q and %q differ", a, b)
	}
	for name, fn := range map[string]func(p string) error{
		"mkdir":  func(p string) error { return low.Mkdir(t.Context(), p+"/d") },
		"remove": func(p string) error { return low.Remove(t.Context(), p+"/f") },
		"rmdir":  func(p string) error { return low.RemoveDir(t.Context(), p) },
		"rename": func(p string) error { return low.Rename(t.Context(), p, "/x") },
		"chmod":  func(p string) error { return low.Chmod(t.Context(), p, 0o777) },
		"put":    func(p string) error { _, err := try(t, low, p+"/n", ""); return err },
	} {
		want(t, name+" hidden", fn("/secret"), fs.ErrNotExist)
		want(t, name+" absent", fn("/absent"), fs.ErrNotExist)
	}
	want(t, "rename onto", low.Rename(t.Context(), "/open", "/secret"), fs.ErrNotExist)
	none := openWorld(t, w.dir, func(o *files.Options) { o.Policy = hidden{"/home/alice", "/pub"} }).alice()
	_, err := none.Stat(t.Context(), "/")
	want(t, "hidden home", err, fs.ErrNotExist)
}

func TestChanges(t *testing.T) {
	w := newWorld(t)
	tree, ctx := w.alice(), t.Context()
	no(t, tree.Mkdir(ctx, "/d"))
	want(t, "again", tree.Mkdir(ctx, "/d"), fs.ErrExist)
	put(t, tree, "/d/a", "one")
	put(t, tree, "/d/b", "three")
	want(t, "not empty", tree.RemoveDir(ctx, "/d"), files.ErrNotEmpty)
	want(t, "remove a folder", tree.Remove(ctx, "/d"), files.ErrIsDir)
	want(t, "rmdir a file", tree.RemoveDir(ctx, "/d/a"), files.ErrNotDir)
	want(t, "a file as folder", tree.Mkdir(ctx, "/d/a/x"), files.ErrNotDir)
	_, err := tree.Open(ctx, "/d")
	want(t, "open a folder", err, files.ErrIsDir)
	_, err = try(t, tree, "/d", "")
	want(t, "store on a folder", err, files.ErrIsDir)
	_, err = try(t, tree, "/nosuch/x", "")
	want(t, "store in nothing", err, fs.ErrNotExist)
	want(t, "list a file", tree.ReadDir(ctx, "/d/a", nil), files.ErrNotDir)

	no(t, tree.Rename(ctx, "/d/a", "/d/b")) // takes its place
	if get(t, tree, "/d/b") != "one" || used(t, tree) != 3 {
		t.Errorf("after the rename: %q, %d", get(t, tree, "/d/b"), used(t, tree))
	}
	no(t, tree.Mkdir(ctx, "/e"))
	want(t, "folder on folder", tree.Rename(ctx, "/d", "/e"), fs.ErrExist)
	want(t, "file on folder", tree.Rename(ctx, "/d/b", "/e"), files.ErrIsDir)
	want(t, "folder into itself", tree.Rename(ctx, "/d", "/d/x"), files.ErrUnsupported)
	want(t, "rename nothing", tree.Rename(ctx, "/nosuch", "/x"), fs.ErrNotExist)
	no(t, tree.Rename(ctx, "/d", "/d2"))
	no(t, tree.Rename(ctx, "/d2/b", "/d2/b"))
	no(t, tree.Chtimes(ctx, "/d2/b", past))
	if i, _ := tree.Stat(ctx, "/d2/b"); !i.ModTime.Equal(past) {
		t.Errorf("mtime %v", i.ModTime)
	}
	no(t, tree.Chmod(ctx, "/d2/b", 0o4755|fs.ModeSetuid))
	if i, _ := tree.Stat(ctx, "/d2/b"); i.Mode != 0o755 {
		t.Errorf("mode %v", i.Mode)
	}
	no(t, tree.Chmod(ctx, "/d2", 0o500))
	_, err = try(t, tree, "/d2/new", "")
	want(t, "store in a folder without w", err, fs.ErrPermission)
	want(t, "remove from it", tree.Remove(ctx, "/d2/b"), fs.ErrPermission)
	no(t, tree.Chmod(ctx, "/d2", 0o600))
	_, err = tree.Stat(ctx, "/d2/b")
	want(t, "a folder without x", err, fs.ErrPermission)
	no(t, tree.Chmod(ctx, "/d2", 0o700))
	no(t, tree.Remove(ctx, "/d2/b"))
	no(t, tree.RemoveDir(ctx, "/d2"))
	if used(t, tree) != 0 {
		t.Errorf("used %d", used(t, tree))
	}
	got := w.events()
	for _, e := range []string{"mkdir /home/alice/d 0", "store /home/alice/d/b 5", "rename /home/alice/d/b 3", "attr /home/alice/d2/b 3", "remove /home/alice/d2/b 3", "rmdir /home/alice/d2 0"} {
		if !slices.Contains(got, e) && !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, e[:len(e)-1]) }) {
			t.Errorf("no event %q in %q", e, got)
		}
	}
}

func TestOwnership(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	root := w.s.ViewOf(session("root", 10009, identity.LevelRoot, "team"))
	put(t, alice, "/groups/team/a", "a")
	put(t, bob, "/groups/team/a", "replaced by bob") // 0660
	i, _ := bob.Stat(ctx, "/groups/team/a")
	if i.UID != aliceUID {
		t.Errorf("a replaced file keeps its owner: %d", i.UID)
	}
	want(t, "bob chmods alice's", bob.Chmod(ctx, "/groups/team/a", 0o600), fs.ErrPermission)
	no(t, alice.Chmod(ctx, "/groups/team/a", 0o600))
	_, err := bob.Open(ctx, "/groups/team/a")
	want(t, "bob reads what alice closed", err, fs.ErrPermission)
	_, err = try(t, bob, "/groups/team/a", "")
	want(t, "bob replaces what alice closed", err, fs.ErrPermission)
	other := uint32(4711)
	want(t, "alice gives it to a group not hers", alice.Chown(ctx, "/groups/team/a", nil, &other), fs.ErrPermission)
	want(t, "alice gives it away", alice.Chown(ctx, "/groups/team/a", &other, nil), fs.ErrPermission)
	mine := uint32(aliceUID)
	no(t, alice.Chown(ctx, "/groups/team/a", nil, &mine))
	no(t, root.Chown(ctx, "/groups/team/a", &other, &other))
	if i, _ = root.Stat(ctx, "/groups/team/a"); i.UID != other || i.GID != other || i.Mode != 0o600 {
		t.Errorf("after chown: %+v", i)
	}
	if get(t, root, "/groups/team/a") != "replaced by bob" {
		t.Error("root reads what its mounts show")
	}
	_, err = root.Stat(ctx, "/home/alice")
	want(t, "root in another's home", err, fs.ErrNotExist)

	// A sub-folder hands on the group and its setgid bit; sticky keeps others' hands off.
	no(t, alice.Mkdir(ctx, "/groups/team/sub"))
	i, _ = alice.Stat(ctx, "/groups/team/sub")
	if i.GID != teamGID || i.Mode != fs.ModeDir|fs.ModeSetgid|0o770 {
		t.Errorf("sub: %v %d", i.Mode, i.GID)
	}
	put(t, bob, "/groups/team/sub/b", "b")
	no(t, alice.Remove(ctx, "/groups/team/sub/b"))

	// What is kept outlives the server, the listing tells the same as the stat.
	again := openWorld(t, w.dir)
	tree := again.s.ViewOf(session("root", 10009, identity.LevelRoot, "team"))
	err = tree.ReadDir(ctx, "/groups/team", func(e files.Info) error {
		i, err := tree.Stat(ctx, e.Path)
		if err != nil || i.UID != e.UID || i.GID != e.GID || i.Mode != e.Mode || i.Unique != e.Unique {
			return fmt.Errorf("%+v is not %+v (%v)", e, i, err)
		}
		return nil
	})
	no(t, err)
	if i, _ = tree.Stat(ctx, "/groups/team/a"); i.UID != other {
		t.Errorf("forgotten: %+v", i)
	}
}

func TestAccess(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	alice, anon := w.alice(), w.s.ViewOf(anonymous("1-a"))
	put(t, w.s.ViewOf(session("s", 10007, identity.LevelStaff)), "/pub/f", "x")
	put(t, alice, "/f", "x")
	reader := session("alice", aliceUID, identity.LevelUser)
	reader.c.Grant = &identity.Grant{Files: identity.FilesRead}
	for _, tt := range []struct {
		name string
		tree *files.Tree
		path string
		want files.Access
	}{
		{"own file", alice, "/f", files.Access{Delete: true, Rename: true, Read: true, Write: true, Append: true}},
		{"own home", alice, "/", files.Access{List: true, Enter: true, Create: true, Mkdir: true, Purge: true}},
		{"public file", anon, "/pub/f", files.Access{Read: true}},
		{"public folder", anon, "/pub", files.Access{List: true, Enter: true}},
		{"folder of mounts", anon, "/", files.Access{List: true, Enter: true}},
		{"read token", w.s.ViewOf(reader), "/f", files.Access{Read: true}},
		{"read token, folder", w.s.ViewOf(reader), "/", files.Access{List: true, Enter: true}},
	} {
		i, err := tt.tree.Stat(ctx, tt.path)
		no(t, err)
		if got := tt.tree.Access(i); got != tt.want {
			t.Errorf("%s: %+v; want %+v", tt.name, got, tt.want)
		}
	}
}

func TestTokenPath(t *testing.T) {
	w := newWorld(t)
	alice := w.alice()
	no(t, alice.Mkdir(t.Context(), "/in"))
	put(t, alice, "/in/f", "x")
	put(t, alice, "/out", "x")
	no(t, alice.Symlink(t.Context(), "../out", "/in/leak"))
	who := session("alice", aliceUID, identity.LevelUser)
	who.c.Grant = &identity.Grant{Files: identity.FilesWrite, Path: "/home/alice/in"}
	tree := w.s.ViewOf(who)
	if got := names(t, tree, "/"); !slices.Equal(got, []string{"in"}) {
		t.Errorf("/: %v", got)
	}
	put(t, tree, "/in/g", "y")
	for _, p := range []string{"/out", "/in/leak", "/pub", "/new"} {
		_, err := tree.Open(t.Context(), p)
		want(t, p, err, fs.ErrNotExist)
	}
	_, err := try(t, tree, "/new", "")
	want(t, "put outside", err, fs.ErrNotExist)
	want(t, "rename outside", tree.Rename(t.Context(), "/in/f", "/f"), fs.ErrNotExist)
	want(t, "remove the bound itself", tree.RemoveDir(t.Context(), "/in"), files.ErrNotEmpty)
}

func TestCrossMounts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	put(t, alice, "/f", "12345")
	no(t, alice.Mkdir(ctx, "/d"))
	want(t, "a folder", alice.Rename(ctx, "/d", "/groups/team/d"), files.ErrUnsupported)
	no(t, alice.Rename(ctx, "/f", "/groups/team/f"))
	if used(t, alice) != 0 {
		t.Errorf("still charged: %d", used(t, alice))
	}
	if n, e := w.s.UsageOf("example.org/groups/team"); n != 5 || e != 1 {
		t.Errorf("the group is charged %d, %d", n, e)
	}
	i, err := bob.Stat(ctx, "/groups/team/f")
	no(t, err)
	if i.UID != aliceUID || i.GID != teamGID || i.Mode != 0o660 {
		t.Errorf("moved: %+v", i)
	}
}

func TestManyEntries(t *testing.T) {
	w := newWorld(t)
	put(t, w.alice(), "/seed", "")
	const n = 10_000
	for i := range n {
		f, err := os.Create(w.path(fmt.Sprintf("home/alice/%05d", i)))
		no(t, err)
		_ = f.Close()
	}
	seen, last := 0, ""
	err := w.alice().ReadDir(t.Context(), "/", func(i files.Info) error {
		if i.Name <= last {
			return fmt.Errorf("%q after %q", i.Name, last)
		}
		last = i.Name
		seen++
		return nil
	})
	if err != nil || seen != n+2 { // seed and pub
		t.Errorf("%d entries, %v", seen, err)
	}
	stop, calls := fmt.Errorf("enough"), 0
	err = w.alice().ReadDir(t.Context(), "/", func(files.Info) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Errorf("stopped after %d: %v", calls, err)
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	tree := w.alice()
	for _, p := range []string{"/a\nb", "/a\rb", "/a\x00b", "/\xff\xfe", "/" + strings.Repeat("n", 256)} {
		_, err := try(t, tree, p, "")
		want(t, fmt.Sprintf("%q", p), err, files.ErrName)
		want(t, fmt.Sprintf("mkdir %q", p), tree.Mkdir(t.Context(), p), files.ErrName)
	}
	good := []string{"ä", "日本語", "a b", "👩‍👩‍👧", "-rf", "...", "a;b|c", "é"}
	for _, n := range good {
		put(t, tree, "/"+n, n)
		if get(t, tree, "/"+n) != n {
			t.Errorf("%q", n)
		}
	}
	// A name that no client can say, made by another hand, is not shown.
	no(t, os.WriteFile(w.path("home/alice/x\ny"), nil, 0o600))
	no(t, os.WriteFile(w.path("home/alice/\xff"), nil, 0o600))
	if got := names(t, tree, "/"); len(got) != len(good)+1 {
		t.Errorf("%q", got)
	}
	// The store's own name does not exist.
	u, err := tree.Create(t.Context(), "/part", files.UploadOptions{Size: -1})
	no(t, err)
	defer u.Discard()
	if !exists(w.path("home/alice/.trivium")) {
		t.Fatal("where are the parts?")
	}
	for _, p := range []string{"/.trivium", "/.trivium/parts", "/x/../.trivium"} {
		_, err = tree.Stat(t.Context(), p)
		want(t, "stat "+p, err, fs.ErrNotExist)
	}
	want(t, "mkdir", tree.Mkdir(t.Context(), "/.trivium"), files.ErrName)
	_, err = try(t, tree, "/.trivium", "")
	want(t, "put", err, files.ErrName)
	_, err = try(t, tree, "/.trivium/parts/x", "")
	want(t, "put below", err, fs.ErrNotExist)
	want(t, "rename to it", tree.Rename(t.Context(), "/ä", "/.trivium"), files.ErrName)
	want(t, "rename it", tree.Rename(t.Context(), "/.trivium", "/x"), fs.ErrNotExist)
	no(t, tree.Symlink(t.Context(), ".trivium/parts", "/sneak"))
	want(t, "through a link", tree.ReadDir(t.Context(), "/sneak", nil), fs.ErrNotExist)
}
