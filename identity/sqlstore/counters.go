package sqlstore

import (
	"context"
	"fmt"
	"math"

	"trivium/identity"
)

// ChangeSeq implements identity.Store.
func (r reader) ChangeSeq(ctx context.Context) (int64, error) {
	var seq int64
	err := r.q.QueryRowContext(ctx, `SELECT value FROM identity_counters WHERE name = 'change'`).Scan(&seq)
	return seq, unavailable("reading the sequence of changes", err)
}

// nextChange gives out the next change sequence. The row is locked until the commit, so the order
// of the numbers is that of the commits and a reader that asks for what is above one misses none.
func (w *writer) nextChange(ctx context.Context) (int64, error) { return w.nextChanges(ctx, 1) }

// nextChanges gives out n of them, and returns the first.
func (w *writer) nextChanges(ctx context.Context, n int) (int64, error) {
	var last int64
	err := w.tx.QueryRowContext(ctx, `UPDATE identity_counters SET value = value + $1
		WHERE name = 'change' RETURNING value`, n).Scan(&last)
	return last - int64(n) + 1, unavailable("raising the sequence of changes", err)
}

// NextID implements identity.StoreWriter. The numbers of nobody in 16 bits, identity.AnonymousID
// and the one above it, are left out.
func (w *writer) NextID(ctx context.Context, floor uint32) (uint32, error) {
	for {
		var id int64
		err := w.tx.QueryRowContext(ctx, `UPDATE identity_counters
			SET value = CASE WHEN value + 1 < $1 THEN $1 ELSE value + 1 END
			WHERE name = 'id' RETURNING value`, int64(floor)).Scan(&id)
		if err != nil {
			return 0, unavailable("taking the next uid", err)
		}
		if id >= math.MaxUint32 {
			return 0, fmt.Errorf("all uid and gid numbers have been given out: %w", identity.ErrUnavailable)
		}
		if id != 0 && id != identity.AnonymousID && id != identity.AnonymousID+1 {
			return uint32(id), nil
		}
	}
}

// raiseID notes that a number was chosen by hand.
func (w *writer) raiseID(ctx context.Context, id uint32) error {
	_, err := w.exec(ctx, "noting a uid", `UPDATE identity_counters SET value = $1 WHERE name = 'id' AND value < $1`, int64(id))
	return err
}
