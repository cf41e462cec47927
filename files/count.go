package files

import (
	"context"
	"errors"
	"io/fs"
	"slices"
)

// tally is what a walk has found in a tree.
type tally struct{ bytes, files int64 }

// open is what uploads have open while their tree is walked: parts by their key and files by
// Node.Unique. The walk leaves their sizes out, for they change under its eyes; what is charged for
// them is added.
type open struct{ parts, files map[string]bool }

// walkTree counts all that a tree holds: what its owner sees, the parts, and what is kept out of sight. A
// tree that does not exist holds nothing.
func (s *Service) walkTree(ctx context.Context, key string, o open) (n tally, err error) {
	top, err := s.o.Backend.Tree(ctx, key, false)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	defer top.Close()
	add := func(e Node) error {
		n.files++
		if o.files[e.Unique] && e.Type.IsRegular() {
			delete(o.files, e.Unique) // a second name counts as a file of its own
			return nil
		}
		n.bytes += sizeOf(e)
		return nil
	}
	err = top.Parts(ctx, func(e Node) error {
		if o.parts[e.Name] {
			return nil
		}
		return add(e)
	})
	if err != nil {
		return n, err
	}
	if err := count(ctx, top, add); err != nil {
		return n, err
	}
	for _, kind := range Kinds() {
		if err := countKept(ctx, top, kind, add); err != nil {
			return n, err
		}
	}
	return n, nil
}

// countKept walks one of the store's own folders.
func countKept(ctx context.Context, top Top, kind string, add func(Node) error) error {
	kept, err := top.Kept(ctx, kind, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer kept.Close()
	return count(ctx, kept, add)
}

// heldFolders is how many folders a count keeps open on its way down; below, it keeps one in as
// many. By renames a tree grows deeper than a path can say, and than descriptors would last.
const heldFolders = 32

// counter counts one tree.
type counter struct {
	add func(Node) error
}

// count walks the folder top.
func count(ctx context.Context, top Dir, add func(Node) error) error {
	return counter{add}.inside(ctx, top, top, nil, 0)
}

// inside walks the open folder d, which is depth folders down from the top and way down from the
// open folder base, from which its own folders are reached where d is not kept open: d is closed
// then, as everywhere but at the top.
func (c counter) inside(ctx context.Context, base, d Dir, way []string, depth int) error {
	folders, err := c.entries(ctx, d)
	if depth < heldFolders || depth%heldFolders == 0 {
		base, way = d, nil
		if depth > 0 {
			defer d.Close()
		}
	} else {
		_ = d.Close()
	}
	if err != nil {
		return err
	}
	for _, name := range folders {
		down := append(slices.Clone(way), name)
		sub, err := reach(ctx, base, down)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDir) {
			continue // gone meanwhile
		}
		if err != nil {
			return err
		}
		if err := c.inside(ctx, base, sub, down, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// entries adds what is in a folder and gives the names of its folders.
func (c counter) entries(ctx context.Context, d Dir) (folders []string, err error) {
	err = d.ReadDir(ctx, func(n Node) error {
		if n.Type.IsDir() {
			folders = append(folders, n.Name)
		}
		return c.add(n)
	})
	return folders, err
}

// reach opens the folder that is way down from base, which stays open; way is not empty.
func reach(ctx context.Context, base Dir, way []string) (Dir, error) {
	at := base
	for _, name := range way {
		next, err := at.Dir(ctx, name)
		if at != base {
			_ = at.Close()
		}
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// sizeOf is what a node counts for.
func sizeOf(n Node) int64 {
	if n.Type.IsRegular() {
		return n.Size
	}
	return 0
}
