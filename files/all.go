package files

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/text/unicode/norm"
)

// MkdirAll makes a folder and those above it that are missing; one that is there is no error, what
// is no folder is ErrNotDir.
func (t *Tree) MkdirAll(ctx context.Context, p string) error {
	v, err := t.now()
	if err != nil {
		return failed("mkdir", p, err)
	}
	s, way, err := v.start(ctx, p)
	if err != nil {
		return failed("mkdir", p, err)
	}
	if s.m == nil {
		return nil
	}
	defer s.close()
	left, err := v.descend(ctx, s, way, true)
	switch {
	case err == nil && s.exists && !s.node.Type.IsDir():
		return failed("mkdir", p, ErrNotDir)
	case err == nil && s.exists && !v.passes(s):
		return failed("mkdir", p, fs.ErrNotExist)
	case err == nil && s.exists:
		return nil
	case len(left) == 0, err != nil && !errors.Is(err, fs.ErrNotExist):
		return failed("mkdir", p, err)
	}
	for _, name := range left {
		s.name = name
		if err := v.mkdirIn(ctx, s); err != nil {
			return failed("mkdir", p, err)
		}
	}
	return nil
}

// mkdirIn makes the folder, unless another has just done so, and enters it.
func (v *view) mkdirIn(ctx context.Context, s *spot) error {
	s.name = norm.NFC.String(s.name)
	if !v.visible(s.canon()) || !v.passes(s) {
		return fs.ErrNotExist
	}
	if err := v.makeAt(ctx, s, mkdir(ctx)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	next, err := s.dir.Dir(ctx, s.name)
	if err != nil {
		return err
	}
	return s.step(ctx, next)
}

// RemoveAll removes a file, a link, or a folder with all in it, from the bottom up, and asks the
// permissions at every folder. What may not be removed stays, with the folders above it, and the
// first such thing is the error: fs.ErrPermission, ErrBusy. A folder that holds what is hidden from
// the session by level stays as it is: fs.ErrPermission; what no client can name stays too, and its
// folder is ErrNotEmpty. Where Throws says so, a folder all of which may be removed goes into the
// trash as one thing, with what no client can name.
func (t *Tree) RemoveAll(ctx context.Context, p string) error {
	v, s, err := t.walk(ctx, p, false)
	if err != nil {
		return failed("remove", p, err)
	}
	defer s.close()
	if s.m == nil || s.name == "" {
		return failed("remove", p, fs.ErrPermission) // the top of a mount
	}
	a, err := v.s.use(ctx, s.m)
	if err != nil {
		return failed("remove", p, err)
	}
	defer v.s.done(a)
	if !s.exists || !s.node.Type.IsDir() {
		return failed("remove", p, v.dropAt(ctx, s, a, OpRemove, remove(ctx)))
	}
	if !v.take(s.m, s.diro, s.owned(), s.canon()) || v.guarded(s.canon()) {
		return failed("remove", p, fs.ErrPermission)
	}
	d, err := s.dir.Dir(ctx, s.name)
	if err != nil {
		return failed("remove", p, err)
	}
	defer d.Close()
	start := func() *remover {
		rel := s.rel + "/" + s.name
		return &remover{t: t, v: v, s: s, a: a, rel: []byte(rel), from: len(rel), top: d, shifts: s.shifts}
	}
	if v.throws() {
		r := start()
		r.looks = true
		denied, err := r.inside(ctx, d, d, nil, 0)
		if err != nil {
			return failed("remove", p, err)
		}
		if !denied && r.first == nil {
			return failed("remove", p, v.throwDir(ctx, s, a, r.seen))
		}
	}
	r := start()
	denied, err := r.inside(ctx, d, d, nil, 0)
	if err != nil {
		return failed("remove", p, err)
	}
	r.drop(ctx, s, OpRmdir, removeDir(ctx), denied)
	return r.first
}

// remover removes what is in a folder. Of a tree that is deeper than a path can say it keeps few
// folders open, and one path, as the counter does.
type remover struct {
	t      *Tree
	v      *view
	s      *spot // the folder's own
	a      *account
	rel    []byte // of the folder that is being emptied, inside the mount
	from   int    // how much of rel is the way to s
	first  error
	top    Dir    // the folder itself
	shifts uint64 // of a, when top was where it should be
	looks  bool   // whether all may be removed, and removes nothing
	seen   tally  // while it looks
}

// at is the path of the folder in hand, as the client says it.
func (r *remover) at() string { return r.s.at + string(r.rel[r.from:]) }

// note keeps the first error.
func (r *remover) note(at string, err error) {
	if r.first == nil {
		r.first = failed("remove", at, err)
	}
}

// again asks who the session is, and whether it goes on.
func (r *remover) again(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v, err := r.t.now()
	if err != nil {
		return err
	}
	r.v = v
	if n := r.a.shifts.Load(); n != r.shifts {
		same, err := r.s.leads(ctx, string(r.rel[:r.from]), r.top)
		if err != nil {
			return err
		}
		if !same {
			return fs.ErrNotExist // it has gone elsewhere
		}
		r.shifts = n
	}
	return nil
}

// spot is a name in an opened folder.
func (r *remover) spot(d Dir, o owned, name string) *spot {
	return &spot{m: r.s.m, at: r.at() + "/" + name, top: r.s.top, dir: d, diro: o, rel: string(r.rel), name: name, shifts: r.shifts}
}

// drop removes one entry; what went by itself is no error.
func (r *remover) drop(ctx context.Context, s *spot, op Op, fn func(*view, *spot, *account) error, denied bool) {
	var err error
	switch {
	case s != r.s && !agrees(r.v.checks.Below, s.canon()):
		err = fs.ErrPermission
	case r.looks:
		if err = r.look(ctx, s); denied && err == nil {
			err = fs.ErrPermission // nobody knows what is in it
		}
	default:
		err = r.v.dropAt(ctx, s, r.a, op, fn)
	}
	if denied && errors.Is(err, ErrNotEmpty) {
		err = fs.ErrPermission
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.note(s.at, err)
	}
}

// look asks what dropAt asks.
func (r *remover) look(ctx context.Context, s *spot) error {
	n, err := s.dir.Lstat(ctx, s.name)
	if err != nil {
		return err
	}
	r.seen.bytes += sizeOf(n)
	r.seen.files++
	switch {
	case !r.v.take(s.m, s.diro, s.m.owned(n, false), s.canon()):
		return fs.ErrPermission
	case r.v.s.locks.holds(fileLock(n)):
		return ErrBusy
	}
	return r.v.unlocked(ctx, s, aMember|allInside)
}

// owned reads whose an opened folder is.
func (r *remover) owned(ctx context.Context, d Dir) (owned, error) {
	n, err := d.Stat(ctx)
	return r.s.m.owned(n, false), err
}

// inside empties the open folder d, which is depth folders down and way down from the open folder
// base; d is closed then, as everywhere but at the top. It says whether d could not be listed. An
// error is one that ends everything.
func (r *remover) inside(ctx context.Context, base, d Dir, way []string, depth int) (denied bool, err error) {
	folders, denied, err := r.entries(ctx, d)
	kept := depth < heldFolders || depth%heldFolders == 0
	if kept {
		base, way = d, nil
		if depth > 0 {
			defer d.Close()
		}
	} else {
		_ = d.Close()
	}
	if err != nil {
		return denied, err
	}
	for _, name := range folders {
		if err := r.again(ctx); err != nil {
			return denied, err
		}
		down := append(slices.Clone(way), name)
		sub, err := reach(ctx, base, down)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDir) {
			continue // gone meanwhile
		}
		if err != nil {
			r.note(r.at()+"/"+name, err)
			continue
		}
		here := len(r.rel)
		r.rel = append(append(r.rel, '/'), name...)
		shut, err := r.inside(ctx, base, sub, down, depth+1)
		r.rel = r.rel[:here]
		if err != nil {
			return denied, err
		}
		if err := r.removeDir(ctx, base, way, name, shut); err != nil {
			return denied, err
		}
	}
	return denied, nil
}

// entries removes what is in a folder but its folders, whose names it gives.
func (r *remover) entries(ctx context.Context, d Dir) (folders []string, denied bool, err error) {
	if err := r.again(ctx); err != nil {
		return nil, false, err
	}
	if err := r.v.shows(r.s.m, r.s.at); err != nil {
		return nil, false, err
	}
	o, err := r.owned(ctx, d)
	if err != nil {
		r.note(r.at(), err)
		return nil, false, nil
	}
	if !r.v.bits(r.s.m, o, mayRead|mayWrite|mayExec) {
		return nil, true, nil // it can go if it is empty
	}
	err = d.ReadDir(ctx, func(n Node) error {
		if n.Type&^(fs.ModeDir|fs.ModeSymlink) != 0 || !speakable(n.Name) {
			return nil
		}
		s := r.spot(d, o, n.Name)
		if !r.v.visible(s.canon()) {
			r.note(r.at(), fs.ErrPermission) // without the name of what is hidden
			return nil
		}
		if n.Type.IsDir() {
			folders = append(folders, n.Name)
			return nil
		}
		if err := r.again(ctx); err != nil {
			return err
		}
		r.drop(ctx, s, OpRemove, remove(ctx), false)
		return nil
	})
	if err != nil && r.again(ctx) == nil {
		r.note(r.at(), err)
		err = nil
	}
	return folders, false, err
}

// removeDir removes a folder of the one that is way down from base.
func (r *remover) removeDir(ctx context.Context, base Dir, way []string, name string, denied bool) error {
	if err := r.again(ctx); err != nil {
		return err
	}
	d := base
	if len(way) > 0 {
		var err error
		if d, err = reach(ctx, base, way); err != nil {
			r.note(r.at(), err)
			return nil
		}
		defer d.Close()
	}
	o, err := r.owned(ctx, d)
	if err != nil {
		r.note(r.at(), err)
		return nil
	}
	r.drop(ctx, r.spot(d, o, name), OpRmdir, removeDir(ctx), denied)
	return nil
}
