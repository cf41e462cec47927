package web_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"trivium/identity"
)

// sender is a browser whose script uploads.
type sender struct {
	*browser
	csrf string
}

func (b *browser) sender() *sender { return &sender{b, b.token("/files/")} }

// tus asks as a script does; pairs are further headers.
func (s *sender) tus(method, path string, body io.Reader, pairs ...string) answer {
	s.t.Helper()
	return s.do(s.tusRequest(method, path, body, pairs...))
}

func (s *sender) tusRequest(method, path string, body io.Reader, pairs ...string) *http.Request {
	s.t.Helper()
	r := s.request(method, path, body)
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("X-CSRF-Token", s.csrf)
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	return r
}

// begin creates an upload into a folder and returns its address.
func (s *sender) begin(dir, name string, size int, taken string) string {
	s.t.Helper()
	a := s.tus(http.MethodPost, dir, nil, about(name, size, taken)...)
	a.expect(s.t, http.StatusCreated)
	return a.Header.Get("Location")
}

func about(name string, size int, taken string) []string {
	b64 := base64.StdEncoding.EncodeToString
	return []string{"Upload-Length", strconv.Itoa(size), "Upload-Metadata", "filename " + b64([]byte(name)) + ",taken " + b64([]byte(taken))}
}

func (s *sender) patch(at string, offset int, content string) answer {
	s.t.Helper()
	return s.tus(http.MethodPatch, at, strings.NewReader(content), "Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.Itoa(offset))
}

func (s *sender) offset(at string) string {
	s.t.Helper()
	return s.tus(http.MethodHead, at, nil).expect(s.t, http.StatusOK).Header.Get("Upload-Offset")
}

func TestResumableUpload(t *testing.T) {
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	b := s.browser().login("alice").sender()
	content := func(name string) string {
		c, err := os.ReadFile(filepath.Join(s.home("alice"), name))
		if err != nil {
			t.Error(err)
		}
		return string(c)
	}

	at := b.begin("/files/", "photos/2026/a b.txt", 11, "")
	if got := b.offset(at); got != "0" {
		t.Errorf("a fresh upload is at %s", got)
	}
	b.patch(at, 0, "hello ").expect(t, http.StatusNoContent)
	b.patch(at, 0, "hello ").expect(t, http.StatusConflict)
	b.patch(at, 9, "x").expect(t, http.StatusConflict)
	if got := b.offset(at); got != "6" {
		t.Errorf("half an upload is at %s", got)
	}
	if list := s.named("alice"); len(list) != 1 || list[0] != "photos" {
		t.Errorf("half an upload shows: %v", list)
	}
	b.patch(at, 6, "world and more").expect(t, http.StatusRequestEntityTooLarge)
	b.patch(at, 6, "world").expect(t, http.StatusNoContent)
	if got := b.offset(at); got != "11" { // who did not hear the end asks, and hears it
		t.Errorf("a finished upload is at %s", got)
	}
	if got := content("photos/2026/a b.txt"); got != "hello world" {
		t.Errorf("stored %q", got)
	}

	// In one request, and nothing at all.
	b.tus(http.MethodPost, "/files/", strings.NewReader("whole"), append(about("one", 5, ""), "Content-Type", "application/offset+octet-stream")...).expect(t, http.StatusCreated)
	b.begin("/files/", "empty", 0, "")
	if content("one") != "whole" || content("empty") != "" {
		t.Errorf("stored %q", content("one"))
	}

	// What is there stays, unless it shall be replaced; or both stay.
	b.tus(http.MethodPost, "/files/", nil, about("one", 3, "")...).expect(t, http.StatusConflict, "there already")
	b.patch(b.begin("/files/", "one", 3, "keep"), 0, "two").expect(t, http.StatusNoContent)
	b.patch(b.begin("/files/", "one", 3, "replace"), 0, "new").expect(t, http.StatusNoContent)
	if content("one (2)") != "two" || content("one") != "new" {
		t.Errorf("%q beside %q", content("one (2)"), content("one"))
	}
	a := b.post("/files/", "/files/", "do", "standing", "name", "one", "name", "none", "name", "photos/2026/a b.txt", "name", "../../x")
	a.expect(t, http.StatusOK, `{"name":"one","size":3,"dir":false}`, `"photos/2026/a b.txt"`)
	if strings.Contains(a.body, "none") || strings.Contains(a.body, "..") {
		t.Errorf("standing: %s", a.body)
	}

	// One takes the name while the other is on its way: its end is refused, and told again until there is room.
	at = b.begin("/files/", "late", 4, "")
	b.tus(http.MethodPost, "/files/", strings.NewReader("mine"), append(about("late", 4, ""), "Content-Type", "application/offset+octet-stream")...).expect(t, http.StatusCreated)
	b.patch(at, 0, "late").expect(t, http.StatusConflict)
	b.patch(at, 0, "late").expect(t, http.StatusConflict)
	if err := os.Rename(filepath.Join(s.home("alice"), "late"), filepath.Join(s.home("alice"), "early")); err != nil {
		t.Fatal(err)
	}
	b.patch(at, 0, "late").expect(t, http.StatusNoContent)
	if got := b.offset(at); got != "4" || content("late") != "late" || content("early") != "mine" {
		t.Errorf("at %s: %q, %q", got, content("late"), content("early"))
	}

	// Forgotten.
	at = b.begin("/files/", "gone", 6, "")
	b.patch(at, 0, "abc").expect(t, http.StatusNoContent)
	b.tus(http.MethodDelete, at, nil).expect(t, http.StatusNoContent)
	if got := b.offset(at); got != "0" {
		t.Errorf("a forgotten upload is at %s", got)
	}
}

// TestResumableUploadIsCut: a connection that dies, or a session that ends, loses nothing that came.
func TestResumableUploadIsCut(t *testing.T) {
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	b := s.browser().login("alice").sender()
	at := b.begin("/files/", "big", 20, "")
	hang := func() (*io.PipeWriter, chan error) {
		r, w := io.Pipe()
		req := b.tusRequest(http.MethodPatch, at, r, "Content-Type", "application/offset+octet-stream", "Upload-Offset", b.offset(at))
		ended := make(chan error, 1)
		go func() {
			res, err := b.Do(req)
			if err == nil {
				ended <- res.Body.Close()
				return
			}
			ended <- err
		}()
		return w, ended
	}

	// A second request takes the upload over from one that hangs.
	before := s.sessionIn("alice")
	w, ended := hang()
	if _, err := io.WriteString(w, "first"); err != nil {
		t.Fatal(err)
	}
	until(t, "bytes", func() bool { return s.sessionIn("alice") >= before+5 })
	if got := b.offset(at); got != "5" {
		t.Errorf("taken over at %s", got)
	}
	_ = w.Close()
	<-ended

	// The session is ended in the middle; after another log-in it goes on.
	w, ended = hang()
	before = s.sessionIn("alice")
	if _, err := io.WriteString(w, "second"); err != nil {
		t.Fatal(err)
	}
	until(t, "bytes", func() bool { return s.sessionIn("alice") >= before+6 })
	if gone := s.identity.Registry.EndWhere(identity.Filter{User: "alice"}, identity.Reason{Code: identity.ReasonEnded}); len(gone) != 1 {
		t.Fatalf("%d sessions were ended", len(gone))
	}
	<-ended // at once, without another byte
	_ = w.Close()
	b.tus(http.MethodHead, at, nil).expect(t, http.StatusUnauthorized)
	b.tus(http.MethodPatch, at, strings.NewReader("x"), "Upload-Offset", "0").expect(t, http.StatusUnauthorized)
	b.login("alice")
	b.patch(at, 11, "third").expect(t, http.StatusForbidden) // the token of the session before
	b.csrf = b.tus(http.MethodOptions, "/files/", nil).expect(t, http.StatusNoContent).Header.Get("X-CSRF-Token")
	if got := b.offset(at); got != "11" {
		t.Fatalf("after another log-in at %s", got)
	}
	b.patch(at, 11, " a third!").expect(t, http.StatusNoContent)
	if c, err := os.ReadFile(filepath.Join(s.home("alice"), "big")); err != nil || string(c) != "firstsecond a third!" {
		t.Errorf("stored %q, %v", c, err)
	}
}

// sessionIn is how many bytes have come by the web sessions of a user.
func (s *site) sessionIn(user string) (n int64) {
	for _, x := range s.identity.Registry.List(identity.Filter{User: user}) {
		n += x.BytesIn
	}
	return n
}

func TestResumableUploadAttacks(t *testing.T) {
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	s.user("bob", identity.LevelUser)
	b, other := s.browser().login("alice").sender(), s.browser().login("bob").sender()
	at := b.begin("/files/", "mine", 10, "")
	b.patch(at, 0, "12345").expect(t, http.StatusNoContent)

	for name, ask := range map[string]struct {
		method string
		pairs  []string
		status int
	}{
		"no token":       {http.MethodPatch, []string{"X-CSRF-Token", ""}, http.StatusForbidden},
		"token of bob":   {http.MethodPatch, []string{"X-CSRF-Token", other.csrf}, http.StatusForbidden},
		"another site":   {http.MethodPatch, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		"cross-site":     {http.MethodDelete, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"delete, no one": {http.MethodDelete, []string{"X-CSRF-Token", ""}, http.StatusForbidden},
		"create, no one": {http.MethodPost, append(about("x", 1, ""), "X-CSRF-Token", ""), http.StatusForbidden},
		"old version":    {http.MethodPatch, []string{"Tus-Resumable", "0.2.2"}, http.StatusPreconditionFailed},
		"no version":     {http.MethodPatch, []string{"Tus-Resumable", ""}, http.StatusPreconditionFailed},
		"wrong type":     {http.MethodPatch, []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
		"no offset":      {http.MethodPatch, []string{"Upload-Offset", ""}, http.StatusBadRequest},
		"below nothing":  {http.MethodPatch, []string{"Upload-Offset", "-5"}, http.StatusBadRequest},
		"far away":       {http.MethodPatch, []string{"Upload-Offset", "9223372036854775807"}, http.StatusRequestEntityTooLarge},
	} {
		pairs := append([]string{"Content-Type", "application/offset+octet-stream", "Upload-Offset", "5"}, ask.pairs...)
		path := at
		if ask.method == http.MethodPost {
			path = "/files/"
		}
		if a := b.tus(ask.method, path, strings.NewReader("x"), pairs...); a.StatusCode != ask.status {
			t.Errorf("%s: %d, want %d: %s", name, a.StatusCode, ask.status, a.body)
		}
	}
	for name, path := range map[string]string{"no size": "/files/mine?upload=abcdefgh", "size below nothing": "/files/mine?upload=abcdefgh&size=-1",
		"short tag": "/files/mine?upload=a&size=10", "the top": "/files/?upload=abcdefgh&size=10"} {
		if a := b.patch(path, 0, "x"); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	for _, name := range []string{"", ".", "..", "../x", "a/../../x", "/etc/x", "a//b", "x\x00y", "a\r\nb", strings.Repeat("n", 300)} {
		if a := b.tus(http.MethodPost, "/files/", nil, about(name, 1, "")...); a.StatusCode < 400 || a.StatusCode >= 500 {
			t.Errorf("the name %q: %d", name, a.StatusCode)
		}
	}
	for _, size := range []string{"", "-1", "x", "99999999999999999999"} {
		b.tus(http.MethodPost, "/files/", nil, append(about("x", 1, ""), "Upload-Length", size)...).expect(t, http.StatusBadRequest)
	}
	b.tus(http.MethodPost, "/files/", nil, append(about("x", 1, ""), "Upload-Metadata", "filename ???")...).expect(t, http.StatusBadRequest)

	// Bob has a home of his own: the tag of another is a tag like any other.
	if got := other.offset(at); got != "0" {
		t.Errorf("bob hears %s of what alice uploads", got)
	}
	other.patch(at, 5, "67890").expect(t, http.StatusConflict)
	if got := b.offset(at); got != "5" {
		t.Errorf("the attacks moved the upload to %s", got)
	}
	if list := append(s.named("alice"), s.named("bob")...); len(list) != 0 {
		t.Errorf("something was stored: %v", list)
	}
}
