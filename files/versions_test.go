package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"trivium/files"
	"trivium/identity"
)

func versions(t *testing.T, tree *files.Tree, p string) []files.Version {
	t.Helper()
	v, err := tree.Versions(t.Context(), p)
	no(t, err)
	return v
}

// contents reads all versions, the newest first.
func contents(t *testing.T, tree *files.Tree, p string) (out []string) {
	t.Helper()
	for _, v := range versions(t, tree, p) {
		f, err := tree.OpenVersion(t.Context(), p, v.ID)
		no(t, err)
		b, err := io.ReadAll(f)
		no(t, err)
		if i := f.Info(); i.Size != v.Size || int64(len(b)) != v.Size || i.Path != p {
			t.Errorf("%+v is %+v", v, i)
		}
		no(t, f.Close())
		out = append(out, string(b))
	}
	return out
}

func TestVersions(t *testing.T) {
	w := newBinWorld(t, files.TrashOff, 2)
	tree := w.alice()
	check := func(what, p string, want ...string) {
		t.Helper()
		if got := contents(t, tree, p); !slices.Equal(got, want) {
			t.Errorf("%s: %q; want %q", what, got, want)
		}
		recount(t, w.world, aliceKey)
	}
	no(t, tree.Mkdir(t.Context(), "/d"))
	put(t, tree, "/d/f", "one")
	check("new", "/d/f")
	no(t, tree.Chmod(t.Context(), "/d/f", 0o600))
	put(t, tree, "/d/f", "two")
	check("overwritten", "/d/f", "one")
	put(t, tree, "/d/f", "three")
	check("twice", "/d/f", "two", "one")
	put(t, tree, "/d/f", "four")
	check("the oldest goes", "/d/f", "three", "two")
	if n := used(t, tree); n != 4+5+3 {
		t.Errorf("used %d", n)
	}
	u := create(t, tree, "/d/f", files.UploadOptions{Append: true, Size: -1})
	write(t, u, "!")
	_, err := u.Commit(t.Context())
	no(t, err)
	check("appended to in place", "/d/f", "three", "two")

	v := versions(t, tree, "/d/f")
	if v[0].By != "alice" || v[0].Size != 5 || v[0].At.IsZero() || v[0].ModTime.IsZero() {
		t.Errorf("%+v", v[0])
	}
	no(t, tree.RestoreVersion(t.Context(), "/d/f", v[1].ID))
	if got := get(t, tree, "/d/f"); got != "two" {
		t.Errorf("restored: %q", got)
	}
	if i, err := tree.Stat(t.Context(), "/d/f"); err != nil || i.Mode.Perm() != 0o600 || i.UID != aliceUID {
		t.Errorf("%+v, %v", i, err)
	}
	check("the present became one", "/d/f", "four!", "three")
	want(t, "again", tree.RestoreVersion(t.Context(), "/d/f", v[1].ID), fs.ErrNotExist)

	no(t, tree.Rename(t.Context(), "/d/f", "/d/g"))
	check("renamed", "/d/g", "four!", "three")
	no(t, tree.Rename(t.Context(), "/d", "/e"))
	check("with its folder", "/e/g", "four!", "three")
	put(t, tree, "/h", "h")
	no(t, tree.Rename(t.Context(), "/h", "/e/g"))
	check("replaced by a rename", "/e/g", "two", "four!")
	no(t, tree.Copy(t.Context(), "/e/g", "/copy", files.CopyOptions{}))
	check("a copy has none", "/copy")

	no(t, tree.Remove(t.Context(), "/e/g"))
	_, err = tree.Versions(t.Context(), "/e/g")
	want(t, "removed", err, fs.ErrNotExist)
	put(t, tree, "/e/g", "new")
	check("a new file of the name", "/e/g")
	put(t, tree, "/empty", "")
	put(t, tree, "/empty", "x")
	check("nothing is kept of nothing", "/empty")
	if held := w.s.Held(); held != 0 {
		t.Errorf("%d locks are held", held)
	}
}

// TestVersionsAcrossTrees: they stay in their tree, and go with the file that leaves it.
func TestVersionsAcrossTrees(t *testing.T) {
	w := newBinWorld(t, files.TrashOff, 3)
	tree := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	put(t, tree, "/f", "one")
	put(t, tree, "/f", "two")
	put(t, tree, "/groups/team/f", "theirs")
	no(t, tree.Rename(t.Context(), "/f", "/groups/team/f"))
	if got := contents(t, tree, "/groups/team/f"); !slices.Equal(got, []string{"theirs"}) {
		t.Errorf("%q", got)
	}
	if n := used(t, tree); n != 0 {
		t.Errorf("used %d", n)
	}
	recount(t, w.world, aliceKey)
	recount(t, w.world, "example.org/groups/team")
}

// TestVersionsInTrash: they go into the trash with the file, or its folder, and come back.
func TestVersionsInTrash(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 3)
	tree := w.alice()
	no(t, tree.MkdirAll(t.Context(), "/d/e"))
	for _, s := range []string{"one", "two"} {
		put(t, tree, "/d/e/f", s)
		put(t, tree, "/g", s)
	}
	no(t, tree.RemoveAll(t.Context(), "/d"))
	no(t, tree.Remove(t.Context(), "/g"))
	no(t, tree.MkdirAll(t.Context(), "/d/e"))
	put(t, tree, "/d/e/f", "another")
	if got := contents(t, tree, "/d/e/f"); len(got) != 0 {
		t.Errorf("%q", got)
	}
	for _, x := range trash(t, tree) {
		no(t, tree.RestoreTrash(t.Context(), x.ID, "/back"+x.Path))
	}
	for _, p := range []string{"/back/d/e/f", "/back/g"} {
		if got := contents(t, tree, p); !slices.Equal(got, []string{"one"}) || get(t, tree, p) != "two" {
			t.Errorf("%s: %q", p, got)
		}
	}
	recount(t, w.world, aliceKey)
}

func TestVersionsOfOthers(t *testing.T) {
	w := newBinWorld(t, files.TrashOff, 3)
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	for _, s := range []string{"one", "two"} {
		put(t, bob, "/groups/team/shut", s)
		put(t, bob, "/groups/team/read", s)
		put(t, bob, "/f", s)
	}
	shut, read, own := versions(t, bob, "/groups/team/shut")[0].ID, versions(t, bob, "/groups/team/read")[0].ID, versions(t, bob, "/f")[0].ID
	no(t, bob.Chmod(t.Context(), "/groups/team/shut", 0o600))
	no(t, bob.Chmod(t.Context(), "/groups/team/read", 0o640))
	ctx := t.Context()
	_, err := alice.Versions(ctx, "/groups/team/shut")
	want(t, "list what may not be read", err, fs.ErrPermission)
	_, err = alice.OpenVersion(ctx, "/groups/team/shut", shut)
	want(t, "open what may not be read", err, fs.ErrPermission)
	if got := contents(t, alice, "/groups/team/read"); !slices.Equal(got, []string{"one"}) {
		t.Errorf("%q", got)
	}
	want(t, "restore what may not be written", alice.RestoreVersion(ctx, "/groups/team/read", read), fs.ErrPermission)
	for _, id := range []string{shut, own, "", "../" + own, strings.Repeat("a", 26)} {
		_, err = alice.OpenVersion(ctx, "/groups/team/read", id)
		want(t, "another file's "+id, err, fs.ErrNotExist)
		want(t, "another file's "+id, bob.RestoreVersion(ctx, "/groups/team/read", id), fs.ErrNotExist)
	}
	s := session("bob", bobUID, identity.LevelUser, "team")
	s.c.Grant = &identity.Grant{Files: identity.FilesRead}
	reader := w.s.ViewOf(s)
	if got := contents(t, reader, "/f"); !slices.Equal(got, []string{"one"}) {
		t.Errorf("%q", got)
	}
	want(t, "by a token that reads", reader.RestoreVersion(ctx, "/f", own), fs.ErrPermission)
	_, err = bob.Versions(ctx, "/")
	want(t, "of a folder", err, files.ErrIsDir)
}

// TestVersionsNeedRoom: where the quota has no room for both, the file is replaced all the same, and
// older versions go for newer ones.
func TestVersionsNeedRoom(t *testing.T) {
	w := newBinWorld(t, files.TrashOff, 9)
	who := session("alice", aliceUID, identity.LevelUser)
	who.change(func(c *identity.Credentials) { c.QuotaBytes = 100 })
	tree := w.s.ViewOf(who)
	for i, want := range []int{0, 1, 2, 2, 2} { // three of 30 fit
		put(t, tree, "/f", strings.Repeat(fmt.Sprint(i), 30))
		v := contents(t, tree, "/f")
		if len(v) != want || want > 0 && v[0] != strings.Repeat(fmt.Sprint(i-1), 30) {
			t.Errorf("after %d: %q", i, v)
		}
		recount(t, w.world, aliceKey)
	}
	put(t, tree, "/f", strings.Repeat("x", 90))
	if v := contents(t, tree, "/f"); len(v) != 0 || used(t, tree) != 90 {
		t.Errorf("%q, used %d", v, used(t, tree))
	}
	put(t, tree, "/f", strings.Repeat("y", 80))
	if v := contents(t, tree, "/f"); len(v) != 0 || used(t, tree) != 80 {
		t.Errorf("%q, used %d", v, used(t, tree))
	}
	recount(t, w.world, aliceKey)
}

// TestVersionsWithoutGap: while a file is overwritten and its versions restored, whoever opens it
// finds it, whole.
func TestVersionsWithoutGap(t *testing.T) {
	w := newBinWorld(t, files.TrashOff, 3)
	tree := w.alice()
	put(t, tree, "/f", "start")
	ctx, cancel := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				f, err := tree.Open(context.WithoutCancel(ctx), "/f")
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(f)
				_ = f.Close()
				if err != nil || len(b) != 5 {
					t.Errorf("%q, %v", b, err)
					return
				}
			}
		})
	}
	for i := range 3 {
		writers.Go(func() {
			for j := range 15 {
				var err error
				if j%3 == 2 {
					var v []files.Version
					if v, err = tree.Versions(ctx, "/f"); err == nil && len(v) > 0 {
						err = tree.RestoreVersion(ctx, "/f", v[len(v)-1].ID)
					}
				} else {
					_, err = try(t, tree, "/f", fmt.Sprintf("%d-%03d", i, j))
				}
				if err != nil && !errors.Is(err, files.ErrBusy) && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	if n := len(versions(t, tree, "/f")); n > 3 {
		t.Errorf("%d versions", n)
	}
	recount(t, w.world, aliceKey)
	if held := w.s.Held(); held != 0 {
		t.Errorf("%d locks are held", held)
	}
}

// TestBinCounts: whatever is done, the count is what a walk finds.
func TestBinCounts(t *testing.T) {
	did := map[string]int{} // by all of them together
	for _, seed := range []uint64{1, 2, 3, 4} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			w := newBinWorld(t, files.TrashAll, 2)
			who := session("alice", aliceUID, identity.LevelUser)
			who.change(func(c *identity.Credentials) { c.QuotaBytes, c.QuotaFiles = 3000, 40 })
			tree := w.s.ViewOf(who)
			path := func() string {
				p := fmt.Sprintf("/%c", 'a'+r.IntN(4))
				for range r.IntN(3) {
					p += fmt.Sprintf("/%c", 'a'+r.IntN(3))
				}
				return p
			}
			ctx := t.Context()
			for i := range 300 {
				var err error
				what := ""
				switch p := path(); r.IntN(11) {
				case 0, 1, 2:
					what = "put"
					_, err = try(t, tree, p, strings.Repeat("x", r.IntN(400)))
				case 3:
					what, err = "mkdir", tree.MkdirAll(ctx, p)
				case 4:
					what, err = "remove", tree.Remove(ctx, p)
				case 5:
					what, err = "remove all", tree.RemoveAll(ctx, p)
				case 6:
					what, err = "rename", tree.Rename(ctx, p, path())
				case 7, 8:
					if list := trash(t, tree); len(list) > 0 {
						x := list[r.IntN(len(list))]
						switch r.IntN(4) {
						case 0:
							what, err = "restore", tree.RestoreTrash(ctx, x.ID, "")
						case 1:
							what, err = "restore elsewhere", tree.RestoreTrash(ctx, x.ID, path())
						default:
							what, err = "empty", tree.EmptyTrash(ctx, x.ID)
						}
					}
				case 9:
					if v, verr := tree.Versions(ctx, p); verr == nil && len(v) > 0 {
						what, err = "version", tree.RestoreVersion(ctx, p, v[r.IntN(len(v))].ID)
					}
				case 10:
					what, err = "copy", tree.Copy(ctx, p, path(), files.CopyOptions{Over: true, Deep: true})
				}
				if err == nil {
					did[what]++
				}
				if i%20 == 19 {
					recount(t, w.world, aliceKey)
				}
			}
			recount(t, w.world, aliceKey)
			no(t, tree.EmptyTrash(ctx))
			if bytes, _ := recount(t, w.world, aliceKey); bytes > 3000 {
				t.Errorf("%d bytes", bytes)
			}
			if held := w.s.Held(); held != 0 {
				t.Errorf("%d locks are held", held)
			}
			sweep(t, w.s) // finds nothing to mend
			recount(t, w.world, aliceKey)
		})
	}
	for _, what := range []string{"put", "mkdir", "remove", "remove all", "rename", "restore", "restore elsewhere", "empty", "version"} {
		if did[what] == 0 {
			t.Errorf("no %s was done: %v", what, did)
		}
	}
}

// TestVersionsOfReplacedFiles: who puts a file of theirs in the place of another's does not get at what the
// other one held.
func TestVersionsOfReplacedFiles(t *testing.T) {
	w := newBinWorld(t, files.TrashOff, 3)
	ctx := t.Context()
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	put(t, bob, "/groups/team/p", "bob's own")
	no(t, bob.Chmod(ctx, "/groups/team/p", 0o600))
	put(t, alice, "/groups/team/a", "alice's")
	no(t, alice.Rename(ctx, "/groups/team/a", "/groups/team/p"))
	list, err := alice.Versions(ctx, "/groups/team/p")
	no(t, err)
	if len(list) == 0 {
		t.Fatal("no version was kept")
	}
	f, err := alice.OpenVersion(ctx, "/groups/team/p", list[0].ID)
	if err == nil {
		_ = f.Close()
	}
	want(t, "open", err, fs.ErrPermission)
	want(t, "restore", alice.RestoreVersion(ctx, "/groups/team/p", list[0].ID), fs.ErrPermission)
	if get(t, alice, "/groups/team/p") != "alice's" {
		t.Error("it was restored")
	}
}

// deaf is a store that takes nothing down.
type deaf struct{ files.BinStore }

var errDeaf = errors.New("nothing is taken down")

func (deaf) PutTrash(context.Context, files.TrashRow) error     { return errDeaf }
func (deaf) PutVersion(context.Context, files.VersionRow) error { return errDeaf }

// TestBinNeedsItsRow: what cannot be taken down is neither removed nor replaced.
func TestBinNeedsItsRow(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 3)
	put(t, w.alice(), "/f", "old")
	again := openWorld(t, w.dir, func(o *files.Options) { o.Bin, o.Trash, o.Versions = deaf{w.store}, files.TrashAll, 3 })
	tree := again.alice()
	want(t, "remove", tree.Remove(t.Context(), "/f"), errDeaf)
	_, err := try(t, tree, "/f", "new")
	want(t, "replace", err, errDeaf)
	put(t, tree, "/g", "other")
	want(t, "replace by a rename", tree.Rename(t.Context(), "/g", "/f"), errDeaf)
	if got := get(t, tree, "/f"); got != "old" {
		t.Errorf("%q", got)
	}
	recount(t, again, aliceKey)
	if held := again.s.Held(); held != 0 {
		t.Errorf("%d locks are held", held)
	}
}
