package identity

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// Bans lists the bans that hold now, the newest first: those that this node has decided and
// those in the store.
func (s *Service) Bans(ctx context.Context) ([]Ban, error) {
	stored, err := s.store.Bans(ctx)
	if err != nil {
		return nil, err
	}
	byPrefix := map[string]Ban{}
	for _, b := range stored {
		byPrefix[b.Prefix] = b
	}
	for _, b := range s.throttle.allBans() { // newer than what is written behind
		byPrefix[b.Prefix] = b
	}
	var out []Ban
	now := s.now()
	for _, b := range byPrefix {
		if b.Until.After(now) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b Ban) int {
		if c := b.Since.Compare(a.Since); c != 0 {
			return c
		}
		return strings.Compare(a.Prefix, b.Prefix)
	})
	return out, nil
}

// LiftBan ends a ban and forgets how often its prefix has had one. prefix may be an address; the
// ban of its block is meant then.
func (s *Service) LiftBan(ctx context.Context, by Actor, prefix string) error {
	if !by.Level.Allows(changeAccounts) {
		return faultf(ErrRefused, "lifting bans needs the level %s; yours is %s", changeAccounts, by.Level)
	}
	p, err := parsePrefix(prefix)
	if err != nil {
		return err
	}
	// The live table first, so that what is still to be written behind finds the ban gone.
	live := s.throttle.lift(p)
	return s.edit(ctx, by, func(e *edit) error {
		err := e.RemoveBan(ctx, p.String())
		if errors.Is(err, ErrNotFound) && !live {
			return faultf(ErrNotFound, "%s is not banned", p)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		e.note("ban.lift", p.String(), nil, nil)
		return nil
	})
}

func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, faultf(ErrInvalid, "%q is neither an address nor a prefix; write one such as 192.0.2.1 or 2001:db8::/64", s)
	}
	return prefixOf(a), nil
}

// allBans returns every ban of the live table, past ones too.
func (t *throttle) allBans() []Ban {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Ban
	for _, e := range t.bans.entries {
		if b := e.Value.(*recentEntry[netip.Prefix, banState]).value.Ban; b.Prefix != "" {
			out = append(out, b)
		}
	}
	return out
}

// lift takes a ban off the live table with the failures that led to it, and reports whether one
// held.
func (t *throttle) lift(p netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.banLeft(p) > 0
	if e, ok := t.bans.entries[p]; ok {
		t.bans.order.Remove(e)
		delete(t.bans.entries, p)
	}
	if s := t.prefixes.peek(p); s != nil {
		s.failures = nil
	}
	return held
}
