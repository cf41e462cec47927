package web_test

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/identity/oidc"
	"trivium/identity/oidc/oidctest"
	"trivium/web"
)

// public is the address that the providers of these tests send browsers back to.
const public = "http://pages.example.org"

// house is a site with two providers: company makes accounts, club links by hand alone.
func house(t *testing.T, rule func(*identity.Provider)) (s *site, company, club *oidctest.Provider) {
	t.Helper()
	people := []oidctest.Person{{ID: "7", Login: "alice", Email: "alice@example.org"}, {ID: "8", Login: "bob", Email: "bob@example.org", Unverified: true}, {ID: "9", Login: "taken", Email: "x@example.org"}}
	company = oidctest.New(t, public+"/login/oidc/company/callback", people...)
	club = oidctest.New(t, public+"/login/oidc/club/callback", people...)
	s = newSite(t, func(w *web.Options, i *identity.Options) {
		w.BaseURL = func() string { return public }
		for name, p := range map[string]*oidctest.Provider{"company": company, "club": club} {
			x := oidc.New(oidc.Options{Name: name, Label: "The " + name, Issuer: p.Issuer, ClientID: oidctest.ClientID,
				ClientSecret: identity.NewSecret(oidctest.Secret), Scopes: []string{"openid", "profile", "email"}})
			t.Cleanup(func() { _ = x.Close() })
			w.Providers = append(w.Providers, x)
			r := identity.Provider{Name: name}
			if name == "company" && rule != nil {
				rule(&r)
			}
			i.Providers = append(i.Providers, r)
		}
	})
	return s, company, club
}

// depart begins a log-in and returns where the browser is sent.
func (b *browser) depart(provider, next string) string {
	b.t.Helper()
	a := b.do(b.request(http.MethodGet, "/login/oidc/"+provider+"?next="+url.QueryEscape(next), nil))
	if a.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("the way to %s: %d %s", provider, a.StatusCode, a.body)
	}
	return a.Header.Get("Location")
}

// arrive hands the provider's answer in.
func (b *browser) arrive(to string) answer {
	b.t.Helper()
	return b.do(b.request(http.MethodGet, strings.TrimPrefix(to, public), nil))
}

// in reports whether the browser is logged in.
func (b *browser) in() bool {
	b.t.Helper()
	return b.do(b.request(http.MethodGet, "/sessions", nil)).StatusCode == http.StatusOK
}

func TestProviderMakesAndKnowsAccounts(t *testing.T) {
	s, company, _ := house(t, func(r *identity.Provider) { r.Intake.Create = true })
	s.user("taken", identity.LevelUser)
	b := s.browser()
	page := b.do(b.request(http.MethodGet, "/login?next=/tokens", nil))
	if !strings.Contains(page.body, "Continue with The company") || !strings.Contains(page.body, "/login/oidc/company?next=%2ftokens") && !strings.Contains(page.body, "/login/oidc/company?next=%2Ftokens") {
		t.Errorf("the log-in page has no button: %s", page.body)
	}
	before := b.jar.Cookies(page.Request.URL)
	a := b.arrive(company.LogIn("alice", b.depart("company", "/tokens")))
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/tokens" || !b.in() {
		t.Fatalf("logged in: %d to %q: %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	for _, c := range b.jar.Cookies(page.Request.URL) {
		for _, old := range before {
			if c.Value == old.Value {
				t.Error("a cookie of before the log-in is good after it")
			}
		}
	}
	acc, err := s.identity.User(context.Background(), "alice")
	if err != nil || acc.Profile.Email != "alice@example.org" || acc.Level != identity.LevelUser {
		t.Fatalf("made %+v, %v", acc.User, err)
	}
	second := s.browser()
	second.arrive(company.LogIn("alice", second.depart("company", "/")))
	if n := s.identity.Registry.Count(identity.Filter{Owner: acc.ID}); !second.in() || n != 2 {
		t.Errorf("a second time: %d sessions", n)
	}
	third := s.browser()
	a = third.arrive(company.LogIn("taken", third.depart("company", "/")))
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "is taken here") || third.in() {
		t.Errorf("a name that is taken: %d %s", a.StatusCode, a.body)
	}
	// Its page shows the link.
	page = b.do(b.request(http.MethodGet, "/account", nil))
	if !strings.Contains(page.body, `data-testid="link-row"`) || !strings.Contains(page.body, "alice@example.org") {
		t.Error("the account page does not show the link")
	}
	off := identity.UserDisabled
	if _, err := s.identity.SetUser(context.Background(), machine, "alice", identity.UserChange{State: &off}); err != nil {
		t.Fatal(err)
	}
	fourth := s.browser()
	if a = fourth.arrive(company.LogIn("alice", fourth.depart("company", "/"))); fourth.in() || b.in() {
		t.Errorf("a disabled account: %d", a.StatusCode)
	}
}

func TestProviderRules(t *testing.T) {
	s, company, club := house(t, func(r *identity.Provider) {
		r.LinkByEmail, r.EmailDomains = true, []string{"example.org"}
	})
	set := func(login, email string, level identity.Level) {
		s.user(login, level)
		if _, err := s.identity.SetUser(context.Background(), machine, login, identity.UserChange{Profile: &identity.Profile{Email: email}}); err != nil {
			t.Fatal(err)
		}
	}
	set("al", "Alice@Example.org", identity.LevelUser)
	set("bo", "bob@example.org", identity.LevelUser)
	set("chief", "x@example.org", identity.LevelAdmin)
	b := s.browser()
	b.arrive(company.LogIn("alice", b.depart("company", "/")))
	if list, err := s.identity.Links(context.Background(), "al"); err != nil || len(list) != 1 || !b.in() {
		t.Errorf("by a verified address: %v, %v", list, err)
	}
	for login, why := range map[string]string{"bob": "an address that is not verified", "taken": "an account that administers"} {
		x := s.browser()
		if a := x.arrive(company.LogIn(login, x.depart("company", "/"))); a.StatusCode != http.StatusForbidden || x.in() {
			t.Errorf("%s: %d", why, a.StatusCode)
		}
	}
	x := s.browser()
	if a := x.arrive(club.LogIn("alice", x.depart("club", "/"))); a.StatusCode != http.StatusForbidden || x.in() || !strings.Contains(a.body, "no account here belongs to that of club") && !strings.Contains(a.body, "No account here belongs to that of club") {
		t.Errorf("a provider that neither links nor makes: %d %s", a.StatusCode, a.body)
	}
}

func TestLinkByHand(t *testing.T) {
	s, _, club := house(t, nil)
	s.user("alice", identity.LevelUser)
	s.user("mallory", identity.LevelUser)
	b := s.browser()
	b.login("alice")
	begin := func(b *browser) string {
		t.Helper()
		a := b.post("/account", "/account/links/club/add")
		if a.StatusCode != http.StatusOK || !strings.HasPrefix(a.Header.Get("Refresh"), "0; url="+club.Issuer) {
			t.Fatalf("the way to the provider: %d %q %s", a.StatusCode, a.Header.Get("Refresh"), a.body)
		}
		return strings.TrimPrefix(a.Header.Get("Refresh"), "0; url=")
	}
	to := club.LogIn("alice", begin(b))
	m := s.browser()
	m.login("mallory")
	if a := m.arrive(to); a.StatusCode != http.StatusSeeOther {
		t.Errorf("somebody else hands the answer in: %d", a.StatusCode)
	}
	b.arrive(to)
	list, err := s.identity.Links(context.Background(), "alice")
	if err != nil || len(list) != 1 || list[0].Subject != "7" || list[0].Source != "club" {
		t.Fatalf("links %+v, %v", list, err)
	}
	if ls, _ := s.identity.Links(context.Background(), "mallory"); len(ls) != 0 {
		t.Errorf("mallory has links: %+v", ls)
	}
	m.arrive(club.LogIn("alice", begin(m)))
	if ls, _ := s.identity.Links(context.Background(), "mallory"); len(ls) != 0 {
		t.Errorf("one person, two accounts: %+v", ls)
	}
	o := s.browser()
	o.arrive(club.LogIn("alice", o.depart("club", "/")))
	if !o.in() {
		t.Fatal("the link does not log in")
	}
	b.post("/account", "/account/links/remove", "issuer", club.Issuer, "subject", "7")
	if o.in() || !b.in() {
		t.Error("the session by the link goes on without it, or another one does not")
	}
	o.arrive(club.LogIn("alice", o.depart("club", "/")))
	if o.in() {
		t.Error("the link that was removed logs in")
	}
}

// TestProviderAttacks has what can be done with the addresses that a browser is sent to.
func TestProviderAttacks(t *testing.T) {
	s, company, club := house(t, func(r *identity.Provider) { r.Intake.Create = true })
	refused := func(what string, b *browser, a answer) {
		t.Helper()
		if b.in() || a.StatusCode < 400 {
			t.Errorf("%s: %d, logged in: %v", what, a.StatusCode, b.in())
		}
	}
	// Log-in CSRF: the answer that a stranger has got for themselves.
	stranger, victim := s.browser(), s.browser()
	planted := company.LogIn("alice", stranger.depart("company", "/"))
	refused("an answer to another browser", victim, victim.arrive(planted))
	victim.depart("company", "/")
	refused("an answer to another browser, which is on its way itself", victim, victim.arrive(planted))
	// Its code under the victim's own state.
	own, _ := url.Parse(victim.depart("company", "/"))
	evil, _ := url.Parse(planted)
	q := evil.Query()
	q.Set("state", own.Query().Get("state"))
	refused("a code that was injected", victim, victim.arrive("/login/oidc/company/callback?"+q.Encode()))
	// Mix-up: the answer of one provider at the other's address.
	mixed := s.browser()
	to, _ := url.Parse(club.LogIn("alice", mixed.depart("club", "/")))
	refused("an answer of another provider", mixed, mixed.arrive("/login/oidc/company/callback?"+to.RawQuery))
	q = to.Query()
	q.Set("iss", company.Issuer)
	mixed.depart("club", "/")
	refused("an answer with the issuer of another", mixed, mixed.arrive("/login/oidc/club/callback?"+q.Encode()))
	// Twice.
	once := s.browser()
	back := company.LogIn("alice", once.depart("company", "/"))
	once.arrive(back)
	if !once.in() {
		t.Fatal("the first time")
	}
	if a := once.arrive(back); a.StatusCode == http.StatusOK {
		t.Errorf("the same answer twice: %d", a.StatusCode)
	}
	// Elsewhere.
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"} {
		b := s.browser()
		if a := b.arrive(company.LogIn("alice", b.depart("company", next))); a.Header.Get("Location") != "/" {
			t.Errorf("next=%s leads to %q", next, a.Header.Get("Location"))
		}
	}
	// The address that answers come to is never the request's.
	b := s.browser()
	r := b.request(http.MethodGet, "/login/oidc/company", nil)
	r.Host = "evil.example"
	if a := b.do(r); !strings.Contains(a.Header.Get("Location"), url.QueryEscape(public+"/login/oidc/company/callback")) {
		t.Errorf("sent to %s", a.Header.Get("Location"))
	}
	if a := b.do(b.request(http.MethodGet, "/login/oidc/nonsuch", nil)); a.StatusCode != http.StatusNotFound {
		t.Errorf("no such provider: %d", a.StatusCode)
	}
	if a := b.arrive("/login/oidc/company/callback?error=access_denied&error_description=%3Cscript%3E&state=x"); a.StatusCode != http.StatusBadRequest || strings.Contains(a.body, "<script>") {
		t.Errorf("an error of nobody's: %d", a.StatusCode)
	}
	deny, _ := url.Parse(b.depart("company", "/"))
	if a := b.arrive("/login/oidc/company/callback?error=access_denied&error_description=%3Cscript%3Eno&state=" + deny.Query().Get("state")); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, "<script>no") || !strings.Contains(a.body, "The company says") {
		t.Errorf("the provider says no: %d %s", a.StatusCode, a.body)
	}
}

func TestBackChannelLogout(t *testing.T) {
	s, company, _ := house(t, func(r *identity.Provider) { r.Intake.Create = true })
	b := s.browser()
	b.arrive(company.LogIn("alice", b.depart("company", "/")))
	acc, err := s.identity.User(context.Background(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.identity.SetPassword(context.Background(), machine, "alice", identity.NewSecret(password), nil); err != nil {
		t.Fatal(err)
	}
	b.arrive(company.LogIn("alice", b.depart("company", "/"))) // setting it has ended the first
	ses, err := s.identity.Registry.Open(context.Background(), identity.Opening{Protocol: identity.ProtocolFTP, Remote: netip.MustParseAddrPort("192.0.2.1:4000"), TLS: "TLS 1.3"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.identity.Login(context.Background(), ses, identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret(password)}); err != nil {
		t.Fatal(err)
	}
	if n := s.identity.Registry.Count(identity.Filter{Owner: acc.ID}); n != 2 || !b.in() {
		t.Fatalf("%d sessions before", n)
	}
	// The provider has no cookie and no token of a form.
	p := s.browser()
	logout := func(token string) answer {
		r := p.request(http.MethodPost, "/login/oidc/company/logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return p.do(r)
	}
	for what, token := range map[string]string{"none": "", "unsigned": oidctest.Unsigned(company.LogoutClaims("7", "0")), "of another": company.SignBy("x", company.LogoutClaims("7", "1"))} {
		if a := logout(token); a.StatusCode != http.StatusBadRequest || !b.in() {
			t.Errorf("a logout token %s: %d", what, a.StatusCode)
		}
	}
	if a := p.do(p.request(http.MethodGet, "/login/oidc/company/logout", nil)); a.StatusCode != http.StatusNotFound {
		t.Errorf("GET: %d", a.StatusCode)
	}
	if a := logout(company.Sign("logout+jwt", company.LogoutClaims("8", "2"))); a.StatusCode != http.StatusOK || !b.in() {
		t.Errorf("somebody who has no account here: %d", a.StatusCode)
	}
	token := company.Sign("logout+jwt", company.LogoutClaims("7", "3"))
	a := logout(token)
	if a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("logged out: %d %v", a.StatusCode, a.Header)
	}
	select {
	case <-ses.Ended():
	case <-time.After(5 * time.Second):
		t.Error("the session of FTP goes on")
	}
	if b.in() {
		t.Error("the session of the web goes on")
	}
	if a := logout(token); a.StatusCode != http.StatusBadRequest {
		t.Errorf("the same token again: %d", a.StatusCode)
	}
}
