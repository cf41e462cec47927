package files_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"trivium/files"
	"trivium/files/local"
	"trivium/files/sqlstore"
	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
)

// faults lets a store fail at a step: once, or from then on, as if the process had ended there.
type faults struct {
	n, at int
	once  bool
}

var errFault = errors.New("input/output error")

func (f *faults) step() error {
	f.n++
	if f.n == f.at || f.n > f.at && !f.once && f.at > 0 {
		return errFault
	}
	return nil
}

type faultyStore struct {
	files.Backend
	f *faults
}

func (s *faultyStore) Tree(ctx context.Context, key string, create bool) (files.Top, error) {
	if err := s.f.step(); err != nil {
		return nil, err
	}
	top, err := s.Backend.Tree(ctx, key, create)
	if err != nil {
		return nil, err
	}
	return &faultyTop{&faultyDir{top, s.f}, top}, nil
}

// plain is a files.Dir to be embedded, whose field does not stand in the way of its method Dir.
type plain interface{ files.Dir }

type faultyDir struct {
	plain
	f *faults
}

func bare(d files.Dir) files.Dir {
	switch d := d.(type) {
	case *faultyDir:
		return d.plain
	case *faultyTop:
		return d.top
	}
	return d
}

func (d *faultyDir) Stat(ctx context.Context) (files.Node, error) {
	if err := d.f.step(); err != nil {
		return files.Node{}, err
	}
	return d.plain.Stat(ctx)
}

func (d *faultyDir) Dir(ctx context.Context, name string) (files.Dir, error) {
	if err := d.f.step(); err != nil {
		return nil, err
	}
	sub, err := d.plain.Dir(ctx, name)
	if err != nil {
		return nil, err
	}
	return &faultyDir{sub, d.f}, nil
}

func (d *faultyDir) Lstat(ctx context.Context, name string) (files.Node, error) {
	if err := d.f.step(); err != nil {
		return files.Node{}, err
	}
	return d.plain.Lstat(ctx, name)
}

func (d *faultyDir) ReadDir(ctx context.Context, fn func(files.Node) error) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.ReadDir(ctx, fn)
}

func (d *faultyDir) Open(ctx context.Context, name string) (files.Object, error) {
	if err := d.f.step(); err != nil {
		return nil, err
	}
	return d.plain.Open(ctx, name)
}

func (d *faultyDir) Mkdir(ctx context.Context, name string, mode fs.FileMode, a files.Attr) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.Mkdir(ctx, name, mode, a)
}

func (d *faultyDir) Remove(ctx context.Context, name string) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.Remove(ctx, name)
}

func (d *faultyDir) RemoveDir(ctx context.Context, name string) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.RemoveDir(ctx, name)
}

func (d *faultyDir) Rename(ctx context.Context, name string, to files.Dir, newname string, exclusive bool) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.Rename(ctx, name, bare(to), newname, exclusive)
}

func (d *faultyDir) Link(ctx context.Context, name string, to files.Dir, newname string) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.Link(ctx, name, bare(to), newname)
}

func (d *faultyDir) SetAttr(ctx context.Context, name string, mode fs.FileMode, a files.Attr) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.SetAttr(ctx, name, mode, a)
}

func (d *faultyDir) Chtimes(ctx context.Context, name string, mtime time.Time) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.Chtimes(ctx, name, mtime)
}

func (d *faultyDir) SetProps(ctx context.Context, name string, data []byte) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.SetProps(ctx, name, data)
}

func (d *faultyDir) Sync(ctx context.Context) error {
	if err := d.f.step(); err != nil {
		return err
	}
	return d.plain.Sync(ctx)
}

type faultyTop struct {
	*faultyDir
	top files.Top
}

func (t *faultyTop) Reserved(name string) bool               { return t.top.Reserved(name) }
func (t *faultyTop) Free(ctx context.Context) (int64, error) { return t.top.Free(ctx) }

func (t *faultyTop) Part(ctx context.Context, key string, create bool) (files.Part, error) {
	if err := t.f.step(); err != nil {
		return nil, err
	}
	p, err := t.top.Part(ctx, key, create)
	if err != nil {
		return nil, err
	}
	return &faultyPart{p, t.f}, nil
}

func (t *faultyTop) StatPart(ctx context.Context, key string) (files.Node, error) {
	if err := t.f.step(); err != nil {
		return files.Node{}, err
	}
	return t.top.StatPart(ctx, key)
}

func (t *faultyTop) RemovePart(ctx context.Context, key string) error {
	if err := t.f.step(); err != nil {
		return err
	}
	return t.top.RemovePart(ctx, key)
}

func (t *faultyTop) Parts(ctx context.Context, fn func(files.Node) error) error {
	return t.top.Parts(ctx, fn)
}

func (t *faultyTop) Kept(ctx context.Context, kind string, create bool) (files.Dir, error) {
	if err := t.f.step(); err != nil {
		return nil, err
	}
	d, err := t.top.Kept(ctx, kind, create)
	if err != nil {
		return nil, err
	}
	return &faultyDir{d, t.f}, nil
}

type faultyPart struct {
	files.Part
	f *faults
}

func (p *faultyPart) Write(b []byte) (int, error) {
	if err := p.f.step(); err != nil {
		return 0, err
	}
	return p.Part.Write(b)
}

func (p *faultyPart) Truncate(size int64) error {
	if err := p.f.step(); err != nil {
		return err
	}
	return p.Part.Truncate(size)
}

func (p *faultyPart) Sync() error {
	if err := p.f.step(); err != nil {
		return err
	}
	return p.Part.Sync()
}

func (p *faultyPart) Commit(ctx context.Context, to files.Dir, name string, mode fs.FileMode, a files.Attr, exclusive bool) error {
	if err := p.f.step(); err != nil {
		return err
	}
	return p.Part.Commit(ctx, bare(to), name, mode, a, exclusive)
}

// faultyBin is the rows of trash and versions.
type faultyBin struct {
	files.BinStore
	f *faults
}

func (b *faultyBin) PutTrash(ctx context.Context, r files.TrashRow) error {
	if err := b.f.step(); err != nil {
		return err
	}
	return b.BinStore.PutTrash(ctx, r)
}

func (b *faultyBin) DropTrash(ctx context.Context, ids ...string) error {
	if err := b.f.step(); err != nil {
		return err
	}
	return b.BinStore.DropTrash(ctx, ids...)
}

func (b *faultyBin) PutVersion(ctx context.Context, r files.VersionRow) error {
	if err := b.f.step(); err != nil {
		return err
	}
	return b.BinStore.PutVersion(ctx, r)
}

func (b *faultyBin) PlanMove(ctx context.Context, m files.Move) error {
	if err := b.f.step(); err != nil {
		return err
	}
	return b.BinStore.PlanMove(ctx, m)
}

func (b *faultyBin) EndMove(ctx context.Context, m files.Move, moved bool) error {
	if err := b.f.step(); err != nil {
		return err
	}
	return b.BinStore.EndMove(ctx, m, moved)
}

func (b *faultyBin) Moves(ctx context.Context, tree string) ([]files.Move, error) {
	if err := b.f.step(); err != nil {
		return nil, err
	}
	return b.BinStore.Moves(ctx, tree)
}

func (b *faultyBin) DropVersions(ctx context.Context, ids ...string) error {
	if err := b.f.step(); err != nil {
		return err
	}
	return b.BinStore.DropVersions(ctx, ids...)
}

// TestFaultAtEveryStep: wherever the store fails, or the process ends, nothing that was acknowledged is
// lost, no half file is seen, and after the next start counts, rows and bytes fit together.
func TestFaultAtEveryStep(t *testing.T) {
	upload := func(p, content string) func(*files.Tree, context.Context) error {
		return func(tree *files.Tree, ctx context.Context) error {
			u, err := tree.Create(ctx, p, files.UploadOptions{Size: -1})
			if err != nil {
				return err
			}
			if _, err = u.Write([]byte(content)); err == nil {
				_, err = u.Commit(ctx)
			}
			if err != nil {
				_ = u.Discard()
			}
			return err
		}
	}
	first := func(tree *files.Tree, ctx context.Context, fn func(id string) error) error {
		list, err := tree.Trash(ctx)
		for _, x := range list {
			if x.Name == "t" {
				return fn(x.ID)
			}
		}
		if err == nil {
			err = fs.ErrNotExist
		}
		return err
	}
	for _, tt := range []struct {
		name string
		act  func(*files.Tree, context.Context) error
		lost []string // contents that the act removes for ever
		made string   // content that is there when it is acknowledged
	}{
		{"store", upload("/new", "new"), nil, "new"},
		{"replace", upload("/f", "new"), nil, "new"},
		{"remove", func(tree *files.Tree, ctx context.Context) error { return tree.Remove(ctx, "/f") }, nil, "f2"},
		{"remove all", func(tree *files.Tree, ctx context.Context) error { return tree.RemoveAll(ctx, "/d") }, nil, "x"},
		{"rename", func(tree *files.Tree, ctx context.Context) error { return tree.Rename(ctx, "/f", "/d/n") }, nil, "f2"},
		{"rename over", func(tree *files.Tree, ctx context.Context) error { return tree.Rename(ctx, "/g", "/f") }, nil, "g"},
		{"rename folder", func(tree *files.Tree, ctx context.Context) error { return tree.Rename(ctx, "/d", "/e") }, nil, "x"},
		{"rename to another tree", func(tree *files.Tree, ctx context.Context) error { return tree.Rename(ctx, "/g", "/groups/team/g") }, nil, "g"},
		{"copy", func(tree *files.Tree, ctx context.Context) error {
			return tree.Copy(ctx, "/d", "/e", files.CopyOptions{Deep: true})
		}, nil, "x"},
		{"restore", func(tree *files.Tree, ctx context.Context) error {
			return first(tree, ctx, func(id string) error { return tree.RestoreTrash(ctx, id, "") })
		}, nil, "t2"},
		{"restore a version", func(tree *files.Tree, ctx context.Context) error {
			list, err := tree.Versions(ctx, "/f")
			if err != nil {
				return err
			}
			return tree.RestoreVersion(ctx, "/f", list[0].ID)
		}, nil, "f1"},
		{"empty", func(tree *files.Tree, ctx context.Context) error { return tree.EmptyTrash(ctx) }, []string{"t1", "t2"}, ""},
		{"sweep", nil, nil, ""},
	} {
		for _, once := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, once %v", tt.name, once), func(t *testing.T) {
				b := newBed(t)
				for at, more := 1, true; more; at++ {
					if once {
						at += at / 10 // of many steps not each
					}
					if tt.act == nil {
						b = newBed(t) // a sweep sees every home
					}
					more = b.faultAt(t, at, once, tt.act, tt.lost, tt.made)
					if t.Failed() {
						t.Fatalf("at step %d", at)
					}
				}
			})
		}
	}
}

// bed is where one thing is tried again and again, each time in another home.
type bed struct {
	dir  string
	disk *local.Store
	rows *sqlstore.Store
}

func newBed(t *testing.T) *bed {
	t.Helper()
	db := sqltest.Migrated(t, sqlstore.Migrate)
	b := &bed{dir: t.TempDir(), rows: sqlstore.New(db)}
	var err error
	b.disk, err = local.Open(b.dir)
	no(t, err)
	t.Cleanup(func() { _ = b.disk.Close() })
	return b
}

// faultAt does something that fails at a step; false where it needs fewer steps.
func (b *bed) faultAt(t *testing.T, at int, once bool, act func(*files.Tree, context.Context) error, lost []string, made string) bool {
	ctx, rows, disk := t.Context(), b.rows, b.disk
	login := fmt.Sprintf("u%d", at)
	keys := []string{"example.org/home/" + login, "example.org/groups/team"}
	f := &faults{once: once}
	open := func(store files.Backend, bin files.BinStore) (*world, *files.Tree) {
		w := newWorld(t, func(o *files.Options) {
			o.Backend, o.Bin, o.Trash, o.Versions, o.Sync, o.Usage = store, bin, files.TrashAll, 3, true, rows
		})
		return w, w.s.ViewOf(session(login, aliceUID, identity.LevelUser, "team"))
	}
	w, tree := open(&faultyStore{disk, f}, &faultyBin{rows, f})
	var err error
	put(t, tree, "/f", "f1")
	put(t, tree, "/f", "f2")
	put(t, tree, "/g", "g")
	no(t, tree.Mkdir(ctx, "/d"))
	put(t, tree, "/d/x", "x")
	put(t, tree, "/t", "t1")
	put(t, tree, "/t", "t2")
	no(t, tree.Remove(ctx, "/t"))
	before := []string{"f1", "f2", "g", "x", "t1", "t2"}

	f.n, f.at = 0, at
	if act != nil {
		err = act(tree, ctx)
	} else {
		_, err = w.s.Sweep(ctx)
	}
	ended := f.n < f.at
	f.at = 0
	if ended && err != nil {
		t.Errorf("without a fault: %v", err)
	}
	if once && act != nil {
		for _, key := range keys {
			if _, known := w.s.TreeUsage(ctx, key); known == nil {
				recount(t, w, key)
			}
		}
		if n := w.s.Held(); n != 0 {
			t.Errorf("%d locks are held", n)
		}
		if n := w.s.Pending(); n != 0 {
			t.Errorf("%d bytes are set aside", n)
		}
	}

	again, now := open(disk, rows) // the next start
	_, swept := again.s.Sweep(ctx)
	no(t, swept)
	have := map[string]int{}
	reachable(t, now, "/", have)
	for _, x := range trash(t, now) {
		no(t, now.RestoreTrash(ctx, x.ID, "/back-"+x.ID))
	}
	have = map[string]int{}
	reachable(t, now, "/", have)
	for _, content := range before {
		if have[content] == 0 && !slices.Contains(lost, content) {
			t.Errorf("%q is lost (the act: %v); there are %v", content, err, slices.Sorted(maps.Keys(have)))
		}
		if have[content] == 0 && !slices.Contains(lost, content) && ended {
			t.Errorf("%q is lost without a fault", content)
		}
	}
	if err == nil && made != "" && have[made] == 0 {
		t.Errorf("%q was acknowledged, and is not there", made)
	}
	for content := range have {
		if !slices.Contains(before, content) && content != "new" {
			t.Errorf("half of something: %q", content)
		}
	}
	for _, key := range keys {
		if _, known := again.s.TreeUsage(ctx, key); known == nil {
			recount(t, again, key)
		}
		rows, err := rows.VersionsAfter(ctx, key, "", 1000)
		no(t, err)
		lie, _ := os.ReadDir(filepath.Join(b.dir, filepath.FromSlash(key), ".trivium", "versions"))
		if len(lie) != len(rows) {
			t.Errorf("%s: %d versions lie there, %d rows", key, len(lie), len(rows))
		}
	}
	return !ended
}

// reachable counts the contents below a folder, old versions among them.
func reachable(t *testing.T, tree *files.Tree, p string, have map[string]int) {
	t.Helper()
	no(t, tree.ReadDir(t.Context(), p, func(i files.Info) error {
		if i.Dir {
			reachable(t, tree, i.Path, have)
			return nil
		}
		have[get(t, tree, i.Path)]++
		for _, c := range contents(t, tree, i.Path) {
			have[c]++
		}
		return nil
	}))
}
