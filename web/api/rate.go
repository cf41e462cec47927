package api

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Bounds of the limits of requests.
const (
	rateBuckets = 8192 // tokens and accounts that are remembered at a time
)

// buckets are token buckets, one for each token and account that has asked of late. Whoever has not asked
// for so long that the bucket is full again is forgotten.
type buckets struct {
	rate  float64 // tokens a second; 0: no limit
	burst float64

	mu sync.Mutex // guards by
	by map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newBuckets(rate, burst int) *buckets {
	return &buckets{rate: float64(rate), burst: float64(max(rate, burst)), by: map[string]*bucket{}}
}

// take takes one token of who's, if there is one. left is what remains, wait how long it takes until there is
// another, and full until all are there.
func (b *buckets) take(who string, now time.Time) (ok bool, left int, wait, full time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.by[who]
	if x == nil {
		if len(b.by) >= rateBuckets {
			b.forget(now)
		}
		x = &bucket{left: b.burst, at: now}
		b.by[who] = x
	}
	x.left = min(b.burst, x.left+b.rate*max(0, now.Sub(x.at).Seconds()))
	x.at = now
	if ok = x.left >= 1; ok {
		x.left--
	} else {
		wait = b.span(1 - x.left)
	}
	return ok, int(x.left), wait, b.span(b.burst - x.left)
}

// span is how long it takes until n tokens have come.
func (b *buckets) span(n float64) time.Duration {
	return time.Duration(n / b.rate * float64(time.Second))
}

// forget drops the buckets that are full, and where that is not enough any, until a quarter of the room is
// free: so it is not asked for again at the next newcomer.
func (b *buckets) forget(now time.Time) {
	for who, x := range b.by {
		if x.left+b.rate*now.Sub(x.at).Seconds() >= b.burst {
			delete(b.by, who)
		}
	}
	for who := range b.by {
		if len(b.by) <= rateBuckets*3/4 {
			return
		}
		delete(b.by, who)
	}
}

// limits are the limits of one credential and of all of an account together.
type limits struct {
	credential, account *buckets
}

// limit takes a request off the limits, and says in the answer's head what is left
// (draft-ietf-httpapi-ratelimit-headers-10). The control socket has none, and introspection bounds of its
// own: an engine asks at each of its requests.
func (l limits) limit(h http.Header, c caller, route Route, now time.Time) *Problem {
	if c.session == nil || route.Operation == "introspect" || l.credential.rate <= 0 {
		return nil
	}
	ok, left, wait, full := l.credential.take(c.credential(), now)
	name := "credential"
	if l.account.rate > 0 {
		ok2, left2, wait2, full2 := l.account.take(string(c.owner), now)
		if wait2 > wait || ok2 && ok && left2 < left || !ok2 && ok {
			name, left, wait, full = "account", left2, wait2, full2
		}
		ok = ok && ok2
		h.Set("RateLimit-Policy", l.credential.policy("credential")+", "+l.account.policy("account"))
	} else {
		h.Set("RateLimit-Policy", l.credential.policy("credential"))
	}
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", name, left, seconds(full)))
	if ok {
		return nil
	}
	p := newProblem(http.StatusTooManyRequests, codeThrottled, "Too many requests came with this credential.", "Wait as long as Retry-After says; web.api_rate is the limit.")
	p.header = http.Header{"Retry-After": {strconv.Itoa(max(1, seconds(wait)))}}
	return p
}

// policy is how many requests may come in how many seconds.
func (b *buckets) policy(name string) string {
	return fmt.Sprintf("%q;q=%d;w=%d", name, int(b.burst), max(1, seconds(b.span(b.burst))))
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
