package web_test

import (
	"bufio"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"trivium/identity"
	"trivium/web"
)

// The cookie is another one before log-in, after it and after log-out; neither a planted nor an
// old one is worth anything.
func TestFixationAndReplay(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	for _, base := range []string{s.plain, s.https} {
		prefix := ""
		if strings.HasPrefix(base, "https:") {
			prefix = "__Host-"
		}
		b := s.browserAt(base)
		b.get("/login")
		before := b.cookie(prefix + "as")
		if before == "" {
			t.Fatal("no anonymous cookie")
		}
		a := b.post("/login", "/login", "login", "user1", "password", password).expect(t, http.StatusSeeOther)
		for _, c := range a.Cookies() {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != (prefix != "") {
				t.Errorf("cookie %s: %+v", c.Name, c)
			}
		}
		in := b.cookie(prefix + "ls")
		if in == "" || in == before || b.cookie(prefix+"as") != "" {
			t.Errorf("after log-in: ls %q, as %q", in, b.cookie(prefix+"as"))
		}
		b.post("/", "/logout").expect(t, http.StatusSeeOther)
		after := b.cookie(prefix + "as")
		if after == "" || after == before || after == in || b.cookie(prefix+"ls") != "" {
			t.Errorf("after log-out: as %q, ls %q", after, b.cookie(prefix+"ls"))
		}
		for name, value := range map[string]string{"ls": in, "as": before} {
			thief := s.browserAt(base)
			r := thief.request(http.MethodGet, "/sessions", nil)
			r.AddCookie(&http.Cookie{Name: prefix + name, Value: value})
			thief.do(r).expect(t, http.StatusSeeOther)
		}
	}
}

// A cookie without the prefix, as plain http or a sister domain could plant it, is not read on
// https.
func TestPlantedCookie(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browserAt(s.https).login("user1")
	value := b.cookie("__Host-ls")
	r := s.browserAt(s.https).request(http.MethodGet, "/sessions", nil)
	r.AddCookie(&http.Cookie{Name: "ls", Value: value})
	s.browserAt(s.https).do(r).expect(t, http.StatusSeeOther)
}

func TestCSRF(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	good := b.token("/account")
	stranger := s.browser()
	theirs := stranger.token("/login")
	for _, tt := range []struct {
		name   string
		token  string
		header map[string]string
		status int
	}{
		{"no token", "", nil, http.StatusForbidden},
		{"wrong token", strings.Repeat("A", len(good)), nil, http.StatusForbidden},
		{"another session's token", theirs, nil, http.StatusForbidden},
		{"another origin", good, map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		{"null origin", good, map[string]string{"Origin": "null"}, http.StatusForbidden},
		{"cross-site", good, map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		{"same site, other origin", good, map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		{"json", good, map[string]string{"Content-Type": "application/json"}, http.StatusUnsupportedMediaType},
		{"text", good, map[string]string{"Content-Type": "text/plain"}, http.StatusUnsupportedMediaType},
		{"multipart where none is expected", good, map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, http.StatusUnsupportedMediaType},
		{"packed", good, map[string]string{"Content-Encoding": "gzip"}, http.StatusUnsupportedMediaType},
		{"good", good, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": s.plain}, http.StatusSeeOther},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := b.request(http.MethodPost, "/account", strings.NewReader(url.Values{"csrf": {tt.token}, "name": {tt.name}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			b.do(r).expect(t, tt.status)
			a, err := s.identity.User(t.Context(), "user1")
			if err != nil {
				t.Fatal(err)
			}
			if changed := a.Profile.Name == tt.name; changed != (tt.status == http.StatusSeeOther) {
				t.Errorf("changed: %v", changed)
			}
		})
	}
}

// A page elsewhere must not be able to log somebody in as the attacker, or out.
func TestLoginCSRF(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	victim := s.browser()
	fields := url.Values{"login": {"user1"}, "password": {password}}
	victim.send("/login", fields).expect(t, http.StatusForbidden)
	victim.get("/login")
	victim.send("/login", fields).expect(t, http.StatusForbidden)
	fields.Set("csrf", s.browser().token("/login"))
	victim.send("/login", fields).expect(t, http.StatusForbidden)
	if victim.cookie("ls") != "" {
		t.Error("logged in")
	}
	in := s.browser().login("user1")
	in.send("/logout", url.Values{}).expect(t, http.StatusForbidden)
	in.get("/logout").expect(t, http.StatusNotFound)
	in.get("/").expect(t, http.StatusOK)
}

// An administrator disables the account: the cookie is dead at once.
func TestDisableKillsTheCookie(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("user1", identity.LevelUser)
	user, root := s.browser().login("user1"), s.browser().login("root1")
	user.get("/").expect(t, http.StatusOK)
	root.post("/admin/users/user1", "/admin/users/user1/disable").expect(t, http.StatusSeeOther)
	user.get("/").expect(t, http.StatusSeeOther)
	root.get("/admin/users/user1").expect(t, http.StatusOK, "user1 was disabled, and 1 session ended.", "disabled")
	root.post("/admin/users/user1", "/admin/users/user1/enable").expect(t, http.StatusSeeOther)
	user.get("/").expect(t, http.StatusSeeOther)
	user.login("user1")
}

func TestEndSessions(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("admin1", identity.LevelAdmin)
	s.user("user1", identity.LevelUser)
	first, second := s.browser().login("user1"), s.browser().login("user1")
	root, admin := s.browser().login("root1"), s.browser().login("admin1")
	row := regexp.MustCompile(`data-testid="session-row" data-id="([^"]+)" data-protocol="web" data-user="(\w+)"`)
	if n := len(row.FindAllString(first.get("/sessions").body, -1)); n != 2 {
		t.Errorf("%d rows of user1", n)
	}
	ids := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(root.get("/admin/sessions").body, -1) {
		ids[m[2]] = m[1]
	}
	// Nobody ends another's by guessing its address, and an administrator none above.
	first.post("/sessions", "/sessions/"+ids["root1"]+"/end").expect(t, http.StatusSeeOther)
	admin.post("/admin/sessions", "/admin/sessions/"+ids["root1"]+"/end").expect(t, http.StatusSeeOther)
	admin.get("/admin/sessions").expect(t, http.StatusOK, "was not ended", `data-testid="flash-error"`)
	root.get("/").expect(t, http.StatusOK)
	if page := root.get("/admin/sessions?user=user1&protocol=web"); len(row.FindAllString(page.body, -1)) != 2 || strings.Contains(page.body, `data-user="admin1"`) {
		t.Error("the filter does not filter")
	}
	first.post("/sessions", "/sessions/sign-out", "keep", "1").expect(t, http.StatusSeeOther)
	second.get("/sessions").expect(t, http.StatusSeeOther)
	first.get("/sessions").expect(t, http.StatusOK, "1 other session ended.")
	for _, m := range row.FindAllStringSubmatch(root.get("/admin/sessions?user=user1").body, -1) {
		root.post("/admin/sessions", "/admin/sessions/"+m[1]+"/end").expect(t, http.StatusSeeOther)
	}
	first.get("/sessions").expect(t, http.StatusSeeOther)
	until(t, "the audit row", func() bool {
		return strings.Contains(root.get("/admin/audit?event=session.end").body, `data-event="session.end"`)
	})
}

func TestPasswordChange(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	here, there := s.browser().login("user1"), s.browser().login("user1")
	here.get("/account").expect(t, http.StatusOK, "1 other session will end.")
	here.post("/account", "/account/password", "old", "wrong", "new", "another long one").expect(t, http.StatusUnprocessableEntity, "The password is wrong.", `aria-invalid="true"`)
	here.post("/account", "/account/password", "old", password, "new", "abc").expect(t, http.StatusUnprocessableEntity, "too short")
	there.get("/").expect(t, http.StatusOK)
	here.post("/account", "/account/password", "old", password, "new", "another long one").expect(t, http.StatusSeeOther)
	here.get("/account").expect(t, http.StatusOK, "The password was changed")
	there.get("/").expect(t, http.StatusSeeOther)
	s.browser().post("/login", "/login", "login", "user1", "password", password).expect(t, http.StatusUnauthorized)
	s.browser().post("/login", "/login", "login", "user1", "password", "another long one").expect(t, http.StatusSeeOther)
}

// After inactivity the session is downgraded: the log-in page leads back to where it was.
func TestInactivity(t *testing.T) {
	var skip atomic.Int64
	s := newSite(t, func(_ *web.Options, i *identity.Options) {
		i.Now = func() time.Time { return time.Now().Add(time.Duration(skip.Load())) }
		i.SessionTimeout, i.AnonymousTimeout = 24*time.Hour, 24*time.Hour
	})
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	old := b.cookie("ls")
	skip.Store(int64(25 * time.Hour))
	a := b.get("/tokens").expect(t, http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != "/login?next=%2Ftokens" {
		t.Errorf("Location %q", got)
	}
	if b.cookie("ls") != "" || b.cookie("as") == "" || b.cookie("as") == old {
		t.Errorf("cookies: ls %q, as %q", b.cookie("ls"), b.cookie("as"))
	}
	b.post("/login", "/login", "login", "user1", "password", password).expect(t, http.StatusSeeOther)
}

func TestEventsStream(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("user1", identity.LevelUser)
	root := s.browser().login("root1")
	s.browser().get("/admin/sessions/events").expect(t, http.StatusNotFound)
	root.Timeout = 0
	res, err := root.Do(root.request(http.MethodGet, "/admin/sessions/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("type %q", got)
	}
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				return kind
			}
		}
		return "end"
	}
	if got := next(); got != "ready" {
		t.Fatalf("first event %q", got)
	}
	s.browser().login("user1")
	if got := next(); got != "changed" {
		t.Fatalf("event %q", got)
	}
	// The stream ends with the session that opened it.
	other := s.browser().login("root1")
	other.post("/sessions", "/sessions/sign-out", "keep", "1").expect(t, http.StatusSeeOther)
	for range 10 {
		if next() == "end" {
			return
		}
	}
	t.Error("the stream goes on")
}
