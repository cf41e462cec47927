package pubsub_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"trivium/xmpp/pubsub"
	"trivium/xmpp/xmpptest"
)

func TestLastItems(t *testing.T) {
	s := start(t, options{})
	s.know("t", "private", "list", "group")
	s.know("t")
	a, b := s.friends("t")
	done(t, a, "", ps(publish("t", "1", tune)))
	done(t, a, "", ps(publish("t", "2", tune)))
	done(t, a, "", ps(publish("private", "1", tune)+with("access_model", "whitelist")))
	done(t, a, "", ps(publish("quiet", "1", tune)+with("send_last_published_item", "never")))
	done(t, a, "", ps(publish("group", "1", tune)+with("access_model", "roster", "roster_groups_allowed", "Friends")))
	done(t, b, "", ps(publish("t", "bobs", tune)))
	done(t, b, "", ps(publish("private", "bobs", tune)+with("access_model", "whitelist")))
	b.Settle()

	// A client of the owner gets its own and those of contacts, as far as it wishes them.
	a2 := s.Login("alice", "a2")
	got := available(t, a2, "t", "private", "list", "group")
	xmpptest.Has(t, "alice", got, "from='"+alice+"' to='"+a2.JID+"'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='t'><item id='2'>"+tune+"</item></items></event><delay xmlns='urn:xmpp:delay' stamp='")
	for _, want := range []string{"<items node='private'><item id='1'>", "<items node='group'><item id='1'>", "<item id='bobs'>"} {
		xmpptest.Has(t, "alice", got, want)
	}
	if strings.Contains(got, "<items node='private'><item id='bobs'>") || strings.Contains(got, "quiet") || strings.Count(got, "<message") != 4 {
		t.Errorf("alice got %q", got)
	}
	if got := available(t, a2, "t", "private", "list", "group"); strings.Contains(got, "<message") {
		t.Errorf("a second presence brings %q", got)
	}
	if got := available(t, a2, "t"); strings.Contains(got, "<message") {
		t.Errorf("other wishes bring %q", got)
	}
	a2.Then("<presence type='unavailable'/>")
	if got := available(t, a2, "t"); strings.Count(got, "<message") != 2 {
		t.Errorf("after an absence: %q", got)
	}

	// A contact gets what is for contacts.
	b2 := s.Login("bob", "b2")
	got = available(t, b2, "t", "private", "list", "group")
	xmpptest.Has(t, "bob", got, "from='"+alice+"'", "<item id='2'>")
	if strings.Contains(got, "from='"+alice+"' to='"+b2.JID+"'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='private'>") || strings.Contains(got, "group") {
		t.Errorf("bob got %q", got)
	}
	// One who wishes nothing, and a stranger, get nothing.
	if got := s.Login("bob", "b3").Then("<presence/>")[0]; strings.Contains(got, "<message") {
		t.Errorf("without wishes: %q", got)
	}
	if got := available(t, s.Login(carol, "c"), "t"); strings.Contains(got, "<message") {
		t.Errorf("a stranger got %q", got)
	}
	// Who has blocked the owner, too, and who was blocked by it.
	b.Ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='"+alice+"'/></block>")
	b4 := s.Login("bob", "b4")
	if got := available(t, b4, "t"); strings.Contains(got, "from='"+alice+"'") {
		t.Errorf("from one who is blocked: %q", got)
	}
	xmpptest.Nothing(t, "one who has blocked", b4.Settle())
	if got := a.Then(iq("set", "", ps(publish("t", "3", tune))), b4); strings.Contains(got[1], "<message") {
		t.Errorf("from one who is blocked: %q", got[1])
	}
	a5 := s.Login("alice", "a5")
	if got := available(t, a5, "t"); strings.Contains(got, "bobs") {
		t.Errorf("from one who has blocked: %q", got)
	}
}

// The wishes of a client that nobody knew yet come later, and so do the items; once.
func TestLastItemsOfUnknownClient(t *testing.T) {
	s := start(t, options{})
	a := s.Online("alice", "a")
	done(t, a, "", ps(publish("t", "1", tune)))
	a2 := s.Login("alice", "a2")
	got := available(t, a2, "t")
	if !strings.Contains(got, "</message>") {
		got += a2.Expect("</message>")
	}
	xmpptest.Has(t, "a new client", got, "<item id='1'>", "<delay")
	if got := available(t, a2, "t") + a2.Settle(); strings.Contains(got, "<message") {
		t.Errorf("once more: %q", got)
	}
	if got := available(t, s.Login("alice", "a3"), "t"); strings.Count(got, "<message") != 1 {
		t.Errorf("a known client got %q", got)
	}
}

// Somebody who is let see the owner's presence gets the last items then.
func TestLastItemsAtSubscription(t *testing.T) {
	s := start(t, options{})
	s.know("t")
	a, b := s.Login("alice", "a"), s.Login("bob", "b")
	available(t, a, "t")
	available(t, b, "t")
	done(t, a, "", ps(publish("t", "1", tune)))
	xmpptest.Nothing(t, "bob, no contact", b.Settle())
	b.Then("<presence type='subscribe' to='"+alice+"'/>", a)
	a.Send("<presence type='subscribed' to='" + bob + "'/>")
	xmpptest.Has(t, "bob", b.Expect("</message>"), "from='"+alice+"' to='"+b.JID+"'", "<item id='1'>", "<delay")
	// One-way is enough to be notified, and its end ends that.
	a.Settle()
	xmpptest.Has(t, "bob", a.Then(iq("set", "", ps(publish("t", "2", tune))), b)[1], "<item id='2'>")
	a.Then("<presence type='unsubscribed' to='"+bob+"'/>", b)
	xmpptest.Nothing(t, "bob, no contact any more", a.Then(iq("set", "", ps(publish("t", "3", tune))), b)[1])
}

func TestPurgeOffline(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	a2 := s.Online("alice", "a2")
	done(t, a, "", ps(publish("t", "1", tune)+with("purge_offline", "true")))
	done(t, a, "", ps(publish("u", "1", tune)))
	b.Settle()
	if got := a.Then("<presence type='unavailable'/>", b)[1]; strings.Contains(got, "purge") {
		t.Errorf("with a client left: %q", got)
	}
	xmpptest.Has(t, "bob", a2.Then("<presence type='unavailable'/>", b)[1], "<purge node='t'/>")
	xmpptest.Has(t, "alice", a.Ask("get", "", ps("<items node='t'/>")), "<items node='t'></items>")
	xmpptest.Has(t, "alice", a.Ask("get", "", ps("<items node='u'/>")), "<item id='1'>")
}

// Who was known to leave nothing behind makes a node that goes with them, from another account's point of view.
func TestPurgeAfterLeaving(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	for range 2 { // the second time nobody asks the store
		a.Then("<presence type='unavailable'/>", b)
		a.Then("<presence/>", b)
	}
	done(t, a, "", ps(publish("t", "1", tune)+with("purge_offline", "true")))
	b.Settle()
	xmpptest.Has(t, "bob", a.Then("<presence type='unavailable'/>", b)[1], "<purge node='t'/>")
	a.Then("<presence/>", b)
	done(t, a, "", ps(publish("t", "2", tune)))
	b.Settle()
	xmpptest.Has(t, "bob, once more", a.Then("<presence type='unavailable'/>", b)[1], "<purge node='t'/>")
}

// What an inactive client can do without waits, and of each thing only the newest comes (XEP-0352).
func TestInactive(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t", "many")
	done(t, a, "", ps("<create node='many'/><configure>"+form("node_config", "max_items", "max")+"</configure>"))
	b.Send("<inactive xmlns='urn:xmpp:csi:0'/>")
	b.Settle()
	for _, id := range []string{"1", "2", "3"} {
		a.Ask("set", "", ps(publish("t", id, tune)))
		a.Ask("set", "", ps(publish("many", id, tune)))
	}
	b.Send("<active xmlns='urn:xmpp:csi:0'/>")
	got := b.Settle()
	if strings.Count(got, "<items node='t'>") != 1 || strings.Count(got, "<items node='many'>") != 3 {
		t.Errorf("bob got %q", got)
	}
	xmpptest.Has(t, "bob", got, "<items node='t'><item id='3'>")
}

// slow is a store whose Greeting waits until it is opened.
type slow struct {
	pubsub.Store
	on         atomic.Bool
	began, now atomic.Int32
	most       atomic.Int32
	open       chan struct{}
}

func (s *slow) Greeting(ctx context.Context, of []string) ([]pubsub.Node, error) {
	if s.on.Load() {
		s.began.Add(1)
		s.most.Store(max(s.most.Load(), s.now.Add(1)))
		<-s.open
		defer s.now.Add(-1)
	}
	return s.Store.Greeting(ctx, of)
}

// Two who let each other go and come all the time make no more work than the last of it.
func TestComingAndGoing(t *testing.T) {
	st := &slow{open: make(chan struct{})}
	s := start(t, options{store: func(real pubsub.Store) pubsub.Store { st.Store = real; return st }})
	a, b := s.friends("t")
	done(t, a, "", ps(publish("t", "1", tune)))
	a.Then("<presence type='unsubscribed' to='"+bob+"'/>", b)
	st.on.Store(true)
	for range 20 {
		a.Then("<presence type='subscribed' to='" + bob + "'/>")
		b.Then("<presence type='subscribe' to='"+alice+"'/>", a)
		a.Then("<presence type='unsubscribed' to='" + bob + "'/>")
	}
	a.Then("<presence type='subscribed' to='" + bob + "'/>")
	b.Then("<presence type='subscribe' to='" + alice + "'/>")
	xmpptest.Eventually(t, "one is at work", func() bool { return st.began.Load() > 0 })
	if n := st.now.Load(); n != 1 {
		t.Errorf("%d greet one client at one time", n)
	}
	close(st.open)
	b.Expect("<items node='t'><item id='1'>")
	xmpptest.Eventually(t, "all are done", func() bool { return st.now.Load() == 0 })
	if n := st.began.Load(); n > 2 {
		t.Errorf("greeted %d times", n)
	}
}
