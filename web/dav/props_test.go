package dav_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// find is a PROPFIND for properties of DAV:.
func find(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString("<D:" + n + "/>")
	}
	return `<D:propfind xmlns:D="DAV:"><D:prop>` + b.String() + "</D:prop></D:propfind>"
}

// set is a PROPPATCH.
func set(props string) string {
	return `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>` + props + "</D:prop></D:set></D:propertyupdate>"
}

func unset(props string) string { return strings.ReplaceAll(set(props), "D:set", "D:remove") }

func ask(props string) string {
	return `<D:propfind xmlns:D="DAV:"><D:prop>` + props + "</D:prop></D:propfind>"
}

func TestProps(t *testing.T) {
	s := newSite(t)
	s.do("alice", http.MethodPut, "/dav/f", "x").is(t, http.StatusCreated)
	const name = `<colour xmlns="urn:x"/>`
	s.do("alice", "PROPPATCH", "/dav/f", set(`<colour xmlns="urn:x" xml:lang="en">blue &amp; <b>green</b></colour>`)).is(t, http.StatusMultiStatus, "200 OK")
	has := func(path string) answer {
		t.Helper()
		return s.do("alice", "PROPFIND", path, ask(name), "Depth: 0").is(t, http.StatusMultiStatus, "blue &amp; ", "green", `xml:lang="en"`)
	}
	has("/dav/f")
	s.do("alice", http.MethodPut, "/dav/f", "new content").is(t, http.StatusNoContent)
	has("/dav/f")
	s.do("alice", "COPY", "/dav/f", "", "Destination: /dav/g").is(t, http.StatusCreated)
	has("/dav/g")
	s.do("alice", "MOVE", "/dav/g", "", "Destination: /dav/h").is(t, http.StatusCreated)
	has("/dav/h")
	s.do("alice", "PROPFIND", "/dav/h", `<propfind xmlns="DAV:"><allprop/></propfind>`, "Depth: 0").is(t, http.StatusMultiStatus, "blue", "getetag", "creationdate")
	if a := s.do("alice", "PROPFIND", "/dav/", `<propfind xmlns="DAV:"><propname/></propfind>`, "Depth: 1").is(t, http.StatusMultiStatus, "colour", "resourcetype"); strings.Contains(a.body, "blue") {
		t.Error("names alone were asked for")
	}
	s.do("alice", "PROPPATCH", "/dav/h", unset(name)).is(t, http.StatusMultiStatus, "200 OK")
	s.do("alice", "PROPFIND", "/dav/h", ask(name), "Depth: 0").is(t, http.StatusMultiStatus, "404 Not Found")

	// Protected ones, and with them everything in the same request, stay.
	for _, p := range []string{"getetag", "quota-used-bytes", "creationdate", "lockdiscovery"} {
		s.do("alice", "PROPPATCH", "/dav/f", set(`<colour xmlns="urn:x">red</colour><D:`+p+`>x</D:`+p+`>`)).is(t, http.StatusMultiStatus,
			"403 Forbidden", "424 Failed Dependency", "cannot-modify-protected-property")
	}
	has("/dav/f")

	// Too many.
	s.do("alice", "PROPPATCH", "/dav/f", set(`<long xmlns="urn:x">`+strings.Repeat("x", 4000)+"</long>")).is(t, http.StatusMultiStatus, "507 Insufficient Storage")
	has("/dav/f")
	s.do("alice", "PROPPATCH", "/dav/none", set(name)).is(t, http.StatusNotFound)
	s.do("bob", "PROPPATCH", "/dav/pub", set(name)).is(t, http.StatusMultiStatus, "403 Forbidden")
}

// The client of Windows sets these after each file that it stores.
func TestPropsOfWindows(t *testing.T) {
	s := newSite(t)
	s.do("alice", http.MethodPut, "/dav/f", "x").is(t, http.StatusCreated)
	s.do("alice", "PROPPATCH", "/dav/f", set(`<Z:Win32CreationTime xmlns:Z="urn:schemas-microsoft-com:">Wed, 01 Jan 2020 00:00:00 GMT</Z:Win32CreationTime>`+
		`<Z:Win32LastAccessTime xmlns:Z="urn:schemas-microsoft-com:">Wed, 01 Jan 2020 00:00:00 GMT</Z:Win32LastAccessTime>`+
		`<Z:Win32LastModifiedTime xmlns:Z="urn:schemas-microsoft-com:">Thu, 02 Jan 2020 03:04:05 GMT</Z:Win32LastModifiedTime>`+
		`<Z:Win32FileAttributes xmlns:Z="urn:schemas-microsoft-com:">00000020</Z:Win32FileAttributes>`)).is(t, http.StatusMultiStatus, "200 OK")
	s.do("alice", "PROPFIND", "/dav/f", ask(`<Win32FileAttributes xmlns="urn:schemas-microsoft-com:"/><Win32LastModifiedTime xmlns="urn:schemas-microsoft-com:"/><D:getlastmodified/>`), "Depth: 0").
		is(t, http.StatusMultiStatus, "00000020", "<D:getlastmodified>Thu, 02 Jan 2020 03:04:05 GMT</D:getlastmodified>")
}

// Bodies that are made to cost.
func TestHostileXML(t *testing.T) {
	s := newSite(t)
	s.do("alice", http.MethodPut, "/dav/f", "x").is(t, http.StatusCreated)
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	for name, body := range map[string]string{
		"entities":         `<?xml version="1.0"?>` + bomb + strings.Replace(find("getetag"), "<D:getetag/>", "<D:getetag>&b;</D:getetag>", 1),
		"a document type":  `<!DOCTYPE propfind SYSTEM "file:///etc/passwd">` + find("getetag"),
		"depth":            strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
		"elements":         `<D:propfind xmlns:D="DAV:"><D:prop>` + strings.Repeat("<D:a/>", 5000) + "</D:prop></D:propfind>",
		"attributes":       `<D:propfind xmlns:D="DAV:"` + attributes(3000) + "><D:allprop/></D:propfind>",
		"an empty prefix":  `<D:propfind xmlns:D="DAV:"><D:prop><x:y xmlns:x=""/></D:prop></D:propfind>`,
		"two documents":    find("getetag") + find("getetag"),
		"no end":           `<D:propfind xmlns:D="DAV:"><D:prop>`,
		"no XML":           "getetag",
		"another document": "<x/>",
		"another charset":  `<?xml version="1.0" encoding="utf-16"?>` + find("getetag"),
	} {
		for _, method := range []string{"PROPFIND", "PROPPATCH", "LOCK"} {
			if a := s.do("alice", method, "/dav/f", body, "Depth: 0"); a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s with %s: %d %s", method, name, a.StatusCode, a.body)
			}
		}
	}
	s.do("alice", "PROPFIND", "/dav/f", find("getetag")+strings.Repeat(" ", 70_000), "Depth: 0").is(t, http.StatusRequestEntityTooLarge)
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d='x'", i)
	}
	return b.String()
}

// A folder of many entries, links among them, is one well-formed answer.
func TestListing(t *testing.T) {
	s := newSite(t)
	s.do("alice", "MKCOL", "/dav/d", "").is(t, http.StatusCreated)
	names := []string{"a%20b", "ä", "x&y", "<z>", "%25"}
	for _, n := range names {
		s.do("alice", http.MethodPut, "/dav/d/"+strings.NewReplacer("<", "%3C", ">", "%3E").Replace(n), "x").is(t, http.StatusCreated)
	}
	s.do("alice", "PROPPATCH", "/dav/d/x&y", set(`<colour xmlns="urn:x">blue</colour>`)).is(t, http.StatusMultiStatus, "200 OK")
	s.do("alice", "PROPFIND", "/dav/d", ask(`<colour xmlns="urn:x"/>`), "Depth: 1").is(t, http.StatusMultiStatus, `<colour xmlns="urn:x">blue</colour>`, "404 Not Found")
	no(t, os.Symlink("x&y", filepath.Join(s.dir, "example.org/home/alice/d/link")))
	no(t, os.Symlink("/etc/passwd", filepath.Join(s.dir, "example.org/home/alice/d/out")))
	names = append(names, "link") // what leads out is not there
	a := s.do("alice", "PROPFIND", "/dav/d", "", "Depth: 1").is(t, http.StatusMultiStatus, "<D:href>/dav/d/</D:href>", "/dav/d/a%20b", "/dav/d/%C3%A4", "/dav/d/x&amp;y", "/dav/d/link", "blue")
	if strings.Count(a.body, ">blue<") != 2 {
		t.Error("the link has other properties than what it leads to")
	}
	var got struct {
		Response []struct {
			Href string `xml:"href"`
		} `xml:"response"`
	}
	no(t, xml.Unmarshal([]byte(a.body), &got))
	if len(got.Response) != len(names)+1 {
		t.Errorf("%d entries", len(got.Response))
	}
}
