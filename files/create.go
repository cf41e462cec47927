package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// UploadOptions says how Create begins.
type UploadOptions struct {
	// Offset is where to go on: the size of one's own part, or at most that of the finished file.
	// At its end the file is appended to in place; before it, the new file begins with that much of
	// the old one.
	Offset int64
	Append bool // at the end, whatever the size; Offset is ignored
	// Size is how many bytes this upload will bring, reserved from the quota at once; -1: unknown.
	Size      int64
	Exclusive bool // fs.ErrExist where something stands
	// Tag, where it is not "", sets this upload apart from others of its owner to the same path: it
	// goes on with what came under the same tag alone, and Offset is the size of that.
	Tag string
}

// Create begins an upload; nobody sees it, and what stands there stays, until Upload.Commit. One
// writer of a path at a time: ErrBusy. Links are followed inside the mount.
func (t *Tree) Create(ctx context.Context, p string, o UploadOptions) (*Upload, error) {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return nil, failed("create", p, err)
	}
	u := &Upload{t: t, spot: s, exclusive: o.Exclusive}
	if err := u.begin(ctx, v, o); err != nil {
		u.release()
		return nil, failed("create", p, err)
	}
	var entry owned
	if s.exists {
		entry = s.owned()
	}
	u.stands, u.use = v.standing(t, s, entry, true), v.uses(s, true)
	v.s.uses.add(&u.use)
	return u, nil
}

// allowed asks the permissions of writing: of the file that stands there, else of the folder.
func (u *Upload) allowed(v *view) error {
	s := u.spot
	switch {
	case s.exists && u.exclusive:
		return fs.ErrExist
	case s.exists && s.node.Type.IsDir():
		return ErrIsDir
	case s.exists && !v.write(s.m, s.owned(), s.canon()),
		!s.exists && !v.add(s.m, s.diro, s.canon()):
		return fs.ErrPermission
	case s.exists && !s.node.Type.IsRegular():
		return ErrUnsupported
	}
	return nil
}

func (u *Upload) begin(ctx context.Context, v *view, o UploadOptions) error {
	s := u.spot
	if s.m == nil || s.name == "" {
		return ErrIsDir
	}
	if err := u.allowed(v); err != nil {
		return err
	}
	if o.Offset < 0 {
		return ErrOffset
	}
	var err error
	if u.account, err = v.s.use(ctx, s.m); err != nil {
		return err
	}
	u.key = v.partKey(s.canon(), o.Tag)
	if !u.lock(v.s, pathLock(s.m.key, s.rel+"/"+s.name)) || !u.lock(v.s, partLock(s.m.key, u.key)) {
		return ErrBusy
	}
	if err := v.withRoom(ctx, s.m, 0, 1, func() error { return u.place(ctx, v, o) }); err != nil {
		return err
	}
	if err := u.reserveSize(ctx, o.Size); err != nil || u.head == 0 {
		return err
	}
	return u.openHead(ctx)
}

// place opens what is written to. It shares the names of the tree, as it makes an entry.
func (u *Upload) place(ctx context.Context, v *view, o UploadOptions) (err error) {
	s := u.spot
	u.account.names.RLock()
	defer u.account.names.RUnlock()
	if err := v.stands(ctx, s); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			u.charge.lies(s.rel)
		}
	}()
	if u.undisturbed(v) {
		s.calm.passed++ // this one
	} else {
		s.calm = u.account.names.calm(1)
		if s.node, err = s.dir.Lstat(ctx, s.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.exists = err == nil
		if err := u.allowed(v); err != nil { // what another writer has left meanwhile
			return err
		}
	}
	if err := u.unlocked(ctx, v); err != nil {
		return err
	}
	if s.exists && o.Tag == "" {
		return u.over(ctx, v, o)
	}
	if !s.exists {
		if err := v.newName(ctx, s, ""); err != nil { // now, and not when everything has come
			return err
		}
	}
	return u.anew(ctx, v, o)
}

// over begins an upload where a finished file stands.
func (u *Upload) over(ctx context.Context, v *view, o UploadOptions) error {
	node := u.spot.node
	switch {
	case o.Append:
		o.Offset = node.Size
	case o.Offset > node.Size || o.Offset > 0 && o.Offset < node.Size:
		if part, err := u.spot.top.StatPart(ctx, u.key); err == nil && part.Size == o.Offset {
			return u.openPart(ctx, v, false)
		}
		if o.Offset > node.Size {
			return ErrOffset
		}
	}
	if o.Offset > 0 && o.Offset == node.Size && !o.Append {
		// Whoever has begun to replace the file and asks for its size hears that of the old one:
		// the new file's end does not belong behind it.
		part, err := u.spot.top.StatPart(ctx, u.key)
		if err == nil && part.Size > 0 && part.Size != o.Offset && !part.ModTime.Before(node.ModTime) {
			return ErrOffset
		}
	}
	if o.Append || o.Offset > 0 && o.Offset == node.Size {
		err := u.inPlace(ctx, v)
		if !errors.Is(err, ErrUnsupported) {
			return err
		}
	}
	u.head = o.Offset
	return u.openPart(ctx, v, true)
}

// inPlace opens the finished file at its end. Its own lock keeps others from removing or replacing
// it, by whatever path.
func (u *Upload) inPlace(ctx context.Context, v *view) error {
	s := u.spot
	if !u.lock(v.s, fileLock(s.node)) {
		return ErrBusy
	}
	w, err := s.dir.OpenWrite(ctx, s.name)
	if err != nil {
		return err
	}
	if w.Node().Unique != s.node.Unique {
		_ = w.Close()
		return ErrBusy // renamed meanwhile
	}
	u.w = w
	if u.start, err = w.Size(); err != nil {
		return err
	}
	u.charge = v.s.charge(u.account, "", s.node.Unique, u.start, nil)
	return nil
}

// anew begins an upload that has nothing to do with what stands there.
func (u *Upload) anew(ctx context.Context, v *view, o UploadOptions) error {
	if o.Append {
		return u.openPart(ctx, v, false)
	}
	if o.Offset > 0 {
		part, err := u.spot.top.StatPart(ctx, u.key)
		if err != nil || part.Size != o.Offset {
			return ErrOffset
		}
		return u.openPart(ctx, v, false)
	}
	return u.openPart(ctx, v, true)
}

// openPart opens one's part at its end, or empties it.
func (u *Upload) openPart(ctx context.Context, v *view, empty bool) error {
	s := u.spot
	var old *Node
	if s.exists {
		old = &s.node
	}
	part, err := s.top.Part(ctx, u.key, false)
	if errors.Is(err, fs.ErrNotExist) {
		return u.newPart(ctx, v, old)
	}
	if err != nil {
		return err
	}
	u.w, u.part = part, part
	if u.start, err = part.Size(); err != nil {
		return err
	}
	if empty && u.start > 0 {
		if err := part.Truncate(0); err != nil {
			return err
		}
		u.account.change(-u.start, 0)
		u.start = 0
	}
	u.charge = v.s.charge(u.account, u.key, "", u.start, old)
	return nil
}

// newPart makes a part. One that will take the place of a file is lent the entry.
func (u *Upload) newPart(ctx context.Context, v *view, old *Node) error {
	if old == nil {
		if err := v.s.grow(u.account, 0, 1); err != nil {
			return err
		}
		u.charge = v.s.charge(u.account, u.key, "", 0, nil)
	} else {
		u.charge = v.s.chargeNew(u.account, u.key, old)
	}
	part, err := u.spot.top.Part(ctx, u.key, true)
	if err != nil {
		u.charge.replace(tally{0, 1})
		return err
	}
	u.w, u.part, u.made = part, part, true
	return nil
}

// reserveSize sets the declared size aside, in the quota and, less exactly, on the disk: what the
// file system has left, without what other uploads have set aside and not yet written. What was
// made for this upload goes again if there is no room for it.
func (u *Upload) reserveSize(ctx context.Context, size int64) error {
	if size <= 0 {
		return nil
	}
	free, err := u.spot.top.Free(ctx)
	unknown := errors.Is(err, ErrUnsupported)
	if err != nil && !unknown {
		return err
	}
	if err := u.reserveAll(ctx, size); err != nil || unknown {
		return err
	}
	if u.account.pending.Load() > free {
		return ErrNoSpace
	}
	return nil
}

// reserveAll sets bytes aside, all or nothing, for which trash and versions make room.
func (u *Upload) reserveAll(ctx context.Context, want int64) error {
	return u.makeRoom(ctx, want-u.charge.credit(), func() error { return u.charge.reserveAll(want) })
}

// openHead sets the space for the first bytes of the file that stands there aside, and opens it:
// it is copied by Prepare.
func (u *Upload) openHead(ctx context.Context) error {
	obj, err := u.spot.dir.Open(ctx, u.spot.name)
	if err != nil {
		return err
	}
	if err := u.reserveAll(ctx, u.head); err != nil {
		_ = obj.Close() // it was read
		return err
	}
	u.source = obj
	return nil
}

// headSlice is how much of a head is copied before the context is asked.
const headSlice = 64 << 20

// Prepare copies what the upload begins with, where UploadOptions.Offset lies inside a finished
// file, which may take long; ctx stops it. Elsewhere it does nothing. The first write does it
// otherwise.
func (u *Upload) Prepare(ctx context.Context) error {
	if u.source == nil {
		return nil
	}
	var src io.Reader = u.source
	if file, ok := u.source.OS(); ok {
		src = file // the system copies by itself, or shares the blocks
	}
	for u.start < u.head {
		if err := ctx.Err(); err != nil {
			return failed("copy", u.spot.at, err)
		}
		n, err := u.w.ReadFrom(&io.LimitedReader{R: src, N: min(headSlice, u.head-u.start)})
		u.start += n
		u.charge.wrote(n)
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return failed("copy", u.spot.at, err)
		}
	}
	u.closeSource()
	return nil
}

func (u *Upload) closeSource() {
	if u.source != nil {
		_ = u.source.Close() // it was read
		u.source = nil
	}
}
