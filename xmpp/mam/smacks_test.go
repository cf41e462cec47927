package mam_test

import (
	"fmt"
	"testing"

	. "trivium/xmpp/xmpptest"
)

// What is sent again is acknowledged as the first was.
func TestAcknowledged(t *testing.T) {
	s := start(t, nil)
	for round := range 3 {
		alice := s.Online("alice", fmt.Sprint("a", round))
		alice.Send("<enable xmlns='urn:xmpp:sm:3'/>")
		alice.Expect("<enabled xmlns='urn:xmpp:sm:3'")
		alice.Expect(">")
		for i := range 100 {
			alice.Send(say(Bob, fmt.Sprint(i), "x"))
		}
		alice.Send("<r xmlns='urn:xmpp:sm:3'/>")
		alice.Expect("<a xmlns='urn:xmpp:sm:3' h='100'/>")
	}
	if a := page(t, s.Login("bob", "b"), rsm("<max>100</max>")); len(a.list) != 100 || !a.complete {
		t.Errorf("%d messages in the archive", len(a.list))
	}
}
