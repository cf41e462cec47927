package web_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"trivium/identity"
)

// A person sees what happened to their own account, and who did it; not from where somebody else acted, not
// what is about others, and not what is about a thing that has their name.
func TestActivity(t *testing.T) {
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	s.user("bob", identity.LevelUser)
	admin := identity.Actor{User: "admin1", Level: identity.LevelAdmin, Via: "web", Remote: "203.0.113.77"}
	for _, change := range []struct{ name, display string }{{"alice", "=1+1 <b>Alice"}, {"bob", "Bobby"}} {
		if _, err := s.identity.SetUser(t.Context(), admin, change.name, identity.UserChange{Profile: &identity.Profile{Name: change.display}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.identity.Record(t.Context(), identity.AuditEvent{Event: "group.set", Actor: "admin1", Subject: "alice", Result: "ok", Detail: "of-a-group"}); err != nil {
		t.Fatal(err)
	}
	if err := s.identity.Record(t.Context(), identity.AuditEvent{Event: "certificate.import", Actor: "admin1", Subject: "alice", Result: "ok", Detail: "of-the-server"}); err != nil {
		t.Fatal(err)
	}
	b := s.browser().login("alice")
	until(t, "the log-in in the log", func() bool { return strings.Contains(b.get("/activity").body, `data-event="login.ok"`) })
	page := b.get("/activity").expect(t, http.StatusOK, `data-event="user.set"`, `data-event="login.ok"`, "&lt;b&gt;Alice", "admin1").body
	for _, no := range []string{"203.0.113.77", "Bobby", "of-a-group", "of-the-server", "<b>Alice"} {
		if strings.Contains(page, no) {
			t.Errorf("the page has %q", no)
		}
	}
	if page := b.get("/activity?event=login.*").expect(t, http.StatusOK, `data-event="login.ok"`).body; strings.Contains(page, `data-event="user.set"`) {
		t.Error("the filter lets through what it should not")
	}
	for _, other := range []string{"group.*", "certificate.*", "x"} {
		if page := b.get("/activity?event="+other+"&subject=bob&before=zzz").expect(t, http.StatusOK).body; strings.Contains(page, "of-a-group") || strings.Contains(page, "of-the-server") || strings.Contains(page, "Bobby") {
			t.Errorf("%s shows what is not theirs", other)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(b.get("/activity/export").expect(t, http.StatusOK).body)).ReadAll()
	if err != nil || len(rows) < 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows {
		for _, cell := range r {
			if strings.HasPrefix(cell, "=") || strings.Contains(cell, "203.0.113.77") {
				t.Errorf("the CSV has %q", cell)
			}
		}
	}
	if a := s.browser().get("/activity"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("who is not logged in gets %d", a.StatusCode)
	}
}
