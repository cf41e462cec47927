package identity

import (
	"container/list"
	"context"
	"errors"
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
	limits Limits
	now    func() time.Time
	onBan  func(Ban)

	mu       sync.Mutex // guards what follows
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

func newThrottle(l Limits, now func() time.Time) *throttle {
	if l.BanWindow <= 0 {
		l.BanWindow = failureMemory
	}
	if l.BanFor <= 0 {
		l.BanFor = defaultBanFor
	}
	return &throttle{limits: l, now: now, onBan: func(Ban) {},
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

// attempted is one check that the throttle let begin; exactly one of fail, succeed and drop ends
// it.
type attempted struct {
	t       *throttle
	prefix  netip.Prefix
	account string
	known   func() bool // whether the client is one that the account is known to use; nil: not asked
	usual   bool        // it is, and goes by its own count
}

// enter lets a log-in attempt of an address begin. Not more run at once than may still fail
// until the ban: others wait, within ctx.
func (t *throttle) enter(ctx context.Context, p netip.Prefix, account string) (*attempted, error) {
	return t.begin(ctx, p, account, false)
}

// begin is enter. With pass a ban for guessing is no hindrance, until so much goes wrong under it as
// led to it.
func (t *throttle) begin(ctx context.Context, p netip.Prefix, account string, pass bool) (*attempted, error) {
	a := &attempted{t: t, prefix: p, account: account}
	if !p.IsValid() {
		return a, nil
	}
	for {
		t.mu.Lock()
		if b := t.bans.of(p.Addr()); b != nil {
			s := t.prefixes.get(p)
			s.forget(t.now().Add(-t.limits.BanWindow))
			if !pass || b.Kind == BanManual || len(s.failures) >= max(t.limits.BanAfter, 1) {
				left := b.Until.Sub(t.now())
				t.mu.Unlock()
				return nil, &waitError{ErrBanned, left}
			}
		}
		if t.limits.BanAfter <= 0 {
			t.mu.Unlock()
			return a, nil
		}
		s := t.prefixes.get(p)
		s.forget(t.now().Add(-t.limits.BanWindow))
		if s.checking == 0 || len(s.failures)+s.checking < t.limits.BanAfter {
			s.checking++
			t.mu.Unlock()
			return a, nil
		}
		freed := waitOn(&s.freed)
		t.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, &waitError{ErrThrottled, firstDelay}
		}
	}
}

func (s *prefixState) forget(before time.Time) {
	for len(s.failures) > 0 && !s.failures[0].After(before) {
		s.failures = s.failures[1:]
	}
}

func waitOn(c *chan struct{}) <-chan struct{} {
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

func wake(c *chan struct{}) {
	if *c != nil {
		close(*c)
		*c = nil
	}
}

// slow is wait and then place.
func (a *attempted) slow(ctx context.Context) (leave func(), err error) {
	if err := a.wait(ctx); err != nil {
		return nil, err
	}
	return a.place(ctx)
}

// wait waits out the account's delay. That is done beside the places to hash in, so that a stranger
// who guesses cannot keep the person out. Who comes from where the account is used does not wait at
// all, as long as it is not there that things go wrong.
func (a *attempted) wait(ctx context.Context) error {
	t := a.t
	if a.slowed() && a.ask() {
		t.counts.spared.Add(1)
		return ctx.Err()
	}
	t.mu.Lock()
	s := t.account(a.account)
	delay := s.delay()
	if delay > 0 {
		if s.waiting[a.prefix] >= accountWaiters {
			t.mu.Unlock()
			t.counts.refused.Add(1)
			return &waitError{ErrThrottled, delay}
		}
		if s.waiting == nil {
			s.waiting = map[netip.Prefix]int{}
		}
		s.waiting[a.prefix]++
		defer t.stopWaiting(a)
		t.counts.delayed.Add(1)
	}
	t.mu.Unlock()
	began := time.Now()
	err := pause(ctx, delay)
	t.counts.waited.Add(int64(time.Since(began)))
	if err != nil {
		return &waitError{ErrThrottled, delay}
	}
	return nil
}

// slowed reports whether log-ins to the account wait now.
func (a *attempted) slowed() bool {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	s := a.t.account(a.account)
	return s.delay() > 0 || s.hashing >= accountHashes
}

// ask finds out whether the client is one that the account is known to use, and has not gone wrong
// too often.
func (a *attempted) ask() bool {
	if a.usual || a.account == "" {
		return a.usual
	}
	t, k := a.t, placeKey{a.prefix, a.account}
	t.mu.Lock()
	now := t.now()
	s := t.places.peek(k)
	met := s != nil && now.Sub(s.met) < placeLife
	spent := s != nil && s.failures >= slowAfter && now.Sub(s.last) <= failureMemory
	t.mu.Unlock()
	if spent || !met && (a.known == nil || !a.known()) {
		return false
	}
	a.usual = true
	return true
}

// place waits for one of the account's places to hash in, or for one of its usual place; leave gives
// it back.
func (a *attempted) place(ctx context.Context) (leave func(), err error) {
	t, usual := a.t, a.usual
	for {
		t.mu.Lock()
		hashing, freedOf := &t.account(a.account).hashing, &t.account(a.account).freed
		if usual {
			s := t.places.get(placeKey{a.prefix, a.account})
			hashing, freedOf = &s.hashing, &s.freed
		}
		if *hashing < accountHashes {
			*hashing++
			t.mu.Unlock()
			return func() { a.leave(usual) }, nil
		}
		freed := waitOn(freedOf)
		t.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, &waitError{ErrThrottled, firstDelay}
		}
	}
}

// account returns the state of an account, without failures that are long past.
func (t *throttle) account(name string) *accountState {
	s := t.accounts.get(name)
	if s.failures > 0 && t.now().Sub(s.last) > failureMemory {
		s.failures = 0
	}
	return s
}

func (s *accountState) delay() time.Duration {
	if s.failures < slowAfter {
		return 0
	}
	return min(firstDelay<<min(s.failures-slowAfter, maxBanDoublings), maxDelay)
}

func (t *throttle) stopWaiting(a *attempted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.accounts.peek(a.account); s != nil {
		if s.waiting[a.prefix]--; s.waiting[a.prefix] <= 0 {
			delete(s.waiting, a.prefix)
		}
	}
}

func (a *attempted) leave(usual bool) {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	if usual {
		if s := a.t.places.peek(placeKey{a.prefix, a.account}); s != nil && s.hashing > 0 {
			s.hashing--
			wake(&s.freed)
		}
		return
	}
	if s := a.t.accounts.peek(a.account); s != nil && s.hashing > 0 {
		s.hashing--
		wake(&s.freed)
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end ends an attempt by what came of it: ErrCredentials fails it, nil succeeds, and any other error
// says nothing about guessing.
func (a *attempted) end(err error, byAccount bool) {
	switch {
	case errors.Is(err, ErrCredentials):
		a.fail(byAccount)
	case err != nil:
		a.drop()
	default:
		a.succeed()
	}
}

// drop ends an attempt that says nothing about guessing: it was given up, or the server failed.
func (a *attempted) drop() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	a.done()
}

func (a *attempted) done() {
	if s := a.t.prefixes.peek(a.prefix); s != nil && s.checking > 0 {
		s.checking--
		wake(&s.freed)
	}
}

// succeed ends an attempt with the right credential: the account's failures are forgotten, those
// of the address are not, as one right log-in does not make its guesses good.
func (a *attempted) succeed() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	if s := a.t.accounts.peek(a.account); s != nil && !a.usual {
		s.failures = 0 // not by who is spared: strangers would begin anew
	}
	if a.prefix.IsValid() && a.account != "" {
		s := a.t.places.get(placeKey{a.prefix, a.account})
		s.met, s.failures = a.t.now(), 0
	}
	a.done()
}

// token notes that a token was right.
func (a *attempted) token() {
	if !a.prefix.IsValid() {
		return
	}
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	*a.t.tokens.get(a.prefix) = a.t.now()
}

// fail ends an attempt with a wrong one. byAccount is false for tokens, which nobody guesses and
// whose mistakes must not slow the person down.
func (a *attempted) fail(byAccount bool) {
	t := a.t
	t.mu.Lock()
	now := t.now()
	if byAccount && a.account != "" {
		s := t.account(a.account)
		s.failures++
		s.last = now
	}
	if s := t.places.peek(placeKey{a.prefix, a.account}); s != nil || a.usual {
		s = t.places.get(placeKey{a.prefix, a.account})
		if now.Sub(s.last) > failureMemory {
			s.failures = 0
		}
		s.failures++
		s.last = now
	}
	t.counts.failures.Add(1)
	bans := t.failedFrom(a.prefix, now)
	a.done()
	t.mu.Unlock()
	for _, b := range bans {
		t.onBan(b)
	}
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

// recent is a map of at most max entries that forgets what was not used for longest.
type recent[K comparable, V any] struct {
	max     int
	evict   func(*V)
	entries map[K]*list.Element
	order   *list.List // of *recentEntry, the last used in front
}

type recentEntry[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](limit int, evict func(*V)) *recent[K, V] {
	return &recent[K, V]{max: limit, evict: evict, entries: map[K]*list.Element{}, order: list.New()}
}

// get returns the entry of k, a new one where there is none.
func (r *recent[K, V]) get(k K) *V {
	if e, ok := r.entries[k]; ok {
		r.order.MoveToFront(e)
		return &e.Value.(*recentEntry[K, V]).value
	}
	e := &recentEntry[K, V]{key: k}
	r.entries[k] = r.order.PushFront(e)
	if r.order.Len() > r.max {
		last := r.order.Remove(r.order.Back()).(*recentEntry[K, V])
		delete(r.entries, last.key)
		r.evict(&last.value)
	}
	return &e.value
}

// peek returns the entry of k, nil where there is none.
func (r *recent[K, V]) peek(k K) *V {
	if e, ok := r.entries[k]; ok {
		return &e.Value.(*recentEntry[K, V]).value
	}
	return nil
}
