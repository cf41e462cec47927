package pubsub_test

import (
	"strconv"
	"strings"
	"testing"

	"trivium/xmpp/pubsub"
	"trivium/xmpp/xmpptest"
)

func TestAccess(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("x")
	c := s.Online(carol, "c") // has nothing to do with alice
	a.Ask("set", "", "<query xmlns='jabber:iq:roster'><item jid='"+bob+"'><group>Friends</group></item></query>")
	items := func(node string) string { return ps("<items node='" + node + "'/>") }
	sub := func(node, who string) string { return ps("<subscribe node='" + node + "' jid='" + who + "'/>") }
	for _, m := range []string{"open", "presence", "whitelist", "authorize", "roster"} {
		done(t, a, "", ps(publish(m, "1", tune)+with("access_model", m)))
	}
	done(t, a, "", own("<configure node='roster'>"+form("node_config", "roster_groups_allowed", "Friends")+"</configure>"))
	done(t, a, "", ps(publish("strangers", "1", tune)+with("access_model", "roster", "roster_groups_allowed", "Enemies")))
	b.Settle()

	for _, verb := range []string{"items", "subscribe"} {
		ask := func(c *xmpptest.Client, node, kind, cond, app string) {
			t.Helper()
			typ, payload := "get", items(node)
			if verb == "subscribe" {
				typ, payload = "set", sub(node, strings.Split(c.JID, "/")[0])
			}
			if cond == "" {
				xmpptest.Has(t, c.JID, c.Ask(typ, alice, payload), "<iq type='result' id='q'")
				return
			}
			failed(t, c, typ, alice, payload, kind, cond, app)
		}
		ask(c, "open", "", "", "")
		ask(c, "presence", "auth", "not-authorized", "presence-subscription-required")
		ask(c, "roster", "auth", "not-authorized", "presence-subscription-required")
		ask(c, "whitelist", "cancel", "not-allowed", "closed-node")
		ask(c, "none", "cancel", "item-not-found", "")
		ask(b, "presence", "", "", "")
		ask(b, "roster", "", "", "")
		ask(b, "strangers", "auth", "not-authorized", "not-in-roster-group")
		ask(b, "whitelist", "cancel", "not-allowed", "closed-node")
		if verb == "items" {
			ask(b, "authorize", "auth", "not-authorized", "not-subscribed")
		}
	}

	// The owner alone manages, whoever else there is: the answer tells nothing of nodes.
	for _, payload := range []string{"<configure node='open'/>", "<affiliations node='open'/>", "<subscriptions node='open'/>", "<configure node='none'/>"} {
		failed(t, b, "get", alice, own(payload), "auth", "forbidden", "")
	}
	for _, payload := range []string{
		own("<configure node='open'>" + form("node_config", "access_model", "open") + "</configure>"), own("<delete node='open'/>"), own("<purge node='open'/>"),
		own("<affiliations node='whitelist'><affiliation jid='" + bob + "' affiliation='member'/></affiliations>"),
		own("<subscriptions node='authorize'><subscription jid='" + bob + "' subscription='subscribed'/></subscriptions>"),
		ps("<create node='mine'/>"), ps("<create/>"), ps(publish("open", "1", tune)), ps(publish("none", "1", tune)), ps("<retract node='open'><item id='1'/></retract>"),
		ps("<retract node='none'><item id='1'/></retract>"),
	} {
		failed(t, b, "set", alice, payload, "auth", "forbidden", "")
	}

	// Affiliations let in and shut out.
	aff := func(node, jid, a string) string {
		return own("<affiliations node='" + node + "'><affiliation jid='" + jid + "' affiliation='" + a + "'/></affiliations>")
	}
	done(t, a, "", aff("whitelist", bob+"/any", "member"))
	xmpptest.Has(t, "a member", b.Ask("get", alice, items("whitelist")), "<item id='1'>")
	failed(t, b, "set", alice, ps(publish("whitelist", "2", tune)), "auth", "forbidden", "")
	xmpptest.Has(t, "alice", a.Ask("get", "", own("<affiliations node='whitelist'/>")), "<affiliation jid='"+alice+"' affiliation='owner'/><affiliation jid='"+bob+"' affiliation='member'/></affiliations>")
	xmpptest.Has(t, "bob", b.Ask("get", alice, ps("<affiliations/>")), "<affiliations><affiliation node='whitelist' affiliation='member'/></affiliations>")
	done(t, a, "", aff("open", carol, "outcast"))
	failed(t, c, "get", alice, items("open"), "auth", "forbidden", "")
	failed(t, c, "set", alice, sub("open", carol), "auth", "forbidden", "")
	done(t, a, "", aff("open", bob, "publish-only"))
	done(t, b, alice, ps(publish("open", "bobs", tune)))
	failed(t, b, "get", alice, items("open"), "auth", "forbidden", "")
	done(t, a, "", own("<configure node='open'>"+form("node_config", "max_items", "10", "itemreply", "publisher")+"</configure>"))
	done(t, a, "", ps(publish("open", "alices", tune)))
	xmpptest.Has(t, "alice", a.Ask("get", "", items("open")), "<item id='bobs' publisher='"+bob+"'>", "<item id='alices' publisher='"+alice+"'>")
	failed(t, b, "set", alice, ps("<retract node='open'><item id='alices'/></retract>"), "auth", "forbidden", "")
	done(t, b, alice, ps("<retract node='open'><item id='bobs'/></retract>"))
	failed(t, a, "set", "", aff("open", alice, "none"), "modify", "not-acceptable", "")
	failed(t, a, "set", "", aff("open", bob, "owner"), "modify", "not-acceptable", "")
	failed(t, a, "set", "", own("<affiliations node='open'><affiliation jid='"+bob+"' affiliation='none'/><affiliation jid='"+bob+"' affiliation='member'/></affiliations>"), "modify", "bad-request", "")
	done(t, a, "", aff("open", bob, "none"))
	xmpptest.Has(t, "bob", b.Ask("get", alice, items("open")), "<item id=")

	// Who is blocked, and an account that there is not, get the same bytes.
	a.Ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='"+carol+"'/></block>")
	blocked, absent := c.Ask("get", alice, items("presence")), c.Ask("get", "nobody@"+xmpptest.Host, items("presence"))
	if strings.ReplaceAll(blocked, alice, "nobody@"+xmpptest.Host) != absent || !strings.Contains(absent, "service-unavailable") {
		t.Errorf("blocked %q, absent %q", blocked, absent)
	}
}

func TestPublishModels(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("x")
	c := s.Online(carol, "c")
	done(t, a, "", ps(publish("wall", "1", tune)+with("publish_model", "open", "max_items", "max")))
	done(t, b, alice, ps(publish("wall", "2", tune)))
	failed(t, c, "set", alice, ps(publish("wall", "3", tune)), "auth", "forbidden", "")
	done(t, a, "", own("<configure node='wall'>"+form("node_config", "publish_model", "subscribers")+"</configure>"))
	failed(t, b, "set", alice, ps(publish("wall", "4", tune)), "auth", "forbidden", "")
	done(t, b, alice, ps("<subscribe node='wall' jid='"+bob+"'/>"))
	done(t, b, alice, ps(publish("wall", "4", tune)))
	// One cannot write over another's by its ID where one may not remove it either.
	failed(t, b, "set", alice, ps(publish("wall", "1", tune)), "auth", "forbidden", "")
}

func TestSubscribe(t *testing.T) {
	s := start(t, options{limits: func(l *pubsub.Limits) { l.Subscriber, l.Subscriptions = 3, 2 }})
	a := s.Online("alice", "a")
	b, c := s.Online("bob", "b"), s.Online(carol, "c")
	done(t, a, "", ps(publish("n", "1", tune)+with("access_model", "open")))
	// Nobody is subscribed by another.
	for _, jid := range []string{alice, carol, "nobody@else.where", "", "bob@" + xmpptest.Second, "@"} {
		failed(t, b, "set", alice, ps("<subscribe node='n' jid='"+jid+"'/>"), "modify", "bad-request", "invalid-jid")
		failed(t, b, "set", alice, ps("<unsubscribe node='n' jid='"+jid+"'/>"), "auth", "forbidden", "")
	}
	failed(t, b, "set", alice, ps("<unsubscribe node='n' jid='"+bob+"'/>"), "cancel", "unexpected-request", "not-subscribed")
	failed(t, b, "set", alice, ps("<unsubscribe node='none' jid='"+bob+"'/>"), "cancel", "item-not-found", "")

	got := done(t, b, alice, ps("<subscribe node='n' jid='"+bob+"'/>"))
	xmpptest.Has(t, "bob", got, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscription node='n' jid='"+bob+"' subscription='subscribed'/></pubsub>",
		"<message type='headline'", "from='"+alice+"'", "<item id='1'>", "<delay xmlns='urn:xmpp:delay' stamp='")
	got = done(t, b, alice, ps("<subscribe node='n' jid='"+bob+"'/>")) // once more is no other one
	xmpptest.Has(t, "bob", got, "subscription='subscribed'/></pubsub>")
	xmpptest.Has(t, "bob", b.Ask("get", alice, ps("<subscriptions/>")), "<subscriptions><subscription node='n' jid='"+bob+"' subscription='subscribed'/></subscriptions>")
	xmpptest.Has(t, "alice", a.Ask("get", "", own("<subscriptions node='n'/>")), "<subscriptions node='n'><subscription jid='"+bob+"' subscription='subscribed'/></subscriptions>")
	// A client that does not say what it wants gets what it has subscribed to, once.
	all := a.Then(iq("set", "", ps(publish("n", "2", tune))), b, c)
	xmpptest.Has(t, "bob", all[1], "<item id='2'>")
	if strings.Count(all[1], "<message") != 1 {
		t.Errorf("bob got %q", all[1])
	}
	xmpptest.Nothing(t, "carol", all[2])

	done(t, c, alice, ps("<subscribe node='n' jid='"+c.JID+"'/>"))
	d := s.Login(carol, "d")
	failed(t, d, "set", alice, ps("<subscribe node='n' jid='"+d.JID+"'/>"), "wait", "policy-violation", "too-many-subscriptions")
	all = a.Then(iq("set", "", ps(publish("n", "3", tune))), b, c, d)
	xmpptest.Has(t, "carol", all[2], "to='"+c.JID+"'", "<item id='3'>")
	xmpptest.Nothing(t, "carol's other client", all[3])

	// The owner ends a subscription, and invents none.
	failed(t, a, "set", "", own("<subscriptions node='n'><subscription jid='x@y' subscription='subscribed'/></subscriptions>"), "modify", "not-acceptable", "")
	all = a.Then(iq("set", "", own("<subscriptions node='n'><subscription jid='"+bob+"' subscription='none'/></subscriptions>")), b)
	xmpptest.Has(t, "bob", all[1], "<event xmlns='http://jabber.org/protocol/pubsub#event'><subscription node='n' jid='"+bob+"' subscription='none'/></event>")
	done(t, c, alice, ps("<unsubscribe node='n' jid='"+c.JID+"'/>"))
	all = a.Then(iq("set", "", ps(publish("n", "4", tune))), b, c)
	xmpptest.Nothing(t, "bob", all[1])
	xmpptest.Nothing(t, "carol", all[2])

	// What the access model does not allow any more is not sent, whoever has subscribed.
	done(t, b, alice, ps("<subscribe node='n' jid='"+bob+"'/>"))
	done(t, a, "", own("<configure node='n'>"+form("node_config", "access_model", "whitelist")+"</configure>"))
	b.Settle()
	xmpptest.Nothing(t, "bob", a.Then(iq("set", "", ps(publish("n", "5", tune))), b)[1])
	done(t, a, "", own("<configure node='n'>"+form("node_config", "access_model", "open")+"</configure>"))
	b.Ask("set", "", "<block xmlns='urn:xmpp:blocking'><item jid='"+alice+"'/></block>")
	xmpptest.Nothing(t, "bob, who has blocked alice", a.Then(iq("set", "", ps(publish("n", "6", tune))), b)[1])
	for i := range 3 {
		done(t, a, "", ps(publish("m"+strconv.Itoa(i), "1", tune)+with("access_model", "open")))
	}
	for i := range 3 {
		done(t, d, alice, ps("<subscribe node='m"+strconv.Itoa(i)+"' jid='"+carol+"'/>"))
	}
	failed(t, d, "set", alice, ps("<subscribe node='n' jid='"+carol+"'/>"), "wait", "policy-violation", "too-many-subscriptions")
}

func TestAuthorize(t *testing.T) {
	s := start(t, options{})
	a, b := s.friends("x")
	c := s.Online(carol, "c")
	done(t, a, "", ps(publish("n", "1", tune)+with("access_model", "authorize")))
	b.Settle()
	ask := ps("<subscribe node='n' jid='" + bob + "'/>")
	xmpptest.Has(t, "bob", done(t, b, alice, ask), "<subscription node='n' jid='"+bob+"' subscription='pending'/>")
	failed(t, b, "set", alice, ask, "auth", "not-authorized", "pending-subscription")
	failed(t, b, "get", alice, ps("<items node='n'/>"), "auth", "not-authorized", "not-subscribed")
	question := a.Settle()
	xmpptest.Has(t, "alice", question, "<message id='", "from='"+alice+"' to='"+alice+"'>", "<body>", "<x xmlns='jabber:x:data' type='form'>",
		"<value>http://jabber.org/protocol/pubsub#subscribe_authorization</value>", "<value>n</value>", "<value>"+bob+"</value>", "<field var='pubsub#allow' type='boolean'")
	xmpptest.Nothing(t, "bob, who waits", a.Then(iq("set", "", ps(publish("n", "2", tune))), b)[1])
	reply := func(allow string) string {
		return form("subscribe_authorization", "node", "n", "subscriber_jid", bob, "allow", allow)
	}
	// Only the owner answers, and to its own account.
	b.Then("<message to='" + alice + "'>" + reply("true") + "</message><message to='" + bob + "'>" + reply("true") + "</message>")
	c.Then("<message to='" + alice + "'>" + reply("true") + "</message>")
	a.Then("<message to='" + alice + "'><x xmlns='jabber:x:data' type='cancel'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field></x></message>")
	failed(t, b, "get", alice, ps("<items node='n'/>"), "auth", "not-authorized", "not-subscribed")
	b.Settle()

	got := a.Then("<message to='"+alice+"'>"+reply("true")+"</message>", b)
	xmpptest.Has(t, "bob", got[1], "<subscription node='n' jid='"+bob+"' subscription='subscribed'/></event>", "<item id='2'>", "<delay")
	xmpptest.Has(t, "bob", b.Ask("get", alice, ps("<items node='n'/>")), "<item id='2'>")
	xmpptest.Has(t, "bob", a.Then(iq("set", "", ps(publish("n", "3", tune))), b)[1], "<item id='3'>")
	xmpptest.Nothing(t, "bob, of an answer twice", a.Then("<message to='"+alice+"'>"+reply("false")+"</message>", b)[1])

	done(t, b, alice, ps("<unsubscribe node='n' jid='"+bob+"'/>"))
	done(t, b, alice, ask)
	b.Settle()
	xmpptest.Has(t, "bob", a.Then("<message to='"+alice+"'>"+reply("0")+"</message>", b)[1], "subscription='none'/></event>")
	failed(t, b, "get", alice, ps("<items node='n'/>"), "auth", "not-authorized", "not-subscribed")
	done(t, b, alice, ask)
	xmpptest.Has(t, "bob", a.Then(iq("set", "", own("<delete node='n'/>")), b)[1], "<delete node='n'></delete></event>")
}

func TestLimits(t *testing.T) {
	s := start(t, options{limits: func(l *pubsub.Limits) { l.Nodes, l.Items, l.Bytes, l.Affiliations, l.Payload = 3, 5, 3000, 2, 1500 }})
	a := s.Online("alice", "a")
	done(t, a, "", ps(publish("1", "", tune)))
	done(t, a, "", ps("<create node='2'/>"))
	done(t, a, "", ps(publish("3", "", tune)+with("max_items", "max")))
	failed(t, a, "set", "", ps(publish("4", "", tune)), "modify", "policy-violation", "")
	failed(t, a, "set", "", ps("<create/>"), "modify", "policy-violation", "")
	for i := range 10 {
		done(t, a, "", ps(publish("3", strconv.Itoa(i), tune)))
	}
	if got := a.Ask("get", "", ps("<items node='3'/>")); strings.Count(got, "<item ") != 5 {
		t.Errorf("items %q", got)
	}
	big := "<p xmlns='x'>" + strings.Repeat("x", 1400) + "</p>"
	done(t, a, "", ps(publish("1", "", big)))
	failed(t, a, "set", "", ps(publish("2", "", big)), "wait", "resource-constraint", "")
	failed(t, a, "set", "", ps(publish("2", "", big+strings.Repeat(" ", 10)+"")), "wait", "resource-constraint", "")
	failed(t, a, "set", "", ps(publish("2", "", "<p xmlns='x'>"+strings.Repeat("x", 1500)+"</p>")), "modify", "not-acceptable", "payload-too-big")
	done(t, a, "", own("<configure node='2'>"+form("node_config", "max_payload_size", "20")+"</configure>"))
	failed(t, a, "set", "", ps(publish("2", "", tune)), "modify", "not-acceptable", "payload-too-big")
	for i, want := range []bool{true, true, false} {
		payload := own("<affiliations node='2'><affiliation jid='p" + strconv.Itoa(i) + "@x' affiliation='member'/></affiliations>")
		if want {
			done(t, a, "", payload)
		} else {
			failed(t, a, "set", "", payload, "modify", "policy-violation", "")
		}
	}
	done(t, a, "", own("<delete node='1'/>"))
	done(t, a, "", ps(publish("4", "", big)))
}
