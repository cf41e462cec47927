package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// CopyOptions says how Copy copies.
type CopyOptions struct {
	Over bool // a file may take the place of a file; otherwise fs.ErrExist
	Deep bool // a folder with all in it; otherwise the folder alone, empty
}

// maxCopyDepth is how many folders deep a copy goes: each entry is walked to by its path, with all
// the permissions on the way, so a tree as deep as a path can say would cost the square of that.
const maxCopyDepth = 256

// Copy copies a file, or a folder, whose name must be free: fs.ErrExist. Each file goes through an
// upload of its own, so quota, locks and events are those of uploads, and nobody sees half a file.
// It needs the right to read the one and to add the other, asked for every entry anew. The copy
// belongs to whom any new file would belong; it keeps its original's time, and the original's mode,
// where that is not its mount's default, as far as the umask lets it, and has the original's
// properties. Links below a folder stay
// links, and those that would lead out are left out, as is what is hidden from the session. The
// first error ends it, as do ctx and the end of the session; what is copied by then stays. A folder
// cannot be copied into itself, nor one that is deeper than 256 folders: ErrUnsupported.
func (t *Tree) Copy(ctx context.Context, from, to string, o CopyOptions) error {
	v, err := t.now()
	if err != nil {
		return failed("copy", from, err)
	}
	src, err := v.stat(ctx, from, true)
	if err == nil && src.Part {
		err = fs.ErrNotExist
	}
	if err == nil && src.place.m == nil {
		err = fs.ErrPermission // it holds mounts alone
	}
	if err != nil {
		return failed("copy", from, err)
	}
	dst, err := v.toward().walk(ctx, to, true)
	if err != nil {
		return failed("copy", to, err)
	}
	defer dst.close()
	switch {
	case dst.m == nil, dst.canon() == src.place.canon, src.Dir && dst.exists:
		return failed("copy", to, fs.ErrExist)
	case src.Dir && inside(src.place.canon, dst.canon()):
		return failed("copy", to, ErrUnsupported)
	}
	c := &copier{from: t, to: t.toward(), o: o, key: src.place.m.key}
	if src.Dir {
		return c.folder(ctx, src, dst.at, 0)
	}
	return c.file(ctx, src.Path, dst.at)
}

// copier is one copy on its way.
type copier struct {
	from, to *Tree // the same view; the Checks of the one end and of the other

	o   CopyOptions
	key string // of the tree that is copied; other mounts that show in it are not
	top string // Node.Unique of the copy's top, which is not copied again

	took Node // the file that was copied last, as it was when it was opened
}

// goOn stops a copy between two slices of a file.
func (c *copier) goOn(ctx context.Context) func() error {
	return func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := c.from.now()
		return err
	}
}

// file copies one file. A bare file goes from store to store without leaving the kernel
// (copy_file_range(2)), and shares its blocks where the file system can do that.
func (c *copier) file(ctx context.Context, from, to string) error {
	f, err := c.from.Open(ctx, from)
	if err != nil {
		return err
	}
	defer f.Close()
	info := f.Info()
	c.took = f.obj.Node()
	u, err := c.to.Create(ctx, to, UploadOptions{Size: info.Size, Exclusive: !c.o.Over})
	if err != nil {
		return err
	}
	u.like = &info
	u.props, _ = c.from.Props(ctx, from)
	if file, ok := f.OS(); ok {
		_, err = u.readFrom(file, c.goOn(ctx))
	} else {
		_, err = u.readFrom(f.obj, c.goOn(ctx))
	}
	if err == nil {
		_, err = u.Commit(ctx)
	}
	if err != nil {
		if u.closed {
			return err
		}
		return errors.Join(failed("copy", to, err), u.Discard())
	}
	return nil
}

// folder copies a folder: its files while it is read, what is below it then.
func (c *copier) folder(ctx context.Context, from Info, to string, depth int) error {
	if depth > maxCopyDepth {
		return failed("copy", from.Path, fmt.Errorf("more than %d folders in one another: %w", maxCopyDepth, ErrUnsupported))
	}
	if err := c.to.Mkdir(ctx, to); err != nil {
		return err
	}
	if depth == 0 {
		made, err := c.to.Lstat(ctx, to)
		if err != nil {
			return err
		}
		c.top = made.Unique
	}
	if c.o.Deep {
		folders, err := c.entries(ctx, from.Path, to)
		if err != nil {
			return err
		}
		for _, name := range folders {
			sub, err := c.from.Lstat(ctx, path.Join(from.Path, name))
			if errors.Is(err, fs.ErrNotExist) || err == nil && !sub.Dir {
				continue // gone meanwhile
			}
			if err != nil {
				return err
			}
			if err := c.folder(ctx, sub, path.Join(to, name), depth+1); err != nil {
				return err
			}
		}
	}
	props, _ := c.from.Props(ctx, from.Path)
	return c.to.dress(ctx, from, props, to)
}

// entries copies what is in a folder but its folders, whose names it gives.
func (c *copier) entries(ctx context.Context, from, to string) (folders []string, err error) {
	err = c.from.ReadDir(ctx, from, func(i Info) error {
		switch {
		case i.place.m == nil || i.place.m.key != c.key || i.Unique == c.top:
			return nil
		case i.Dir:
			folders = append(folders, i.Name)
			return nil
		case i.Link && !agrees(c.from.checks.At, i.place.canon):
			return nil
		case i.Link:
			err := c.to.Symlink(ctx, i.Target, path.Join(to, i.Name))
			if errors.Is(err, errLeadsOut) || errors.Is(err, ErrUnsupported) {
				return nil
			}
			return err
		}
		err := c.file(ctx, i.Path, path.Join(to, i.Name))
		if errors.Is(err, fs.ErrNotExist) {
			if _, gone := c.from.Lstat(ctx, i.Path); errors.Is(gone, fs.ErrNotExist) {
				return nil
			}
		}
		return err
	})
	return folders, err
}

// copied is the mode of a copy, where fresh is what a new entry would get in its place: the
// original's, if that deviates from the default of its mount, as far as the umask of this one lets
// it.
func copied(like *Info, m *mount, fresh owned) fs.FileMode {
	from := like.place
	o := owned{uid: like.UID, gid: like.GID, mode: like.Mode}
	if from.m.attr(o, from.dir == nil).Mode == nil {
		return fresh.mode
	}
	mode := like.Mode.Perm() & m.dir.Perm()
	return fresh.mode&^fs.ModePerm | mode
}

// dress gives a copied folder its original's mode, time and properties, where that is one's own to
// do.
func (t *Tree) dress(ctx context.Context, like Info, props []byte, p string) error {
	v, s, err := t.walk(ctx, p, false)
	if err != nil {
		return failed("copy", p, err)
	}
	defer s.close()
	if s.m == nil || s.name == "" || !s.exists || !s.node.Type.IsDir() {
		return failed("copy", p, fs.ErrNotExist) // gone meanwhile
	}
	defer v.s.lockNames(s.m.key)()
	if err := v.again(ctx, s); err != nil {
		return failed("copy", p, err)
	}
	o := s.owned()
	if !v.attrs(s.m, o, s.canon()) {
		return nil
	}
	if mode := copied(&like, s.m, o); mode != o.mode {
		o.mode = mode
		if err := v.setAttr(ctx, s.m, s.dir, s.node, s.name, o, v.s.keep(s.m, o)); err != nil {
			return failed("copy", p, err)
		}
	}
	if props != nil {
		v.s.putProps(ctx, s, props)
	}
	return failed("copy", p, s.dir.Chtimes(ctx, s.name, like.ModTime))
}
