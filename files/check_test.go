package files_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/files"
)

// asked notes what Checks are asked, and refuses some of it.
type asked struct {
	seen   []string
	refuse string // one of seen
}

func (a *asked) note(what string) bool {
	a.seen = append(a.seen, what)
	return what != a.refuse
}

func (a *asked) checks() files.Checks {
	at := func(kind string) func(string) bool {
		return func(canonical string) bool { return a.note(kind + " " + strings.TrimPrefix(canonical, "/home/alice")) }
	}
	return files.Checks{At: at("at"), To: at("to"), Below: at("below"), Whole: func(from, to string) bool {
		return a.note("whole " + strings.TrimPrefix(from, "/home/alice") + " " + strings.TrimPrefix(to, "/home/alice"))
	}}
}

// TestChecks says of each operation what is asked, and refuses each question in turn: that ends it as
// said, and what is refused stays as it was.
func TestChecks(t *testing.T) {
	uid := uint32(aliceUID)
	for _, tt := range []struct {
		name string
		do   func(*files.Tree, context.Context) error
		asks []string
		err  error // where one is refused; nil: fs.ErrNotExist
	}{
		{"stat", func(w *files.Tree, ctx context.Context) error { _, err := w.Stat(ctx, "/way"); return err }, []string{"at /way", "at /d/f"}, nil},
		{"lstat", func(w *files.Tree, ctx context.Context) error { _, err := w.Lstat(ctx, "/way"); return err }, []string{"at /way"}, nil},
		{"open", func(w *files.Tree, ctx context.Context) error {
			f, err := w.Open(ctx, "/door/f")
			if err == nil {
				err = f.Close()
			}
			return err
		}, []string{"at /d/f"}, nil},
		{"sum", func(w *files.Tree, ctx context.Context) error {
			_, err := w.Sum(ctx, "/door/f", files.MD5, 0, -1)
			return err
		}, []string{"at /d/f"}, nil},
		{"list", func(w *files.Tree, ctx context.Context) error {
			return w.ReadDir(ctx, "/door", func(files.Info) error { return nil })
		}, []string{"at /door", "at /d"}, nil},
		{"list the top", func(w *files.Tree, ctx context.Context) error {
			return w.ReadNames(ctx, "/", func(string, fs.FileMode) error { return nil })
		}, []string{"at "}, nil}, // no mount that shows in it
		{"mkdir", func(w *files.Tree, ctx context.Context) error { return w.Mkdir(ctx, "/door/n") }, []string{"at /d/n"}, nil},
		{"mkdir all", func(w *files.Tree, ctx context.Context) error { return w.MkdirAll(ctx, "/door/n/m") }, []string{"at /d/n", "at /d/n/m"}, nil},
		{"mkdir what is there", func(w *files.Tree, ctx context.Context) error { return w.MkdirAll(ctx, "/door/sub") }, []string{"at /d/sub"}, nil},
		{"symlink", func(w *files.Tree, ctx context.Context) error { return w.Symlink(ctx, "f", "/door/n") }, []string{"at /d/n"}, nil},
		{"chmod", func(w *files.Tree, ctx context.Context) error { return w.Chmod(ctx, "/way", 0o600) }, []string{"at /way", "at /d/f"}, nil},
		{"chown", func(w *files.Tree, ctx context.Context) error { return w.Chown(ctx, "/door/f", &uid, nil) }, []string{"at /d/f"}, nil},
		{"chtimes", func(w *files.Tree, ctx context.Context) error { return w.Chtimes(ctx, "/door/f", time.Unix(1, 0)) }, []string{"at /d/f"}, nil},
		{"created", func(w *files.Tree, ctx context.Context) error { return w.SetCreated(ctx, "/door/f", time.Unix(1, 0)) }, []string{"at /d/f"}, nil},
		{"upload", func(w *files.Tree, ctx context.Context) error {
			u, err := w.Create(ctx, "/door/f", files.UploadOptions{Size: -1})
			if err != nil {
				return err
			}
			if _, err = u.Commit(ctx); err != nil {
				return errors.Join(err, u.Discard())
			}
			return nil
		}, []string{"at /d/f", "at /d/f"}, nil}, // the second time at its Commit
		{"remove", func(w *files.Tree, ctx context.Context) error { return w.Remove(ctx, "/way") }, []string{"at /way"}, nil},
		{"rmdir", func(w *files.Tree, ctx context.Context) error { return w.RemoveDir(ctx, "/door/empty") }, []string{"at /d/empty"}, nil},
		{"remove all", func(w *files.Tree, ctx context.Context) error { return w.RemoveAll(ctx, "/door/sub") },
			[]string{"at /d/sub", "below /d/sub/g", "below /d/sub/in/h", "below /d/sub/in"}, fs.ErrPermission},
		{"rename a file", func(w *files.Tree, ctx context.Context) error { return w.Rename(ctx, "/door/f", "/door/n") }, []string{"at /d/f", "to /d/n"}, nil},
		{"rename a folder", func(w *files.Tree, ctx context.Context) error { return w.Rename(ctx, "/door/sub", "/n") },
			[]string{"at /d/sub", "to /n", "whole /d/sub /n"}, fs.ErrPermission},
		{"copy a file", func(w *files.Tree, ctx context.Context) error {
			return w.Copy(ctx, "/way", "/n", files.CopyOptions{})
		}, []string{"at /way", "at /d/f", "to /n"}, nil},
		{"copy a folder", func(w *files.Tree, ctx context.Context) error {
			return w.Copy(ctx, "/door/sub", "/n", files.CopyOptions{Deep: true})
		}, []string{"at /d/sub", "at /d/sub/g", "at /d/sub/in", "at /d/sub/in/h", "to /n", "to /n/g", "to /n/in", "to /n/in/h"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := func(refuse string) (*world, *asked, error) {
				w := newWorld(t)
				tree, ctx := w.alice(), t.Context()
				for _, d := range []string{"/d", "/d/sub", "/d/sub/in", "/d/empty"} {
					no(t, tree.Mkdir(ctx, d))
				}
				for _, f := range []string{"/d/f", "/d/sub/g", "/d/sub/in/h"} {
					put(t, tree, f, "x")
				}
				no(t, tree.Symlink(ctx, "d", "/door"))
				no(t, tree.Symlink(ctx, "d/f", "/way"))
				a := &asked{refuse: refuse}
				return w, a, tt.do(tree.Checked(a.checks()), ctx)
			}
			_, a, err := run("")
			no(t, err)
			for _, q := range tt.asks {
				if !slices.Contains(a.seen, q) {
					t.Errorf("%q is not asked, but %q", q, a.seen)
				}
			}
			for _, q := range a.seen {
				if !slices.Contains(tt.asks, q) {
					t.Errorf("%q is asked", q)
				}
			}
			for _, q := range tt.asks {
				w, _, err := run(q)
				kind, at, _ := strings.Cut(q, " ")
				switch {
				case kind == "below" || kind == "whole":
					want(t, q, err, fs.ErrPermission)
				case strings.HasPrefix(tt.name, "copy a folder") && strings.Count(at, "/") > 2 && kind == "at":
					// What is refused is left out, as what is hidden is.
					if err != nil {
						t.Errorf("%s: %v", q, err)
					}
					if exists(w.path("home/alice/n" + strings.TrimPrefix(at, "/d/sub"))) {
						t.Errorf("%s: it was copied", q)
					}
				default:
					want(t, q, err, fs.ErrNotExist)
				}
				if kind == "below" && !exists(w.path("home/alice"+at)) {
					t.Errorf("%s: it was removed", q)
				}
				if kind == "to" && exists(w.path("home/alice"+at)) {
					t.Errorf("%s: it was made", q)
				}
			}
		})
	}
}

// TestChecksOfMovedUpload: an upload goes with its folder, and not to where a check refuses it.
func TestChecksOfMovedUpload(t *testing.T) {
	w := newWorld(t)
	tree, ctx := w.alice(), t.Context()
	no(t, tree.Mkdir(ctx, "/a"))
	a := &asked{refuse: "at /b/f"}
	u, err := tree.Checked(a.checks()).Create(ctx, "/a/f", files.UploadOptions{Size: -1})
	no(t, err)
	_, err = u.Write([]byte("x"))
	no(t, err)
	no(t, tree.Rename(ctx, "/a", "/b"))
	_, err = u.Commit(ctx)
	want(t, "commit", err, fs.ErrNotExist)
	no(t, u.Discard())
	if exists(w.path("home/alice/b/f")) {
		t.Error("the file stands there")
	}
}

// TestChecksMeetTheRace exchanges the folder that a path leads through without rest: what is read lies
// where the check was asked.
func TestChecksMeetTheRace(t *testing.T) {
	w := newWorld(t)
	tree, ctx := w.alice(), t.Context()
	for _, d := range []string{"/open", "/shut"} {
		no(t, tree.Mkdir(ctx, d))
		put(t, tree, d+"/f", d)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := errors.Join(os.Symlink([]string{"open", "shut"}[i%2], w.path("home/alice/.new")),
				os.Rename(w.path("home/alice/.new"), w.path("home/alice/door"))); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	defer func() { close(stop); <-done }()
	var last string
	checked := tree.Checked(files.Checks{At: func(c string) bool { last = c; return !strings.HasPrefix(c, "/home/alice/shut") }})
	read, refused := 0, 0
	for deadline := time.Now().Add(20 * time.Second); (read < 200 || refused < 200) && time.Now().Before(deadline); {
		f, err := checked.Open(ctx, "/door/f")
		if err != nil {
			refused++
			continue
		}
		b, err := io.ReadAll(f)
		no(t, err)
		_ = f.Close()
		if read++; string(b) != "/open" || last != "/home/alice/open/f" {
			t.Fatalf("read %q, asked about %s", b, last)
		}
	}
	if read == 0 || refused == 0 {
		t.Errorf("the race was not met: %d reads, %d refused", read, refused)
	}
}
