package mam

import (
	"bytes"
	"strings"
	"testing"

	"trivium/xmpp"
)

func wire(t testing.TB) Wire {
	t.Helper()
	w, err := NewWire(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWire(t *testing.T) {
	w := wire(t)
	seen := map[string]bool{}
	for _, id := range []ID{1, 2, 255, 256, 1 << 60, 1<<63 - 1} {
		text := w.Text("alice", id)
		if got, ok := w.Parse("alice", text); !ok || got != id {
			t.Errorf("%d is %q, and that %d, %v", id, text, got, ok)
		}
		if id, ok := w.Parse("bob", text); ok {
			t.Errorf("bob reads the id of alice as %d", id)
		}
		for _, other := range []string{text + "A", text[:21], text[:21] + "=", strings.Repeat("A", 22), ""} {
			if _, ok := w.Parse("alice", other); ok {
				t.Errorf("%q is an id", other)
			}
		}
		if seen[text] || seen[w.Text("bob", id)] {
			t.Error("two ids are the same")
		}
		seen[text] = true
	}
	if _, ok := w.Parse("alice", w.Text("alice", -1)); ok {
		t.Error("a negative id was read")
	}
}

// FuzzQuery reads queries: none ends the program, and what is understood keeps to the bounds.
func FuzzQuery(f *testing.F) {
	w := wire(f)
	id := w.Text("alice", 256)
	for _, seed := range []string{
		"<query xmlns='urn:xmpp:mam:2' queryid='f27'/>",
		"<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field><field var='with'><value>a@b/c</value></field><field var='start'><value>2010-08-07T00:00:00Z</value></field><field var='end'><value>2010-08-07T00:00:00.5+01:00</value></field></x></query>",
		"<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field var='ids'><value>" + id + "</value></field><field var='after-id'><value>" + id + "</value></field><field var='before-id'><value>" + id + "</value></field></x></query>",
		"<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>10</max><before>" + id + "</before></set><flip-page/></query>",
		"<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>0</max><after/><before/></set></query>",
		"<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field var='{urn:xmpp:fulltext:0}fulltext'><value>Two  words</value></field></x></query>",
		"<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>99999999999999999999</max><index>1</index></set></query>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		el, err := xmpp.ParseElement([]byte(text))
		if err != nil {
			return
		}
		r, err := w.understand("alice", el)
		if err != nil {
			if _, ok := err.(wrong); !ok {
				t.Fatalf("%q: an error without an answer: %v", text, err)
			}
			return
		}
		if r.Max < 0 || r.Max > maxPage || r.Bytes != pageBytes || len(r.IDs) > maxPage || len(r.id) > maxQueryID || r.Match != nil && r.Scan > maxScan {
			t.Fatalf("%q: %+v", text, r)
		}
		if r.Match != nil {
			r.Match([]byte("<message from='a@b/c'><body>two words</body></message>"))
		}
	})
}

// FuzzStored does with any stanza what is done with stored ones: what comes out is still one
// element, and its message in jabber:client.
func FuzzStored(f *testing.F) {
	for _, seed := range []string{
		"<message from='a@b/c' to='d@e' id='1' type='chat'><body>x &amp; y</body></message>",
		"<c:message xmlns:c='jabber:client' to='a@b'><c:body><![CDATA[<]]></c:body></c:message>",
		"<message xmlns='jabber:client' id='a>b' from=\"a@b\"/>",
		"<message\n\tfrom='a@b'><origin-id xmlns='urn:xmpp:sid:0' id='1'/></message>",
	} {
		f.Add([]byte(seed), "x")
	}
	f.Fuzz(func(t *testing.T, raw []byte, word string) {
		st, err := xmpp.ParseStanza(raw)
		if err != nil || st.Kind != xmpp.KindMessage {
			return
		}
		el, err := xmpp.ParseElement(append(appendForwarded([]byte("<f xmlns='urn:xmpp:forward:0'>"), raw), "</f>"...))
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		inner, ok := el.Only("jabber:client", "message")
		if !ok || len(inner.Children) != len(st.Children) {
			t.Fatalf("%q forwarded is %q", raw, el.Bytes())
		}
		for i, c := range inner.Children {
			if c.Name != st.Children[i].Name {
				t.Fatalf("%q: child %d is %v", raw, i, c.Name)
			}
		}
		stone, err := xmpp.ParseStanza(Tombstone(raw, retracted("r<1>", ID(1<<40).Time())))
		if err != nil || stone.ID != st.ID || !stone.To.Equal(st.To) || len(stone.Children) != 1 {
			t.Fatalf("tombstone of %q: %v, %v", raw, stone, err)
		}
		if end := openEnd(raw); raw[end-1] != '>' {
			t.Fatalf("%q: the open tag ends at %d", raw, end)
		}
		says(raw, []string{strings.ToLower(word)})
		isFrom(raw, "a@b", word)
		isWith(raw, word)
	})
}
