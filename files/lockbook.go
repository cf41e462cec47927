package files

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"trivium/identity"
)

// lockBook holds the locks.
type lockBook struct {
	now    func() time.Time
	active func(context.Context, identity.UserID) bool

	mu      sync.Mutex // guards what follows
	tokens  map[string]*Lock
	trees   map[string]map[string][]*Lock // by key and rel
	holders map[identity.UserID]int
}

func newLockBook(o Options) *lockBook {
	return &lockBook{now: o.Now, active: o.Active, tokens: map[string]*Lock{}, trees: map[string]map[string][]*Lock{},
		holders: map[identity.UserID]int{}}
}

// newToken is a version 4 UUID (RFC 9562 section 5.4) as RFC 4918 section 6.5 wants it.
func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, as its documentation says
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return "urn:uuid:" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// drop forgets a lock. mu is held.
func (b *lockBook) drop(l *Lock) {
	if b.tokens[l.Token] != l {
		return
	}
	delete(b.tokens, l.Token)
	if b.holders[l.account]--; b.holders[l.account] <= 0 {
		delete(b.holders, l.account)
	}
	tree := b.trees[l.key]
	var rest []*Lock
	for _, other := range tree[l.rel] {
		if other != l {
			rest = append(rest, other)
		}
	}
	if tree[l.rel] = rest; len(rest) == 0 {
		delete(tree, l.rel)
	}
	if len(tree) == 0 {
		delete(b.trees, l.key)
	}
}

// sweep forgets what has expired. mu is held.
func (b *lockBook) sweep() {
	now := b.now()
	for _, l := range b.tokens {
		if !now.Before(l.until) {
			b.drop(l)
		}
	}
}

func (b *lockBook) sweepAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
}

// at lists the live locks that were put on that very entry. mu is held.
func (b *lockBook) at(key, rel string) (live []*Lock) {
	now := b.now()
	for _, l := range b.trees[key][rel] {
		if now.Before(l.until) {
			live = append(live, l)
		}
	}
	return live
}

// over lists the live locks that apply to an entry: its own, and the deep ones of the folders that
// it lies in. mu is held.
func (b *lockBook) over(key, rel string) []*Lock {
	if len(b.trees[key]) == 0 {
		return nil
	}
	found := b.at(key, rel)
	for rel != "" {
		rel = above(rel)
		for _, l := range b.at(key, rel) {
			if l.Deep {
				found = append(found, l)
			}
		}
	}
	return found
}

// below lists the live locks inside a folder, the folder itself not among it. mu is held.
func (b *lockBook) below(key, rel string) (found []*Lock) {
	for at := range b.trees[key] {
		if len(at) > len(rel) && strings.HasPrefix(at, rel+"/") {
			found = append(found, b.at(key, at)...)
		}
	}
	return found
}

// above is the folder that holds an entry; "" is the top.
func above(rel string) string { return rel[:strings.LastIndexByte(rel, '/')] }

// blocked gives a lock that stands against a change, or nil. mu is held.
func (b *lockBook) blocked(v *view, key, rel string, what lockSet) *Lock {
	if len(b.trees[key]) == 0 {
		return nil
	}
	if l := v.lacks(b.over(key, rel)); l != nil {
		return l
	}
	if what&aMember != 0 && rel != "" {
		up := above(rel)
		if l := v.lacks(b.at(key, up)); l != nil {
			return l
		}
	}
	if what&allInside != 0 {
		inside := map[string][]*Lock{}
		for _, l := range b.below(key, rel) {
			inside[l.rel] = append(inside[l.rel], l)
		}
		for _, locks := range inside {
			if l := v.lacks(locks); l != nil {
				return l
			}
		}
	}
	return nil
}

// orphaned reports whether the lock's account may not log in any more, and takes the lock away then.
func (b *lockBook) orphaned(ctx context.Context, l *Lock) bool {
	if b.active == nil || b.active(ctx, l.account) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(l)
	return true
}

// gone forgets the locks of an entry that has gone, and of all that was in it.
func (b *lockBook) gone(key, rel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.below(key, rel) {
		b.drop(l)
	}
	for _, l := range b.at(key, rel) {
		b.drop(l)
	}
}

// add puts the lock into the book, or gives the one that is in the way.
func (b *lockBook) add(l *Lock) (against *Lock, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.over(l.key, l.rel)
	if len(found) >= maxLocksOver {
		return nil, ErrLocks
	}
	if l.Deep {
		found = append(found, b.below(l.key, l.rel)...)
	}
	for _, other := range found {
		if !l.Shared || !other.Shared {
			return other, nil
		}
	}
	if len(b.tokens) >= maxLocks || b.holders[l.account] >= maxLocksAccount {
		if b.sweep(); len(b.tokens) >= maxLocks || b.holders[l.account] >= maxLocksAccount {
			return nil, ErrLocks
		}
	}
	if b.trees[l.key] == nil {
		b.trees[l.key] = map[string][]*Lock{}
	}
	b.tokens[l.Token] = l
	b.trees[l.key][l.rel] = append(b.trees[l.key][l.rel], l)
	b.holders[l.account]++
	return nil, nil
}

func (b *lockBook) remove(l *Lock) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(l)
}
