package s3

import (
	"context"
	"io/fs"
	"strconv"
	"time"

	"trivium/files"
)

// dir is an opened folder; it is the same one whatever it is called meanwhile.
type dir struct {
	s  *Store
	id int64
}

var _ files.Dir = (*dir)(nil)

// node is an entry as files knows it.
func node(e Entry) files.Node {
	return files.Node{Name: e.Name, Type: e.Type, Size: e.Size, ModTime: e.Modified, Changed: e.Changed, Created: e.Created,
		Attr: e.Attr, Links: 1, Unique: "o" + strconv.FormatInt(e.ID, 36)}
}

func (d *dir) names() Names { return d.s.o.Names }

func (d *dir) Close() error { return nil }

// Sync has nothing to do: each change is durable when it is made.
func (d *dir) Sync(context.Context) error { return nil }

func (d *dir) Stat(ctx context.Context) (files.Node, error) {
	e, err := d.names().Entry(ctx, d.id)
	return node(e), err
}

func (d *dir) lookup(ctx context.Context, name string) (Entry, error) {
	if !single(name) {
		return Entry{}, fs.ErrNotExist
	}
	return d.names().Lookup(ctx, d.id, name)
}

// itself is lookup, where "." is the folder.
func (d *dir) itself(ctx context.Context, name string) (Entry, error) {
	if name == "." {
		return d.names().Entry(ctx, d.id)
	}
	return d.lookup(ctx, name)
}

func (d *dir) Dir(ctx context.Context, name string) (files.Dir, error) {
	e, err := d.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	if !e.Type.IsDir() {
		return nil, files.ErrNotDir
	}
	return &dir{s: d.s, id: e.ID}, nil
}

func (d *dir) Lstat(ctx context.Context, name string) (files.Node, error) {
	e, err := d.lookup(ctx, name)
	if err != nil {
		return files.Node{}, err
	}
	return node(e), nil
}

func (d *dir) Readlink(ctx context.Context, name string) (string, error) {
	e, err := d.lookup(ctx, name)
	if err == nil && e.Type&fs.ModeSymlink == 0 {
		err = fs.ErrNotExist
	}
	return e.Target, err
}

func (d *dir) ReadDir(ctx context.Context, fn func(files.Node) error) error {
	return d.each(ctx, func(e Entry) error { return fn(node(e)) })
}

func (d *dir) ReadNames(ctx context.Context, fn func(name string, typ fs.FileMode) error) error {
	return d.each(ctx, func(e Entry) error { return fn(e.Name, e.Type) })
}

// each reads the folder page by page, so that its size does not count.
func (d *dir) each(ctx context.Context, fn func(Entry) error) error {
	const page = 1000
	after := ""
	for {
		list, err := d.names().List(ctx, d.id, after, page)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(e); err != nil {
				return err
			}
			after = e.Name
		}
		if len(list) < page {
			return ctx.Err()
		}
	}
}

func (d *dir) Mkdir(ctx context.Context, name string, _ fs.FileMode, a files.Attr) error {
	return d.add(ctx, Entry{Name: name, Type: fs.ModeDir, Attr: a})
}

func (d *dir) Symlink(ctx context.Context, target, name string) error {
	return d.add(ctx, Entry{Name: name, Type: fs.ModeSymlink, Target: target, Size: int64(len(target))})
}

func (d *dir) add(ctx context.Context, e Entry) error {
	if !single(e.Name) {
		return files.ErrName
	}
	e.Parent = d.id
	_, err := d.names().Add(ctx, e)
	return err
}

func (d *dir) Remove(ctx context.Context, name string) error { return d.drop(ctx, name, false) }

func (d *dir) RemoveDir(ctx context.Context, name string) error { return d.drop(ctx, name, true) }

func (d *dir) drop(ctx context.Context, name string, folder bool) error {
	if !single(name) {
		return fs.ErrNotExist
	}
	return d.names().Remove(ctx, d.id, name, folder)
}

func (d *dir) Rename(ctx context.Context, name string, to files.Dir, newname string, exclusive bool) error {
	target, err := d.other(name, to, newname)
	if err != nil {
		return err
	}
	return d.names().Move(ctx, d.id, name, target.id, newname, exclusive, nil)
}

func (d *dir) Link(ctx context.Context, name string, to files.Dir, newname string) error {
	target, err := d.other(name, to, newname)
	if err != nil {
		return err
	}
	return d.names().Copy(ctx, d.id, name, target.id, newname)
}

// other checks both names and gives the folder behind a files.Dir of this store.
func (d *dir) other(name string, to files.Dir, newname string) (*dir, error) {
	if !single(name) {
		return nil, fs.ErrNotExist
	}
	if !single(newname) {
		return nil, files.ErrName
	}
	return own(to)
}

func own(d files.Dir) (*dir, error) {
	switch d := d.(type) {
	case *dir:
		return d, nil
	case *tree:
		return d.dir, nil
	}
	return nil, files.ErrUnsupported
}

func (d *dir) SetAttr(ctx context.Context, name string, _ fs.FileMode, a files.Attr) error {
	e, err := d.itself(ctx, name)
	if err != nil {
		return err
	}
	if e.Type&fs.ModeSymlink != 0 {
		return files.ErrUnsupported
	}
	return d.names().SetAttr(ctx, e.ID, a)
}

func (d *dir) Chtimes(ctx context.Context, name string, mtime time.Time) error {
	e, err := d.lookup(ctx, name)
	if err != nil {
		return err
	}
	return d.names().SetModified(ctx, e.ID, mtime)
}

func (d *dir) Props(ctx context.Context, name string) ([]byte, error) {
	e, err := d.itself(ctx, name)
	if err == nil && e.Type&fs.ModeSymlink != 0 {
		err = files.ErrUnsupported
	}
	return e.Props, err
}

func (d *dir) SetProps(ctx context.Context, name string, data []byte) error {
	if len(data) > files.MaxProps {
		return files.ErrQuota
	}
	e, err := d.itself(ctx, name)
	if err != nil {
		return err
	}
	if e.Type&fs.ModeSymlink != 0 {
		return files.ErrUnsupported
	}
	return d.names().SetProps(ctx, e.ID, data)
}

func (d *dir) Open(ctx context.Context, name string) (files.Object, error) {
	e, err := d.file(ctx, name)
	if err != nil {
		return nil, err
	}
	return d.s.open(ctx, e)
}

func (d *dir) OpenWrite(ctx context.Context, name string) (files.Writer, error) {
	e, err := d.file(ctx, name)
	if err != nil {
		return nil, err
	}
	return d.s.write(ctx, e)
}

// file looks up what has bytes.
func (d *dir) file(ctx context.Context, name string) (Entry, error) {
	e, err := d.lookup(ctx, name)
	switch {
	case err != nil:
	case e.Type.IsDir():
		err = files.ErrIsDir
	case !e.Type.IsRegular():
		err = files.ErrUnsupported
	}
	return e, err
}
