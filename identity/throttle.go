package identity

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
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
	maxBanDoublings = 16
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
	bans     *recent[netip.Prefix, banState]
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

type banState struct{ Ban }

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
		bans:     newRecent[netip.Prefix](maxTracked, func(*banState) {})}
}

// banned returns how long the prefix is banned yet; 0: it is not.
func (t *throttle) banned(p netip.Prefix) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.banLeft(p)
}

func (t *throttle) banLeft(p netip.Prefix) time.Duration {
	b := t.bans.peek(p)
	if b == nil {
		return 0
	}
	return max(b.Until.Sub(t.now()), 0)
}

// load enters a ban that the store knows, or one that somebody set.
func (t *throttle) load(b Ban) {
	p, err := netip.ParsePrefix(b.Prefix)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bans.get(p.Masked()).Ban = b
}

// attempted is one check that the throttle let begin; exactly one of fail, succeed and drop ends
// it.
type attempted struct {
	t       *throttle
	prefix  netip.Prefix
	account string
}

// enter lets a log-in attempt of an address begin. Not more run at once than may still fail
// until the ban: others wait, within ctx.
func (t *throttle) enter(ctx context.Context, p netip.Prefix, account string) (*attempted, error) {
	a := &attempted{t, p, account}
	if !p.IsValid() || t.limits.BanAfter <= 0 {
		return a, nil
	}
	for {
		t.mu.Lock()
		if left := t.banLeft(p); left > 0 {
			t.mu.Unlock()
			return nil, &waitError{ErrBanned, left}
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
// who guesses cannot keep the person out.
func (a *attempted) wait(ctx context.Context) error {
	t := a.t
	t.mu.Lock()
	s := t.account(a.account)
	delay := s.delay()
	if delay > 0 {
		if s.waiting[a.prefix] >= accountWaiters {
			t.mu.Unlock()
			return &waitError{ErrThrottled, delay}
		}
		if s.waiting == nil {
			s.waiting = map[netip.Prefix]int{}
		}
		s.waiting[a.prefix]++
		defer t.stopWaiting(a)
	}
	t.mu.Unlock()
	if err := pause(ctx, delay); err != nil {
		return &waitError{ErrThrottled, delay}
	}
	return nil
}

// place waits for one of the account's places to hash in; leave gives it back.
func (a *attempted) place(ctx context.Context) (leave func(), err error) {
	t := a.t
	for {
		t.mu.Lock()
		s := t.account(a.account)
		if s.hashing < accountHashes {
			s.hashing++
			t.mu.Unlock()
			return a.leave, nil
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

func (a *attempted) leave() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
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
	if s := a.t.accounts.peek(a.account); s != nil {
		s.failures = 0
	}
	a.done()
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
	var ban *Ban
	if a.prefix.IsValid() && t.limits.BanAfter > 0 {
		s := t.prefixes.get(a.prefix)
		s.forget(now.Add(-t.limits.BanWindow))
		s.failures = append(s.failures, now)
		if len(s.failures) >= t.limits.BanAfter && t.banLeft(a.prefix) == 0 {
			s.failures = nil
			ban = t.ban(a.prefix, now)
		}
	}
	a.done()
	t.mu.Unlock()
	if ban != nil {
		t.onBan(*ban)
	}
}

// ban bans a prefix, twice as long as the last time.
func (t *throttle) ban(p netip.Prefix, now time.Time) *Ban {
	b := t.bans.get(p)
	if now.Sub(b.Until) > banMemory {
		b.Count = 0
	}
	length := min(t.limits.BanFor<<min(b.Count, maxBanDoublings), max(maxBan, t.limits.BanFor))
	if length <= 0 { // shifted out
		length = maxBan
	}
	b.Ban = Ban{Prefix: p.String(), Reason: reasonGuessing, Since: now, Until: now.Add(length), Count: b.Count + 1}
	out := b.Ban
	return &out
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
