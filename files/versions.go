package files

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Version is an old content of a file, kept when it was overwritten.
type Version struct {
	ID      string
	Size    int64
	ModTime time.Time // of that content
	At      time.Time // when it was replaced
	By      string    // who replaced it
}

// Versions lists the old versions of a file, the last replaced first. Who may read the file may see
// and read them. Links are followed inside the mount.
func (t *Tree) Versions(ctx context.Context, p string) ([]Version, error) {
	v, s, err := t.versioned(ctx, p, (*view).mayRead)
	if err != nil {
		return nil, failed("versions", p, err)
	}
	defer s.close()
	if v.s.o.Bin == nil {
		return nil, nil
	}
	rows, err := v.s.o.Bin.VersionsOf(ctx, s.m.key, s.inTree())
	if err != nil {
		return nil, failed("versions", p, err)
	}
	list := make([]Version, 0, len(rows))
	for _, r := range rows {
		list = append(list, Version{ID: r.ID, Size: r.Bytes, ModTime: r.ModTime, At: r.At, By: r.By})
	}
	return list, nil
}

// KeepsVersions reports whether files may have old versions at all.
func (t *Tree) KeepsVersions() bool { return t.s.anyVersions(context.Background()) }

func (v *view) mayRead(s *spot) bool  { return v.read(s.m, s.owned(), s.canon()) }
func (v *view) mayWrite(s *spot) bool { return v.write(s.m, s.owned(), s.canon()) }

// versioned finds a file that the session may use so. The spot is to be closed.
func (t *Tree) versioned(ctx context.Context, p string, may func(*view, *spot) bool) (*view, *spot, error) {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case s.m == nil || s.exists && s.node.Type.IsDir():
		err = ErrIsDir
	case !s.exists:
		err = fs.ErrNotExist
	case !may(v, s):
		err = fs.ErrPermission
	}
	if err != nil {
		s.close()
		return nil, nil, err
	}
	return v, s, nil
}

// version finds one version of the file at s, with the folder in which it lies, to be closed.
func (v *view) version(ctx context.Context, s *spot, id string) (Dir, VersionRow, error) {
	if v.s.o.Bin == nil || !binID(id) {
		return nil, VersionRow{}, fs.ErrNotExist
	}
	r, err := v.s.o.Bin.Version(ctx, id)
	if err != nil {
		return nil, r, err
	}
	if r.Tree != s.m.key || r.Path != s.inTree() {
		return nil, r, fs.ErrNotExist
	}
	kept, err := s.top.Kept(ctx, KeptVersions, false)
	return kept, r, err
}

// OpenVersion opens an old version of a file for reading. Its Info has the file's name, owner and
// mode, and the version's size and time.
func (t *Tree) OpenVersion(ctx context.Context, p, id string) (*File, error) {
	v, s, err := t.versioned(ctx, p, (*view).mayRead)
	if err != nil {
		return nil, failed("open", p, err)
	}
	defer s.close()
	kept, _, err := v.version(ctx, s, id)
	if err != nil {
		return nil, failed("open", p, err)
	}
	defer kept.Close()
	obj, err := kept.Open(ctx, id)
	if err != nil {
		return nil, failed("open", p, err)
	}
	n := obj.Node()
	if !v.read(s.m, s.m.owned(n, false), s.canon()) {
		_ = obj.Close()
		return nil, failed("open", p, fs.ErrPermission) // another's file stood there then
	}
	n.Name, n.Attr = s.node.Name, s.node.Attr
	return v.opened(t, s, obj, n), nil
}

// RestoreVersion makes an old version the file's content again; what it holds now becomes a
// version, also where none are kept otherwise. The file keeps owner and mode; its time is that of
// the restoring. ErrBusy while somebody writes the file.
func (t *Tree) RestoreVersion(ctx context.Context, p, id string) error {
	v, s, err := t.versioned(ctx, p, (*view).mayWrite)
	if err != nil {
		return failed("restore", p, err)
	}
	defer s.close()
	return failed("restore", p, v.restoreVersion(ctx, s, id))
}

func (v *view) restoreVersion(ctx context.Context, s *spot, id string) error {
	kept, r, err := v.version(ctx, s, id)
	if err != nil {
		return err
	}
	defer kept.Close()
	held := []string{pathLock(s.m.key, s.inTree()), binLock(id)}
	if !v.s.locks.take(held...) {
		return ErrBusy
	}
	defer v.s.locks.free(held...)
	a, err := v.s.use(ctx, s.m)
	if err != nil {
		return err
	}
	defer v.s.done(a)
	if err := v.swapVersion(ctx, s, kept, id, a); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := v.s.o.Bin.DropVersions(ctx, id); err != nil {
		v.s.o.Log.WarnContext(ctx, "files: a version that was restored stays in the list until the next sweep", "tree", s.m.key, "err", err)
	}
	v.emit(OpRestore, s.canon(), "", r.Bytes, 0)
	v.s.pruneVersions(ctx, a, s.top, s.inTree())
	return v.s.sync(ctx, s.dir, kept)
}

// swapVersion keeps the file as a version and gives the version its name.
func (v *view) swapVersion(ctx context.Context, s *spot, kept Dir, id string, a *account) error {
	a.names.Lock()
	defer a.names.Unlock()
	if err := v.again(ctx, s); err != nil {
		return err
	}
	switch {
	case !v.mayWrite(s):
		return fs.ErrPermission
	case !s.node.Type.IsRegular():
		return ErrUnsupported
	case v.s.locks.holds(fileLock(s.node)):
		return ErrBusy
	}
	if err := v.unlocked(ctx, s, theEntry); err != nil {
		return err
	}
	version, err := kept.Lstat(ctx, id)
	if err != nil {
		return err
	}
	if !v.read(s.m, s.m.owned(version, false), s.canon()) {
		return fs.ErrPermission // another's file stood there then
	}
	props, noProps := s.dir.Props(ctx, s.name) // they outlive the content (RFC 4918 section 9.7.1)
	old, err := v.keepVersion(ctx, s, true)
	if err != nil {
		return err
	}
	o := s.owned()
	err = v.setAttr(ctx, s.m, kept, version, id, o, v.s.keep(s.m, o))
	if err == nil {
		err = kept.Chtimes(ctx, id, v.s.now())
	}
	if err == nil {
		err = kept.Rename(ctx, id, s.dir, s.name, false)
	}
	if err != nil {
		old.undo(ctx)
		return err
	}
	old.done()
	if noProps == nil {
		v.s.putProps(ctx, s, props)
	}
	if !old.is() { // an empty file is not worth keeping: the version takes its place
		a.change(-sizeOf(s.node), -1)
	}
	return nil
}

// oldVersion is a file that has a second name among the versions, and a row. The zero value is none.
type oldVersion struct {
	s    *Service
	id   string
	kept Dir
}

func (o oldVersion) is() bool { return o.id != "" }

// undo takes both away again: the first name stays what it was.
func (o oldVersion) undo(ctx context.Context) {
	if !o.is() {
		return
	}
	ctx = context.WithoutCancel(ctx)
	err := errors.Join(o.kept.Remove(ctx, o.id), o.s.o.Bin.DropVersions(ctx, o.id))
	if err != nil {
		o.s.o.Log.WarnContext(ctx, "files: a version of a file that was not replaced stays until the next sweep", "err", err)
	}
	o.done()
}

// done ends the keeping.
func (o oldVersion) done() {
	if o.is() {
		_ = o.kept.Close()
		o.s.locks.free(binLock(o.id))
	}
}

// versions reports whether what is overwritten is kept.
func (s *Service) versions() bool { return s.o.Bin != nil && s.o.Versions > 0 }

// keeps reports whether the file at s will be kept when it is overwritten.
func (v *view) keeps(s *spot) bool {
	return v.s.versions() && s.exists && s.node.Type.IsRegular() && s.node.Size > 0
}

// keepVersion gives the file at s, which is about to be replaced, a second name among the versions:
// so there is no moment without a file of the first. It needs undo or done. Nothing is kept of an
// empty file, where versions are off and always is false, or where the store cannot.
func (v *view) keepVersion(ctx context.Context, s *spot, always bool) (oldVersion, error) {
	if v.s.o.Bin == nil || v.s.o.Versions <= 0 && !always || !s.node.Type.IsRegular() || s.node.Size == 0 {
		return oldVersion{}, nil
	}
	kept, err := s.top.Kept(ctx, KeptVersions, true)
	if err != nil {
		return oldVersion{}, err
	}
	o := oldVersion{s: v.s, id: newBinID(), kept: kept}
	v.s.locks.take(binLock(o.id))
	v.s.hasVersions.Store(true)
	err = v.s.o.Bin.PutVersion(ctx, VersionRow{ID: o.id, Tree: s.m.key, Path: s.inTree(), Bytes: s.node.Size,
		ModTime: s.node.ModTime, At: v.s.now(), By: v.c.User})
	if err != nil {
		o.done()
		return oldVersion{}, err
	}
	err = s.dir.Link(ctx, s.name, kept, o.id)
	if err == nil {
		if err = v.s.sync(ctx, kept); err == nil {
			return o, nil
		}
		err = errors.Join(err, kept.Remove(context.WithoutCancel(ctx), o.id))
	}
	err = errors.Join(err, v.s.o.Bin.DropVersions(context.WithoutCancel(ctx), o.id))
	o.done()
	if errors.Is(err, ErrUnsupported) && !always {
		v.s.o.Log.WarnContext(ctx, "files: the storage cannot keep a file beside the one that replaces it: no version was kept", "tree", s.m.key)
		return oldVersion{}, nil
	}
	return oldVersion{}, err
}

// pruneVersions removes the versions of a path that are too many. The names of the tree are not held.
func (s *Service) pruneVersions(ctx context.Context, a *account, top Top, path string) {
	if s.o.Versions <= 0 {
		return
	}
	rows, err := s.o.Bin.VersionsOf(ctx, a.key, path)
	if err == nil && len(rows) > s.o.Versions {
		_, err = s.removeVersions(ctx, a, top, rows[s.o.Versions:])
	}
	if err != nil {
		s.o.Log.WarnContext(ctx, "files: old versions that are too many were not removed", "tree", a.key, "err", err)
	}
}

// removeVersions removes versions of one tree for ever, bytes first: a row without them is mended.
// The names of the tree are not held.
func (s *Service) removeVersions(ctx context.Context, a *account, top Top, rows []VersionRow) (bytes int64, err error) {
	kept, err := top.Kept(ctx, KeptVersions, true)
	if err != nil {
		return 0, err
	}
	defer kept.Close()
	var ids []string
	for _, r := range rows {
		if !s.locks.take(binLock(r.ID)) {
			continue
		}
		defer s.locks.free(binLock(r.ID))
		n, err := wipe(ctx, a, kept, r.ID)
		bytes += n
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return bytes, err
		}
		ids = append(ids, r.ID)
	}
	return bytes, s.o.Bin.DropVersions(ctx, ids...)
}

// dropVersions removes the versions of a path, and of what is below it, for ever. The names of the
// tree are not held.
func (s *Service) dropVersions(ctx context.Context, a *account, top Top, path string) (bytes int64, err error) {
	if !s.anyVersions(ctx) {
		return 0, nil
	}
	for first := ""; ; {
		rows, err := s.o.Bin.VersionsBelow(ctx, a.key, path, binPage)
		if err != nil || len(rows) == 0 || rows[0].ID == first {
			return bytes, err // none, or one that somebody is using
		}
		first = rows[0].ID
		n, err := s.removeVersions(ctx, a, top, rows)
		bytes += n
		if err != nil {
			return bytes, err
		}
	}
}

// forgetVersions is dropVersions of what has been removed, which is no reason to fail.
func (s *Service) forgetVersions(ctx context.Context, a *account, top Top, path string) {
	if _, err := s.dropVersions(context.WithoutCancel(ctx), a, top, path); err != nil {
		s.o.Log.WarnContext(ctx, "files: the versions of what was removed are left", "tree", a.key, "err", err)
	}
}

// anyVersions reports whether there may be versions at all: where none are kept and none are left,
// nothing is asked of the store for every name that changes.
func (s *Service) anyVersions(ctx context.Context) bool {
	if s.o.Bin == nil {
		return false
	}
	if s.o.Versions > 0 || s.hasVersions.Load() {
		return true
	}
	s.lookVersions.Do(func() {
		rows, err := s.o.Bin.OldVersions(context.WithoutCancel(ctx), "", 1)
		if err != nil || len(rows) > 0 {
			s.hasVersions.Store(true)
		}
	})
	return s.hasVersions.Load()
}
