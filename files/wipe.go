package files

import (
	"context"
	"errors"
	"io/fs"
)

// wiper removes things for ever.
type wiper struct {
	a     *account
	kept  Dir
	deep  []string // folders in the kept one that are still due
	bytes int64    // what is gone
}

// wipe removes an entry of a kept folder, and all that is in it, out of the account a too; the bytes
// are gone also at an error. The tree's names are not held, and a is in use.
func wipe(ctx context.Context, a *account, kept Dir, name string) (bytes int64, err error) {
	w := wiper{a: a, kept: kept, deep: []string{name}}
	err = w.run(ctx)
	return w.bytes, err
}

func (w *wiper) run(ctx context.Context) error {
	for i := 0; len(w.deep) > 0; i, w.deep = i+1, w.deep[1:] {
		n, err := w.kept.Lstat(ctx, w.deep[0])
		if i > 0 && errors.Is(err, fs.ErrNotExist) {
			continue // a sweep was quicker
		}
		if err != nil {
			return err
		}
		if err := w.entry(ctx, w.kept, n, 0); err != nil {
			return err
		}
	}
	return nil
}

// remove takes one entry away and counts that, as one to the eyes of a recount.
func (w *wiper) remove(ctx context.Context, d Dir, n Node) (err error) {
	w.a.names.RLock()
	defer w.a.names.RUnlock()
	if n.Type.IsDir() {
		err = d.RemoveDir(ctx, n.Name)
	} else {
		err = d.Remove(ctx, n.Name)
	}
	if err == nil {
		w.bytes += sizeOf(n)
		w.a.change(-sizeOf(n), -1)
	}
	return err
}

// raise moves a folder up, to be removed later.
func (w *wiper) raise(ctx context.Context, d Dir, name string) error {
	w.a.names.RLock()
	defer w.a.names.RUnlock()
	up := newBinID() + doomed
	err := d.Rename(ctx, name, w.kept, up, true)
	if err == nil {
		w.deep = append(w.deep, up)
	}
	return err
}

// entry removes n from the open folder d, which is depth folders below kept.
func (w *wiper) entry(ctx context.Context, d Dir, n Node, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	switch {
	case !n.Type.IsDir():
		err = w.remove(ctx, d, n)
	case depth >= heldFolders:
		// By renames a folder grows deeper than descriptors last: what is so deep is moved up.
		err = w.raise(ctx, d, n.Name)
	default:
		if err = w.inside(ctx, d, n.Name, depth); err == nil {
			err = w.remove(ctx, d, n)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another hand was quicker
	}
	return err
}

// inside removes what is in a folder: what is no folder while it is read.
func (w *wiper) inside(ctx context.Context, d Dir, name string, depth int) error {
	sub, err := d.Dir(ctx, name)
	if err != nil {
		return err
	}
	defer sub.Close()
	var folders []Node
	err = sub.ReadDir(ctx, func(n Node) error {
		if n.Type.IsDir() {
			folders = append(folders, n)
			return nil
		}
		return w.entry(ctx, sub, n, depth+1)
	})
	if err != nil {
		return err
	}
	for _, n := range folders {
		if err := w.entry(ctx, sub, n, depth+1); err != nil {
			return err
		}
	}
	return nil
}
