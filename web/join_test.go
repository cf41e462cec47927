package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
)

var freshLink = regexp.MustCompile(`value="(http[^"]*/(?:join|login/reset)/[0-9a-z]{28})"`)

// invite makes an invitation on the page and returns the path of its link.
func (b *browser) invite(t *testing.T, path string, pairs ...string) string {
	t.Helper()
	a := b.post("/admin/invites", path, pairs...).expect(t, http.StatusOK, `data-testid="secret-value"`, `data-testid="qr"`, "<svg")
	m := freshLink.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no link in %s", a.body)
	}
	_, path, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(m[1], "https://"), "http://"), "/")
	return "/" + path
}

func TestInvitation(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	s.user("staff1", identity.LevelStaff)
	admin := s.browser().login("admin1")
	admin.get("/admin/invites").expect(t, http.StatusOK, "they choose their own password")
	admin.post("/admin/invites", "/admin/invites/new", "level", "100", "uses", "0", "days", "x").expect(t, http.StatusUnprocessableEntity, "from 1", "1 to 366")
	admin.post("/admin/invites", "/admin/invites/new", "level", "100", "uses", "1", "days", "7").expect(t, http.StatusForbidden, "below it can be given")
	link := admin.invite(t, "/admin/invites/new", "level", "20", "uses", "1", "days", "7", "note", "for <carol>")
	if list := admin.get("/admin/invites"); strings.Contains(list.body, link[strings.LastIndex(link, "/")+1:]) || !strings.Contains(list.body, "for &lt;carol&gt;") {
		t.Error("the list shows the code, or not the note")
	}
	b := s.browser()
	b.get("/join/wrong").expect(t, http.StatusNotFound, "not valid")
	a := b.get(link).expect(t, http.StatusOK, "admin1</strong> invites you", "@example.org", "?register;preauth=")
	if a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") == "" {
		t.Errorf("header %v", a.Header)
	}
	b.post(link, link, "login", "admin1", "password", password).expect(t, http.StatusConflict, "taken")
	b.post(link, link, "login", "c\u0430rol", "password", password).expect(t, http.StatusUnprocessableEntity, "several scripts")
	b.post(link, link, "login", "carol", "password", "x").expect(t, http.StatusUnprocessableEntity, "too short", `value="carol"`)
	a = b.post(link, link, "login", "carol", "password", password, "display", "Carol").expect(t, http.StatusSeeOther)
	if a.Header.Get("Location") != "/" || b.cookie("ls") == "" {
		t.Errorf("after joining: %q", a.Header.Get("Location"))
	}
	b.get("/").expect(t, http.StatusOK, "Welcome, carol.", `data-level="20"`)
	second := s.browser()
	second.get(link).expect(t, http.StatusGone, "used already")
	second.post("/login", link, "login", "dave", "password", password).expect(t, http.StatusGone, "used already")

	staff := s.browser().login("staff1")
	staff.invite(t, "/admin/invites/new", "level", "10", "uses", "1", "days", "7")
	staff.post("/admin/invites", "/admin/invites/new", "level", "20", "uses", "1", "days", "7").expect(t, http.StatusForbidden, "up to the level user")
	if a := staff.get("/admin/invites").expect(t, http.StatusOK); strings.Contains(a.body, "carol") {
		t.Error("staff sees the invitations of others")
	}
	carol := s.browser().login("carol")
	carol.get("/admin/invites").expect(t, http.StatusNotFound, "Page not found")
	// A form of another page without the token changes nothing.
	if a := admin.send("/admin/invites/new", map[string][]string{"level": {"10"}, "uses": {"1"}, "days": {"7"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("without a token: %d", a.StatusCode)
	}
}

func TestResetLink(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	s.user("carol", identity.LevelUser)
	admin, carol := s.browser().login("admin1"), s.browser().login("carol")
	link := admin.invite(t, "/admin/users/carol/link")
	b := s.browser()
	b.get(link).expect(t, http.StatusOK, "Choose a password", "<strong>carol</strong>")
	if !strings.HasPrefix(link, "/login/reset/") {
		t.Errorf("link %q", link)
	}
	action := strings.Replace(link, "/login/reset/", "/join/", 1)
	a := b.post(link, action, "password", "another long one 9").expect(t, http.StatusSeeOther)
	if a.Header.Get("Location") != "/login" || b.cookie("ls") != "" {
		t.Errorf("after the reset: %q, logged in: %v", a.Header.Get("Location"), b.cookie("ls") != "")
	}
	b.get("/login").expect(t, http.StatusOK, "Log in with it")
	b.get(link).expect(t, http.StatusGone)
	carol.get("/sessions").expect(t, http.StatusSeeOther) // its session has ended
	admin.post("/admin/invites", "/admin/users/admin1/link").expect(t, http.StatusSeeOther)
	admin.get("/admin/users/admin1").expect(t, http.StatusOK, "No link was made")
}

// TestAskForReset: the page answers everybody the same.
func TestAskForReset(t *testing.T) {
	s := newSite(t)
	s.user("carol", identity.LevelUser)
	b := s.browser()
	b.get("/login/reset").expect(t, http.StatusOK, "sends no mails")
	var answers []string
	for _, name := range []string{"carol", "nobody", "", "a\r\nb"} {
		a := b.post("/login", "/login/reset", "name", name).expect(t, http.StatusSeeOther)
		answers = append(answers, a.Header.Get("Location")+text(b.get("/login").body))
	}
	for _, a := range answers[1:] {
		if a != answers[0] {
			t.Errorf("answers differ: %q, %q", answers[0], a)
		}
	}
}

func TestMustChangePage(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	s.user("carol", identity.LevelUser)
	admin := s.browser().login("admin1")
	admin.post("/admin/users/carol", "/admin/users/carol/must-change", "must", "1").expect(t, http.StatusSeeOther)
	carol := s.browser().login("carol")
	for _, path := range []string{"/", "/files/", "/sessions", "/tokens"} {
		if a := carol.get(path).expect(t, http.StatusSeeOther); a.Header.Get("Location") != "/account" {
			t.Errorf("%s leads to %q", path, a.Header.Get("Location"))
		}
	}
	carol.get("/account").expect(t, http.StatusOK, "has to be changed before you go on")
	carol.post("/account", "/account", "email", "thief@example.com").expect(t, http.StatusSeeOther)
	if a, err := s.identity.User(t.Context(), "carol"); err != nil || a.Profile.Email != "" {
		t.Errorf("the profile was changed: %v, %v", a.Profile, err)
	}
	carol.post("/account", "/account/password", "old", password, "new", password).expect(t, http.StatusUnprocessableEntity, "the one that has to be changed")
	carol.post("/account", "/account/password", "old", password, "new", "another long one 9").expect(t, http.StatusSeeOther)
	carol.get("/files/").expect(t, http.StatusOK)
}

// TestPasswordChoices: other sessions end or go on, and app passwords likewise.
func TestPasswordChoices(t *testing.T) {
	s := newSite(t)
	s.user("carol", identity.LevelUser)
	one, two := s.browser().login("carol"), s.browser().login("carol")
	one.post("/account", "/account/password", "old", password, "new", "another long one 9", "keep", "1").expect(t, http.StatusSeeOther)
	two.get("/account").expect(t, http.StatusOK)
	one.post("/account", "/account/password", "old", "another long one 9", "new", "yet another one 9", "tokens", "1").expect(t, http.StatusSeeOther)
	two.get("/account").expect(t, http.StatusSeeOther)
}
