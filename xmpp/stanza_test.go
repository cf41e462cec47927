package xmpp

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"
)

func TestRewritten(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"from and to come last", `<message to='b@c' from="x" id='1'><body>x</body></message>`, `<message id='1' from='a@b/&apos;&lt;' to='c@d' xml:lang='de'><body>x</body><extra/></message>`},
		{"self-closed", `<presence to='b@c'/>`, `<presence from='a@b/&apos;&lt;' to='c@d' xml:lang='de'><extra/></presence>`},
		{"self-closed with space", "<presence to='b@c'\n />", `<presence from='a@b/&apos;&lt;' to='c@d' xml:lang='de'><extra/></presence>`},
		{"another's from stays", `<message xmlns:x='u' x:from='y' from='z'/>`, `<message xmlns:x='u' x:from='y' from='a@b/&apos;&lt;' to='c@d' xml:lang='de'><extra/></message>`},
		{"its own language", `<message xml:lang='fr'/>`, `<message xml:lang='fr' from='a@b/&apos;&lt;' to='c@d'><extra/></message>`},
		{"a prefix of its own", `<c:message xmlns:c='jabber:client' to='q'><c:body/></c:message>`, `<c:message xmlns:c='jabber:client' from='a@b/&apos;&lt;' to='c@d' xml:lang='de'><c:body/><extra/></c:message>`},
		{"slash before the end", `<message a='/'>/</message>`, `<message a='/' from='a@b/&apos;&lt;' to='c@d' xml:lang='de'>/<extra/></message>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			el, err := parseElement([]byte(tt.in), clientScope())
			if err != nil {
				t.Fatal(err)
			}
			st, ok, err := newStanza(el)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			if st.Lang == "" {
				st.Lang = "de"
			}
			if got := string(st.Rewritten("a@b/'<", "c@d", "<extra/>")); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if string(st.raw) != tt.in {
				t.Error("the original has changed")
			}
		})
	}
}

func TestWithout(t *testing.T) {
	st := parsed(t, `<message><a/>1<b xmlns='u'>x</b>2<c/></message>`)
	got := string(st.Without(func(c Child) bool { return c.Name.Space == "u" || c.Name.Local == "c" }, "", "t@u"))
	if want := `<message to='t@u'><a/>12</message>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func parsed(t *testing.T, raw string) *Stanza {
	t.Helper()
	st, err := ParseStanza([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestDecode(t *testing.T) {
	st := parsed(t, `<iq type='set' id='1' from='a@b/c' to='b' xmlns:r='jabber:iq:roster'><x/><r:query ver='7'><r:item jid='&lt;@b'/></r:query></iq>`)
	c, ok := st.Find("jabber:iq:roster", "query")
	if !ok {
		t.Fatal("no query")
	}
	var q struct {
		Ver   string `xml:"ver,attr"`
		Items []struct {
			JID string `xml:"jid,attr"`
		} `xml:"jabber:iq:roster item"`
	}
	if err := st.DecodeChild(c, &q); err != nil || q.Ver != "7" || len(q.Items) != 1 || q.Items[0].JID != "<@b" {
		t.Errorf("%+v, %v", q, err)
	}
	var whole struct {
		XMLName xml.Name `xml:"jabber:client iq"`
		ID      string   `xml:"id,attr"`
	}
	if err := st.Decode(&whole); err != nil || whole.ID != "1" {
		t.Errorf("%+v, %v", whole, err)
	}
}

func TestReplies(t *testing.T) {
	st := parsed(t, `<iq type='get' id='&quot;&apos;&lt;' from='a@b/x' to='b'><q xmlns='u'/></iq>`)
	for _, tt := range []struct {
		got  []byte
		want string
	}{
		{st.Result(""), `<iq type='result' id='&quot;&apos;&lt;' from='b' to='a@b/x'/>`},
		{st.Result("<q xmlns='u'/>"), `<iq type='result' id='&quot;&apos;&lt;' from='b' to='a@b/x'><q xmlns='u'/></iq>`},
		{st.Failure(xstanza.ItemNotFound, xstanza.Cancel), `<iq type='error' id='&quot;&apos;&lt;' from='b' to='a@b/x'><error type='cancel' code='404'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("got  %s\nwant %s", tt.got, tt.want)
		}
		if _, err := ParseStanza(tt.got); err != nil {
			t.Errorf("%s: %v", tt.got, err)
		}
	}
}

// FuzzRewritten: what goes on to others passes the same validator, with the addresses of ours and
// all else as it was.
func FuzzRewritten(f *testing.F) {
	f.Add([]byte(`<message to='a@b' id='1'><body>x</body></message>`), "a@b/c", "d@e", "de")
	f.Add([]byte(`<presence/>`), "a@b/'\"<>&\r\n\t", "", "")
	f.Add([]byte(`<s:iq xmlns:s='jabber:client' s:from='x' type="get" />`), "", "x", "'")
	f.Fuzz(func(t *testing.T, raw []byte, from, to, lang string) {
		el, err := parseElement(raw, clientScope())
		if err != nil {
			return
		}
		st, ok, err := newStanza(el)
		if !ok || err != nil {
			return
		}
		for _, s := range []string{from, to, lang} {
			for _, r := range s {
				if r == 0xFFFD || !isChar(r) {
					return // no address or language has such
				}
			}
		}
		if st.Lang == "" {
			st.Lang = lang
		}
		out := st.Rewritten(from, to, "<extra xmlns='u'/>")
		el2, err := parseElement(out, clientScope())
		if err != nil {
			if strings.Contains(err.Error(), "attributes") {
				return // at most three are added to 128
			}
			t.Fatalf("%s → %s: %v", raw, out, err)
		}
		st2, ok, _ := newStanza(el2)
		gotFrom, _ := st2.Attr("from")
		gotTo, _ := st2.Attr("to")
		if !ok || gotFrom != from || gotTo != to || st2.Lang != st.Lang || st2.ID != st.ID || st2.Type != st.Type || st2.Kind != st.Kind {
			t.Fatalf("%s → %s", raw, out)
		}
		if len(st2.Children) != len(st.Children)+1 {
			t.Fatalf("%s → %s", raw, out)
		}
		if got, want := el2.raw[el2.open:el2.body], raw[el.open:el.body]; !bytes.HasPrefix(got, want) {
			t.Fatalf("the content changed: %s → %s", raw, out)
		}
	})
}

func TestEscape(t *testing.T) {
	const all = "a&b<c>d'e\"f\tg\nh\ri ä漢"
	st := parsed(t, "<message id='"+Escape(all)+"'><body>"+Escape(all)+"</body></message>")
	var m struct {
		Body string `xml:"body"`
	}
	if err := st.Decode(&m); err != nil || m.Body != all || st.ID != all {
		t.Errorf("%q %q %v", m.Body, st.ID, err)
	}
}

func TestStanzaAddresses(t *testing.T) {
	st := parsed(t, `<message from='A@Example.ORG/Res' to='b@c'/>`)
	if !st.From.Equal(jid.MustParse("a@example.org/Res")) || st.To.String() != "b@c" {
		t.Errorf("%s %s", st.From, st.To)
	}
	if _, err := ParseStanza([]byte(`<x/>`)); err == nil {
		t.Error("that is no stanza")
	}
}
