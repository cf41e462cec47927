package files_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trivium/files"
	"trivium/identity"
)

// TestLinksStayInside puts links where a shell could; none leads out.
func TestLinksStayInside(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser))
	put(t, bob, "/private", "bob's")
	tree := w.alice()
	put(t, tree, "/f", "mine")
	no(t, tree.Mkdir(ctx, "/d"))
	outside := filepath.Join(t.TempDir(), "outside")
	no(t, os.WriteFile(outside, []byte("the host's"), 0o600))
	home := w.path("home/alice")
	for name, target := range map[string]string{
		"abs": outside, "absdir": filepath.Dir(outside), "etc": "/etc/passwd", "up": "../bob/private",
		"updir": "../bob", "far": "../../../../../../etc/passwd", "self": "self", "ping": "pong", "pong": "ping",
		"abshome": filepath.Join(home, "f"), "parts": ".trivium", "d/out": "../../bob/private", "chain": "up",
	} {
		no(t, os.Symlink(target, filepath.Join(home, name)))
	}
	for _, p := range []string{"/abs", "/absdir/outside", "/etc", "/up", "/updir/private", "/updir", "/far", "/self",
		"/ping", "/abshome", "/parts", "/parts/parts", "/d/out", "/chain"} {
		_, err := tree.Stat(ctx, p)
		want(t, "stat "+p, err, fs.ErrNotExist)
		_, err = tree.Open(ctx, p)
		want(t, "open "+p, err, fs.ErrNotExist)
		_, err = try(t, tree, p, "owned")
		if !errors.Is(err, fs.ErrNotExist) && !(p == "/parts" && errors.Is(err, files.ErrName)) {
			t.Errorf("put %s: %v", p, err)
		}
		if _, err := tree.Create(ctx, p, files.UploadOptions{Append: true, Size: -1}); err == nil {
			t.Errorf("append %s", p)
		}
		want(t, "mkdir below "+p, tree.Mkdir(ctx, p+"/x"), fs.ErrNotExist)
		want(t, "chmod "+p, tree.Chmod(ctx, p, 0o777), fs.ErrNotExist)
		want(t, "chtimes "+p, tree.Chtimes(ctx, p, past), fs.ErrNotExist)
		want(t, "remove below "+p, tree.Remove(ctx, p+"/private"), fs.ErrNotExist)
		want(t, "rename below "+p, tree.Rename(ctx, "/f", p+"/x"), fs.ErrNotExist)
	}
	for _, target := range []string{"/etc/passwd", "..", "../bob/private", "a/../../x", ""} {
		if err := tree.Symlink(ctx, target, "/made"); err == nil {
			t.Errorf("made a link to %q", target)
		}
	}
	no(t, tree.Symlink(ctx, "../f", "/d/good"))
	if get(t, tree, "/d/good") != "mine" {
		t.Error("a link inside is followed")
	}
	i, err := tree.Lstat(ctx, "/d/good")
	if err != nil || !i.Link || i.Target != "../f" {
		t.Errorf("%+v %v", i, err)
	}
	put(t, tree, "/d/good", "through the link")
	if i, _ := tree.Lstat(ctx, "/d/good"); !i.Link || get(t, tree, "/f") != "through the link" {
		t.Error("a store through a link goes to its target")
	}
	no(t, tree.Remove(ctx, "/up")) // a link itself can go
	no(t, tree.Rename(ctx, "/far", "/near"))
	b, err := os.ReadFile(outside)
	if err != nil || string(b) != "the host's" || get(t, bob, "/private") != "bob's" {
		t.Error("something outside was changed")
	}
	for _, p := range []string{"/../bob/private", "/..", "../../etc/passwd", "/d/../../bob/private", "/%2e%2e/bob/private", `/..\bob\private`} {
		f, err := tree.Open(ctx, p)
		if err == nil {
			b, _ := io.ReadAll(f)
			t.Errorf("%s opened: %q", p, b)
		}
	}
	// No pipe holds the server up.
	mkfifo(t, filepath.Join(home, "pipe"))
	_, err = tree.Open(ctx, "/pipe")
	want(t, "a pipe", err, files.ErrUnsupported)
	for _, n := range names(t, tree, "/") {
		if n == "pipe" {
			t.Error("a pipe is listed")
		}
	}
}

// TestSwapRace exchanges a folder for a link to another home while it is used.
func TestSwapRace(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser))
	put(t, bob, "/f", "bob's")
	tree := w.alice()
	no(t, tree.Mkdir(ctx, "/real"))
	put(t, tree, "/real/f", "mine")
	home := w.path("home/alice")
	no(t, os.Symlink("../bob", filepath.Join(home, "link")))
	no(t, os.Rename(filepath.Join(home, "real"), filepath.Join(home, "d")))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, mv := range [][2]string{{"d", "real"}, {"link", "d"}, {"d", "link"}, {"real", "d"}} {
				if err := os.Rename(filepath.Join(home, mv[0]), filepath.Join(home, mv[1])); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	reads, refused := 0, 0
	for range 3000 {
		f, err := tree.Open(ctx, "/d/f")
		if err == nil {
			b, _ := io.ReadAll(f)
			_ = f.Close()
			if string(b) != "mine" && string(b) != "written" {
				t.Fatalf("read %q", b)
			}
			reads++
		} else {
			refused++
		}
		_, _ = try(t, tree, "/d/f", "written")
		if err := tree.Remove(ctx, "/d/stray"); err == nil {
			t.Fatal("removed what is not there")
		}
	}
	close(stop)
	<-done
	if get(t, bob, "/f") != "bob's" {
		t.Error("bob's file was changed")
	}
	if got := strings.Join(names(t, bob, "/"), " "); got != "f pub" {
		t.Errorf("bob's home: %s", got)
	}
	if reads == 0 || refused == 0 {
		t.Logf("the race was not met: %d reads, %d refused", reads, refused)
	}
}

// TestGuardedFolderStays: moving a folder does not carry a hidden one out of its rule.
func TestGuardedFolderStays(t *testing.T) {
	w := newWorld(t)
	no(t, w.alice().Mkdir(t.Context(), "/a"))
	no(t, w.alice().Mkdir(t.Context(), "/a/secret"))
	put(t, w.alice(), "/a/secret/f", "x")
	tree := openWorld(t, w.dir, func(o *files.Options) { o.Policy = rules{"/home/alice/a/secret"} }).alice()
	want(t, "move", tree.Rename(t.Context(), "/a", "/b"), fs.ErrPermission)
	_, err := tree.Stat(t.Context(), "/a/secret/f")
	want(t, "stat", err, fs.ErrNotExist)
}

type rules []string

func (r rules) Allowed(_ *identity.Session, res identity.Resource) bool {
	for _, p := range r {
		if strings.HasPrefix(string(res)+"/", "file:"+p+"/") {
			return false
		}
	}
	return true
}

func (r rules) RulesFor(*identity.Session, string) (out []identity.Rule) {
	for _, p := range r {
		out = append(out, identity.Rule{Resource: "file:" + p, Level: identity.LevelNobody})
	}
	return out
}

func TestEveryErrorIsListed(t *testing.T) {
	seen := map[string]bool{}
	for _, err := range files.Errors() {
		if seen[err.Error()] {
			t.Errorf("%v twice", err)
		}
		seen[err.Error()] = true
		if !errors.Is(err, err) {
			t.Error(err)
		}
	}
}
