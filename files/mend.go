package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// A row and its bytes cannot come and go in one step, so a crash leaves the one without the other.
// Each tree is looked through once, at the first sweep: versions that a move has left behind follow;
// a row without bytes goes; bytes in the trash
// without a row are listed as found; a version without a row, which is a version of nothing, goes,
// and so does one that is still the file itself.

// sweepBin empties what is older than Options.TrashLife, and mends what a crash has left half.
func (s *Service) sweepBin(ctx context.Context, key string) error {
	if s.o.Bin == nil {
		return nil
	}
	top, err := s.o.Backend.Tree(ctx, key, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer top.Close()
	if err := s.sweepMoves(ctx, key, top); err != nil {
		return err
	}
	kept, err := top.Kept(ctx, KeptTrash, false)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		defer kept.Close()
		if err := s.sweepTrash(ctx, key, top, kept); err != nil {
			return err
		}
	}
	if _, done := s.mended.Load(key); done {
		return nil
	}
	if err := s.mend(ctx, key, top); err != nil {
		return err
	}
	s.mended.Store(key, struct{}{})
	return nil
}

// sweepTrash removes what is too old, and what was being removed when somebody stopped.
func (s *Service) sweepTrash(ctx context.Context, key string, top Top, kept Dir) error {
	var due []string
	err := kept.ReadNames(ctx, func(name string, _ fs.FileMode) error {
		if strings.HasSuffix(name, doomed) {
			due = append(due, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	before := s.now().Add(-s.o.TrashLife)
	old, err := s.o.Bin.OldTrash(ctx, key, before, binPage)
	if err != nil || len(old) == 0 && len(due) == 0 {
		return err
	}
	a, err := s.useKey(ctx, key)
	if err != nil {
		return err
	}
	defer s.done(a)
	for _, name := range due {
		if !s.locks.take(binLock(strings.TrimSuffix(name, doomed))) {
			continue // it is on its way
		}
		_, err := wipe(ctx, a, kept, name)
		s.locks.free(binLock(strings.TrimSuffix(name, doomed)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for first := ""; len(old) > 0 && old[0].ID != first; {
		first = old[0].ID
		for _, r := range old {
			if err := s.purgeLocked(ctx, a, top, kept, r); err != nil {
				return err
			}
		}
		if old, err = s.o.Bin.OldTrash(ctx, key, before, binPage); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) mend(ctx context.Context, key string, top Top) error {
	for _, kind := range Kinds() {
		kept, err := top.Kept(ctx, kind, false)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil {
			kept = nil
		}
		m := mender{s: s, key: key, top: top, kept: kept}
		if kind == KeptTrash {
			err = m.trash(ctx)
		} else {
			err = m.versions(ctx)
		}
		if kept != nil {
			_ = kept.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mender mends one kept folder of one tree.
type mender struct {
	s    *Service
	key  string
	top  Top
	kept Dir // nil: there is none
}

// each calls fn, with its lock held, for what lies there and is no half removed thing: one after the
// other, for it may be much.
func (m *mender) each(ctx context.Context, fn func(Node) error) error {
	if m.kept == nil {
		return nil
	}
	return m.kept.ReadDir(ctx, func(n Node) error {
		if strings.HasSuffix(n.Name, doomed) {
			return nil
		}
		return m.locked(n.Name, func() error { return fn(n) })
	})
}

// stands reports whether the bytes of an ID are there.
func (m *mender) stands(ctx context.Context, id string) (Node, bool, error) {
	if m.kept == nil {
		return Node{}, false, nil
	}
	n, err := m.kept.Lstat(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return n, false, nil
	}
	return n, err == nil, err
}

// locked calls fn with the ID's lock, unless somebody is using it.
func (m *mender) locked(id string, fn func() error) error {
	if !m.s.locks.take(binLock(id)) {
		return nil
	}
	defer m.s.locks.free(binLock(id))
	return fn()
}

// eachRow calls fn, with the lock of its ID held, for every row of the tree, page by page.
func eachRow[R any](ctx context.Context, m *mender, page func(ctx context.Context, tree, after string, limit int) ([]R, error),
	id func(R) string, fn func(R) error) error {
	for after := ""; ; {
		rows, err := page(ctx, m.key, after, binPage)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			after = id(r)
			if err := m.locked(after, func() error { return fn(r) }); err != nil {
				return err
			}
		}
	}
}

func (m *mender) trash(ctx context.Context) error {
	err := eachRow(ctx, m, m.s.o.Bin.TrashAfter, func(r TrashRow) string { return r.ID }, func(r TrashRow) error {
		_, there, err := m.stands(ctx, r.ID)
		if err != nil || there {
			return err
		}
		return m.s.o.Bin.DropTrash(ctx, r.ID)
	})
	if err != nil {
		return err
	}
	return m.each(ctx, func(n Node) error { return m.found(ctx, n) })
}

// found gives bytes without a row one, under which they can be restored, or removes what is no ID.
func (m *mender) found(ctx context.Context, n Node) error {
	if !binID(n.Name) {
		return m.s.wipeIn(ctx, m.key, m.kept, n.Name)
	}
	_, err := m.s.o.Bin.Trash(ctx, n.Name)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, there, err := m.stands(ctx, n.Name); err != nil || !there {
		return err
	}
	return m.s.o.Bin.PutTrash(ctx, TrashRow{ID: n.Name, Tree: m.key, Path: fmt.Sprintf("/found-%.8s", n.Name),
		Dir: n.Type.IsDir(), Bytes: sizeOf(n), Entries: 1, At: m.s.now()})
}

func (m *mender) versions(ctx context.Context) error {
	err := eachRow(ctx, m, m.s.o.Bin.VersionsAfter, func(r VersionRow) string { return r.ID },
		func(r VersionRow) error { return m.version(ctx, r) })
	if err != nil {
		return err
	}
	return m.each(ctx, func(n Node) error {
		if binID(n.Name) {
			if _, err := m.s.o.Bin.Version(ctx, n.Name); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return m.s.wipeIn(ctx, m.key, m.kept, n.Name)
	})
}

// version looks at one row: its bytes must be there, and those of another file than the one whose
// version they are; what lay in the trash goes with that.
func (m *mender) version(ctx context.Context, r VersionRow) error {
	n, there, err := m.stands(ctx, r.ID)
	if err != nil {
		return err
	}
	useless := !there
	if trashed, ok := strings.CutPrefix(r.Path, thrown("")); ok && there {
		id, _, _ := strings.Cut(trashed, "/")
		_, err := m.s.o.Bin.Trash(ctx, id)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if useless = err != nil; useless {
			// What was just restored has taken its versions with it.
			now, err := m.s.o.Bin.Version(ctx, r.ID)
			if errors.Is(err, fs.ErrNotExist) || err == nil && now.Path != r.Path {
				return nil
			}
			if err != nil {
				return err
			}
		}
	} else if there {
		useless = m.same(ctx, r.Path, n)
	}
	if !useless {
		return nil
	}
	if there {
		if err := m.s.wipeIn(ctx, m.key, m.kept, r.ID); err != nil {
			return err
		}
	}
	return m.s.o.Bin.DropVersions(ctx, r.ID)
}

// same reports whether the file at a path is that very node.
func (m *mender) same(ctx context.Context, p string, n Node) bool {
	now, err := nodeAt(ctx, m.top, p)
	return err == nil && n.Unique != "" && now.Unique == n.Unique
}

// wipeIn is wipe where the account is not at hand.
func (s *Service) wipeIn(ctx context.Context, key string, kept Dir, name string) error {
	a, err := s.useKey(ctx, key)
	if err != nil {
		return err
	}
	defer s.done(a)
	if _, err := wipe(ctx, a, kept, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweepGone drops the rows of trees that are no more.
func (s *Service) sweepGone(ctx context.Context) error {
	if s.o.Bin == nil {
		return nil
	}
	rows, err := s.o.Bin.OldTrash(ctx, "", s.now().Add(-s.o.TrashLife), binPage)
	if err != nil {
		return err
	}
	for _, r := range rows {
		top, err := s.o.Backend.Tree(ctx, r.Tree, false)
		if err == nil {
			_ = top.Close()
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := s.o.Bin.DropTrash(ctx, r.ID); err != nil {
			return err
		}
	}
	return nil
}
