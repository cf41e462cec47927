package local

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"trivium/files"
)

// dir is an opened folder.
type dir struct {
	s    *Store
	f    opened
	name string
	top  bool // of a tree: the reserved name is in it

	seen     stat      // of the folder, when it was opened
	seenAt   time.Time // zero: not yet, or it has been told
	recorded record    // of the folder, as it was last read
	as       int64     // Store.records then; 0: never
	at       time.Time // when that was
}

var _ files.Dir = (*dir)(nil)

// step opens a folder in the folder.
func (d *dir) step(name string) (*dir, error) {
	f, err := openat(d.f, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &dir{s: d.s, f: f, name: name}, nil
}

// hides reports whether the name is the store's own; it does not exist for anybody.
// Case does not count: on some file systems the name leads there in any.
func (d *dir) hides(name string) bool {
	return d.top && len(name) == len(reserved) && strings.EqualFold(name, reserved)
}

func (d *dir) Close() error { return d.f.Close() }

func (d *dir) Sync(context.Context) error { return again(d.fsync) }

func (d *dir) fsync() error { return unix.Fsync(int(d.f.Fd())) }

func (d *dir) Stat(context.Context) (files.Node, error) {
	st := d.seen
	if seenAt := d.seenAt; time.Since(seenAt) < recordLife {
		d.seenAt = time.Time{}
	} else {
		var err error
		if st, err = fstat(d.f); err != nil {
			return files.Node{}, err
		}
	}
	n := d.s.node(d.name, st)
	if d.s.system {
		if d.top && !claimed(st) {
			n.Attr = files.Attr{}
		}
		return n, nil
	}
	r, err := d.readRecord()
	n.Attr = r.Attr
	return n, err
}

func (d *dir) Dir(_ context.Context, name string) (files.Dir, error) {
	if d.hides(name) {
		return nil, fs.ErrNotExist
	}
	next, err := d.step(name)
	if err != nil {
		return nil, err
	}
	return next, nil
}

func (d *dir) Lstat(_ context.Context, name string) (files.Node, error) {
	if d.hides(name) {
		return files.Node{}, fs.ErrNotExist
	}
	r, err := d.record()
	if err != nil {
		return files.Node{}, err
	}
	return d.lstat(name, r.mark)
}

// lstat reads the entry's record too, if the folder is marked.
func (d *dir) lstat(name string, marked bool) (files.Node, error) {
	st, err := statat(d.f, name)
	if err != nil {
		return files.Node{}, err
	}
	n := d.s.node(name, st)
	if marked && (n.Type == 0 || n.Type == fs.ModeDir) {
		n.Attr, err = d.attr(name)
	}
	return n, err
}

// attr reads the record of an entry. One that the server may not open has none that counts: it
// cannot be served either.
func (d *dir) attr(name string) (files.Attr, error) {
	f, err := openat(d.f, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return files.Attr{}, nil
	}
	if err != nil {
		return files.Attr{}, err
	}
	defer f.Close()
	r, err := d.s.read(f)
	return r.Attr, err
}

func (d *dir) Readlink(_ context.Context, name string) (string, error) {
	if d.hides(name) {
		return "", fs.ErrNotExist
	}
	return readlinkat(d.f, name)
}

func (d *dir) ReadDir(ctx context.Context, fn func(files.Node) error) error {
	r, err := d.record()
	if err != nil {
		return err
	}
	return d.s.eachBatch(ctx, d.f, func(b *batch) error { return d.eachNode(ctx, b, r.mark, fn) })
}

func (d *dir) ReadNames(ctx context.Context, fn func(name string, typ fs.FileMode) error) error {
	return d.s.eachName(ctx, d.f, func(name string, typ fs.FileMode) error {
		if d.hides(name) {
			return nil
		}
		if typ == unknownType {
			st, err := statat(d.f, name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			typ = node(name, st).Type
		}
		return fn(name, typ)
	})
}

func (d *dir) Mkdir(_ context.Context, name string, mode fs.FileMode, a files.Attr) error {
	if d.hides(name) {
		return files.ErrName
	}
	if d.s.system {
		return d.mkdirOwned(name, mode, a)
	}
	if err := mkdirat(d.f, name, inodeMode(mode, 0o700)); err != nil || a.IsZero() {
		return err
	}
	if err := d.setAttr(name, "", mode, a); err != nil {
		return errors.Join(err, unlinkat(d.f, name, unix.AT_REMOVEDIR))
	}
	return nil
}

func (d *dir) Symlink(_ context.Context, target, name string) error {
	if d.hides(name) || !single(name) {
		return files.ErrName
	}
	return again(func() error { return unix.Symlinkat(target, int(d.f.Fd()), name) })
}

func (d *dir) Remove(_ context.Context, name string) error {
	if d.hides(name) {
		return fs.ErrNotExist
	}
	err := unlinkat(d.f, name, 0)
	if errors.Is(err, unix.EPERM) { // POSIX says EPERM of a folder, Linux EISDIR
		if st, serr := statat(d.f, name); serr == nil && st.mode&unix.S_IFMT == unix.S_IFDIR {
			return files.ErrIsDir
		}
	}
	return err
}

func (d *dir) RemoveDir(_ context.Context, name string) error {
	if d.hides(name) {
		return fs.ErrNotExist
	}
	return unlinkat(d.f, name, unix.AT_REMOVEDIR)
}

func (d *dir) Rename(_ context.Context, name string, to files.Dir, newname string, exclusive bool) error {
	target, err := own(to)
	if err != nil {
		return err
	}
	if d.hides(name) {
		return fs.ErrNotExist
	}
	if target.hides(newname) || !single(name) || !single(newname) {
		return files.ErrName
	}
	r, err := d.record()
	if err != nil {
		return err
	}
	n, err := d.lstat(name, r.mark)
	if err != nil {
		return err
	}
	if err := d.s.markFor(n, r, target); err != nil {
		return err
	}
	err = renameat(d.f, name, target.f, newname, exclusive || n.Type.IsDir())
	if errors.Is(err, unix.EINVAL) {
		return files.ErrUnsupported // a folder into itself
	}
	return err
}

func (d *dir) Link(_ context.Context, name string, to files.Dir, newname string) error {
	target, err := own(to)
	if err != nil {
		return err
	}
	if d.hides(name) {
		return fs.ErrNotExist
	}
	if target.hides(newname) || !single(newname) {
		return files.ErrName
	}
	r, err := d.record()
	if err != nil {
		return err
	}
	n, err := d.lstat(name, r.mark)
	switch {
	case err != nil:
		return err
	case n.Type.IsDir():
		return files.ErrIsDir
	case !n.Type.IsRegular():
		return files.ErrUnsupported
	}
	if err := d.s.markFor(n, r, target); err != nil {
		return err
	}
	err = again(func() error { return unix.Linkat(int(d.f.Fd()), name, int(target.f.Fd()), newname, 0) })
	if errors.Is(err, unix.EPERM) {
		return files.ErrUnsupported // a file system without hard links
	}
	return err
}

// markFor marks the folder that an entry n is about to come to, out of one with the record r, for what
// the entry brings along.
func (s *Store) markFor(n files.Node, r record, target *dir) error {
	if !n.Attr.IsZero() {
		if err := s.mark(target.f); err != nil {
			return err
		}
	}
	if r.props {
		return s.markProps(target.f)
	}
	return nil
}

// own gives the folder behind a files.Dir of this store.
func own(d files.Dir) (*dir, error) {
	switch d := d.(type) {
	case *dir:
		return d, nil
	case *tree:
		return d.dir, nil
	}
	return nil, files.ErrUnsupported
}

func (d *dir) SetAttr(_ context.Context, name string, mode fs.FileMode, a files.Attr) error {
	if d.hides(name) {
		return fs.ErrNotExist
	}
	if !d.s.features.Attrs {
		return files.ErrUnsupported
	}
	return d.setAttr(name, "", mode, a)
}

// setAttr sets the attributes of an entry; of that of a files.Node.Unique alone, if it is given.
func (d *dir) setAttr(name, which string, mode fs.FileMode, a files.Attr) error {
	if name != "." && !a.IsZero() {
		if err := d.s.mark(d.f); err != nil {
			return err
		}
	}
	f, err := openat(d.f, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, files.ErrNotDir) {
		return files.ErrUnsupported // a link
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := fstat(f)
	if err != nil {
		return err
	}
	if which != "" && unique(st) != which {
		return fs.ErrNotExist
	}
	if d.s.system {
		return d.s.give(f, mode, a)
	}
	owner := fs.FileMode(0o600)
	if node(name, st).Type.IsDir() {
		owner = 0o700
	}
	d.s.attrs.Lock()
	defer d.s.attrs.Unlock()
	r, err := d.s.raw(f)
	if err != nil {
		return err
	}
	r.Attr = a
	if err := d.s.write(f, r); err != nil {
		return err
	}
	return again(func() error { return unix.Fchmod(int(f.Fd()), inodeMode(mode, owner)) })
}

func (d *dir) Chtimes(_ context.Context, name string, mtime time.Time) error {
	if d.hides(name) {
		return fs.ErrNotExist
	}
	if !single(name) {
		return files.ErrName
	}
	ts, err := unix.TimeToTimespec(mtime)
	if err != nil {
		return fs.ErrInvalid
	}
	times := []unix.Timespec{ts, ts}
	return again(func() error { return unix.UtimesNanoAt(int(d.f.Fd()), name, times, unix.AT_SYMLINK_NOFOLLOW) })
}
