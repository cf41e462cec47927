package ftp

import (
	"context"
	"sync"
	"time"

	"trivium/identity"
)

// bucket lets so many bytes pass in a second, for however many transfers take from it.
type bucket struct {
	mu   sync.Mutex // guards what follows
	rate int64      // bytes a second; 0: no limit
	free time.Time  // when all that was taken has passed
}

func (b *bucket) set(rate int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rate = rate
}

// portion is how much is moved before the next look: an eighth of a second's, so that a rate is
// kept in short times too.
func (b *bucket) portion() int64 {
	const perSecond, least = 8, 1 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate == 0 {
		return slice
	}
	return min(max(b.rate/perSecond, least), slice)
}

// take notes that n bytes have been moved, and says how long to wait before more are.
func (b *bucket) take(n int64, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate == 0 {
		return 0
	}
	if b.free.Before(now) {
		b.free = now
	}
	b.free = b.free.Add(time.Duration(float64(n) / float64(b.rate) * float64(time.Second)))
	return b.free.Sub(now)
}

// throttle holds one transfer to the rates of its session and of its account.
type throttle []*bucket

func (th throttle) portion() int64 {
	n := int64(slice)
	for _, b := range th {
		n = min(n, b.portion())
	}
	return n
}

// take notes that n bytes have been moved, and says how long to wait before more are.
func (th throttle) take(n int64, now time.Time) (pause time.Duration) {
	for _, b := range th {
		pause = max(pause, b.take(n, now))
	}
	return pause
}

// sleep waits so long, or until ctx is done.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errAborted
	}
}

// gates counts the transfers of accounts and classes, and holds what an account's have in common.
type gates struct {
	mu       sync.Mutex // guards what follows
	accounts map[string]*gate
	classes  map[string]int
}

// gate is that of one account while it has transfers.
type gate struct {
	transfers int
	up, down  bucket
}

// enter lets a transfer of a file begin, and gives what holds it to its rates; false where there
// are as many as there may be. What follows is leave.
func (g *gates) enter(account string, class identity.Class, l identity.SessionLimits, upload bool) (throttle, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full(account, class, l) {
		return nil, false
	}
	a := g.accounts[account]
	if a == nil {
		if g.accounts == nil {
			g.accounts, g.classes = map[string]*gate{}, map[string]int{}
		}
		a = &gate{}
		g.accounts[account] = a
	}
	a.transfers++
	g.classes[class.Name]++
	b, rate, own := &a.down, l.DownloadRate, class.DownloadRate
	if upload {
		b, rate, own = &a.up, l.UploadRate, class.UploadRate
	}
	b.set(rate)
	var th throttle
	if rate > 0 {
		th = append(th, b)
	}
	if own > 0 { // a session has one transfer at a time
		th = append(th, &bucket{rate: own})
	}
	return th, true
}

// full reports whether no further transfer may begin; mu is held.
func (g *gates) full(account string, class identity.Class, l identity.SessionLimits) bool {
	a := g.accounts[account]
	return l.Transfers > 0 && a != nil && a.transfers >= l.Transfers ||
		class.MaxTransfers > 0 && g.classes[class.Name] >= class.MaxTransfers
}

func (g *gates) leave(account, class string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.accounts[account]
	if a.transfers--; a.transfers == 0 {
		delete(g.accounts, account)
	}
	if g.classes[class]--; g.classes[class] == 0 {
		delete(g.classes, class)
	}
}

// crowded reports whether the session may begin no further transfer of a file now.
func (s *session) crowded() bool {
	g := &s.srv.gates
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.full(s.accountKey(), s.ses.Class(), s.ses.Limits())
}

// accountKey is whose transfers count together; an anonymous session stands for itself.
func (s *session) accountKey() string {
	if c, ok := s.ses.Credentials(); ok && c.UserID != "" {
		return string(c.UserID)
	}
	return s.ses.ID()
}
