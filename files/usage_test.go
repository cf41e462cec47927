package files_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"trivium/files"
	"trivium/files/sqlstore"
	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
)

const (
	aliceKey = "example.org/home/alice"
	pubKey   = "example.org/pub"
)

// usageStore is a store on a database of its own.
func usageStore(t *testing.T) *sqlstore.Store {
	t.Helper()
	db := sqltest.Migrated(t, sqlstore.Migrate)
	return sqlstore.New(db)
}

// counting is a Backend that remembers which trees were walked: a walk is what opens a tree and
// does not make it.
type counting struct {
	files.Backend
	mu     sync.Mutex
	walked map[string]int
}

func (c *counting) Tree(ctx context.Context, key string, create bool) (files.Top, error) {
	if !create {
		c.mu.Lock()
		c.walked[key]++
		c.mu.Unlock()
	}
	return c.Backend.Tree(ctx, key, create)
}

func (c *counting) walks(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.walked[key]
}

// start opens the tree in dir as a process does, with the counts that the last one left.
func start(t *testing.T, dir string, store files.UsageStore, with ...func(*files.Options)) (*world, *counting) {
	t.Helper()
	c := &counting{walked: make(map[string]int)}
	w := openWorld(t, dir, append([]func(*files.Options){func(o *files.Options) {
		c.Backend, o.Backend, o.Usage = o.Backend, c, store
	}}, with...)...)
	return w, c
}

func (w *world) staff() *files.Tree {
	return w.s.ViewOf(session("root", 10000, identity.LevelStaff))
}

// TestCountsOutliveTheProcess: what a clean stop has written is believed, and what was in use when
// the process died is counted again, and nothing else.
func TestCountsOutliveTheProcess(t *testing.T) {
	dir, store := t.TempDir(), usageStore(t)
	one, counted := start(t, dir, store)
	put(t, one.alice(), "/a", "12345")
	put(t, one.staff(), "/pub/p", "123")
	if counted.walks(aliceKey) != 1 || counted.walks(pubKey) != 1 {
		t.Errorf("at first: %v", counted.walked)
	}
	no(t, one.s.Settle(t.Context(), 0))

	two, counted := start(t, dir, store)
	if n := used(t, two.alice()); n != 5 {
		t.Errorf("after a clean stop: %d bytes", n)
	}
	put(t, two.alice(), "/b", "12")
	no(t, two.staff().Remove(t.Context(), "/pub/p"))
	if n := used(t, two.alice()); n != 7 {
		t.Errorf("after a change: %d bytes", n)
	}
	if len(counted.walked) != 0 {
		t.Errorf("a clean stop, and yet walked: %v", counted.walked)
	}
	no(t, two.s.Settle(t.Context(), 0))
	put(t, two.alice(), "/c", "1")
	up := create(t, two.alice(), "/d", files.UploadOptions{Size: -1})
	write(t, up, "123")
	// Here the process dies.

	three, counted := start(t, dir, store)
	if n := used(t, three.alice()); n != 11 {
		t.Errorf("after a crash: %d bytes", n)
	}
	if q, err := three.alice().Quota(t.Context(), "/pub"); err != nil || q.Bytes != 0 || q.Files != 0 {
		t.Errorf("/pub: %+v, %v", q, err)
	}
	if counted.walks(aliceKey) != 1 || counted.walks(pubKey) != 0 {
		t.Errorf("after a crash, walked: %v", counted.walked)
	}
}

// TestMarkedBeforeTheChange: from before the first change until it has come to rest, the store
// knows that a tree is in use.
func TestMarkedBeforeTheChange(t *testing.T) {
	store := usageStore(t)
	w, _ := start(t, t.TempDir(), store)
	tree := w.alice()
	row := func() files.UsageRow {
		r, err := store.Usage(t.Context(), aliceKey)
		no(t, err)
		return r
	}
	put(t, tree, "/a", "12345")
	no(t, w.s.Settle(t.Context(), 0))
	if r := row(); r.Dirty || r.Bytes != 5 || r.Files != 1 || r.CountedAt.IsZero() {
		t.Errorf("at rest: %+v", r)
	}
	for _, tt := range []struct {
		name string
		do   func() error
	}{
		{"mkdir", func() error { return tree.Mkdir(t.Context(), "/d") }},
		{"symlink", func() error { return tree.Symlink(t.Context(), "a", "/l") }},
		{"rename", func() error { return tree.Rename(t.Context(), "/l", "/m") }},
		{"remove", func() error { return tree.Remove(t.Context(), "/m") }},
		{"rmdir", func() error { return tree.RemoveDir(t.Context(), "/d") }},
		{"copy", func() error { return tree.Copy(t.Context(), "/a", "/copy", files.CopyOptions{}) }},
		{"remove all", func() error { return tree.RemoveAll(t.Context(), "/copy") }},
	} {
		no(t, tt.do())
		if !row().Dirty {
			t.Errorf("%s: the tree is not marked", tt.name)
		}
		no(t, w.s.Settle(t.Context(), 0))
		if r := row(); r.Dirty {
			t.Errorf("%s: the tree stays marked", tt.name)
		}
	}
	u := create(t, tree, "/u", files.UploadOptions{Size: -1})
	no(t, w.s.Settle(t.Context(), 0))
	if !row().Dirty {
		t.Error("an upload is on its way, and the tree is settled")
	}
	write(t, u, "123")
	no(t, u.Suspend())
	no(t, w.s.Settle(t.Context(), time.Hour))
	if !row().Dirty {
		t.Error("settled before it has rested")
	}
	no(t, w.s.Settle(t.Context(), 0))
	if r := row(); r.Dirty || r.Bytes != 8 || r.Files != 2 {
		t.Errorf("after the upload: %+v", r)
	}
}

// TestRunWritesAtTheEnd: a stop leaves nothing marked.
func TestRunWritesAtTheEnd(t *testing.T) {
	store := usageStore(t)
	w, _ := start(t, t.TempDir(), store)
	put(t, w.alice(), "/a", "12345")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	w.s.Run(ctx)
	if r, err := store.Usage(t.Context(), aliceKey); err != nil || r.Dirty || r.Bytes != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}

// broken is a store that cannot write.
type broken struct {
	files.UsageStore
	err error
}

func (b *broken) PutUsage(ctx context.Context, rows ...files.UsageRow) error {
	if b.err != nil {
		return b.err
	}
	return b.UsageStore.PutUsage(ctx, rows...)
}

// TestStoreThatCannotWrite: files can be deleted though the store is full, and what could not be
// written is written later.
func TestStoreThatCannotWrite(t *testing.T) {
	store := &broken{UsageStore: usageStore(t)}
	w, _ := start(t, t.TempDir(), store)
	tree := w.alice()
	put(t, tree, "/a", "12345")
	no(t, w.s.Settle(t.Context(), 0))
	store.err = errors.New("the disk is full")
	no(t, tree.Remove(t.Context(), "/a"))
	want(t, "settle", w.s.Settle(t.Context(), 0), store.err)
	store.err = nil
	no(t, w.s.Settle(t.Context(), 0))
	if r, err := store.Usage(t.Context(), aliceKey); err != nil || r.Dirty || r.Bytes != 0 || r.Files != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestRecount: what was put there by hand is found, also while uploads are on their way.
func TestRecount(t *testing.T) {
	w, _ := start(t, t.TempDir(), usageStore(t))
	tree := w.alice()
	put(t, tree, "/a", "12345")
	part := create(t, tree, "/p", files.UploadOptions{Size: 100})
	write(t, part, "123")
	in := create(t, tree, "/a", files.UploadOptions{Append: true, Size: 10})
	write(t, in, "67")
	no(t, os.WriteFile(w.path("home/alice/by-hand"), []byte("1234567"), 0o600))
	bytes, entries, err := w.s.Recount(t.Context(), aliceKey)
	if err != nil || bytes != 5+10+100+7 || entries != 3 {
		t.Errorf("%d bytes, %d files, %v", bytes, entries, err)
	}
	no(t, part.Discard())
	_, err = in.Commit(t.Context())
	no(t, err)
	if n := used(t, tree); n != 7+7 {
		t.Errorf("afterwards: %d", n)
	}
	for _, key := range []string{"example.org/home/nobody", "example.org", "example.org/home/../pub", ""} {
		_, _, err := w.s.Recount(t.Context(), key)
		want(t, key, err, os.ErrNotExist)
	}
}

// TestUsages: all trees, and what is known of each without counting it.
func TestUsages(t *testing.T) {
	dir, store := t.TempDir(), usageStore(t)
	limits := func(o *files.Options) {
		o.QuotaBytes, o.PubQuotaBytes = 1000, 500
		o.SoftPercent, o.SoftGrace = 80, time.Hour
		o.HomeQuota = func(_ context.Context, domain, login string) (int64, int64, error) {
			if domain+"/"+login == "example.org/alice" {
				return -1, 7, nil
			}
			return 0, 0, nil
		}
	}
	one, _ := start(t, dir, store, limits)
	put(t, one.alice(), "/a", "12345")
	put(t, one.staff(), "/pub/p", "123")
	no(t, one.s.Settle(t.Context(), 0))
	put(t, one.staff(), "/pub/q", "1")

	two, counted := start(t, dir, store, limits)
	all, err := two.s.Usages(t.Context())
	no(t, err)
	if len(counted.walked) != 0 {
		t.Errorf("walked: %v", counted.walked)
	}
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	a, p := all[0], all[1]
	if a.Key != aliceKey || a.Path != "/home/alice" || a.User != "alice" || !a.Counted || a.Bytes != 5 || a.Files != 1 ||
		a.LimitBytes != -1 || a.LimitFiles != 7 || a.SoftBytes != -1 || a.SoftFiles != 5 || a.CountedAt.IsZero() {
		t.Errorf("home: %+v", a)
	}
	if p.Key != pubKey || p.Path != "/pub" || p.User != "" || p.Counted || p.LimitBytes != 500 || p.SoftBytes != 400 {
		t.Errorf("pub: %+v", p)
	}
	if p, err = two.s.TreeUsage(t.Context(), pubKey); err != nil || !p.Counted || p.Bytes != 4 || p.Free != 496 {
		t.Errorf("counted: %+v, %v", p, err)
	}
	if b, err := two.s.HomeUsage(t.Context(), "example.org", "bob"); err != nil || b.Bytes != 0 || b.LimitBytes != 1000 || b.Path != "/home/bob" {
		t.Errorf("nobody's home: %+v, %v", b, err)
	}
	_, err = two.s.TreeUsage(t.Context(), "example.org/home/bob")
	want(t, "no tree", err, os.ErrNotExist)
}

// TestRowsOfTreesThatAreGone: what somebody has taken away by hand is forgotten.
func TestRowsOfTreesThatAreGone(t *testing.T) {
	store := usageStore(t)
	w, _ := start(t, t.TempDir(), store)
	put(t, w.alice(), "/a", "12345")
	put(t, w.staff(), "/pub/p", "123")
	no(t, w.s.Settle(t.Context(), 0))
	no(t, os.RemoveAll(w.path("home/alice")))
	_, err := w.s.Sweep(t.Context())
	no(t, err)
	rows, err := store.Usages(t.Context())
	if err != nil || len(rows) != 1 || rows[0].Key != pubKey {
		t.Errorf("%+v, %v", rows, err)
	}
}

// meddling is a Backend under whose walks something happens once, when the top folder has been read.
type meddling struct {
	files.Backend
	do func()
}

func (m *meddling) Tree(ctx context.Context, key string, create bool) (files.Top, error) {
	top, err := m.Backend.Tree(ctx, key, create)
	if err != nil || create {
		return top, err
	}
	return &meddled{top, m}, nil
}

type meddled struct {
	files.Top
	m *meddling
}

func (d *meddled) ReadDir(ctx context.Context, fn func(files.Node) error) error {
	err := d.Top.ReadDir(ctx, fn)
	if do := d.m.do; do != nil {
		d.m.do = nil
		do()
	}
	return err
}

// TestRecountUnderChange: what moves away under the eyes of a walk is found by the next.
func TestRecountUnderChange(t *testing.T) {
	for _, tt := range []struct {
		name           string
		do             func(t *testing.T, tree *files.Tree)
		bytes, entries int64
	}{
		{"renamed", func(t *testing.T, tree *files.Tree) { no(t, tree.Rename(t.Context(), "/d/f", "/f")) }, 5, 2},
		{"removed", func(t *testing.T, tree *files.Tree) { no(t, tree.Remove(t.Context(), "/d/f")) }, 0, 1},
		{"stored", func(t *testing.T, tree *files.Tree) { put(t, tree, "/g", "123") }, 8, 3},
		{"made", func(t *testing.T, tree *files.Tree) { no(t, tree.Mkdir(t.Context(), "/e")) }, 5, 3},
		{"begun", func(t *testing.T, tree *files.Tree) {
			u := create(t, tree, "/g", files.UploadOptions{Size: 100})
			t.Cleanup(func() { no(t, u.Discard()) })
			write(t, u, "123")
		}, 105, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &meddling{}
			w := newWorld(t, func(o *files.Options) { m.Backend, o.Backend = o.Backend, m })
			tree := w.alice()
			no(t, tree.Mkdir(t.Context(), "/d"))
			put(t, tree, "/d/f", "12345")
			m.do = func() { tt.do(t, tree) }
			bytes, entries, err := w.s.Recount(t.Context(), aliceKey)
			if err != nil || bytes != tt.bytes || entries != tt.entries || m.do != nil {
				t.Errorf("%d bytes, %d files, %v; want %d, %d", bytes, entries, err, tt.bytes, tt.entries)
			}
		})
	}
}
