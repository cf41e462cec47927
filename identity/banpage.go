package identity

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
)

// ErrConfirm is the refusal of a ban that wants to be said twice: NewBan.Confirm. It is an ErrRefused.
var ErrConfirm error = &fault{ErrRefused, "it has to be confirmed"}

// BanFilter chooses bans; zero fields choose all.
type BanFilter struct {
	Kind BanKind
	Text string // part of prefix, reason or who has set it, in any case; or an address that it holds
}

// BanKey is what a list of bans is ordered by.
type BanKey string

// The keys; what is equal by one of them stands the newest first.
const (
	BanBySince  BanKey = "since"
	BanByUntil  BanKey = "until"
	BanByPrefix BanKey = "prefix"
	BanByCount  BanKey = "count"
	BanByHits   BanKey = "hits"
	BanByReason BanKey = "reason"
	BanByActor  BanKey = "by"
)

// BanKeys lists them.
func BanKeys() []BanKey {
	return []BanKey{BanBySince, BanByUntil, BanByPrefix, BanByCount, BanByHits, BanByReason, BanByActor}
}

// ParseBanSort reads a key, with a minus sign before it for the other way round; "" is the newest first.
// The error wraps ErrInvalid and lists the keys.
func ParseBanSort(s string) (key BanKey, down bool, err error) {
	if s == "" {
		return BanBySince, true, nil
	}
	name, down := strings.CutPrefix(s, "-")
	if key = BanKey(name); !slices.Contains(BanKeys(), key) {
		var names []string
		for _, k := range BanKeys() {
			names = append(names, string(k))
		}
		return "", false, faultf(ErrInvalid, "%q is nothing to sort by; bans are sorted by %s, with a minus sign before it the other way round", s, strings.Join(names, ", "))
	}
	return key, down, nil
}

// BanPage returns the bans that hold now and that f chooses, in an order, limit of them from offset on
// (0: all), and how many f chooses in all.
func (s *Service) BanPage(ctx context.Context, f BanFilter, key BanKey, down bool, offset, limit int) (list []Ban, total int, err error) {
	all, err := s.Bans(ctx)
	if err != nil {
		return nil, 0, err
	}
	f.Text = strings.ToLower(strings.TrimSpace(f.Text))
	addr, err := netip.ParseAddr(f.Text)
	if err == nil {
		addr = addr.Unmap().WithZone("")
	}
	all = slices.DeleteFunc(all, func(b Ban) bool { return !f.chooses(&b, addr) })
	slices.SortStableFunc(all, func(a, b Ban) int { // stable: the newest stand first
		c := compareBans(&a, &b, key)
		if down {
			return -c
		}
		return c
	})
	total = len(all)
	all = all[min(max(offset, 0), total):]
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	return all, total, nil
}

func (f *BanFilter) chooses(b *Ban, addr netip.Addr) bool {
	if f.Kind != "" && f.Kind != b.Kind {
		return false
	}
	if p, err := netip.ParsePrefix(b.Prefix); err == nil && addr.IsValid() {
		return p.Contains(addr)
	}
	return f.Text == "" || containsFold(b.Prefix, f.Text) || containsFold(b.Reason, f.Text) || containsFold(b.Actor, f.Text)
}

func compareBans(a, b *Ban, key BanKey) int {
	switch key {
	case BanByUntil:
		return a.Until.Compare(b.Until)
	case BanByPrefix:
		p, _ := netip.ParsePrefix(a.Prefix) // what cannot be read comes first
		q, _ := netip.ParsePrefix(b.Prefix)
		return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()))
	case BanByCount:
		return cmp.Compare(a.Count, b.Count)
	case BanByHits:
		return cmp.Compare(a.Hits, b.Hits)
	case BanByReason:
		return strings.Compare(a.Reason, b.Reason)
	case BanByActor:
		return strings.Compare(a.Actor, b.Actor)
	}
	return a.Since.Compare(b.Since)
}
