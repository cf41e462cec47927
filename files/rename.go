package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Rename moves an entry, as rename(2) does: a file takes the place of a file; a folder replaces
// nothing (fs.ErrExist), nor does a file replace a folder (ErrIsDir). Between mounts a file alone
// can go, and keeps its owner, unless the other one is another store: then it is copied and removed,
// as by Copy; a folder is ErrUnsupported: copy it. A folder that holds what is hidden from the
// session by level stays where it is: fs.ErrPermission.
func (t *Tree) Rename(ctx context.Context, oldpath, newpath string) error {
	v, err := t.now()
	if err != nil {
		return failed("rename", oldpath, err)
	}
	from, err := v.walk(ctx, oldpath, false)
	if err != nil {
		return failed("rename", oldpath, err)
	}
	defer from.close()
	to, err := v.toward().walk(ctx, newpath, false)
	if err != nil {
		return failed("rename", newpath, err)
	}
	defer to.close()
	if from.m == nil || to.m == nil || from.name == "" || to.name == "" {
		return failed("rename", oldpath, fs.ErrPermission) // a mount or its top
	}
	var kept bool
	var left string
	err = v.withRoom(ctx, to.m, sizeOf(from.node), 1, func() (err error) {
		kept, left, err = v.rename(ctx, from, to)
		return err
	})
	if errors.Is(err, errOtherStore) {
		return t.moveByCopy(ctx, oldpath, newpath)
	}
	if err != nil {
		return failed("rename", oldpath, err)
	}
	v.tidy(ctx, from, to, kept, left)
	return failed("rename", newpath, v.s.sync(ctx, to.dir, from.dir))
}

// tidy sees after the versions of what has been renamed: those that are too many go, and those that
// cannot follow into another tree.
func (v *view) tidy(ctx context.Context, from, to *spot, kept bool, left string) {
	ctx = context.WithoutCancel(ctx)
	if kept {
		if a, err := v.s.use(ctx, to.m); err == nil {
			v.s.pruneVersions(ctx, a, to.top, to.inTree())
			v.s.done(a)
		}
	}
	if left == "" {
		return
	}
	if a, err := v.s.use(ctx, from.m); err == nil {
		v.s.forgetVersions(ctx, a, from.top, left)
		v.s.done(a)
	}
}

// rename says whether what stood there became a version, and by what path versions are left that could
// not follow into another tree.
func (v *view) rename(ctx context.Context, from, to *spot) (kept bool, left string, err error) {
	src, err := v.s.use(ctx, from.m)
	if err != nil {
		return false, "", err
	}
	defer v.s.done(src)
	dst, err := v.s.use(ctx, to.m)
	if err != nil {
		return false, "", err
	}
	defer v.s.done(dst)
	defer lockBoth(src, dst, from.m.key < to.m.key)()
	for _, s := range []*spot{from, to} {
		if err := v.stands(ctx, s); err != nil {
			return false, "", err
		}
	}
	if from.node, err = from.dir.Lstat(ctx, from.name); err != nil {
		return false, "", err
	}
	to.node, err = to.dir.Lstat(ctx, to.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, "", err
	}
	to.exists = err == nil
	if !v.take(from.m, from.diro, from.owned(), from.canon()) || !v.add(to.m, to.diro, to.canon()) {
		return false, "", fs.ErrPermission
	}
	if from.canon() == to.canon() || to.exists && to.node.Unique == from.node.Unique {
		return false, "", nil // rename(2): two names of one file stay as they are
	}
	if err := v.unlockedBoth(ctx, from, to); err != nil {
		return false, "", err
	}
	isDir := from.node.Type.IsDir()
	if to.exists {
		switch {
		case !v.take(to.m, to.diro, to.owned(), to.canon()):
			return false, "", fs.ErrPermission
		case isDir:
			return false, "", fs.ErrExist
		case to.node.Type.IsDir():
			return false, "", ErrIsDir
		case v.s.locks.holds(fileLock(to.node)):
			return false, "", ErrBusy
		}
	}
	if !to.exists {
		except := ""
		if from.m.key == to.m.key && from.rel == to.rel {
			except = from.name
		}
		if err := v.newName(ctx, to, except); err != nil {
			return false, "", err
		}
	}
	if isDir && (v.guarded(from.canon()) || v.checks.Whole != nil && !v.checks.Whole(from.canon(), to.canon())) {
		return false, "", fs.ErrPermission
	}
	target := to.inTree()
	if from.m.key != to.m.key {
		target = cast() // they cannot follow
	}
	move, err := v.s.planMove(ctx, from.top, Move{Tree: from.m.key, From: from.inTree(), To: target, Unique: from.node.Unique})
	if err != nil {
		return false, "", err
	}
	if from.m.key != to.m.key {
		kept, err = v.cross(ctx, from, to, src, dst)
		return kept, move.end(ctx, err == nil), err
	}
	old, err := v.keepReplaced(ctx, to)
	if err != nil {
		move.end(ctx, false)
		return false, "", err
	}
	if err := from.dir.Rename(ctx, from.name, to.dir, to.name, false); err != nil {
		old.undo(ctx)
		move.end(ctx, false)
		return false, "", err
	}
	old.done()
	if isDir {
		src.shifted(from.inTree(), to.inTree())
	}
	move.end(ctx, true)
	v.s.book.gone(from.m.key, from.inTree())
	if to.exists && !old.is() {
		dst.change(-sizeOf(to.node), -1)
	}
	v.emit(OpRename, to.canon(), from.canon(), sizeOf(from.node), 0)
	return old.is(), "", nil
}

// keepReplaced keeps the file at to, if there is one, as a version.
func (v *view) keepReplaced(ctx context.Context, to *spot) (oldVersion, error) {
	if !v.keeps(to) {
		return oldVersion{}, nil
	}
	return v.keepVersion(ctx, to, false)
}

// errOtherStore is the answer of cross where the other tree lies on another file system or store.
var errOtherStore = fmt.Errorf("it would go to another store: %w", ErrUnsupported)

// moveByCopy moves a file to another store. The copy is whole before the original goes; if that
// cannot go after all, both stand.
func (t *Tree) moveByCopy(ctx context.Context, oldpath, newpath string) error {
	before, err := t.toward().Lstat(ctx, newpath)
	if err == nil && before.Link {
		return failed("rename", newpath, ErrUnsupported) // a copy would go where it leads
	}
	c := &copier{from: t, to: t.toward(), o: CopyOptions{Over: true}}
	if err := c.file(ctx, oldpath, newpath); err != nil {
		return err
	}
	moving := *t
	moving.moved = true
	return moving.drop(ctx, "rename", oldpath, OpRemove, func(v *view, s *spot, a *account) error {
		if !sameContent(s.node, c.took) {
			return ErrBusy // what came meanwhile has not been copied
		}
		return remove(ctx)(v, s, a)
	})
}

// sameContent reports whether two looks at a file saw the same content.
func sameContent(a, b Node) bool {
	return a.Unique == b.Unique && a.Size == b.Size && a.ModTime.Equal(b.ModTime) && a.Changed.Equal(b.Changed)
}

// cross moves a file to another tree: charged there before, and its owner and mode written out,
// for the other tree has other defaults.
func (v *view) cross(ctx context.Context, from, to *spot, src, dst *account) (kept bool, err error) {
	if !from.node.Type.IsRegular() {
		return false, ErrUnsupported
	}
	if v.s.locks.holds(fileLock(from.node)) {
		return false, ErrBusy
	}
	o := from.owned()
	if dir := to.diro; dir.mode&fs.ModeSetgid != 0 {
		o.gid, o.mode = dir.gid, to.m.file
	}
	if v.housekeeper(to.m) {
		o.uid, o.gid, o.mode = to.m.uid, to.m.gid, to.m.file
	}
	size := sizeOf(from.node)
	bytes, entries := size, int64(1)
	keep := v.keeps(to) && v.s.fits(dst, bytes, entries)
	if to.exists && !keep { // it goes, so what is more counts
		bytes, entries = size-sizeOf(to.node), 0
	}
	if err := v.s.grow(dst, bytes, entries); err != nil {
		return false, err
	}
	var old oldVersion
	if keep {
		if old, err = v.keepVersion(ctx, to, false); err == nil && !old.is() {
			dst.change(-sizeOf(to.node), -1) // the store keeps none
			bytes, entries = size-sizeOf(to.node), 0
		}
	}
	if err == nil {
		err = v.setAttr(ctx, from.m, from.dir, from.node, from.name, o, v.s.keep(to.m, o))
	}
	if err == nil {
		if err = from.dir.Rename(ctx, from.name, to.dir, to.name, false); err != nil {
			o := from.owned()
			err = errors.Join(err, v.setAttr(ctx, from.m, from.dir, from.node, from.name, o, v.s.keep(from.m, o)))
		}
	}
	if err != nil {
		old.undo(ctx)
		dst.change(-bytes, -entries)
		if errors.Is(err, ErrUnsupported) {
			return false, errOtherStore
		}
		return false, err
	}
	old.done()
	v.s.book.gone(from.m.key, from.inTree())
	src.change(-size, -1)
	v.emit(OpRename, to.canon(), from.canon(), size, 0)
	return old.is(), nil
}

// setAttr writes attributes, where the store can keep them.
func (v *view) setAttr(ctx context.Context, m *mount, dir Dir, n Node, name string, o owned, a Attr) error {
	if !v.s.features(m.key).Attrs {
		return nil
	}
	return setAttr(ctx, dir, n, name, o.mode&^fs.ModeType, a)
}

// lockBoth takes both trees' names in the order of their keys and returns what gives them back.
func lockBoth(a, b *account, aFirst bool) func() {
	if a == b {
		a.names.Lock()
		return a.names.Unlock
	}
	if !aFirst {
		a, b = b, a
	}
	a.names.Lock()
	b.names.Lock()
	return func() { b.names.Unlock(); a.names.Unlock() }
}
