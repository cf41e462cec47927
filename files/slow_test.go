package files_test

import (
	"context"
	"io/fs"
	"sync/atomic"
	"time"

	"trivium/files"
)

// slow is a store of checksums that keeps none; switched on, it lets who asks wait until they have gone.
type slow struct {
	on    atomic.Bool
	began chan struct{}
}

func newSlow() *slow { return &slow{began: make(chan struct{})} }

func (s *slow) Sum(ctx context.Context, _ files.SumKey) ([]byte, error) {
	if s.on.Load() {
		s.began <- struct{}{}
		<-ctx.Done()
	}
	return nil, fs.ErrNotExist
}

func (*slow) PutSum(context.Context, files.SumKey, []byte, time.Time) error { return nil }
func (*slow) PruneSums(context.Context, time.Time, int) error               { return nil }
