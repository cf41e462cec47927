package web_test

import (
	"net/http"
	"strings"
	"testing"

	"trivium/identity"
)

// A manager who is only USER adds and removes members; of other groups nothing shows.
func TestManagersPage(t *testing.T) {
	s := newSite(t)
	for _, n := range []string{"mana1", "user1", "user2"} {
		s.user(n, identity.LevelUser)
	}
	s.user("staff1", identity.LevelStaff)
	for _, g := range []string{"choir", "secret"} {
		if _, err := s.identity.AddGroup(t.Context(), machine, g, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.identity.AddMembers(t.Context(), machine, "choir", []string{"mana1"}, true); err != nil {
		t.Fatal(err)
	}
	m, u := s.browser().login("mana1"), s.browser().login("user1")
	u.get("/groups").expect(t, http.StatusOK, `data-testid="empty-state"`)
	u.get("/files/groups/choir/").expect(t, http.StatusNotFound)
	m.get("/groups").expect(t, http.StatusOK, `data-name="choir" data-manager="true"`)
	m.post("/groups", "/groups/choir/add", "users", "user1").expect(t, http.StatusSeeOther)
	m.get("/groups").expect(t, http.StatusOK, "1 user joined the group choir.", "<span>user1</span>")
	// The member's own session has it at once.
	u.get("/files/groups/choir/").expect(t, http.StatusOK)
	if a := u.get("/groups").expect(t, http.StatusOK, `data-name="choir" data-manager="false"`); strings.Contains(a.body, "mana1") || strings.Contains(a.body, "/groups/choir/add") {
		t.Error("a member sees the members, or a form")
	}
	// Another group, and none at all, look the same; so does one that one is only a member of.
	for _, path := range []string{"/groups/secret/add", "/groups/nosuch/add", "/groups/secret/remove"} {
		m.post("/groups", path, "users", "user2", "user", "user2").expect(t, http.StatusNotFound)
	}
	u.post("/groups", "/groups/choir/add", "users", "user2").expect(t, http.StatusNotFound)
	// Not above the manager's own level, nor other managers.
	m.post("/groups", "/groups/choir/add", "users", "staff1").expect(t, http.StatusSeeOther)
	m.get("/groups").expect(t, http.StatusOK, "Nobody was added to choir.")
	// An administrator takes the folder away, and sets the level of those who are made in the group.
	s.user("admin1", identity.LevelAdmin)
	a := s.browser().login("admin1")
	a.post("/admin/groups", "/admin/groups/choir/settings", "roster", "1", "member_level", "20").expect(t, http.StatusSeeOther)
	u.get("/files/groups/choir/").expect(t, http.StatusNotFound)
	if acc, err := s.identity.AddUser(t.Context(), machine, identity.NewUser{Login: "singer", Groups: []string{"choir"}}); err != nil || acc.Level != identity.LevelCustomer {
		t.Errorf("made in the group: %v, %v", acc.Level, err)
	}
	a.post("/admin/groups", "/admin/groups/choir/settings", "member_level", "100").expect(t, http.StatusSeeOther)
	a.get("/admin/groups").expect(t, http.StatusOK, "The group was not changed.")
	a.post("/admin/groups", "/admin/groups/choir/settings", "folder", "1", "roster", "1").expect(t, http.StatusSeeOther)
	u.get("/files/groups/choir/").expect(t, http.StatusOK)
	m.post("/groups", "/groups/choir/remove", "user", "user1").expect(t, http.StatusSeeOther)
	u.get("/files/groups/choir/").expect(t, http.StatusNotFound)
}
