package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

func TestBuckets(t *testing.T) {
	b := newBuckets(10, 20)
	now := time.Unix(1000, 0)
	for i := range 20 {
		if ok, left, _, _ := b.take("a", now); !ok || left != 19-i {
			t.Fatalf("request %d: %v, %d left", i, ok, left)
		}
	}
	ok, left, wait, full := b.take("a", now)
	if ok || left != 0 || wait != 100*time.Millisecond || full != 2*time.Second {
		t.Errorf("%v %d %s %s", ok, left, wait, full)
	}
	if ok, _, _, _ := b.take("b", now); !ok {
		t.Error("another one waits too")
	}
	if ok, _, _, _ := b.take("a", now.Add(100*time.Millisecond)); !ok {
		t.Error("nothing came back")
	}
	if ok, _, _, _ := b.take("a", now.Add(-time.Hour)); ok {
		t.Error("a clock that goes back brings something")
	}
}

func TestBucketsAreBounded(t *testing.T) {
	b := newBuckets(10, 20)
	now := time.Unix(1000, 0)
	for i := range 3 * rateBuckets {
		b.take(fmt.Sprint(i), now)
		if len(b.by) > rateBuckets {
			t.Fatalf("%d buckets", len(b.by))
		}
	}
	b.forget(now.Add(time.Minute)) // by then all are full
	if len(b.by) != 0 {
		t.Errorf("%d full buckets are kept", len(b.by))
	}
}

func TestLimitsOfAnAccount(t *testing.T) {
	l := limits{newBuckets(10, 10), newBuckets(10, 15)}
	now := time.Unix(1000, 0)
	token := func(id string) caller {
		return caller{session: &identity.Session{}, owner: "u1", grant: &identity.Grant{TokenID: id}}
	}
	h := http.Header{}
	for i := range 15 {
		if p := l.limit(h, token(fmt.Sprint(i%2)), Route{}, now); p != nil {
			t.Fatalf("request %d: %v", i, p)
		}
	}
	if got := h.Get("RateLimit-Policy"); got != `"credential";q=10;w=1, "account";q=15;w=2` {
		t.Error(got)
	}
	if got := h.Get("RateLimit"); got != `"account";r=0;t=2` {
		t.Error(got)
	}
	p := l.limit(h, token("2"), Route{}, now)
	if p == nil || p.Status != http.StatusTooManyRequests || p.header.Get("Retry-After") != "1" || !strings.Contains(p.Hint, "Retry-After") {
		t.Errorf("a third token gets more: %+v", p)
	}
	if p := l.limit(h, token("2"), Route{Operation: "introspect"}, now); p != nil {
		t.Errorf("introspection: %v", p)
	}
	if p := l.limit(h, caller{}, Route{}, now); p != nil {
		t.Errorf("the control socket: %v", p)
	}
}
