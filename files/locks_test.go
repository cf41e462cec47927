package files_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"trivium/files"
	"trivium/identity"
)

// team is a world with two sessions that share a group's folder.
func team(t *testing.T, with ...func(*files.Options)) (w *world, alice, bob *files.Tree) {
	t.Helper()
	w = newWorld(t, with...)
	alice = w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	bob = w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	for _, d := range []string{"/groups/team/d", "/groups/team/d/sub"} {
		no(t, alice.Mkdir(t.Context(), d))
	}
	no(t, alice.Mkdir(t.Context(), "/groups/team/d/m"))
	for _, name := range []string{"f", "h", "n"} {
		put(t, alice, "/groups/team/d/"+name, "old")
	}
	put(t, alice, "/groups/team/d/sub/g", "old")
	put(t, alice, "/groups/team/other", "old")
	return w, alice, bob
}

const folder = "/groups/team/d"

// changes are what a Tree can do to the file f in folder, and to the folder.
var changes = []struct {
	name string
	do   func(*testing.T, *files.Tree) error
}{
	{"store over", func(t *testing.T, tree *files.Tree) error { _, err := try(t, tree, folder+"/f", "new"); return err }},
	{"append", func(t *testing.T, tree *files.Tree) error {
		u, err := tree.Create(t.Context(), folder+"/f", files.UploadOptions{Append: true, Size: -1})
		if err != nil {
			return err
		}
		_, err = u.Commit(t.Context())
		return err
	}},
	{"chmod", func(t *testing.T, tree *files.Tree) error { return tree.Chmod(t.Context(), folder+"/f", 0o664) }},
	{"chtimes", func(t *testing.T, tree *files.Tree) error { return tree.Chtimes(t.Context(), folder+"/f", past) }},
	{"props", func(t *testing.T, tree *files.Tree) error {
		return tree.SetProps(t.Context(), folder+"/f", []byte("p"))
	}},
	{"rename over", func(t *testing.T, tree *files.Tree) error {
		return tree.Rename(t.Context(), "/groups/team/other", folder+"/f")
	}},
	{"rename inside", func(t *testing.T, tree *files.Tree) error { return tree.Rename(t.Context(), folder+"/f", folder+"/f2") }},
	{"rename away", func(t *testing.T, tree *files.Tree) error {
		return tree.Rename(t.Context(), folder+"/h", "/groups/team/h")
	}},
	{"store new", func(t *testing.T, tree *files.Tree) error { _, err := try(t, tree, folder+"/n2", "new"); return err }},
	{"mkdir", func(t *testing.T, tree *files.Tree) error { return tree.Mkdir(t.Context(), folder+"/m2") }},
	{"symlink", func(t *testing.T, tree *files.Tree) error { return tree.Symlink(t.Context(), "n", folder+"/l") }},
	{"rmdir", func(t *testing.T, tree *files.Tree) error { return tree.RemoveDir(t.Context(), folder+"/m") }},
	{"remove", func(t *testing.T, tree *files.Tree) error { return tree.Remove(t.Context(), folder+"/n") }},
	{"deep store", func(t *testing.T, tree *files.Tree) error { _, err := try(t, tree, folder+"/sub/g", "new"); return err }},
	{"rename the folder", func(t *testing.T, tree *files.Tree) error { return tree.Rename(t.Context(), folder, "/groups/team/e") }},
}

// A lock keeps out whoever does not present its token: its own account, too.
func TestLocksKeepOut(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   string
		o    files.LockOptions
		free map[string]bool // what the lock does not cover
	}{
		{"a deep lock of the folder", folder, files.LockOptions{Deep: true}, nil},
		{"a shared deep lock", folder, files.LockOptions{Deep: true, Shared: true}, nil},
		{"a lock of the folder alone", folder, files.LockOptions{},
			map[string]bool{"store over": true, "append": true, "chmod": true, "chtimes": true, "props": true, "deep store": true}},
		{"a lock of the file", folder + "/f", files.LockOptions{},
			map[string]bool{"store new": true, "mkdir": true, "symlink": true, "rmdir": true, "remove": true, "deep store": true, "rename away": true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, alice, bob := team(t)
			lock, err := alice.Lock(t.Context(), tt.at, tt.o)
			no(t, err)
			for _, c := range changes {
				if tt.free[c.name] {
					continue
				}
				if c.name != "chmod" { // which is the owner's alone
					want(t, c.name+" by another", c.do(t, bob), files.ErrLocked)
					want(t, c.name+" with a stolen token", c.do(t, bob.With(lock.Token)), files.ErrLocked)
				}
				want(t, c.name+" without the token", c.do(t, alice), files.ErrLocked)
				want(t, c.name+" with another token", c.do(t, alice.With("urn:uuid:00000000-0000-4000-8000-000000000000")), files.ErrLocked)
			}
			for _, c := range changes {
				no(t, c.do(t, alice.With("x", lock.Token)))
				if c.name == "rename inside" && tt.at == folder+"/f" {
					break // the lock stays behind, and ends
				}
			}
			if locks, err := alice.Locks(t.Context(), "/groups/team"); err != nil || len(locks) > 0 {
				t.Errorf("locks above: %v, %v", locks, err)
			}
		})
	}
}

// Who is kept out may do the rest.
func TestLockOfAFolderAlone(t *testing.T) {
	_, alice, bob := team(t)
	_, err := alice.Lock(t.Context(), folder, files.LockOptions{})
	no(t, err)
	put(t, bob, folder+"/f", "new")
	put(t, bob, folder+"/sub/new", "new")
	want(t, "a new name", bob.Mkdir(t.Context(), folder+"/x"), files.ErrLocked)
}

func TestLockConflicts(t *testing.T) {
	exclusive, shared := files.LockOptions{}, files.LockOptions{Shared: true}
	deep := func(o files.LockOptions) files.LockOptions { o.Deep = true; return o }
	for _, tt := range []struct {
		name          string
		at            string
		first, second files.LockOptions
		then          string
		want          error
	}{
		{"exclusive twice", folder + "/f", exclusive, exclusive, folder + "/f", files.ErrLocked},
		{"shared twice", folder + "/f", shared, shared, folder + "/f", nil},
		{"exclusive after shared", folder + "/f", shared, exclusive, folder + "/f", files.ErrLocked},
		{"shared after exclusive", folder + "/f", exclusive, shared, folder + "/f", files.ErrLocked},
		{"inside a deep one", folder, deep(exclusive), exclusive, folder + "/sub/g", files.ErrLocked},
		{"beside a flat one", folder, exclusive, exclusive, folder + "/f", nil},
		{"deep around one", folder + "/sub/g", exclusive, deep(exclusive), folder, files.ErrLocked},
		{"deep around a shared one", folder + "/sub/g", shared, deep(shared), folder, nil},
		{"flat above one", folder + "/sub/g", exclusive, exclusive, folder, nil},
		{"a name that begins alike", folder + "/f", exclusive, exclusive, "/groups/team/other", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, alice, bob := team(t)
			if _, err := alice.Lock(t.Context(), tt.at, tt.first); err != nil {
				t.Fatal(err)
			}
			_, err := bob.Lock(t.Context(), tt.then, tt.second)
			want(t, "the second", err, tt.want)
		})
	}
}

func TestLockRights(t *testing.T) {
	w, alice, bob := team(t)
	ctx := t.Context()
	put(t, alice, "/mine", "x")
	no(t, alice.Chmod(ctx, folder+"/f", 0o644))
	_, err := bob.Lock(ctx, folder+"/f", files.LockOptions{})
	want(t, "what one may not write", err, fs.ErrPermission)
	_, err = bob.Lock(ctx, "/mine", files.LockOptions{})
	want(t, "another's home", err, fs.ErrNotExist)
	_, err = w.s.ViewOf(anonymous("1-a")).Lock(ctx, "/pub", files.LockOptions{})
	want(t, "anonymous", err, fs.ErrPermission)
	_, err = alice.Lock(ctx, "/groups", files.LockOptions{})
	want(t, "a folder of mounts", err, fs.ErrPermission)
	_, err = alice.Lock(ctx, "/mine", files.LockOptions{Owner: strings.Repeat("x", files.MaxLockOwner+1)})
	want(t, "a long owner", err, files.ErrName)

	lock, err := alice.Lock(ctx, "/mine", files.LockOptions{Owner: "me", Time: 24 * time.Hour})
	no(t, err)
	if lock.Left > time.Hour || lock.Left < 59*time.Minute || !lock.Own || lock.Owner != "me" || !strings.HasPrefix(lock.Token, "urn:uuid:") || len(lock.Token) != 45 {
		t.Errorf("%+v", lock)
	}
	lock, err = alice.Lock(ctx, folder, files.LockOptions{Deep: true, Owner: "me"})
	no(t, err)
	seen, err := bob.Locks(ctx, folder+"/sub/g")
	if err != nil || len(seen) != 1 || seen[0].Token != "" || seen[0].Own || seen[0].Owner != "me" || seen[0].Path != folder {
		t.Errorf("as another sees it: %+v, %v", seen, err)
	}
	_, err = bob.Refresh(ctx, folder, lock.Token, time.Hour)
	want(t, "another's refresh", err, fs.ErrPermission)
	want(t, "another's unlock", bob.Unlock(ctx, folder, lock.Token), fs.ErrPermission)
	want(t, "unlock elsewhere", alice.Unlock(ctx, "/groups/team/other", lock.Token), files.ErrNoLock)
	no(t, alice.Unlock(ctx, folder+"/sub/g", lock.Token))
	want(t, "unlock twice", alice.Unlock(ctx, folder, lock.Token), files.ErrNoLock)
	put(t, bob, folder+"/sub/g", "free again")
}

func TestLocksEnd(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	var disabled atomic.Bool
	w, alice, bob := team(t, func(o *files.Options) {
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
		o.Active = func(_ context.Context, id identity.UserID) bool { return id != "IDalice" || !disabled.Load() }
	})
	ctx := t.Context()
	lock, err := alice.Lock(ctx, folder, files.LockOptions{Deep: true, Time: 100 * time.Second})
	no(t, err)
	now.Add(99)
	want(t, "before its time", bob.Mkdir(ctx, folder+"/x"), files.ErrLocked)
	_, err = alice.Refresh(ctx, folder+"/f", lock.Token, 100*time.Second)
	no(t, err)
	now.Add(99)
	want(t, "after a refresh", bob.Mkdir(ctx, folder+"/x"), files.ErrLocked)
	now.Add(1)
	no(t, bob.Mkdir(ctx, folder+"/x"))
	_, err = alice.Refresh(ctx, folder, lock.Token, time.Hour)
	want(t, "a refresh too late", err, files.ErrNoLock)
	_, err = w.s.Sweep(ctx)
	no(t, err)
	if n := w.s.LockCount(); n != 0 {
		t.Errorf("%d locks after the sweep", n)
	}

	// The account that may not log in any more locks nobody out.
	_, err = alice.Lock(ctx, folder, files.LockOptions{Deep: true})
	no(t, err)
	_, err = bob.Lock(ctx, folder+"/f", files.LockOptions{})
	want(t, "while the account stands", err, files.ErrLocked)
	disabled.Store(true)
	_, err = bob.Lock(ctx, folder+"/f", files.LockOptions{})
	no(t, err)
	no(t, bob.Mkdir(ctx, folder+"/y"))

	// What goes takes its locks with it.
	_, err = bob.Lock(ctx, folder+"/sub/g", files.LockOptions{})
	no(t, err)
	locks, err := bob.Locks(ctx, folder+"/sub/g")
	no(t, err)
	no(t, bob.With(locks[0].Token).Remove(ctx, folder+"/sub/g"))
	put(t, alice, folder+"/sub/g", "another file")
	if locks, _ := bob.Locks(ctx, folder+"/sub/g"); len(locks) != 0 {
		t.Errorf("a removed file left %v", locks)
	}
}

func TestLockAndUpload(t *testing.T) {
	_, alice, bob := team(t)
	ctx := t.Context()
	u, err := bob.Create(ctx, folder+"/f", files.UploadOptions{Size: -1})
	no(t, err)
	_, err = alice.Lock(ctx, folder+"/f", files.LockOptions{})
	want(t, "a file that is being written", err, files.ErrBusy)
	_, err = alice.Lock(ctx, folder, files.LockOptions{Deep: true})
	want(t, "a folder in which something is being written", err, files.ErrBusy)
	if _, err := alice.Lock(ctx, folder+"/sub", files.LockOptions{Deep: true}); err != nil {
		t.Errorf("beside it: %v", err)
	}
	_, err = u.Commit(ctx)
	no(t, err)
	_, err = alice.Lock(ctx, folder+"/f", files.LockOptions{})
	no(t, err)
}

func TestLocksAreBounded(t *testing.T) {
	w, alice, bob := team(t)
	const each = 50
	for i := range 1000 / each {
		p := fmt.Sprintf("/f%d", i)
		put(t, alice, p, "x")
		for range each {
			if _, err := alice.Lock(t.Context(), p, files.LockOptions{Shared: true}); err != nil {
				t.Fatal(i, err)
			}
		}
	}
	put(t, alice, "/f", "x")
	_, err := alice.Lock(t.Context(), "/f", files.LockOptions{Shared: true})
	want(t, "one too many", err, files.ErrLocks)
	if n := w.s.LockCount(); n != 1000 {
		t.Errorf("%d locks", n)
	}
	_, err = bob.Lock(t.Context(), folder+"/f", files.LockOptions{})
	no(t, err)
}

func mustLocks(t *testing.T, tree *files.Tree, p string) []files.Lock {
	t.Helper()
	locks, err := tree.Locks(t.Context(), p)
	no(t, err)
	return locks
}

// Of many that want the lock at once, one gets it; nobody changes the file beside it.
func TestLockRace(t *testing.T) {
	_, alice, bob := team(t)
	for range 50 {
		type result struct {
			lock files.Lock
			err  error
		}
		got := make(chan result)
		for _, tree := range []*files.Tree{alice, bob} {
			go func() {
				l, err := tree.Lock(context.Background(), folder+"/f", files.LockOptions{})
				got <- result{l, err}
			}()
		}
		go func() {
			u, err := bob.Create(context.Background(), folder+"/f", files.UploadOptions{Size: -1})
			if err == nil {
				_, err = u.Commit(context.Background())
			}
			got <- result{err: err}
		}()
		locked := 0
		for range 3 {
			r := <-got
			switch {
			case r.err == nil && r.lock.Token != "":
				locked++
			case r.err != nil && !errors.Is(r.err, files.ErrLocked) && !errors.Is(r.err, files.ErrBusy):
				t.Fatal(r.err)
			}
		}
		if locked > 1 {
			t.Fatal("two exclusive locks")
		}
		for _, tree := range []*files.Tree{alice, bob} {
			for _, l := range mustLocks(t, tree, folder+"/f") {
				if l.Own {
					no(t, tree.Unlock(t.Context(), folder+"/f", l.Token))
				}
			}
		}
	}
}

func TestProps(t *testing.T) {
	_, alice, bob := team(t)
	ctx := t.Context()
	f := folder + "/f"
	no(t, alice.SetProps(ctx, f, []byte("one")))
	has := func(p, want string) {
		t.Helper()
		got, err := bob.Props(ctx, p)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", p, got, err, want)
		}
	}
	has(f, "one")
	put(t, alice, f, "new content")
	has(f, "one")
	no(t, alice.Rename(ctx, f, "/groups/team/moved"))
	has("/groups/team/moved", "one")
	no(t, alice.SetProps(ctx, "/", []byte("home")))
	no(t, alice.SetProps(ctx, folder, []byte("folder")))
	has(folder, "folder")
	want(t, "too much", alice.SetProps(ctx, folder, make([]byte, files.MaxProps+1)), files.ErrQuota)
	no(t, alice.Chmod(ctx, "/groups/team/moved", 0o640))
	want(t, "without the right", bob.SetProps(ctx, "/groups/team/moved", []byte("x")), fs.ErrPermission)
	want(t, "of nothing", bob.SetProps(ctx, "/groups/team/none", []byte("x")), fs.ErrNotExist)
	no(t, alice.Chmod(ctx, "/groups/team/moved", 0o600))
	has("/groups/team/moved", "") // what one may not read
	if fmt.Sprint(names(t, bob, "/groups/team")) == "" {
		t.Error("nothing is listed")
	}
}

func TestShelf(t *testing.T) {
	_, alice, bob := team(t)
	ctx := t.Context()
	no(t, alice.SetProps(ctx, folder+"/f", []byte("one")))
	no(t, alice.SetProps(ctx, folder+"/h", []byte("hidden")))
	no(t, alice.Chmod(ctx, folder+"/h", 0o600))
	no(t, alice.Symlink(ctx, "f", folder+"/l"))
	shelf, err := bob.Shelf(ctx, folder)
	no(t, err)
	defer shelf.Close()
	no(t, bob.ReadDir(ctx, folder, func(i files.Info) error {
		data, ok, err := shelf.Props(ctx, i)
		if want := map[string]string{"f": "one"}[i.Name]; err != nil || string(data) != want || ok == i.Link {
			t.Errorf("%s: %q, %v, %v; want %q", i.Name, data, ok, err, want)
		}
		return nil
	}))
	other, err := bob.Lstat(ctx, "/groups/team/other")
	no(t, err)
	if _, ok, _ := shelf.Props(ctx, other); ok {
		t.Error("an entry of another folder")
	}
	_, err = bob.Shelf(ctx, folder+"/none")
	want(t, "no folder", err, fs.ErrNotExist)
	_, err = bob.Shelf(ctx, folder+"/f")
	want(t, "a file", err, fs.ErrPermission) // it has no x bit
	top, err := alice.Shelf(ctx, "/groups")
	no(t, err)
	top.Close()
}
