package identity

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

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
