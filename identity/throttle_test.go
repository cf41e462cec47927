package identity

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var testPrefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32"),
	netip.MustParsePrefix("192.0.2.3/32")}

// guess fails once at account from p and returns how long the throttle held it up.
func guess(t *testing.T, th *throttle, p netip.Prefix, account string) time.Duration {
	t.Helper()
	begin := time.Now()
	try, err := th.enter(t.Context(), p, account)
	if err != nil {
		t.Fatal(err)
	}
	leave, err := try.slow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waited := time.Since(begin)
	leave()
	try.fail(true)
	return waited
}

func TestThrottleDelaysAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(Limits{}, time.Now)
		var got []time.Duration
		for range 10 {
			got = append(got, guess(t, th, testPrefixes[0], "alice")/time.Second)
		}
		if want := "[0s 0s 0s 0s 0s 1ns 2ns 4ns 8ns 8ns]"; fmt.Sprint(got) != want {
			t.Errorf("delays %v, want %v (in s)", got, want)
		}
		if d := guess(t, th, testPrefixes[0], "bob"); d != 0 {
			t.Errorf("another account waits %v", d)
		}
		if d := guess(t, th, testPrefixes[1], "alice"); d != maxDelay {
			t.Errorf("from another address alice waits %v", d)
		}
		begin := time.Now()
		try, err := th.enter(t.Context(), testPrefixes[1], "alice")
		if err != nil {
			t.Fatal(err)
		}
		leave, err := try.slow(t.Context())
		if err != nil || time.Since(begin) != maxDelay {
			t.Fatalf("the person waits %v, %v", time.Since(begin), err)
		}
		leave()
		try.succeed()
		if d := guess(t, th, testPrefixes[0], "alice"); d != 0 {
			t.Errorf("after a right log-in the delay is %v", d)
		}
		for range 6 {
			guess(t, th, testPrefixes[0], "carol")
		}
		time.Sleep(failureMemory + time.Second)
		if d := guess(t, th, testPrefixes[0], "carol"); d != 0 {
			t.Errorf("after %v the delay is %v", failureMemory, d)
		}
	})
}

func TestThrottleWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(Limits{}, time.Now)
		for range 9 {
			guess(t, th, testPrefixes[0], "alice")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		try, err := th.enter(ctx, testPrefixes[0], "alice")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = try.slow(ctx)
		if !errors.Is(err, ErrThrottled) || RetryAfter(err) != maxDelay || time.Since(begin) != time.Second {
			t.Errorf("%v after %v, retry after %v", err, time.Since(begin), RetryAfter(err))
		}
		try.drop()
	})
}

// TestStrangersCannotLockOut lets a crowd guess at alice without pause; she still gets in, after
// the delay at most.
func TestStrangersCannotLockOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(Limits{}, time.Now)
		ctx, stop := context.WithCancel(t.Context())
		hashing, most := 0, 0
		var crowd sync.WaitGroup
		for range 50 {
			crowd.Go(func() {
				for ctx.Err() == nil {
					try, err := th.enter(ctx, testPrefixes[0], "alice")
					if err != nil {
						return
					}
					leave, err := try.slow(ctx)
					if err != nil {
						try.drop()
						time.Sleep(time.Second) // the client comes again
						continue
					}
					th.mu.Lock()
					hashing++
					most = max(most, hashing)
					th.mu.Unlock()
					time.Sleep(2 * time.Millisecond)
					th.mu.Lock()
					hashing--
					th.mu.Unlock()
					leave()
					try.fail(true)
				}
			})
		}
		time.Sleep(time.Minute)
		begin := time.Now()
		try, err := th.enter(ctx, testPrefixes[1], "alice")
		if err != nil {
			t.Fatal(err)
		}
		leave, err := try.slow(ctx)
		if err != nil {
			t.Fatalf("locked out: %v", err)
		}
		if d := time.Since(begin); d > maxDelay+100*time.Millisecond {
			t.Errorf("the person waited %v", d)
		}
		leave()
		try.succeed()
		stop()
		crowd.Wait()
		if most > accountHashes {
			t.Errorf("%d hashes of one account at once", most)
		}
	})
}

func TestThrottleMemoryIsBounded(t *testing.T) {
	t.Parallel()
	th := newThrottle(Limits{BanAfter: 1, BanFor: time.Minute}, time.Now)
	a := netip.MustParseAddr("10.0.0.0")
	for i := range maxTracked + 100 {
		try, err := th.enter(t.Context(), BlockOf(a), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		try.fail(true)
		a = a.Next()
	}
	if n := len(th.accounts.entries); n != maxTracked {
		t.Errorf("%d accounts", n)
	}
	if n := len(th.prefixes.entries); n != maxTracked {
		t.Errorf("%d prefixes", n)
	}
	if n := len(th.bans.auto.entries); n != maxTracked {
		t.Errorf("%d bans", n)
	}
}

func TestBansGrowToADay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	th := newThrottle(Limits{BanAfter: 1, BanFor: 15 * time.Minute}, func() time.Time { return now })
	fail := func() time.Duration {
		try, err := th.enter(t.Context(), testPrefixes[0], "")
		if err != nil {
			t.Fatal(err)
		}
		try.fail(false)
		return th.banned(testPrefixes[0])
	}
	var last time.Duration
	for i := range 200 { // more than a shift has bits
		d := fail()
		if d < last || d > maxBan {
			t.Fatalf("ban %d is %v after %v", i, d, last)
		}
		last = d
		now = now.Add(d)
	}
	if last != maxBan {
		t.Errorf("the longest ban is %v", last)
	}
	now = now.Add(banMemory + time.Second)
	if d := fail(); d != 15*time.Minute {
		t.Errorf("long after, a ban is %v", d)
	}
}

func TestGateIsNarrowAndFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 10)
		busy, most := 0, 0
		answers := map[netip.Prefix]map[error]int{}
		hash := func(p netip.Prefix) {
			leave, err := g.enter(t.Context(), p, false)
			g.mu.Lock()
			if answers[p] == nil {
				answers[p] = map[error]int{}
			}
			answers[p][err]++
			if err != nil {
				g.mu.Unlock()
				return
			}
			busy++
			most = max(most, busy)
			g.mu.Unlock()
			time.Sleep(time.Second)
			g.mu.Lock()
			busy--
			g.mu.Unlock()
			leave()
		}
		begin := time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { hash(testPrefixes[0]) })
		}
		synctest.Wait()
		if n := g.queued; n != 10 {
			t.Errorf("%d wait, want 10", n)
		}
		var honest time.Duration
		all.Go(func() { hash(testPrefixes[1]); honest = time.Since(begin) })
		all.Wait()
		if most != 2 {
			t.Errorf("%d at once, want 2", most)
		}
		// The storm: two at once, ten waiting, one of them sent away for the honest one.
		if a := answers[testPrefixes[0]]; a[nil] != 11 || a[ErrBusy] != 89 {
			t.Errorf("the storm got %v", a)
		}
		if honest != 2*time.Second { // in the next round, though ten stood before it
			t.Errorf("the honest one was done after %v", honest)
		}
		if g.busy != 0 || g.queued != 0 || len(g.queues) != 0 || len(g.turns) != 0 {
			t.Errorf("left behind: %+v", g)
		}
	})
}

func TestGateAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 10)
		leave, err := g.enter(t.Context(), testPrefixes[0], false)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.enter(ctx, testPrefixes[0], false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		leave()
		if g.busy != 0 || g.queued != 0 || len(g.turns) != 0 {
			t.Errorf("left behind: %+v", g)
		}
		if _, err := g.enter(ctx, testPrefixes[0], false); err == nil {
			t.Error("a place for who has gone")
		}
	})
}

func TestCredentialCache(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := newCredentialCache(func() time.Time { return now })
	k := c.key("a", 1, "bc")
	c.add(k)
	for _, other := range []cacheKey{c.key("ab", 1, "c"), c.key("a", 2, "bc"), c.key("a", 1, "bd"), newCredentialCache(time.Now).key("a", 1, "bc")} {
		if c.has(other) {
			t.Error("another credential is found")
		}
	}
	if !c.has(k) {
		t.Error("not found")
	}
	now = now.Add(cacheFresh)
	if c.has(k) {
		t.Error("found after its time")
	}
	for i := range maxCacheSize + 10 {
		c.add(c.key("a", int64(i), ""))
	}
	if len(c.entries) != maxCacheSize || c.recent.Len() != maxCacheSize {
		t.Errorf("%d entries", len(c.entries))
	}
}

// banned returns how long the prefix is banned yet; 0: it is not.
func (t *throttle) banned(p netip.Prefix) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.bans.of(p.Addr())
	if b == nil {
		return 0
	}
	return max(b.Until.Sub(t.now()), 0)
}
