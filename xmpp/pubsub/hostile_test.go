package pubsub_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"trivium/xmpp"
	"trivium/xmpp/pubsub"
	"trivium/xmpp/xmpptest"
)

// A payload is stored and sent as it was meant, whatever it leaned on and whatever names it bears.
func TestPayloads(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	for _, tt := range []struct{ name, sent, kept string }{
		{"a prefix of its own", "<x:p xmlns:x='urn:x' x:a='1'><x:q/></x:p>", "<x:p xmlns:x='urn:x' x:a='1'><x:q/></x:p>"},
		{"in the namespace of pubsub", "<p/>", "<p xmlns='http://jabber.org/protocol/pubsub'/>"},
		{"a stanza", "<message xmlns='jabber:client' to='x'><body>b</body></message>", "<message xmlns='jabber:client' to='x'><body>b</body></message>"},
		{"no namespace", "<p xmlns=''/>", "<p xmlns=''/>"},
		{"text", "<p xmlns='x'>&lt;/item&gt;<![CDATA[</item>]]>&amp;'\"</p>", "<p xmlns='x'>&lt;/item&gt;<![CDATA[</item>]]>&amp;'\"</p>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := a.Then(iq("set", "", ps(publish("t", "1", tt.sent))), b)
			xmpptest.Has(t, "bob", got[1], "<item id='1'>"+tt.kept+"</item></items></event></message>")
			xmpptest.Has(t, "bob", b.Ask("get", alice, ps("<items node='t'/>")), "<item id='1'>"+tt.kept+"</item></items>")
		})
	}
	// A prefix that stands around it goes with it.
	got := a.Then("<iq type='set' id='q'><pubsub xmlns='http://jabber.org/protocol/pubsub' xmlns:z='urn:z'><publish node='t'><item id='1'><z:p/></item></publish></pubsub></iq>", b)
	xmpptest.Has(t, "bob", got[1], "<item id='1'><z:p xmlns:z='urn:z'/></item>")
}

func TestNames(t *testing.T) {
	s := start(t, options{})
	a := s.Online("alice", "a")
	for i, name := range []string{"&lt;&apos;&amp;&quot;&gt;", "ü漢字 ", "..", "/etc", "%s", "a+notify", "'; DROP TABLE pubsub_nodes; --", strings.Repeat("x", 1023)} {
		name = strings.ReplaceAll(name, "'", "&apos;")
		got := done(t, a, "", ps(publish(name, name, "<p xmlns='x' n='"+strconv.Itoa(i)+"'/>")))
		attr := strings.NewReplacer("&lt;", "&lt;").Replace(name)
		xmpptest.Has(t, "alice", got, "<publish node='"+attr+"'><item id='"+attr+"'/>")
		xmpptest.Has(t, "alice", a.Ask("get", "", ps("<items node='"+name+"'/>")), "<items node='"+attr+"'><item id='"+attr+"'><p xmlns='x' n='"+strconv.Itoa(i)+"'/>")
	}
}

// An event that somebody else makes up comes from that somebody.
func TestForgedEvent(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	got := a.Then("<message to='"+bob+"' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='t'><item/></items></event></message>", b)
	xmpptest.Has(t, "bob", got[1], "from='"+a.JID+"'")
}

// A slow reader is not fed without end, and the publisher does not wait for it.
func TestStorm(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	payload := "<p xmlns='x'>" + strings.Repeat("x", 100<<10) + "</p>"
	for i := range 60 { // of some 6 MB bob reads nothing
		if got := a.Ask("set", "", ps(publish("t", strconv.Itoa(i), payload))); !strings.Contains(got, "<iq type='result'") {
			t.Fatalf("publication %d: %.200q", i, got)
		}
	}
	// Either all went into the network, or bob's stream has ended, as that of any slow reader does.
	b.Close()
	c := s.Online("bob", "again")
	xmpptest.Has(t, "bob", c.Ask("get", alice, ps("<items node='t'/>")), "<item id='59'>")
}

func TestAPI(t *testing.T) {
	s := start(t, options{})
	var hooked []string
	s.pubsub.OnPublish(func(_ context.Context, owner xmpp.Owner, node, id string, payload []byte) {
		hooked = append(hooked, "+"+owner.String()+" "+node+" "+id+" "+string(payload))
	})
	s.pubsub.OnRetract(func(_ context.Context, owner xmpp.Owner, node, id string) {
		hooked = append(hooked, "-"+owner.String()+" "+node+" "+id)
	})
	a, b := s.friends("t")
	owner := s.owners[alice]
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		xmpptest.Must(t, err)
	}
	must(s.pubsub.Publish(ctx, owner, "t", "1", []byte(tune), pubsub.Publishing{}))
	xmpptest.Has(t, "alice", a.Settle(), "<item id='1'>"+tune)
	xmpptest.Has(t, "bob", b.Settle(), "<item id='1'>"+tune)
	must(s.pubsub.Publish(ctx, owner, "b", "room@x", []byte(tune), pubsub.Publishing{Config: pubsub.Private, Quiet: true}))
	must(s.pubsub.Publish(ctx, owner, "b", "two@x", []byte(tune), pubsub.Publishing{Config: pubsub.Public, Quiet: true}))
	failed(t, b, "get", alice, ps("<items node='b'/>"), "cancel", "not-allowed", "closed-node")
	done(t, a, "", ps(publish("t", "2", tune)))
	done(t, a, "", ps("<retract node='t'><item id='2'/></retract>"))
	must(s.pubsub.Retract(ctx, owner, "b", "two@x"))
	must(s.pubsub.Retract(ctx, owner, "b", "two@x"))
	must(s.pubsub.Retract(ctx, owner, "none", "two@x"))
	want := "+" + alice + " t 1 " + tune + "|-" + alice + " t 1|+" + alice + " t 2 " + tune + "|-" + alice + " t 2"
	if got := strings.Join(hooked, "|"); got != want {
		t.Errorf("hooks %q, want %q", got, want)
	}
	if payload, ok, err := s.pubsub.Item(ctx, owner, "b", "room@x"); string(payload) != tune || !ok || err != nil {
		t.Errorf("item %q, %v, %v", payload, ok, err)
	}
	if _, ok, err := s.pubsub.Item(ctx, owner, "b", "two@x"); ok || err != nil {
		t.Errorf("no item: %v, %v", ok, err)
	}
	if id, _, ok, err := s.pubsub.Last(ctx, owner, "b"); id != "room@x" || !ok || err != nil {
		t.Errorf("last %q, %v, %v", id, ok, err)
	}
	for name, want := range map[string]bool{alice: true, bob: false} {
		if ok, err := s.pubsub.May(ctx, owner, "b", s.owners[name]); ok != want || err != nil {
			t.Errorf("%s may: %v, %v", name, ok, err)
		}
	}
	var walked []string
	must(s.pubsub.Export(ctx, owner, func(n pubsub.Node, _ []pubsub.Affiliated, _ []pubsub.Subscription) error {
		walked = append(walked, n.Name)
		return nil
	}, func(n pubsub.Node, i pubsub.Item) error {
		walked = append(walked, n.Name+"/"+i.ID)
		return nil
	}))
	if got := strings.Join(walked, " "); got != "b b/room@x t" {
		t.Errorf("walked %q", got)
	}
	if err := s.pubsub.Publish(ctx, owner, "t", "", make([]byte, 1<<20), pubsub.Publishing{}); err == nil {
		t.Error("a payload without bounds")
	}
	if err := s.pubsub.Items(ctx, owner, "b", func(string, []byte) error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("the function's error: %v", err)
	}
	must(s.Server.Remove(ctx, owner.ID))
	if list, err := s.pubsub.Nodes(ctx, owner); len(list) != 0 || err != nil {
		t.Errorf("after removal: %v, %v", list, err)
	}
}

// Where the policy closes it, there is no such thing.
func TestPolicyHides(t *testing.T) {
	s := start(t, options{policy: map[string]string{"xmpp:pubsub": "staff"}})
	a, b := s.friends("t")
	for _, to := range []string{"", alice, xmpptest.Host} {
		if got := a.Ask("get", to, "<query xmlns='http://jabber.org/protocol/disco#info'/>"); strings.Contains(got, "pubsub") {
			t.Errorf("discovery of %q: %q", to, got)
		}
	}
	for _, payload := range []string{ps(publish("t", "1", tune)), own("<delete node='t'/>")} {
		closed := a.Ask("set", "", payload)
		unheard := a.Ask("set", "", "<x xmlns='urn:unheard-of'/>")
		if closed != unheard || !strings.Contains(closed, "service-unavailable") {
			t.Errorf("closed %q, unheard of %q", closed, unheard)
		}
	}
	// What the server publishes for others does not come either.
	xmpptest.Must(t, s.pubsub.Publish(t.Context(), s.owners[alice], "t", "1", []byte(tune), pubsub.Publishing{}))
	xmpptest.Nothing(t, "alice", a.Settle())
	xmpptest.Nothing(t, "bob", b.Settle())
	if got := available(t, s.Login("bob", "b3"), "t"); strings.Contains(got, "<message") {
		t.Errorf("bob got %q", got)
	}
}

// Who changes nodes without end, its own or another's, has to wait; others do not.
func TestTooFast(t *testing.T) {
	s := start(t, options{limits: func(l *pubsub.Limits) { l.Burst, l.PerMinute = 5, 1 }})
	a, b := s.friends("t") // two changes of roster and presence are none of nodes
	done(t, a, "", ps("<create node='open'/><configure>"+form("node_config", "access_model", "open", "publish_model", "open")+"</configure>"))
	for i := range 5 {
		done(t, b, alice, ps(publish("open", strconv.Itoa(i), "<p xmlns='x'/>")))
	}
	failed(t, b, "set", alice, ps(publish("open", "6", "<p xmlns='x'/>")), "wait", "resource-constraint", "")
	failed(t, b, "set", "", ps(publish("own", "6", "<p xmlns='x'/>")), "wait", "resource-constraint", "")
	failed(t, s.Online("bob", "other"), "set", "", ps("<create node='x'/>"), "wait", "resource-constraint", "")
	xmpptest.Has(t, "bob reads", b.Ask("get", alice, ps("<items node='open'/>")), "<item id='")
	done(t, a, "", ps(publish("own", "1", "<p xmlns='x'/>")))
}
