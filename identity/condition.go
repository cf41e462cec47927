package identity

import (
	"context"
	"sync/atomic"
)

// Condition is what a change hangs on: it is looked at in the transaction of the change, so that nobody
// changes anything between the look and the write. It counts for the first change that is committed with
// it: what an operation writes after that rests on its own first step.
type Condition struct {
	holds func(context.Context, StoreReader) error
	met   atomic.Bool
}

// NewCondition makes one of a question; an error of holds is the error of the change, which does not
// happen then. holds may be asked more than once, and must only read.
func NewCondition(holds func(context.Context, StoreReader) error) *Condition {
	return &Condition{holds: holds}
}

// Met reports whether a change was committed with the condition.
func (c *Condition) Met() bool { return c != nil && c.met.Load() }

func (c *Condition) check(ctx context.Context, r StoreReader) error {
	if c == nil || c.met.Load() {
		return nil
	}
	return c.holds(ctx, r)
}

func (c *Condition) done() {
	if c != nil {
		c.met.Store(true)
	}
}

// Provided is the actor whose changes of accounts, groups, rules, invitations and applications happen
// only where c holds.
func (a Actor) Provided(c *Condition) Actor {
	a.only = c
	return a
}
