package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Stat follows links inside the mount. Where no finished file stands but an unfinished upload of
// one's own does, it gives that, with Part set and its size so far.
func (t *Tree) Stat(ctx context.Context, p string) (Info, error) { return t.stat(ctx, p, true) }

// Lstat is Stat that does not follow a link at the end, and knows no parts.
func (t *Tree) Lstat(ctx context.Context, p string) (Info, error) { return t.stat(ctx, p, false) }

func (t *Tree) stat(ctx context.Context, p string, follow bool) (Info, error) {
	v, err := t.now()
	if err != nil {
		return Info{}, failed("stat", p, err)
	}
	i, err := v.stat(ctx, p, follow)
	return i, failed("stat", p, err)
}

func (v *view) stat(ctx context.Context, p string, follow bool) (Info, error) {
	s, err := v.walk(ctx, p, follow)
	if err != nil {
		return Info{}, err
	}
	defer s.close()
	if s.m == nil {
		return v.virtual(s.at), nil
	}
	if !s.exists && follow {
		if n, err := s.top.StatPart(ctx, v.partKey(s.canon(), "")); err == nil {
			n.Name, n.Attr = s.name, Attr{}
			i := v.info(s.m, n, s.at, s.canon(), s.parent())
			i.Part = true
			return i, nil
		}
	}
	if !s.exists {
		return Info{}, fs.ErrNotExist
	}
	return v.describe(ctx, s, s.node, s.at)
}

// describe is info with a link's target.
func (v *view) describe(ctx context.Context, s *spot, n Node, at string) (Info, error) {
	i := v.info(s.m, n, at, s.canon(), s.parent())
	if i.Link {
		target, err := s.dir.Readlink(ctx, s.name)
		if err != nil {
			return Info{}, err
		}
		i.Target = target
	}
	return i, nil
}

// Mkdir makes a folder.
func (t *Tree) Mkdir(ctx context.Context, p string) error {
	return t.make(ctx, "mkdir", p, mkdir(ctx))
}

// mkdir makes a folder where a path has been walked.
func mkdir(ctx context.Context) func(*view, *spot) (Op, error) {
	return func(v *view, s *spot) (Op, error) {
		o := v.fresh(s.m, s.diro, true)
		return OpMkdir, s.dir.Mkdir(ctx, s.name, o.mode&^fs.ModeType, v.s.keep(s.m, o))
	}
}

// Symlink makes a link. The target must be relative, and must not lead above the top of the mount:
// fs.ErrPermission. It need not exist.
func (t *Tree) Symlink(ctx context.Context, target, p string) error {
	return t.make(ctx, "symlink", p, func(v *view, s *spot) (Op, error) {
		if _, ok := linkTarget(s.rel, target); !ok {
			return OpSymlink, errLeadsOut
		}
		if _, err := Clean("/", target); err != nil {
			return OpSymlink, err
		}
		return OpSymlink, s.dir.Symlink(ctx, target, s.name)
	})
}

// errLeadsOut is the answer to a link that would lead nowhere or out of its mount.
var errLeadsOut = fmt.Errorf("the link would lead out of the folder that it may point into: %w", fs.ErrPermission)

// make adds an entry that is there at once.
func (t *Tree) make(ctx context.Context, op, p string, fn func(*view, *spot) (Op, error)) error {
	v, s, err := t.walk(ctx, p, false)
	if err != nil {
		return failed(op, p, err)
	}
	defer s.close()
	if s.m == nil || s.exists {
		return failed(op, p, fs.ErrExist)
	}
	return failed(op, p, v.makeAt(ctx, s, fn))
}

// makeAt is make where the path has been walked.
func (v *view) makeAt(ctx context.Context, s *spot, fn func(*view, *spot) (Op, error)) error {
	if !v.add(s.m, s.diro, s.canon()) {
		return fs.ErrPermission
	}
	if err := v.unlocked(ctx, s, aMember); err != nil {
		return err
	}
	var done Op
	err := v.withRoom(ctx, s.m, 0, 1, func() (err error) {
		done, err = v.makeCounted(ctx, s, fn)
		return err
	})
	if err != nil {
		return err
	}
	v.emit(done, s.canon(), "", 0, 0)
	return v.s.sync(ctx, s.dir)
}

// makeCounted makes an entry, and counts it.
func (v *view) makeCounted(ctx context.Context, s *spot, fn func(*view, *spot) (Op, error)) (Op, error) {
	a, err := v.s.use(ctx, s.m)
	if err != nil {
		return "", err
	}
	defer v.s.done(a)
	defer v.s.holdNames(a)()
	if err := v.stands(ctx, s); err != nil {
		return "", err
	}
	if err := v.newName(ctx, s, ""); err != nil {
		return "", err
	}
	if err := v.s.grow(a, 0, 1); err != nil {
		return "", err
	}
	done, err := fn(v, s)
	if err != nil {
		a.change(0, -1)
	}
	return done, err
}

// keep is what of an entry's ownership deviates, as far as the store can keep it.
func (s *Service) keep(m *mount, o owned) Attr { return s.keepAt(m, o, false) }

// keepAt is keep of an entry that may be the top of its mount. A store that shows owners to others
// is told all.
func (s *Service) keepAt(m *mount, o owned, top bool) Attr {
	switch f := s.features(m.key); {
	case !f.Attrs:
		return Attr{}
	case f.Owners:
		mode := o.mode &^ fs.ModeType
		return Attr{UID: &o.uid, GID: &o.gid, Mode: &mode}
	}
	return m.attr(o, top)
}

// sync makes names durable, where that is wanted.
func (s *Service) sync(ctx context.Context, dirs ...Dir) error {
	if !s.o.Sync {
		return nil
	}
	for _, d := range dirs {
		if err := d.Sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a file or a link, or, where no file stands, one's own unfinished upload. A folder
// is ErrIsDir; a file that is being appended to, ErrBusy. A file goes into the trash where Throws
// says so, with its versions; else these go too.
func (t *Tree) Remove(ctx context.Context, p string) error {
	return t.drop(ctx, "remove", p, OpRemove, remove(ctx))
}

// RemoveDir removes an empty folder.
func (t *Tree) RemoveDir(ctx context.Context, p string) error {
	return t.drop(ctx, "rmdir", p, OpRmdir, removeDir(ctx))
}

// remove and removeDir are what dropAt does in the end.
func remove(ctx context.Context) func(*view, *spot, *account) error {
	return func(_ *view, s *spot, _ *account) error {
		if s.node.Type.IsDir() {
			return ErrIsDir
		}
		return s.dir.Remove(ctx, s.name)
	}
}

func removeDir(ctx context.Context) func(*view, *spot, *account) error {
	return func(_ *view, s *spot, _ *account) error {
		if !s.node.Type.IsDir() {
			return ErrNotDir
		}
		return s.dir.RemoveDir(ctx, s.name)
	}
}

func (t *Tree) drop(ctx context.Context, op, p string, event Op, fn func(*view, *spot, *account) error) error {
	v, s, err := t.walk(ctx, p, false)
	if err != nil {
		return failed(op, p, err)
	}
	defer s.close()
	if s.m == nil || s.name == "" {
		return failed(op, p, fs.ErrPermission) // the top of a mount
	}
	a, err := v.s.use(ctx, s.m)
	if err != nil {
		return failed(op, p, err)
	}
	defer v.s.done(a)
	return failed(op, p, v.dropAt(ctx, s, a, event, fn))
}

// dropAt removes what stands where a path has led, or throws it into the trash.
func (v *view) dropAt(ctx context.Context, s *spot, a *account, event Op, fn func(*view, *spot, *account) error) error {
	left, err := v.dropLocked(ctx, s, a, event, fn)
	if left != "" {
		v.s.forgetVersions(ctx, a, s.top, left)
	}
	return err
}

// dropLocked says by what path the versions of what has been removed for ever are left.
func (v *view) dropLocked(ctx context.Context, s *spot, a *account, event Op, fn func(*view, *spot, *account) error) (left string, err error) {
	a.names.Lock()
	defer a.names.Unlock()
	if err := v.stands(ctx, s); err != nil {
		return "", err
	}
	s.node, err = s.dir.Lstat(ctx, s.name)
	if errors.Is(err, fs.ErrNotExist) && event == OpRemove {
		return "", v.removePart(ctx, s, a, "")
	}
	if err != nil {
		return "", err
	}
	if !v.take(s.m, s.diro, s.owned(), s.canon()) {
		return "", fs.ErrPermission
	}
	if v.s.locks.holds(fileLock(s.node)) {
		return "", ErrBusy
	}
	if err := v.unlocked(ctx, s, aMember|allInside); err != nil {
		return "", err
	}
	if event == OpRemove && s.node.Type.IsRegular() && v.throws() {
		err = v.throw(ctx, s, sizeOf(s.node), 1)
	} else {
		left, err = v.removeLocked(ctx, s, a, fn)
	}
	if err != nil {
		return "", err
	}
	v.s.book.gone(s.m.key, s.inTree())
	v.emit(event, s.canon(), "", sizeOf(s.node), 0)
	return left, nil
}

// removeLocked removes what stands there for ever, and says by what path its versions are left.
func (v *view) removeLocked(ctx context.Context, s *spot, a *account, fn func(*view, *spot, *account) error) (left string, err error) {
	var move *move
	if s.node.Type.IsRegular() {
		if move, err = v.s.planMove(ctx, s.top, Move{Tree: s.m.key, From: s.inTree(), To: cast(), Unique: s.node.Unique}); err != nil {
			return "", err
		}
	}
	if err = fn(v, s, a); err == nil {
		a.change(-sizeOf(s.node), -1)
	}
	return move.end(ctx, err == nil), err
}

// removePart removes one's own unfinished upload.
func (v *view) removePart(ctx context.Context, s *spot, a *account, tag string) error {
	key := v.partKey(s.canon(), tag)
	n, err := s.top.StatPart(ctx, key)
	if err != nil {
		return err
	}
	lock := partLock(s.m.key, key)
	if !v.s.locks.take(lock) {
		return ErrBusy
	}
	defer v.s.locks.free(lock)
	return dropPart(ctx, s.top, a, key, n)
}

// Part returns the size of one's own unfinished upload of p, where no finished file stands.
func (t *Tree) Part(ctx context.Context, p string) (size int64, ok bool) {
	i, err := t.Stat(ctx, p)
	if err != nil || !i.Part {
		return 0, false
	}
	return i.Size, true
}
