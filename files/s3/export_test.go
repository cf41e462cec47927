package s3

import (
	"context"
	"time"
)

// SweepBefore is Sweep with another clock.
func (s *Store) SweepBefore(ctx context.Context, before time.Time) (int, error) {
	return s.sweep(ctx, before)
}

const (
	ChunkSize = chunkSize
	TailSize  = tailSize
)

// SetStall is how long the storage may be silent.
func (s *Store) SetStall(d time.Duration) { s.stall = d }
