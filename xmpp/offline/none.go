package offline

import (
	"context"

	"trivium/identity"
)

// maxNone is of how many accounts it is kept in mind that nothing waits.
const maxNone = 4096

// none knows accounts for which nothing waits, so that their clients come without a question to the
// store. This process alone keeps messages. Offline.mu guards it.
type none struct {
	of      map[identity.UserID]struct{}
	writing map[identity.UserID]int // how many writes for an account are under way
}

// write keeps messages. While it does, and after it, their owners are none of whom nothing waits.
func (o *Offline) write(ctx context.Context, list []Waiting, max int) ([]bool, error) {
	o.mu.Lock()
	if o.none.writing == nil {
		o.none.writing = make(map[identity.UserID]int)
	}
	for _, w := range list {
		o.none.writing[w.Owner]++
		delete(o.none.of, w.Owner)
		if f := o.floods[w.Owner]; f != nil {
			f.crossed = true
		}
	}
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, w := range list {
			if o.none.writing[w.Owner]--; o.none.writing[w.Owner] == 0 {
				delete(o.none.writing, w.Owner)
			}
		}
	}()
	kept, err := o.store.Keep(ctx, list, max)
	if err == nil {
		o.dropGone(ctx, list)
	}
	return kept, err
}

// nothing notes that a flood has found nothing that waits, unless a message may have been written
// meanwhile.
func (o *Offline) nothing(f *flood) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.crossed || o.floods[f.owner.ID] != f {
		return
	}
	for other := range o.none.of {
		if len(o.none.of) < maxNone {
			break
		}
		delete(o.none.of, other)
	}
	if o.none.of == nil {
		o.none.of = make(map[identity.UserID]struct{})
	}
	o.none.of[f.owner.ID] = struct{}{}
}
