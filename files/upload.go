package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"sync/atomic"
)

// Upload is one upload on its way. It must end in Commit, Suspend or Discard; after a Commit that
// failed one of the other two is still due. Its methods are for one goroutine, but for Written.
type Upload struct {
	t      *Tree
	spot   *spot
	stands standing
	use    use

	w    Writer
	part Part // nil: the finished file is appended to in place
	key  string
	made bool // the part is new

	account   *account
	exclusive bool
	like      *Info  // of a copy: whose mode and time a new file gets
	props     []byte // of a copy: its original's properties
	charge    *charge
	start     int64  // bytes that were there before
	head      int64  // of the file that stands there, to begin with
	source    Object // that file, until its head has been copied; nil: there is nothing to copy
	written   atomic.Int64
	held      []string
	closed    bool
}

// errClosed is what an upload answers that has ended.
var errClosed = fs.ErrClosed

func (u *Upload) lock(s *Service, name string) bool {
	if !s.locks.take(name) {
		return false
	}
	u.held = append(u.held, name)
	return true
}

// Written is how many bytes this upload has brought so far. While ReadFrom runs it moves in steps
// of 4 MiB.
func (u *Upload) Written() int64 { return u.written.Load() }

// wrote settles n written bytes.
func (u *Upload) wrote(n int64) {
	u.written.Add(n)
	u.charge.wrote(n)
}

// room makes sure that some of the quota is set aside, want at best, and says how much.
func (u *Upload) room(want int64) int64 {
	if have := u.charge.aside.Load(); have < want {
		u.charge.reserve(want - have)
	}
	return min(u.charge.aside.Load(), want)
}

// ReadFrom reads r to its end: io.EOF of r is no error. Each slice is reserved from the quota before
// it is read; r goes to the bare file, so that a *net.TCPConn is spliced, also one that is bounded
// by an io.LimitedReader.
func (u *Upload) ReadFrom(r io.Reader) (int64, error) {
	return u.readFrom(r, func() error { return nil })
}

// readFrom asks before each slice whether to go on.
func (u *Upload) readFrom(r io.Reader, goOn func() error) (int64, error) {
	if u.closed {
		return 0, errClosed
	}
	if err := u.Prepare(context.Background()); err != nil {
		return 0, err
	}
	bound, src := int64(math.MaxInt64), r
	lr, bounded := r.(*io.LimitedReader)
	if bounded { // the system looks through one bound alone
		bound, src = lr.N, lr.R
	}
	var total int64
	for total < bound {
		if err := goOn(); err != nil {
			return total, err
		}
		want := min(u.room(slice), bound-total)
		if want == 0 {
			n, err := u.full(r)
			if total += n; n == 0 || err != nil {
				return total, err
			}
			continue
		}
		n, err := u.w.ReadFrom(&io.LimitedReader{R: src, N: want})
		u.wrote(n)
		total += n
		if bounded {
			lr.N -= n
		}
		if err != nil || n < want {
			return total, err
		}
	}
	return total, nil
}

// full reads one byte more, if r has anything left, and makes room for it, or answers ErrQuota.
func (u *Upload) full(r io.Reader) (n int64, err error) {
	var one [1]byte
	if _, err := io.ReadFull(r, one[:]); err == io.EOF {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	k, err := u.Write(one[:])
	return int64(k), err
}

// makeRoom lets trash and versions go for bytes that the quota refuses to try.
func (u *Upload) makeRoom(ctx context.Context, bytes int64, try func() error) error {
	err := try()
	if u.t.s.o.Bin == nil || !errors.Is(err, ErrQuota) {
		return err
	}
	return u.t.s.makeRoom(ctx, u.spot.m, bytes, 0, err, try)
}

// Write writes p, or what the quota leaves of it and ErrQuota.
func (u *Upload) Write(p []byte) (int, error) {
	if u.closed {
		return 0, errClosed
	}
	if err := u.Prepare(context.Background()); err != nil {
		return 0, err
	}
	want := int64(len(p))
	for more := true; more && u.charge.aside.Load() < want; {
		before := u.charge.aside.Load()
		u.room(max(want, slice))
		more = u.charge.aside.Load() > before
	}
	if missing := want - u.charge.aside.Load(); missing > 0 {
		// No ctx is at hand, and what is removed is bounded by what lies there.
		_ = u.makeRoom(context.Background(), missing, func() error { return u.charge.reserveAll(missing) })
	}
	fits := min(u.charge.aside.Load(), want)
	n, err := u.w.Write(p[:fits])
	u.wrote(int64(n))
	if err == nil && fits < want {
		err = failed("write", u.spot.at, u.charge.why())
	}
	return n, err
}

// Commit makes the upload durable (Options.Sync) and lets it take its name. The permissions are
// asked once more, and a session that has ended commits nothing.
func (u *Upload) Commit(ctx context.Context) (Info, error) {
	if u.closed {
		return Info{}, errClosed
	}
	if err := u.Prepare(ctx); err != nil {
		return Info{}, err
	}
	i, err := u.commit(ctx)
	return i, failed("store", u.spot.at, err)
}

func (u *Upload) commit(ctx context.Context) (Info, error) {
	v, err := u.t.now()
	if err != nil {
		return Info{}, err
	}
	if err := u.finish(); err != nil {
		return Info{}, err
	}
	s := u.spot
	op := OpStore
	if u.part == nil {
		op = OpAppend
		u.account.names.Lock()
		u.follow()
		u.look(ctx, v)
		u.account.names.Unlock()
	} else if err := u.replace(ctx, v); err != nil {
		return Info{}, err
	}
	if err := v.s.sync(ctx, s.dir); err != nil {
		v.s.o.Log.WarnContext(ctx, "files: an upload has its name, but it may not outlive a power cut", "tree", s.m.key, "err", err)
		u.end()
		return Info{}, err
	}
	i := v.info(s.m, s.node, s.at, s.canon(), &s.diro)
	v.emit(op, s.canon(), "", s.node.Size, u.Written())
	u.end()
	return i, nil
}

// finish makes what has come durable where that is wanted, and elsewhere hands it to the store, where
// the store is another program: what is acknowledged is there, and nobody waits for it with the names
// of the tree in hand.
func (u *Upload) finish() error {
	if u.t.s.o.Sync {
		return u.w.Sync()
	}
	if w, ok := u.w.(Flusher); ok {
		return w.Flush()
	}
	return nil
}

// replace gives the part its name, and what stood there among the versions where that is wanted and
// the quota has room for both.
func (u *Upload) replace(ctx context.Context, v *view) error {
	keep := v.s.versions() && u.makeRoom(ctx, u.charge.lent(), func() error {
		if u.charge.stays() {
			return nil
		}
		return ErrQuota
	}) == nil
	u.account.names.Lock()
	kept, err := u.rename(ctx, v, keep)
	u.account.names.Unlock()
	if kept {
		v.s.pruneVersions(context.WithoutCancel(ctx), u.account, u.spot.top, u.spot.inTree())
	}
	return err
}

// rename gives the part its name, under the lock of the tree's names, and says whether a version was
// kept.
func (u *Upload) rename(ctx context.Context, v *view, keep bool) (kept bool, err error) {
	s := u.spot
	u.follow()
	if err := v.shows(s.m, s.at); err != nil {
		return false, err
	}
	if err := v.stands(ctx, s); err != nil {
		return false, err
	}
	undisturbed := u.undisturbed(v)
	if !undisturbed {
		dirNode, err := s.dir.Stat(ctx)
		if err != nil {
			return false, err
		}
		s.diro = s.m.owned(dirNode, s.dir == Dir(s.top))
	}
	if !v.visible(s.canon()) || !v.passes(s) {
		return false, fs.ErrNotExist
	}
	if !undisturbed {
		if s.node, err = s.dir.Lstat(ctx, s.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		s.exists = err == nil
	}
	if err := u.allowed(v); err != nil {
		return false, err
	}
	if err := u.unlocked(ctx, v); err != nil {
		return false, err
	}
	if !s.exists {
		if err := v.newName(ctx, s, ""); err != nil {
			return false, err
		}
	}
	o := v.fresh(s.m, s.diro, false)
	if u.like != nil {
		o.mode = copied(u.like, s.m, o)
	}
	var old tally
	if s.exists {
		old = tally{sizeOf(s.node), 1}
		if v.s.locks.holds(fileLock(s.node)) {
			return false, ErrBusy
		}
		o = s.owned() // as if it had been written in place
	}
	var props []byte
	if u.like != nil {
		props = u.props
	} else if s.exists { // they outlive the content (RFC 4918 section 9.7.1)
		props, _ = s.dir.Props(ctx, s.name)
	}
	var version oldVersion
	if keep && s.exists && u.charge.fits(tally{}) == nil {
		if version, err = v.keepVersion(ctx, s, false); err != nil {
			return false, err
		}
		if version.is() {
			old = tally{}
		}
	}
	if err := u.charge.fits(old); err != nil {
		return false, err
	}
	if err := u.part.Commit(ctx, s.dir, s.name, o.mode&^fs.ModeType, v.s.keep(s.m, o), u.exclusive); err != nil {
		version.undo(ctx)
		return false, err
	}
	version.done()
	u.charge.replace(old)
	if props != nil {
		v.s.putProps(ctx, s, props)
	}
	u.w, u.part = nil, nil
	if u.like != nil {
		if err := s.dir.Chtimes(ctx, s.name, u.like.ModTime); err != nil {
			v.s.o.Log.WarnContext(ctx, "files: a copy did not get its original's time", "tree", s.m.key, "err", err)
		}
	}
	u.look(ctx, v)
	return version.is(), nil
}

// undisturbed reports whether what was looked at last can only be as it was: what is small has often
// come whole by then. Where others have the files of their own, with a shell, nothing is ever certain.
// The caller holds the tree's names.
func (u *Upload) undisturbed(v *view) bool {
	return u.account.names.undisturbed(u.spot.calm) && !v.s.features(u.spot.m.key).Owners
}

// look reads what stands there now.
func (u *Upload) look(ctx context.Context, v *view) {
	s := u.spot
	n, err := s.dir.Lstat(ctx, s.name)
	if err != nil {
		// It was there, and has been taken away or renamed since.
		n = Node{Name: s.name, Size: u.start + u.Written(), ModTime: v.s.now(), Links: 1}
	}
	s.node = n
}

// Suspend ends the upload and keeps what has come, for a resume: Tree.Part has its size. It goes
// after Options.PartLife. An anonymous session's part goes at once. What was appended to a finished
// file stays.
func (u *Upload) Suspend() error {
	if u.closed {
		return errClosed
	}
	c, _ := u.t.who.Credentials()
	size, err := u.w.Size()
	if u.part != nil && (size == 0 || c.Anonymous() || !u.charge.stays()) && err == nil {
		return u.Discard()
	}
	if unsaved := u.finish(); unsaved != nil {
		err = errors.Join(err, unsaved)
		u.lose()
	}
	u.end()
	return failed("suspend", u.spot.at, err)
}

// lose takes what the store did not take after all out of the count.
func (u *Upload) lose() {
	_ = u.w.Close() // it has failed before
	u.w = nil
	u.account.names.RLock()
	defer u.account.names.RUnlock()
	ctx, s := context.Background(), u.spot
	var n Node
	var err error
	if u.part != nil {
		n, err = s.top.StatPart(ctx, u.key)
	} else if n, err = s.dir.Lstat(ctx, s.name); n.Unique != s.node.Unique {
		return // renamed meanwhile: a recount finds out
	}
	u.part = nil
	if have := u.start + u.Written(); err == nil && n.Size < have {
		u.charge.drop(have - n.Size)
	}
}

// Discard ends the upload and removes what has come; a file that was appended to, or a part that
// was gone on with, has its old size again.
func (u *Upload) Discard() error {
	if u.closed {
		return errClosed
	}
	u.account.names.RLock()
	err := u.discard()
	u.account.names.RUnlock()
	u.end()
	return failed("discard", u.spot.at, err)
}

func (u *Upload) discard() error {
	if u.part == nil || u.start > 0 && !u.made {
		if err := u.w.Truncate(u.start); err != nil {
			return err
		}
		u.charge.drop(u.Written())
		return nil
	}
	if err := u.spot.top.RemovePart(context.Background(), u.key); err != nil {
		return err
	}
	u.charge.replace(tally{u.start + u.Written(), 1})
	return nil
}

// end gives back what is not written, the locks and the folders.
func (u *Upload) end() {
	u.closed = true
	u.closeSource()
	if u.charge != nil {
		u.account.names.RLock()
		u.charge.end()
		u.account.names.RUnlock()
	}
	if u.account != nil {
		u.t.s.done(u.account)
	}
	if u.w != nil {
		_ = u.w.Close()
	}
	u.t.s.locks.free(u.held...)
	u.t.s.uses.drop(&u.use)
	u.spot.close()
}

// release is the end of an upload that did not begin: a part made for it goes again, one that was
// there before stays.
func (u *Upload) release() {
	if u.made {
		u.account.names.RLock()
		_ = u.discard()
		u.account.names.RUnlock()
	}
	u.end()
}
