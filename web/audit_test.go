package web_test

import (
	"net/http"
	"strings"
	"testing"

	"trivium/identity"
)

func TestAuditPage(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	admin := s.browser().login("admin1")
	for range 120 {
		if err := s.identity.Record(t.Context(), identity.AuditEvent{Event: "test.row", Subject: "=x()", Before: `{"level":"user"}`, After: `{"level":"staff"}`, Result: "no <b>"}); err != nil {
			t.Fatal(err)
		}
	}
	first := admin.get("/admin/audit?event=test.*").expect(t, http.StatusOK, `data-event="test.row"`, "level user → staff", `rel="next"`, "no &lt;b&gt;", "Nobody can edit", "follow=1", "format=csv")
	if n := strings.Count(first.body, `data-event="test.row"`); n != 100 {
		t.Errorf("%d rows on the first page", n)
	}
	_, next, _ := strings.Cut(first.body, `<a href="/admin/audit?before=`)
	next, _, _ = strings.Cut(next, `"`)
	second := admin.get("/admin/audit?before="+strings.ReplaceAll(next, "&amp;", "&")).expect(t, http.StatusOK, "Newest")
	if n := strings.Count(second.body, `data-event="test.row"`); n != 20 {
		t.Errorf("%d rows on the second page", n)
	}
	admin.get("/admin/audit?follow=1").expect(t, http.StatusOK, "/admin/audit/events", "Stop following")
	admin.get("/admin/audit?since=never&from=x").expect(t, http.StatusUnprocessableEntity, "The beginning of the time", "The address is not understood", `data-testid="error-summary"`)
	admin.get("/admin/audit?since=1h&until=2099-01-31&from=192.0.2.0/24&protocol=ftp&result=failed&q=nothing").expect(t, http.StatusOK, `data-testid="empty-state"`)
	file := admin.get("/admin/audit/export?format=csv&event=test.row").expect(t, http.StatusOK, "id,time,event", "'=x()")
	if n := strings.Count(file.body, "test.row"); n != 120 || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d rows, %s", n, file.Header.Get("Content-Disposition"))
	}
	admin.get("/admin/audit?event=audit.export").expect(t, http.StatusOK, `data-event="audit.export"`)
	admin.get("/admin/audit/export?format=xml").expect(t, http.StatusSeeOther)
}
