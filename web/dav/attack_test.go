package dav_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	lockStart = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>`
	lockEnd   = `</D:owner></D:lockinfo>`
)

// A namespace is said once and counts for every element: written out it was 70 MB, after 70 GB of
// copying.
func TestXMLThatGrows(t *testing.T) {
	s := newSite(t)
	s.do("alice", http.MethodPut, "/dav/f", "x").is(t, http.StatusCreated)
	long, many := ` xmlns:a="urn:`+strings.Repeat("x", 40_000)+`"`, strings.Repeat("<a:b/>", 1900)
	for method, body := range map[string]string{
		"PROPFIND":  `<D:propfind xmlns:D="DAV:"` + long + `><D:prop>` + many + `</D:prop></D:propfind>`,
		"PROPPATCH": set(`<x xmlns="urn:x"` + long + `>` + many + `</x>`),
		"LOCK":      lockStart + `<x` + long + `>` + many + `</x>` + lockEnd,
	} {
		s.do("alice", method, "/dav/f", body, "Depth: 0").is(t, http.StatusBadRequest)
	}
	// Short ones cost little, but are too much for an owner.
	s.do("alice", "LOCK", "/dav/f", lockStart+`<x xmlns:a="urn:a">`+many+`</x>`+lockEnd).is(t, http.StatusRequestEntityTooLarge)
}

// What encoding/xml reads, but no client that keeps to namespaces: stored with a file of a group it
// would keep its other members from listing the folder.
func TestXMLThatOthersCannotRead(t *testing.T) {
	s := newSite(t)
	s.do("alice", http.MethodPut, "/dav/f", "x").is(t, http.StatusCreated)
	for _, v := range []string{
		`<x xmlns="urn:x"><a b="1" b="2"/></x>`,
		`<x xmlns="urn:x" xmlns:p="urn:p" xmlns:q="urn:p"><a p:b="1" q:b="2"/></x>`,
		`<:x/>`,
		`<x:/>`,
		`<x xmlns="urn:x"><:y/></x>`,
		`<x xmlns="urn:x"><y :z="1"/></x>`,
		`<x xmlns="http://www.w3.org/2000/xmlns/">1</x>`,
		`<x xmlns="http://www.w3.org/XML/1998/namespace">1</x>`,
		`<xml:x>1</xml:x>`,
		`<xmlns:x>1</xmlns:x>`,
		`<p:x xmlns:p="http://www.w3.org/2000/xmlns/">1</p:x>`,
		`<x xmlns="urn:x" xmlns:xmlns="urn:y"><xmlns:a/></x>`,
		`<x xmlns="urn:x"><a xmlns:xml="urn:foo" xml:b="1"/></x>`,
	} {
		s.do("alice", "PROPPATCH", "/dav/f", set(v)).is(t, http.StatusBadRequest)
		s.do("alice", "LOCK", "/dav/f", lockStart+v+lockEnd).is(t, http.StatusBadRequest)
	}
	s.locked("alice", "/dav/locked", shared)
	// What is odd and right stays.
	for _, v := range []string{
		`<x xmlns="urn:&quot;&lt;&amp;" xml:lang='"&gt;&lt;'>]]&gt;<![CDATA[<a>]]></x>`,
		`<x xmlns="urn:x" xmlns:y="urn:y"><y:a y:b="c" d="e"><f xmlns=""/></y:a></x>`,
		`<x xmlns="urn:x" xmlns:_="urn:y"><a _:b="1" xml:space="preserve"> </a></x>`,
	} {
		s.do("alice", "PROPPATCH", "/dav/f", set(v)).is(t, http.StatusMultiStatus, "200 OK").wellFormed(t)
		s.do("alice", "PROPFIND", "/dav/f", "", "Depth: 0").is(t, http.StatusMultiStatus).wellFormed(t)
		s.do("alice", "LOCK", "/dav/locked", lockStart+v+lockEnd).is(t, http.StatusOK).wellFormed(t)
	}
}

func (a answer) wellFormed(t *testing.T) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(a.body))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
	}
}
