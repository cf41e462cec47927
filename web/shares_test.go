package web_test

import (
	"archive/zip"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/web"
)

var linkInPage = regexp.MustCompile(`value="https?://[^/"]+(/s/[A-Z0-9]+)"`)

// share gives out what a path names, with fields of the form, and returns the address.
func (b *browser) share(path string, pairs ...string) string {
	b.t.Helper()
	b.post("/files/", "/shares/new", append([]string{"path", path, "expires", "30"}, pairs...)...).expect(b.t, http.StatusSeeOther)
	m := linkInPage.FindStringSubmatch(b.get("/shares").expect(b.t, http.StatusOK, "is shared").body)
	if m == nil {
		b.t.Fatal("no link")
	}
	return m[1]
}

func TestShareOfAFile(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	b.get("/files/?share=a.txt").expect(t, http.StatusOK, "Share a.txt", `name="path" value="/a.txt"`)
	link := b.share("/a.txt", "note", "for <bob>")
	b.get("/shares").expect(t, http.StatusOK, "for &lt;bob&gt;", `data-state="active"`)
	guest := s.browser()
	guest.get(link).expect(t, http.StatusOK, "<h1 class=\"wrap\">a.txt</h1>", "3 B")
	if a := guest.get(link+"?download").expect(t, http.StatusOK); a.body != "one" || !strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "sandbox;") {
		t.Errorf("%q, %s", a.body, a.Header.Get("Content-Security-Policy"))
	}
	// It opens that file, and nothing else of the owner.
	for _, path := range []string{"/b.txt", "/../b.txt", "/%2e%2e/b.txt", "/a.txt", "/photos"} {
		guest.get(link+path).expect(t, http.StatusNotFound)
	}
	guest.get("/files/a.txt").expect(t, http.StatusSeeOther)
	if list := s.identity.Registry.List(identity.Filter{User: "user1"}); len(list) != 1 {
		t.Errorf("%d sessions of the owner: the visitor is not the owner", len(list))
	}
	guest.get("/s/NONE").expect(t, http.StatusGone, "no longer available")
	guest.get(strings.ToLower(link)).expect(t, http.StatusGone)

	// What the owner may not, the link may not.
	off, on := identity.UserDisabled, identity.UserActive
	for _, state := range []identity.UserState{off, on} {
		if _, err := s.identity.SetUser(t.Context(), machine, "user1", identity.UserChange{State: &state}); err != nil {
			t.Fatal(err)
		}
		want := http.StatusGone
		if state == on {
			want = http.StatusOK
		}
		guest.get(link).expect(t, want)
		guest.get(link+"?download").expect(t, want)
	}
	b = s.browser().login("user1")
	b.post("/files/", "/files/", "do", "rename", "name", "a.txt", "to", "c.txt").expect(t, http.StatusSeeOther)
	guest.get(link).expect(t, http.StatusGone)
	b.get("/shares").expect(t, http.StatusOK, `data-state="missing"`)
	b.post("/shares", "/shares/end-dead").expect(t, http.StatusSeeOther)
	b.get("/shares").expect(t, http.StatusOK, "1 dead link was removed.", `data-testid="empty-state"`)
}

func TestShareOfAFolder(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	link := b.share("/photos")
	if err := os.Symlink("../b.txt", filepath.Join(s.home("user1"), "photos", "out")); err != nil {
		t.Fatal(err)
	}
	guest := s.browser()
	page := guest.get(link).expect(t, http.StatusOK, `data-name="2026" data-kind="dir"`, `data-name="Été.png"`)
	if strings.Contains(page.body, "out") && strings.Contains(page.body, `data-name="out"`) {
		t.Error("a link is shown")
	}
	guest.get(link+"/2026").expect(t, http.StatusOK, `data-name="a.txt"`)
	if a := guest.get(link+"/2026/a.txt").expect(t, http.StatusOK); a.body != "deep" {
		t.Errorf("%q", a.body)
	}
	for _, path := range []string{"/out", "/none", "/../a.txt", "/2026/../../a.txt", "/%2e%2e%2fa.txt", "/2026/..%2f..%2fb.txt"} {
		if a := guest.get(link + path); a.StatusCode == http.StatusOK {
			t.Errorf("%s: %q", path, a.body)
		}
	}
	a := guest.post(link, link, "do", "zip").expect(t, http.StatusOK)
	z, err := zip.NewReader(strings.NewReader(a.body), int64(len(a.body)))
	if err != nil || len(z.File) < 4 {
		t.Errorf("%v", err)
	}
	guest.upload(link, upload{"csrf", "", guest.token(link)}, upload{"file", "new.txt", "x"}).expect(t, http.StatusBadRequest)
	if _, err := os.Stat(filepath.Join(s.home("user1"), "photos", "new.txt")); err == nil {
		t.Error("a visitor wrote")
	}
	// Somebody else cannot end it, nor learn that it is there.
	s.user("user2", identity.LevelUser)
	id := regexp.MustCompile(`/shares/([A-Z0-9]+)/end`).FindStringSubmatch(b.get("/shares").body)[1]
	s.browser().login("user2").post("/files/", "/shares/"+id+"/end").expect(t, http.StatusNotFound)
	b.post("/shares", "/shares/"+id+"/end").expect(t, http.StatusSeeOther)
	guest.get(link).expect(t, http.StatusGone)
}

func TestDropBox(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	b.get("/files/?share=empty").expect(t, http.StatusOK, "drop box")
	link := b.share("/empty", "kind", "drop", "limit", "2")
	guest := s.browser()
	page := guest.get(link).expect(t, http.StatusOK, `type="file"`)
	if strings.Contains(page.body, "file-row") {
		t.Error("a drop box lists")
	}
	token := upload{"csrf", "", guest.token(link)}
	guest.upload(link, token, upload{"replace", "", "1"}, upload{"file", "in.txt", "first"}).expect(t, http.StatusSeeOther)
	guest.upload(link, token, upload{"replace", "", "1"}, upload{"file", "in.txt", "second"}).expect(t, http.StatusSeeOther)
	guest.get(link+"/in.txt").expect(t, http.StatusGone) // used up: the one that was refused counted as well
	guest.upload(link, token, upload{"file", "more.txt", "third"}).expect(t, http.StatusGone)
	if got, err := os.ReadFile(filepath.Join(s.home("user1"), "empty", "in.txt")); err != nil || string(got) != "first" {
		t.Errorf("%q, %v", got, err)
	}
	other := b.share("/empty", "kind", "drop")
	guest.get(other+"/in.txt").expect(t, http.StatusNotFound)
	guest.post(other, other, "do", "zip").expect(t, http.StatusBadRequest)
	b.post("/files/", "/shares/new", "path", "/b.txt", "expires", "30", "kind", "drop").expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, "was not shared")
}

func TestSharePassword(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	link := b.share("/a.txt", "password", "open sesame")
	guest := s.browser()
	if page := guest.get(link).expect(t, http.StatusOK, "This link has a password"); strings.Contains(page.body, "a.txt") {
		t.Error("the page tells what it guards")
	}
	guest.get(link+"?download").expect(t, http.StatusOK, "This link has a password")
	guest.post(link, link, "password", "sesame").expect(t, http.StatusUnauthorized, "not the password")
	guest.post(link, link, "password", strings.Repeat("x", 5000)).expect(t, http.StatusUnauthorized)
	guest.post(link, link, "password", "open sesame").expect(t, http.StatusSeeOther)
	if a := guest.get(link + "?download"); a.body != "one" {
		t.Errorf("%q", a.body)
	}
	s.browser().get(link+"?download").expect(t, http.StatusOK, "This link has a password")
	if audit, err := s.identity.Audit(t.Context(), identity.AuditFilter{Event: "share.*"}); err != nil || len(audit) != 1 || strings.Contains(audit[0].Detail, link[3:]) {
		t.Errorf("%+v, %v", audit, err)
	}
}

// A guess at a share's password is a guess: it leads to a ban like one at an account's.
func TestGuessingAShare(t *testing.T) {
	s := newSite(t, func(_ *web.Options, i *identity.Options) { i.Limits.BanAfter = 3 })
	b := shelf(t, s)
	link := b.share("/a.txt", "password", "open sesame")
	guest := s.browser()
	token := guest.token(link)
	for range 3 {
		guest.send(link, map[string][]string{"csrf": {token}, "password": {"guess"}}).expect(t, http.StatusUnauthorized)
	}
	if a := guest.send(link, map[string][]string{"csrf": {token}, "password": {"open sesame"}}); a.StatusCode != http.StatusTooManyRequests && a.StatusCode != http.StatusForbidden {
		t.Errorf("%d", a.StatusCode)
	}
}

func TestShareLimit(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	link := b.share("/a.txt", "limit", "2")
	guest := s.browser()
	for range 2 {
		if a := guest.get(link+"?download").expect(t, http.StatusOK); a.body != "one" {
			t.Errorf("%q", a.body)
		}
	}
	guest.get(link+"?download").expect(t, http.StatusGone)
	b.get("/shares").expect(t, http.StatusOK, "2 of 2", "used up")
	for _, bad := range [][]string{{"expires", "1", "limit", "-1"}, {"expires", "1", "limit", "x"}, {"expires", "7000"}} {
		b.post("/files/", "/shares/new", append(bad, "path", "/b.txt")...).expect(t, http.StatusUnprocessableEntity, `data-testid="error-summary"`)
	}
	b.post("/files/", "/shares/new", "path", "/none", "expires", "1").expect(t, http.StatusNotFound)
}
