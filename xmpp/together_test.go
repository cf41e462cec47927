package xmpp_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"trivium/xmpp"
)

// However presence, requests and ends mix: when all is quiet, nobody sees more than the rosters
// say, and nobody hangs.
func TestTogether(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.friends()
	var group sync.WaitGroup
	for _, side := range []struct {
		p     *peer
		other string
	}{{alice, bobJID}, {bob, aliceJID}} {
		group.Go(func() {
			for range 30 {
				side.p.send("<presence><show>away</show></presence>" + request("unsubscribe", side.other) + request("unsubscribed", side.other) +
					"<presence type='unavailable'/><presence/>" + request("subscribe", side.other) + request("subscribed", side.other))
				if text, err := side.p.until("<show>away</show>"); err != nil {
					t.Errorf("%v after %q", err, text)
					return
				}
			}
		})
	}
	group.Wait()
	alice.settle()
	bob.settle()
	alice.then(request("unsubscribed", bobJID), bob)
	bob.then(request("unsubscribed", aliceJID), alice)
	alice.settle()
	nothing(t, "bob", alice.then("<presence/>", bob)[1])
	nothing(t, "alice", bob.then("<presence/>", alice)[1])
}

// brokenStore cannot write.
type brokenStore struct{ xmpp.Store }

func (brokenStore) Write(context.Context, func(xmpp.StoreWriter) error) error {
	return errors.New("the disk is full")
}

// What is not durable is neither acknowledged nor told to anybody.
func TestStoreFails(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Store = brokenStore{o.Store} }})
	alice, bob := s.online("alice", "a", "<presence/>"), s.online("bob", "b", "<presence/>")
	got := alice.then(rosterSet("1", item(bobJID, ""))+request("subscribe", bobJID), bob)
	has(t, "alice", got[0], "<iq type='error' id='1'", "<internal-server-error", "<presence type='error'", "<internal-server-error")
	if strings.Contains(got[0], "push") || strings.Contains(got[0], "type='result' id='1'") {
		t.Errorf("alice was told of what is not there: %q", got[0])
	}
	nothing(t, "bob", got[1])
}
