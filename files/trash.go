package files

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"time"

	"trivium/identity"
)

// Trashed is one thing that was removed and can be restored.
type Trashed struct {
	ID      string
	Path    string // where it was, as the client says it
	Name    string
	Dir     bool
	Size    int64 // of all that is in it, when it was removed
	Entries int64 // it and all that is in it
	At      time.Time
	By      string    // who removed it; "" where nobody knows
	Until   time.Time // when it goes for ever
}

// Throws reports whether what the session removes goes into the trash.
func (t *Tree) Throws() bool {
	v, err := t.now()
	return err == nil && v.throws()
}

// Held is how many bytes lie in the trash and among the versions of the tree of a path: what a full
// quota does not keep.
func (t *Tree) Held(ctx context.Context, p string) (bytes int64, err error) {
	v, err := t.now()
	if err != nil {
		return 0, failed("quota", p, err)
	}
	at, err := Clean("/", p)
	if err != nil {
		return 0, failed("quota", p, err)
	}
	m, _, err := v.resolve(at)
	if err != nil || m == nil || v.s.o.Bin == nil {
		return 0, failed("quota", p, err)
	}
	if !v.visible(m.canon) {
		return 0, failed("quota", p, fs.ErrNotExist)
	}
	bytes, _, err = v.s.o.Bin.Held(ctx, m.key)
	return bytes, failed("quota", p, err)
}

// TrashLife is how long what was removed can be restored.
func (s *Service) TrashLife() time.Duration { return s.o.TrashLife }

func (v *view) throws() bool {
	switch {
	case v.s.o.Bin == nil || v.c.Anonymous() || v.moved:
		return false
	case v.s.o.Trash == TrashAll:
		return true
	}
	return v.s.o.Trash == TrashWeb && v.who.Protocol() == identity.ProtocolWeb
}

// throw moves an entry, whose removal was found allowed under the lock of the tree's names, which is
// held, into the trash. bytes and entries are what its line says. The row comes first: bytes without
// one would be nobody's.
func (v *view) throw(ctx context.Context, s *spot, bytes, entries int64) error {
	r := TrashRow{ID: newBinID(), Tree: s.m.key, Path: s.inTree(), Dir: s.node.Type.IsDir(), Bytes: bytes,
		Entries: entries, At: v.s.now(), By: v.c.User}
	a := v.s.ledger.of(s.m.key)
	if r.Dir && (v.s.locks.writing(pathLock(s.m.key, s.inTree()), true) || a.writingIn(r.Path)) {
		return ErrBusy // what is finished in it would be in the trash too
	}
	kept, err := s.top.Kept(ctx, KeptTrash, true)
	if err != nil {
		return err
	}
	defer kept.Close()
	v.s.locks.take(binLock(r.ID))
	defer v.s.locks.free(binLock(r.ID))
	if err := v.s.o.Bin.PutTrash(ctx, r); err != nil {
		return err
	}
	move, err := v.s.planMove(ctx, s.top, Move{Tree: s.m.key, From: r.Path, To: thrown(r.ID), Unique: s.node.Unique})
	if err == nil {
		if err = s.dir.Rename(ctx, s.name, kept, r.ID, true); err != nil {
			move.end(ctx, false)
		}
	}
	if err != nil {
		return errors.Join(err, v.s.o.Bin.DropTrash(context.WithoutCancel(ctx), r.ID))
	}
	if r.Dir {
		a.shifts.Add(1)
	}
	move.end(ctx, true)
	return v.s.sync(ctx, kept, s.dir)
}

// throwDir moves a folder with all in it, of which seen was found to be removable, into the trash.
func (v *view) throwDir(ctx context.Context, s *spot, a *account, seen tally) error {
	a.names.Lock()
	defer a.names.Unlock()
	if err := v.again(ctx, s); err != nil {
		return err
	}
	switch {
	case !s.node.Type.IsDir():
		return ErrNotDir
	case !v.take(s.m, s.diro, s.owned(), s.canon()), v.guarded(s.canon()):
		return fs.ErrPermission
	}
	if err := v.unlocked(ctx, s, aMember|allInside); err != nil {
		return err
	}
	if err := v.throw(ctx, s, seen.bytes, seen.files+1); err != nil {
		return err
	}
	v.s.book.gone(s.m.key, s.inTree())
	v.emit(OpRmdir, s.canon(), "", seen.bytes, 0)
	return nil
}

// trees lists the mounts in which the session may have something in the trash.
func (v *view) trees() []*mount {
	if v.c.Anonymous() {
		return nil
	}
	list := append([]*mount{v.home()}, v.groups()...)
	if pub := v.pub(); v.housekeeper(pub) {
		list = append(list, pub)
	}
	for _, m := range v.extras("/") {
		if !m.ReadOnly {
			list = append(list, v.extra(m))
		}
	}
	return slices.DeleteFunc(list, func(m *mount) bool { return !v.visible(m.canon) })
}

// tray is the trash of one tree, opened.
type tray struct {
	v    *view
	m    *mount
	top  Top
	kept Dir
	near map[string]nearest // by the path of a folder: each is looked for once
}

// nearest is the folder that exists above where something was.
type nearest struct {
	o   owned
	err error
}

// tray opens a tree's trash; fs.ErrNotExist where there is none.
func (v *view) tray(ctx context.Context, m *mount) (*tray, error) {
	top, err := v.s.o.Backend.Tree(ctx, m.key, false)
	if err != nil {
		return nil, err
	}
	kept, err := top.Kept(ctx, KeptTrash, false)
	if err != nil {
		_ = top.Close()
		return nil, err
	}
	return &tray{v: v, m: m, top: top, kept: kept, near: map[string]nearest{}}, nil
}

func (y *tray) close() { _, _ = y.kept.Close(), y.top.Close() }

// may answers nil where the session could have removed the entry where it was: it sees the place,
// and may change it, or the nearest folder above that is still there. Else fs.ErrNotExist: the trash
// of others does not exist.
func (y *tray) may(ctx context.Context, r TrashRow) error {
	canon := y.m.canon + r.Path
	if !y.v.c.MayRead() || !y.v.change(y.m, canon) || r.Dir && y.v.guarded(canon) {
		return fs.ErrNotExist
	}
	for at := r.Path; at != "/"; at = path.Dir(at) {
		if !y.v.visible(y.m.canon + at) {
			return fs.ErrNotExist
		}
	}
	n, err := y.kept.Lstat(ctx, r.ID)
	if err != nil {
		return err // half of something: the sweep mends it
	}
	dir := path.Dir(r.Path)
	near, ok := y.near[dir]
	if !ok {
		near = y.nearest(ctx, dir)
		y.near[dir] = near
	}
	if near.err != nil {
		return near.err
	}
	if !y.v.take(y.m, near.o, y.m.owned(n, false), canon) {
		return fs.ErrNotExist
	}
	return nil
}

// nearest finds the folder dir of the tree, or the one above it that is there.
func (y *tray) nearest(ctx context.Context, dir string) nearest {
	for ; ; dir = path.Dir(dir) {
		s, err := y.v.walk(ctx, path.Join(y.m.at, dir), true)
		if err == nil {
			if s.m == nil || s.m.key != y.m.key {
				err = fs.ErrNotExist
			} else if s.exists && s.node.Type.IsDir() {
				near := nearest{o: s.owned()}
				s.close()
				return near
			}
			s.close()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrNotDir) {
			if errors.Is(err, fs.ErrPermission) {
				err = fs.ErrNotExist
			}
			return nearest{err: err}
		}
		if dir == "/" {
			return nearest{err: fs.ErrNotExist}
		}
	}
}

// Trash lists what the session could restore, the last removed first: of its home, of the folders
// of its groups, of further mounts and, for staff, of /pub, and of each at most the newest 10,000.
func (t *Tree) Trash(ctx context.Context) ([]Trashed, error) {
	v, err := t.now()
	if err != nil {
		return nil, failed("trash", "/", err)
	}
	if v.s.o.Bin == nil {
		return nil, nil
	}
	var all []Trashed
	for _, m := range v.trees() {
		list, err := v.trashOf(ctx, m)
		if err != nil {
			return nil, failed("trash", m.at, err)
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b Trashed) int { return b.At.Compare(a.At) })
	return all, nil
}

func (v *view) trashOf(ctx context.Context, m *mount) (list []Trashed, err error) {
	y, err := v.tray(ctx, m)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer y.close()
	rows, err := v.s.o.Bin.TrashOf(ctx, m.key, trashShown)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		err := y.may(ctx, r)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, Trashed{ID: r.ID, Path: path.Join(m.at, r.Path), Name: path.Base(r.Path), Dir: r.Dir,
			Size: r.Bytes, Entries: r.Entries, At: r.At, By: r.By, Until: r.At.Add(v.s.o.TrashLife)})
	}
	return list, nil
}

// trashed finds one thing in the trash that the session may restore, and locks it. The tray and
// the lock are to be given back.
func (v *view) trashed(ctx context.Context, id string) (*tray, TrashRow, error) {
	if v.s.o.Bin == nil || !binID(id) {
		return nil, TrashRow{}, fs.ErrNotExist
	}
	if !v.s.locks.take(binLock(id)) {
		return nil, TrashRow{}, ErrBusy
	}
	y, r, err := v.findTrashed(ctx, id)
	if err != nil {
		v.s.locks.free(binLock(id))
	}
	return y, r, err
}

func (v *view) findTrashed(ctx context.Context, id string) (*tray, TrashRow, error) {
	r, err := v.s.o.Bin.Trash(ctx, id)
	if err != nil {
		return nil, r, err
	}
	for _, m := range v.trees() {
		if m.key != r.Tree {
			continue
		}
		y, err := v.tray(ctx, m)
		if err != nil {
			return nil, r, err
		}
		if err := y.may(ctx, r); err != nil {
			y.close()
			return nil, r, err
		}
		return y, r, nil
	}
	return nil, r, fs.ErrNotExist
}

// RestoreTrash brings something back to the path to, or, where to is "", to where it was; folders
// that are missing on the way are made. Where something stands there: fs.ErrExist. Into another
// mount: ErrUnsupported; restore it and move it then. What the session could not have removed does
// not exist.
func (t *Tree) RestoreTrash(ctx context.Context, id, to string) error {
	v, err := t.now()
	if err != nil {
		return failed("restore", to, err)
	}
	y, r, err := v.trashed(ctx, id)
	if err != nil {
		return failed("restore", to, err)
	}
	defer v.s.locks.free(binLock(id))
	defer y.close()
	if to == "" {
		to = path.Join(y.m.at, r.Path)
	}
	if to, err = Clean("/", to); err != nil {
		return failed("restore", to, err)
	}
	if err := t.MkdirAll(ctx, path.Dir(to)); err != nil {
		return err
	}
	return failed("restore", to, v.restore(ctx, y, r, to))
}

func (v *view) restore(ctx context.Context, y *tray, r TrashRow, to string) error {
	s, err := v.walk(ctx, to, false)
	if err != nil {
		return err
	}
	defer s.close()
	switch {
	case s.m == nil || s.name == "":
		return fs.ErrExist
	case s.m.key != r.Tree:
		return ErrUnsupported
	}
	lock := pathLock(s.m.key, s.inTree())
	if !v.s.locks.take(lock) {
		return ErrBusy // an upload would take its place
	}
	defer v.s.locks.free(lock)
	if err := v.putBack(ctx, y, r, s); err != nil {
		return err
	}
	// The name is back: what is left to do is done, though the client has gone.
	ctx = context.WithoutCancel(ctx)
	if err := v.s.o.Bin.DropTrash(ctx, r.ID); err != nil {
		v.s.o.Log.WarnContext(ctx, "files: what was restored stays in the list of the trash until the next sweep", "tree", r.Tree, "err", err)
	}
	v.emit(OpRestore, s.canon(), y.m.canon+r.Path, r.Bytes, 0)
	return v.s.sync(ctx, s.dir, y.kept)
}

// putBack renames what lies in the trash to where nothing stands.
func (v *view) putBack(ctx context.Context, y *tray, r TrashRow, s *spot) error {
	defer v.s.lockNames(r.Tree)()
	if err := v.stands(ctx, s); err != nil {
		return err
	}
	_, err := s.dir.Lstat(ctx, s.name)
	if err == nil {
		return fs.ErrExist
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !v.add(s.m, s.diro, s.canon()) {
		return fs.ErrPermission
	}
	if err := v.unlocked(ctx, s, aMember); err != nil {
		return err
	}
	if err := v.newName(ctx, s, ""); err != nil {
		return err
	}
	n, err := y.kept.Lstat(ctx, r.ID)
	if err != nil {
		return err
	}
	move, err := v.s.planMove(ctx, y.top, Move{Tree: r.Tree, From: thrown(r.ID), To: s.inTree(), Unique: n.Unique})
	if err != nil {
		return err
	}
	err = y.kept.Rename(ctx, r.ID, s.dir, s.name, true)
	move.end(ctx, err == nil)
	return err
}

// EmptyTrash removes for ever what the IDs name, or, without any, all that Trash lists and what is
// beyond its bound.
func (t *Tree) EmptyTrash(ctx context.Context, ids ...string) error {
	v, err := t.now()
	if err != nil {
		return failed("empty", "/", err)
	}
	if len(ids) == 0 {
		return failed("empty", "/", t.emptyAll(ctx, v))
	}
	for _, id := range ids {
		if v, err = t.now(); err != nil {
			return failed("empty", "/", err)
		}
		y, r, err := v.trashed(ctx, id)
		if err != nil {
			return failed("empty", "/", err)
		}
		err = v.purge(ctx, y, r)
		y.close()
		v.s.locks.free(binLock(id))
		if err != nil {
			return failed("empty", path.Join(y.m.at, r.Path), err)
		}
	}
	return nil
}

// emptyAll asks for each thing anew who the session is: there may be many.
func (t *Tree) emptyAll(ctx context.Context, v *view) error {
	if v.s.o.Bin == nil {
		return nil
	}
	for _, m := range v.trees() {
		for after, more := "", true; more; {
			rows, err := v.s.o.Bin.TrashAfter(ctx, m.key, after, binPage)
			if err != nil {
				return err
			}
			for _, r := range rows {
				after = r.ID
				if v, err = t.now(); err != nil {
					return err
				}
				y, r, err := v.trashed(ctx, r.ID)
				if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrBusy) {
					continue
				}
				if err == nil {
					err = v.purge(ctx, y, r)
					y.close()
					v.s.locks.free(binLock(r.ID))
				}
				if err != nil {
					return err
				}
			}
			more = len(rows) == binPage
		}
	}
	return nil
}

// purge removes for ever what is locked and may go.
func (v *view) purge(ctx context.Context, y *tray, r TrashRow) error {
	a, err := v.s.use(ctx, y.m)
	if err != nil {
		return err
	}
	defer v.s.done(a)
	bytes, err := v.s.purge(ctx, a, y.top, y.kept, r)
	if err == nil {
		v.emit(OpPurge, y.m.canon+r.Path, "", bytes, 0)
	}
	return err
}

// purge removes something in the trash, whose lock is held, for ever: its name first, then its row,
// then all that is in it, so that what is cut short is never half restored. The names of the tree
// are not held.
func (s *Service) purge(ctx context.Context, a *account, top Top, kept Dir, r TrashRow) (bytes int64, err error) {
	a.names.RLock() // or a recount would count it twice, or not at all
	err = kept.Rename(ctx, r.ID, kept, r.ID+doomed, true)
	a.names.RUnlock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	none := err != nil
	if err := s.o.Bin.DropTrash(context.WithoutCancel(ctx), r.ID); err != nil {
		return 0, err
	}
	if !none {
		if bytes, err = wipe(ctx, a, kept, r.ID+doomed); err != nil {
			return bytes, err
		}
	}
	more, err := s.dropVersions(ctx, a, top, thrown(r.ID))
	return bytes + more, err
}
