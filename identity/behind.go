package identity

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// Bounds of what is written behind.
const (
	maxBehind    = 4096
	behindBatch  = 256
	flushTimeout = 5 * time.Second
)

// job is one write that nobody waits for.
type job func(context.Context, StoreWriter) error

// behind writes what need not be durable at once (audit of log-ins, last log-in, bans) in
// batches. Its queue is bounded, so that a storm of wrong log-ins fills neither memory nor store;
// what finds no room is counted and dropped.
type behind struct {
	store Store
	log   *slog.Logger
	queue chan job
	lost  atomic.Int64
}

func newBehind(store Store, log *slog.Logger) *behind {
	return &behind{store: store, log: log, queue: make(chan job, maxBehind)}
}

func (b *behind) push(j job) {
	select {
	case b.queue <- j:
	default:
		b.lost.Add(1)
	}
}

// run writes until ctx ends, and then what is left.
func (b *behind) run(ctx context.Context) {
	for {
		select {
		case j := <-b.queue:
			b.write(ctx, j)
		case <-ctx.Done():
			b.flush(ctx)
			return
		}
	}
}

// flush writes all that is queued.
func (b *behind) flush(ctx context.Context) {
	for {
		select {
		case j := <-b.queue:
			b.write(ctx, j)
		default:
			return
		}
	}
}

// write commits first and what is queued behind it as one transaction. If that fails each has
// one of its own, so that one bad write costs itself alone.
func (b *behind) write(ctx context.Context, first job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	batch := []job{first}
	for len(batch) < behindBatch {
		select {
		case j := <-b.queue:
			batch = append(batch, j)
			continue
		default:
		}
		break
	}
	err := b.store.Write(ctx, func(w StoreWriter) error {
		for _, j := range batch {
			if err := j(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, j := range batch {
			err := b.store.Write(ctx, func(w StoreWriter) error { return j(ctx, w) })
			if err != nil && !errors.Is(err, ErrNotFound) { // the account may be gone meanwhile
				b.log.Error("writing behind", "err", err)
			}
		}
	}
	if n := b.lost.Swap(0); n > 0 {
		b.log.Warn("audit rows dropped, the queue was full", "rows", n)
	}
}
