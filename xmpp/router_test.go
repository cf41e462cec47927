package xmpp

import (
	"sync"
	"testing"

	"mellium.im/xmpp/jid"
)

// populated is a router with one account that has two resources.
func populated(tb testing.TB) (*Router, jid.JID) {
	tb.Helper()
	r := newRouter(Options{Domains: []string{"example.org"}})
	full := jid.MustParse("alice@example.org/phone")
	for _, name := range []string{"desk", "phone"} {
		s := &Stream{}
		s.res = resource{Address: addressOf(full), name: name, available: true, priority: 1}
		r.bound[s.res.Address] = append(r.bound[s.res.Address], s)
	}
	return r, full
}

// Finding whom a stanza is for takes no memory.
func TestLookupsDoNotAllocate(t *testing.T) {
	r, full := populated(t)
	bare := full.Bare()
	for name, look := range map[string]func() int{
		"full JID": func() int {
			if r.at(full) != nil {
				return 1
			}
			return 0
		},
		"most available": func() int {
			var buf [usual]*Stream
			return len(r.mostAvailable(buf[:0], addressOf(bare)))
		},
		"available": func() int {
			var buf [usual]*Stream
			return len(r.pick(buf[:0], addressOf(bare), isAvailable))
		},
	} {
		if look() == 0 {
			t.Errorf("%s: nobody found", name)
		}
		if n := testing.AllocsPerRun(100, func() { look() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Whoever takes two books takes them in one order, also where both are the same.
func TestBooks(t *testing.T) {
	r := newRouter(Options{Domains: []string{"example.org"}})
	var list []Address
	for _, l := range "abcdefghijklmnopqrstuvwxyz" {
		list = append(list, Address{string(l), "example.org"})
	}
	held := make(map[Address]bool)
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range list {
		group.Go(func() {
			for n := range 200 {
				a, b := list[i], list[(i*7+n)%len(list)]
				unlock := r.lock(a, b)
				mu.Lock()
				if held[a] || held[b] {
					t.Errorf("the book of %v or %v is held twice", a, b)
				}
				held[a], held[b] = true, true
				mu.Unlock()
				mu.Lock()
				held[a], held[b] = false, false
				mu.Unlock()
				unlock()
			}
		})
	}
	group.Wait()
}
