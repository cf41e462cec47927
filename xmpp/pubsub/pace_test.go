package pubsub

import (
	"fmt"
	"testing"
	"time"

	"trivium/identity"
)

func TestPace(t *testing.T) {
	l := &Limits{Burst: 3, PerMinute: 120}
	at := time.Unix(1_700_000_000, 0)
	var p pace
	for i, tt := range []struct {
		who   identity.UserID
		after time.Duration
		ok    bool
	}{
		{"a", 0, true}, {"a", 0, true}, {"a", 0, true}, {"a", 0, false}, {"a", 499 * time.Millisecond, false},
		{"b", 0, true},
		{"a", time.Millisecond, true}, {"a", 0, false},
		{"a", time.Hour, true}, {"a", 0, true}, {"a", 0, true}, {"a", 0, false},
	} {
		at = at.Add(tt.after)
		if got := p.take(tt.who, at, l); got != tt.ok {
			t.Errorf("step %d: %v", i, got)
		}
	}
	for i := range maxPaced + 10 {
		p.take(identity.UserID(fmt.Sprint(i)), at, l)
	}
	if len(p.full) > maxPaced {
		t.Errorf("%d are kept", len(p.full))
	}
}
