package web_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/web"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// home is where the files of a user lie.
func (s *site) home(login string) string {
	return filepath.Join(s.dir, "example.org", "home", login)
}

// named are the files of a home under their own names; parts and what else the store keeps for
// itself have none.
func (s *site) named(login string) (list []string) {
	entries, err := os.ReadDir(s.home(login))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".trivium") {
			list = append(list, e.Name())
		}
	}
	return list
}

type upload struct{ field, name, content string }

func form(parts ...upload) (body []byte, kind string) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, p := range parts {
		if p.name == "" {
			_ = w.WriteField(p.field, p.content) // into memory
			continue
		}
		f, _ := w.CreateFormFile(p.field, p.name)
		_, _ = io.WriteString(f, p.content)
	}
	_ = w.Close()
	return buf.Bytes(), w.FormDataContentType()
}

func (b *browser) upload(path string, parts ...upload) answer {
	b.t.Helper()
	body, kind := form(parts...)
	r := b.request(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return b.do(r)
}

func TestFiles(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	b.get("/files").expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, `data-page="files"`, `data-testid="quota-bar"`)
	token := upload{"csrf", "", b.token("/files/")}
	names := []string{"plan.pdf", "a b.txt", "100%.txt", "x#y?z.txt", "Ümläut.txt", `quo"te.txt`, "<img src=x onerror=alert(1)>.html", "semi;colon.svg"}
	parts := []upload{token}
	for _, n := range names {
		parts = append(parts, upload{"file", n, "content of " + n})
	}
	b.upload("/files/", parts...).expect(t, http.StatusSeeOther)
	page := b.get("/files/").expect(t, http.StatusOK, "8 files were uploaded.", "&lt;img src=x onerror=alert(1)&gt;.html")
	if strings.Contains(page.body, "<img src=x") {
		t.Error("a name became markup")
	}
	for _, n := range names {
		a := b.get("/files/"+url.PathEscape(n)).expect(t, http.StatusOK)
		if a.body != "content of "+n {
			t.Errorf("%s: %q", n, a.body)
		}
		kind, params, err := mime.ParseMediaType(a.Header.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] != n {
			t.Errorf("%s: %q", n, a.Header.Get("Content-Disposition"))
		}
		if csp := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox;") || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: policy %q", n, csp)
		}
	}
	// Not replaced unless asked.
	b.upload("/files/", token, upload{"file", "plan.pdf", "new"}).expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, `data-testid="flash-error"`, "was not saved", "plan.pdf")
	b.get("/files/plan.pdf").expect(t, http.StatusOK, "content of plan.pdf")
	b.upload("/files/", token, upload{"replace", "", "1"}, upload{"file", "plan.pdf", "new"}).expect(t, http.StatusSeeOther)
	if a := b.get("/files/plan.pdf"); a.body != "new" {
		t.Errorf("%q", a.body)
	}

	b.post("/files/", "/files/", "do", "mkdir", "name", "photos & more").expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, `data-name="photos &amp; more" data-kind="dir"`)
	b.get("/files/photos%20&%20more/").expect(t, http.StatusOK, `data-testid="empty-state"`)
	b.get("/files/?rename=plan.pdf").expect(t, http.StatusOK, "<h1>Rename</h1>", `value="plan.pdf"`)
	b.post("/files/", "/files/", "do", "rename", "name", "plan.pdf", "to", "a b.txt").expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, "was not renamed")
	b.post("/files/", "/files/", "do", "rename", "name", "plan.pdf", "to", "plan 2.pdf").expect(t, http.StatusSeeOther)
	b.get("/files/plan%202.pdf").expect(t, http.StatusOK)
	b.get("/files/plan.pdf").expect(t, http.StatusNotFound)
	b.get("/files/?delete=plan%202.pdf").expect(t, http.StatusOK, "This cannot be undone.")
	b.post("/files/", "/files/", "do", "delete", "name", "plan 2.pdf").expect(t, http.StatusSeeOther)
	b.get("/files/plan%202.pdf").expect(t, http.StatusNotFound)
	b.post("/files/", "/files/", "do", "delete", "name", "photos & more").expect(t, http.StatusSeeOther)
	for _, bad := range []string{"../x", "a/b", "..", ".", "", "a\x00b"} {
		b.post("/files/", "/files/", "do", "mkdir", "name", bad).expect(t, http.StatusSeeOther)
		b.get("/files/").expect(t, http.StatusOK, `data-testid="flash-error"`)
	}
}

func TestFilesOfOthers(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	s.user("user2", identity.LevelUser)
	one, two := s.browser().login("user1"), s.browser().login("user2")
	one.upload("/files/", upload{"csrf", "", one.token("/files/")}, upload{"file", "secret.txt", "top secret"}).expect(t, http.StatusSeeOther)
	for _, path := range []string{"/files/secret.txt", "/files/../user1/secret.txt", "/files/..%2fuser1%2fsecret.txt", "/files/%2e%2e/user1/secret.txt",
		"/files/home/user1/secret.txt", "/files/..\\user1\\secret.txt", "/files//home/user1/secret.txt", "/files/groups/user1/secret.txt"} {
		if a := two.get(path); a.StatusCode == http.StatusOK || strings.Contains(a.body, "top secret") {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	s.browser().get("/files/secret.txt").expect(t, http.StatusSeeOther)
}

func TestRanges(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	for _, base := range []string{s.plain, s.https} {
		b := s.browserAt(base).login("user1")
		content := make([]byte, 3_000_000)
		_, _ = rand.Read(content)
		b.upload("/files/", upload{"csrf", "", b.token("/files/")}, upload{"replace", "", "1"}, upload{"file", "big.bin", string(content)}).expect(t, http.StatusSeeOther)
		get := func(r string) answer {
			req := b.request(http.MethodGet, "/files/big.bin", nil)
			if r != "" {
				req.Header.Set("Range", r)
			}
			return b.do(req)
		}
		if a := get("").expect(t, http.StatusOK); a.body != string(content) {
			t.Errorf("%s: %d bytes, not the same", base, len(a.body))
		}
		if a := get("bytes=1000000-2000000"); a.StatusCode != http.StatusPartialContent || a.body != string(content[1000000:2000001]) {
			t.Errorf("%s: %d, %d bytes", base, a.StatusCode, len(a.body))
		}
		if a := get("bytes=-5"); a.body != string(content[len(content)-5:]) {
			t.Errorf("%s: the end is %q", base, a.body)
		}
		if a := get("bytes=9000000-"); a.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("%s: beyond the end: %d", base, a.StatusCode)
		}
		if a := get("bytes=" + strings.Repeat("0-1,", 40) + "5-6"); a.StatusCode != http.StatusOK {
			t.Errorf("%s: 41 ranges: %d", base, a.StatusCode)
		}
		req := b.request(http.MethodGet, "/files/big.bin", nil)
		req.Header.Set("If-None-Match", get("bytes=0-0").Header.Get("ETag"))
		b.do(req).expect(t, http.StatusNotModified)
		if a := b.do(b.request(http.MethodHead, "/files/big.bin", nil)); a.ContentLength != int64(len(content)) {
			t.Errorf("%s: HEAD says %d", base, a.ContentLength)
		}
	}
}

// Of an upload that is cut, by whomever, nothing appears.
func TestUploadCut(t *testing.T) {
	s := newSite(t, func(w *web.Options, _ *identity.Options) { w.Limits.HTTPBodyTimeout = 300 * time.Millisecond })
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	body, kind := form(upload{"csrf", "", b.token("/files/")}, upload{"file", "cut.bin", strings.Repeat("x", 200_000)})
	head := func(length string) string {
		return "POST /files/ HTTP/1.1\r\nHost: a\r\nCookie: ls=" + b.cookie("ls") + "\r\nContent-Type: " + kind + "\r\n" + length + "\r\n\r\n"
	}
	send := func(stall bool, parts ...string) {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.plain, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, p := range parts {
			if _, err := io.WriteString(c, p); err != nil {
				t.Fatal(err)
			}
		}
		if stall { // and wait for the server to lose patience
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.ReadAll(c)
		}
	}
	half := string(body[:100_000])
	send(false, head(fmt.Sprintf("Content-Length: %d", len(body))), half)
	send(true, head(fmt.Sprintf("Content-Length: %d", len(body))), half)
	send(true, head("Transfer-Encoding: chunked"), fmt.Sprintf("%x\r\n%s\r\n", len(half), half), "zz\r\n")
	// The length is right and the closing boundary is missing.
	open := string(body[:len(body)-20])
	send(true, head(fmt.Sprintf("Content-Length: %d", len(open))), open)
	for _, i := range s.identity.Registry.List(identity.Filter{User: "user1"}) {
		until(t, "the end of the uploads", func() bool {
			ses, ok := s.identity.Registry.Get(i.ID)
			return !ok || ses.Details().Doing == ""
		})
	}
	if got := s.named("user1"); len(got) > 0 {
		t.Errorf("files appeared: %v", got)
	}
	b.get("/files/cut.bin").expect(t, http.StatusNotFound)
}

func TestUploadNeedsTheToken(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	token := upload{"csrf", "", b.token("/files/")}
	file := upload{"file", "a.txt", "a"}
	b.upload("/files/", file).expect(t, http.StatusForbidden)
	b.upload("/files/", file, token).expect(t, http.StatusForbidden)
	b.upload("/files/", upload{"csrf", "", "wrong"}, file).expect(t, http.StatusForbidden)
	b.upload("/files/", token, upload{"note", "", strings.Repeat("x", 5000)}).expect(t, http.StatusRequestEntityTooLarge)
	b.upload("/files/", token).expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, "Nothing was uploaded")
	if got := s.named("user1"); len(got) > 0 {
		t.Errorf("files appeared: %v", got)
	}
	for _, name := range []string{"../../up.txt", "/etc/up.txt", `..\up.txt`} {
		b.upload("/files/", token, upload{"file", name, "a"})
	}
	for _, n := range s.named("user1") {
		if strings.Contains(n, "/") {
			t.Errorf("%q", n)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "up.txt")); err == nil {
		t.Error("a file left the home")
	}
}

func TestQuota(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	small := int64(100_000)
	if _, err := s.identity.SetUser(t.Context(), machine, "user1", identity.UserChange{QuotaBytes: &small}); err != nil {
		t.Fatal(err)
	}
	b := s.browser().login("user1")
	token := upload{"csrf", "", b.token("/files/")}
	b.upload("/files/", token, upload{"file", "big.bin", strings.Repeat("x", 200_000)}, upload{"file", "small.txt", "fits"}).expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, `data-testid="flash-error"`, "big.bin", "quota is full", "1 file was uploaded", `data-name="small.txt"`)
	if got := s.named("user1"); len(got) != 1 {
		t.Errorf("files: %v", got)
	}
	b.get("/").expect(t, http.StatusOK, `data-testid="quota-bar"`, "4 B of 100 kB used", "1 file or folder</span>")
	if page := b.get("/files/").body; strings.Contains(page, `data-testid="quota-soft"`) {
		t.Error("the soft limit is not passed yet")
	}
	b.upload("/files/", token, upload{"file", "more.bin", strings.Repeat("x", 95_000)}).expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, "95 kB of 100 kB used", "2 files and folders</span>", `data-testid="quota-soft"`, "More than 90 kB: delete something before")
	b.get("/files/groups/").expect(t, http.StatusNotFound)
	b.get("/files/pub/").expect(t, http.StatusOK, "0 B used", "0 files and folders</span>")
}
