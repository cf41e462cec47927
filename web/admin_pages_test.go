package web_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/tokens"
)

func TestBansPage(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("moderator1", identity.LevelModerator)
	s.user("staff1", identity.LevelStaff)
	s.user("user1", identity.LevelUser)
	root, moderator, staff := s.browser().login("root1"), s.browser().login("moderator1"), s.browser().login("staff1")
	s.browser().login("user1").get("/admin/bans").expect(t, http.StatusNotFound)
	root.get("/admin/bans").expect(t, http.StatusOK, "No bans.")
	root.post("/admin/bans", "/admin/bans/new", "prefix", "192.0.2.7", "for", "3600", "reason", "scans").expect(t, http.StatusSeeOther)
	root.post("/admin/bans", "/admin/bans/new", "prefix", "192.0.2.200", "for", "604800", "reason", "guesses").expect(t, http.StatusSeeOther)
	a := staff.get("/admin/bans?sort=prefix").expect(t, http.StatusOK, `data-cidr="192.0.2.7/32"`, "scans", "2 now", "root1", `aria-sort="ascending"`)
	if i, j := strings.Index(a.body, "192.0.2.7/32"), strings.Index(a.body, "192.0.2.200/32"); i > j {
		t.Error("addresses are sorted as words")
	}
	if strings.Contains(a.body, "/lift") || strings.Contains(a.body, `id="prefix"`) {
		t.Error("staff sees what it may not do")
	}
	if a := root.get("/admin/bans?q=scans").expect(t, http.StatusOK, "192.0.2.7/32"); strings.Contains(a.body, "<code>192.0.2.200/32</code>") {
		t.Error("the filter chooses all")
	}
	root.get("/admin/bans?check=192.0.2.7").expect(t, http.StatusOK, "is banned by")
	root.get("/admin/bans?check=nonsense").expect(t, http.StatusUnprocessableEntity, "is not an address")
	// How far each goes.
	staff.send("/admin/bans/new", nil).expect(t, http.StatusNotFound)
	moderator.post("/admin/bans", "/admin/bans/new", "prefix", "192.0.2.0/24", "for", "3600").expect(t, http.StatusForbidden, "As moderator")
	moderator.post("/admin/bans", "/admin/bans/192.0.2.7%2F32/lift").expect(t, http.StatusNotFound)
	// What shuts oneself out is said twice.
	root.post("/admin/bans", "/admin/bans/new", "prefix", "127.0.0.0/8", "for", "3600").expect(t, http.StatusForbidden, "Your own address", "Type the prefix again")
	root.post("/admin/bans", "/admin/bans/new", "prefix", "127.0.0.0/8", "for", "3600", "again", "127.0.0.0/9").expect(t, http.StatusForbidden, "not the prefix above")
	root.post("/admin/bans", "/admin/bans/new", "prefix", "no", "for", "3600").expect(t, http.StatusUnprocessableEntity, "neither an address nor a prefix")
	root.post("/admin/bans", "/admin/bans/192.0.2.7%2F32/lift").expect(t, http.StatusSeeOther)
	root.get("/admin/bans").expect(t, http.StatusOK, "is lifted", "1 now")
	root.post("/admin/bans", "/admin/bans/192.0.2.7%2F32/lift").expect(t, http.StatusSeeOther)
	root.get("/admin/bans").expect(t, http.StatusOK, "gone already")
	// Never banned.
	root.post("/admin/bans", "/admin/bans/allow/new", "allow", "198.51.100.0/24", "why", "the office").expect(t, http.StatusSeeOther)
	staff.get("/admin/bans?check=198.51.100.9").expect(t, http.StatusOK, "is never banned", "the office")
	root.post("/admin/bans", "/admin/bans/allow/198.51.100.0%2F24/remove").expect(t, http.StatusSeeOther)
	root.get("/admin/bans").expect(t, http.StatusOK, "may be banned again", "Nothing is excepted")
}

func TestSessionsInBulk(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("admin1", identity.LevelAdmin)
	s.user("user1", identity.LevelUser)
	root, admin := s.browser().login("root1"), s.browser().login("admin1")
	one, two := s.browser().login("user1"), s.browser().login("user1")
	list := s.identity.Registry.List(identity.Filter{User: "user1"})
	roots := s.identity.Registry.List(identity.Filter{User: "root1"})[0].ID
	admin.get("/admin/sessions?user=user1").expect(t, http.StatusOK, "2 of 4 now", "End all that match")
	admin.get("/admin/sessions?from=192.0.2.0/24").expect(t, http.StatusOK, "0 of 4 now", "No sessions.")
	admin.get("/admin/sessions?level=root").expect(t, http.StatusOK, "1 of 4 now")
	admin.get("/admin/sessions?from=x").expect(t, http.StatusUnprocessableEntity, "not understood")
	admin.get("/admin/sessions?sort=-user").expect(t, http.StatusOK, `aria-sort="descending"`)
	admin.get("/admin/sessions/"+list[0].ID).expect(t, http.StatusOK, "Session of user1", "End all of user1 (2)", "Go-http-client")
	// Asked first, with how many.
	admin.get("/admin/sessions/end?user=user1").expect(t, http.StatusOK, "End 2 sessions?", "All of user1.")
	admin.post("/admin/sessions", "/admin/sessions/end", "id", list[0].ID, "id", roots, "ticked", "1").expect(t, http.StatusOK, "End 1 session?", "1 more is not below your level")
	admin.post("/admin/sessions", "/admin/sessions/end", "ticked", "1").expect(t, http.StatusSeeOther)
	admin.get("/admin/sessions").expect(t, http.StatusOK, "Nothing was selected")
	admin.post("/admin/sessions", "/admin/sessions/end", "sure", "1").expect(t, http.StatusSeeOther)
	if n := len(s.identity.Registry.List(identity.Filter{})); n != 4 {
		t.Fatalf("%d sessions after a form that chooses nothing", n)
	}
	// A message stands on the next page, as text.
	admin.post("/admin/sessions", "/admin/sessions/"+list[0].ID+"/message", "text", "in <b>ten</b> minutes").expect(t, http.StatusSeeOther)
	admin.post("/admin/sessions", "/admin/sessions/"+list[0].ID+"/message", "text", "").expect(t, http.StatusUnprocessableEntity, "Write what is to be said")
	if a, b := one.get("/account").body, two.get("/account").body; !strings.Contains(a+b, "Message from admin1: in &lt;b&gt;ten&lt;/b&gt; minutes") || strings.Contains(a+b, "<b>ten") {
		t.Error("the message is not there")
	}
	admin.post("/admin/sessions", "/admin/sessions/end", "user", "user1", "sure", "1", "reason", "maintenance").expect(t, http.StatusSeeOther)
	admin.get("/admin/sessions").expect(t, http.StatusOK, "2 sessions ended.", "2 now")
	one.get("/").expect(t, http.StatusSeeOther)
	root.get("/").expect(t, http.StatusOK)
	// From everywhere: what is above, and the own session, stay.
	admin.post("/admin/sessions", "/admin/sessions/end", "from", "127.0.0.0/8", "sure", "1").expect(t, http.StatusSeeOther)
	root.get("/").expect(t, http.StatusOK)
	admin.get("/").expect(t, http.StatusOK)
}

// A live page is told which sessions changed, and asks for those alone.
func TestOnlyWhatChangedIsSent(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("user1", identity.LevelUser)
	root := s.browser().login("root1")
	s.browser().login("user1")
	root.Timeout = 0
	res, err := root.Do(root.request(http.MethodGet, "/admin/sessions/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func(kind string) string {
		for lines.Scan() {
			if lines.Text() == "event: "+kind && lines.Scan() {
				return strings.TrimPrefix(lines.Text(), "data: ")
			}
		}
		t.Fatalf("no event %s", kind)
		return ""
	}
	next("ready")
	s.browser().login("user1")
	ids := strings.Fields(next("changed"))
	if len(ids) == 0 || ids[0] == "*" {
		t.Fatalf("changed: %v", ids)
	}
	part := func(only string) answer {
		r := root.request(http.MethodGet, "/admin/sessions?only="+only, nil)
		r.Header.Set("X-Trivium-Part", "rows")
		return root.do(r).expect(t, http.StatusOK, "data-order=", "3 now")
	}
	a := part(ids[len(ids)-1])
	if n := strings.Count(a.body, "<tr "); n != 1 {
		t.Errorf("%d rows for one session", n)
	}
	if strings.Contains(a.body, "<nav") || strings.Contains(a.body, "<form class") {
		t.Error("more than rows was sent")
	}
	if n := strings.Count(part("none").body, "<tr "); n > 1 {
		t.Errorf("%d rows for none", n)
	}
}

func TestSignOutEverywhere(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	here, there := s.browser().login("user1"), s.browser().login("user1")
	here.post("/sessions", "/sessions/sign-out", "keep", "1").expect(t, http.StatusSeeOther)
	here.get("/sessions").expect(t, http.StatusOK, "1 other session ended.")
	there.get("/sessions").expect(t, http.StatusSeeOther)
	there.login("user1")
	if _, _, err := s.tokens.Issue(t.Context(), machine, tokens.Request{User: "user1", Scopes: []tokens.Scope{tokens.ScopeFTP}}); err != nil {
		t.Fatal(err)
	}
	a := here.post("/sessions", "/sessions/sign-out", "tokens", "1").expect(t, http.StatusSeeOther)
	if to := a.Header.Get("Location"); to != "/login" {
		t.Errorf("leads to %s", to)
	}
	here.get("/login").expect(t, http.StatusOK, "signed out everywhere: 2 sessions ended")
	there.get("/sessions").expect(t, http.StatusSeeOther)
	if list, err := s.tokens.List(t.Context(), "user1"); err != nil || len(list) != 0 {
		t.Errorf("tokens %v, %v", list, err)
	}
	here.login("user1")
}

// Times stand in the zone that the browser has said, through a log-in, until the account says another.
func TestZoneOfTheBrowser(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser()
	b.get("/login").expect(t, http.StatusOK, `data-zone="unknown"`)
	b.post("/login", "/zone", "offset", "330").expect(t, http.StatusNoContent)
	b.post("/login", "/zone", "offset", "9999").expect(t, http.StatusUnprocessableEntity)
	b.post("/login", "/zone", "offset", "x").expect(t, http.StatusBadRequest)
	b.login("user1").get("/sessions").expect(t, http.StatusOK, `data-zone="330"`, " &#43;0530\"")
	b.post("/account", "/account", "time_zone", "Europe/Berlin", "formats", "de").expect(t, http.StatusSeeOther)
	b.get("/sessions").expect(t, http.StatusOK, " CE", time.Now().In(time.FixedZone("", 3600)).Format("02.01.2006"))
	b.post("/account", "/account", "formats", "no tag").expect(t, http.StatusUnprocessableEntity, "no language tag")
}

// What strangers and people have written stands on the pages as text: what a client says of itself, names
// that were tried, reasons, labels, messages.
func TestNothingStoredBecomesMarkup(t *testing.T) {
	const evil = `<img src=x onerror=alert(1)>"'`
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("user1", identity.LevelUser)
	ctx := t.Context()
	root := s.browser().login("root1")
	visitor := s.browser()
	token := visitor.token("/login")
	for _, name := range []string{evil, "user1"} {
		r := visitor.request(http.MethodPost, "/login", strings.NewReader("csrf="+token+"&login="+strings.NewReplacer("<", "%3C", ">", "%3E", " ", "+", "=", "%3D", `"`, "%22", "'", "%27").Replace(name)+"&password=wrong"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("User-Agent", evil)
		visitor.do(r)
	}
	in := s.browser()
	in.login("user1")
	r := in.request(http.MethodGet, "/sessions", nil)
	r.Header.Set("User-Agent", evil)
	r.Header.Set("Accept-Language", evil)
	in.do(r).expect(t, http.StatusOK)
	if ses, ok := s.identity.Registry.Get(s.identity.Registry.List(identity.Filter{User: "user1"})[0].ID); ok {
		ses.Update(func(d *identity.Details) {
			d.UserAgent, d.Lang, d.Doing, d.Resource, d.JID = evil, evil, evil, evil, evil
		})
		ses.Move(identity.TransferInfo{Verb: evil, Path: evil, StartedAt: time.Now()}, func() {}, nil)
	}
	if _, err := s.identity.AddBan(ctx, identity.Actor{User: evil, Level: identity.LevelRoot, Via: evil}, identity.NewBan{Prefix: "192.0.2.7", For: time.Hour, Reason: evil}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.identity.AddBanAllow(ctx, machine, "198.51.100.1", evil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.tokens.Issue(ctx, machine, tokens.Request{User: "root1", Label: evil, Scopes: []tokens.Scope{tokens.ScopeFTP}}); err != nil {
		t.Fatal(err)
	}
	id := s.identity.Registry.List(identity.Filter{User: "user1"})[0].ID
	root.post("/admin/sessions", "/admin/sessions/"+id+"/message", "text", evil).expect(t, http.StatusSeeOther)
	shows := map[string]bool{"/admin/bans": true, "/admin/bans?q=%3Cimg+src%3Dx": true, "/admin/sessions": true, "/admin/sessions/" + id: true, "/admin/sessions/end?user=user1": true,
		"/admin/sessions?q=%3Cimg+src%3Dx&class=%3Cimg+src%3Dx&user=%3Cimg+src%3Dx": true, "/tokens": true, "/admin/audit": true, "/admin/users/user1": true, "/admin/bans?check=%3Cimg+src%3Dx": true,
		"/admin/bans?prefix=%3Cimg+src%3Dx": true, "/admin/sessions/end?class=%3Cimg+src%3Dx": true}
	check := func(path string, a answer, must bool) {
		t.Helper()
		if strings.Contains(a.body, "<img src=x") {
			t.Errorf("%s: what was written became markup", path)
		}
		if must && !strings.Contains(a.body, "&lt;img src=x") {
			t.Errorf("%s does not show it: %s", path, text(a.body))
		}
	}
	for path, must := range shows {
		check(path, root.get(path), must)
	}
	check("the message", in.get("/account"), true)
	check("/sessions", in.get("/sessions"), false)
}
