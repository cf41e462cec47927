package mam_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"trivium/xmpp/mam"

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

// failing is a store that cannot keep messages with some word in them, at once or behind.
type failing struct {
	mam.Store
	word   string
	behind bool
	broken atomic.Bool
}

var errDisk = errors.New("the disk is full")

func (f *failing) Put(ctx context.Context, m mam.Message, done func(error)) (mam.Receipt, error) {
	switch {
	case !f.broken.Load() || !strings.Contains(string(m.Stanza), f.word):
		return f.Store.Put(ctx, m, done)
	case f.behind:
		go done(errDisk)
		return mam.Receipt{ID: 1}, nil
	}
	return mam.Receipt{}, errDisk
}

var enabledForm = regexp.MustCompile(`<enabled xmlns='urn:xmpp:sm:3' id='([^']+)'`)

// What the archive could not keep the client sends again: its connection ends, and when it comes back
// to its stream the number says from where on.
func TestNotKept(t *testing.T) {
	for _, behind := range []bool{false, true} {
		t.Run(fmt.Sprintf("behind %v", behind), func(t *testing.T) {
			f := &failing{word: "second", behind: behind}
			f.broken.Store(true)
			s := start(t, func(o *mam.Options) { f.Store, o.Store = o.Store, f })
			alice := s.Online("alice", "a")
			alice.Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
			id := enabledForm.FindStringSubmatch(alice.Expect("/>"))
			if id == nil {
				t.Fatal("not resumable")
			}
			alice.Send(say(Bob, "1", "first") + "<r xmlns='urn:xmpp:sm:3'/>")
			alice.Expect("<a xmlns='urn:xmpp:sm:3' h='1'/>")
			alice.Send(say(Bob, "2", "second"))
			if got := alice.Rest(); got != "" { // there are no words where something is being written
				Has(t, "alice", got, "<stream:error><internal-server-error", "Send it again.")
			}
			f.broken.Store(false)

			again := s.Dial()
			again.Send(OpenStream(Host))
			again.Expect("</stream:features>")
			again.Send(AuthPlain("alice", Password))
			again.Expect("</success>")
			again.Send(OpenStream(Host))
			again.Expect("</stream:features>")
			again.Send("<resume xmlns='urn:xmpp:sm:3' previd='" + id[1] + "' h='0'/>")
			Has(t, "resumed", again.Expect("/>"), "<resumed xmlns='urn:xmpp:sm:3'", "h='1'/>")
			again.Send(say(Bob, "2", "second") + say(Bob, "3", "third") + "<r xmlns='urn:xmpp:sm:3'/>")
			again.Expect("<a xmlns='urn:xmpp:sm:3' h='3'/>")
			if a := page(t, s.Login("bob", "b"), rsm("<max>100</max>")); len(a.list) != 3 || !strings.Contains(a.list[1].stanza, "second") {
				t.Errorf("the archive has %+v", a.list)
			}
		})
	}
}

// A client that cannot come back to its stream begins anew, and is told nothing of what was not kept.
func TestNotKeptWithoutResumption(t *testing.T) {
	f := &failing{word: "second"}
	f.broken.Store(true)
	s := start(t, func(o *mam.Options) { f.Store, o.Store = o.Store, f })
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	alice.Send("<enable xmlns='urn:xmpp:sm:3'/>")
	alice.Expect("<enabled")
	alice.Send(say(Bob, "1", "first") + say(Bob, "2", "second") + "<r xmlns='urn:xmpp:sm:3'/>")
	got := alice.Rest()
	Has(t, "alice", got, "<internal-server-error")
	if strings.Contains(got, "h='2'") {
		t.Errorf("acknowledged: %q", got)
	}
	if got := bob.Settle(); strings.Contains(got, "second") { // it will come again
		t.Errorf("bob got %q", got)
	}
}
