package s3

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"trivium/files"
)

// tree is the top of a tree. The store's own folders are tops beside it, so no name in it is
// reserved.
type tree struct {
	*dir
	key string
}

var _ files.Top = (*tree)(nil)

// partsArea is the folder of the parts.
const partsArea = "parts"

func (t *tree) Reserved(string) bool { return false }

// Free implements files.Top: a bucket has no end that it tells.
func (t *tree) Free(context.Context) (int64, error) { return 0, files.ErrUnsupported }

func (t *tree) Kept(ctx context.Context, kind string, create bool) (files.Dir, error) {
	if !slices.Contains(files.Kinds(), kind) {
		return nil, files.ErrName
	}
	return t.area(ctx, kind, create)
}

func (t *tree) area(ctx context.Context, name string, create bool) (*dir, error) {
	e, err := t.names().Top(ctx, t.key+area+name, create)
	if err != nil {
		return nil, err
	}
	return &dir{s: t.s, id: e.ID}, nil
}

func (t *tree) Part(ctx context.Context, key string, create bool) (files.Part, error) {
	parts, err := t.area(ctx, partsArea, create)
	if err != nil {
		return nil, err
	}
	e, err := parts.file(ctx, key)
	if create && errors.Is(err, fs.ErrNotExist) {
		e, err = t.names().Add(ctx, Entry{Parent: parts.id, Name: key})
		if errors.Is(err, fs.ErrExist) {
			e, err = parts.file(ctx, key) // another was quicker
		}
	}
	if err != nil {
		return nil, err
	}
	w, err := t.s.write(ctx, e)
	if err != nil {
		return nil, err
	}
	return &part{writer: w, parts: parts, key: key}, nil
}

func (t *tree) StatPart(ctx context.Context, key string) (files.Node, error) {
	parts, err := t.area(ctx, partsArea, false)
	if err != nil {
		return files.Node{}, err
	}
	e, err := parts.lookup(ctx, key)
	if err != nil {
		return files.Node{}, err
	}
	return node(t.s.written(e)), nil
}

func (t *tree) RemovePart(ctx context.Context, key string) error {
	parts, err := t.area(ctx, partsArea, false)
	if err != nil {
		return err
	}
	e, err := parts.lookup(ctx, key)
	if err == nil {
		err = parts.Remove(ctx, key)
	}
	if err == nil {
		t.s.discard(e.ID)
	}
	return err
}

func (t *tree) Parts(ctx context.Context, fn func(files.Node) error) error {
	parts, err := t.area(ctx, partsArea, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return parts.each(ctx, func(e Entry) error { return fn(node(t.s.written(e))) })
}

// part is an opened part.
type part struct {
	*writer
	parts *dir
	key   string
}

func (p *part) Commit(ctx context.Context, to files.Dir, name string, _ fs.FileMode, a files.Attr, exclusive bool) error {
	target, err := p.parts.other(p.key, to, name)
	if err != nil {
		return err
	}
	if err := p.flush(); err != nil {
		return err
	}
	if err := p.parts.names().Move(ctx, p.parts.id, p.key, target.id, name, exclusive, &a); err != nil {
		return err
	}
	return p.Close()
}
