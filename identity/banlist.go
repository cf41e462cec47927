package identity

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Bounds of bans that people set; those that rules make are bounded by maxTracked.
const (
	maxManualBans = 10000
	maxBanAllows  = 1000
	maxManualFor  = 10 * 365 * 24 * time.Hour
)

// banList is the bans that hold, and what is never banned. throttle.mu guards it.
type banList struct {
	now    func() time.Time
	auto   *recent[netip.Prefix, Ban] // past ones too: they make the next one longer
	manual map[netip.Prefix]*Ban
	sizes  [2]map[int]int // of IPv4 and IPv6: how many prefixes there are of each length
	within map[netip.Prefix]map[netip.Prefix]struct{}
	allows []netip.Prefix
}

func newBanList(now func() time.Time) *banList {
	l := &banList{now: now, manual: map[netip.Prefix]*Ban{}, within: map[netip.Prefix]map[netip.Prefix]struct{}{}}
	l.sizes[0], l.sizes[1] = map[int]int{}, map[int]int{}
	l.auto = newRecent[netip.Prefix](maxTracked, func(b *Ban) {
		if p, err := netip.ParsePrefix(b.Prefix); err == nil {
			l.unlink(p)
		}
	})
	return l
}

// wider is the block that p's bans are counted in; false where there is none.
func wider(p netip.Prefix) (netip.Prefix, bool) {
	bits := -1
	switch {
	case p.Addr().Is4() && p.Bits() == prefixBits4:
		bits = 24
	case p.Addr().Is6() && p.Bits() == prefixBits6:
		bits = 56
	case p.Addr().Is6() && p.Bits() == 56:
		bits = 48
	default:
		return netip.Prefix{}, false
	}
	w, err := p.Addr().Prefix(bits)
	return w, err == nil
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// link and unlink note that there is a prefix, and that there is none.
func (l *banList) link(p netip.Prefix) {
	l.sizes[family(p.Addr())][p.Bits()]++
	if w, ok := wider(p); ok {
		if l.within[w] == nil {
			l.within[w] = map[netip.Prefix]struct{}{}
		}
		l.within[w][p] = struct{}{}
	}
}

func (l *banList) unlink(p netip.Prefix) {
	sizes := l.sizes[family(p.Addr())]
	if sizes[p.Bits()]--; sizes[p.Bits()] <= 0 {
		delete(sizes, p.Bits())
	}
	if w, ok := wider(p); ok {
		delete(l.within[w], p)
		if len(l.within[w]) == 0 {
			delete(l.within, w)
		}
	}
}

// put enters a ban in the place of an older one of its prefix, or takes out one that was lifted.
func (l *banList) put(b Ban) {
	p, err := netip.ParsePrefix(b.Prefix)
	if err != nil {
		return
	}
	p = p.Masked()
	if old := l.at(p); old != nil {
		b.Hits = old.Hits
		if old.Kind == BanManual != (b.Kind == BanManual) || b.Until.IsZero() {
			l.drop(p)
		} else {
			*old = b
			return
		}
	}
	if b.Until.IsZero() {
		return
	}
	l.link(p)
	if b.Kind == BanManual {
		l.manual[p] = &b
		return
	}
	*l.auto.get(p) = b
}

// at is the ban of a prefix, past ones too; nil: none.
func (l *banList) at(p netip.Prefix) *Ban {
	if b := l.manual[p]; b != nil {
		return b
	}
	return l.auto.peek(p)
}

func (l *banList) drop(p netip.Prefix) {
	if l.at(p) == nil {
		return
	}
	l.unlink(p)
	delete(l.manual, p)
	if e, ok := l.auto.entries[p]; ok {
		l.auto.order.Remove(e)
		delete(l.auto.entries, p)
	}
}

// held is the ban of a prefix that holds now; nil: none.
func (l *banList) held(p netip.Prefix) *Ban {
	if b := l.at(p); b != nil && b.Until.After(l.now()) {
		return b
	}
	return nil
}

// allowed reports whether an address is never banned.
func (l *banList) allowed(a netip.Addr) bool {
	return slices.ContainsFunc(l.allows, func(p netip.Prefix) bool { return p.Contains(a) })
}

// of is the ban that an address is under: of several the one that lets least through, and of these
// the one that ends last; nil: none.
func (l *banList) of(a netip.Addr) *Ban {
	a = a.Unmap().WithZone("")
	sizes := l.sizes[family(a)]
	if !a.IsValid() || len(sizes) == 0 || l.allowed(a) {
		return nil
	}
	var worst *Ban
	for bits := range sizes {
		p, err := a.Prefix(bits)
		if err != nil {
			continue
		}
		if b := l.held(p); b != nil && (worst == nil || cmp.Or(cmp.Compare(b.Kind.rank(), worst.Kind.rank()), b.Until.Compare(worst.Until)) > 0) {
			worst = b
		}
	}
	return worst
}

// rank orders kinds by how little they let through.
func (k BanKind) rank() int { return slices.Index([]BanKind{BanWidened, BanGuessing, BanManual}, k) }

// crowded reports whether many of the blocks within w are banned now.
func (l *banList) crowded(w netip.Prefix, many int) bool {
	if many <= 0 || len(l.within[w]) < many {
		return false
	}
	n := 0
	for p := range l.within[w] {
		if b := l.held(p); b != nil && b.Kind != BanManual {
			n++
		}
	}
	return n >= many
}

// all lists every ban that holds.
func (l *banList) all() []Ban {
	var out []Ban
	add := func(b *Ban) {
		if b.Until.After(l.now()) {
			out = append(out, *b)
		}
	}
	for _, b := range l.manual {
		add(b)
	}
	for e := l.auto.order.Front(); e != nil; e = e.Next() {
		add(&e.Value.(*recentEntry[netip.Prefix, Ban]).value)
	}
	return out
}
