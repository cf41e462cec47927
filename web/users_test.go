package web_test

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"testing"

	"trivium/identity"
)

// TestUsersPages goes through a list of more than two pages, forth and back, while accounts come.
func TestUsersPages(t *testing.T) {
	s := newSite(t)
	s.user("zz-admin", identity.LevelAdmin)
	ctx := t.Context()
	add := func(login string) {
		t.Helper()
		if _, err := s.identity.AddUser(ctx, machine, identity.NewUser{Login: login}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 120 {
		add(fmt.Sprintf("person%03d", i))
	}
	b := s.browser().login("zz-admin")
	row, link := regexp.MustCompile(`data-name="([^"]+)"`), regexp.MustCompile(`href="([^"]+)" rel="(prev|next)"`)
	page := func(path string) (names []string, links map[string]string) {
		t.Helper()
		a := b.get(path).expect(t, http.StatusOK)
		for _, m := range row.FindAllStringSubmatch(a.body, -1) {
			names = append(names, m[1])
		}
		links = map[string]string{}
		for _, m := range link.FindAllStringSubmatch(a.body, -1) {
			links[m[2]] = html.UnescapeString(m[1])
		}
		return names, links
	}
	first, at := page("/admin/users?level=10")
	seen := slices.Clone(first)
	if at["prev"] != "" {
		t.Errorf("the first page has one before it: %s", at["prev"])
	}
	add("aaa") // before all of them: no page shifts
	var names []string
	for at["next"] != "" {
		names, at = page(at["next"])
		seen = append(seen, names...)
	}
	if len(seen) != 120 || seen[0] != "person000" || seen[119] != "person119" || !slices.IsSorted(seen) {
		t.Errorf("%d rows, from %s to %s", len(seen), seen[0], seen[len(seen)-1])
	}
	for at["prev"] != "" {
		names, at = page(at["prev"])
	}
	if !slices.Contains(names, "person000") {
		t.Errorf("back at the first page: %v", names)
	}
	// By number, as before, and what is no place.
	if names, _ = page("/admin/users?level=10&page=2"); len(names) != 50 || names[0] != "person049" {
		t.Errorf("the second page by its number begins with %v", names)
	}
	page("/admin/users?after=" + "%00%2f..")
	b.get("/admin").expect(t, http.StatusOK, "<strong>122</strong>")
}
