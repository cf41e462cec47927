package dav_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trivium/files"
	"trivium/identity"
)

// One request after another, each with its status.
func TestStatuses(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		method, path, body string
		want               int
		headers            []string
	}{
		{"GET", "/dav/", "", 303, nil},
		{"GET", "/dav", "", 303, nil},
		{"OPTIONS", "/", "", 200, nil},
		{"PROPFIND", "/", "", 405, nil},
		{"PUT", "/dav/a/f", "x", 409, nil},
		{"MKCOL", "/dav/a/b", "", 409, nil},
		{"MKCOL", "/dav/a", "<x/>", 415, nil},
		{"MKCOL", "/dav/a", "", 201, nil},
		{"MKCOL", "/dav/a/", "", 405, nil},
		{"MKCOL", "/dav/", "", 405, nil},
		{"PUT", "/dav/a", "x", 405, nil},
		{"PUT", "/dav/new/", "x", 405, nil},
		{"PUT", "/dav/a/f", "x", 201, nil},
		{"PUT", "/dav/a/f", "xy", 204, nil},
		{"PUT", "/dav/a/f/g", "x", 409, nil},
		{"PUT", "/dav/a/r", "x", 400, []string{"Content-Range: bytes 0-0/2"}},
		{"PUT", "/dav/a/f", "z", 412, []string{"If-None-Match: *"}},
		{"PUT", "/dav/a/n", "z", 201, []string{"If-None-Match: *"}},
		{"PUT", "/dav/a/f", "z", 412, []string{`If-Match: "no"`}},
		{"PUT", "/dav/a/none", "z", 412, []string{"If-Match: *"}},
		{"PUT", "/dav/a/f", "xy", 204, []string{"If-Match: *"}},
		{"PUT", "/dav/a/f", "z", 412, []string{"If-Unmodified-Since: Sat, 29 Feb 2020 12:00:00 GMT"}},
		{"PUT", "/dav/%00", "x", 400, nil},
		{"PUT", "/dav/" + strings.Repeat("n", 256), "x", 400, nil},
		{"PUT", "/dav/._f", "resource fork", 201, nil},
		{"PUT", "/dav/.DS_Store", "finder", 201, nil},
		{"GET", "/dav/a/f", "", 200, nil},
		{"GET", "/dav/a/f", "", 206, []string{"Range: bytes=1-"}},
		{"GET", "/dav/a/f", "", 416, []string{"Range: bytes=9-"}},
		{"GET", "/dav/a/f", "", 200, []string{"Range: bytes=0-0" + strings.Repeat(",0-0", 16)}},
		{"HEAD", "/dav/a/none", "", 404, nil},
		{"PROPFIND", "/dav/a/none", "", 404, []string{"Depth: 0"}},
		{"PROPFIND", "/dav/a", "", 403, nil},
		{"PROPFIND", "/dav/a", "", 403, []string{"Depth: infinity"}},
		{"PROPFIND", "/dav/a", "", 400, []string{"Depth: 2"}},
		{"PROPFIND", "/dav/a", "", 400, []string{"Depth: " + strings.Repeat("9", 1000)}},
		{"PROPFIND", "/dav/a", "", 207, []string{"Depth: 1"}},
		{"COPY", "/dav/a/f", "", 400, nil},
		{"COPY", "/dav/a/none", "", 404, []string{"Destination: /dav/x"}},
		{"COPY", "/dav/a/f", "", 201, []string{"Destination: /dav/a/g"}},
		{"COPY", "/dav/a/f", "", 204, []string{"Destination: /dav/a/g"}},
		{"COPY", "/dav/a/f", "", 412, []string{"Destination: /dav/a/g", "Overwrite: F"}},
		{"COPY", "/dav/a/f", "", 403, []string{"Destination: /dav/a/f"}},
		{"COPY", "/dav/a/f", "", 403, []string{"Destination: /dav/a"}}, // it would remove its own source
		{"COPY", "/dav/a", "", 403, []string{"Destination: /dav/a/in/itself"}},
		{"MOVE", "/dav/a", "", 403, []string{"Destination: /dav/a/b"}},
		{"MOVE", "/dav/a/f", "", 403, []string{"Destination: /dav/"}},
		{"COPY", "/dav/a/f", "", 409, []string{"Destination: /dav/none/f"}},
		{"COPY", "/dav/a", "", 201, []string{"Destination: /dav/b/"}},
		{"GET", "/dav/b/f", "", 200, nil},
		{"COPY", "/dav/a", "", 204, []string{"Destination: /dav/b/", "Depth: 0"}},
		{"GET", "/dav/b/f", "", 404, nil},
		{"COPY", "/dav/a", "", 400, []string{"Destination: /dav/c/", "Depth: 1"}},
		{"MOVE", "/dav/a", "", 400, []string{"Destination: /dav/c/", "Depth: 0"}},
		{"MOVE", "/dav/a/g", "", 201, []string{"Destination: /dav/a/h"}},
		{"MOVE", "/dav/a/h", "", 204, []string{"Destination: /dav/a/f"}},
		{"MOVE", "/dav/a", "", 412, []string{"Destination: /dav/b", "Overwrite: F"}},
		{"MOVE", "/dav/a", "", 204, []string{"Destination: /dav/b", "Overwrite: T"}},
		{"MOVE", "/dav/a", "", 404, []string{"Destination: /dav/c"}},
		{"MOVE", "/dav/b", "", 201, []string{"Destination: /dav/groups/team/b"}}, // another tree: copied and removed
		{"GET", "/dav/groups/team/b/f", "", 200, nil},
		{"DELETE", "/dav/groups/team/b", "", 400, []string{"Depth: 0"}},
		{"DELETE", "/dav/groups/team/b", "", 204, nil},
		{"DELETE", "/dav/groups/team/b", "", 404, nil},
		{"DELETE", "/dav/", "", 403, nil},
		{"DELETE", "/dav/groups/team", "", 403, nil},
		{"DELETE", "/dav/pub", "", 403, nil},
		{"PUT", "/dav/pub/f", "x", 403, nil},
		{"UNLOCK", "/dav/.DS_Store", "", 400, nil},
		{"UNLOCK", "/dav/.DS_Store", "", 409, []string{"Lock-Token: <urn:uuid:none>"}},
	} {
		if a := s.do("alice", tt.method, tt.path, tt.body, tt.headers...); a.StatusCode != tt.want {
			t.Errorf("%s %s %v: %d, want %d: %s", tt.method, tt.path, tt.headers, a.StatusCode, tt.want, a.body)
		}
	}
}

// Where a COPY or MOVE may lead.
func TestDestination(t *testing.T) {
	s := newSite(t)
	s.do("alice", http.MethodPut, "/dav/f", "x").is(t, http.StatusCreated)
	host := strings.TrimPrefix(s.URL, "http://")
	for _, tt := range []struct {
		to   string
		want int
		at   string // where it is then
	}{
		{s.URL + "/dav/1", 201, "/1"},
		{"/dav/2", 201, "/2"},
		{"https://" + host + "/dav/3", 201, "/3"},
		{"http://127.0.0.1/dav/4", 201, "/4"}, // a proxy may have changed the port
		{"https://files.example.org/dav/5", 201, "/5"},
		{"/dav/%C3%A4%20%26%23%25", 201, "/ä &#%"},
		{"/dav/../../etc/passwd", 409, ""},
		{"/dav/x/../6", 201, "/6"},
		{"/dav/%2e%2e/7", 201, "/7"},
		{"http://evil.example/dav/f2", 502, ""},
		{"http://alice@" + host + "/dav/f2", 400, ""},
		{"//evil.example/dav/f2", 502, ""},
		{"ftp://" + host + "/dav/f2", 502, ""},
		{"/files/f2", 502, ""},
		{"/davf2", 502, ""},
		{"f2", 502, ""},
		{"/dav/f2?x=1", 400, ""},
		{"/dav/%zz", 400, ""},
		{"/dav/a%00b", 400, ""},
		{"/dav/home/bob/f2", 409, ""}, // an ordinary name in one's own home
	} {
		s.do("alice", "COPY", "/dav/f", "", "Destination: "+tt.to).is(t, tt.want)
		if tt.at == "" {
			continue
		}
		if _, err := os.Lstat(filepath.Join(s.dir, "example.org/home/alice", tt.at)); err != nil {
			t.Errorf("%s: %v", tt.to, err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "example.org/home"))
	no(t, err)
	for _, e := range entries {
		if e.Name() != "alice" {
			t.Errorf("%s came into being", e.Name())
		}
	}
}

// What comes back is what was sent, and may do nothing in a browser.
func TestPutAndGet(t *testing.T) {
	s := newSite(t)
	put := s.do("alice", http.MethodPut, "/dav/page.html", "<script>alert(1)</script>", "X-OC-Mtime: 1577934245").is(t, http.StatusCreated)
	if put.Header.Get("X-OC-MTime") != "accepted" || !strings.HasPrefix(put.Header.Get("ETag"), `"`) {
		t.Errorf("%v", put.Header)
	}
	get := s.do("alice", http.MethodGet, "/dav/page.html", "").is(t, http.StatusOK, "<script>alert(1)</script>")
	for k, want := range map[string]string{
		"Last-Modified": "Thu, 02 Jan 2020 03:04:05 GMT", "ETag": put.Header.Get("ETag"), "Content-Type": "text/html; charset=utf-8",
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
		"Content-Disposition": `attachment; filename="page.html"; filename*=UTF-8''page.html`, "Accept-Ranges": "bytes",
	} {
		if got := get.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	s.do("alice", http.MethodGet, "/dav/page.html", "", "If-None-Match: "+put.Header.Get("ETag")).is(t, http.StatusNotModified)
	s.do("alice", http.MethodPut, "/dav/page.html", "new", "If-Match: "+put.Header.Get("ETag")).is(t, http.StatusNoContent)
	s.do("alice", http.MethodPut, "/dav/page.html", "newer", "If-Match: "+put.Header.Get("ETag")).is(t, http.StatusPreconditionFailed)
	s.do("alice", http.MethodGet, "/dav/page.html", "").is(t, http.StatusOK, "new")
	at := s.do("alice", http.MethodGet, "/dav/groups", "").is(t, http.StatusSeeOther).Header.Get("Location")
	if at != "/files/groups/" {
		t.Errorf("a folder leads to %s", at)
	}

	// Without a length, in chunks.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/dav/chunks", io.LimitReader(strings.NewReader(strings.Repeat("x", 200_000)), 200_000))
	no(t, err)
	r.ContentLength = -1
	r.SetBasicAuth("alice", password)
	s.send(r).is(t, http.StatusCreated)
	if got := s.do("alice", http.MethodGet, "/dav/chunks", ""); len(got.body) != 200_000 {
		t.Errorf("%d bytes", len(got.body))
	}
	until(t, "the end of the last request", func() bool { i := s.session("alice"); return i.Transfer == nil && i.Doing == "" })
	if i := s.session("alice"); i.BytesIn < 200_000 || i.BytesOut < 200_000 {
		t.Errorf("%d bytes in, %d out", i.BytesIn, i.BytesOut)
	}
}

// What the clients of Windows and macOS send to store one file.
func TestClientsOfDesktops(t *testing.T) {
	s := newSite(t)
	const agent = "User-Agent: Microsoft-WebDAV-MiniRedir/10.0.19045"
	s.do("", http.MethodOptions, "/", "", agent, "Translate: f").is(t, http.StatusOK)
	s.do("alice", "PROPFIND", "/dav", "", agent, "Depth: 0", "Translate: f").is(t, http.StatusMultiStatus, "<D:href>/dav/</D:href>", "<D:collection")
	s.do("alice", "PROPFIND", "/dav/New%20Text.txt", "", agent, "Depth: 0").is(t, http.StatusNotFound)
	s.do("alice", http.MethodPut, "/dav/New%20Text.txt", "", agent, "Content-Length: 0").is(t, http.StatusCreated)
	token := s.locked("alice", "/dav/New%20Text.txt", exclusive, agent, "Timeout: Second-3600", "Depth: 0")
	with := "If: (<" + token + ">)"
	s.do("alice", http.MethodHead, "/dav/New%20Text.txt", "", agent).is(t, http.StatusOK)
	s.do("alice", "PROPPATCH", "/dav/New%20Text.txt", set(`<Z:Win32FileAttributes xmlns:Z="urn:schemas-microsoft-com:">00000000</Z:Win32FileAttributes>`), agent, with).is(t, http.StatusMultiStatus, "200 OK")
	s.do("alice", http.MethodPut, "/dav/New%20Text.txt", "text", agent, with).is(t, http.StatusNoContent)
	s.do("alice", "PROPPATCH", "/dav/New%20Text.txt", set(`<Z:Win32LastModifiedTime xmlns:Z="urn:schemas-microsoft-com:">Thu, 02 Jan 2020 03:04:05 GMT</Z:Win32LastModifiedTime>`), agent, with).is(t, http.StatusMultiStatus, "200 OK")
	s.do("alice", "UNLOCK", "/dav/New%20Text.txt", "", agent, "Lock-Token: <"+token+">").is(t, http.StatusNoContent)
	get := s.do("alice", http.MethodGet, "/dav/New%20Text.txt", "", agent, "Translate: f").is(t, http.StatusOK, "text")
	if got := get.Header.Get("Last-Modified"); got != "Thu, 02 Jan 2020 03:04:05 GMT" {
		t.Errorf("the time of the file is %s", got)
	}

	// Finder locks a name, stores in chunks and tells the length beside.
	token = s.locked("alice", "/dav/pic.jpg", exclusive, "Timeout: Second-600", "Depth: 0")
	for _, length := range []string{"50000", "1", "99999999999999999999", "x"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/dav/pic.jpg", io.LimitReader(strings.NewReader(strings.Repeat("x", 50_000)), 50_000))
		no(t, err)
		r.ContentLength = -1
		r.SetBasicAuth("alice", password)
		r.Header.Set("X-Expected-Entity-Length", length)
		r.Header.Set("If", "(<"+token+">)")
		s.send(r).is(t, http.StatusNoContent)
	}
	s.do("alice", "UNLOCK", "/dav/pic.jpg", "", "Lock-Token: <"+token+">").is(t, http.StatusNoContent)
	s.do("alice", "PROPFIND", "/dav/", find("quota-used-bytes", "quota-available-bytes"), "Depth: 0").is(t, http.StatusMultiStatus, "<D:quota-used-bytes>50004<")
}

// A body that is cut leaves what was there, and nothing of its own.
func TestCutBody(t *testing.T) {
	s := newSite(t)
	s.do("alice", http.MethodPut, "/dav/old", "old").is(t, http.StatusCreated)
	const head = "\nHost: x\nAuthorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\n"
	for _, tt := range []struct{ name, request string }{
		{"a length", "PUT /dav/%s HTTP/1.1" + head + "Content-Length: 1000\n\nhalf of it"},
		{"chunks", "PUT /dav/%s HTTP/1.1" + head + "Transfer-Encoding: chunked\n\n4\nhalf\n"},
		{"a bad chunk", "PUT /dav/%s HTTP/1.1" + head + "Transfer-Encoding: chunked\n\n4\nhalf\nzz\n"},
	} {
		for _, name := range []string{"old", "new"} {
			c, answer := s.raw(tt.request, name)
			if cw, ok := c.(interface{ CloseWrite() error }); ok {
				no(t, cw.CloseWrite())
			}
			line, err := answer.ReadString('\n')
			if err == nil && !strings.Contains(line, " 400 ") {
				t.Errorf("%s of %s: %q", tt.name, name, line)
			}
			until(t, "the end", func() bool {
				return !slices.ContainsFunc(s.identity.Registry.List(identity.Filter{User: "alice"}), func(i identity.Info) bool { return i.Transfer != nil })
			})
		}
		s.do("alice", http.MethodGet, "/dav/new", "").is(t, http.StatusNotFound)
		s.do("alice", http.MethodGet, "/dav/old", "").is(t, http.StatusOK, "old")
	}
	parts, err := filepath.Glob(filepath.Join(s.dir, "example.org/home/alice/.trivium/parts/*"))
	if err != nil || len(parts) > 0 {
		t.Errorf("left behind: %v, %v", parts, err)
	}
}

// The quota refuses before the first byte where the length is known, and keeps the old file.
func TestQuota(t *testing.T) {
	s := newSite(t, func(_ *identity.Options, o *files.Options) { o.QuotaBytes = 100_000 })
	s.do("alice", http.MethodPut, "/dav/f", "old").is(t, http.StatusCreated)
	_, answer := s.raw("PUT /dav/f HTTP/1.1\nHost: x\nAuthorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\nContent-Length: 100001\nExpect: 100-continue\n\n")
	line, err := answer.ReadString('\n')
	no(t, err)
	if !strings.HasPrefix(line, "HTTP/1.1 507 ") {
		t.Errorf("before the body: %q", line)
	}
	s.do("alice", http.MethodPut, "/dav/g", strings.Repeat("x", 200_000)).is(t, http.StatusInsufficientStorage, "quota-not-exceeded")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/dav/f", io.LimitReader(strings.NewReader(strings.Repeat("x", 200_000)), 200_000))
	no(t, err)
	r.ContentLength = -1
	r.SetBasicAuth("alice", password)
	s.send(r).is(t, http.StatusInsufficientStorage)
	s.do("alice", http.MethodGet, "/dav/f", "").is(t, http.StatusOK, "old")
	s.do("alice", "PROPFIND", "/dav/", find("quota-available-bytes", "quota-used-bytes"), "Depth: 0").is(t, http.StatusMultiStatus,
		fmt.Sprintf("<D:quota-available-bytes>%d</D:quota-available-bytes>", 100_000-3), "<D:quota-used-bytes>3</D:quota-used-bytes>")
	s.do("alice", "COPY", "/dav/f", "", "Destination: /dav/groups/team/f").is(t, http.StatusCreated)
}

// What cannot be removed is named.
func TestPartly(t *testing.T) {
	s := newSite(t)
	for _, d := range []string{"/dav/groups/team/d", "/dav/groups/team/d/sub"} {
		s.do("alice", "MKCOL", d, "").is(t, http.StatusCreated)
	}
	s.do("alice", http.MethodPut, "/dav/groups/team/d/sub/a%20b", "x").is(t, http.StatusCreated)
	s.do("alice", http.MethodPut, "/dav/groups/team/d/free", "x").is(t, http.StatusCreated)
	s.do("alice", "LOCK", "/dav/groups/team/d/sub/a%20b", exclusive).is(t, http.StatusOK)
	s.do("bob", http.MethodDelete, "/dav/groups/team/d", "").is(t, http.StatusMultiStatus,
		"<D:href>/dav/groups/team/d/sub/a%20b</D:href><D:status>HTTP/1.1 423 Locked</D:status>")
	s.do("bob", http.MethodGet, "/dav/groups/team/d/sub/a%20b", "").is(t, http.StatusOK)
	s.do("bob", "MOVE", "/dav/groups/team/d", "", "Destination: /dav/groups/team/e").is(t, http.StatusLocked)
}
