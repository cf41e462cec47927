package blocking

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/xmpp"
)

// What many accounts block takes a bounded part of memory, and each list still blocks.
func TestListsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 100)
	jids := make([]string, 20)
	for i := range jids {
		jids[i] = fmt.Sprintf("u%d@example.org/%s", i, long)
	}
	l := &lists{read: func(context.Context, identity.UserID) ([]string, error) { return jids, nil }, max: 20_000}
	peer := xmpp.NewAddress("u7", "example.org")
	for i := range 40 {
		owner := xmpp.Owner{Address: xmpp.NewAddress("alice", "example.org"), ID: identity.UserID(fmt.Sprint(i))}
		if !l.blocked(owner, peer, long) || l.blocked(owner, peer, "y") {
			t.Fatalf("the list of account %d does not hold", i)
		}
		sum := 0
		for _, list := range l.of {
			sum += weigh(list)
		}
		if sum != l.bytes || sum > l.max {
			t.Fatalf("after %d accounts lists weigh %d bytes, counted as %d", i+1, sum, l.bytes)
		}
		if i%3 == 0 {
			l.forget(owner.ID)
			l.forget(owner.ID)
		}
	}
	if len(l.of) == 0 {
		t.Error("no list is kept")
	}
}
