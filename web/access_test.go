package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/web"
)

// Who gets what on the pages of each level: the whole matrix.
func TestLevels(t *testing.T) {
	s := newSite(t)
	visitors := map[string]*browser{"nobody": s.browser(), "anonymous": s.browser()}
	visitors["anonymous"].get("/login")
	for name, level := range map[string]identity.Level{"user1": identity.LevelUser, "staff1": identity.LevelStaff, "moderator1": identity.LevelModerator, "admin1": identity.LevelAdmin, "root1": identity.LevelRoot} {
		s.user(name, level)
		visitors[name] = s.browser().login(name)
	}
	const in, absent, ok = http.StatusSeeOther, http.StatusNotFound, http.StatusOK
	for path, want := range map[string][3]int{ // nobody and anonymous; logged in; administrators
		"/":                                {in, ok, ok},
		"/files/":                          {in, ok, ok},
		"/sessions":                        {in, ok, ok},
		"/tokens":                          {in, ok, ok},
		"/account":                         {in, ok, ok},
		"/admin":                           {absent, absent, ok},
		"/admin/users":                     {absent, absent, ok},
		"/admin/users/user1":               {absent, absent, ok},
		"/admin/groups":                    {absent, absent, ok},
		"/admin/sessions":                  {absent, absent, ok},
		"/admin/audit":                     {absent, absent, ok},
		"/admin/policy":                    {absent, absent, ok},
		"/admin/config":                    {absent, absent, ok},
		"/no-such-page":                    {absent, absent, absent},
		"/setup":                           {absent, absent, absent},
		"/healthz":                         {ok, ok, ok},
		"/readyz":                          {ok, ok, ok},
		"/robots.txt":                      {ok, ok, ok},
		"/favicon.ico":                     {ok, ok, ok},
		"/metrics":                         {absent, absent, absent},
		"/debug/pprof/":                    {absent, absent, absent},
		"/admin/":                          {absent, absent, absent},
		"//admin":                          {absent, absent, absent},
		"/%61dmin":                         {absent, absent, absent},
		"/admin%2Fusers":                   {absent, absent, absent},
		"/Admin":                           {absent, absent, absent},
		"/./admin":                         {absent, absent, absent},
		"/files/../admin":                  {absent, absent, absent},
		"/admin;a=b":                       {absent, absent, absent},
		"/assets/css/app.css":              {absent, absent, absent},
		"/assets/../server.go":             {absent, absent, absent},
		"/assets/000000000000/css/app.css": {absent, absent, absent},
	} {
		for name, b := range visitors {
			i := 1
			switch name {
			case "nobody", "anonymous":
				i = 0
			case "admin1", "root1":
				i = 2
			}
			if a := b.get(path); a.StatusCode != want[i] {
				t.Errorf("%s as %s: %d, want %d", path, name, a.StatusCode, want[i])
			}
		}
	}
}

// A hidden page and one that does not exist are the same bytes but for path and request ID, for
// every method.
func TestHiddenLooksAbsent(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	for name, b := range map[string]*browser{"nobody": s.browser(), "user1": s.browser().login("user1")} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch, "PROPFIND"} {
			show := func(path string) string {
				a := b.do(b.request(method, path, nil))
				h := a.Header.Clone()
				h.Del("Date")
				request := h.Get("X-Request-Id")
				h.Del("X-Request-Id")
				text := fmt.Sprint(a.StatusCode, h, a.ContentLength, a.body)
				text = tokenInForm.ReplaceAllString(strings.ReplaceAll(text, request, "ID"), "TOKEN") // masked anew in each page
				return strings.ReplaceAll(strings.ReplaceAll(text, path, "PATH"), url.QueryEscape(path), "PATH")
			}
			for _, hidden := range []string{"/admin/users", "/admin/abcde", "/admin/policy"} {
				absent := "/nosuchpage/abcdefghijk"[:len(hidden)]
				if a, b := show(hidden), show(absent); a != b {
					t.Errorf("%s %s as %s differs:\n%s\n%s", method, hidden, name, a, b)
				}
			}
		}
	}
}

func TestLoginLeadsBack(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser()
	a := b.get("/sessions").expect(t, http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != "/login?next=%2Fsessions" {
		t.Errorf("Location %q", got)
	}
	page := b.get("/login?next=%2Fsessions").expect(t, http.StatusOK, `name="next" value="/sessions"`)
	a = b.send("/login", url.Values{"csrf": {tokenInForm.FindStringSubmatch(page.body)[1]}, "login": {"user1"}, "password": {password}, "next": {"/sessions"}})
	if got := a.expect(t, http.StatusSeeOther).Header.Get("Location"); got != "/sessions" {
		t.Errorf("Location %q", got)
	}
	b.get("/sessions").expect(t, http.StatusOK, `data-page="sessions"`, `data-level="10"`, `data-user="user1"`, "this one")
}

func TestOpenRedirect(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	for _, next := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`, "/\t/evil.example", "javascript:alert(1)", "\\\\evil.example"} {
		b := s.browser()
		a := b.post("/login", "/login", "login", "user1", "password", password, "next", next)
		if got := a.expect(t, http.StatusSeeOther).Header.Get("Location"); got != "/" {
			t.Errorf("%q leads to %q", next, got)
		}
		if got := b.get("/login?next=" + url.QueryEscape(next)).Header.Get("Location"); got != "/" {
			t.Errorf("logged in, %q leads to %q", next, got)
		}
	}
}

func TestWrongLogins(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	s.user("gone1", identity.LevelUser)
	off := identity.UserDisabled
	if _, err := s.identity.SetUser(t.Context(), machine, "gone1", identity.UserChange{State: &off}); err != nil {
		t.Fatal(err)
	}
	var first string
	for _, tt := range [][2]string{{"nobody", password}, {"user1", "wrong password"}, {"gone1", password}, {"a b", password}, {"anonymous", password}} {
		b := s.browser()
		a := b.post("/login", "/login", "login", tt[0], "password", tt[1]).expect(t, http.StatusUnauthorized, "Name or password is wrong.", `data-testid="error-summary"`)
		if strings.Contains(a.body, tt[1]) {
			t.Errorf("%s: the password is on the page", tt[0])
		}
		text := tokenInForm.ReplaceAllString(strings.ReplaceAll(a.body, tt[0], "NAME"), "")
		if first == "" {
			first = text
		}
		if text != first {
			t.Errorf("%s gets another page", tt[0])
		}
		if b.cookie("ls") != "" {
			t.Errorf("%s got a cookie", tt[0])
		}
	}
}

func TestTokenIsNoFormPassword(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	b.post("/tokens", "/tokens/new", "label", "script", "scope", "web", "scope", "api", "expires", "90").expect(t, http.StatusSeeOther)
	page := b.get("/tokens").expect(t, http.StatusOK, `data-testid="secret-value"`, `data-testid="token-row"`)
	secret := regexp.MustCompile(`secret-token:[\w-]+`).FindString(page.body)
	if secret == "" {
		t.Fatal("no secret on the page")
	}
	if again := b.get("/tokens"); strings.Contains(again.body, secret) {
		t.Error("the secret is shown twice")
	}
	s.browser().post("/login", "/login", "login", "user1", "password", secret).expect(t, http.StatusUnauthorized)
	id := regexp.MustCompile(`data-testid="token-row" data-id="(\w+)"`).FindStringSubmatch(page.body)[1]
	s.user("user2", identity.LevelUser)
	other := s.browser().login("user2")
	other.post("/tokens", "/tokens/"+id+"/revoke")
	other.get("/tokens").expect(t, http.StatusOK, "gone already")
	b.post("/tokens", "/tokens/"+id+"/revoke").expect(t, http.StatusSeeOther)
	if page := b.get("/tokens"); strings.Contains(page.body, `data-testid="token-row"`) {
		t.Error("the token is still there")
	}
}

func TestThrottle(t *testing.T) {
	s := newSite(t, func(_ *web.Options, i *identity.Options) {
		i.Limits.BanAfter, i.Limits.BanWindow, i.Limits.BanFor = 3, time.Minute, time.Minute
	})
	b := s.browser()
	var last answer
	for range 5 {
		last = b.post("/login", "/login", "login", "nobody", "password", "wrong password")
		if last.StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	last.expect(t, http.StatusTooManyRequests, "Too many attempts", "Try again in")
	if last.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestPolicyRaisesARoute(t *testing.T) {
	s := newSite(t, func(_ *web.Options, i *identity.Options) {
		i.Policy = map[string]string{"web:/tokens/**": "staff", "web:/account": "never", "web:/files/secret/**": "admin"}
	})
	s.user("user1", identity.LevelUser)
	s.user("staff1", identity.LevelStaff)
	s.user("root1", identity.LevelRoot)
	user, staff, root := s.browser().login("user1"), s.browser().login("staff1"), s.browser().login("root1")
	user.get("/tokens").expect(t, http.StatusNotFound)
	staff.get("/tokens").expect(t, http.StatusOK)
	root.get("/account").expect(t, http.StatusNotFound)
	user.get("/files/secret/a").expect(t, http.StatusNotFound, "Page not found")
	if home := user.get("/"); strings.Contains(home.body, `href="/tokens">`+"<svg") || strings.Contains(home.body, `<span>App passwords</span>`) {
		t.Error("the navigation lists what the user may not open")
	}
	if home := user.get("/"); strings.Contains(home.body, `href="/admin`) {
		t.Error("a link into the administration")
	}
	root.get("/").expect(t, http.StatusOK, `<span>Users</span>`, `<span>My sessions</span>`, `<span>Sessions</span>`, `<span>Audit log</span>`)
}

// Without anonymous sessions (identity.anonymous_web = false) the log-in form still works.
func TestNoAnonymousWeb(t *testing.T) {
	s := newSite(t, func(_ *web.Options, i *identity.Options) { i.AnonymousRoads = nil })
	s.user("user1", identity.LevelUser)
	b := s.browser()
	b.get("/login").expect(t, http.StatusOK, `data-level="0"`)
	b.get("/sessions").expect(t, http.StatusSeeOther)
	b.login("user1").get("/sessions").expect(t, http.StatusOK, `data-level="10"`)
}
