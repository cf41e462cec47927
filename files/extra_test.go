package files_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trivium/files"
	"trivium/files/local"
	"trivium/identity"
)

// mounted is a mount on a folder of its own, changed by with.
func mounted(t *testing.T, p string, with func(*files.Mount)) func(*files.Options) {
	t.Helper()
	m := files.Mount{Path: p, Mode: 0o755, Mask: 0o022, Level: identity.LevelLoggedIn}
	if with != nil {
		with(&m)
	}
	if m.Backend == nil {
		m.Backend = single(t, t.TempDir(), p, m.ReadOnly)
	}
	return func(o *files.Options) { o.Mounts = append(o.Mounts, m) }
}

func single(t *testing.T, dir, p string, readOnly bool) *local.Store {
	t.Helper()
	store, err := local.OpenTree(dir, files.MountKey(p), local.Options{ReadOnly: readOnly})
	no(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func TestMounts(t *testing.T) {
	media := t.TempDir()
	no(t, os.WriteFile(filepath.Join(media, "by hand"), []byte("here"), 0o644))
	w := newWorld(t, func(o *files.Options) { o.Names = directory{} },
		mounted(t, "/media", func(m *files.Mount) {
			m.Backend = single(t, media, "/media", false)
			m.Owner, m.Group, m.Mode, m.Mask = "bob", "staff", 0o775|fs.ModeSetgid, 0o002
		}),
		mounted(t, "/archive/old", func(m *files.Mount) { m.ReadOnly, m.Anonymous = true, true }),
		mounted(t, "/archive/club", func(m *files.Mount) { m.Groups = []string{"staff", "nosuch"} }),
		mounted(t, "/high", func(m *files.Mount) { m.Level = identity.LevelStaff }),
	)
	ctx := t.Context()
	alice := w.alice()
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser))
	club := session("carol", 10003, identity.LevelUser)
	club.c.Groups, club.c.GIDs = []string{"staff"}, []uint32{777}
	carol := w.s.ViewOf(club)
	staff := w.s.ViewOf(session("dave", 10004, identity.LevelStaff))
	anon := w.s.ViewOf(anonymous("1-x"))
	put(t, alice, "/note", "n")
	for _, tt := range []struct {
		name  string
		tree  *files.Tree
		top   string
		inner string
	}{
		{"alice", alice, "archive media note pub", "old"}, {"carol", carol, "archive groups media pub", "club old"},
		{"staff", staff, "archive high media pub", "old"}, {"anonymous", anon, "archive pub", "old"},
	} {
		if got := strings.Join(names(t, tt.tree, "/"), " "); got != tt.top {
			t.Errorf("%s sees %s", tt.name, got)
		}
		if got := strings.Join(names(t, tt.tree, "/archive"), " "); got != tt.inner {
			t.Errorf("%s sees %s in /archive", tt.name, got)
		}
	}
	// What is hidden is absent.
	for _, p := range []string{"/archive/club", "/archive/club/x", "/archive/none", "/high", "/high/x", "/archive/clubs"} {
		_, err := alice.Stat(ctx, p)
		want(t, p, err, fs.ErrNotExist)
		_, err = try(t, alice, p, "x")
		want(t, "put "+p, err, fs.ErrNotExist)
	}
	for _, p := range []string{"/media", "/media/by hand"} {
		_, err := anon.Stat(ctx, p)
		want(t, p, err, fs.ErrNotExist)
	}
	i, err := alice.Stat(ctx, "/archive")
	if err != nil || !i.Dir || i.Name != "archive" || alice.Access(i).Create {
		t.Errorf("%+v, %v", i, err)
	}

	// Bits, owner and group are those of the settings.
	i, err = alice.Stat(ctx, "/media/by hand")
	if err != nil || i.UID != bobUID || i.GID != 777 || i.Mode != 0o664 || i.Path != "/media/by hand" {
		t.Errorf("%+v, %v", i, err)
	}
	_, err = try(t, alice, "/media/x", "x")
	want(t, "others do not write", err, fs.ErrPermission)
	no(t, carol.Mkdir(ctx, "/media/films"))
	put(t, carol, "/media/films/a", "carol's")
	i, err = bob.Stat(ctx, "/media/films/a")
	if err != nil || i.UID != 10003 || i.GID != 777 || i.Mode != 0o664 {
		t.Errorf("%+v, %v", i, err)
	}
	if i, _ = bob.Stat(ctx, "/media/films"); i.Mode != fs.ModeDir|fs.ModeSetgid|0o775 {
		t.Errorf("%+v", i)
	}
	put(t, bob, "/media/b", "bob's")
	if b, err := os.ReadFile(filepath.Join(media, "films/a")); err != nil || string(b) != "carol's" {
		t.Errorf("%q, %v", b, err)
	}
	if got := w.events(); !slices.Contains(got, "store /media/films/a 7") {
		t.Errorf("%q", got)
	}

	// Nobody changes what is read only.
	root := w.s.ViewOf(session("root", 1, identity.LevelRoot))
	for name, err := range map[string]error{
		"mkdir": root.Mkdir(ctx, "/archive/old/x"), "link": root.Symlink(ctx, "x", "/archive/old/x"),
		"into it": root.Copy(ctx, "/media/b", "/archive/old/b", files.CopyOptions{}), "chmod": root.Chmod(ctx, "/archive/old", 0o777),
		"rename": root.Rename(ctx, "/media/b", "/archive/old/b"), "times": root.Chtimes(ctx, "/archive/old", past),
	} {
		want(t, name, err, fs.ErrPermission)
	}
	// Tops are nobody's to move or remove, and their names belong to no home.
	for _, p := range []string{"/media", "/archive", "/archive/old"} {
		want(t, "rmdir "+p, root.RemoveDir(ctx, p), fs.ErrPermission)
		want(t, "remove "+p, root.RemoveAll(ctx, p), fs.ErrPermission)
		want(t, "rename "+p, root.Rename(ctx, p, "/x"), fs.ErrPermission)
		want(t, "mkdir "+p, root.Mkdir(ctx, p), fs.ErrExist)
	}
	no(t, os.MkdirAll(w.path("home/alice/media"), 0o700))
	no(t, os.MkdirAll(w.path("home/alice/high"), 0o700))
	if got := strings.Join(names(t, alice, "/"), " "); got != "archive media note pub" {
		t.Errorf("with names of mounts in the home: %s", got)
	}

	// A token is bound to a canonical path, a rule hides one.
	bound := session("carol", 10003, identity.LevelUser)
	bound.c.Groups, bound.c.GIDs = []string{"staff"}, []uint32{777}
	bound.c.Grant = &identity.Grant{Files: identity.FilesWrite, Path: "/media/films"}
	tree := w.s.ViewOf(bound)
	if got := strings.Join(names(t, tree, "/media"), " "); got != "films" {
		t.Errorf("with a token: %s", got)
	}
	put(t, tree, "/media/films/b", "b")
	_, err = try(t, tree, "/media/b", "x")
	want(t, "outside of the token", err, fs.ErrNotExist)
}

// TestMountQuota: a mount has a count and limits of its own, in all domains together.
func TestMountQuota(t *testing.T) {
	w := newWorld(t, mounted(t, "/m", func(m *files.Mount) { m.Mode, m.QuotaBytes, m.QuotaFiles = 0o777, 10, 3 }))
	alice := w.alice()
	other := session("bob", bobUID, identity.LevelUser)
	other.c.Domain, other.c.User = "example.net", "bob@example.net"
	bob := w.s.ViewOf(other)
	put(t, alice, "/m/a", "12345")
	put(t, bob, "/m/b", "1234")
	_, err := try(t, bob, "/m/c", "123")
	want(t, "bytes", err, files.ErrQuota)
	no(t, bob.Mkdir(t.Context(), "/m/d"))
	want(t, "files", alice.Mkdir(t.Context(), "/m/e"), files.ErrQuota)
	q, err := alice.Quota(t.Context(), "/m/x")
	if err != nil || q.Bytes != 9 || q.LimitBytes != 10 || q.Files != 3 || q.LimitFiles != 3 {
		t.Errorf("%+v, %v", q, err)
	}
	if used(t, alice) != 0 {
		t.Error("the home was charged")
	}
	u, err := w.s.TreeUsage(t.Context(), files.MountKey("/m"))
	if err != nil || u.Bytes != 9 || u.LimitBytes != 10 || u.LimitFiles != 3 || u.Path != "/m" || u.Domain != "" || u.User != "" {
		t.Errorf("%+v, %v", u, err)
	}
	if n, err := w.s.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
}

// TestMountStays: no link leads out of a mount, and none from a home into it.
func TestMountStays(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	no(t, os.WriteFile(filepath.Join(out, "f"), []byte("out"), 0o644))
	no(t, os.Symlink(out, filepath.Join(dir, "abs")))
	rel, err := filepath.Rel(dir, out)
	no(t, err)
	no(t, os.Symlink(rel, filepath.Join(dir, "rel")))
	no(t, os.Symlink("..", filepath.Join(dir, "up")))
	w := newWorld(t, mounted(t, "/m", func(m *files.Mount) { m.Mode, m.Backend = 0o777, single(t, dir, "/m", false) }))
	alice := w.alice()
	for _, p := range []string{"/m/abs/f", "/m/rel/f", "/m/up/f", "/m/../m/abs", "/m/.trivium"} {
		_, err := alice.Stat(t.Context(), p)
		want(t, p, err, fs.ErrNotExist)
	}
	no(t, os.MkdirAll(w.path("home/alice"), 0o700))
	no(t, os.Symlink(dir, w.path("home/alice/l")))
	_, err = alice.Stat(t.Context(), "/l")
	want(t, "from the home", err, fs.ErrNotExist)
}

func TestRenameIntoAnotherStore(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "trivium-test")
	if err != nil {
		t.Skip("there is no second file system to go to: ", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := newWorld(t, mounted(t, "/m", func(m *files.Mount) { m.Mode, m.Backend = 0o777, single(t, dir, "/m", false) }))
	ctx := t.Context()
	alice := w.alice()
	no(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	put(t, alice, "/f", "content")
	no(t, alice.Chmod(ctx, "/f", 0o600))
	no(t, alice.Chtimes(ctx, "/f", past))
	before, err := alice.Stat(ctx, "/f")
	no(t, err)
	want(t, "over a folder", alice.Rename(ctx, "/f", "/m/d"), files.ErrIsDir)
	after, err := alice.Stat(ctx, "/f")
	if err != nil || after.Mode != before.Mode || after.UID != before.UID {
		t.Errorf("it was changed: %+v", after)
	}
	if err := alice.Rename(ctx, "/f", "/m/g"); err != nil {
		t.Fatal(err)
	}
	i, err := alice.Stat(ctx, "/m/g")
	if err != nil || i.Mode != 0o600 || i.UID != aliceUID || !i.ModTime.Equal(past) || get(t, alice, "/m/g") != "content" || exists(w.path("home/alice/f")) {
		t.Errorf("%+v, %v", i, err)
	}
	if used(t, alice) != 0 {
		t.Errorf("used %d", used(t, alice))
	}
	no(t, alice.Mkdir(ctx, "/x"))
	want(t, "a folder", alice.Rename(ctx, "/x", "/m/x"), files.ErrUnsupported)
}

func TestMountPaths(t *testing.T) {
	for _, p := range []string{"", "/", "media", "/a/b/c", "/groups", "/pub", "/home", "/home/x", "/groups/x", "/a/../b", "/a/", "//a", "/a\x00", "/.trivium"} {
		if files.CheckMountPath(p) == nil {
			t.Errorf("%q is a path for a mount", p)
		}
	}
	store, err := local.Open(t.TempDir())
	no(t, err)
	defer store.Close()
	for name, mounts := range map[string][]files.Mount{
		"nested": {{Path: "/a", Backend: store}, {Path: "/a/b", Backend: store}}, "twice": {{Path: "/a", Backend: store}, {Path: "/a", Backend: store}},
		"no store": {{Path: "/a"}}, "no path": {{Backend: store}},
	} {
		if _, err := files.New(files.Options{Backend: store, Domain: "example.org", Mounts: mounts}); err == nil {
			t.Error(name)
		}
	}
}
