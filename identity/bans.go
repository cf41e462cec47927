package identity

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// How far the bans of moderators go; administrators' go as far as they like.
const (
	moderatorBan   = 24 * time.Hour
	moderatorBits4 = prefixBits4
	moderatorBits6 = prefixBits6
	defaultManual  = 24 * time.Hour
	maxBanReason   = 200 // bytes
	banSweepEach   = time.Hour
	wideBits4      = 8 // what is wider than that is most of the internet, and wants to be said twice
	wideBits6      = 19
)

// NewBan is what AddBan needs.
type NewBan struct {
	Prefix  string        // an address or CIDR
	For     time.Duration // 0: a day
	Reason  string
	Confirm bool // also where it holds the actor's own address, or most of the internet
}

// BanCheck says what holds for an address.
type BanCheck struct {
	Address  string    `json:"address"`
	Banned   bool      `json:"banned"`
	Ban      *Ban      `json:"ban"`      // the one that decides
	Allowed  *BanAllow `json:"allowed"`  // why it is never banned
	Familiar bool      `json:"familiar"` // a token was right from there lately: one may come again in spite of a ban for guessing
	Failures int       `json:"failures"` // that count towards a ban now
}

// Bans lists the bans that hold now, the newest first.
func (s *Service) Bans(ctx context.Context) ([]Ban, error) {
	stored, err := s.store.BansChanged(ctx, -1)
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
		return cmp.Or(b.Since.Compare(a.Since), strings.Compare(a.Prefix, b.Prefix))
	})
	return out, nil
}

// AddBan bans a prefix by hand: nobody from there connects any more, and who is connected and not
// logged in is cut off. Moderators ban single addresses for a day, administrators anything.
func (s *Service) AddBan(ctx context.Context, by Actor, n NewBan) (Ban, error) {
	fail := func(kind error, format string, args ...any) (Ban, error) { return Ban{}, faultf(kind, format, args...) }
	p, err := parsePrefix(n.Prefix)
	if err != nil {
		return Ban{}, err
	}
	length := cmp.Or(n.For, defaultManual)
	narrow := moderatorBits4
	wide := wideBits4
	if p.Addr().Is6() {
		narrow, wide = moderatorBits6, wideBits6
	}
	reason := strings.TrimSpace(plain(n.Reason))
	switch {
	case !by.Level.Allows(LevelModerator):
		return fail(ErrRefused, "banning needs the level %s; yours is %s", LevelModerator, by.Level)
	case !by.Level.Allows(LevelAdmin) && (length > moderatorBan || p.Bits() < narrow):
		return fail(ErrRefused, "as %s you may ban single addresses for at most 24 hours; ask an administrator for more", by.Level)
	case length < time.Second || length > maxManualFor:
		return fail(ErrInvalid, "a ban lasts from a second to ten years, not %s", length)
	case len(reason) > maxBanReason || checkText("reason", reason, maxBanReason, false) != nil:
		return fail(ErrInvalid, "reason: at most %d bytes, in one line", maxBanReason)
	case !n.Confirm && p.Bits() < wide:
		return fail(ErrConfirm, "%s is most of the internet; if you mean it, confirm it", p)
	case !n.Confirm && p.Contains(actorAddr(by)):
		return fail(ErrConfirm, "your own address %s is in %s: you would shut yourself out; if you mean it, confirm it", actorAddr(by), p)
	}
	b := Ban{Prefix: p.String(), Kind: BanManual, Reason: cmp.Or(reason, "banned by hand"), Actor: cmp.Or(by.User, by.Via),
		Since: s.now(), Until: s.now().Add(length), Count: 1}
	err = s.edit(ctx, by, func(e *edit) error {
		allows, err := e.BanAllows(ctx)
		if err != nil {
			return err
		}
		for _, a := range allows {
			if q, err := netip.ParsePrefix(a.Prefix); err == nil && q.Bits() <= p.Bits() && q.Overlaps(p) {
				return faultf(ErrExists, "%s is in %s, which is never banned; take that off the list first", p, q)
			}
		}
		all, err := e.BansChanged(ctx, -1)
		if err != nil {
			return err
		}
		manual, before := 0, fields(nil)
		for _, old := range all {
			if old.Until.IsZero() {
				continue
			}
			if old.Prefix == b.Prefix {
				b.Count = old.Count + 1
				before = shownBan(old)
			} else if old.Kind == BanManual && old.Until.After(b.Since) {
				manual++
			}
		}
		if manual >= maxManualBans {
			return faultf(ErrRefused, "there are %d bans by hand already; lift some, or ban wider blocks", manual)
		}
		e.note("ban.add", b.Prefix, before, shownBan(b))
		return e.PutBan(ctx, b)
	})
	if err != nil {
		return Ban{}, err
	}
	return b, s.pollBans(ctx)
}

func shownBan(b Ban) fields {
	return fields{"kind": string(b.Kind), "reason": b.Reason, "until": b.Until.UTC().Format(time.RFC3339)}
}

// actorAddr is where an actor sits; the zero address for the machine's owner.
func actorAddr(by Actor) netip.Addr {
	if a, err := netip.ParseAddrPort(by.Remote); err == nil {
		return a.Addr().Unmap().WithZone("")
	}
	a, _ := netip.ParseAddr(by.Remote)
	return a.Unmap().WithZone("")
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
	err = s.edit(ctx, by, func(e *edit) error {
		all, err := e.BansChanged(ctx, -1)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(b Ban) bool { return b.Prefix == p.String() && !b.Until.IsZero() })
		if i < 0 && !live {
			return faultf(ErrNotFound, "%s is not banned", p)
		}
		b, before := Ban{Prefix: p.String(), Kind: BanGuessing, Since: s.now()}, fields(nil)
		if i >= 0 {
			before = shownBan(all[i])
			b.Kind = all[i].Kind
		}
		e.note("ban.lift", p.String(), before, nil)
		return e.PutBan(ctx, b) // without an end: every process hears of it
	})
	if err != nil {
		return err
	}
	return s.pollBans(ctx)
}

// CheckBan says whether an address is banned, and why.
func (s *Service) CheckBan(ctx context.Context, address string) (BanCheck, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(address))
	if err != nil {
		return BanCheck{}, faultf(ErrInvalid, "%q is not an address; write one such as 192.0.2.1 or 2001:db8::1", address)
	}
	a = a.Unmap().WithZone("")
	out := BanCheck{Address: a.String()}
	allows, err := s.store.BanAllows(ctx)
	if err != nil {
		return BanCheck{}, err
	}
	for _, x := range allows {
		if p, err := netip.ParsePrefix(x.Prefix); err == nil && p.Contains(a) {
			out.Allowed = &x
		}
	}
	out.Ban, out.Failures = s.throttle.look(a)
	out.Banned, out.Familiar = out.Ban != nil, s.throttle.tokenPlace(BlockOf(a))
	return out, nil
}

// BanAllows lists the prefixes that are never banned.
func (s *Service) BanAllows(ctx context.Context) ([]BanAllow, error) { return s.store.BanAllows(ctx) }

// AddBanAllow lets a prefix never be banned; bans that it has do not count from now on.
func (s *Service) AddBanAllow(ctx context.Context, by Actor, prefix, reason string) (BanAllow, error) {
	p, err := s.allowRight(by, prefix)
	if err != nil {
		return BanAllow{}, err
	}
	reason = strings.TrimSpace(plain(reason))
	if len(reason) > maxBanReason || checkText("reason", reason, maxBanReason, false) != nil {
		return BanAllow{}, faultf(ErrInvalid, "reason: at most %d bytes, in one line", maxBanReason)
	}
	a := BanAllow{Prefix: p.String(), Reason: reason, Actor: cmp.Or(by.User, by.Via), Since: s.now()}
	err = s.edit(ctx, by, func(e *edit) error {
		all, err := e.BanAllows(ctx)
		if err != nil {
			return err
		}
		if len(all) >= maxBanAllows {
			return faultf(ErrRefused, "there are %d entries already; allow wider blocks", len(all))
		}
		e.note("ban.allow", a.Prefix, nil, fields{"reason": a.Reason})
		return e.PutBanAllow(ctx, a)
	})
	if err != nil {
		return BanAllow{}, err
	}
	return a, s.pollBans(ctx)
}

// RemoveBanAllow takes a prefix off the list of those that are never banned.
func (s *Service) RemoveBanAllow(ctx context.Context, by Actor, prefix string) error {
	p, err := s.allowRight(by, prefix)
	if err != nil {
		return err
	}
	err = s.edit(ctx, by, func(e *edit) error {
		if err := e.RemoveBanAllow(ctx, p.String()); err != nil {
			if errors.Is(err, ErrNotFound) {
				return faultf(ErrNotFound, "%s is not on the list of what is never banned", p)
			}
			return err
		}
		e.note("ban.disallow", p.String(), nil, nil)
		return nil
	})
	if err != nil {
		return err
	}
	return s.pollBans(ctx)
}

func (s *Service) allowRight(by Actor, prefix string) (netip.Prefix, error) {
	if !by.Level.Allows(LevelAdmin) {
		return netip.Prefix{}, faultf(ErrRefused, "that needs the level %s; yours is %s", LevelAdmin, by.Level)
	}
	return parseExact(prefix)
}

// parsePrefix reads a prefix, or an address, which stands for its block.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := parseExact(s)
	if err == nil && p.IsSingleIP() && !strings.Contains(s, "/") {
		return BlockOf(p.Addr()), nil
	}
	return p, err
}

// parseExact reads a prefix, or an address as the prefix of it alone.
func parseExact(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, faultf(ErrInvalid, "%q is neither an address nor a prefix; write one such as 192.0.2.1 or 2001:db8::/64", s)
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// pollBans takes over what has changed about bans here or in another process, and cuts off who is
// banned now and not logged in.
func (s *Service) pollBans(ctx context.Context) error {
	s.bansMu.Lock()
	defer s.bansMu.Unlock()
	seq, err := s.store.BanSeq(ctx)
	if err != nil || seq == s.banSeq {
		return err
	}
	changed, err := s.store.BansChanged(ctx, s.banSeq)
	if err != nil {
		return err
	}
	allows, err := s.store.BanAllows(ctx)
	if err != nil {
		return err
	}
	var never []netip.Prefix
	for _, a := range allows {
		if p, err := netip.ParsePrefix(a.Prefix); err == nil {
			never = append(never, p)
		}
	}
	s.throttle.apply(changed, never)
	s.banSeq = seq
	for _, b := range changed {
		s.banSeq = max(s.banSeq, b.Seq)
	}
	s.cutBanned()
	if now := s.now(); now.Sub(s.bansSwept) > banSweepEach {
		s.bansSwept = now
		s.behind.push(func(ctx context.Context, w StoreWriter) error { return w.ForgetBans(ctx, now.Add(-banMemory)) })
	}
	return nil
}

// cutBanned ends the connections that are not logged in and come from where nobody may come from.
// One whose log-in is being answered hears of the ban at its next try.
func (s *Service) cutBanned() {
	var out []*Session
	for _, ses := range s.Registry.unauthenticated() {
		a := ses.Remote().Addr()
		if kind, _ := s.throttle.verdict(a); ses.trying.Load() == 0 && !s.throttle.passes(kind, BlockOf(a)) {
			out = append(out, ses)
		}
	}
	s.Registry.finish(out, Reason{Code: ReasonPolicy, Text: ErrBanned.Error()}, true)
}

// passes reports whether somebody from p may at least connect under a ban.
func (t *throttle) passes(kind BanKind, p netip.Prefix) bool {
	switch kind {
	case BanManual:
		return false
	case BanGuessing:
		return t.tokenPlace(p)
	}
	return true // known devices pass a widened ban, and who is one the log-in shows
}

// allBans returns every ban of the live table that holds.
func (t *throttle) allBans() []Ban {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bans.all()
}

// look returns the ban that an address is under, and how many failures count against it.
func (t *throttle) look(a netip.Addr) (*Ban, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	if s := t.prefixes.peek(BlockOf(a)); s != nil {
		s.forget(t.now().Add(-t.limits.BanWindow))
		n = len(s.failures)
	}
	b := t.bans.of(a)
	if b == nil {
		return nil, n
	}
	out := *b
	return &out, n
}

// lift takes a ban off the live table with the failures that led to it, and reports whether one
// held.
func (t *throttle) lift(p netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.bans.held(p) != nil
	t.bans.drop(p)
	if s := t.prefixes.peek(p); s != nil {
		s.failures = nil
	}
	return held
}

// unauthenticated lists the connections that wait for a log-in.
func (r *Registry) unauthenticated() []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Session, 0, r.waiting.Len())
	for e := r.waiting.Front(); e != nil; e = e.Next() {
		out = append(out, e.Value.(*Session))
	}
	return out
}
