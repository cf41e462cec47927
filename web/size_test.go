package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
)

// What people wait for over the wire.
const (
	firstVisit = 150_000 // bytes: a page with all that it refers to
	laterPage  = 15_000  // bytes: a page whose assets are there
)

// wire is how long an answer is on its way, with the browser's encodings, and its text.
func (b *browser) wire(path string) (n int, body string) {
	b.t.Helper()
	r := b.request(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	a := b.do(r)
	a.expect(b.t, http.StatusOK)
	body = a.body
	if a.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(a.body))
		if err != nil {
			b.t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			b.t.Fatal(err)
		}
		body = string(text)
	}
	return len(a.body), body
}

func TestSizes(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	guest := s.browser()
	refers := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`)
	imports := regexp.MustCompile(`from "\./([a-z]+\.js)"`)
	total, body := guest.wire("/login")
	seen := map[string]bool{}
	var fetch func(path string)
	fetch = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		n, text := guest.wire(path)
		total += n
		if strings.HasSuffix(path, ".js") {
			for _, m := range imports.FindAllStringSubmatch(text, -1) {
				fetch(path[:strings.LastIndex(path, "/")+1] + m[1])
			}
		}
	}
	for _, m := range refers.FindAllStringSubmatch(body, -1) {
		fetch(m[1])
	}
	if len(seen) < 5 {
		t.Errorf("the first page refers to %d files alone", len(seen))
	}
	t.Logf("first visit: %d bytes in %d answers", total, len(seen)+1)
	if total > firstVisit {
		t.Errorf("the first visit takes %d bytes", total)
	}
	b := s.browser().login("root1")
	for _, m := range regexp.MustCompile(`<li><a href="(/[^"]*)"`).FindAllStringSubmatch(b.get("/").body, -1) {
		n, _ := b.wire(m[1])
		t.Logf("%s: %d bytes", m[1], n)
		if n > laterPage {
			t.Errorf("%s takes %d bytes", m[1], n)
		}
	}
	if tus, err := os.ReadFile("assets/vendor/tus.min.js"); err == nil { // comes with the files page
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(tus) // into memory
		_ = z.Close()
		if total += packed.Len(); total > firstVisit {
			t.Errorf("with what uploads need the first visit takes %d bytes", total)
		}
	}
}

// TestMaskedTokens: no two pages have the same token in their forms, and each is good.
func TestMaskedTokens(t *testing.T) {
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	b := s.browser().login("alice")
	one, two := b.token("/account"), b.token("/account")
	if one == two {
		t.Error("two pages have the same token")
	}
	for _, token := range []string{one, two} {
		b.send("/theme", map[string][]string{"csrf": {token}, "theme": {"dark"}}).expect(t, http.StatusSeeOther)
	}
	for _, token := range []string{"", one[:len(one)-1], one + "A", "A" + one[1:], strings.Repeat("A", len(one)), one + one} {
		if token == one {
			continue
		}
		b.send("/theme", map[string][]string{"csrf": {token}, "theme": {"dark"}}).expect(t, http.StatusForbidden)
	}
}
