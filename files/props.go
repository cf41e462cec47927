package files

import (
	"context"
	"errors"
	"io/fs"
)

// Props returns the properties kept with an entry, nil where there are none: bytes that mean
// something to the road that wrote them alone. Links are followed inside the mount.
func (t *Tree) Props(ctx context.Context, p string) ([]byte, error) {
	v, s, err := t.propsAt(ctx, p)
	if err != nil {
		return nil, failed("props", p, err)
	}
	defer s.close()
	if s.m == nil || !v.read(s.m, s.owned(), s.canon()) {
		return nil, nil // the entry is seen all the same
	}
	data, err := s.dir.Props(ctx, s.ownName())
	if errors.Is(err, ErrUnsupported) {
		return nil, nil
	}
	return data, failed("props", p, err)
}

// SetProps replaces the properties of an entry that the session may write to or owns; nil removes
// them. They travel with the entry. More than MaxProps bytes are ErrQuota; ErrUnsupported where the
// store keeps none.
func (t *Tree) SetProps(ctx context.Context, p string, data []byte) error {
	v, s, err := t.propsAt(ctx, p)
	if err != nil {
		return failed("props", p, err)
	}
	defer s.close()
	if s.m == nil {
		return failed("props", p, fs.ErrPermission)
	}
	defer v.s.lockNames(s.m.key)()
	if err := v.again(ctx, s); err != nil {
		return failed("props", p, err)
	}
	if o := s.owned(); !v.write(s.m, o, s.canon()) && !v.attrs(s.m, o, s.canon()) {
		return failed("props", p, fs.ErrPermission)
	}
	if err := v.unlocked(ctx, s, theEntry); err != nil {
		return failed("props", p, err)
	}
	if len(data) > MaxProps {
		return failed("props", p, ErrQuota)
	}
	if err := s.dir.SetProps(ctx, s.ownName(), data); err != nil {
		return failed("props", p, err)
	}
	v.emit(OpAttr, s.canon(), "", sizeOf(s.node), 0)
	return nil
}

// propsAt walks to an entry that stands.
func (t *Tree) propsAt(ctx context.Context, p string) (*view, *spot, error) {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return nil, nil, err
	}
	if s.m != nil && !s.exists {
		s.close()
		return nil, nil, fs.ErrNotExist
	}
	return v, s, nil
}

// ownName is the entry's name for its folder: "." for the top of a mount.
func (s *spot) ownName() string {
	if s.name == "" {
		return "."
	}
	return s.name
}

// putProps gives an entry that has just been made its properties. They are no reason to fail.
func (s *Service) putProps(ctx context.Context, at *spot, data []byte) {
	if err := at.dir.SetProps(ctx, at.ownName(), data); err != nil {
		s.o.Log.WarnContext(ctx, "files: properties were lost", "tree", at.m.key, "err", err)
	}
}

// Shelf reads the properties of what lies in one folder, without a walk for each. It is for one
// goroutine, and must be closed.
type Shelf struct {
	t     *Tree
	s     *spot
	dir   Dir
	canon string
}

// Shelf opens a folder that may be entered.
func (t *Tree) Shelf(ctx context.Context, p string) (*Shelf, error) {
	v, s, err := t.propsAt(ctx, p)
	if err != nil {
		return nil, failed("props", p, err)
	}
	h := &Shelf{t: t, s: s}
	switch {
	case s.m == nil:
		return h, nil
	case !v.enter(s.m, s.owned()):
		err = fs.ErrPermission
	default:
		h.canon, h.dir = s.canon(), s.dir
		if s.name != "" {
			h.dir, err = s.dir.Dir(ctx, s.name)
		}
	}
	if err != nil {
		s.close()
		return nil, failed("props", p, err)
	}
	return h, nil
}

// Props is Tree.Props for an entry that ReadDir gave of that folder; false where it is no file or
// folder of the same tree, and Tree.Props has to be asked.
func (h *Shelf) Props(ctx context.Context, i Info) (data []byte, ok bool, err error) {
	at := i.place
	if h.dir == nil || i.Link || at.m == nil || at.m.key != h.s.m.key || at.canon != h.canon+"/"+i.Name {
		return nil, false, nil
	}
	v, err := h.t.now()
	if err != nil {
		return nil, false, err
	}
	if !v.read(at.m, owned{uid: i.UID, gid: i.GID, mode: i.Mode}, at.canon) {
		return nil, true, nil
	}
	data, err = h.dir.Props(ctx, i.Name)
	if errors.Is(err, ErrUnsupported) || errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	return data, true, failed("props", i.Path, err)
}

// Close gives the folder back.
func (h *Shelf) Close() {
	if h.dir != nil && h.dir != h.s.dir {
		_ = h.dir.Close()
	}
	h.s.close()
}
