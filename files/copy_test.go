package files_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/files"
	"trivium/identity"
)

// below lists all that is below a path, with what it holds.
func below(t *testing.T, tree *files.Tree, p string) (out []string) {
	t.Helper()
	no(t, tree.ReadDir(t.Context(), p, func(i files.Info) error {
		switch {
		case i.Dir:
			out = append(out, i.Path+"/")
			out = append(out, below(t, tree, i.Path)...)
		case i.Link:
			out = append(out, i.Path+" -> "+i.Target)
		default:
			out = append(out, i.Path+" "+get(t, tree, i.Path))
		}
		return nil
	}))
	return out
}

func TestCopyFile(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tree := w.alice()
	big := strings.Repeat("0123456789abcdef", files.Slice/16+100)
	put(t, tree, "/a", big)
	no(t, tree.Chmod(ctx, "/a", 0o711))
	no(t, tree.Chtimes(ctx, "/a", past))
	no(t, tree.Copy(ctx, "/a", "/b", files.CopyOptions{}))
	i, err := tree.Stat(ctx, "/b")
	if err != nil || i.Mode.Perm() != 0o710 || !i.ModTime.Equal(past) || i.UID != aliceUID || get(t, tree, "/b") != big {
		t.Errorf("%+v, %v", i, err)
	}
	if used(t, tree) != 2*int64(len(big)) {
		t.Errorf("used %d", used(t, tree))
	}
	put(t, tree, "/c", "c")
	want(t, "over", tree.Copy(ctx, "/a", "/c", files.CopyOptions{}), fs.ErrExist)
	if get(t, tree, "/c") != "c" {
		t.Error("it was replaced")
	}
	no(t, tree.Copy(ctx, "/c", "/b", files.CopyOptions{Over: true}))
	if get(t, tree, "/b") != "c" || used(t, tree) != int64(len(big))+2 {
		t.Errorf("replaced: used %d", used(t, tree))
	}
	no(t, tree.Mkdir(ctx, "/d"))
	for _, tt := range []struct {
		name, from, to string
		err            error
	}{
		{"itself", "/a", "/a", fs.ErrExist}, {"onto a folder", "/a", "/d", files.ErrIsDir}, {"absent", "/x", "/y", fs.ErrNotExist},
		{"into what is absent", "/a", "/x/y", fs.ErrNotExist}, {"into a file", "/a", "/c/y", files.ErrNotDir},
		{"a folder onto a file", "/d", "/a", fs.ErrExist}, {"a folder onto itself", "/d", "/d", fs.ErrExist},
		{"the place of mounts", "/a", "/pub", files.ErrIsDir}, {"a name", "/a", "/\x00", files.ErrName},
	} {
		want(t, tt.name, tree.Copy(ctx, tt.from, tt.to, files.CopyOptions{Over: true, Deep: true}), tt.err)
	}
	// One's own unfinished upload is no file yet.
	u := create(t, tree, "/half", files.UploadOptions{Size: -1})
	write(t, u, "half")
	no(t, u.Suspend())
	want(t, "a part", tree.Copy(ctx, "/half", "/whole", files.CopyOptions{}), fs.ErrNotExist)
	if w.s.Held() != 0 {
		t.Errorf("%d locks", w.s.Held())
	}
}

func TestCopyQuota(t *testing.T) {
	w := newWorld(t)
	who := session("alice", aliceUID, identity.LevelUser)
	who.change(func(c *identity.Credentials) { c.QuotaBytes = 1000 })
	tree := w.s.ViewOf(who)
	put(t, tree, "/a", strings.Repeat("x", 600))
	want(t, "copy", tree.Copy(t.Context(), "/a", "/b", files.CopyOptions{}), files.ErrQuota)
	if used(t, tree) != 600 || w.s.Held() != 0 {
		t.Errorf("used %d, %d locks", used(t, tree), w.s.Held())
	}
	if _, ok := tree.Part(t.Context(), "/b"); ok {
		t.Error("a part is left")
	}
}

func TestCopyDeep(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tree := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	no(t, tree.MkdirAll(ctx, "/a/b/c"))
	no(t, tree.MkdirAll(ctx, "/a/e"))
	put(t, tree, "/a/f", "f")
	put(t, tree, "/a/b/c/g", "g")
	no(t, tree.Symlink(ctx, "b/c/g", "/a/in"))
	no(t, tree.Symlink(ctx, "../a/f", "/a/up"))
	no(t, tree.Chmod(ctx, "/a/b", 0o500))
	no(t, tree.Chtimes(ctx, "/a/b", past))
	no(t, tree.Copy(ctx, "/a", "/groups/team/z", files.CopyOptions{Deep: true}))
	got := below(t, tree, "/groups/team/z")
	if !slices.Equal(got, []string{"/groups/team/z/b/", "/groups/team/z/b/c/", "/groups/team/z/b/c/g g", "/groups/team/z/e/", "/groups/team/z/f f",
		"/groups/team/z/in -> b/c/g", "/groups/team/z/up -> ../a/f"}) {
		t.Errorf("%q", got)
	}
	i, err := tree.Stat(ctx, "/groups/team/z/b")
	if err != nil || i.Mode != fs.ModeDir|fs.ModeSetgid|0o500 || !i.ModTime.Equal(past) || i.GID != teamGID || i.UID != aliceUID {
		t.Errorf("folder: %+v, %v", i, err)
	}
	if i, _ = tree.Stat(ctx, "/groups/team/z/b/c/g"); i.Mode != 0o660 || i.GID != teamGID {
		t.Errorf("file: %+v", i)
	}
	// A link that would lead out from there is left out.
	no(t, tree.Chmod(ctx, "/a/b", 0o700))
	no(t, tree.Symlink(ctx, "../../x", "/a/b/out"))
	no(t, tree.Copy(ctx, "/a/b", "/b", files.CopyOptions{Deep: true}))
	if got := names(t, tree, "/b"); !slices.Equal(got, []string{"c"}) {
		t.Errorf("/b: %v", got)
	}
	// A folder alone; a folder into itself; all of the home, without what else shows there.
	no(t, tree.Copy(ctx, "/a", "/alone", files.CopyOptions{}))
	if got := names(t, tree, "/alone"); len(got) != 0 {
		t.Errorf("/alone: %v", got)
	}
	want(t, "into itself", tree.Copy(ctx, "/a", "/a/b/a", files.CopyOptions{Deep: true}), files.ErrUnsupported)
	want(t, "all into itself", tree.Copy(ctx, "/", "/all", files.CopyOptions{Deep: true}), files.ErrUnsupported)
	want(t, "what holds mounts", tree.Copy(ctx, "/groups", "/all", files.CopyOptions{Deep: true}), fs.ErrPermission)
	no(t, tree.Symlink(ctx, "a", "/link"))
	want(t, "into itself by a link", tree.Copy(ctx, "/a", "/link/x", files.CopyOptions{Deep: true}), files.ErrUnsupported)
	no(t, tree.Copy(ctx, "/", "/groups/team/home", files.CopyOptions{Deep: true}))
	if got := names(t, tree, "/groups/team/home"); !slices.Equal(got, []string{"a", "alone", "b", "link"}) {
		t.Errorf("home: %v", got)
	}
	// What is counted is what is there.
	again := openWorld(t, w.dir).s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	if used(t, tree) != used(t, again) {
		t.Errorf("counted %d, there are %d", used(t, tree), used(t, again))
	}
}

// TestCopyStops: at the end of the context or of the session, and where it is too deep.
func TestCopyStops(t *testing.T) {
	w := newWorld(t)
	who := session("alice", aliceUID, identity.LevelUser)
	tree := w.s.ViewOf(who)
	ctx, cancel := context.WithCancel(t.Context())
	for _, p := range []string{"/a/1", "/a/2", "/a/3"} {
		no(t, tree.MkdirAll(ctx, p))
		put(t, tree, p+"/f", "f")
	}
	seen := 0
	stop := cancel
	w.on = func(c files.Changed) {
		if c.Op == files.OpStore && strings.HasPrefix(c.Path, "/home/alice/b") {
			if seen++; seen == 2 {
				stop()
			}
		}
	}
	want(t, "cancelled", tree.Copy(ctx, "/a", "/b", files.CopyOptions{Deep: true}), context.Canceled)
	if got := names(t, tree, "/b"); seen != 2 || !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("after %d files: %v", seen, got)
	}
	no(t, tree.RemoveAll(t.Context(), "/b"))
	seen, stop = 0, func() { close(who.ended) }
	want(t, "ended", tree.Copy(t.Context(), "/a", "/b", files.CopyOptions{Deep: true}), identity.ErrEnded)
	if seen != 2 || exists(w.path("home/alice/b/3")) || w.s.Held() != 0 {
		t.Errorf("after %d files", seen)
	}

	tree = newWorld(t).alice()
	no(t, tree.MkdirAll(t.Context(), "/deep"+strings.Repeat("/d", 300)))
	want(t, "too deep", tree.Copy(t.Context(), "/deep", "/copy", files.CopyOptions{Deep: true}), files.ErrUnsupported)
}

// TestCopyHides: what the session may not see or read is not copied, and no copy changes that.
func TestCopyHides(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	no(t, w.alice().MkdirAll(ctx, "/a/secret"))
	put(t, w.alice(), "/a/secret/f", "x")
	put(t, w.alice(), "/a/open", "o")
	tree := openWorld(t, w.dir, func(o *files.Options) { o.Policy = rules{"/home/alice/a/secret"} }).alice()
	no(t, tree.Copy(ctx, "/a", "/b", files.CopyOptions{Deep: true}))
	if got := names(t, w.alice(), "/b"); !slices.Equal(got, []string{"open"}) {
		t.Errorf("%v", got)
	}
	want(t, "the hidden one", tree.Copy(ctx, "/a/secret", "/c", files.CopyOptions{Deep: true}), fs.ErrNotExist)

	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser, "team"))
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	put(t, bob, "/groups/team/mine", "bob's own")
	no(t, bob.Chmod(ctx, "/groups/team/mine", 0o600))
	want(t, "no right to read", alice.Copy(ctx, "/groups/team/mine", "/got", files.CopyOptions{}), fs.ErrPermission)
	no(t, bob.Chmod(ctx, "/groups/team/mine", 0o640))
	no(t, alice.Copy(ctx, "/groups/team/mine", "/got", files.CopyOptions{}))
	if i, err := alice.Stat(ctx, "/got"); err != nil || i.UID != aliceUID || i.GID != aliceUID {
		t.Errorf("%+v, %v", i, err)
	}
	want(t, "no right to add", alice.Copy(ctx, "/got", "/pub/got", files.CopyOptions{}), fs.ErrPermission)
	no(t, bob.Mkdir(ctx, "/groups/team/shut"))
	no(t, bob.Chmod(ctx, "/groups/team/shut", 0o711))
	want(t, "no right to list", alice.Copy(ctx, "/groups/team", "/team", files.CopyOptions{Deep: true}), fs.ErrPermission)
}

// TestCopyOfPipes: what is no file, folder or link is left out.
func TestCopyOfPipes(t *testing.T) {
	w := newWorld(t)
	tree := w.alice()
	no(t, tree.Mkdir(t.Context(), "/a"))
	mkfifo(t, filepath.Join(w.path("home/alice"), "a/pipe"))
	no(t, tree.Copy(t.Context(), "/a", "/b", files.CopyOptions{Deep: true}))
	if l, err := os.ReadDir(w.path("home/alice/b")); err != nil || len(l) != 0 {
		t.Errorf("%v, %v", l, err)
	}
}

func TestCreated(t *testing.T) {
	before := time.Now().Add(-time.Minute)
	w := newWorld(t)
	tree := w.alice()
	put(t, tree, "/f", "x")
	no(t, tree.Chtimes(t.Context(), "/f", past))
	i, err := tree.Stat(t.Context(), "/f")
	no(t, err)
	if i.Created.IsZero() {
		t.Skip("this file system keeps no time of creation")
	}
	if i.Created.Before(before) || i.Created.After(time.Now().Add(time.Minute)) || !i.ModTime.Equal(past) {
		t.Errorf("%+v", i)
	}
}

// TestCopyProps: properties go along, and stay with the original.
func TestCopyProps(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tree := w.alice()
	no(t, tree.Mkdir(ctx, "/a"))
	put(t, tree, "/a/f", "f")
	put(t, tree, "/g", "g")
	if err := tree.SetProps(ctx, "/a/f", []byte("of f")); errors.Is(err, files.ErrUnsupported) {
		t.Skip(w.s.Features().Why)
	}
	no(t, tree.SetProps(ctx, "/a", []byte("of a")))
	no(t, tree.SetProps(ctx, "/g", []byte("of g")))
	no(t, tree.Copy(ctx, "/a", "/b", files.CopyOptions{Deep: true}))
	no(t, tree.Copy(ctx, "/a/f", "/g", files.CopyOptions{Over: true}))
	for p, props := range map[string]string{"/a": "of a", "/a/f": "of f", "/b": "of a", "/b/f": "of f", "/g": "of f"} {
		if got, err := tree.Props(ctx, p); string(got) != props || err != nil {
			t.Errorf("%s: %q, %v", p, got, err)
		}
	}
}
