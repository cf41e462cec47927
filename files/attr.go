package files

import (
	"context"
	"io/fs"
	"time"
)

// Chmod sets the nine permission bits, and of a folder the setgid and sticky bits that mode has; as
// for chmod(1) of GNU, those that it has not got stay, unless mode has fs.ModeDir, which makes it the
// folder's whole mode. Setuid is never set, nor either of a file. Only the owner may, and setgid only
// who is in the group (POSIX chmod(2)): fs.ErrPermission. ErrUnsupported where the store cannot keep
// it, and of a link, which has no mode.
func (t *Tree) Chmod(ctx context.Context, p string, mode fs.FileMode) error {
	return t.alter(ctx, "chmod", p, func(v *view, s *spot) (owned, error) {
		o := s.owned()
		if !v.attrs(s.m, o, s.canon()) {
			return o, fs.ErrPermission
		}
		const bits = fs.ModeSetgid | fs.ModeSticky
		was := o.mode & bits
		o.mode = o.mode&^fs.ModePerm | mode.Perm()
		if o.mode.IsDir() {
			if mode.IsDir() {
				o.mode &^= bits
			}
			o.mode |= mode & bits
		}
		if o.mode&^was&fs.ModeSetgid != 0 && !v.inGroup(s.m, o.gid) {
			return o, fs.ErrPermission
		}
		return o, nil
	})
}

// Chown sets owner and group; nil leaves one as it is. As in POSIX, the owner may give a file to a
// group of theirs; only LevelRoot may change the owner.
func (t *Tree) Chown(ctx context.Context, p string, uid, gid *uint32) error {
	return t.alter(ctx, "chown", p, func(v *view, s *spot) (owned, error) {
		o := s.owned()
		if !v.attrs(s.m, o, s.canon()) {
			return o, fs.ErrPermission
		}
		if uid != nil && *uid != o.uid {
			if !v.superuser() {
				return o, fs.ErrPermission
			}
			o.uid = *uid
		}
		if gid != nil && *gid != o.gid {
			if !v.superuser() && !v.c.In(*gid) {
				return o, fs.ErrPermission
			}
			o.gid = *gid
		}
		return o, nil
	})
}

// alter changes what the attributes hold, by the entry's own name: a link is followed inside the
// mount.
func (t *Tree) alter(ctx context.Context, op, p string, fn func(*view, *spot) (owned, error)) error {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return failed(op, p, err)
	}
	defer s.close()
	if s.m == nil {
		return failed(op, p, fs.ErrPermission)
	}
	if !s.exists {
		return failed(op, p, fs.ErrNotExist)
	}
	if !v.s.features(s.m.key).Attrs {
		return failed(op, p, ErrUnsupported)
	}
	defer v.s.lockNames(s.m.key)()
	if err := v.again(ctx, s); err != nil {
		return failed(op, p, err)
	}
	o, err := fn(v, s)
	if err != nil {
		return failed(op, p, err)
	}
	if err := v.unlocked(ctx, s, theEntry); err != nil {
		return failed(op, p, err)
	}
	name := s.name
	if name == "" {
		name = "."
	}
	if err := setAttr(ctx, s.dir, s.node, name, o.mode&^fs.ModeType, v.s.keepAt(s.m, o, s.name == "")); err != nil {
		return failed(op, p, err)
	}
	v.emit(OpAttr, s.canon(), "", sizeOf(s.node), 0)
	return nil
}

// setAttr is Dir.SetAttr of the very entry that was looked at, where the store can tell: by its name,
// somebody with a shell could put another there meanwhile, and be given that.
func setAttr(ctx context.Context, dir Dir, n Node, name string, mode fs.FileMode, a Attr) error {
	d, ok := dir.(interface {
		SetAttrOf(ctx context.Context, n Node, name string, mode fs.FileMode, a Attr) error
	})
	if !ok {
		return dir.SetAttr(ctx, name, mode, a)
	}
	return d.SetAttrOf(ctx, n, name, mode, a)
}

// again looks at the entry once more, under the lock of the tree's names.
func (v *view) again(ctx context.Context, s *spot) (err error) {
	if err := v.stands(ctx, s); err != nil {
		return err
	}
	if s.name == "" {
		s.node, err = s.top.Stat(ctx)
	} else {
		s.node, err = s.dir.Lstat(ctx, s.name)
	}
	return err
}

// SetCreated sets the time of creation, which is what listings show from then on. Who may Chtimes may
// do so. ErrUnsupported where the store cannot keep it: where owners are those of the system, and of
// a link.
func (t *Tree) SetCreated(ctx context.Context, p string, created time.Time) error {
	return t.alter(ctx, "setcreated", p, func(v *view, s *spot) (owned, error) {
		o := s.owned()
		switch {
		case !v.write(s.m, o, s.canon()) && !v.attrs(s.m, o, s.canon()):
			return o, fs.ErrPermission
		case v.s.features(s.m.key).Owners:
			return o, ErrUnsupported
		}
		o.created = &created
		return o, nil
	})
}

// Chtimes sets the time of the last change of content. Who may write may do so, not the owner
// alone: clients set the time of what they have just uploaded.
func (t *Tree) Chtimes(ctx context.Context, p string, mtime time.Time) error {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return failed("chtimes", p, err)
	}
	defer s.close()
	if s.m == nil || s.name == "" {
		return failed("chtimes", p, fs.ErrPermission)
	}
	if !s.exists {
		return failed("chtimes", p, fs.ErrNotExist)
	}
	defer v.s.lockNames(s.m.key)()
	if err := v.again(ctx, s); err != nil {
		return failed("chtimes", p, err)
	}
	if o := s.owned(); !v.write(s.m, o, s.canon()) && !v.attrs(s.m, o, s.canon()) {
		return failed("chtimes", p, fs.ErrPermission)
	}
	if err := v.unlocked(ctx, s, theEntry); err != nil {
		return failed("chtimes", p, err)
	}
	if err := s.dir.Chtimes(ctx, s.name, mtime); err != nil {
		return failed("chtimes", p, err)
	}
	v.emit(OpAttr, s.canon(), "", sizeOf(s.node), 0)
	return nil
}
