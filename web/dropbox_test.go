package web_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"trivium/identity"
)

// dropFixture is a site with a drop box of alice's folder inbox.
func dropFixture(t *testing.T, pairs ...string) (s *site, owner *browser, link string) {
	t.Helper()
	s = newSite(t)
	s.user("alice", identity.LevelUser)
	owner = s.browser().login("alice")
	owner.post("/files/", "/files/", "do", "mkdir", "name", "inbox").expect(t, http.StatusSeeOther)
	return s, owner, owner.share("/inbox", append([]string{"kind", "drop"}, pairs...)...)
}

// visitor is somebody with the link, with the token of its page.
func (s *site) visitor(link string) *sender { b := s.browser(); return &sender{b, b.token(link)} }

func (s *site) inbox() []string {
	list, err := os.ReadDir(filepath.Join(s.home("alice"), "inbox"))
	if err != nil {
		s.t.Error(err)
	}
	var names []string
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestDropBoxResumes(t *testing.T) {
	s, _, link := dropFixture(t)
	v := s.visitor(link)
	v.get(link).expect(t, http.StatusOK, "data-adds", `data-testid="upload-queue"`)
	at := v.begin(link, "a b.txt", 11, "")
	if !strings.HasPrefix(at, link+"/a%20b.txt?") {
		t.Fatalf("the upload is at %s", at)
	}
	v.patch(at, 0, "hello ").expect(t, http.StatusNoContent)
	if len(s.inbox()) != 0 {
		t.Errorf("there is %v before all of it came", s.inbox())
	}
	if got := v.offset(at); got != "6" {
		t.Errorf("it is at %s", got)
	}
	v.patch(at, 0, "hello ").expect(t, http.StatusConflict) // not where it goes on
	v.patch(at, 6, "world").expect(t, http.StatusNoContent)
	if got := v.offset(at); got != "11" {
		t.Errorf("it is at %s", got)
	}
	v.tus(http.MethodOptions, link, nil).expect(t, http.StatusNoContent)
	if b, err := os.ReadFile(filepath.Join(s.home("alice"), "inbox", "a b.txt")); err != nil || string(b) != "hello world" {
		t.Errorf("%q, %v", b, err)
	}
	// A second one of the name replaces nothing, whatever is asked for.
	for _, taken := range []string{"replace", "keep", ""} {
		v.patch(v.begin(link, "a b.txt", 3, taken), 0, "two").expect(t, http.StatusNoContent)
	}
	if b, err := os.ReadFile(filepath.Join(s.home("alice"), "inbox", "a b.txt")); err != nil || string(b) != "hello world" || len(s.inbox()) != 4 {
		t.Errorf("%q, %v, %v", b, s.inbox(), err)
	}
	v.get(at).expect(t, http.StatusPreconditionFailed) // no page, and no file
	v.get(link+"/a%20b.txt").expect(t, http.StatusNotFound)
}

// What a visitor may not do by the address of an upload, by names and by lengths.
func TestDropBoxAttacks(t *testing.T) {
	s, owner, link := dropFixture(t)
	v, other := s.visitor(link), s.visitor(link)
	at := v.begin(link, "mine.txt", 10, "")
	v.patch(at, 0, "12345").expect(t, http.StatusNoContent)
	own := &sender{owner, owner.token("/files/")}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	change := func(name, key, value string) string {
		c := url.Values{"upload": {q.Get("upload")}, "size": {q.Get("size")}}
		c.Set(key, value)
		return link + "/" + name + "?" + c.Encode()
	}
	second := owner.share("/inbox", "kind", "drop")
	for what, try := range map[string]struct {
		by *sender
		at string
	}{
		"another visitor":          {other, at},
		"the owner, by this way":   {own, at},
		"another length":           {v, change("mine.txt", "size", "1000000")},
		"another name":             {v, change("yours.txt", "size", "10")},
		"replacing":                {v, change("mine.txt", "replace", "1")},
		"a tag of one's own":       {v, change("mine.txt", "upload", strings.Repeat("A", 42))},
		"a tag without proof":      {v, change("mine.txt", "upload", q.Get("upload")[:16])},
		"another link to the same": {v, second + "/mine.txt?" + q.Encode()},
		"a way out":                {v, link + "/..%2fmine.txt?" + q.Encode()},
	} {
		for _, method := range []string{http.MethodHead, http.MethodPatch, http.MethodDelete} {
			a := try.by.tus(method, try.at, strings.NewReader("67890"), "Content-Type", "application/offset+octet-stream", "Upload-Offset", "5")
			if a.StatusCode != http.StatusNotFound {
				t.Errorf("%s, %s: %d", what, method, a.StatusCode)
			}
		}
	}
	// As a file of the owner's own it is none.
	own.tus(http.MethodHead, "/files/inbox/mine.txt?"+q.Encode(), nil).expect(t, http.StatusOK)
	other.tus(http.MethodHead, "/files/inbox/mine.txt?"+q.Encode(), nil).expect(t, http.StatusUnauthorized)

	for _, name := range []string{"", ".", "..", "../x", "/etc/x", "a\x00b", "a\nb", strings.Repeat("n", 300), "\xff"} {
		if a := v.tus(http.MethodPost, link, nil, about(name, 3, "")...); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("the name %q: %d", name, a.StatusCode)
		}
	}
	for _, size := range []string{"-1", "", "x", "99999999999999999999"} {
		h := about("x", 1, "")
		h[1] = size
		v.tus(http.MethodPost, link, nil, h...).expect(t, http.StatusBadRequest)
	}
	v.tus(http.MethodPost, link, nil, about("huge", 1<<40, "")...).expect(t, http.StatusInsufficientStorage) // the owner's quota
	v.patch(at, 5, "678901").expect(t, http.StatusRequestEntityTooLarge)
	r := v.tusRequest(http.MethodPatch, at, struct{ io.Reader }{strings.NewReader("67890 and more without end")}, "Content-Type", "application/offset+octet-stream", "Upload-Offset", "5")
	r.ContentLength = -1
	v.do(r).expect(t, http.StatusNoContent)
	if b, err := os.ReadFile(filepath.Join(s.home("alice"), "inbox", "mine.txt")); err != nil || string(b) != "1234567890" {
		t.Errorf("%q, %v", b, err)
	}

	// Without the page's token, or from another site, nothing begins.
	bad := &sender{v.browser, other.csrf}
	bad.tus(http.MethodPost, link, nil, about("x", 1, "")...).expect(t, http.StatusForbidden)
	v.tus(http.MethodPost, link, nil, append(about("x", 1, ""), "Sec-Fetch-Site", "cross-site")...).expect(t, http.StatusForbidden)
	// A link to read takes nothing.
	read := owner.share("/inbox")
	reader := s.visitor(link)
	reader.tus(http.MethodPost, read, nil, about("x", 1, "")...).expect(t, http.StatusNotFound)
	reader.tus(http.MethodOptions, read, nil).expect(t, http.StatusNotFound)
	if len(s.inbox()) != 1 {
		t.Errorf("there is %v", s.inbox())
	}
}

// Two requests of one upload: the first is cut, and no byte stands twice.
func TestDropBoxTwoWriters(t *testing.T) {
	s, _, link := dropFixture(t)
	v := s.visitor(link)
	at := v.begin(link, "two.txt", 8, "")
	body, feed := io.Pipe()
	first := make(chan error, 1)
	go func() {
		r := v.tusRequest(http.MethodPatch, at, body, "Content-Type", "application/offset+octet-stream", "Upload-Offset", "0")
		res, err := v.Do(r)
		if err == nil {
			err = res.Body.Close()
		}
		first <- err
	}()
	if _, err := feed.Write([]byte("abcd")); err != nil {
		t.Fatal(err)
	}
	until(t, "the second writer taking over", func() bool { return v.offset(at) == "4" })
	v.patch(at, 4, "efgh").expect(t, http.StatusNoContent)
	_ = feed.Close()
	<-first // an answer or a cut, as the network had it
	if b, err := os.ReadFile(filepath.Join(s.home("alice"), "inbox", "two.txt")); err != nil || string(b) != "abcdefgh" {
		t.Errorf("%q, %v", b, err)
	}
}

// A link that ends, or is used up, while a file comes: it does not arrive.
func TestDropBoxEnds(t *testing.T) {
	s, owner, link := dropFixture(t, "limit", "2")
	v := s.visitor(link)
	three := []string{v.begin(link, "1", 2, ""), v.begin(link, "2", 2, ""), v.begin(link, "3", 2, "")}
	for _, at := range three {
		v.patch(at, 0, "a").expect(t, http.StatusNoContent)
	}
	v.patch(three[0], 1, "b").expect(t, http.StatusNoContent)
	v.patch(three[1], 1, "b").expect(t, http.StatusNoContent)
	v.patch(three[2], 1, "b").expect(t, http.StatusGone)
	v.tus(http.MethodPost, link, nil, about("4", 1, "")...).expect(t, http.StatusGone)
	if got := s.inbox(); len(got) != 2 {
		t.Errorf("two may be added, and there is %v", got)
	}

	link = owner.share("/inbox", "kind", "drop", "password", "open sesame")
	v = &sender{s.browser(), ""}
	v.csrf = v.token(link)
	v.tus(http.MethodPost, link, nil, about("x", 1, "")...).expect(t, http.StatusNotFound) // the password first
	v.post(link, link, "password", "open sesame").expect(t, http.StatusSeeOther)
	v.csrf = v.token(link)
	at := v.begin(link, "late", 2, "")
	v.patch(at, 0, "a").expect(t, http.StatusNoContent)
	list, err := s.files.Shares(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if _, err := s.files.EndShare(t.Context(), "", x.ID); err != nil {
			t.Fatal(err)
		}
	}
	v.patch(at, 1, "b").expect(t, http.StatusGone)
	if got := s.inbox(); len(got) != 2 {
		t.Errorf("the link has ended, and there is %v", got)
	}
}

// Beginnings are bounded: the one that rests longest goes.
func TestDropBoxBeginnings(t *testing.T) {
	s, _, link := dropFixture(t)
	v := s.visitor(link)
	first := v.begin(link, "first", 10, "")
	v.patch(first, 0, "12345").expect(t, http.StatusNoContent)
	kept := v.begin(link, "kept", 10, "")
	v.patch(kept, 0, "12345").expect(t, http.StatusNoContent)
	for range 48 {
		v.begin(link, "x", 10, "")
	}
	v.offset(kept) // a sign of life
	v.begin(link, "x", 10, "")
	if got := v.offset(first); got != "0" {
		t.Errorf("the first is still at %s", got)
	}
	if got := v.offset(kept); got != "5" {
		t.Errorf("the one that lives is at %s", got)
	}
	v.tus(http.MethodDelete, kept, nil).expect(t, http.StatusNoContent)
	if got := v.offset(kept); got != "0" {
		t.Errorf("what was given up is at %s", got)
	}
}

// In a browser: progress and a number for a second file of the name; without script the form does it.
func TestDropBoxInTheBrowser(t *testing.T) {
	if _, err := os.Stat("assets/vendor/tus.min.js"); err != nil {
		t.Skip("assets/vendor/tus.min.js is not there: make web fetches it")
	}
	s, _, link := dropFixture(t)
	file := filepath.Join(t.TempDir(), "from me.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 9<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	b := openTab(t, s.plain)
	for range 2 {
		b.open(link, "share")
		b.do(chromedp.SetUploadFiles(chromedp.CSS("#upload"), []string{file}), chromedp.Click(chromedp.CSS("form[data-adds] button.primary")),
			chromedp.WaitReady(chromedp.CSS(`[data-testid=upload-item][data-state=done]`)))
	}
	until(t, "two files", func() bool { return len(s.inbox()) == 2 })
	for _, n := range s.inbox() {
		if i, err := os.Stat(filepath.Join(s.home("alice"), "inbox", n)); err != nil || i.Size() != 9<<20 {
			t.Errorf("%s: %v, %v", n, i, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		t.Errorf("console: %s", f)
	}
}
