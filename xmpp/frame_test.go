package xmpp

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	xstream "mellium.im/xmpp/stream"
)

const testHeader = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:o='urn:outer' version='1.0' to='example.org'>`

func testFramer(r io.Reader) *framer {
	return &framer{r: r, header: true, max: 10000, budget: -1}
}

// frames reads everything after the header.
func frames(r io.Reader) (got []frame, err error) {
	f := testFramer(r)
	for {
		fr, err := f.next()
		if err != nil {
			return got, err
		}
		got = append(got, fr)
	}
}

func TestFramerAccepts(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", `<message to="a@b"><body>x</body></message>`, ""},
		{"self-closed", `<presence/>`, ""},
		{"self-closed with space", `<presence />`, ""},
		{"greater-than in a value", `<presence a="b>c/>"/>`, ""},
		{"slash in a value", `<presence a='/'>x</presence>`, ""},
		{"CDATA", `<message><body><![CDATA[</message> <!-- ]] ]> & ]]></body></message>`, ""},
		{"empty CDATA", `<message><![CDATA[]]></message>`, ""},
		{"CDATA of brackets", `<message><![CDATA[]]]]></message>`, ""},
		{"entities", `<message a="&lt;&#10;">&amp;&#x1F600;&quot;</message>`, ""},
		{"nested same name", `<a><a><a/></a></a>`, ""},
		{"UTF-8", `<message>äöü 漢字 😀</message>`, ""},
		{"a name beyond ASCII", `<message><größe/></message>`, ""},
		{"prefix of its own", `<x:message xmlns:x='jabber:client'><x:body/></x:message>`, ""},
		{"prefix of the stream's tag", `<message><o:a o:b=''/></message>`, `<message xmlns:o='urn:outer'><o:a o:b=''/></message>`},
		{"prefix stream", `<stream:error/>`, `<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>`},
		{"no namespace", `<message><a xmlns=''/></message>`, ""},
		{"odd space", "<message\n\ta = 'b'\r\n><a\n></a\t></message >", ""},
		{"64 deep", strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64), ""},
		{"xml prefix", `<message xml:lang='de'/>`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want == "" {
				want = tt.in
			}
			for _, r := range []io.Reader{
				strings.NewReader(testHeader + " \n" + tt.in + "\t" + tt.in + "</stream:stream>"),
				iotest.OneByteReader(strings.NewReader(testHeader + tt.in + tt.in + "</stream:stream >")),
			} {
				got, err := frames(r)
				if err != io.EOF || len(got) != 4 {
					t.Fatalf("%d frames, %v", len(got), err)
				}
				if got[0].kind != frameHeader || got[3].kind != frameClose {
					t.Errorf("kinds %v %v", got[0].kind, got[3].kind)
				}
				for _, g := range got[1:3] {
					if string(g.el.raw) != want {
						t.Errorf("got %s\nwant %s", g.el.raw, want)
					}
				}
			}
		})
	}
}

func TestFramerRefuses(t *testing.T) {
	attrs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d=''", i)
		}
		return b.String()
	}
	for _, tt := range []struct {
		name, in string
		want     xstream.Error
	}{
		{"text outside", `x`, xstream.NotWellFormed},
		{"HTTP", "GET / HTTP/1.1\r\n", xstream.NotWellFormed},
		{"comment at top", `<!-- x -->`, xstream.RestrictedXML},
		{"comment", `<message><!-- x --></message>`, xstream.RestrictedXML},
		{"DTD", `<!DOCTYPE a [<!ENTITY b "c">]>`, xstream.RestrictedXML},
		{"instruction", `<message><?php ?></message>`, xstream.RestrictedXML},
		{"declaration again", `<?xml version='1.0'?>`, xstream.RestrictedXML},
		{"CDATA at top", `<![CDATA[x]]>`, xstream.RestrictedXML},
		{"entity", `<message>&nbsp;</message>`, xstream.RestrictedXML},
		{"bare ampersand", `<message>a & b</message>`, xstream.RestrictedXML},
		{"NUL by reference", `<message>&#0;</message>`, xstream.RestrictedXML},
		{"surrogate by reference", `<message>&#xD800;</message>`, xstream.RestrictedXML},
		{"huge reference", `<message>&#99999999999;</message>`, xstream.RestrictedXML},
		{"NUL", "<message>\x00</message>", xstream.NotWellFormed},
		{"control", "<message>\x07</message>", xstream.NotWellFormed},
		{"not UTF-8", "<message>\xff</message>", xstream.NotWellFormed},
		{"overlong", "<message>\xc0\xaf</message>", xstream.NotWellFormed},
		{"surrogate", "<message>\xed\xa0\x80</message>", xstream.NotWellFormed},
		{"U+FFFF", "<message>\uffff</message>", xstream.NotWellFormed},
		{"not UTF-8 in CDATA", "<message><![CDATA[\xff]]></message>", xstream.NotWellFormed},
		{"unbound prefix", `<message><z:a/></message>`, xstream.NotWellFormed},
		{"unbound prefix of an attribute", `<message z:a=''/>`, xstream.NotWellFormed},
		{"prefix out of scope", `<message><a xmlns:z='u'/><z:a/></message>`, xstream.NotWellFormed},
		{"xmlns as prefix", `<xmlns:a/>`, xstream.NotWellFormed},
		{"xmlns as name", `<message><xmlns/></message>`, xstream.NotWellFormed},
		{"prefix to nothing", `<message xmlns:a=''/>`, xstream.NotWellFormed},
		{"prefix xml elsewhere", `<message xmlns:xml='u'/>`, xstream.NotWellFormed},
		{"prefix xmlns declared", `<message xmlns:xmlns='u'/>`, xstream.NotWellFormed},
		{"namespace of xml", `<message xmlns:a='http://www.w3.org/XML/1998/namespace'/>`, xstream.NotWellFormed},
		{"attribute twice", `<message a='' a=''/>`, xstream.NotWellFormed},
		{"attribute twice by namespace", `<message xmlns:a='u' xmlns:b='u' a:x='' b:x=''/>`, xstream.NotWellFormed},
		{"wrong end", `<message><a></b></message>`, xstream.NotWellFormed},
		{"end of nothing", `</message>`, xstream.NotWellFormed},
		{"two colons", `<message><a:b:c/></message>`, xstream.NotWellFormed},
		{"colon first", `<message><:c/></message>`, xstream.NotWellFormed},
		{"no space between attributes", `<message a=''b=''/>`, xstream.NotWellFormed},
		{"no quotes", `<message a=b/>`, xstream.NotWellFormed},
		{"less-than in a value", `<message a='<'/>`, xstream.NotWellFormed},
		{"end of CDATA in text", `<message>]]></message>`, xstream.NotWellFormed},
		{"space before the name", `<message>< a/></message>`, xstream.NotWellFormed},
		{"attribute in an end tag", `<message><a></a b=''></message>`, xstream.NotWellFormed},
		{"many names beyond ASCII", "<message>" + strings.Repeat("<é/>", 65) + "</message>", xstream.NotWellFormed},
		{"65 deep", strings.Repeat("<a>", 65), xstream.PolicyViolation},
		{"129 attributes", `<message` + attrs(129) + `/>`, xstream.PolicyViolation},
		{"too large", `<message>` + strings.Repeat("x", 10001) + `</message>`, xstream.PolicyViolation},
		{"too large and unfinished", `<message>` + strings.Repeat("x", 30001), xstream.PolicyViolation},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{
				strings.NewReader(testHeader + tt.in),
				iotest.OneByteReader(strings.NewReader(testHeader + tt.in)),
			} {
				got, err := frames(r)
				var f *fault
				if !errors.As(err, &f) || f.cond.Err != tt.want.Err || len(got) != 1 {
					t.Errorf("%d frames, %v; want %s", len(got), err, tt.want.Err)
				}
			}
		})
	}
}

func TestFramerHeader(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     xstream.Error
	}{
		{"as usual", testHeader, xstream.Error{}},
		{"no declaration", strings.TrimPrefix(testHeader, `<?xml version='1.0'?>`), xstream.Error{}},
		{"encoding", `<?xml version="1.0" encoding="utf-8"?>` + strings.TrimPrefix(testHeader, `<?xml version='1.0'?>`), xstream.Error{}},
		{"foreign encoding", `<?xml version='1.0' encoding='UTF-16'?>`, xstream.UnsupportedEncoding},
		{"two declarations", `<?xml version='1.0'?>` + testHeader, xstream.NotWellFormed},
		{"XML 1.1", `<?xml version='1.1'?>`, xstream.NotWellFormed},
		{"other instruction", `<?php x?>`, xstream.NotWellFormed},
		{"DTD", `<!DOCTYPE a>`, xstream.RestrictedXML},
		{"closed", `<stream:stream xmlns:stream='u'/>`, xstream.NotWellFormed},
		{"prefix unbound", `<stream:stream>`, xstream.NotWellFormed},
		{"end tag", `</stream:stream>`, xstream.NotWellFormed},
		{"TLS", "\x16\x03\x01\x02\x00\x01", xstream.NotWellFormed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := frames(strings.NewReader(tt.in))
			var f *fault
			if tt.want.Err == "" {
				if err != io.EOF || len(got) != 1 {
					t.Errorf("%d frames, %v", len(got), err)
				}
			} else if !errors.As(err, &f) || f.cond.Err != tt.want.Err {
				t.Errorf("%v, want %s", err, tt.want.Err)
			}
		})
	}
}

func TestFramerBudget(t *testing.T) {
	f := testFramer(strings.NewReader(testHeader + strings.Repeat(" ", 70000)))
	f.budget = strangerTotal
	if _, err := f.next(); err != nil {
		t.Fatal(err)
	}
	_, err := f.next()
	var ft *fault
	if !errors.As(err, &ft) || ft.cond.Err != "policy-violation" {
		t.Error(err)
	}
}

// An idle stream holds no buffer.
func TestFramerIdle(t *testing.T) {
	r, w := io.Pipe()
	f := testFramer(r)
	go func() {
		_, _ = io.WriteString(w, testHeader)
		_, _ = io.WriteString(w, "<presence/>")
		_ = w.Close()
	}()
	for range 2 {
		if _, err := f.next(); err != nil {
			t.Fatal(err)
		}
		if f.buf != nil {
			t.Error("the buffer was kept")
		}
	}
}

// meaning is the tree of an element as encoding/xml sees it, in one text.
func meaning(raw []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.DefaultSpace = nsClient
	var b strings.Builder
	depth := 0
	for {
		tok, err := d.Token()
		if err == io.EOF && depth == 0 {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			depth++
			fmt.Fprintf(&b, "<%q %q", tok.Name.Space, tok.Name.Local)
			for _, a := range tok.Attr {
				fmt.Fprintf(&b, " %q %q=%q", a.Name.Space, a.Name.Local, a.Value)
			}
			b.WriteByte('>')
		case xml.EndElement:
			depth--
			b.WriteString("</>")
		case xml.CharData:
			fmt.Fprintf(&b, "%q", string(tok))
		default:
			return "", fmt.Errorf("a %T got through", tok)
		}
	}
}

// FuzzFramer: whatever passes, a strict second parser takes for exactly one element, with the
// same name, attributes, children and text; and it passes again as it came out.
func FuzzFramer(f *testing.F) {
	for _, s := range []string{
		`<message to='a@b/c' xml:lang='de'><body>x &amp; y</body><x xmlns='jabber:x:oob'><url>u</url></x></message>`,
		`<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>`, `<presence/>`, `</stream:stream>`,
		`<a><![CDATA[x]]]]>y</a>`, `<a b='&#x41;&lt;'/>`, `<o:a o:b='1' b='2'/>`, `<a xmlns:p='u'><p:b p:c=''/></a>`,
		`<a>]]&gt;</a>`, "<a b='\r\n\t'>\r\n</a>", `<größe/>`, `<a><!-- --></a>`, `<a xmlns=''><b xmlns='u'/></a>`, `<a/><b/>`,
		`<a b=">"c='/'/>`, `<a><b></a></b>`, "<a>\xff</a>", `<stream:error><x xmlns='u'/></stream:error>`, `<a xmlns:o='u'><o:b/></a>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		in = append([]byte(testHeader), in...)
		whole, err := frames(bytes.NewReader(in))
		parts, err2 := frames(iotest.HalfReader(bytes.NewReader(in)))
		if len(whole) != len(parts) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("in one read %d frames, %v; in several %d, %v", len(whole), err, len(parts), err2)
		}
		for i, fr := range whole[1:] {
			if fr.kind != frameElement {
				continue
			}
			if !bytes.Equal(fr.el.raw, parts[i+1].el.raw) {
				t.Fatal("the bytes depend on the reads")
			}
			checkElement(t, fr.el)
		}
	})
}

func checkElement(t *testing.T, el *Element) {
	// a parser needs the prefix that every stream declares
	outer := append(append([]byte("<w xmlns='jabber:client' xmlns:stream='"+nsStream+"'>"), el.raw...), "</w>"...)
	if _, err := meaning(outer); err != nil {
		t.Fatalf("%s: %v", el.raw, err)
	}
	d := xml.NewDecoder(bytes.NewReader(outer))
	var w struct {
		Inner []struct {
			XMLName xml.Name
			Attrs   []xml.Attr `xml:",any,attr"`
			Inner   []struct {
				XMLName xml.Name
			} `xml:",any"`
			Text string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := d.Decode(&w); err != nil || len(w.Inner) != 1 {
		t.Fatalf("%s: %d elements, %v", el.raw, len(w.Inner), err)
	}
	other := w.Inner[0]
	if other.XMLName != el.Name {
		t.Fatalf("%s: name %v, want %v", el.raw, el.Name, other.XMLName)
	}
	if len(other.Inner) != len(el.Children) {
		t.Fatalf("%s: %d children, want %d", el.raw, len(el.Children), len(other.Inner))
	}
	for i, c := range el.Children {
		if c.Name != other.Inner[i].XMLName {
			t.Fatalf("%s: child %v, want %v", el.raw, c.Name, other.Inner[i].XMLName)
		}
		if el.raw[c.start] != '<' || el.raw[c.end-1] != '>' {
			t.Fatalf("%s: child is %q", el.raw, el.raw[c.start:c.end])
		}
	}
	flat := strings.NewReplacer("\n", " ", "\t", " ", "\r", " ")
	if len(other.Attrs) != len(el.attrs) {
		t.Fatalf("%s: %d attributes, want %d", el.raw, len(el.attrs), len(other.Attrs))
	}
	for i, a := range el.attrs {
		o := other.Attrs[i]
		if a.Name != o.Name || flat.Replace(a.Value) != flat.Replace(o.Value) {
			t.Fatalf("%s: attribute %v=%q, want %v=%q", el.raw, a.Name, a.Value, o.Name, o.Value)
		}
	}
	if text, ok := el.Text(); ok && text != other.Text {
		t.Fatalf("%s: text %q, want %q", el.raw, text, other.Text)
	}
	again, err := parseElement(el.raw, clientScope())
	if err != nil || !bytes.Equal(again.raw, el.raw) {
		t.Fatalf("%s does not pass again: %v", el.raw, err)
	}
}

// BenchmarkFrame is the whole way of a chat message through the server but for its sockets.
func BenchmarkFrame(b *testing.B) {
	msg := []byte(`<message to='bob@example.org/phone' type='chat' id='a7f3c1'><body>How about lunch at noon in the usual place?</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>`)
	f := testFramer(io.MultiReader(strings.NewReader(testHeader), &endless{text: msg}))
	if _, err := f.next(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	var known addresses
	for b.Loop() {
		fr, err := f.next()
		if err != nil {
			b.Fatal(err)
		}
		st, ok, err := known.stanza(fr.el)
		if !ok || err != nil {
			b.Fatal(ok, err)
		}
		st.Rewritten("alice@example.org/desk", "bob@example.org/phone")
	}
}

// endless is the same text again and again.
type endless struct {
	text []byte
	at   int
}

func (e *endless) Read(b []byte) (n int, err error) {
	for n < len(b) {
		c := copy(b[n:], e.text[e.at:])
		n += c
		e.at = (e.at + c) % len(e.text)
	}
	return n, nil
}
