package pubsub_test

import (
	"strings"
	"testing"
	"time"

	"trivium/xmpp"
	"trivium/xmpp/pubsub"
	"trivium/xmpp/xmpptest"
)

// What an account brings stands behind what it has, within its limits, and never more open than it was.
func TestImport(t *testing.T) {
	s := start(t, options{limits: func(l *pubsub.Limits) { l.Nodes, l.Items, l.Payload = 4, 3, 100 }})
	a, b := s.Online("alice", "a"), s.Online("bob", "b")
	done(t, a, "", ps(publish("had", "1", "<p xmlns='x'>old</p>")))
	i := s.pubsub.Import(s.owners[alice], time.Now())
	form := func(fields ...string) *xmpp.Form {
		f := &xmpp.Form{Type: xmpp.FormOpen}
		for _, x := range fields {
			name, value, _ := strings.Cut(x, "=")
			f.Fields = append(f.Fields, xmpp.Field{Var: "pubsub#" + name, Values: []string{value}})
		}
		return f
	}
	node := func(name string, f *xmpp.Form, want bool) {
		t.Helper()
		made, err := i.Node(t.Context(), name, f)
		if err != nil || made != want {
			t.Errorf("node %s: %v, %v", name, made, err)
		}
	}
	item := func(node, id, payload string, want bool) {
		t.Helper()
		added, err := i.Item(t.Context(), node, id, []byte(payload))
		if err != nil || added != want {
			t.Errorf("item %s of %s: %v, %v", id, node, added, err)
		}
	}
	const p = "<p xmlns='x'>new</p>"
	node("had", form("access_model=open"), false)
	item("had", "1", p, false)
	item("had", "2", p, false) // it keeps one
	node("open", form("access_model=open", "max_items=2", "colour=red", "send_last_published_item=whenever"), true)
	for _, id := range []string{"1", "2", "3"} {
		item("open", id, p, true)
	}
	item("open", "4", "<p xmlns='x'>"+strings.Repeat("x", 100)+"</p>", false)
	node("strange", form("access_model=friends-of-friends"), true)
	item("late", "1", p, true) // its configuration comes behind it, or never
	node("one too many", form(), false)
	item("one too many", "1", p, false)

	xmpptest.Has(t, "alice", a.Ask("get", "", ps("<items node='had'/>")), "<item id='1'><p xmlns='x'>old</p></item></items>")
	xmpptest.Has(t, "bob", b.Ask("get", alice, ps("<items node='open'/>")), "<items node='open'><item id='2'>", "<item id='3'>", "</items>")
	for _, name := range []string{"strange", "late"} {
		xmpptest.Has(t, "bob", b.Ask("get", alice, ps("<items node='"+name+"'/>")), "<closed-node")
	}
	node("late", form("access_model=open"), false) // it is there, and is configured
	xmpptest.Has(t, "bob", b.Ask("get", alice, ps("<items node='late'/>")), "<item id='1'>")
}
