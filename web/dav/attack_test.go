package dav_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
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

// What stands in the way of a MOVE or COPY goes, so it must never hold the source: by a link or another
// form of its name neither.
func TestGoalHoldsItsSource(t *testing.T) {
	s := newSite(t)
	home := filepath.Join(s.dir, "example.org", "home", "alice")
	for _, dir := range []string{"/dav/a", "/dav/a/x", "/dav/a/x/z", "/dav/%C3%A9"} {
		s.do("alice", "MKCOL", dir, "").is(t, http.StatusCreated)
	}
	for _, file := range []string{"/dav/a/x/y", "/dav/a/x/z/f", "/dav/%C3%A9/f"} {
		s.do("alice", http.MethodPut, file, "data").is(t, http.StatusCreated)
	}
	no(t, os.Symlink("a", filepath.Join(home, "link")))
	no(t, os.Symlink("a/x/y", filepath.Join(home, "leaf")))
	for _, way := range [][2]string{
		{"/dav/a/x/y", "/dav/link/x"}, {"/dav/a/x/z", "/dav/link/x"}, {"/dav/link/x/z", "/dav/a/x"}, {"/dav/a/x", "/dav/link/x/z"},
		{"/dav/%C3%A9/f", "/dav/e%CC%81"}, {"/dav/%C3%A9", "/dav/e%CC%81/g"},
	} {
		for _, method := range []string{"MOVE", "COPY"} {
			s.do("alice", method, way[0], "", "Destination: "+way[1]).is(t, http.StatusForbidden)
		}
	}
	s.do("alice", "COPY", "/dav/leaf", "", "Destination: /dav/a/x").is(t, http.StatusForbidden)
	for _, file := range []string{"/dav/a/x/y", "/dav/a/x/z/f", "/dav/%C3%A9/f"} {
		s.do("alice", http.MethodGet, file, "").is(t, http.StatusOK, "data")
	}
}

// The way that somebody took to a lock, through a folder that others may not enter, is not told to them.
func TestLockTellsNoLink(t *testing.T) {
	s := newSite(t)
	s.do("alice", "MKCOL", "/dav/groups/team/d", "").is(t, http.StatusCreated)
	own := filepath.Join(s.dir, "example.org", "groups", "team", "own")
	no(t, os.Mkdir(own, 0o700))
	no(t, os.Symlink("../d", filepath.Join(own, "secret")))
	s.locked("alice", "/dav/groups/team/own/secret", exclusive)
	const at = "<D:href>/dav/groups/team/d</D:href>"
	s.do("bob", "PROPFIND", "/dav/groups/team/d", find("lockdiscovery"), "Depth: 0").is(t, http.StatusMultiStatus, "<D:lockroot>"+at)
	s.do("bob", "LOCK", "/dav/groups/team/d", exclusive).is(t, http.StatusLocked, at)
}

// Who says that a body will come, and sends none, does not hold the connection for ever.
func TestBodyThatNeverComes(t *testing.T) {
	s := newSite(t)
	for _, file := range []string{"/dav/f", "/dav/g", "/dav/h"} {
		s.do("alice", http.MethodPut, file, strings.Repeat("x", 10_000)).is(t, http.StatusCreated)
	}
	s.impatient(50 * time.Millisecond)
	for _, line := range []string{"GET /dav/f", "HEAD /dav/f", "COPY /dav/f", "MOVE /dav/g", "DELETE /dav/h", "DELETE /dav/none"} {
		c, r := s.raw("%s HTTP/1.1\nHost: x\nDestination: /dav/copy%d\nAuthorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\nContent-Length: 10\n\n", line, len(line))
		if _, err := io.Copy(io.Discard, r); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", line, err)
		}
		_ = c.Close()
	}
}

// A listing may take longer than a body: net/http waits for the next request meanwhile, and the end of
// that wait is not the end of the client.
func TestListingOutlastsTheDeadline(t *testing.T) {
	s := newSite(t)
	s.do("alice", "MKCOL", "/dav/many", "").is(t, http.StatusCreated)
	const many = 5000
	for i := range many {
		no(t, os.WriteFile(filepath.Join(s.dir, "example.org", "home", "alice", "many", strconv.Itoa(i)), nil, 0o600))
	}
	s.impatient(300 * time.Millisecond)
	for _, body := range []string{"", `<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`} {
		a := s.do("alice", "PROPFIND", "/dav/many/", body, "Depth: 1").is(t, http.StatusMultiStatus)
		if n := strings.Count(a.body, "<D:response>"); n != many+1 {
			t.Errorf("%d entries, want %d", n, many+1)
		}
	}
}

// impatient puts a server before the site's that gives each request a deadline for reading, as package
// web does.
func (s *site) impatient(wait time.Duration) {
	inner := s.Config.Handler
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(wait)); err != nil {
			s.t.Error(err)
		}
		inner.ServeHTTP(w, r)
	}))
	s.t.Cleanup(front.Close)
	s.Server.Close()
	s.Server = front
}

// A listing tells the locks of each entry, so shared ones of one folder are few.
func TestSharedLocksAreFew(t *testing.T) {
	s := newSite(t)
	s.do("alice", "MKCOL", "/dav/groups/team/d", "").is(t, http.StatusCreated)
	for range 64 {
		s.locked("alice", "/dav/groups/team/d", shared)
	}
	s.do("alice", "LOCK", "/dav/groups/team/d", shared).is(t, http.StatusInsufficientStorage)
	s.locked("bob", "/dav/other", shared)
}
