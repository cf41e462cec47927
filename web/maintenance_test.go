package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// What people see in maintenance, and that it tells them no more than else.
func TestMaintenancePages(t *testing.T) {
	s := newSite(t)
	s.user("user", identity.LevelUser)
	s.user("admin", identity.LevelAdmin)
	there := s.browser().login("user")
	_, _, err := s.identity.SetMaintenance(t.Context(), machine, identity.MaintenanceChange{On: true, Message: "New <disks>", Until: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	out := s.browser()
	for path, want := range map[string]int{"/": 503, "/files/": 503, "/s/abc": 503, "/join/abc": 503, "/login": 200, "/admin": 404, "/admin/maintenance": 404, "/nosuch": 404, "/healthz": 200, "/readyz": 503} {
		got := out.get(path)
		if got.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, got.StatusCode, want)
		}
		if after := got.Header.Get("Retry-After"); (want == 503) != (after != "") {
			t.Errorf("%s: to come again after %q", path, after)
		}
		if (want == 503 || path == "/login") && path != "/readyz" && !strings.Contains(got.body, "New &lt;disks&gt;") {
			t.Errorf("%s does not say why", path)
		}
		if want == 404 && strings.Contains(got.body, "disks") {
			t.Errorf("%s is told apart from what there is not", path)
		}
	}
	out.post("/login", "/login", "login", "user", "password", password).expect(t, http.StatusServiceUnavailable)
	out.post("/login", "/login", "login", "user", "password", "wrong").expect(t, http.StatusUnauthorized)
	there.get("/").expect(t, http.StatusOK)
	chief := s.browser().login("admin")
	chief.get("/admin/maintenance").expect(t, http.StatusOK)
	if _, n, err := s.identity.SetMaintenance(t.Context(), machine, identity.MaintenanceChange{On: true, End: true}); n != 1 || err != nil {
		t.Errorf("%d sessions ended, %v", n, err)
	}
	there.get("/").expect(t, http.StatusServiceUnavailable)
	chief.post("/admin/maintenance", "/admin/maintenance/off").expect(t, http.StatusSeeOther)
	there.get("/login").expect(t, http.StatusOK)
}

func TestAnnouncementBanner(t *testing.T) {
	s := newSite(t)
	s.user("user", identity.LevelUser)
	s.user("admin", identity.LevelAdmin)
	chief, user := s.browser().login("admin"), s.browser().login("user")
	const banner = `data-testid="announcement"`
	chief.post("/admin/announcements", "/admin/announcements/new", "text", "A look", "to", "all", "where", "web", "verb", "preview").expect(t, http.StatusOK)
	if !strings.Contains(chief.get("/").body, "A look") || strings.Contains(user.get("/").body, "A look") {
		t.Error("a preview is for who makes it")
	}
	chief.post("/admin/announcements", "/admin/announcements/new", "text", "Down <b>at</b> 9", "to", "all", "where", "web", "until", "3600", "verb", "publish").expect(t, http.StatusSeeOther)
	page := user.get("/")
	if !strings.Contains(page.body, banner) || !strings.Contains(page.body, "Down &lt;b&gt;at&lt;/b&gt; 9") {
		t.Error("the banner is not there")
	}
	list, err := s.identity.Announcements(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%d announcements, %v", len(list), err)
	}
	user.post("/admin/announcements", "/admin/announcements/"+list[0].ID+"/end").expect(t, http.StatusNotFound)
	user.post("/account", "/announcements/"+list[0].ID+"/put-away").expect(t, http.StatusSeeOther)
	if strings.Contains(user.get("/").body, banner) || strings.Contains(s.browser().login("user").get("/").body, banner) {
		t.Error("the banner that was put away is there")
	}
	chief.post("/admin/announcements", "/admin/announcements/new", "text", "x", "to", "group", "group", "nosuch", "where", "web", "verb", "publish").expect(t, http.StatusUnprocessableEntity)
	chief.post("/admin/announcements", "/admin/announcements/new", "text", "x", "to", "all", "verb", "publish").expect(t, http.StatusUnprocessableEntity)
	chief.post("/admin/announcements", "/admin/announcements/"+list[0].ID+"/end").expect(t, http.StatusSeeOther)
	if strings.Contains(s.browser().login("admin").get("/").body, "Down &lt;") {
		t.Error("it is told after its end")
	}
}
