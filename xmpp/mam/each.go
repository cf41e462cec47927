package mam

import (
	"context"

	"trivium/identity"
)

// Each calls fn with every message of an archive that is there when it begins, the oldest first,
// until fn returns an error: for who takes an account elsewhere (XEP-0227).
func Each(ctx context.Context, s Store, owner identity.UserID, fn func(Stored) error) error {
	_, last, err := s.Bounds(ctx, owner)
	if err != nil || last == 0 {
		return err
	}
	q := Query{End: last.Time(), Max: maxPage, Bytes: pageBytes}
	for {
		p, err := s.Page(ctx, owner, q)
		if err != nil {
			return err
		}
		for _, m := range p.Messages {
			if err := fn(m); err != nil {
				return err
			}
			q.After = m.ID
		}
		if p.Complete {
			return nil
		}
	}
}

// Each is the function Each on the archive's store.
func (a *Archive) Each(ctx context.Context, owner identity.UserID, fn func(Stored) error) error {
	return Each(ctx, a.store, owner, fn)
}

// ExportPrefs is the function ExportPrefs on the archive's store.
func (a *Archive) ExportPrefs(ctx context.Context, owner identity.UserID) ([]byte, error) {
	return ExportPrefs(ctx, a.store, owner)
}
