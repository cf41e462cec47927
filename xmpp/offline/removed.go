package offline

import (
	"context"

	"trivium/identity"
)

// maxRemoved is of how many removed accounts it is kept in mind: more than can still have clients, or
// messages on their way.
const maxRemoved = 10_000

// removed knows the accounts that were removed last. What was on its way to them comes later than
// their end, and nobody would ever take it away. Offline.mu guards it.
type removed struct {
	ids   map[identity.UserID]struct{}
	order []identity.UserID // a ring, once it is full
	next  int
}

func (r *removed) add(id identity.UserID) {
	if _, known := r.ids[id]; known {
		return
	}
	if r.ids == nil {
		r.ids = make(map[identity.UserID]struct{})
	}
	r.ids[id] = struct{}{}
	if len(r.order) < maxRemoved {
		r.order = append(r.order, id)
		return
	}
	delete(r.ids, r.order[r.next])
	r.order[r.next] = id
	r.next = (r.next + 1) % maxRemoved
}

// forget removes all that waits for an account that has been removed, and all that is yet to come.
func (o *Offline) forget(ctx context.Context, id identity.UserID) error {
	o.mu.Lock()
	o.gone.add(id)
	o.mu.Unlock()
	return o.dropAll(ctx, id)
}

func (o *Offline) dropAll(ctx context.Context, id identity.UserID) error {
	_, err := o.store.DropAll(ctx, id, 1<<62)
	return err
}

// dropGone removes what was written for accounts that have been removed: of those who are noted before
// the write ends it is here, of those who are noted later in [Offline.forget].
func (o *Offline) dropGone(ctx context.Context, list []Waiting) {
	var ids []identity.UserID
	o.mu.Lock()
	for _, w := range list {
		if _, gone := o.gone.ids[w.Owner]; gone {
			ids = append(ids, w.Owner)
		}
	}
	o.mu.Unlock()
	for _, id := range ids {
		if err := o.dropAll(ctx, id); err != nil {
			o.log.Error("messages for a removed account were not removed", "id", string(id), "error", err)
		}
	}
}
