package web_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/tokens"
)

// What happens to an account stands on its person's page, with a count in the header of every page, and on
// nobody else's; it is read one by one or all at once.
func TestNotifications(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	a := s.user("alice", identity.LevelUser)
	s.user("bob", identity.LevelUser)
	alice, bob := s.browser().login("alice"), s.browser().login("bob")
	alice.get("/notifications").expect(t, http.StatusOK, `data-testid="empty-state"`, `data-notices="0"`)

	// The open page hears of it by its stream.
	r := alice.request(http.MethodGet, "/notifications/events", nil)
	long := *alice.Client
	long.Timeout = 0
	res, err := long.Do(r.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Scan() // ready

	if _, _, err := s.tokens.Issue(t.Context(), identity.Actor{User: "admin1", Level: identity.LevelAdmin}, tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}, Label: "<b>scanner"}); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() && lines.Text() != "event: notices" {
	}
	if lines.Scan(); lines.Text() != "data: 1" {
		t.Errorf("the stream tells %q, %v", lines.Text(), lines.Err())
	}
	page := alice.get("/notifications").expect(t, http.StatusOK, `data-kind="token"`, "&lt;b&gt;scanner", "by admin1", `data-seen="false"`, `data-notices="1"`).body
	if strings.Contains(page, "<b>scanner") {
		t.Error("a label became markup")
	}
	alice.get("/files/").expect(t, http.StatusOK, `data-notices="1"`)
	bob.get("/notifications").expect(t, http.StatusOK, `data-testid="empty-state"`)
	bob.post("/notifications", "/notifications/1/read").expect(t, http.StatusSeeOther)
	alice.get("/notifications").expect(t, http.StatusOK, `data-notices="1"`)
	alice.post("/notifications", "/notifications/1/read").expect(t, http.StatusSeeOther)
	alice.get("/notifications").expect(t, http.StatusOK, `data-notices="0"`, `data-seen="true"`)
	alice.post("/notifications", "/notifications/x/read").expect(t, http.StatusNotFound)

	// A session that somebody else ends is told; one's own end is not.
	phone := s.browser().login("alice")
	for _, i := range s.identity.Registry.List(identity.Filter{Owner: a.ID}) {
		if i.ID != "" && *i.User == "alice" {
			by := identity.Actor{User: "admin1", Level: identity.LevelAdmin, Via: "web"}
			if err := s.identity.Registry.End(i.ID, identity.Reason{Code: identity.ReasonEnded, Text: "tidying up", By: &by}); err != nil {
				t.Fatal(err)
			}
		}
	}
	phone.get("/notifications").expect(t, http.StatusSeeOther)
	alice = s.browser().login("alice")
	until(t, "the notification", func() bool {
		return strings.Count(alice.get("/notifications").body, `data-kind="session"`) == 2
	})
	alice.get("/notifications").expect(t, http.StatusOK, "tidying up")
	alice.post("/notifications", "/notifications/read").expect(t, http.StatusSeeOther)
	alice.get("/notifications").expect(t, http.StatusOK, `data-notices="0"`)
}

// What a person wants to hear of is kept, and what is fixed cannot be switched off.
func TestNoticeChoices(t *testing.T) {
	s := newSite(t)
	a := s.user("alice", identity.LevelUser)
	b := s.browser().login("alice")
	b.get("/notifications").expect(t, http.StatusOK, `name="offered" value="share.page"`)
	if page := b.get("/notifications").body; strings.Contains(page, `name="offered" value="password.page"`) {
		t.Error("a fixed way is offered")
	}
	b.post("/notifications", "/notifications/settings", "offered", "share.page", "offered", "quota.page", "offered", "password.page", "offered", "nosuch.page", "share.page", "1").expect(t, http.StatusSeeOther)
	ways, err := s.identity.NoticeWaysOf(t.Context(), a.ID)
	if err != nil || ways[identity.NoticeShare] != identity.NoticePage || ways[identity.NoticeQuota] != 0 || !ways[identity.NoticePassword].Has(identity.NoticePage|identity.NoticeMail) || ways[identity.NoticeContact] != identity.NoticePage {
		t.Errorf("%v, %v", ways, err)
	}
	rows, err := s.identity.Audit(t.Context(), identity.AuditFilter{Event: identity.EventNoticeSet, Subject: "alice"})
	if err != nil || len(rows) != 1 || !strings.Contains(rows[0].After, `"share":"page"`) {
		t.Errorf("%+v, %v", rows, err)
	}
	s.identity.Tell(a.ID, identity.Notice{Kind: identity.NoticeQuota})
	s.identity.Tell(a.ID, identity.Notice{Kind: identity.NoticeShare, What: "/photos"})
	until(t, "the notification", func() bool { return strings.Contains(b.get("/notifications").body, `data-kind="share"`) })
	if page := b.get("/notifications").body; strings.Contains(page, `data-kind="quota"`) {
		t.Error("something is told that was switched off")
	}
	if err := s.identity.SetNoticeWays(t.Context(), machine, a.ID, map[identity.NoticeKind]identity.NoticeWays{identity.NoticeShare: 0}); err == nil {
		t.Error("somebody else chooses")
	}
}
