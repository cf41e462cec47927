package files

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// withRoom calls try, which needs bytes and entries more in the mount's tree, and, while that says
// ErrQuota, empties the trash of the tree, the oldest first, and then removes old versions: what is
// new comes before what was thrown away. Where all of it together would not be enough, nothing is
// removed. The names of the tree are not held, but try may take them.
func (v *view) withRoom(ctx context.Context, m *mount, bytes, entries int64, try func() error) error {
	err := try()
	if v.s.o.Bin == nil || !errors.Is(err, ErrQuota) {
		return err
	}
	return v.s.makeRoom(ctx, m, bytes, entries, err, try)
}

func (s *Service) makeRoom(ctx context.Context, m *mount, bytes, entries int64, refused error, try func() error) error {
	a, err := s.use(ctx, m)
	if err != nil {
		return err
	}
	defer s.done(a)
	r := room{s: s, a: a, err: refused, try: try}
	if err := r.worth(ctx, bytes, entries); err != nil {
		return err
	}
	if r.top, err = s.o.Backend.Tree(ctx, m.key, false); err != nil {
		return err
	}
	defer r.top.Close()
	err = r.trash(ctx)
	if err == nil && r.more() {
		err = r.versions(ctx)
	}
	if err != nil {
		s.o.Log.WarnContext(ctx, "files: no more room was made for what is new", "tree", a.key, "err", err)
	}
	return r.err
}

// room is made for something.
type room struct {
	s   *Service
	a   *account
	top Top
	try func() error
	err error // what try said last
}

// more reports whether more room is wanted.
func (r *room) more() bool { return errors.Is(r.err, ErrQuota) }

// worth answers why not, where all that could go would not be enough.
func (r *room) worth(ctx context.Context, bytes, entries int64) error {
	haveBytes, haveEntries, err := r.s.o.Bin.Held(ctx, r.a.key)
	if err != nil {
		return errors.Join(r.err, err)
	}
	r.a.mu.Lock()
	defer r.a.mu.Unlock()
	most, _ := r.s.most(r.a)
	if bytes > most.left(r.a)+haveBytes || entries > 0 && most.files >= 0 && r.a.files-r.a.lentFiles+entries-haveEntries > most.files {
		return r.err
	}
	return nil
}

func (r *room) trash(ctx context.Context) error {
	kept, err := r.top.Kept(ctx, KeptTrash, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer kept.Close()
	for first := ""; r.more(); {
		rows, err := r.s.o.Bin.OldTrash(ctx, r.a.key, r.s.now().Add(time.Hour), binPage)
		if err != nil || len(rows) == 0 || rows[0].ID == first {
			return err // none, or one that somebody is using
		}
		first = rows[0].ID
		for _, row := range rows {
			if !r.more() {
				return nil
			}
			if err := r.s.purgeLocked(ctx, r.a, r.top, kept, row); err != nil {
				return err
			}
			r.err = r.try()
		}
	}
	return nil
}

func (r *room) versions(ctx context.Context) error {
	if !r.s.anyVersions(ctx) {
		return nil
	}
	for first := ""; r.more(); {
		rows, err := r.s.o.Bin.OldVersions(ctx, r.a.key, binPage)
		if err != nil || len(rows) == 0 || rows[0].ID == first {
			return err
		}
		first = rows[0].ID
		for _, row := range rows {
			if !r.more() {
				return nil
			}
			if _, err := r.s.removeVersions(ctx, r.a, r.top, []VersionRow{row}); err != nil {
				return err
			}
			r.err = r.try()
		}
	}
	return nil
}

// fits reports whether the limits let so much be added.
func (s *Service) fits(a *account, bytes, entries int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	most, _ := s.most(a)
	return bytes <= most.left(a) && (most.files < 0 || a.files-a.lentFiles+entries <= most.files)
}

// purgeLocked removes something in the trash for ever, unless somebody is using it.
func (s *Service) purgeLocked(ctx context.Context, a *account, top Top, kept Dir, r TrashRow) error {
	if !s.locks.take(binLock(r.ID)) {
		return nil
	}
	defer s.locks.free(binLock(r.ID))
	_, err := s.o.Bin.Trash(ctx, r.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // restored, or gone, since it was listed
	}
	if err == nil {
		_, err = s.purge(ctx, a, top, kept, r)
	}
	return err
}
