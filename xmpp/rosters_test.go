package xmpp

import (
	"fmt"
	"strings"
	"testing"

	"trivium/identity"
)

// TestRostersBound: what is kept stays within its bound, whatever is put in or written of it.
func TestRostersBound(t *testing.T) {
	r := &Router{domains: map[string]bool{"example.org": true}}
	of := func(n int) *kept {
		var roster Roster
		for i := range n {
			roster.Contacts = append(roster.Contacts, Contact{JID: fmt.Sprintf("c%d@example.org", i), State: SubscriptionFrom, Listed: true})
		}
		return r.keep(roster)
	}
	l := &rosters{by: map[identity.UserID]*kept{}, max: 3 * of(100).weigh()}
	check := func(least int) {
		t.Helper()
		sum := 0
		for _, k := range l.by {
			sum += k.weight
		}
		if sum != l.room || sum > l.max || len(l.by) < least {
			t.Errorf("%d rosters take %d bytes, %d are noted, %d allowed", len(l.by), sum, l.room, l.max)
		}
	}
	for i := range 20 {
		id := identity.UserID(fmt.Sprint(i))
		l.put(id, of(100))
		if l.get(id) == nil {
			t.Error("the newest is not kept")
		}
		check(min(i+1, 3))
	}
	for id, k := range l.by {
		l.written(id, k, k.appendQuery())
		check(1)
		if l.get(id) == k && k.query.Load() == nil {
			t.Error("what clients get is not kept")
		}
		break
	}
	l.put("huge", of(1000))
	if l.get("huge") != nil {
		t.Error("a roster beyond the bound is kept")
	}
	check(1)
	stale := of(1)
	l.written("a", stale, []byte("<query/>"))
	if stale.query.Load() != nil {
		t.Error("a roster that is not kept counts nowhere")
	}
	for id := range l.by {
		l.drop(id)
	}
	if check(0); l.room != 0 {
		t.Errorf("%d bytes are left of nothing", l.room)
	}
}

// TestKept: what presence needs is found in a roster, and what clients get leaves out what is no
// part of it.
func TestKept(t *testing.T) {
	r := &Router{domains: map[string]bool{"example.org": true}}
	for _, n := range []int{0, 100} { // with few contacts and with many
		roster := Roster{Contacts: []Contact{
			{JID: "both@example.org", State: SubscriptionFrom | SubscriptionTo, Listed: true},
			{JID: "from@example.org", State: SubscriptionFrom, Listed: true},
			{JID: "to@example.org", State: SubscriptionTo, Listed: true},
			{JID: "from@elsewhere.example", State: SubscriptionFrom, Listed: true},
			{JID: "asks@example.org", State: PendingIn, Request: []byte("<presence/>")},
		}}
		for i := range n {
			roster.Contacts = append(roster.Contacts, Contact{JID: fmt.Sprintf("c%d@example.org", i), State: SubscriptionFrom, Listed: true})
		}
		k := r.keep(roster)
		for name, sees := range map[string]bool{"both": true, "from": true, "to": false, "asks": false, "nobody": false} {
			if got := k.sees(Address{name, "example.org"}); got != sees {
				t.Errorf("%s sees: %t", name, got)
			}
		}
		if len(k.from) != 2+n || len(k.to) != 2 || len(k.asks) != 1 {
			t.Errorf("%d from, %d to, %d asks", len(k.from), len(k.to), len(k.asks))
		}
		query := string(k.appendQuery())
		if !strings.HasPrefix(query, "<query xmlns='jabber:iq:roster' ver='0'><item jid='both@example.org' subscription='both'/>") ||
			strings.Count(query, "<item") != 4+n || strings.Contains(query, "asks") {
			t.Error(query)
		}
	}
}
