package dav

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/webdav"

	"trivium/files"
	"trivium/identity"
)

func TestEveryErrorHasAnAnswer(t *testing.T) {
	for _, err := range append(identity.Errors(), files.Errors()...) {
		f, known := answer(fmt.Errorf("trying something: %w", err))
		if !known || f.status < 400 || f.text == "" {
			t.Errorf("%v: %+v", err, f)
		}
		if f.cond == "" && !strings.HasSuffix(f.text, ".") && !strings.Contains(f.text, ":") {
			t.Errorf("%v: %q is no sentence", err, f.text)
		}
	}
	if _, known := answer(errors.New("something else")); known {
		t.Error("an unknown error is known")
	}
}

// What an error says itself for people, the client gets.
func TestAnswerInWords(t *testing.T) {
	_, bad := files.NewName("a\u202eb", false)
	for _, tt := range []struct {
		err    error
		status int
		want   string
	}{
		{bad, http.StatusBadRequest, "turns the direction of text"},
		{&files.SoftLimitError{SoftBytes: 100, SoftFiles: -1}, http.StatusInsufficientStorage, "soft limit of the quota (100 bytes)"},
		{files.ErrQuota, http.StatusInsufficientStorage, "The quota is full"},
	} {
		if f, _ := answer(fmt.Errorf("storing: %w", tt.err)); f.status != tt.status || !strings.Contains(f.text, tt.want) {
			t.Errorf("%v: %+v", tt.err, f)
		}
	}
}

// The four that could tell which accounts exist say the same.
func TestRefusedLoginsLookAlike(t *testing.T) {
	want, _ := answer(identity.ErrCredentials)
	for _, err := range []error{identity.ErrDisabled, identity.ErrExpired, identity.ErrRoadClosed} {
		if f, _ := answer(err); *f != *want {
			t.Errorf("%v: %+v", err, f)
		}
	}
}

func TestParseIf(t *testing.T) {
	token := func(s string) ifCondition { return ifCondition{token: s} }
	for _, tt := range []struct {
		in   string
		want []ifList
	}{
		{"(<urn:a>)", []ifList{{"", []ifCondition{token("urn:a")}}}},
		{` ( <urn:a> ["x"] ) (Not <DAV:no-lock>) `, []ifList{{"", []ifCondition{token("urn:a"), {etag: `"x"`}}}, {"", []ifCondition{{not: true, token: "DAV:no-lock"}}}}},
		{"</a> (<urn:a>) (<urn:b>) <http://x/b> (not [\"y\"])", []ifList{{"/a", []ifCondition{token("urn:a")}}, {"/a", []ifCondition{token("urn:b")}},
			{"http://x/b", []ifCondition{{not: true, etag: `"y"`}}}}},
		{"", nil}, {"()", nil}, {"(", nil}, {"(<urn:a>", nil}, {"<urn:a>", nil}, {"</a></b>(<urn:a>)", nil}, {"(<urn:a>) </b> (<c>)", nil},
		{"(Not)", nil}, {"(<>)", nil}, {"urn:a", nil}, {"(urn:a)", nil}, {"</a> (<urn:a>) </b>", nil}, {strings.Repeat("(<a>)", maxConditions+1), nil},
	} {
		got, ok := parseIf(tt.in)
		if ok != (tt.want != nil) || ok && !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v", tt.in, got, ok)
		}
	}
}

func FuzzParseIf(f *testing.F) {
	for _, s := range []string{"(<urn:a>)", `</a> (Not <b> ["c"]) (<d>)`, "(", "Not", "(Not Not <a>)", "<a>(<b>)<c>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lists, ok := parseIf(s)
		if !ok {
			return
		}
		// Written anew and read again it is the same.
		var b strings.Builder
		tag := ""
		for _, l := range lists {
			if l.resource != tag {
				b.WriteString("<" + l.resource + "> ")
				tag = l.resource
			}
			b.WriteString("(")
			for _, c := range l.all {
				if c.not {
					b.WriteString("Not ")
				}
				if c.token != "" {
					b.WriteString("<" + c.token + ">")
				} else {
					b.WriteString("[" + c.etag + "]")
				}
			}
			b.WriteString(") ")
		}
		again, ok := parseIf(b.String())
		if !ok || !reflect.DeepEqual(again, lists) {
			t.Fatalf("%q became %q: %+v, %v", s, b.String(), again, lists)
		}
	})
}

func FuzzParseXML(f *testing.F) {
	for _, s := range []string{"<a/>", `<D:lockinfo xmlns:D="DAV:"><D:owner>x<b y="z">&amp;</b></D:owner></D:lockinfo>`, "<a><b></a>",
		`<a xmlns:x="u" x:y="1" xml:lang="en" z="&lt;"/>`, "<!DOCTYPE a><a/>", "<a/><a/>", "<a>&#0;</a>", `<a b="1" b="2"/>`, "<:a/>", `<a xmlns="http://www.w3.org/2000/xmlns/"/>`, "<a><![CDATA[]]></a>", "\xef\xbb\xbf<a/>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := parse(data)
		if err != nil || len(data) > maxNodes { // written again, each element has a namespace more
			return
		}
		// What is kept of it can be put into any answer, and means the same there.
		text := written(n)
		again, err := parse([]byte(text))
		if err != nil {
			t.Fatalf("%q became %q: %v", data, text, err)
		}
		if again.name != n.name || written(again) != text {
			t.Fatalf("%q became %q and %q", data, text, written(again))
		}
	})
}

func written(n *node) string {
	var b strings.Builder
	n.write(&b, math.MaxInt)
	return b.String()
}

func FuzzDecodeProps(f *testing.F) {
	name := xml.Name{Space: "urn:x", Local: "y"}
	f.Add(deadProps{name: {XMLName: name, InnerXML: []byte("z")}}.encode())
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodeProps(data)
		if err != nil {
			return
		}
		again, err := decodeProps(p.encode())
		if err != nil || !maps.EqualFunc(p, again, func(a, b webdav.Property) bool { return string(a.InnerXML) == string(b.InnerXML) && a.Lang == b.Lang }) {
			t.Fatalf("%v became %v, %v", p, again, err)
		}
	})
}

func FuzzDestination(f *testing.F) {
	for _, s := range []string{"/dav/a", "http://example.org/dav/%41", "//evil/dav/x", "/dav/../x", "/dav/%2e%2e/%2e%2e/x", "http://example.org:99/dav", "/dav\x00"} {
		f.Add(s)
	}
	r, err := http.NewRequest("COPY", "http://example.org/dav/f", nil)
	if err != nil {
		f.Fatal(err)
	}
	q := &request{h: &Handler{}, r: r}
	f.Fuzz(func(t *testing.T, s string) {
		p, _, err := q.local(s)
		if err != nil {
			return
		}
		if clean, err := files.Clean("/", p); err != nil || clean != p {
			t.Fatalf("%q leads to %q", s, p)
		}
		if strings.Contains(s, "//") && !strings.HasPrefix(s, "/dav") && !strings.Contains(strings.ToLower(s), "example.org") {
			t.Fatalf("%q is ours", s)
		}
	})
}
