package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"trivium/files"
)

// tree is the top of a tree.
type tree struct{ *dir }

var _ files.Top = (*tree)(nil)

// partsName is the folder of the parts, in the reserved one.
const partsName = "parts"

// own opens one of the folders in the reserved one.
func (t *tree) own(kind string, create bool) (opened, error) {
	if !t.s.system {
		l, kept := t.f.(*lent)
		if kept = kept && kind == partsName; kept {
			if f, ok := l.parts(); ok {
				return f, nil
			}
		}
		if f, err := openDeep(t.f, reserved+"/"+kind, unix.O_RDONLY|unix.O_DIRECTORY); err == nil {
			if kept {
				return l.keepParts(f), nil
			}
			return f, nil
		}
	}
	at := t.f // it is to be made, or we learn here what is wrong
	for i, name := range []string{reserved, kind} {
		next, err := openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if create && errors.Is(err, fs.ErrNotExist) {
			if err = mkdirat(at, name, partsDir); err == nil || errors.Is(err, fs.ErrExist) {
				next, err = openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			}
		}
		if i > 0 {
			_ = at.Close()
		}
		if err == nil {
			if err = t.s.ours(next); err != nil {
				_ = next.Close()
			}
		}
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// parts opens the folder of the parts.
func (t *tree) parts(create bool) (opened, error) { return t.own(partsName, create) }

func (t *tree) Kept(_ context.Context, kind string, create bool) (files.Dir, error) {
	if !slices.Contains(files.Kinds(), kind) {
		return nil, files.ErrName
	}
	f, err := t.own(kind, create)
	if err != nil {
		return nil, err
	}
	return &dir{s: t.s, f: f, name: kind}, nil
}

func (t *tree) Reserved(name string) bool { return t.hides(name) }

func (t *tree) Part(_ context.Context, key string, create bool) (files.Part, error) {
	if !create {
		f, err := openDeep(t.f, reserved+"/"+partsName+"/"+key, unix.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err // as nearly always, and known in one step
		}
		if err == nil {
			_ = f.Close()
		}
	}
	dir, err := t.parts(create)
	if err != nil {
		return nil, err
	}
	w, fresh, err := openPart(dir, key, create)
	if l, kept := dir.(*lent); kept && create && errors.Is(err, fs.ErrNotExist) {
		l.forget() // a hand from outside has removed the folder
		_ = l.Close()
		if dir, err = t.parts(create); err != nil {
			return nil, err
		}
		w, fresh, err = openPart(dir, key, create)
	}
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return &part{writer: w, s: t.s, dir: dir, key: key, fresh: fresh}, nil
}

// openPart opens a part in the folder of the parts, or makes it. A fresh one is empty and a file, so it
// is not asked what it is.
func openPart(dir opened, key string, create bool) (w *writer, fresh bool, err error) {
	fd, flags := -1, unix.O_RDWR
	if create {
		flags |= unix.O_CREAT
		fd, err = openFD(dir, key, flags|unix.O_EXCL, partFile)
		fresh = err == nil
	}
	if !create || errors.Is(err, fs.ErrExist) {
		fd, err = openFD(dir, key, flags, partFile)
	}
	if err != nil {
		return nil, false, err
	}
	f := os.NewFile(uintptr(fd), key)
	if fresh {
		return &writer{f: f, node: files.Node{Name: key, Links: 1}}, true, nil
	}
	st, err := fstat(f)
	if err == nil {
		err = regular(st)
	}
	if err != nil {
		_ = f.Close()
		return nil, false, err
	}
	w, err = newWriter(f, node(key, st))
	return w, false, err
}

func (t *tree) StatPart(_ context.Context, key string) (files.Node, error) {
	dir, err := t.parts(false)
	if err != nil {
		return files.Node{}, err
	}
	defer dir.Close()
	st, err := statat(dir, key)
	return node(key, st), err
}

func (t *tree) RemovePart(_ context.Context, key string) error {
	dir, err := t.parts(false)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unlinkat(dir, key, 0)
}

func (t *tree) Parts(ctx context.Context, fn func(files.Node) error) error {
	dir, err := t.parts(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return t.s.eachName(ctx, dir, func(name string, _ fs.FileMode) error {
		st, err := statat(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(node(name, st))
	})
}

// part is an opened part.
type part struct {
	*writer
	s     *Store
	dir   opened // of the parts
	key   string
	fresh bool // made for this upload: it bears no record
}

func (p *part) Close() error { return errors.Join(p.writer.Close(), p.dir.Close()) }

func (p *part) Commit(_ context.Context, to files.Dir, name string, mode fs.FileMode, a files.Attr, exclusive bool) error {
	target, err := own(to)
	if err != nil {
		return err
	}
	if target.hides(name) || !single(name) {
		return files.ErrName
	}
	if !a.IsZero() {
		if err := p.s.mark(target.f); err != nil {
			return err
		}
	}
	if p.s.system {
		if err := p.s.give(p.f, mode, a); err != nil {
			return err
		}
		if err := renameat(p.dir, p.key, target.f, name, exclusive); err != nil {
			return err
		}
		return p.Close()
	}
	if p.s.features.Attrs && !(p.fresh && a.IsZero()) { // a resumed part may bear what an earlier try has written
		p.s.attrs.Lock()
		err = p.s.write(p.f, record{Attr: a})
		p.s.attrs.Unlock()
		if err != nil {
			return err
		}
	}
	if err := again(func() error { return unix.Fchmod(int(p.f.Fd()), inodeMode(mode, 0o600)) }); err != nil {
		return err
	}
	if err := renameat(p.dir, p.key, target.f, name, exclusive); err != nil {
		return err
	}
	return p.Close()
}
