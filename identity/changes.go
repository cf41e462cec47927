package identity

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
)

// OnChange subscribes to changes of accounts and groups, before Run. fn gets the accounts that a
// change concerns (those that were removed, and all members of a group that changed, among them)
// once their sessions have been looked at: here before the operation returns, of what another
// process changed within a second. A change may be told more than once. fn is called without
// locks, by the goroutine that made the change, and changes no accounts.
func (s *Service) OnChange(fn func(ctx context.Context, ids []UserID)) {
	s.onChange = append(s.onChange, fn)
}

func (s *Service) tellChange(ctx context.Context, ids []UserID) {
	for _, fn := range s.onChange {
		fn(ctx, ids)
	}
}

// removedSetting begins the names of the settings that say how far a sweep has come.
const removedSetting = "swept_"

// RemovedSweep finds accounts that have been removed, each once over all starts, for somebody who
// keeps things of accounts that identity does not know.
type RemovedSweep struct {
	service *Service
	name    string
	forget  func(ctx context.Context, id UserID) error

	mu      sync.Mutex // held while it runs
	seq     int64      // how far it has come; -1: not known yet
	written int64      // what the store has of that
}

// sweptBehind is how many changes a start may look at again, so that not each is written.
const sweptBehind = 1000

// SweepRemoved prepares a sweep; name tells it from others. forget must be safe to call again for
// the same account.
func (s *Service) SweepRemoved(name string, forget func(ctx context.Context, id UserID) error) *RemovedSweep {
	return &RemovedSweep{service: s, name: removedSetting + name, forget: forget, seq: -1}
}

// Run calls forget for each account that has been removed since the last one that went well. An
// error ends it, and the next Run begins with the same account.
func (w *RemovedSweep) Run(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seq < 0 {
		seq, err := w.mark(ctx)
		if err != nil {
			return err
		}
		w.seq, w.written = seq, seq
	}
	top, err := w.service.store.ChangeSeq(ctx) // before the accounts: none of those that come later is passed over
	if err != nil {
		return fmt.Errorf("looking for removed accounts: %w", err)
	}
	gone := false
	for more := true; more; {
		removed, err := w.service.store.AccountsRemoved(ctx, w.seq, pollPage)
		if err != nil {
			return fmt.Errorf("looking for removed accounts: %w", err)
		}
		for _, a := range removed {
			gone = true
			if err := w.forget(ctx, a.ID); err != nil {
				return fmt.Errorf("forgetting the removed account %s: %w", a.ID, err)
			}
			w.seq = a.ChangeSeq
		}
		more = len(removed) == pollPage
	}
	w.seq = max(w.seq, top)
	if !gone && w.seq-w.written < sweptBehind {
		return nil
	}
	err = w.service.store.Write(ctx, func(tx StoreWriter) error {
		return tx.PutSetting(ctx, w.name, strconv.FormatInt(w.seq, 10))
	})
	if err != nil {
		return fmt.Errorf("writing how far removed accounts were swept: %w", err)
	}
	w.written = w.seq
	return nil
}

// mark reads how far the sweep came in its last life.
func (w *RemovedSweep) mark(ctx context.Context) (int64, error) {
	text, err := w.service.store.Setting(ctx, w.name)
	if errors.Is(err, ErrNotFound) || err == nil && text == "" {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading how far removed accounts were swept: %w", err)
	}
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, nil // it only costs a longer look
	}
	return seq, nil
}
