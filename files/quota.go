package files

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Quota is what a tree holds, and what it may.
type Quota struct {
	Bytes, Files           int64     // held; unfinished uploads, what they have set aside, trash and versions included
	LimitBytes, LimitFiles int64     // -1: none
	SoftBytes, SoftFiles   int64     // beyond them the grace begins; -1: none
	GraceEnds              time.Time // when the soft limits become limits; zero: the grace has not begun
	Free                   int64     // bytes that can still be written: the least of quota and disk; -1: unknown
}

// Quota returns the quota of the tree in which p lies, whether or not anything stands at p. A folder
// that only holds mounts has none, and its Free is -1.
func (t *Tree) Quota(ctx context.Context, p string) (Quota, error) {
	v, err := t.now()
	if err != nil {
		return Quota{}, failed("quota", p, err)
	}
	q, err := v.quota(ctx, p)
	return q, failed("quota", p, err)
}

func (v *view) quota(ctx context.Context, p string) (Quota, error) {
	at, err := Clean("/", p)
	if err != nil {
		return Quota{}, err
	}
	m, _, err := v.resolve(at)
	if err != nil {
		return Quota{}, err
	}
	if m == nil {
		return Quota{LimitBytes: -1, LimitFiles: -1, SoftBytes: -1, SoftFiles: -1, Free: -1}, nil
	}
	if !v.visible(m.canon) {
		return Quota{}, fs.ErrNotExist
	}
	a, err := v.s.counted(ctx, m)
	if err != nil {
		return Quota{}, err
	}
	q := v.s.quotaOf(a)
	free, err := v.s.free(ctx, m.key)
	if q.Free < 0 || free >= 0 && free < q.Free {
		q.Free = free
	}
	return q, err
}

// quotaOf reads an account whose limits are known. Free is what the quota leaves.
func (s *Service) quotaOf(a *account) Quota {
	a.mu.Lock()
	defer a.mu.Unlock()
	soft := s.soft(a.limits)
	q := Quota{Bytes: a.bytes, Files: a.files, LimitBytes: a.limits.bytes, LimitFiles: a.limits.files,
		SoftBytes: soft.bytes, SoftFiles: soft.files, Free: -1}
	if !a.softSince.IsZero() && a.beyond(soft) {
		q.GraceEnds = a.softSince.Add(s.o.SoftGrace)
	}
	if most, _ := s.most(a); most.bytes >= 0 {
		q.Free = most.left(a)
	}
	return q
}

// free is what the storage of a tree has left; -1: nobody knows.
func (s *Service) free(ctx context.Context, key string) (int64, error) {
	top, err := s.o.Backend.Tree(ctx, key, true)
	if err != nil {
		return -1, err
	}
	defer top.Close()
	n, err := top.Free(ctx)
	if errors.Is(err, ErrUnsupported) {
		return -1, nil
	}
	return n, err
}

// Usage returns the bytes that the session's home holds, unfinished uploads and reservations
// included, and its limit (-1: none); false where there is no home.
func (t *Tree) Usage(ctx context.Context) (used, limit int64, ok bool) {
	v, err := t.now()
	if err != nil || v.c.Anonymous() {
		return 0, 0, false
	}
	m := v.home()
	a, err := v.s.counted(ctx, m)
	if err != nil {
		return 0, 0, false
	}
	used, _ = a.usage()
	return used, m.limitBytes, true
}
