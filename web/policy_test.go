package web_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/web"
)

// TestDefaultRequiredLevel is the table of Node++ (NPP_REQUIRED_AUTH_LEVEL and npp_require_auth): each
// level as the default of the whole web and of one resource, for each visitor, by what a page answers.
// What stands open before the log-in stays so under each default but NOBODY, which is a whitelist; static
// resources always are open.
func TestDefaultRequiredLevel(t *testing.T) {
	s := newSite(t)
	visitors := map[string]*browser{"none": s.browser(), "anonymous": s.browser()}
	visitors["anonymous"].get("/login")
	held := map[string]identity.Level{"none": identity.LevelNone, "anonymous": identity.LevelAnonymous}
	for _, l := range []identity.Level{identity.LevelLoggedIn, identity.LevelUser, identity.LevelCustomer, identity.LevelStaff, identity.LevelModerator, identity.LevelAdmin, identity.LevelRoot} {
		name := l.String() + "1"
		s.user(name, l)
		held[name] = l
	}
	set := func(changes ...identity.RuleChange) {
		t.Helper()
		if _, err := s.identity.ChangeRules(t.Context(), machine, changes, false); err != nil {
			t.Fatal(err)
		}
	}
	one := func(pattern string, l identity.Level) identity.RuleChange {
		return identity.RuleChange{Pattern: pattern, Level: &l}
	}
	set(one("login:web", identity.LevelLoggedIn)) // all of them may log in
	for name := range held {
		if visitors[name] == nil {
			visitors[name] = s.browser().login(name)
		}
	}
	// answerOf is what a page at that level answers; own: the level that the page asks by itself.
	answerOf := func(need, have identity.Level) int {
		switch {
		case have.Allows(need) || need == identity.LevelNone || need == identity.LevelAnonymous:
			return http.StatusOK
		case need == identity.LevelLoggedIn && have < identity.LevelLoggedIn:
			return http.StatusSeeOther
		}
		return http.StatusNotFound
	}
	check := func(what, path string, need identity.Level) {
		t.Helper()
		for name, b := range visitors {
			want := answerOf(need, held[name])
			if path == "/login" && want == http.StatusOK && held[name] >= identity.LevelLoggedIn {
				want = http.StatusSeeOther // who is logged in is sent on
			}
			if got := b.get(path).StatusCode; got != want {
				t.Errorf("%s: %s gets %d at %s, want %d", what, name, got, path, want)
			}
		}
	}
	door := []identity.RuleChange{one("web:/login", identity.LevelNone), one("web:/admin/**", identity.LevelRoot)}
	for _, l := range identity.Levels() {
		what := "the default is " + l.String()
		if l == identity.LevelNobody {
			set(append(door, one("default:web", l))...)
			check(what, "/tokens", identity.LevelNobody)
			check(what, "/login", identity.LevelNone) // a rule names it
			for name, b := range visitors {
				// Hidden and absent are the same.
				if a, no := b.get("/account"), b.get("/no-such-page"); a.StatusCode != no.StatusCode || a.Header.Get("Content-Type") != no.Header.Get("Content-Type") {
					t.Errorf("%s: %d and %d", name, a.StatusCode, no.StatusCode)
				}
			}
			set(one("web:/account", identity.LevelUser))
			check(what, "/account", identity.LevelUser)
			check(what, "/", identity.LevelNobody)
			set(identity.RuleChange{Pattern: "web:/account"}, identity.RuleChange{Pattern: "default:web"}, identity.RuleChange{Pattern: "web:/login"}, identity.RuleChange{Pattern: "web:/admin/**"})
			continue
		}
		set(one("default:web", l))
		check(what, "/tokens", max(l, identity.LevelLoggedIn)) // which asks for LOGGEDIN by itself
		check(what, "/login", identity.LevelNone)
		check(what, "/healthz", identity.LevelNone)
		set(identity.RuleChange{Pattern: "default:web"})
		if l < identity.LevelLoggedIn {
			continue
		}
		set(one("web:/tokens", l))
		check("the resource is "+l.String(), "/tokens", l)
		check("beside it", "/account", identity.LevelLoggedIn)
		set(identity.RuleChange{Pattern: "web:/tokens"})
	}
	set(one("web:/tokens", identity.LevelNobody))
	check("the resource is nobody", "/tokens", identity.LevelNobody)
}

// choose posts the page's form with one row's select changed.
func (b *browser) choose(t *testing.T, group, resource, was string, level identity.Level, more ...string) answer {
	t.Helper()
	fields := append([]string{"group", group, "r" + was + ":" + resource, fmt.Sprint(int(level))}, more...)
	return b.post("/admin/policy?group="+group, "/admin/policy/review", fields...)
}

func TestPolicyPage(t *testing.T) {
	s := newSite(t, func(_ *web.Options, i *identity.Options) { i.Policy = map[string]string{"web:/trash": "customer"} })
	s.user("root1", identity.LevelRoot)
	s.user("admin1", identity.LevelAdmin)
	s.user("user1", identity.LevelUser)
	root, admin, user := s.browser().login("root1"), s.browser().login("admin1"), s.browser().login("user1")

	const undo = `action="/admin/policy/undo"`
	page := root.get("/admin/policy?group=pages").expect(t, http.StatusOK, `data-resource="web:/tokens" data-required="2"`, `data-resource="web:/trash" data-required="20"`,
		`data-resource="web:/assets/**" data-required="0"`, `data-testid="level-cell" data-level="10" data-allowed="true"`, "rule of the config")
	if strings.Contains(page.body, undo) {
		t.Error("there is something to undo before anything was done")
	}
	root.get("/admin/policy").expect(t, http.StatusOK, `data-resource="default:web"`, `name="r:default:web"`)

	// Review says what would be lost, and changes nothing.
	review := root.choose(t, "pages", "web:/tokens", "", identity.LevelStaff, "note", "only staff have them").expect(t, http.StatusOK,
		`data-testid="review-rule" data-pattern="web:/tokens"`, `data-resource="web:/tokens"`, `data-user="user1" data-ends="false"`, "web:/tokens = staff")
	if strings.Contains(review.body, `data-user="admin1"`) {
		t.Error("somebody who loses nothing is listed")
	}
	user.get("/tokens").expect(t, http.StatusOK)

	root.post("/admin/policy", "/admin/policy/apply", "group", "pages", "extra", "web:/tokens = staff", "note", "only staff have them").expect(t, http.StatusSeeOther)
	user.get("/tokens").expect(t, http.StatusNotFound)
	root.get("/admin/policy?group=pages").expect(t, http.StatusOK, "1 rule changed.", `data-resource="web:/tokens" data-required="30"`, `name="r30:web:/tokens"`, "only staff have them", undo)
	admin.get("/admin/policy").expect(t, http.StatusOK)
	if a := admin.get("/admin/policy"); strings.Contains(a.body, undo) {
		t.Error("an administrator may undo what another one did")
	}
	back := root.post("/admin/policy", "/admin/policy/undo", "group", "ftp").expect(t, http.StatusSeeOther)
	if to := back.Header.Get("Location"); to != "/admin/policy?group=ftp" {
		t.Errorf("the undo leads to %q", to)
	}
	user.get("/tokens").expect(t, http.StatusOK)
	root.get("/admin/policy").expect(t, http.StatusOK, "1 rule is as before.")

	// A form that is older than what another one did changes what was changed in it alone.
	root.post("/admin/policy", "/admin/policy/apply", "extra", "web:/trash = staff\nweb:/sessions = user").expect(t, http.StatusSeeOther)
	stale := root.post("/admin/policy", "/admin/policy/review", "group", "pages", "r:web:/trash", "", "r30:web:/tokens", "30", "r:web:/account", "20").expect(t, http.StatusOK, "web:/account = customer")
	if strings.Contains(stale.body, "web:/trash") || strings.Contains(stale.body, "web:/tokens") {
		t.Error("an old form takes back what it does not show")
	}
	root.post("/admin/policy", "/admin/policy/review", "remove", "web:/trash").expect(t, http.StatusOK, `data-pattern="web:/trash"`, "no rule")
	root.post("/admin/policy", "/admin/policy/apply", "remove", "web:/trash", "remove", "web:/sessions").expect(t, http.StatusSeeOther)

	// What is refused says why, keeps what was written, and changes nothing.
	for _, tt := range []struct {
		who         *browser
		extra, word string
		status      int
	}{
		{root, "web:/admin/policy = never", "shut out the last root", http.StatusForbidden},
		{root, "web:/** = never", "shut out the last root", http.StatusForbidden},
		{root, "smtp:x = user", "kinds are", http.StatusUnprocessableEntity},
		{root, "web:/x", "each line is a rule", http.StatusUnprocessableEntity},
		{root, "web:/x = chief", "levels are", http.StatusUnprocessableEntity},
		{root, "web:/x for user:nobody1 = user", "No user", http.StatusUnprocessableEntity},
		{admin, "web:/tokens = none", "only root", http.StatusForbidden},
		{admin, "web:/tokens = never", "only root", http.StatusForbidden},
	} {
		a := tt.who.post("/admin/policy", "/admin/policy/review", "extra", tt.extra).expect(t, tt.status, `data-testid="error-summary"`, tt.word)
		if tt.extra != "web:/x" && !strings.Contains(a.body, strings.SplitN(tt.extra, " ", 2)[0]) {
			t.Errorf("%s: what was written is gone", tt.extra)
		}
		tt.who.post("/admin/policy", "/admin/policy/apply", "extra", tt.extra).expect(t, tt.status, tt.word)
	}
	if n := len(s.identity.Rules()); n != 1 {
		t.Errorf("%d rules: %+v", n, s.identity.Rules())
	}
	user.post("/account", "/admin/policy/apply", "extra", "web:/admin/** = user").expect(t, http.StatusNotFound)

	root.get("/admin/policy?resource="+url.QueryEscape("web:/trash")+"&user=user1").expect(t, http.StatusOK, "<strong>No.</strong>", "customer (20)", "The client sees: 404", "The level customer (20) would be needed")
}

func TestWhichClass(t *testing.T) {
	s := newSite(t, func(_ *web.Options, o *identity.Options) {
		o.Classes = []identity.Class{{Name: "lan", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	})
	s.user("admin1", identity.LevelAdmin)
	b := s.browser().login("admin1")
	b.get("/admin/policy?address=192.0.2.7").expect(t, http.StatusOK, `data-testid="class-answer"`, "192.0.2.7 is in class lan: it lies in 192.0.2.0/24.")
	b.get("/admin/policy?address=198.51.100.1").expect(t, http.StatusOK, "198.51.100.1 is in no class.")
	b.get("/admin/policy?address=x").expect(t, http.StatusUnprocessableEntity, "That is no IP address.")
}
