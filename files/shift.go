package files

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
)

// A path is walked before the names of its tree are held, and what is opened on the way stays open
// whatever becomes of its name. So who is about to change something asks, with the names held,
// whether the folder still is where the path led: else what is done to it would happen in the trash,
// or under rules that were never asked. Uploads, which last, go with their folder.

// stands answers fs.ErrNotExist where the folder of the spot is no more where its path led. The
// caller holds the tree's names, shared at least.
func (v *view) stands(ctx context.Context, s *spot) error {
	n := v.s.ledger.of(s.m.key).shifts.Load()
	if n == s.shifts {
		return nil
	}
	if s.name != "" && s.rel != "" {
		same, err := s.leads(ctx, s.rel, s.dir)
		if err != nil {
			return err
		}
		if !same {
			return fs.ErrNotExist
		}
	}
	s.shifts = n
	return nil
}

// leads reports whether a path in the spot's tree leads to that very folder.
func (s *spot) leads(ctx context.Context, rel string, to Dir) (bool, error) {
	d, err := reach(ctx, s.top, split(rel))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDir) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer d.Close()
	one, err := d.Stat(ctx)
	if err != nil {
		return false, err
	}
	two, err := to.Stat(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return one.Unique == two.Unique, err
}

// shifted notes that a folder has gone elsewhere in the tree, and the uploads into it with it. The
// caller holds the tree's names.
func (a *account) shifted(from, to string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shifts.Add(1)
	for c := range a.charges {
		if within(from, c.dir) {
			c.dir = to + c.dir[len(from):]
		}
	}
}

// writingIn reports whether somebody uploads into a folder, or one below it.
func (a *account) writingIn(rel string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.charges {
		if within(rel, c.dir) {
			return true
		}
	}
	return false
}

// within is inside for paths in a tree, whose top is "".
func within(base, rel string) bool {
	return rel == base || strings.HasPrefix(rel, base+"/")
}

// follow gives the upload the path that its folder has now. The caller holds the tree's names.
func (u *Upload) follow() {
	s := u.spot
	u.account.mu.Lock()
	rel := u.charge.dir
	u.account.mu.Unlock()
	if rel != s.rel {
		s.rel, s.at = rel, path.Join(s.m.at, rel, s.name)
	}
}

// shows answers fs.ErrNotExist where the session does not see a mount any more, at the path by which
// it came there: it may have left the group.
func (v *view) shows(m *mount, at string) error {
	now, _, err := v.resolve(at)
	if err == nil && (now == nil || now.key != m.key || !v.visible(m.canon)) {
		err = fs.ErrNotExist
	}
	return err
}
