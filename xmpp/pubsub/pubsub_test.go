package pubsub_test

import (
	"regexp"
	"strings"
	"testing"

	"trivium/xmpp/xmpptest"
)

func TestPublish(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	a2 := s.Login("alice", "a2")
	available(t, a2, "other")

	got := a.Then(iq("set", "", ps(publish("t", "one", tune))), b, a2)
	event := "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='t'><item id='one'>" + tune + "</item></items></event></message>"
	xmpptest.Has(t, "alice", got[0], "<iq type='result' id='q'", "<publish node='t'><item id='one'/></publish>",
		"<message type='headline' id='", "from='"+alice+"' to='"+a.JID+"'>"+event)
	xmpptest.Has(t, "bob", got[1], "<message type='headline' id='", "from='"+alice+"' to='"+b.JID+"'>"+event)
	xmpptest.Nothing(t, "a client that does not ask for it", got[2])
	if n := strings.Count(got[1], "<message"); n != 1 {
		t.Errorf("bob got %d notifications", n)
	}

	got = a.Then(iq("set", alice, ps(publish("t", "", tune))), b)
	id := regexp.MustCompile(`<publish node='t'><item id='([^']+)'/>`).FindStringSubmatch(got[0])
	if id == nil {
		t.Fatalf("no id in %q", got[0])
	}
	xmpptest.Has(t, "bob", got[1], "<item id='"+id[1]+"'>")
	// The default is one item: the new one has taken the place of the first.
	items := b.Ask("get", alice, ps("<items node='t'/>"))
	xmpptest.Has(t, "bob", items, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='t'><item id='"+id[1]+"'>"+tune+"</item></items></pubsub>")
	xmpptest.Has(t, "bob", b.Ask("get", alice, ps("<items node='t'><item id='one'/></items>")), "<items node='t'></items>")

	for _, tt := range []struct{ name, payload, kind, cond, app string }{
		{"no node", ps("<publish><item>" + tune + "</item></publish>"), "modify", "bad-request", "nodeid-required"},
		{"no item", ps("<publish node='t'/>"), "modify", "bad-request", "item-required"},
		{"no payload", ps("<publish node='t'><item/></publish>"), "modify", "bad-request", "payload-required"},
		{"two payloads", ps(publish("t", "", tune+tune)), "modify", "bad-request", "invalid-payload"},
		{"two items", ps("<publish node='t'><item>" + tune + "</item><item>" + tune + "</item></publish>"), "modify", "bad-request", ""},
		{"too big", ps(publish("t", "", "<p xmlns='x'>"+strings.Repeat("x", 128<<10)+"</p>")), "modify", "not-acceptable", "payload-too-big"},
		{"a long id", ps(publish("t", strings.Repeat("x", 3072), tune)), "modify", "not-acceptable", ""},
		{"a long node", ps(publish(strings.Repeat("x", 1024), "", tune)), "modify", "not-acceptable", ""},
		{"nothing", ps(""), "modify", "bad-request", ""},
		{"an unknown verb", ps("<frobnicate/>"), "modify", "bad-request", ""},
		{"options of subscriptions", ps("<options node='t' jid='" + alice + "'/>"), "cancel", "feature-not-implemented", "unsupported"},
	} {
		t.Run(tt.name, func(t *testing.T) { failed(t, a, "set", "", tt.payload, tt.kind, tt.cond, tt.app) })
	}
	got = a.Then("<presence><show>away</show></presence>", b)
	if strings.Contains(got[1], "<message") {
		t.Errorf("bob got %q", got[1])
	}
}

func TestPublishOptions(t *testing.T) {
	s := start(t, options{})
	a := s.Online("alice", "a")
	done(t, a, "", ps(publish("n", "1", tune)+with("access_model", "whitelist", "persist_items", "true", "max_items", "max", "send_last_published_item", "never")))
	done(t, a, "", ps(publish("n", "2", tune)+with("access_model", "whitelist", "max_items", "max")))
	done(t, a, "", ps(publish("n", "3", tune)+with("max_items", "999999999"))) // means as many as there may be
	failed(t, a, "set", "", ps(publish("n", "4", tune)+with("access_model", "open")), "cancel", "conflict", "precondition-not-met")
	failed(t, a, "set", "", ps(publish("n", "4", tune)+with("unheard_of", "x")), "cancel", "conflict", "precondition-not-met")
	failed(t, a, "set", "", ps(publish("new", "4", tune)+with("access_model", "unheard_of")), "cancel", "conflict", "precondition-not-met")
	failed(t, a, "set", "", ps(publish("new", "4", tune)+"<publish-options>"+form("node_config", "access_model", "open")+"</publish-options>"), "modify", "bad-request", "")
	xmpptest.Has(t, "alice", a.Ask("get", "", ps("<items node='n'/>")), "<item id='1'>", "<item id='2'>", "<item id='3'>", "</items>")
	failed(t, a, "get", "", ps("<items node='new'/>"), "cancel", "item-not-found", "")
}

func TestItems(t *testing.T) {
	s := start(t, options{})
	a := s.Online("alice", "a")
	done(t, a, "", ps("<create node='n'/><configure>"+form("node_config", "max_items", "max")+"</configure>"))
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		done(t, a, "", ps(publish("n", id, "<p xmlns='x' n='"+id+"'/>")))
	}
	done(t, a, "", ps(publish("n", "2", "<p xmlns='x' n='again'/>"))) // is the newest now
	rsm := func(inner string) string { return "<set xmlns='http://jabber.org/protocol/rsm'>" + inner + "</set>" }
	ids := regexp.MustCompile(`<item id='([^']+)'`)
	for _, tt := range []struct{ name, payload, ids, set string }{
		{"all", "<items node='n'/>", "1 3 4 5 2", ""},
		{"the most recent", "<items node='n' max_items='2'/>", "5 2", ""},
		{"by id", "<items node='n'><item id='4'/><item id='none'/><item id='1'/></items>", "4 1", ""},
		{"first page", "<items node='n'/>" + rsm("<max>2</max>"), "1 3", "<first index='0'>1</first><last>3</last><count>5</count>"},
		{"next page", "<items node='n'/>" + rsm("<max>2</max><after>3</after>"), "4 5", "<first index='2'>4</first><last>5</last><count>5</count>"},
		{"last page", "<items node='n'/>" + rsm("<max>2</max><before/>"), "5 2", "<first index='3'>5</first><last>2</last><count>5</count>"},
		{"page before", "<items node='n'/>" + rsm("<max>2</max><before>5</before>"), "3 4", "<first index='1'>3</first><last>4</last><count>5</count>"},
		{"count alone", "<items node='n'/>" + rsm("<max>0</max>"), "", "<count>5</count>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := a.Ask("get", "", ps(tt.payload))
			var list []string
			for _, m := range ids.FindAllStringSubmatch(got, -1) {
				list = append(list, m[1])
			}
			if strings.Join(list, " ") != tt.ids {
				t.Errorf("items %q, want %q: %s", list, tt.ids, got)
			}
			want := "</items></pubsub>"
			if tt.set != "" {
				want = "</items>" + rsm(tt.set) + "</pubsub>"
			}
			if !strings.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	failed(t, a, "get", "", ps("<items node='n'/>"+rsm("<after>gone</after>")), "cancel", "item-not-found", "")
	failed(t, a, "get", "", ps("<items node='n' max_items='x'/>"), "modify", "bad-request", "")
	failed(t, a, "get", "", ps("<items node='none'/>"), "cancel", "item-not-found", "")
	failed(t, a, "get", "", ps("<items/>"), "modify", "bad-request", "nodeid-required")
}

func TestRetractPurgeDelete(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	done(t, a, "", ps("<create node='t'/><configure>"+form("node_config", "max_items", "10")+"</configure>"))
	for _, id := range []string{"1", "2", "3"} {
		done(t, a, "", ps(publish("t", id, tune)))
	}
	b.Settle()
	got := a.Then(iq("set", "", ps("<retract node='t'><item id='1'/></retract>")), b)
	xmpptest.Nothing(t, "bob, of a silent one", got[1])
	got = a.Then(iq("set", "", ps("<retract node='t' notify='true'><item id='2'/></retract>")), b)
	xmpptest.Has(t, "bob", got[1], "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='t'><retract id='2'/></items></event></message>")
	failed(t, a, "set", "", ps("<retract node='t'><item id='2'/></retract>"), "cancel", "item-not-found", "")
	failed(t, a, "set", "", ps("<retract node='none'><item id='2'/></retract>"), "cancel", "item-not-found", "")
	failed(t, a, "set", "", ps("<retract><item id='2'/></retract>"), "modify", "bad-request", "nodeid-required")
	failed(t, a, "set", "", ps("<retract node='t'><item/></retract>"), "modify", "bad-request", "item-required")
	failed(t, a, "set", "", ps("<retract node='t'><item id='3'/><item id='none'/></retract>"), "cancel", "item-not-found", "")
	xmpptest.Has(t, "alice", a.Ask("get", "", ps("<items node='t'/>")), "<item id='3'>")

	got = a.Then(iq("set", "", own("<purge node='t'/>")), b)
	xmpptest.Has(t, "bob", got[1], "<event xmlns='http://jabber.org/protocol/pubsub#event'><purge node='t'/></event></message>")
	xmpptest.Has(t, "alice", a.Ask("get", "", ps("<items node='t'/>")), "<items node='t'></items>")
	got = a.Then(iq("set", "", own("<delete node='t'><redirect uri='xmpp:x'/></delete>")), b)
	xmpptest.Has(t, "bob", got[1], "<delete node='t'><redirect uri='xmpp:x'/></delete></event></message>")
	failed(t, a, "set", "", own("<delete node='t'/>"), "cancel", "item-not-found", "")
	failed(t, a, "get", "", own("<configure node='t'/>"), "cancel", "item-not-found", "")
}

func TestConfigure(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	failed(t, a, "set", "", ps("<create node='t'/><configure>"+form("node_config", "access_model", "magic")+"</configure>"), "modify", "not-acceptable", "unsupported-access-model")
	failed(t, a, "set", "", ps("<create node='t'/><configure>"+form("node_config", "node_type", "collection")+"</configure>"), "modify", "not-acceptable", "")
	failed(t, a, "set", "", ps("<create node='t'/><configure>"+form("node_config", "max_items", "0")+"</configure>"), "modify", "not-acceptable", "")
	failed(t, a, "set", "", ps("<configure/><create node='t'/>"), "modify", "bad-request", "")
	done(t, a, "", ps("<create node='t'/>"))
	failed(t, a, "set", "", ps("<create node='t'/>"), "cancel", "conflict", "")
	got := done(t, a, "", ps("<create/>"))
	if !regexp.MustCompile(`<create node='[^']{20,}'/>`).MatchString(got) {
		t.Errorf("an instant node: %q", got)
	}
	xmpptest.Has(t, "alice", a.Ask("get", "", own("<configure node='t'/>")), "<configure node='t'><x xmlns='jabber:x:data' type='form'>",
		"<value>http://jabber.org/protocol/pubsub#node_config</value>", "<field var='pubsub#access_model' type='list-single' label='Who may subscribe and read'><value>presence</value><option>", "<option><value>whitelist</value></option></field>",
		"<field var='pubsub#max_items'", "<value>1</value>", "<field var='pubsub#send_last_published_item' type='list-single' label='When the last item is sent'><value>on_sub_and_presence</value><option>")
	xmpptest.Has(t, "alice", a.Ask("get", "", own("<default/>")), "<default><x xmlns='jabber:x:data' type='form'>", "<value>presence</value><option>")
	got = a.Then(iq("set", "", own("<configure node='t'>"+form("node_config", "title", "A &amp; B", "notify_config", "1", "max_items", "max")+"</configure>")), b)[0]
	xmpptest.Has(t, "alice", got, "<iq type='result' id='q'", "<configuration node='t'><x xmlns='jabber:x:data' type='result'>", "<value>A &amp; B</value>", "<value>max</value>")
	done(t, a, "", own("<configure node='t'><x xmlns='jabber:x:data' type='cancel'/></configure>"))
	failed(t, a, "set", "", own("<configure node='t'/>"), "modify", "bad-request", "")
	failed(t, a, "set", "", own("<configure node='t'>"+form("node_config", "persist_items", "maybe")+"</configure>"), "modify", "not-acceptable", "")
	xmpptest.Has(t, "alice", a.Ask("get", "", own("<configure node='t'/>")), "<field var='pubsub#title'", "<value>A &amp; B</value>", "<field var='pubsub#max_items'", "<value>max</value>")

	// Fewer items from now on: the oldest go.
	for _, id := range []string{"1", "2", "3"} {
		done(t, a, "", ps(publish("t", id, tune)))
	}
	done(t, a, "", own("<configure node='t'>"+form("node_config", "max_items", "2", "publish_node_full", "reject")+"</configure>"))
	got = a.Ask("get", "", ps("<items node='t'/>"))
	if strings.Contains(got, "id='1'") || !strings.Contains(got, "id='3'") {
		t.Errorf("items %q", got)
	}
	failed(t, a, "set", "", ps(publish("t", "4", tune)), "cancel", "conflict", "node-full")
	done(t, a, "", ps(publish("t", "2", tune))) // in the place of another
	done(t, a, "", own("<configure node='t'>"+form("node_config", "publish_node_full", "retract-oldest", "notify_retract", "true")+"</configure>"))
	b.Settle()
	got = a.Then(iq("set", "", ps(publish("t", "4", tune))), b)[1]
	xmpptest.Has(t, "bob", got, "<item id='4'>", "<retract id='3'/>")

	// Transient nodes keep nothing.
	done(t, a, "", own("<configure node='t'>"+form("node_config", "persist_items", "0")+"</configure>"))
	failed(t, a, "get", "", ps("<items node='t'/>"), "cancel", "feature-not-implemented", "unsupported")
	failed(t, a, "set", "", ps("<retract node='t'><item id='4'/></retract>"), "cancel", "feature-not-implemented", "unsupported")
	b.Settle()
	xmpptest.Has(t, "bob", a.Then(iq("set", "", ps(publish("t", "5", tune))), b)[1], "<item id='5'>"+tune+"</item>")
	done(t, a, "", own("<configure node='t'>"+form("node_config", "deliver_payloads", "0")+"</configure>"))
	failed(t, a, "set", "", ps(publish("t", "5", tune)), "modify", "bad-request", "item-forbidden")
	b.Settle()
	xmpptest.Has(t, "bob", a.Then(iq("set", "", ps("<publish node='t'/>")), b)[1], "<items node='t'></items></event>")
}

func TestDiscovery(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("t")
	done(t, a, "", ps(publish("t", "1", tune)))
	done(t, a, "", ps(publish("secret", "1", tune)+with("access_model", "whitelist")))
	info := func(c *xmpptest.Client, to, node string) string {
		if node != "" {
			node = " node='" + node + "'"
		}
		return c.Ask("get", to, "<query xmlns='http://jabber.org/protocol/disco#info'"+node+"/>")
	}
	items := func(c *xmpptest.Client, to, node string) string {
		if node != "" {
			node = " node='" + node + "'"
		}
		return c.Ask("get", to, "<query xmlns='http://jabber.org/protocol/disco#items'"+node+"/>")
	}
	b.Settle()
	server := info(a, xmpptest.Host, "")
	xmpptest.Has(t, "the server", server, "<identity category='pubsub' type='pep'/>", "pubsub#publish-options'")
	if strings.Contains(server, "create-nodes") {
		t.Errorf("the server has nodes of its own: %s", server)
	}
	for _, to := range []string{"", alice, bob} {
		xmpptest.Has(t, "alice", info(a, to, ""), "<identity category='pubsub' type='pep'/>", "pubsub#access-presence'", "pubsub#auto-create'", "pubsub#publish-options'")
	}
	xmpptest.Has(t, "bob", info(b, alice, "t"), "<identity category='pubsub' type='leaf'/>", "<value>http://jabber.org/protocol/pubsub#meta-data</value>",
		"<field var='pubsub#access_model'><value>presence</value></field>", "<field var='pubsub#owner'><value>"+alice+"</value></field>")
	xmpptest.Has(t, "bob", info(b, alice, "secret"), "item-not-found")
	xmpptest.Has(t, "alice", info(a, "", "secret"), "<identity category='pubsub' type='leaf'/>")
	xmpptest.Has(t, "alice", items(a, "", ""), "<item jid='"+alice+"' node='secret'/>", "<item jid='"+alice+"' node='t'/>")
	got := items(b, alice, "")
	xmpptest.Has(t, "bob", got, "<item jid='"+alice+"' node='t'/>")
	if strings.Contains(got, "secret") {
		t.Errorf("bob sees %q", got)
	}
	xmpptest.Has(t, "bob", items(b, alice, "t"), "<item jid='"+alice+"' name='1'/>")
	// What is hidden and what there is not are one answer.
	if hidden, absent := items(b, alice, "secret"), items(b, alice, "absent"); strings.ReplaceAll(hidden, "secret", "absent") != absent {
		t.Errorf("hidden %q, absent %q", hidden, absent)
	}
}
