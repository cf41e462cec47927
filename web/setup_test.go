package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"trivium/identity"
)

func TestSetup(t *testing.T) {
	s := newSite(t)
	code, err := s.identity.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	for _, path := range []string{"/setup", "/setup?code=", "/setup?code=wrong"} {
		a := b.get(path).expect(t, http.StatusNotFound, "This setup link is not valid.", "trivium setup-link")
		if strings.Contains(a.body, "<form method=\"post\" action=\"/setup\"") {
			t.Errorf("%s shows the form", path)
		}
	}
	b.get("/login").expect(t, http.StatusOK, "no administrator yet")
	link := "/setup?code=" + url.QueryEscape(code)
	b.get(link).expect(t, http.StatusOK, "<h1>Set up</h1>", "User name", "Password")
	b.post(link, "/setup", "code", "wrong", "login", "root1", "password", password).expect(t, http.StatusNotFound)
	b.post(link, "/setup", "code", code, "login", "root1", "password", "abc").expect(t, http.StatusUnprocessableEntity,
		`data-testid="error-summary"`, `aria-invalid="true"`, `aria-describedby="password-error`, `value="root1"`)
	b.post(link, "/setup", "code", code, "login", "a b", "password", password).expect(t, http.StatusUnprocessableEntity, "is not a name")
	before := b.cookie("as")
	a := b.post(link, "/setup", "code", code, "login", "root1", "password", password).expect(t, http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != "/admin" {
		t.Errorf("Location %q", got)
	}
	if b.cookie("ls") == "" || b.cookie("ls") == before {
		t.Error("no new cookie")
	}
	b.get("/admin").expect(t, http.StatusOK, `data-page="admin"`, `data-level="100"`, "First steps", "The administrator root1 was created")
	b.get(link).expect(t, http.StatusNotFound, "Page not found")
	s.browser().get(link).expect(t, http.StatusNotFound, "Page not found")
	s.browser().post("/login", "/setup", "code", code, "login", "second", "password", password).expect(t, http.StatusNotFound)
}

func TestAdministration(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("admin1", identity.LevelAdmin)
	admin := s.browser().login("admin1")
	admin.post("/admin/users", "/admin/users/new", "login", "new1", "password", password, "level", "10").expect(t, http.StatusSeeOther)
	admin.get("/admin/users").expect(t, http.StatusOK, `data-testid="user-row" data-name="new1"`)
	admin.post("/admin/users", "/admin/users/new", "login", "new1", "password", password, "level", "10").expect(t, http.StatusConflict, `data-testid="error-summary"`)
	admin.post("/admin/users", "/admin/users/new", "login", "new2", "password", password, "level", "100").expect(t, http.StatusForbidden, "below it can be given")
	admin.post("/admin/users", "/admin/users/new", "login", "new3", "password", "x", "level", "10").expect(t, http.StatusUnprocessableEntity, "too short", `value="new3"`)
	admin.get("/admin/users/NEW1").expect(t, http.StatusSeeOther)
	admin.get("/admin/users/nobody").expect(t, http.StatusNotFound, "Page not found")
	admin.get("/admin/users/root1").expect(t, http.StatusOK, "You can look but not change")
	// Forms for what one may not do, sent by hand.
	for _, verb := range []string{"disable", "level", "password", "end-sessions", "groups", "profile"} {
		admin.post("/admin/users", "/admin/users/root1/"+verb, "level", "10", "password", "another long one", "name", "x", "groups", "admin1").expect(t, http.StatusSeeOther)
		admin.get("/admin/users/root1").expect(t, http.StatusOK, `data-testid="flash-error"`)
	}
	if a, err := s.identity.User(t.Context(), "root1"); err != nil || a.Level != identity.LevelRoot || a.State != identity.UserActive || a.Profile.Name != "" {
		t.Errorf("root1 is %v, %v, %v", a.Level, a.State, err)
	}
	admin.post("/admin/users/new1", "/admin/users/new1/level", "level", "20").expect(t, http.StatusSeeOther)
	admin.get("/admin/users/new1").expect(t, http.StatusOK, "new1 now has the level customer (20).")
	admin.post("/admin/groups", "/admin/groups/new", "name", "team").expect(t, http.StatusSeeOther)
	admin.post("/admin/groups", "/admin/groups/team/add", "users", "new1").expect(t, http.StatusSeeOther)
	admin.get("/admin/groups").expect(t, http.StatusOK, "1 user joined the group team.", "<span>new1</span>")
	admin.post("/admin/groups", "/admin/groups/team/add", "users", "nobody").expect(t, http.StatusSeeOther)
	admin.get("/admin/groups").expect(t, http.StatusOK, "Nobody was added to team.")
	admin.post("/admin/users/new1", "/admin/users/new1/groups", "groups", "").expect(t, http.StatusSeeOther)
	if a, err := s.identity.User(t.Context(), "new1"); err != nil || len(a.Groups) != 0 {
		t.Errorf("groups %v, %v", a.Groups, err)
	}
	admin.get("/admin/policy?resource=web%3A%2Fadmin%2Fusers&user=staff").expect(t, http.StatusOK, "<strong>No.</strong>", "admin (50)")
	admin.get("/admin/policy?resource=web%3A%2Fsessions&user=new1").expect(t, http.StatusOK, "<strong>Yes.</strong>")
	admin.get("/admin/policy?resource=web%3A%2Fsessions&user=nobody1").expect(t, http.StatusUnprocessableEntity, "neither an account nor a level")
	admin.get("/admin/audit?event=user.add").expect(t, http.StatusOK, `data-event="user.add"`)
	for _, path := range []string{"/admin", "/admin/users", "/admin/users/new1", "/admin/groups", "/admin/sessions", "/admin/audit", "/admin/policy", "/admin/config"} {
		a := admin.get(path).expect(t, http.StatusOK)
		if strings.Contains(a.body, password) {
			t.Errorf("%s shows a password", path)
		}
	}
}
