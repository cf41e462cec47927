package files_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/files"
	"trivium/files/sqlstore"
	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
)

// binWorld is a world with a store in a real database.
type binWorld struct {
	*world
	store *sqlstore.Store
	ahead time.Duration // how much the clock is
}

func newBinWorld(t *testing.T, mode files.TrashMode, versions int, with ...func(*files.Options)) *binWorld {
	t.Helper()
	db := sqltest.Migrated(t, sqlstore.Migrate)
	b := &binWorld{store: sqlstore.New(db)}
	b.world = newWorld(t, append(with, func(o *files.Options) {
		o.Bin, o.Trash, o.Versions = b.store, mode, versions
		o.Now = func() time.Time { return time.Now().Add(b.ahead) }
	})...)
	return b
}

// on is a session of another protocol.
type on struct {
	*someone
	p identity.Protocol
}

func (o on) Protocol() identity.Protocol { return o.p }

func trash(t *testing.T, tree *files.Tree) []files.Trashed {
	t.Helper()
	list, err := tree.Trash(t.Context())
	no(t, err)
	return list
}

func trashed(t *testing.T, tree *files.Tree) (out []string) {
	t.Helper()
	for _, x := range trash(t, tree) {
		out = append(out, x.Path)
	}
	slices.Sort(out)
	return out
}

// recount says what a walk of the tree finds, and complains where the ledger thinks otherwise.
func recount(t *testing.T, w *world, key string) (bytes, entries int64) {
	t.Helper()
	before, counted := w.s.UsageOf(key)
	bytes, entries, err := w.s.Recount(t.Context(), key)
	no(t, err)
	if bytes != before || entries != counted {
		t.Errorf("%s: %d bytes and %d entries were counted, there are %d and %d", key, before, counted, bytes, entries)
	}
	return bytes, entries
}

func TestTrashThrows(t *testing.T) {
	for _, tt := range []struct {
		mode  files.TrashMode
		p     identity.Protocol
		throw bool
	}{
		{files.TrashWeb, identity.ProtocolWeb, true},
		{files.TrashWeb, identity.ProtocolFTP, false},
		{files.TrashWeb, identity.ProtocolDAV, false},
		{files.TrashAll, identity.ProtocolFTP, true},
		{files.TrashAll, identity.ProtocolDAV, true},
		{files.TrashOff, identity.ProtocolWeb, false},
		{"", identity.ProtocolWeb, false},
	} {
		t.Run(fmt.Sprint(tt.mode, " ", tt.p), func(t *testing.T) {
			w := newBinWorld(t, tt.mode, 0)
			tree := w.s.ViewOf(on{session("alice", aliceUID, identity.LevelUser), tt.p})
			if tree.Throws() != tt.throw {
				t.Errorf("throws: %v", tree.Throws())
			}
			put(t, tree, "/f", "1234")
			no(t, tree.Mkdir(t.Context(), "/d"))
			put(t, tree, "/d/f", "12")
			no(t, tree.Remove(t.Context(), "/f"))
			no(t, tree.RemoveAll(t.Context(), "/d"))
			var want []string
			var left int64
			if tt.throw {
				want, left = []string{"/d", "/f"}, 6
			}
			if got := trashed(t, tree); !slices.Equal(got, want) {
				t.Errorf("in the trash: %q; want %q", got, want)
			}
			if got := names(t, tree, "/"); !slices.Equal(got, []string{"pub"}) {
				t.Errorf("left: %q", got)
			}
			if n := used(t, tree); n != left {
				t.Errorf("used %d; want %d", n, left)
			}
			recount(t, w.world, aliceKey)
		})
	}
}

func TestTrashRestore(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 0)
	tree := w.alice()
	no(t, tree.MkdirAll(t.Context(), "/a/b/c"))
	put(t, tree, "/a/b/f", "file")
	put(t, tree, "/a/b/c/g", "deep")
	no(t, tree.Chmod(t.Context(), "/a/b/f", 0o600))
	no(t, tree.RemoveAll(t.Context(), "/a/b"))
	list := trash(t, tree)
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	x := list[0]
	if x.Path != "/a/b" || x.Name != "b" || !x.Dir || x.Size != 8 || x.Entries != 4 || x.By != "alice" || x.Until.Sub(x.At) != 30*24*time.Hour {
		t.Errorf("%+v", x)
	}
	for _, p := range []string{"/.trivium", "/.trivium/trash/" + x.ID} {
		_, err := tree.Stat(t.Context(), p)
		want(t, p, err, fs.ErrNotExist)
	}
	no(t, tree.RemoveDir(t.Context(), "/a"))        // an empty one is simply gone
	no(t, tree.RestoreTrash(t.Context(), x.ID, "")) // its folder is made again
	if get(t, tree, "/a/b/c/g") != "deep" || get(t, tree, "/a/b/f") != "file" {
		t.Error("not what it was")
	}
	if i, err := tree.Stat(t.Context(), "/a/b/f"); err != nil || i.Mode.Perm() != 0o600 {
		t.Errorf("%v, %v", i.Mode, err)
	}
	want(t, "again", tree.RestoreTrash(t.Context(), x.ID, ""), fs.ErrNotExist)

	no(t, tree.Remove(t.Context(), "/a/b/f"))
	put(t, tree, "/a/b/f", "another")
	id := trash(t, tree)[0].ID
	want(t, "where something stands", tree.RestoreTrash(t.Context(), id, ""), fs.ErrExist)
	want(t, "below a file", tree.RestoreTrash(t.Context(), id, "/a/b/f/x"), files.ErrNotDir)
	want(t, "in the store's own folder", tree.RestoreTrash(t.Context(), id, "/.trivium"), files.ErrName)
	want(t, "on the top", tree.RestoreTrash(t.Context(), id, "/"), fs.ErrExist)
	no(t, tree.RestoreTrash(t.Context(), id, "/new/place/f"))
	if get(t, tree, "/new/place/f") != "file" || get(t, tree, "/a/b/f") != "another" {
		t.Error("not what it was")
	}
	if n := len(trash(t, tree)); n != 0 {
		t.Errorf("%d are left", n)
	}
	for _, bad := range []string{"", "x", "../../f", strings.Repeat("a", 26)} {
		want(t, "no ID: "+bad, tree.RestoreTrash(t.Context(), bad, ""), fs.ErrNotExist)
		want(t, "no ID: "+bad, tree.EmptyTrash(t.Context(), bad), fs.ErrNotExist)
	}
	recount(t, w.world, aliceKey)
	events := w.events()
	for _, e := range []string{"rmdir /home/alice/a/b 8", "restore /home/alice/a/b 8", "restore /home/alice/new/place/f 4"} {
		if !slices.Contains(events, e) {
			t.Errorf("no event %q in %q", e, events)
		}
	}
	if held := w.s.Held(); held != 0 {
		t.Errorf("%d locks are held", held)
	}
}

func TestTrashEmpty(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 2)
	tree := w.alice()
	for i := range 3 {
		p := fmt.Sprintf("/d%d", i)
		no(t, tree.Mkdir(t.Context(), p))
		put(t, tree, p+"/f", "old")
		put(t, tree, p+"/f", "12345")
		no(t, tree.RemoveAll(t.Context(), p))
	}
	if n := used(t, tree); n != 3*8 {
		t.Errorf("used %d", n)
	}
	no(t, tree.EmptyTrash(t.Context(), trash(t, tree)[1].ID))
	if n := used(t, tree); n != 2*8 || len(trash(t, tree)) != 2 {
		t.Errorf("used %d", n)
	}
	no(t, tree.EmptyTrash(t.Context()))
	if n := used(t, tree); n != 0 || len(trash(t, tree)) != 0 {
		t.Errorf("used %d", n)
	}
	if bytes, entries := recount(t, w.world, aliceKey); bytes != 0 || entries != 0 {
		t.Errorf("%d bytes, %d entries", bytes, entries)
	}
	if rows, err := w.store.OldVersions(t.Context(), "", 9); err != nil || len(rows) != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
}

// TestTrashOfADeepFolder: what renames have made deeper than descriptors last goes all the same.
func TestTrashOfADeepFolder(t *testing.T) {
	const depth = 1500
	w := newBinWorld(t, files.TrashAll, 0)
	tree := w.alice()
	no(t, tree.Mkdir(t.Context(), "/d"))
	put(t, tree, "/d/f", "x")
	no(t, os.MkdirAll(filepath.Join(w.path("home/alice/d"), strings.Repeat("a/", depth)), 0o750))
	if _, _, err := w.s.Recount(t.Context(), aliceKey); err != nil {
		t.Fatal(err)
	}
	no(t, tree.RemoveAll(t.Context(), "/d"))
	if n := trash(t, tree)[0].Entries; n != depth+2 {
		t.Errorf("%d entries", n)
	}
	before := descriptors(t)
	no(t, tree.EmptyTrash(t.Context()))
	noMore(t, before)
	if bytes, entries := recount(t, w.world, aliceKey); bytes != 0 || entries != 0 {
		t.Errorf("%d bytes, %d entries", bytes, entries)
	}
	if left, err := os.ReadDir(w.path("home/alice/.trivium/trash")); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestTrashOfOthers(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 0)
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	put(t, bob, "/f", "mine")
	put(t, bob, "/groups/team/f", "ours")
	no(t, bob.Mkdir(t.Context(), "/groups/team/d"))
	put(t, bob, "/groups/team/d/g", "mine alone")
	no(t, bob.Remove(t.Context(), "/f"))
	no(t, bob.Remove(t.Context(), "/groups/team/f"))
	no(t, bob.Remove(t.Context(), "/groups/team/d/g"))
	no(t, bob.Chmod(t.Context(), "/groups/team/d", 0o750))
	staff := w.s.ViewOf(session("eve", bobUID+1, identity.LevelStaff))
	put(t, staff, "/pub/f", "for all")
	no(t, staff.Remove(t.Context(), "/pub/f"))
	ids := map[string]string{}
	for _, tree := range []*files.Tree{bob, staff} {
		for _, x := range trash(t, tree) {
			ids[x.Path] = x.ID
		}
	}
	if len(ids) != 4 {
		t.Fatalf("%v", ids)
	}
	grant := func(g identity.Grant) *files.Tree {
		s := session("bob", bobUID, identity.LevelUser, "team")
		s.c.Grant = &g
		return w.s.ViewOf(s)
	}
	for _, tt := range []struct {
		name string
		tree *files.Tree
		want []string
	}{
		{"bob", bob, []string{"/f", "/groups/team/d/g", "/groups/team/f"}},
		{"staff", staff, []string{"/pub/f"}},
		{"another", w.alice(), nil},
		{"of the group", w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team")), []string{"/groups/team/f"}},
		{"root is no member", w.s.ViewOf(session("alice", aliceUID, identity.LevelRoot)), []string{"/pub/f"}},
		{"nobody", w.s.ViewOf(anonymous("1-a")), nil},
		{"a token that reads", grant(identity.Grant{Files: identity.FilesRead}), nil},
		{"a token without files", grant(identity.Grant{Files: identity.FilesNone}), nil},
		{"a token for one folder", grant(identity.Grant{Files: identity.FilesWrite, Path: "/groups/team/d"}), []string{"/groups/team/d/g"}},
		{"a token for another", grant(identity.Grant{Files: identity.FilesWrite, Path: "/home/bob/x"}), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := trashed(t, tt.tree); !slices.Equal(got, tt.want) {
				t.Errorf("%q; want %q", got, tt.want)
			}
			for p, id := range ids {
				if !slices.Contains(tt.want, p) {
					want(t, "restore "+p, tt.tree.RestoreTrash(t.Context(), id, ""), fs.ErrNotExist)
					want(t, "empty "+p, tt.tree.EmptyTrash(t.Context(), id), fs.ErrNotExist)
				}
			}
		})
	}
	member := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	want(t, "where one may not write", member.RestoreTrash(t.Context(), ids["/groups/team/f"], "/groups/team/d/f"), fs.ErrPermission)
	want(t, "into another tree", member.RestoreTrash(t.Context(), ids["/groups/team/f"], "/f"), files.ErrUnsupported)
	no(t, member.EmptyTrash(t.Context())) // what is alice's to empty, and no more
	if got := trashed(t, bob); !slices.Equal(got, []string{"/f", "/groups/team/d/g"}) {
		t.Errorf("%q", got)
	}
	no(t, bob.RestoreTrash(t.Context(), ids["/groups/team/d/g"], ""))
	no(t, staff.RestoreTrash(t.Context(), ids["/pub/f"], ""))
}

// TestTrashHides: what a rule of the policy hides, it hides in the trash too.
func TestTrashHides(t *testing.T) {
	var hidden rules
	w := newBinWorld(t, files.TrashAll, 0, func(o *files.Options) { o.Policy = &hidden })
	tree := w.alice()
	for _, p := range []string{"/a", "/b", "/c"} {
		no(t, tree.Mkdir(t.Context(), p))
		put(t, tree, p+"/f", "x")
		no(t, tree.Remove(t.Context(), p+"/f"))
		no(t, tree.RemoveAll(t.Context(), p))
	}
	put(t, tree, "/c", "x")
	no(t, tree.Remove(t.Context(), "/c"))
	all := trash(t, tree)
	hidden = rules{"/home/alice/a", "/home/alice/b/f"}
	for _, x := range all {
		if strings.HasPrefix(x.Path, "/a") || x.Path == "/b/f" {
			want(t, x.Path, tree.RestoreTrash(t.Context(), x.ID, "/elsewhere"), fs.ErrNotExist)
		}
	}
	if got := trashed(t, tree); !slices.Equal(got, []string{"/c", "/c", "/c/f"}) {
		t.Errorf("%q", got)
	}
}

// TestTrashPartly: a folder goes as one thing only where all in it may go.
func TestTrashPartly(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 0)
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	no(t, alice.MkdirAll(t.Context(), "/groups/team/d/closed"))
	put(t, alice, "/groups/team/d/closed/f", "alice's")
	put(t, alice, "/groups/team/d/open", "anybody's")
	no(t, alice.Chmod(t.Context(), "/groups/team/d/closed", 0o750))
	want(t, "with what is not bob's", bob.RemoveAll(t.Context(), "/groups/team/d"), fs.ErrPermission)
	if got := trashed(t, bob); !slices.Equal(got, []string{"/groups/team/d/open"}) {
		t.Errorf("%q", got)
	}
	no(t, alice.RemoveAll(t.Context(), "/groups/team/d"))
	if got := trashed(t, alice); !slices.Equal(got, []string{"/groups/team/d", "/groups/team/d/open"}) {
		t.Errorf("%q", got)
	}
}

// TestTrashWaitsForUploads: what is being uploaded into a folder is not carried into the trash.
func TestTrashWaitsForUploads(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 0)
	tree := w.alice()
	no(t, tree.Mkdir(t.Context(), "/d"))
	put(t, tree, "/d/f", "x")
	u := create(t, tree, "/d/g", files.UploadOptions{Size: -1})
	write(t, u, "y")
	want(t, "remove", tree.RemoveAll(t.Context(), "/d"), files.ErrBusy)
	_, err := u.Commit(t.Context())
	no(t, err)
	no(t, tree.RemoveAll(t.Context(), "/d"))

	id := trash(t, tree)[0].ID
	u = create(t, tree, "/g", files.UploadOptions{Size: -1})
	want(t, "under an upload", tree.RestoreTrash(t.Context(), id, "/g"), files.ErrBusy)
	no(t, u.Discard())
}

func TestTrashSweep(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 0, func(o *files.Options) { o.TrashLife = 24 * time.Hour })
	tree := w.alice()
	no(t, tree.Mkdir(t.Context(), "/d"))
	put(t, tree, "/d/old", "123")
	no(t, tree.RemoveAll(t.Context(), "/d"))
	w.ahead = 23 * time.Hour
	put(t, tree, "/new", "45")
	no(t, tree.Remove(t.Context(), "/new"))
	sweep(t, w.s)
	if got := trashed(t, tree); !slices.Equal(got, []string{"/d", "/new"}) {
		t.Errorf("%q", got)
	}
	w.ahead = 25 * time.Hour
	sweep(t, w.s)
	if got := trashed(t, tree); !slices.Equal(got, []string{"/new"}) {
		t.Errorf("%q", got)
	}
	if n := used(t, tree); n != 2 {
		t.Errorf("used %d", n)
	}
	recount(t, w.world, aliceKey)
}

func sweep(t *testing.T, s *files.Service) {
	t.Helper()
	_, err := s.Sweep(t.Context())
	no(t, err)
}

// TestTrashMended: what a crash leaves half is mended by the first sweep after it.
func TestTrashMended(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 1)
	tree := w.alice()
	for _, n := range []string{"/row", "/bytes", "/gone", "/both"} {
		put(t, tree, n, n)
		no(t, tree.Remove(t.Context(), n))
	}
	put(t, tree, "/v", "one")
	put(t, tree, "/v", "two")
	put(t, tree, "/w", "one")
	put(t, tree, "/w", "two")
	put(t, tree, "/x", "same")
	at := w.path("home/alice/.trivium/trash")
	vat := w.path("home/alice/.trivium/versions")
	for _, x := range trash(t, tree) {
		switch x.Path {
		case "/row": // the row was written, and then nothing
			no(t, os.Remove(filepath.Join(at, x.ID)))
		case "/bytes": // the database is older than the files
			no(t, w.store.DropTrash(t.Context(), x.ID))
		case "/gone": // it was being removed for ever
			no(t, os.Rename(filepath.Join(at, x.ID), filepath.Join(at, x.ID+"-x")))
			no(t, w.store.DropTrash(t.Context(), x.ID))
		}
	}
	v, err := tree.Versions(t.Context(), "/v")
	no(t, err)
	no(t, os.Remove(filepath.Join(vat, v[0].ID)))
	v, err = tree.Versions(t.Context(), "/w")
	no(t, err)
	no(t, w.store.DropVersions(t.Context(), v[0].ID))
	same := strings.Repeat("b", 26) // a second name was made, and the file not replaced
	no(t, w.store.PutVersion(t.Context(), files.VersionRow{ID: same, Tree: aliceKey, Path: "/x", Bytes: 4, ModTime: past, At: past}))
	no(t, os.Link(w.path("home/alice/x"), filepath.Join(vat, same)))

	db := w.store
	again := &binWorld{store: db}
	again.world = openWorld(t, w.dir, func(o *files.Options) { o.Bin, o.Trash, o.Versions = db, files.TrashAll, 1 })
	sweep(t, again.s)
	tree = again.alice()
	got := trashed(t, tree)
	if len(got) != 2 || got[0] != "/both" || !strings.HasPrefix(got[1], "/found-") {
		t.Errorf("%q", got)
	}
	for _, x := range trash(t, tree) {
		no(t, tree.RestoreTrash(t.Context(), x.ID, ""))
	}
	if get(t, tree, "/both") != "/both" || get(t, tree, got[1]) != "/bytes" {
		t.Error("not what it was")
	}
	for _, n := range []string{"/v", "/w", "/x"} {
		if v, err := tree.Versions(t.Context(), n); err != nil || len(v) != 0 {
			t.Errorf("%s: %+v, %v", n, v, err)
		}
	}
	if left, err := os.ReadDir(at); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	if left, err := os.ReadDir(vat); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	recount(t, again.world, aliceKey)
}

// TestRoomFromTrash: trash and versions go, the oldest first, before an upload is refused; and none
// of it goes for what would not fit even then.
func TestRoomFromTrash(t *testing.T) {
	const limit = 1 << 20
	k := func(n int) string { return strings.Repeat("x", n<<10) }
	for _, tt := range []struct {
		name string
		send func(t *testing.T, tree *files.Tree, kib int) error
	}{
		{"declared", func(t *testing.T, tree *files.Tree, kib int) error {
			u, err := tree.Create(t.Context(), "/new", files.UploadOptions{Size: int64(kib) << 10})
			if err != nil {
				return err
			}
			if _, err = u.ReadFrom(strings.NewReader(k(kib))); err == nil {
				_, err = u.Commit(t.Context())
			}
			if err != nil {
				_ = u.Discard()
			}
			return err
		}},
		{"read", func(t *testing.T, tree *files.Tree, kib int) error {
			_, err := try(t, tree, "/new", k(kib))
			return err
		}},
		{"written", func(t *testing.T, tree *files.Tree, kib int) error {
			u := create(t, tree, "/new", files.UploadOptions{Size: -1})
			_, err := u.Write([]byte(k(kib)))
			if err == nil {
				_, err = u.Commit(t.Context())
			}
			if err != nil {
				_ = u.Discard()
			}
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newBinWorld(t, files.TrashAll, 3)
			who := session("alice", aliceUID, identity.LevelUser)
			who.change(func(c *identity.Credentials) { c.QuotaBytes = limit })
			tree := w.s.ViewOf(who)
			put(t, tree, "/stays", k(300))
			put(t, tree, "/v", k(100))
			put(t, tree, "/v", k(100)) // and one version
			for _, n := range []string{"/t1", "/t2", "/t3"} {
				put(t, tree, n, k(100))
				no(t, tree.Remove(t.Context(), n))
				w.ahead += time.Minute
			}
			no(t, tt.send(t, tree, 224)) // exactly what is left
			if n := len(trash(t, tree)); n != 3 {
				t.Errorf("%d in the trash", n)
			}
			no(t, tree.Rename(t.Context(), "/new", "/first"))
			no(t, tt.send(t, tree, 150))
			if got := trashed(t, tree); !slices.Equal(got, []string{"/t3"}) {
				t.Errorf("in the trash: %q", got)
			}
			no(t, tree.Rename(t.Context(), "/new", "/second"))
			want(t, "more than all that could go", tt.send(t, tree, 800), files.ErrQuota)
			if tt.name == "declared" && len(trash(t, tree)) != 1 {
				t.Errorf("in the trash: %q", trashed(t, tree))
			}
			no(t, tt.send(t, tree, 250))
			v, err := tree.Versions(t.Context(), "/v")
			if err != nil || len(v) != 0 || len(trash(t, tree)) != 0 {
				t.Errorf("%+v, %v, %q", v, err, trashed(t, tree))
			}
			if n := used(t, tree); n != (300+100+224+150+250)<<10 {
				t.Errorf("used %d", n)
			}
			recount(t, w.world, aliceKey)
		})
	}
}

// TestRoomForEntries: a limit of entries makes trash go too.
func TestRoomForEntries(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 0)
	who := session("alice", aliceUID, identity.LevelUser)
	who.change(func(c *identity.Credentials) { c.QuotaFiles = 3 })
	tree := w.s.ViewOf(who)
	for i := range 3 {
		p := fmt.Sprintf("/f%d", i)
		put(t, tree, p, "x")
		no(t, tree.Remove(t.Context(), p))
	}
	put(t, tree, "/a", "x")
	no(t, tree.Mkdir(t.Context(), "/b"))
	no(t, tree.Symlink(t.Context(), "a", "/c"))
	_, err := try(t, tree, "/d", "x")
	want(t, "one more", err, files.ErrQuota)
	if n := len(trash(t, tree)); n != 0 {
		t.Errorf("%d in the trash", n)
	}
	recount(t, w.world, aliceKey)
}

// TestTrashConcurrently: whoever comes first restores or empties, and nothing is counted twice.
func TestTrashConcurrently(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 0)
	tree := w.alice()
	for i := range 20 {
		p := fmt.Sprintf("/f%d", i)
		put(t, tree, p, "12345")
		no(t, tree.Remove(t.Context(), p))
	}
	var wg sync.WaitGroup
	for _, x := range trash(t, tree) {
		for _, fn := range []func(context.Context) error{
			func(ctx context.Context) error { return tree.RestoreTrash(ctx, x.ID, "") },
			func(ctx context.Context) error { return tree.EmptyTrash(ctx, x.ID) },
			func(ctx context.Context) error { return tree.RestoreTrash(ctx, x.ID, x.Path+"-b") },
		} {
			wg.Go(func() {
				err := fn(t.Context())
				if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, files.ErrBusy) {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if n := len(trash(t, tree)); n != 0 {
		t.Errorf("%d in the trash", n)
	}
	if bytes, entries := recount(t, w.world, aliceKey); bytes != 5*entries || int(entries) != len(names(t, tree, "/"))-1 { // beside pub
		t.Errorf("%d bytes, %d entries", bytes, entries)
	}
}
