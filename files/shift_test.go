package files_test

import (
	"context"
	"io/fs"
	"os"
	"strings"
	"testing"

	"trivium/files"
	"trivium/identity"
)

// pausing is a policy that calls a function once, when a path is first asked about.
type pausing struct {
	at   identity.Resource
	then func()
}

func (p *pausing) Allowed(_ *identity.Session, r identity.Resource) bool {
	if fn := p.then; fn != nil && strings.HasPrefix(string(r), string(p.at)) {
		p.then = nil
		fn()
	}
	return true
}

// TestFolderGoesElsewhere: what was asked of a path is not done in the trash, nor by another path,
// when its folder is moved between the look and the act.
func TestFolderGoesElsewhere(t *testing.T) {
	for _, how := range []string{"trash", "rename"} {
		for name, act := range map[string]func(*files.Tree, context.Context) error{
			"create": func(tree *files.Tree, ctx context.Context) error {
				u, err := tree.Create(ctx, "/d/new", files.UploadOptions{Size: -1})
				if err == nil {
					_, err = u.Commit(ctx)
				}
				return err
			},
			"mkdir":    func(tree *files.Tree, ctx context.Context) error { return tree.Mkdir(ctx, "/d/new") },
			"mkdirall": func(tree *files.Tree, ctx context.Context) error { return tree.MkdirAll(ctx, "/d/new/more") },
			"symlink":  func(tree *files.Tree, ctx context.Context) error { return tree.Symlink(ctx, "f", "/d/new") },
			"remove":   func(tree *files.Tree, ctx context.Context) error { return tree.Remove(ctx, "/d/f") },
			"rename":   func(tree *files.Tree, ctx context.Context) error { return tree.Rename(ctx, "/d/f", "/out") },
			"renameto": func(tree *files.Tree, ctx context.Context) error { return tree.Rename(ctx, "/other", "/d/new") },
			"chmod":    func(tree *files.Tree, ctx context.Context) error { return tree.Chmod(ctx, "/d/f", 0o600) },
			"times":    func(tree *files.Tree, ctx context.Context) error { return tree.Chtimes(ctx, "/d/f", past) },
			"props":    func(tree *files.Tree, ctx context.Context) error { return tree.SetProps(ctx, "/d/f", []byte("x")) },
			"lock": func(tree *files.Tree, ctx context.Context) error {
				_, err := tree.Lock(ctx, "/d/f", files.LockOptions{})
				return err
			},
		} {
			t.Run(how+" "+name, func(t *testing.T) {
				p := &pausing{at: "file:/home/alice/d/"}
				w := newBinWorld(t, files.TrashAll, 0, func(o *files.Options) { o.Policy = p })
				tree, ctx := w.alice(), t.Context()
				no(t, tree.Mkdir(ctx, "/d"))
				put(t, tree, "/d/f", "x")
				put(t, tree, "/other", "y")
				p.then = func() {
					if how == "trash" {
						no(t, tree.RemoveAll(ctx, "/d"))
					} else {
						no(t, tree.Rename(ctx, "/d", "/e"))
					}
				}
				want(t, name, act(tree, ctx), fs.ErrNotExist)
				if how == "trash" {
					if x := trash(t, tree); len(x) != 1 {
						t.Fatalf("trash: %+v", x)
					}
					no(t, tree.RestoreTrash(ctx, trash(t, tree)[0].ID, "/e"))
				}
				if got := names(t, tree, "/e"); len(got) != 1 || got[0] != "f" || get(t, tree, "/e/f") != "x" {
					t.Errorf("the folder holds %q", got)
				}
				recount(t, w.world, aliceKey)
				if n := w.s.Held(); n != 0 {
					t.Errorf("%d locks are held", n)
				}
			})
		}
	}
}

// TestUploadFollowsItsFolder: an upload into a folder that is renamed meanwhile counts for the new path
// in all that follows.
func TestUploadFollowsItsFolder(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 2)
	tree, ctx := w.alice(), t.Context()
	no(t, tree.MkdirAll(ctx, "/a/d"))
	put(t, tree, "/a/d/f", "one")
	u := create(t, tree, "/a/d/f", files.UploadOptions{Size: -1})
	write(t, u, "two")
	no(t, tree.Rename(ctx, "/a", "/b"))
	want(t, "into the trash", tree.RemoveAll(ctx, "/b"), files.ErrBusy)
	lock, err := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser)).Lock(ctx, "/b", files.LockOptions{Deep: true})
	no(t, err)
	_, err = u.Commit(ctx)
	want(t, "a lock on the new path", err, files.ErrLocked)
	no(t, tree.Unlock(ctx, "/b", lock.Token))
	i, err := u.Commit(ctx)
	no(t, err)
	if i.Path != "/b/d/f" || get(t, tree, "/b/d/f") != "two" {
		t.Errorf("%+v", i)
	}
	if got := contents(t, tree, "/b/d/f"); len(got) != 1 || got[0] != "one" {
		t.Errorf("versions: %q", got)
	}
}

// TestLeftTheGroup: who has lost the group in the middle of something goes on with nothing there, though
// a folder lets everybody write.
func TestLeftTheGroup(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	who := session("bob", bobUID, identity.LevelUser, "team")
	bob := w.s.ViewOf(who)
	no(t, alice.Mkdir(ctx, "/groups/team/open"))
	no(t, alice.Chmod(ctx, "/groups/team/open", 0o777))
	no(t, alice.Mkdir(ctx, "/groups/team/open/sub"))
	no(t, alice.Chmod(ctx, "/groups/team/open/sub", 0o777))
	put(t, alice, "/groups/team/open/sub/f", "x")
	u := create(t, bob, "/groups/team/open/late", files.UploadOptions{Size: -1})
	write(t, u, "late")
	leave := func() { who.change(func(c *identity.Credentials) { c.Groups, c.GIDs = nil, nil }) }
	leave()
	_, err := u.Commit(ctx)
	want(t, "commit", err, fs.ErrNotExist)
	no(t, u.Discard())

	who.change(func(c *identity.Credentials) { c.Groups, c.GIDs = []string{"team"}, []uint32{teamGID} })
	put(t, bob, "/groups/team/open/1", "first to go")
	w.on = func(files.Changed) { leave() }
	want(t, "remove all", bob.RemoveAll(ctx, "/groups/team/open"), fs.ErrNotExist)
	w.on = nil
	if !exists(w.path("groups/team/open/sub/f")) {
		t.Error("removed by somebody who had left")
	}
}

// TestRenamedUnderAnUpload: what has come to stand where an upload will be is kept as a version.
func TestRenamedUnderAnUpload(t *testing.T) {
	w := newBinWorld(t, files.TrashAll, 2)
	tree, ctx := w.alice(), t.Context()
	put(t, tree, "/g", "kept")
	u := create(t, tree, "/f", files.UploadOptions{Size: -1})
	write(t, u, "new")
	no(t, tree.Rename(ctx, "/g", "/f"))
	_, err := u.Commit(ctx)
	no(t, err)
	if got := contents(t, tree, "/f"); len(got) != 1 || got[0] != "kept" {
		t.Errorf("versions: %q", got)
	}
	recount(t, w.world, aliceKey)
}

// TestMovedToAnotherStore: what has come into a file while it was copied to another store stays.
func TestMovedToAnotherStore(t *testing.T) {
	w := newWorld(t, mounted(t, "/media", func(m *files.Mount) {
		m.Mode, m.Mask, m.Backend = 0o777, 0, &sick{Backend: single(t, t.TempDir(), "/media", false)} // not of one kind with the homes
	}))
	tree, ctx := w.alice(), t.Context()
	put(t, tree, "/f", "old")
	w.on = func(c files.Changed) {
		if c.Op == files.OpStore && c.Path == "/media/f" {
			no(t, os.WriteFile(w.path("home/alice/f"), []byte("new"), 0o600))
		}
	}
	err := tree.Rename(ctx, "/f", "/media/f")
	w.on = nil
	want(t, "rename", err, files.ErrBusy)
	if !exists(w.path("home/alice/f")) || get(t, tree, "/f") != "new" || get(t, tree, "/media/f") != "old" {
		t.Error("what came meanwhile is gone")
	}
	no(t, tree.Rename(ctx, "/f", "/media/f"))
	if exists(w.path("home/alice/f")) || get(t, tree, "/media/f") != "new" {
		t.Error("not moved")
	}
}
