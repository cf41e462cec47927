package sqlstore

import "context"

// FoldAt is o with another length of the tail at which the index is written.
func FoldAt(o Options, n int) Options {
	o.foldAt = n
	return o
}

// Fold writes the index now.
func (s *Store) Fold(ctx context.Context) error {
	if err := s.settleAll(ctx); err != nil {
		return err
	}
	return s.fold(ctx)
}
