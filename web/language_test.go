package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"trivium/identity"
	"trivium/web"
)

// TestLanguage: the profile decides, then what was chosen on a page, then the browser, then the site.
func TestLanguage(t *testing.T) {
	s := newSite(t, func(w *web.Options, _ *identity.Options) { w.Config.Lang = "de" })
	s.user("user1", identity.LevelUser)
	b := s.browser()
	const english, german = `<html lang="en" dir="ltr"`, `<html lang="de" dir="ltr"`
	want := func(accept, path string, parts ...string) {
		t.Helper()
		r := b.request(http.MethodGet, path, nil)
		r.Header.Set("Accept-Language", accept)
		a := b.do(r)
		for _, w := range parts {
			if !strings.Contains(a.body, w) {
				t.Errorf("%s, %q: no %q in %s", path, accept, w, text(a.body))
			}
		}
	}
	want("", "/login", german, "Auf diesem Gerät angemeldet bleiben") // the site's
	want("fr", "/login", german)
	want("en-GB,de;q=0.5", "/login", english, "Stay logged in on this device")
	want("en", "/nowhere", english, "Page not found", "or it is not for you")
	want("de-AT", "/nowhere", german, "Seite nicht gefunden")
	if a := b.post("/login", "/language", "lang", "en"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("choosing a language: %d", a.StatusCode)
	}
	want("de", "/login", english)
	b.post("/login", "/language", "lang", "tlh") // none that there is: as the browser asks
	want("en", "/login", english)
	want("", "/login", german)
	b.login("user1")
	want("en", "/account", english, "Save profile")
	b.post("/account", "/language", "lang", "de")
	if a, err := s.identity.User(t.Context(), "user1"); err != nil || a.Profile.Lang != "de" {
		t.Errorf("the profile has %q, %v", a.Profile.Lang, err)
	}
	want("en", "/account", german, "Profil speichern")
	b.post("/account", "/account/password", "old", "wrong", "new", "x")
	b.post("/account", "/language", "lang", "")
	want("en", "/account", english)
}

// TestLanguageFits: German, whose words are longer, fits on a phone and on a desk.
func TestLanguageFits(t *testing.T) {
	s := newSite(t, func(w *web.Options, _ *identity.Options) { w.Config.Lang = "de" })
	admin := s.user("admin1", identity.LevelAdmin)
	profile := admin.Profile
	profile.Lang = "de"
	if _, err := s.identity.SetUser(t.Context(), machine, "admin1", identity.UserChange{Profile: &profile}); err != nil {
		t.Fatal(err)
	}
	b := openTab(t, s.plain)
	b.open("/login", "login")
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "admin1"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.at("home")
	for _, width := range []int64{320, 1280} {
		b.do(chromedp.EmulateViewport(width, 800))
		for _, p := range []string{"/", "/files/", "/trash", "/shares/new?path=/pub", "/sessions", "/tokens", "/security", "/account", "/admin", "/admin/users", "/admin/invites", "/admin/bans", "/admin/sessions", "/admin/audit", "/admin/policy", "/admin/config", "/no-such-page"} {
			b.do(chromedp.Navigate(b.base+p), chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"][lang="de"]`)))
			if over := value(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)); over > 0 {
				t.Errorf("%s scrolls %d px to the side at %d px", p, over, width)
			}
		}
	}
}
