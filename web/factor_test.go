package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"trivium/identity"
	"trivium/identity/factor"
	"trivium/web"
)

// wall is a clock that tests move on.
type wall struct {
	mu  sync.Mutex // guards off
	off time.Duration
}

func (w *wall) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.off) }
func (w *wall) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off += d
}

// newFort is a site with second factors, and a clock.
func newFort(t *testing.T, changes ...change) (*site, *wall) {
	t.Helper()
	w := &wall{}
	return newSite(t, append([]change{func(wo *web.Options, io *identity.Options) {
		io.TOTP, io.Passkeys, io.SiteName = factor.TOTP{}, factor.Passkeys{}, "Example"
		io.Now, wo.Now = w.now, w.now
		wo.Domain, io.Domain = "localhost", "localhost"
	}}, changes...)...), w
}

var (
	secretOnPage = regexp.MustCompile(`data-testid="totp-secret"|id="totp-secret" value="([A-Z2-7 ]+)"`)
	codeOnPage   = regexp.MustCompile(`<li><code>([0-9A-Z]{5}-[0-9A-Z]{5})</code></li>`)
)

// secretOf reads the key of an authenticator app off a page, as a person types it.
func secretOf(t *testing.T, a answer) string {
	t.Helper()
	for _, m := range secretOnPage.FindAllStringSubmatch(a.body, -1) {
		if m[1] != "" {
			return strings.ReplaceAll(m[1], " ", "")
		}
	}
	t.Fatalf("no key on %s", text(a.body))
	return ""
}

func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wrongCode is one that is not right now.
func wrongCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	right := map[string]bool{}
	for _, off := range []time.Duration{-30 * time.Second, 0, 30 * time.Second, 60 * time.Second} {
		right[codeAt(t, secret, at.Add(off))] = true
	}
	for i := 0; ; i++ {
		if c := fmt.Sprintf("%06d", i); !right[c] {
			return c
		}
	}
}

// app sets an authenticator app up by the pages and returns its key and the recovery codes.
func (b *browser) app(w *wall) (secret string, codes []string) {
	b.t.Helper()
	page := b.get("/security/app").expect(b.t, 200, `data-testid="qr"`, "<svg")
	secret = secretOf(b.t, page)
	b.post("/security/app", "/security/app", "code", codeAt(b.t, secret, w.now())).expect(b.t, 303)
	page = b.get("/security").expect(b.t, 200, "Recovery codes", `download="recovery-codes.txt" href="data:text/plain`)
	for _, m := range codeOnPage.FindAllStringSubmatch(page.body, -1) {
		codes = append(codes, m[1])
	}
	if len(codes) != 10 {
		b.t.Fatalf("%d recovery codes", len(codes))
	}
	return secret, codes
}

// All of it by plain forms: no script.
func TestAuthenticatorAppByForms(t *testing.T) {
	t.Parallel()
	s, w := newFort(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	b.get("/security").expect(t, 200, "Set up an authenticator app", "No passkeys yet")
	first := secretOf(t, b.get("/security/app"))
	b.post("/security/app", "/security/app", "code", wrongCode(t, first, w.now())).expect(t, 422, "The code is wrong", `data-testid="totp-secret"`)
	if again := secretOf(t, b.get("/security/app")); again != first {
		t.Error("after a wrong code the page shows another key")
	}
	secret, codes := b.app(w)
	if page := b.get("/security"); codeOnPage.MatchString(page.body) {
		t.Error("the recovery codes are shown twice")
	} else {
		page.expect(t, 200, `data-kind="totp"`, "10 codes are left")
	}

	c := s.browser()
	before := c.token("/login") // begins a session
	as := c.cookie("as")
	a := c.send("/login", url.Values{"csrf": {before}, "login": {"user1"}, "password": {password}, "next": {"/tokens"}}).expect(t, 303)
	if got := a.Header.Get("Location"); got != "/login/totp?next=%2Ftokens" {
		t.Errorf("the password leads to %q", got)
	}
	if c.cookie("as") == as || c.cookie("as") == "" || c.cookie("ls") != "" {
		t.Error("the cookie is not a new anonymous one")
	}
	c.get("/tokens").expect(t, 303)
	c.get("/login/totp?next=%2Ftokens").expect(t, 200, "Second factor", `inputmode="numeric"`, `autocomplete="one-time-code"`, "Use a recovery code")
	c.post("/login/totp", "/login/totp", "code", codeAt(t, secret, w.now()), "next", "/tokens").expect(t, 401, "used already") // it set the app up
	c.post("/login/totp", "/login/totp", "code", wrongCode(t, secret, w.now())).expect(t, 401, "The code is wrong", "3 wrong answers are left")
	w.pass(30 * time.Second)
	code := codeAt(t, secret, w.now())
	a = c.post("/login/totp", "/login/totp", "code", code[:3]+" "+code[3:], "next", "//evil.example/").expect(t, 303)
	if got := a.Header.Get("Location"); got != "/" {
		t.Errorf("the code leads to %q", got)
	}
	if c.cookie("ls") == "" || c.cookie("as") != "" {
		t.Error("no logged-in cookie")
	}
	c.get("/tokens").expect(t, 200)
	c.get("/login/totp").expect(t, 303)

	c = s.browser().half("user1")
	c.post("/login/totp", "/login/totp", "code", code).expect(t, 401) // replayed
	c.get("/login/totp?way=recovery").expect(t, 200, "Recovery code", `name="way" value="recovery"`)
	c.post("/login/totp?way=recovery", "/login/totp", "code", strings.ToLower(codes[0]), "way", "recovery").expect(t, 303)
	c.get("/security").expect(t, 200, "9 codes are left")
	c = s.browser().half("user1")
	c.post("/login/totp?way=recovery", "/login/totp", "code", codes[0], "way", "recovery").expect(t, 401, "recovery code is wrong")
	for range 4 {
		a = c.post("/login/totp", "/login/totp", "code", "000000")
	}
	a.expect(t, 401, "Log in again from the beginning", `data-page="login"`)
	c.get("/login/totp").expect(t, 303)

	// Given up.
	c = s.browser().half("user1")
	c.post("/login/totp", "/login/cancel").expect(t, 303)
	c.get("/login/totp").expect(t, 303)

	b.get("/security").expect(t, 200)
	list, err := s.identity.Factors(t.Context(), "user1")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Kind == identity.FactorTOTP {
			b.post("/security", "/security/factors/"+f.ID+"/remove").expect(t, 303)
		}
	}
	b.get("/security").expect(t, 200, "Set up an authenticator app")
	s.browser().login("user1").get("/").expect(t, 200)
}

// half begins a log-in and expects to be asked for the second factor.
func (b *browser) half(name string) *browser {
	b.t.Helper()
	a := b.post("/login", "/login", "login", name, "password", password)
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got, "/login/") {
		b.t.Fatalf("logging in as %s: %d, %q", name, a.StatusCode, got)
	}
	return b
}

// Somebody plants a cookie in another's browser and waits for the log-in: it is worth nothing while
// that waits, and nothing after.
func TestFixationOverTheSecondStep(t *testing.T) {
	t.Parallel()
	s, w := newFort(t)
	s.user("user1", identity.LevelUser)
	secret, _ := s.browser().login("user1").app(w)
	w.pass(30 * time.Second)

	attacker := s.browser()
	attacker.token("/login")
	planted := attacker.cookie("as")
	victim := s.browser()
	base, err := url.Parse(s.plain)
	if err != nil {
		t.Fatal(err)
	}
	victim.jar.SetCookies(base, []*http.Cookie{{Name: "as", Value: planted, Path: "/"}})
	victim.half("user1")
	attacker.get("/login/totp").expect(t, 303) // nothing waits there
	if token := tokenInForm.FindStringSubmatch(attacker.get("/login").body); token == nil {
		t.Error("the attacker has no session of their own")
	}
	stolen := victim.cookie("as")
	victim.post("/login/totp", "/login/totp", "code", codeAt(t, secret, w.now())).expect(t, 303)
	victim.get("/security").expect(t, 200)
	attacker.get("/security").expect(t, 303)
	attacker.jar.SetCookies(base, []*http.Cookie{{Name: "as", Value: stolen, Path: "/"}, {Name: "ls", Value: stolen, Path: "/"}})
	attacker.get("/security").expect(t, 303)
	attacker.get("/login/totp").expect(t, 303)
}

// Guessing over many browser sessions at once is bounded by the account.
func TestGuessingCodesInParallel(t *testing.T) {
	t.Parallel()
	s, w := newFort(t)
	s.user("user1", identity.LevelUser)
	secret, codes := s.browser().login("user1").app(w)
	wrong := wrongCode(t, secret, w.now())
	var looked, refused atomic.Int64
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			b := s.browser().half("user1")
			for range 4 {
				switch a := b.post("/login/totp", "/login/totp", "code", wrong); a.StatusCode {
				case http.StatusUnauthorized:
					looked.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
					if a.Header.Get("Retry-After") == "" {
						t.Error("no Retry-After")
					}
				case http.StatusServiceUnavailable:
				default:
					t.Errorf("status %d: %s", a.StatusCode, text(a.body))
				}
			}
		})
	}
	wg.Wait()
	if looked.Load() > 11 || refused.Load() < 24 {
		t.Errorf("%d codes were looked at, %d refused", looked.Load(), refused.Load())
	}
	b := s.browser().half("user1")
	w.pass(30 * time.Second)
	b.post("/login/totp", "/login/totp", "code", codeAt(t, secret, w.now())).expect(t, 429, "Too many attempts")
	b.post("/login/totp?way=recovery", "/login/totp", "code", codes[1], "way", "recovery").expect(t, 303)
}

// Who has to have a second factor and has none sets one up before anything else.
func TestEnrolAtLogin(t *testing.T) {
	t.Parallel()
	s, w := newFort(t, func(_ *web.Options, o *identity.Options) { o.FactorFrom = identity.LevelStaff })
	s.user("staff1", identity.LevelStaff)
	s.browser().login2(t, "staff1", "/login/totp?next=%2F")
	b := s.browser().half("staff1")
	if got := b.get("/login/totp?next=%2Ffiles%2F").Header.Get("Location"); got != "/login/enrol?next=%2Ffiles%2F" {
		t.Errorf("led to %q", got)
	}
	for _, p := range []string{"/", "/files/", "/security", "/security/app", "/tokens", "/account"} {
		b.get(p).expect(t, 303)
	}
	page := b.get("/login/enrol?next=%2Ffiles%2F").expect(t, 200, "Set up a second factor", "staff1", `data-level="1"`)
	secret := secretOf(t, page)
	b.post("/login/enrol", "/login/enrol", "code", wrongCode(t, secret, w.now())).expect(t, 422, "The code is wrong")
	a := b.post("/login/enrol", "/login/enrol", "code", codeAt(t, secret, w.now()), "next", "/files/").expect(t, 303)
	if got := a.Header.Get("Location"); got != "/security" {
		t.Errorf("led to %q", got)
	}
	b.get("/security").expect(t, 200, "Recovery codes", `data-level="30"`)
	list, err := s.identity.Factors(t.Context(), "staff1")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Kind == identity.FactorTOTP {
			b.post("/security", "/security/factors/"+f.ID+"/remove").expect(t, 303)
			b.get("/security").expect(t, 200, "last second factor", "level staff")
		}
	}
	// Whoever has only the password cannot set up another one.
	c := s.browser().half("staff1")
	if got := c.get("/login/enrol").Header.Get("Location"); got != "/login/totp?next=%2F" {
		t.Errorf("led to %q", got)
	}
}

// login2 logs in and expects to be led somewhere.
func (b *browser) login2(t *testing.T, name, where string) {
	t.Helper()
	if got := b.post("/login", "/login", "login", name, "password", password).Header.Get("Location"); got != where {
		t.Errorf("%s is led to %q", name, got)
	}
}

// *Confirm it is you*: the form that was sent is not lost, nothing happens before, and the proof is
// asked in the place of the form, so that it leads nowhere else.
func TestStepUp(t *testing.T) {
	t.Parallel()
	s, w := newFort(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	tokens := func() int {
		list, err := s.tokens.List(t.Context(), "user1")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	b.post("/tokens", "/tokens/new", "label", "fresh", "scope", "ftp", "expires", "90").expect(t, 303)
	if tokens() != 1 {
		t.Fatal("a fresh log-in does not suffice")
	}
	w.pass(11 * time.Minute)
	a := b.post("/tokens", "/tokens/new", "label", `a"b`, "scope", "ftp", "scope", "xmpp", "expires", "90")
	a.expect(t, 403, "Confirm it is you", `action="/tokens/new"`, `name="scope" value="ftp"`, `name="scope" value="xmpp"`, `name="label" value="a&#34;b"`)
	if tokens() != 1 {
		t.Fatal("it was made without the proof")
	}
	wrong := b.post("/tokens", "/tokens/new", "label", "kept", "scope", "ftp", "confirm_password", "wrong password")
	wrong.expect(t, 403, "The password is wrong", `name="label" value="kept"`)
	if strings.Contains(wrong.body, "wrong password") {
		t.Error("the password stands on the page")
	}
	if tokens() != 1 {
		t.Fatal("it was made with a wrong proof")
	}
	// The proof without the form's token is another site's.
	b.send("/tokens/new", url.Values{"label": {"x"}, "scope": {"ftp"}, "confirm_password": {password}}).expect(t, 403, "out of date")
	b.post("/tokens", "/tokens/new", "label", "kept", "scope", "ftp", "expires", "90", "confirm_password", password).expect(t, 303)
	if tokens() != 2 {
		t.Fatal("it was not made with the right proof")
	}
	b.get("/security/app").expect(t, 200) // for ten minutes

	w.pass(11 * time.Minute)
	a = b.get("/security/app?x=1").expect(t, 303)
	if got := a.Header.Get("Location"); got != "/confirm?next=%2Fsecurity%2Fapp%3Fx%3D1" {
		t.Errorf("led to %q", got)
	}
	b.get("/confirm?next=%2Fsecurity%2Fapp").expect(t, 200, "Confirm it is you", `name="next" value="/security/app"`)
	b.get("/confirm?next=//evil.example/").expect(t, 200, `name="next" value="/"`)
	b.post("/confirm", "/confirm", "next", "/security/app").expect(t, 422, "Answer in one of the ways")
	for next, want := range map[string]string{"/security/app": "/security/app"} {
		a = b.post("/confirm", "/confirm", "next", next, "confirm_password", password).expect(t, 303)
		if got := a.Header.Get("Location"); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
	secret, codes := b.app(w)
	w.pass(11 * time.Minute)
	b.post("/security", "/confirm", "next", "https://evil.example/", "confirm_code", codeAt(t, secret, w.now())).expect(t, 303)
	b.get("/security/app").expect(t, 303)
	w.pass(11 * time.Minute)
	b.post("/security", "/security/codes", "confirm_code", codes[0]).expect(t, 303)
	b.get("/security").expect(t, 200, "Recovery codes")
	b.post("/", "/logout").expect(t, 303)
	b = s.browser().half("user1")
	w.pass(30 * time.Second)
	b.post("/login/totp", "/login/totp", "code", codeAt(t, secret, w.now())).expect(t, 303)
	b.get("/security/app").expect(t, 303) // set up already: back to the list
}

// Who is not logged in learns nothing from the pages in between.
func TestFactorPagesForStrangers(t *testing.T) {
	t.Parallel()
	s, _ := newFort(t)
	b := s.browser()
	for _, p := range []string{"/login/totp", "/login/enrol", "/security", "/confirm"} {
		b.get(p).expect(t, 303)
	}
	b.get("/login/chat/state").expect(t, 404)
	token := b.token("/login")
	for _, p := range []string{"/login/totp", "/login/chat", "/login/chat/done", "/login/enrol"} {
		if a := b.send(p, url.Values{"csrf": {token}, "code": {"123456"}}); a.StatusCode < 300 || a.StatusCode >= 500 {
			t.Errorf("%s: %d", p, a.StatusCode)
		}
		b.send(p, url.Values{"code": {"123456"}}).expect(t, 403)
	}
}
