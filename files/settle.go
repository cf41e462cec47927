package files

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// settleEvery is how often trees that have come to rest are looked for, and restFor how long nobody
// must have changed one: a tree that is marked costs nothing more while it is in use.
const (
	settleEvery = 2 * time.Second
	restFor     = 5 * time.Second
)

// Run writes the counts of trees behind until ctx ends, and then all those that nobody uses. After
// it, changes are still marked, and the trees counted at the next start.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		rest, last := restFor, false
		select {
		case <-tick.C:
		case <-ctx.Done():
			rest, last = 0, true
		}
		// What has begun is written, though ctx ends meanwhile.
		if err := s.Settle(context.WithoutCancel(ctx), rest); err != nil {
			s.o.Log.Error("files: the quota counts were not written; trees in use are counted again after the next start", "err", err)
		}
		if last {
			return
		}
	}
}

// Settle writes the counts of the trees that nobody changes and nobody has changed for rest.
func (s *Service) Settle(ctx context.Context, rest time.Duration) error {
	if s.o.Usage == nil {
		return nil
	}
	var rows []UsageRow
	var undo []func()
	for _, a := range s.ledger.all() {
		if !a.row.TryLock() {
			continue // it is being counted, or begins to be used
		}
		r, taken := a.settle(s.now().Add(-rest))
		if !taken {
			a.row.Unlock()
			continue
		}
		defer a.row.Unlock() // who is about to change the tree waits until this is written
		rows = append(rows, r)
		undo = append(undo, func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.noted, a.stale = true, a.stored == storedClean
		})
	}
	if len(rows) == 0 {
		return nil
	}
	err := s.o.Usage.PutUsage(ctx, rows...)
	if err != nil {
		for _, fn := range undo {
			fn()
		}
	}
	return err
}

// settle says what is to be written of a tree: its counts where it has rested since before, else
// what is new about its soft limit. The caller holds a.row.
func (a *account) settle(before time.Time) (r UsageRow, write bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.counted:
		return r, false
	case (a.stored != storedClean || a.stale) && a.busy == 0 && !a.rested.After(before):
		a.stored, a.stale, a.noted = storedClean, false, false
		return a.asRow(false), true
	case a.stored != storedClean && a.noted:
		a.stored, a.noted = storedDirty, false
		return a.asRow(true), true
	}
	return r, false
}

// sweepUsage drops the rows of trees that are no more.
func (s *Service) sweepUsage(ctx context.Context) error {
	if s.o.Usage == nil {
		return nil
	}
	rows, err := s.o.Usage.Usages(ctx)
	if err != nil {
		return err
	}
	var gone []string
	for _, r := range rows {
		switch err := s.exists(ctx, r.Key); {
		case errors.Is(err, fs.ErrNotExist):
			gone = append(gone, r.Key)
		case err != nil:
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return s.o.Usage.DropUsage(ctx, gone...)
}
