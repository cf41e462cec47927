package pubsub

import (
	"sync"
	"time"

	"trivium/identity"
)

// maxPaced is of how many accounts it is kept in mind how much they have changed of late.
const maxPaced = 100_000

// pace bounds how fast an account changes nodes, its own or those of others: each change may be told
// to very many. An account may do Burst changes at once, and then PerMinute of them.
type pace struct {
	mu   sync.Mutex
	full map[identity.UserID]time.Time // when an account may do Burst changes again; before now: it may
}

// take takes one change; false where the account has to wait.
func (p *pace) take(id identity.UserID, now time.Time, l *Limits) bool {
	if l.PerMinute <= 0 {
		return true
	}
	each := time.Minute / time.Duration(l.PerMinute)
	p.mu.Lock()
	defer p.mu.Unlock()
	full := p.full[id]
	if full.Before(now) {
		full = now
	}
	if full = full.Add(each); full.Sub(now) > time.Duration(l.Burst)*each {
		return false
	}
	if p.full == nil {
		p.full = make(map[identity.UserID]time.Time)
	}
	if _, known := p.full[id]; !known && len(p.full) >= maxPaced {
		p.shrink(now)
	}
	p.full[id] = full
	return true
}

// shrink forgets those who have not changed anything for long, or any at all where there are none.
func (p *pace) shrink(now time.Time) {
	for id, full := range p.full {
		if !full.After(now) {
			delete(p.full, id)
		}
	}
	for id := range p.full {
		if len(p.full) < maxPaced {
			break
		}
		delete(p.full, id)
	}
}
