package provider

import (
	"net/netip"
	"sync"
	"time"

	"trivium/identity"
)

// misses counts refused requests by address, so that guessing and broken programs cost little.
type misses struct {
	mu sync.Mutex // guards by
	by map[netip.Prefix]*missed
}

type missed struct {
	since time.Time
	n     int
}

func newMisses() *misses { return &misses{by: map[netip.Prefix]*missed{}} }

// wait is how long an address has to wait; 0: not at all.
func (m *misses) wait(a netip.Addr, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.by[identity.BlockOf(a)]
	if x == nil || x.n < wrongMost {
		return 0
	}
	return max(0, wrongWindow-now.Sub(x.since))
}

func (m *misses) add(a netip.Addr, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.by[identity.BlockOf(a)]
	if x == nil || now.Sub(x.since) >= wrongWindow {
		if len(m.by) >= maxAddress {
			clear(m.by)
		}
		x = &missed{since: now}
		m.by[identity.BlockOf(a)] = x
	}
	x.n++
}
