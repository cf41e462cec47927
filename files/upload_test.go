package files_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"trivium/files"
	"trivium/files/local"
	"trivium/identity"
)

type ctx = context.Context

func create(t *testing.T, tree *files.Tree, p string, o files.UploadOptions) *files.Upload {
	t.Helper()
	u, err := tree.Create(t.Context(), p, o)
	if err != nil {
		t.Fatalf("create %s: %v", p, err)
	}
	return u
}

func write(t *testing.T, u *files.Upload, s string) {
	t.Helper()
	if n, err := u.Write([]byte(s)); err != nil || n != len(s) {
		t.Fatalf("write: %d, %v", n, err)
	}
}

func TestHalfUploadsAreInvisible(t *testing.T) {
	for _, sync := range []bool{false, true} {
		w := newWorld(t, func(o *files.Options) { o.Sync = sync })
		tree, ctx := w.alice(), t.Context()
		put(t, tree, "/old", "old content")
		for _, p := range []string{"/new", "/old"} {
			u := create(t, tree, p, files.UploadOptions{Size: -1})
			write(t, u, "half")
			if got := names(t, tree, "/"); strings.Join(got, " ") != "old pub" {
				t.Errorf("listed: %v", got)
			}
			if get(t, tree, "/old") != "old content" || exists(w.path("home/alice/new")) {
				t.Error("half an upload can be seen")
			}
			if _, err := tree.Open(ctx, "/new"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("opened: %v", err)
			}
			_, err := tree.Create(ctx, p, files.UploadOptions{Size: -1})
			want(t, "second writer", err, files.ErrBusy)
			no(t, u.Discard())
			want(t, "discard twice", u.Discard(), fs.ErrClosed)
		}
		if used(t, tree) != int64(len("old content")) || w.s.Held() != 0 {
			t.Errorf("left behind: %d bytes, %d locks", used(t, tree), w.s.Held())
		}
	}
}

func TestResume(t *testing.T) {
	w := newWorld(t)
	tree, ctx := w.alice(), t.Context()
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser))
	u := create(t, tree, "/f", files.UploadOptions{Size: 10})
	write(t, u, "01234")
	no(t, u.Suspend())
	if n, ok := tree.Part(ctx, "/f"); !ok || n != 5 {
		t.Errorf("part: %d, %v", n, ok)
	}
	i, err := tree.Stat(ctx, "/f")
	if err != nil || !i.Part || i.Size != 5 || i.Name != "f" {
		t.Errorf("stat of a part: %+v, %v", i, err)
	}
	if a := tree.Access(i); !a.Append || !a.Write || a.Read {
		t.Errorf("access to a part: %+v", a)
	}
	_, err = tree.Lstat(ctx, "/f")
	want(t, "lstat of a part", err, fs.ErrNotExist)
	if _, ok := bob.Part(ctx, "/f"); ok {
		t.Error("bob sees alice's part")
	}
	if used(t, tree) != 5 {
		t.Errorf("a part counts: %d", used(t, tree))
	}
	for _, off := range []int64{4, 6, -1} {
		_, err := tree.Create(ctx, "/f", files.UploadOptions{Offset: off, Size: -1})
		want(t, fmt.Sprint("offset ", off), err, files.ErrOffset)
	}
	u = create(t, tree, "/f", files.UploadOptions{Offset: 5, Size: 5})
	write(t, u, "56789")
	i, err = u.Commit(ctx)
	if err != nil || i.Size != 10 || i.Part || get(t, tree, "/f") != "0123456789" || u.Written() != 5 {
		t.Errorf("resumed: %+v %v", i, err)
	}
	if used(t, tree) != 10 {
		t.Errorf("used %d", used(t, tree))
	}

	// APPE onto the finished file, and REST at its end, go in place; REST before it keeps the head.
	before, _ := tree.Stat(ctx, "/f")
	u = create(t, tree, "/f", files.UploadOptions{Append: true, Size: -1})
	_, err = tree.Create(ctx, "/f", files.UploadOptions{Append: true, Size: -1})
	want(t, "second appender", err, files.ErrBusy)
	want(t, "remove while appended to", tree.Remove(ctx, "/f"), files.ErrBusy)
	write(t, u, "ab")
	if _, err = u.Commit(ctx); err != nil || get(t, tree, "/f") != "0123456789ab" {
		t.Errorf("appended: %v", err)
	}
	u = create(t, tree, "/f", files.UploadOptions{Offset: 12, Size: -1})
	write(t, u, "c")
	_, err = u.Commit(ctx)
	no(t, err)
	if i, _ = tree.Stat(ctx, "/f"); i.Unique != before.Unique || i.Size != 13 {
		t.Error("not in place")
	}
	u = create(t, tree, "/f", files.UploadOptions{Append: true, Size: -1})
	write(t, u, "zzz")
	no(t, u.Discard())
	u = create(t, tree, "/f", files.UploadOptions{Offset: 3, Size: -1})
	write(t, u, "XY")
	if get(t, tree, "/f") != "0123456789abc" {
		t.Error("changed before the commit")
	}
	_, err = u.Commit(ctx)
	no(t, err)
	if get(t, tree, "/f") != "012XY" || used(t, tree) != 5 {
		t.Errorf("%q, used %d", get(t, tree, "/f"), used(t, tree))
	}
	_, err = tree.Create(ctx, "/f", files.UploadOptions{Offset: 6, Size: -1})
	want(t, "beyond the end", err, files.ErrOffset)
	_, err = tree.Create(ctx, "/f", files.UploadOptions{Exclusive: true, Size: -1})
	want(t, "exclusive", err, fs.ErrExist)

	// An empty part is none, a removed one neither, a new upload begins anew.
	u = create(t, tree, "/g", files.UploadOptions{Size: -1})
	no(t, u.Suspend())
	if _, ok := tree.Part(ctx, "/g"); ok {
		t.Error("an empty part was kept")
	}
	u = create(t, tree, "/g", files.UploadOptions{Size: -1})
	write(t, u, "abc")
	no(t, u.Suspend())
	u = create(t, tree, "/g", files.UploadOptions{Append: true, Size: -1}) // SIZE, then APPE, as curl does
	write(t, u, "def")
	no(t, u.Suspend())
	u = create(t, tree, "/g", files.UploadOptions{Size: -1})
	write(t, u, "new")
	no(t, u.Suspend())
	if n, _ := tree.Part(ctx, "/g"); n != 3 || used(t, tree) != 8 {
		t.Errorf("part %d, used %d", n, used(t, tree))
	}
	no(t, tree.Remove(ctx, "/g"))
	if _, ok := tree.Part(ctx, "/g"); ok || used(t, tree) != 5 {
		t.Errorf("the part is still there; used %d", used(t, tree))
	}
	want(t, "remove nothing", tree.Remove(ctx, "/g"), fs.ErrNotExist)
}

func TestAnonymousLeavesNoParts(t *testing.T) {
	w := newWorld(t)
	put(t, w.s.ViewOf(session("s", 10007, identity.LevelStaff)), "/pub/x", "")
	no(t, w.s.ViewOf(session("r", 10008, identity.LevelRoot)).Mkdir(t.Context(), "/pub/in"))
	no(t, w.s.ViewOf(session("r", 10008, identity.LevelRoot)).Chmod(t.Context(), "/pub/in", 0o733))
	tree := w.s.ViewOf(anonymous("1-a"))
	u := create(t, tree, "/pub/in/f", files.UploadOptions{Size: -1})
	write(t, u, "abc")
	no(t, u.Suspend())
	if _, ok := tree.Part(t.Context(), "/pub/in/f"); ok {
		t.Error("a part was kept")
	}
	put(t, tree, "/pub/in/f", "dropped")
	i, err := tree.Stat(t.Context(), "/pub/in/f")
	no(t, err)
	if i.UID != identity.AnonymousID {
		t.Errorf("owner %d", i.UID)
	}
}

func TestCommitAsksAgain(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	who := session("bob", bobUID, identity.LevelUser, "team")
	alice := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
	bob := w.s.ViewOf(who)
	no(t, alice.Mkdir(ctx, "/groups/team/d"))
	u := create(t, bob, "/groups/team/d/f", files.UploadOptions{Size: -1})
	write(t, u, "x")
	no(t, alice.Chmod(ctx, "/groups/team/d", 0o700))
	_, err := u.Commit(ctx)
	want(t, "the folder was closed", err, fs.ErrPermission)
	no(t, alice.Chmod(ctx, "/groups/team/d", 0o770))
	no(t, alice.Mkdir(ctx, "/groups/team/d/f"))
	_, err = u.Commit(ctx)
	want(t, "a folder stands there", err, files.ErrIsDir)
	no(t, alice.RemoveDir(ctx, "/groups/team/d/f"))
	no(t, alice.Rename(ctx, "/groups/team/d", "/groups/team/e"))
	_, err = u.Commit(ctx) // the folder is the same, by another name
	no(t, err)
	if get(t, alice, "/groups/team/e/f") != "x" {
		t.Error("lost")
	}
	u = create(t, bob, "/groups/team/e/g", files.UploadOptions{Size: -1, Exclusive: true})
	write(t, u, "y")
	no(t, os.WriteFile(w.path("groups/team/e/g"), []byte("first"), 0o600))
	_, err = u.Commit(ctx)
	want(t, "exclusive, and somebody was first", err, fs.ErrExist)
	no(t, u.Discard())
	u = create(t, bob, "/groups/team/e/h", files.UploadOptions{Size: -1})
	write(t, u, "y")
	no(t, os.RemoveAll(w.path("groups/team/e")))
	_, err = u.Commit(ctx)
	want(t, "the folder is gone", err, fs.ErrNotExist)
	no(t, u.Discard())
}

func TestSweep(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(o *files.Options) { o.Now = func() time.Time { return now } })
	tree, ctx := w.alice(), t.Context()
	for _, p := range []string{"/a", "/b"} {
		u := create(t, tree, p, files.UploadOptions{Size: -1})
		write(t, u, "stale")
		no(t, u.Suspend())
	}
	busy := create(t, tree, "/b", files.UploadOptions{Append: true, Size: -1})
	if n, err := w.s.Sweep(ctx); n != 0 || err != nil {
		t.Errorf("too early: %d, %v", n, err)
	}
	now = now.Add(25 * time.Hour)
	if n, err := w.s.Sweep(ctx); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if _, ok := tree.Part(ctx, "/a"); ok {
		t.Error("/a is still there")
	}
	_, err := busy.Commit(ctx)
	no(t, err)
	if get(t, tree, "/b") != "stale" || used(t, tree) != 5 {
		t.Errorf("used %d", used(t, tree))
	}
}

func TestQuota(t *testing.T) {
	w := newWorld(t, func(o *files.Options) { o.QuotaBytes = 100 })
	tree, ctx := w.alice(), t.Context()
	put(t, tree, "/exactly", strings.Repeat("x", 100))
	_, err := try(t, tree, "/more", "y")
	want(t, "one byte more", err, files.ErrQuota)
	put(t, tree, "/empty", "")
	// The old file's size is lent to the one that replaces it, and nothing more.
	_, err = try(t, tree, "/exactly", strings.Repeat("z", 101))
	want(t, "replace by more", err, files.ErrQuota)
	if get(t, tree, "/exactly") != strings.Repeat("x", 100) {
		t.Error("the old file was touched")
	}
	put(t, tree, "/exactly", strings.Repeat("z", 100))
	if used(t, tree) != 100 {
		t.Errorf("replaced: used %d", used(t, tree))
	}
	no(t, tree.Remove(ctx, "/exactly"))
	_, err = tree.Create(ctx, "/f", files.UploadOptions{Size: 101})
	want(t, "declared too much", err, files.ErrQuota)
	if w.s.Held() != 0 || used(t, tree) != 0 {
		t.Errorf("a refused upload left %d locks, %d bytes", w.s.Held(), used(t, tree))
	}
	u := create(t, tree, "/f", files.UploadOptions{Size: 60})
	_, err = tree.Create(ctx, "/g", files.UploadOptions{Size: 60})
	want(t, "reserved by another", err, files.ErrQuota)
	n, err := u.ReadFrom(strings.NewReader(strings.Repeat("a", 120)))
	want(t, "more than declared", err, files.ErrQuota)
	if n != 100 {
		t.Errorf("wrote %d", n)
	}
	no(t, u.Discard())
	who := session("alice", aliceUID, identity.LevelUser)
	who.c.QuotaBytes, who.c.QuotaFiles = -1, 2
	free := w.s.ViewOf(who)
	put(t, free, "/big", strings.Repeat("b", 1000))
	want(t, "too many files", free.Mkdir(ctx, "/third"), files.ErrQuota)
	_, err = try(t, free, "/third", "")
	want(t, "too many files", err, files.ErrQuota)
	put(t, free, "/big", "") // in place of another: none more in the end, one more meanwhile
}

func TestQuotaRace(t *testing.T) {
	const limit = 3*files.Slice + 1000
	w := newWorld(t, func(o *files.Options) { o.QuotaBytes = limit })
	tree := w.alice()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var stored, full int
	for i := range 4 {
		wg.Go(func() {
			u, err := tree.Create(t.Context(), fmt.Sprintf("/%d", i), files.UploadOptions{Size: -1})
			if err != nil {
				t.Error(err)
				return
			}
			_, err = u.ReadFrom(io.LimitReader(zeros{}, files.Slice+files.Slice/2))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				stored++
				_, err = u.Commit(t.Context())
			case errors.Is(err, files.ErrQuota):
				full++
				err = u.Discard()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := used(t, tree); n > limit || n != int64(stored)*(files.Slice+files.Slice/2) || stored+full != 4 || full == 0 {
		t.Errorf("%d bytes of %d, %d stored, %d refused", n, int64(limit), stored, full)
	}
	again := openWorld(t, w.dir).alice()
	if used(t, again) != used(t, tree) {
		t.Errorf("counted anew: %d; kept: %d", used(t, again), used(t, tree))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestMixedRace lets everything happen at once; what is kept must be what a new count finds.
func TestMixedRace(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			tree := w.s.ViewOf(session("alice", aliceUID, identity.LevelUser, "team"))
			for i := range 60 {
				p, q := fmt.Sprintf("/f%d", (i+g)%3), fmt.Sprintf("/f%d", i%3)
				var err error
				switch (i + g) % 6 {
				case 0, 1:
					_, err = try(t, tree, p, strings.Repeat("x", i))
				case 2:
					err = tree.Rename(t.Context(), p, q)
				case 3:
					err = tree.Remove(t.Context(), p)
				case 4:
					var u *files.Upload
					if u, err = tree.Create(t.Context(), p, files.UploadOptions{Append: true, Size: -1}); err == nil {
						_, _ = u.Write([]byte("more"))
						if _, err = u.Commit(t.Context()); err != nil {
							_ = u.Discard()
						}
					}
				case 5:
					if err = tree.Rename(t.Context(), p, "/groups/team/x"); err == nil {
						err = tree.Rename(t.Context(), "/groups/team/x", q)
					}
				}
				if err != nil && !errors.Is(err, files.ErrBusy) && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s %s: %v", p, q, err)
				}
			}
		})
	}
	wg.Wait()
	if w.s.Held() != 0 {
		t.Errorf("%d locks are held", w.s.Held())
	}
	again := openWorld(t, w.dir)
	_ = used(t, again.alice())
	b1, f1 := w.s.UsageOf("example.org/home/alice")
	b2, f2 := again.s.UsageOf("example.org/home/alice")
	if b1 != b2 || f1 != f2 {
		t.Errorf("kept %d bytes in %d files, counted %d in %d", b1, f1, b2, f2)
	}
}

// sick is a store whose disk fails.
type sick struct {
	files.Backend
	write, sync error
}

type sickTop struct {
	files.Top
	s *sick
}

type sickPart struct {
	files.Part
	s *sick
}

func (s *sick) Tree(ctx ctx, key string, create bool) (files.Top, error) {
	top, err := s.Backend.Tree(ctx, key, create)
	if err != nil {
		return nil, err
	}
	return &sickTop{top, s}, nil
}

func (s *sickTop) Part(ctx ctx, key string, create bool) (files.Part, error) {
	p, err := s.Top.Part(ctx, key, create)
	if err != nil {
		return nil, err
	}
	return &sickPart{p, s.s}, nil
}

func (p *sickPart) ReadFrom(r io.Reader) (int64, error) {
	n, err := p.Part.ReadFrom(io.LimitReader(r, 3))
	return n, errors.Join(err, p.s.write)
}

func (p *sickPart) Commit(ctx ctx, to files.Dir, name string, mode fs.FileMode, a files.Attr, exclusive bool) error {
	if top, ok := to.(*sickTop); ok {
		to = top.Top
	}
	return p.Part.Commit(ctx, to, name, mode, a, exclusive)
}

func (p *sickPart) Sync() error { return errors.Join(p.Part.Sync(), p.s.sync) }

func TestDiskErrors(t *testing.T) {
	store, err := local.Open(t.TempDir())
	no(t, err)
	defer store.Close()
	disk := &sick{Backend: store}
	s, err := files.New(files.Options{Backend: disk, Domain: "example.org", Sync: true})
	no(t, err)
	tree := s.ViewOf(session("alice", aliceUID, identity.LevelUser))
	put(t, tree, "/f", "old")
	eio := errors.New("input/output error")
	for _, tt := range []struct {
		name        string
		write, sync error
	}{{"full", files.ErrNoSpace, nil}, {"broken", eio, nil}, {"sync", nil, eio}} {
		disk.write, disk.sync = tt.write, tt.sync
		_, err = try(t, tree, "/f", "new")
		want(t, tt.name, err, errors.Join(tt.write, tt.sync).(interface{ Unwrap() []error }).Unwrap()[0])
		disk.write, disk.sync = nil, nil
		if get(t, tree, "/f") != "old" || used(t, tree) != 3 || s.Held() != 0 {
			t.Errorf("%s: %q, %d bytes, %d locks", tt.name, get(t, tree, "/f"), used(t, tree), s.Held())
		}
	}
	// The reader's error is the reader's, and what came is kept if the road wants it.
	u := create(t, tree, "/g", files.UploadOptions{Size: -1})
	n, err := u.ReadFrom(io.MultiReader(bytes.NewReader([]byte("ab")), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if n != 2 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d, %v", n, err)
	}
	no(t, u.Suspend())
	if n, _ := tree.Part(t.Context(), "/g"); n != 2 {
		t.Errorf("part of %d", n)
	}
}

// TestTags: uploads with tags to one path have a part each, whatever stands there.
func TestTags(t *testing.T) {
	w := newWorld(t)
	tree, ctx := w.alice(), t.Context()
	put(t, tree, "/a", "old content")
	for _, p := range []string{"/a", "/new"} {
		begin := func(tag, content string, offset int64) error {
			u, err := tree.Create(ctx, p, files.UploadOptions{Size: -1, Tag: tag, Offset: offset})
			if err != nil {
				return err
			}
			write(t, u, content)
			return u.Suspend()
		}
		no(t, begin("one", "first ", 0))
		no(t, begin("two", "another", 0))
		want(t, "an offset of another", begin("one", "x", 7), files.ErrOffset)
		want(t, "no such tag", begin("three", "x", 6), files.ErrOffset)
		for tag, size := range map[string]int64{"one": 6, "two": 7, "three": 0} {
			if n, err := tree.TaggedPart(ctx, p, tag); err != nil || n != size {
				t.Errorf("%s of %s: %d, %v", tag, p, n, err)
			}
		}
		no(t, tree.DropTagged(ctx, p, "two"))
		no(t, tree.DropTagged(ctx, p, "two"))
		u := create(t, tree, p, files.UploadOptions{Size: -1, Tag: "one", Offset: 6})
		want(t, "while it is written", tree.DropTagged(ctx, p, "one"), files.ErrBusy)
		write(t, u, "and last")
		if _, err := u.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		if got := get(t, tree, p); got != "first and last" {
			t.Errorf("%s holds %q", p, got)
		}
	}
	if got := names(t, tree, "/"); strings.Join(got, " ") != "a new pub" {
		t.Errorf("listed: %v", got)
	}
}
