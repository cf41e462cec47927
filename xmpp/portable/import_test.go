package portable_test

import (
	"context"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp"
	"trivium/xmpp/portable"
)

type got struct {
	contacts []xmpp.Contact
	private  []string
	waiting  []string
	at       []time.Time
	card     string
	nodes    []string // forms and payloads
}

// Node implements portable.NodeSink.
func (g *got) Node(_ context.Context, name string, form *xmpp.Form) (bool, error) {
	g.nodes = append(g.nodes, string(form.Append(nil)))
	return true, nil
}

// Affiliate implements portable.NodeSink.
func (g *got) Affiliate(context.Context, string, string, string) error {
	return nil
}

// Subscribe implements portable.NodeSink.
func (g *got) Subscribe(context.Context, string, string, string) error { return nil }

// Item implements portable.NodeSink.
func (g *got) Item(_ context.Context, _, _ string, payload []byte) (bool, error) {
	g.nodes = append(g.nodes, string(payload))
	return true, nil
}

func (g *got) sinks() portable.Sinks {
	return portable.Sinks{
		Account: func(_ context.Context, name string) (xmpp.Owner, error) {
			if name != "juliet@capulet.com" {
				return xmpp.Owner{}, identity.ErrNotFound
			}
			return xmpp.Owner{Address: xmpp.NewAddress("juliet", "capulet.com"), ID: "j"}, nil
		},
		Contacts: func(_ context.Context, _ identity.UserID, list []xmpp.Contact) (int, error) {
			g.contacts = list
			return len(list), nil
		},
		Block: func(context.Context, identity.UserID, []string) error { return nil },
		VCard: func(_ context.Context, _ identity.UserID, card []byte) (bool, error) {
			g.card = string(card)
			return true, nil
		},
		Private: func(_ context.Context, _ identity.UserID, _ xml.Name, element []byte) (bool, error) {
			g.private = append(g.private, string(element))
			return true, nil
		},
		Offline: func(_ context.Context, _ identity.UserID, _ string, at time.Time, stanza []byte) (bool, error) {
			g.waiting, g.at = append(g.waiting, string(stanza)), append(g.at, at)
			return true, nil
		},
	}
}

func read(t testing.TB, g *got, text string) ([]string, error) {
	var lines []string
	err := portable.Import(t.Context(), strings.NewReader(text), g.sinks(), false, func(r portable.Report) error {
		lines = append(lines, r.String())
		return nil
	})
	return lines, err
}

// As other servers write it: prefixes, declarations further out, more hosts, and things of their own.
const sample = `<?xml version="1.0" encoding="UTF-8"?>
<p:server-data xmlns:p="urn:xmpp:pie:0" xmlns:r="jabber:iq:roster" xmlns="jabber:client">
<p:host jid="capulet.com">
<p:user name="juliet" password="R0m30">
 <r:query><r:item jid="romeo@montague.net/orchard" name="Romeo" subscription="both"><r:group>Friends</r:group><r:group>Friends</r:group></r:item>
  <r:item jid="@@" subscription="both"/><r:item jid="nurse@capulet.com" subscription="none" ask="subscribe"/></r:query>
 <query xmlns="jabber:iq:private"><exodus xmlns="exodus:prefs" xml:lang="en" n=""><a>1 &lt; 2</a></exodus></query>
 <vCard xmlns="vcard-temp"><FN>Juliet</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>aGk=</BINVAL></PHOTO></vCard>
 <p:offline-messages><message from="romeo@montague.net/orchard" to="juliet@capulet.com" type="chat"><body>Neither</body><delay xmlns="urn:xmpp:delay" from="capulet.com" stamp="1469-07-21T00:32:29Z"/></message></p:offline-messages>
 <presence type="subscribe" from="mercutio@montague.net"/><presence type="subscribe" from="nurse@capulet.com"/>
 <pubsub xmlns="http://jabber.org/protocol/pubsub"><items node="a"/><items node="b"/></pubsub>
 <archive xmlns="urn:xmpp:pie:0#mam"><result xmlns="urn:xmpp:mam:2" id="1"/></archive>
 <scram-credentials xmlns="urn:xmpp:pie:0#scram" mechanism="SCRAM-SHA-1"/>
</p:user>
<p:user name="tybalt"><r:query/></p:user>
</p:host>
</p:server-data>`

const nodes = `<server-data xmlns='urn:xmpp:pie:0'><host jid='capulet.com'><user name='juliet'>
<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='n'><x xmlns='jabber:x:data' type='form'><field var='pubsub#access_model'><value>open</value></field></x></configure>
<affiliations node='n'><affiliation jid='romeo@montague.net' affiliation='member'/></affiliations><subscriptions node='n'><subscription jid='romeo@montague.net' subscription='subscribed' subid='1'/></subscriptions><future/></pubsub>
<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n'><item id='1'><p:a xmlns:p='urn:p' p:b='&lt;'/></item><item id='2'/></items></pubsub></user></host></server-data>`

func TestNodes(t *testing.T) {
	g := &got{}
	sinks := g.sinks()
	sinks.Nodes = func(xmpp.Owner) portable.NodeSink { return g }
	var line string
	if err := portable.Import(t.Context(), strings.NewReader(nodes), sinks, false, func(r portable.Report) error {
		line = r.String()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := "juliet@capulet.com: 1 nodes, 1 items; not taken: future; not understood: an item of a node"; line != want {
		t.Errorf("got %s, want %s", line, want)
	}
	if len(g.nodes) != 2 || !strings.Contains(g.nodes[0], "<field var='pubsub#access_model'><value>open</value></field>") || !strings.Contains(g.nodes[1], "b='&lt;'") {
		t.Errorf("%q", g.nodes)
	}
}

func TestImport(t *testing.T) {
	g := &got{}
	lines, err := read(t, g, sample)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`juliet@capulet.com: 3 contacts, 2 requests, vCard, 1 private elements, 1 waiting messages; not taken: 2 nodes, 1 messages of the archive, the picture of the vCard; not understood: the address "@@"`,
		"tybalt@capulet.com: there is no such account; add it first"}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %s", strings.Join(lines, "\n"))
	}
	if c := g.contacts; len(c) != 3 || c[0].JID != "romeo@montague.net" || len(c[0].Groups) != 1 || c[0].State != xmpp.SubscriptionBoth ||
		c[1].State != xmpp.PendingOut|xmpp.PendingIn || !c[1].Listed || c[2].State != xmpp.PendingIn || c[2].Listed || len(c[2].Request) == 0 {
		t.Errorf("contacts: %+v", c)
	}
	if g.private[0] != "<exodus xmlns='exodus:prefs' xml:lang='en' n=''><a>1 &lt; 2</a></exodus>" {
		t.Error(g.private[0])
	}
	if strings.Contains(g.card, "PHOTO") || !strings.Contains(g.card, "Juliet</FN>") {
		t.Error(g.card)
	}
	if !strings.Contains(g.waiting[0], "<body>Neither</body>") || strings.Contains(g.waiting[0], "delay") || g.at[0].Year() != 1469 {
		t.Errorf("%s at %v", g.waiting[0], g.at[0])
	}
}

const history = `<server-data xmlns='urn:xmpp:pie:0'><host jid='capulet.com'><user name='juliet'>
<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/gif</TYPE><BINVAL>aG
k=</BINVAL></PHOTO></vCard>
<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference jid='Orchard@rooms.montague.net/x' name='O' autojoin='1'><nick>J</nick></conference><conference jid='@@'/><url/></storage></query>
<archive xmlns='urn:xmpp:pie:0#mam'>
<result xmlns='urn:xmpp:mam:2' id='1'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2015-07-21T00:32:29Z'/>
<message xmlns='jabber:client' from='romeo@montague.net/orchard' to='juliet@capulet.com' type='chat'><body>Neither</body><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.com' id='1'/></message></forwarded></result>
<result xmlns='urn:xmpp:mam:2' id='2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='romeo@montague.net'><body>What</body></message><delay xmlns='urn:xmpp:delay' stamp='2015-07-21T00:33:00.5Z'/></forwarded></result>
<result xmlns='urn:xmpp:mam:2' id='3'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2015-07-21T00:34:00Z'/><message xmlns='jabber:client' from='a@b' to='c@d'/></forwarded></result>
<result xmlns='urn:xmpp:mam:2' id='4'/>
</archive></user></host></server-data>`

// A vCard becomes the card in the node, too, unless the account brings one, and preferences are as they are.
func TestCardAndPreferences(t *testing.T) {
	const card = "<vCard xmlns='vcard-temp'><FN>Juliet</FN><PHOTO/></vCard>"
	for _, tt := range []struct{ name, in, line, node string }{
		{"a card", card, "vCard; not taken: the picture of the vCard", "<vcard>Juliet</vcard>"},
		{"a card and its node", card + "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:vcard4'><item id='1'><own/></item></items></pubsub>", "vCard, 1 items; not taken: the picture of the vCard", ""},
		{"preferences", "<prefs xmlns='urn:xmpp:mam:2' default='never'/>", "preferences of the archive", ""},
		{"preferences where there are some", "<prefs xmlns='urn:xmpp:mam:2' default='roster'/>", "nothing new; not taken: preferences of the archive", ""},
		{"no preferences", "<prefs xmlns='urn:xmpp:mam:2' default='x'/>", "nothing new; not understood: preferences of the archive", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &got{}
			sinks := g.sinks()
			sinks.Nodes = func(xmpp.Owner) portable.NodeSink { return g }
			sinks.VCard4 = func(card *xmpp.Element) []byte {
				fn, _ := card.Only("vcard-temp", "FN")
				text, _ := fn.Text()
				return []byte("<vcard>" + text + "</vcard>")
			}
			sinks.Prefs = func(_ context.Context, _ identity.UserID, el *xmpp.Element, _ bool) (bool, error) {
				switch def, _ := el.Attr("default"); def {
				case "never":
					return true, nil
				case "roster":
					return false, nil
				}
				return false, portable.ErrNotUnderstood
			}
			var line string
			if err := portable.Import(t.Context(), strings.NewReader("<server-data xmlns='urn:xmpp:pie:0'><host jid='capulet.com'><user name='juliet'>"+tt.in+"</user></host></server-data>"), sinks, false, func(r portable.Report) error {
				line = r.String()
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if line != "juliet@capulet.com: "+tt.line {
				t.Errorf("got %s", line)
			}
			if text := strings.Join(g.nodes, ""); tt.node != "" && !strings.Contains(text, tt.node) || tt.node == "" && strings.Contains(text, "<vcard>") {
				t.Errorf("in nodes: %s", text)
			}
		})
	}
}

func TestHistory(t *testing.T) {
	g := &got{}
	sinks := g.sinks()
	sinks.Nodes = func(xmpp.Owner) portable.NodeSink { return g }
	var list []portable.Past
	sinks.Archive = func(_ context.Context, _ identity.UserID, part []portable.Past) (int, error) {
		list = append(list, part...)
		return 1, nil // one of them was there
	}
	var line string
	if err := portable.Import(t.Context(), strings.NewReader(history), sinks, false, func(r portable.Report) error {
		line = r.String()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := `juliet@capulet.com: vCard, 1 bookmarks, 1 messages of the archive; not taken: 1 messages of the archive; not understood: a message of the archive, a message of the archive, the address "@@"`; line != want {
		t.Errorf("got %s, want %s", line, want)
	}
	if len(list) != 2 || list[0].Sent || list[0].From != "romeo@montague.net" || list[0].To != "juliet@capulet.com" || list[0].At.Unix() != 1437438749 ||
		strings.Contains(string(list[0].Stanza), "stanza-id") || !strings.Contains(string(list[0].Stanza), " from='romeo@montague.net/orchard' to='juliet@capulet.com'") {
		t.Errorf("%+v", list)
	}
	if len(list) == 2 && (!list[1].Sent || list[1].To != "romeo@montague.net" || list[1].From != "juliet@capulet.com") {
		t.Errorf("%+v", list[1])
	}
	text := strings.Join(g.nodes, "")
	for _, want := range []string{"<data xmlns='urn:xmpp:avatar:data'>aGk=</data>", "<info id='c22b5f9178342609428d6f51b2c5af4c0bde6a42' type='image/gif' bytes='2'/>",
		"<conference xmlns='urn:xmpp:bookmarks:1' name='O' autojoin='true'><nick>J</nick></conference>"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func TestNoAccountData(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "another root": "<a/>", "no XML": "passwd:x:1", "cut off": sample[:len(sample)/2],
		"a DTD":    `<!DOCTYPE a [<!ENTITY b "c">]><server-data xmlns='urn:xmpp:pie:0'/>`,
		"too deep": "<server-data xmlns='urn:xmpp:pie:0'><host jid='capulet.com'><user name='juliet'>" + strings.Repeat("<vCard xmlns='vcard-temp'>", 100),
		"too long": "<server-data xmlns='urn:xmpp:pie:0'><host jid='capulet.com'><user name='juliet'><vCard xmlns='vcard-temp'>" + strings.Repeat("x", 5<<20) + "</vCard></user></host></server-data>",
	} {
		if _, err := read(t, &got{}, text); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add(sample)
	f.Add(nodes)
	f.Add(history)
	f.Add("<server-data xmlns='urn:xmpp:pie:0'><host jid='capulet.com'><user name='juliet'><blocklist xmlns='urn:xmpp:blocking'><item/></blocklist></user></host></server-data>")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = read(t, &got{}, text) // it ends, and does not fall over
		g := &got{}
		sinks := g.sinks()
		sinks.Nodes = func(xmpp.Owner) portable.NodeSink { return g }
		sinks.Archive = func(_ context.Context, _ identity.UserID, list []portable.Past) (int, error) {
			for _, m := range list {
				g.nodes = append(g.nodes, string(m.Stanza))
			}
			return len(list), nil
		}
		_ = portable.Import(t.Context(), strings.NewReader(text), sinks, false, func(portable.Report) error { return nil })
		for _, n := range g.nodes {
			if _, err := xmpp.ParseElement([]byte(n)); err != nil {
				t.Errorf("item %q does not stand for itself: %v", n, err)
			}
		}
	})
}
