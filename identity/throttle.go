package identity

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Numbers of the throttle.
const (
	slowAfter       = 5 // failures of one account until log-ins to it wait
	firstDelay      = time.Second
	maxDelay        = 8 * time.Second
	accountHashes   = 2  // slow checks of one account at once
	accountWaiters  = 10 // log-ins to one account that one address block may have in the delay
	maxBan          = 24 * time.Hour
	banMemory       = 7 * 24 * time.Hour // after its end a ban still makes the next one longer
	maxTracked      = 1 << 16            // accounts, prefixes and bans, each
	failureMemory   = 10 * time.Minute   // of accounts; of prefixes where Limits.BanWindow is 0
	defaultBanFor   = 15 * time.Minute
	reasonGuessing  = "too many wrong log-ins"
	reasonWidened   = "too many banned addresses within it"
	maxBanDoublings = 16
	placeLife       = 30 * 24 * time.Hour // a right log-in makes its address a usual place for so long
)

// throttle slows guessing down: by address prefix until a ban, by account with a delay. It never
// locks an account, and treats names that do not exist as those that do.
type throttle struct {
	now   func() time.Time
	onBan func(Ban)

	mu       sync.Mutex // guards what follows
	limits   Limits
	prefixes *recent[netip.Prefix, prefixState]
	accounts *recent[string, accountState]
	places   *recent[placeKey, placeState]
	tokens   *recent[netip.Prefix, time.Time] // when a token was right last
	bans     *banList

	counts throttleCounts
}

// placeKey is an account at an address block.
type placeKey struct {
	prefix  netip.Prefix
	account string
}

// placeState is what an account's usual place has: a log-in from there waits for nothing that
// strangers have done elsewhere, until it fails too often itself.
type placeState struct {
	met      time.Time // the last right log-in
	failures int
	last     time.Time // the last wrong one
	hashing  int
	freed    chan struct{}
}

// throttleCounts are for those who watch the server.
type throttleCounts struct {
	failures, delayed, refused, spared, bans, widened, hits atomic.Int64
	waited                                                  atomic.Int64 // nanoseconds
}

type prefixState struct {
	failures []time.Time // within the window, oldest first; bounded by BanAfter
	checking int
	freed    chan struct{} // closed when checking falls, made by who waits
}

type accountState struct {
	failures int
	last     time.Time
	hashing  int
	freed    chan struct{}
	waiting  map[netip.Prefix]int
}

// banDefaults fills in what bans need.
func (l Limits) banDefaults() Limits {
	if l.BanWindow <= 0 {
		l.BanWindow = failureMemory
	}
	if l.BanFor <= 0 {
		l.BanFor = defaultBanFor
	}
	return l
}

// use lets other limits count from now on; bans that there are stay as long as they were said to be.
func (t *throttle) use(l Limits) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limits = l.banDefaults()
}

func newThrottle(l Limits, now func() time.Time) *throttle {
	return &throttle{limits: l.banDefaults(), now: now, onBan: func(Ban) {},
		prefixes: newRecent[netip.Prefix](maxTracked, func(s *prefixState) { wake(&s.freed) }),
		accounts: newRecent[string](maxTracked, func(s *accountState) { wake(&s.freed) }),
		places:   newRecent[placeKey](maxTracked, func(s *placeState) { wake(&s.freed) }),
		tokens:   newRecent[netip.Prefix](maxTracked, func(*time.Time) {}),
		bans:     newBanList(now)}
}

// holds reports whether a ban of that very prefix holds.
func (t *throttle) holds(p netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bans.held(p) != nil
}

// verdict says under which ban an address is, and how long yet; "" under none. A hit is counted.
func (t *throttle) verdict(a netip.Addr) (BanKind, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bans.of(a)
	if b == nil {
		return "", 0
	}
	return b.Kind, max(b.Until.Sub(t.now()), 0)
}

// hit counts that a ban has turned somebody away.
func (t *throttle) hit(a netip.Addr) {
	t.counts.hits.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.bans.of(a); b != nil {
		b.Hits++
	}
}

// tokenPlace reports whether a token was right from there lately, so that one may come again.
func (t *throttle) tokenPlace(p netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.tokens.peek(p)
	return at != nil && t.now().Sub(*at) < placeLife
}

// apply enters what the store says of bans, and what is never banned.
func (t *throttle) apply(bans []Ban, allows []netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range bans {
		t.bans.put(b)
	}
	t.bans.allows = allows
}

// strike counts a try from a prefix that was not even looked at: who goes on where a ban says no gets
// one of their own.
func (t *throttle) strike(p netip.Prefix) {
	t.mu.Lock()
	bans := t.failedFrom(p, t.now())
	t.mu.Unlock()
	for _, b := range bans {
		t.onBan(b)
	}
}

// failedFrom counts a failure of an address block, and returns the bans that follow from it; t.mu is
// held.
func (t *throttle) failedFrom(p netip.Prefix, now time.Time) []Ban {
	if !p.IsValid() || t.limits.BanAfter <= 0 {
		return nil
	}
	s := t.prefixes.get(p)
	s.forget(now.Add(-t.limits.BanWindow))
	if len(s.failures) < t.limits.BanAfter {
		s.failures = append(s.failures, now)
	}
	b := t.bans.held(p)
	if len(s.failures) < t.limits.BanAfter || b != nil || t.bans.allowed(p.Addr()) {
		return nil
	}
	s.failures = nil
	out := []Ban{t.ban(p, BanGuessing, now)}
	for w, ok := wider(p); ok; w, ok = wider(w) {
		if t.bans.held(w) == nil && t.bans.crowded(w, t.limits.BanWiden) {
			out = append(out, t.ban(w, BanWidened, now))
		}
	}
	return out
}

// ban bans a prefix, twice as long as the last time.
func (t *throttle) ban(p netip.Prefix, kind BanKind, now time.Time) Ban {
	b := Ban{Prefix: p.String(), Kind: kind, Reason: reasonGuessing, Since: now}
	if kind == BanWidened {
		b.Reason = reasonWidened
		t.counts.widened.Add(1)
	}
	if old := t.bans.at(p); old != nil && now.Sub(old.Until) <= banMemory {
		b.Count = old.Count
	}
	length := min(t.limits.BanFor<<min(b.Count, maxBanDoublings), max(maxBan, t.limits.BanFor))
	if length <= 0 { // shifted out
		length = maxBan
	}
	b.Until, b.Count = now.Add(length), b.Count+1
	t.bans.put(b)
	t.counts.bans.Add(1)
	return b
}
