package files

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
)

// maxLinks is how many links one path may go through, as in Linux (ELOOP).
const maxLinks = 40

// spot is where a path led: an opened folder and a name in it.
type spot struct {
	m    *mount // nil: a folder that only holds mounts; then nothing else but at is set
	at   string // as the client says it
	top  Top
	dir  Dir    // holds the entry; the top itself where name is ""
	diro owned  // of dir
	rel  string // canonical path of dir inside the mount, "" or "/a/b"
	name string // "" for the top of the mount

	exists bool
	node   Node
	shifts uint64 // of the tree's account, before the path was walked
	calm   calm   // of the names of the tree, before the entry was looked at
}

// canon is the canonical path of the entry.
func (s *spot) canon() string {
	if s.name == "" {
		return s.m.canon
	}
	return s.m.canon + s.rel + "/" + s.name
}

// parent is the ownership of the folder that holds the entry; nil at the top of a mount.
func (s *spot) parent() *owned {
	if s.name == "" {
		return nil
	}
	return &s.diro
}

func (s *spot) owned() owned { return s.m.owned(s.node, s.name == "") }

// close gives back the folders, which are held open until then.
func (s *spot) close() {
	if s.dir != nil && s.dir != Dir(s.top) {
		_ = s.dir.Close()
	}
	if s.top != nil {
		_ = s.top.Close()
	}
	s.dir, s.top = nil, nil
}

// walk looks who the session is now and follows a client path; the spot is to be closed.
func (t *Tree) walk(ctx context.Context, p string, follow bool) (*view, *spot, error) {
	v, err := t.now()
	if err != nil {
		return nil, nil, err
	}
	s, err := v.walk(ctx, p, follow)
	return v, s, err
}

// walk follows a client path, asking at each folder whether it may be entered and at each name
// whether it may be seen, on the very folder that was opened: a name that is swapped meanwhile
// leads nowhere else. Links in the way are followed inside the mount; the last one only if follow
// says so. A name missing at the end is no error but a spot that does not exist. Where it has led is
// what Checks are asked about.
func (v *view) walk(ctx context.Context, p string, follow bool) (*spot, error) {
	s, way, err := v.start(ctx, p)
	if err != nil {
		return nil, err
	}
	if s.m != nil {
		_, err = v.descend(ctx, s, way, follow)
	}
	if err == nil && !v.passes(s) {
		err = fs.ErrNotExist
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// start opens the top of the mount that a client path leads to, and says what is left of the path;
// of a folder that only holds mounts the spot has no mount.
func (v *view) start(ctx context.Context, p string) (*spot, []string, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	at, err := Clean("/", p)
	if err != nil {
		return nil, nil, err
	}
	m, rest, err := v.resolve(at)
	if err != nil {
		return nil, nil, err
	}
	if m == nil {
		return &spot{at: at}, nil, nil
	}
	if !v.visible(m.canon) {
		return nil, nil, fs.ErrNotExist
	}
	a := v.s.ledger.of(m.key)
	s := &spot{m: m, at: at, shifts: a.shifts.Load(), calm: a.names.calm(0)}
	if s.top, err = v.s.o.Backend.Tree(ctx, m.key, true); err != nil {
		return nil, nil, err
	}
	return s, split(rest), nil
}

// restart goes back to the top of the mount.
func (s *spot) restart(ctx context.Context) error {
	if s.dir != nil && s.dir != Dir(s.top) {
		_ = s.dir.Close()
	}
	s.dir, s.rel = s.top, ""
	node, err := s.top.Stat(ctx)
	s.node, s.diro = node, s.m.owned(node, true)
	return err
}

// descend goes on from the top of the spot's mount. With an error it says how much of the path is
// left, the segment that it stopped at first.
func (v *view) descend(ctx context.Context, s *spot, segments []string, follow bool) (left []string, err error) {
	if err := s.restart(ctx); err != nil {
		return nil, err
	}
	if err := v.claim(ctx, s); err != nil {
		return nil, err
	}
	if len(segments) == 0 {
		s.exists = true
		return nil, nil
	}
	links := 0
	formed := false // the segment has been looked for in other forms
	again := func() error {
		stands, err := v.otherForm(ctx, s)
		last := len(segments) == 1
		if segments[0], formed = s.name, true; last && links == 0 {
			s.at = path.Join(path.Dir(s.at), s.name)
		}
		if err == nil && !stands && !last {
			err = fs.ErrNotExist
		}
		return err
	}
	for {
		s.name = segments[0]
		last := len(segments) == 1
		if !v.enter(s.m, s.diro) {
			return nil, fs.ErrPermission
		}
		if !v.visible(s.canon()) {
			if formed || ascii(s.name) {
				return nil, fs.ErrNotExist
			}
			if err := again(); err != nil {
				return segments, err
			}
			continue
		}
		if !last {
			next, err := s.dir.Dir(ctx, s.name)
			if err == nil {
				if err := s.step(ctx, next); err != nil {
					return nil, err
				}
				segments, formed = segments[1:], false
				continue
			}
			if !errors.Is(err, ErrNotDir) && (!errors.Is(err, fs.ErrNotExist) || ascii(s.name)) {
				return segments, err
			}
		}
		node, err := s.dir.Lstat(ctx, s.name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !formed && !ascii(s.name):
			if err := again(); err != nil {
				return segments, err
			}
		case last && errors.Is(err, fs.ErrNotExist):
			return segments, nil
		case errors.Is(err, fs.ErrNotExist):
			return segments, err
		case err != nil:
			return nil, err
		case node.Type&fs.ModeSymlink != 0 && (!last || follow):
			if links++; links > maxLinks || last && !v.passes(s) {
				return nil, fs.ErrNotExist
			}
			target, err := s.dir.Readlink(ctx, s.name)
			if err != nil {
				return nil, err
			}
			to, ok := linkTarget(s.rel, target)
			if !ok {
				return nil, fs.ErrNotExist
			}
			segments, formed = append(split(to), segments[1:]...), false
			if err := s.restart(ctx); err != nil {
				return nil, err
			}
			if len(segments) == 0 {
				s.name, s.exists = "", true
				return nil, nil
			}
		case !last:
			return nil, ErrNotDir
		default:
			s.node, s.exists = node, true
			return nil, nil
		}
	}
}

// claim gives a new top its owner and mode, where the store shows them to others.
func (v *view) claim(ctx context.Context, s *spot) error {
	if s.m.readOnly || !s.node.Attr.IsZero() || !v.s.features(s.m.key).Owners {
		return nil
	}
	return s.top.SetAttr(ctx, ".", s.diro.mode&^fs.ModeType, v.s.keepAt(s.m, s.diro, true))
}

// step enters an opened folder.
func (s *spot) step(ctx context.Context, next Dir) error {
	node, err := next.Stat(ctx)
	if err != nil {
		_ = next.Close()
		return err
	}
	if s.dir != Dir(s.top) {
		_ = s.dir.Close()
	}
	s.rel += "/" + s.name
	s.dir, s.node, s.diro = next, node, s.m.owned(node, false)
	return nil
}

// linkTarget joins a link's target to the folder that it lies in; false where it is absolute,
// cannot be said, or leads above the top of the mount. ".." is taken lexically.
func linkTarget(rel, target string) (string, bool) {
	if target == "" || strings.HasPrefix(target, "/") {
		return "", false
	}
	joined := path.Join(strings.TrimPrefix(rel, "/"), target)
	if joined == ".." || strings.HasPrefix(joined, "../") {
		return "", false
	}
	if joined == "." {
		return "", true
	}
	clean, err := Clean("/", joined)
	return clean, err == nil
}
