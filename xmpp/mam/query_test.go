package mam_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "trivium/xmpp/xmpptest"
)

// Another's archive is no more there than a service that nobody has, and an id of it is no id.
func TestOthersArchives(t *testing.T) {
	s := start(t, nil)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	got := alice.Then(say(Bob, "1", "secret"), bob)
	id := stanzaIDForm.FindStringSubmatch(got[1])[2]
	for _, payload := range []string{"<query xmlns='" + ns + "'/>", "<metadata xmlns='" + ns + "'/>", "<prefs xmlns='" + ns + "' default='never'/>"} {
		for _, typ := range []string{"get", "set"} {
			absent := alice.Ask(typ, "nobody@"+Host, payload)
			if got := alice.Ask(typ, Bob, payload); strings.ReplaceAll(got, Bob, "nobody@"+Host) != absent {
				t.Errorf("%s %s to bob: %q, to nobody: %q", typ, payload, got, absent)
			}
		}
	}
	Has(t, "alice", ask(alice, "<query xmlns='"+ns+"'>"+form(field("ids", id))+"</query>"), "<item-not-found")
	Has(t, "alice", ask(alice, "<query xmlns='"+ns+"'>"+rsm("<after>"+id+"</after>")+"</query>"), "<item-not-found")
}

func TestPages(t *testing.T) {
	s := start(t, nil)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	s.Add("dave")
	for i := range 12 {
		to := Bob
		if i%4 == 3 {
			to = Carol
		}
		alice.Send(say(to, fmt.Sprint("id", i), fmt.Sprint(i)))
	}
	Quiet(alice, bob)
	all := page(t, alice, "")
	if all.bodies() != "0 1 2 3 4 5 6 7 8 9 10 11" || !all.complete {
		t.Fatalf("all: %q, %v", all.bodies(), all.complete)
	}
	id := func(i int) string { return all.list[i].id }
	stamp := func(i int) string { return all.list[i].stamp }
	for _, tt := range []struct {
		name, inner, want string
		complete          bool
	}{
		{"first five", rsm("<max>5</max>"), "0 1 2 3 4", false},
		{"next five", rsm("<max>5</max><after>" + id(4) + "</after>"), "5 6 7 8 9", false},
		{"the rest", rsm("<max>5</max><after>" + id(9) + "</after>"), "10 11", true},
		{"after the last", rsm("<after>" + id(11) + "</after>"), "", true},
		{"last five", rsm("<max>5</max><before/>"), "7 8 9 10 11", false},
		{"five before", rsm("<max>5</max><before>" + id(7) + "</before>"), "2 3 4 5 6", false},
		{"what is before", rsm("<max>5</max><before>" + id(2) + "</before>"), "0 1", true},
		{"with one", form(field("with", Carol)), "3 7 11", true},
		{"with one, paged", form(field("with", Carol)) + rsm("<max>1</max><after>"+id(3)+"</after>"), "7", false},
		{"with one in another writing", form(field("with", "BOB@Example.org")) + rsm("<max>2</max>"), "0 1", false},
		{"with a resource", form(field("with", Bob+"/b")), "", true},
		{"with one's own resource", form(field("with", alice.JID)), "", true},
		{"with nobody", form(field("with", "dave@"+Host)), "", true},
		{"with oneself", form(field("with", Alice)), "", true},
		{"from a time", form(field("start", stamp(9))), "9 10 11", true},
		{"up to a time", form(field("end", stamp(2))), "0 1 2", true},
		{"between times", form(field("start", stamp(2)), field("end", stamp(4))), "2 3 4", true},
		{"between ids", form(field("after-id", id(2)), field("before-id", id(5))), "3 4", true},
		{"between ids, paged", form(field("after-id", id(2)), field("before-id", id(7))) + rsm("<max>2</max><after>"+id(3)+"</after>"), "4 5", false},
		{"between ids, paged backwards", form(field("after-id", id(2)), field("before-id", id(7))) + rsm("<max>2</max><before/>"), "5 6", false},
		{"ids", form("<field var='ids'><value>" + id(8) + "</value><value>" + id(1) + "</value></field>"), "1 8", true},
		{"flipped", rsm("<max>3</max><before/>") + "<flip-page/>", "11 10 9", false},
		{"rooms, too", form(field("include-groupchat", "true")) + rsm("<max>1</max>"), "0", false},
		{"a field without value", form("<field var='with'/>") + rsm("<max>1</max>"), "0", false},
		{"more than may be", rsm("<max>100000</max>"), "0 1 2 3 4 5 6 7 8 9 10 11", true},
		{"text", form(field("{urn:xmpp:fulltext:0}fulltext", "1")), "1 10 11", true},
		{"text with one", form(field("{urn:xmpp:fulltext:0}fulltext", "1"), field("with", Carol)), "11", true},
	} {
		a := page(t, alice, tt.inner)
		if a.bodies() != tt.want || a.complete != tt.complete {
			t.Errorf("%s: %q, complete %v; want %q, %v", tt.name, a.bodies(), a.complete, tt.want, tt.complete)
		}
		if n := len(a.list); n > 0 {
			first, last := a.list[0].id, a.list[n-1].id
			if tt.name == "flipped" {
				first, last = last, first
			}
			if a.first != first || a.last != last {
				t.Errorf("%s: first %s and last %s", tt.name, a.first, a.last)
			}
		}
	}
	for inner, want := range map[string]string{rsm("<max>0</max>"): "12", form(field("with", Carol)) + rsm("<max>0</max>"): "3"} {
		if a := page(t, alice, inner); len(a.list) != 0 || a.count != want || a.complete {
			t.Errorf("number: %+v, want %s", a, want)
		}
	}
	for _, tt := range []struct{ name, inner, want string }{
		{"unknown field", form(field("colour", "red")), "feature-not-implemented"},
		{"unknown field without value", form("<field var='colour'/>"), "feature-not-implemented"},
		{"other form", "<x xmlns='jabber:x:data' type='submit'>" + field("FORM_TYPE", "x") + "</x>", "bad-request"},
		{"form to fill in", "<x xmlns='jabber:x:data' type='form'/>", "bad-request"},
		{"no time", form(field("start", "yesterday")), "bad-request"},
		{"no address", form(field("with", "@@")), "jid-malformed"},
		{"no number", rsm("<max>many</max>"), "bad-request"},
		{"negative", rsm("<max>-1</max>"), "bad-request"},
		{"index", rsm("<index>3</index>"), "feature-not-implemented"},
		{"unknown after", rsm("<after>AAAAAAAAAAAAAAAAAAAAAA</after>"), "item-not-found"},
		{"unknown before", rsm("<before>x</before>"), "item-not-found"},
		{"unknown after-id", form(field("after-id", "x")), "item-not-found"},
		{"unknown id", form(field("ids", id(1)+"x")), "item-not-found"},
		{"too many ids", form("<field var='ids'>" + strings.Repeat("<value>x</value>", 101) + "</field>"), "not-acceptable"},
		{"long text", form(field("{urn:xmpp:fulltext:0}fulltext", strings.Repeat("x", 2000))), "not-acceptable"},
	} {
		Has(t, tt.name, ask(alice, "<query xmlns='"+ns+"'>"+tt.inner+"</query>"), "<iq type='error' id='q'", "<"+tt.want+" ")
	}
	Has(t, "a node", ask(alice, "<query xmlns='"+ns+"' node='x'/>"), "<item-not-found ")
	Has(t, "a long name", ask(alice, "<query xmlns='"+ns+"' queryid='"+strings.Repeat("x", 257)+"'/>"), "<bad-request ")

	Has(t, "metadata", alice.Ask("get", "", "<metadata xmlns='"+ns+"'/>"),
		"<metadata xmlns='"+ns+"'><start id='"+id(0)+"' timestamp='"+stamp(0)+"'/><end id='"+id(11)+"' timestamp='"+stamp(11)+"'/></metadata>")
	Has(t, "metadata of nothing", s.Online("dave", "d").Ask("get", "", "<metadata xmlns='"+ns+"'/>"), "<metadata xmlns='"+ns+"'/>")
	Has(t, "form", alice.Ask("get", "", "<query xmlns='"+ns+"'/>"), "var='with'", "var='start'", "var='end'", "var='before-id'", "var='after-id'", "var='ids'", "<open/>", "fulltext")
	info := alice.Ask("get", Alice, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
	for _, f := range []string{ns, ns + "#extended", ns + "#groupchat-field", "urn:xmpp:fulltext:0", "urn:xmpp:sid:0", "urn:xmpp:message-retract:1", "urn:xmpp:message-retract:1#tombstone"} {
		Has(t, "features", info, "<feature var='"+f+"'/>")
	}
}

func TestSearch(t *testing.T) {
	s := start(t, nil)
	alice := s.Online("alice", "a")
	for i, text := range []string{"Grüße aus Ülm", "a &lt;b&gt; c", "body", "<![CDATA[x < y]]>", "&#72;ello World"} {
		alice.Send(say(Bob, fmt.Sprint(i), text))
	}
	for words, want := range map[string]int{"grüße": 1, "ÜLM": 1, "ülm GRÜSSE": 0, "Ülm aus": 1, "&lt;b&gt;": 1, "body": 1, "x &lt;": 1, "hello": 1, "message": 0} {
		if a := page(t, alice, form(field("{urn:xmpp:fulltext:0}fulltext", words))); len(a.list) != want {
			t.Errorf("%s: %d found, want %d", words, len(a.list), want)
		}
	}
}

// A page of long messages ends early, and can be asked for on.
func TestLongMessages(t *testing.T) {
	s := start(t, nil)
	alice := s.Online("alice", "a")
	text := strings.Repeat("long ", 40<<10) // 200 KiB
	for i := range 8 {
		alice.Send(say(Bob, fmt.Sprint(i), text))
	}
	alice.Settle()
	bob := s.Login("bob", "b")
	n, after := 0, ""
	for pages := 1; ; pages++ {
		a := page(t, bob, rsm("<max>100</max>"+after))
		n += len(a.list)
		after = "<after>" + a.last + "</after>"
		if a.complete {
			if n != 8 || pages < 2 {
				t.Errorf("%d messages in %d pages", n, pages)
			}
			return
		}
	}
}

func TestStamps(t *testing.T) {
	s := start(t, nil)
	alice := s.Online("alice", "a")
	alice.Then(say(Bob, "1", "x"))
	for _, tt := range []struct {
		start string
		want  int
	}{
		{"1969-07-21T02:56:15Z", 1}, {"1969-07-20T21:56:15-05:00", 1}, {"2010-06-07T00:00:00.123Z", 1}, {"9999-12-31T23:59:59Z", 0},
		{time.Now().Add(time.Hour).UTC().Format(time.RFC3339), 0},
	} {
		if a := page(t, alice, form(field("start", tt.start))); len(a.list) != tt.want {
			t.Errorf("from %s: %d", tt.start, len(a.list))
		}
	}
}
