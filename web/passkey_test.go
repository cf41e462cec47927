package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"trivium/identity"
)

// call sends a command of the browser's protocol.
func call[P, R any](b *tab, cmd cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, cmd, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// authenticator puts a virtual one into the tab (WebAuthn section 11).
func (b *tab) authenticator() webauthn.AuthenticatorID {
	b.t.Helper()
	call(b, webauthn.Enable, webauthn.EnableParams{})
	return call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}}).AuthenticatorID
}

// touch says whether somebody touches the authenticator when it asks.
func (b *tab) touch(device webauthn.AuthenticatorID, yes bool) {
	b.t.Helper()
	call(b, webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: device, Enabled: yes})
}

// enter uses a passkey on the log-in page, by the button or, where that is faster, by the name field.
func (b *tab) enter(device webauthn.AuthenticatorID) {
	b.t.Helper()
	b.touch(device, true)
	value(b, chromedp.Evaluate[bool](`(() => { document.querySelector("`+passkeyButton+`")?.click(); return true; })()`))
}

// keys are what the authenticator holds.
func (b *tab) keys(device webauthn.AuthenticatorID) []*webauthn.Credential {
	b.t.Helper()
	return call(b, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: device}).Credentials
}

// press clicks and waits for a page.
func (b *tab) press(selector, page string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
	b.reaches(page)
}

// reaches is at for pages that come by themselves: it looks anew each time, whatever is loading.
func (b *tab) reaches(page string) {
	b.t.Helper()
	until(b.t, "the page "+page, func() bool {
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.documentElement.dataset.ready === "1" && document.body.dataset.page === "`+page+`"`))
		return err == nil && got
	})
}

func (b *tab) logout() {
	b.t.Helper()
	b.open("/", "home")
	b.do(chromedp.Click(chromedp.CSS("details.dropdown summary")), chromedp.Click(chromedp.CSS("form[action='/logout'] button")))
	b.reaches("login")
}

// says waits for words on the page.
func (b *tab) says(words string) {
	b.t.Helper()
	until(b.t, "the page says "+words, func() bool {
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		return err == nil && strings.Contains(got, words)
	})
}

const passkeyButton = "form[data-passkey] button:not([type]):not(:disabled)"

// Passkeys in a real browser: made, used with an empty name field, refused without user
// verification and when there is a copy, removed.
func TestPasskeyInTheBrowser(t *testing.T) {
	s, w := newFort(t)
	s.user("user1", identity.LevelUser)
	base := "http://localhost" + s.plain[strings.LastIndex(s.plain, ":"):]
	b := openTab(t, base)
	device := b.authenticator()
	b.open("/login", "login")
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "user1"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.reaches("home")
	b.open("/security", "security")
	b.do(chromedp.WaitReady(chromedp.CSS("#passkeys [data-testid=empty-state]")))
	shot(b, "security_empty")
	b.press("#passkeys a.primary", "security.passkey")
	shot(b, "passkey_new")
	b.do(chromedp.SendKeys(chromedp.CSS("#label"), "laptop"))
	b.press(passkeyButton, "security")
	b.do(chromedp.WaitReady(chromedp.CSS(`[data-testid=factor-row][data-kind=passkey]`)))
	if got := b.keys(device); len(got) != 1 || got[0].RpID != "localhost" || !got[0].IsResidentCredential {
		t.Fatalf("the authenticator has %+v", got)
	}
	// The same authenticator makes no second one for the account.
	b.open("/security/passkey", "security.passkey")
	b.do(chromedp.Click(chromedp.CSS(passkeyButton)))
	b.says("has a passkey for your account already")

	b.touch(device, false)
	b.logout()
	shot(b, "login_passkey")
	b.enter(device)
	b.reaches("home")
	if got := value(b, chromedp.Evaluate[string](`document.body.dataset.user`)); got != "user1" {
		t.Errorf("logged in as %q", got)
	}
	list := s.identity.Registry.List(identity.Filter{User: "user1"})
	if len(list) != 1 {
		t.Fatalf("%d sessions", len(list))
	}
	if ses, ok := s.identity.Registry.Get(list[0].ID); !ok || ses.Method() != identity.MethodPasskey {
		t.Error("the session was not opened by a passkey")
	}

	// The name field offers it by itself; here it is taken at once.
	b.do(chromedp.Click(chromedp.CSS("details.dropdown summary")), chromedp.Click(chromedp.CSS("form[action='/logout'] button")))
	until(t, "the name field logs in", func() bool {
		now := s.identity.Registry.List(identity.Filter{User: "user1"})
		return len(now) == 1 && now[0].LoginAt.After(*list[0].LoginAt)
	})
	b.reaches("home")

	// *Confirm it is you* by passkey, with a form that waits.
	w.pass(11 * time.Minute)
	b.open("/tokens?preset=ftp", "tokens")
	b.press("form[action='/tokens/new'] button", "confirm")
	shot(b, "confirm")
	b.do(chromedp.Click(chromedp.CSS(passkeyButton)))
	b.at("tokens")
	b.do(chromedp.WaitReady(chromedp.CSS("[data-testid=secret-value]")))

	// A copy of the device, whose counter is behind.
	own := b.keys(device)[0]
	b.touch(device, false)
	b.logout()
	call(b, webauthn.RemoveCredential, webauthn.RemoveCredentialParams{AuthenticatorID: device, CredentialID: own.CredentialID})
	// The package's own parameters name fields that the browser refuses.
	call(b, cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential}, map[string]any{"authenticatorId": device, "credential": map[string]any{
		"credentialId": own.CredentialID, "isResidentCredential": true, "rpId": own.RpID, "privateKey": own.PrivateKey, "userHandle": own.UserHandle, "signCount": 0}})
	b.open("/login", "login")
	b.enter(device)
	b.says("here is a copy of this passkey")
	b.touch(device, false)
	b.open("/login", "login")
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "user1"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.reaches("home")
	b.open("/security", "security")
	b.says("Somebody has a copy of this passkey")
	shot(b, "security_copy")
	b.do(chromedp.Click(chromedp.CSS(`[data-kind=passkey] button.danger`)))
	b.press("dialog button.danger", "security")
	b.do(chromedp.WaitReady(chromedp.CSS("#passkeys [data-testid=empty-state]")))
	b.logout()
	b.enter(device)
	b.says("This passkey is not known here")

	// Opened where it cannot work it says so, and is not left out.
	call(b, webauthn.Disable, cdp.Empty{}) // nobody touches it any more
	b.do(chromedp.Navigate("about:blank"))
	b.base = s.plain
	b.open("/login", "login")
	b.says("Passkeys of this server work at http://localhost:")
	if off := value(b, chromedp.Evaluate[bool](`document.querySelector("form[data-passkey] button:not([type])").disabled`)); !off {
		t.Error("the button can be pressed")
	}
	b.expectNoFaults("401", "403", "422")
}

// expectNoFaults checks the console; what carries one of the words was asked for.
func (b *tab) expectNoFaults(but ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, f := range b.faults {
		for _, word := range but {
			if strings.Contains(f, word) {
				continue next
			}
		}
		b.t.Errorf("console: %s", f)
	}
}

// The authenticator app in a real browser, and how all pages look and read.
func TestSecurityPagesInTheBrowser(t *testing.T) {
	s, w := newFort(t)
	s.user("user1", identity.LevelUser)
	base := "http://localhost" + s.plain[strings.LastIndex(s.plain, ":"):]
	b := openTab(t, base)
	b.authenticator()
	b.open("/login", "login")
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "user1"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.reaches("home")
	b.open("/security/app", "security.app")
	shot(b, "app_new")
	secret := strings.ReplaceAll(value(b, chromedp.Evaluate[string](`document.querySelector("[data-testid=totp-secret]").value`)), " ", "")
	b.do(chromedp.SendKeys(chromedp.CSS("#code"), codeAt(t, secret, w.now())+"\r"))
	b.reaches("security")
	b.do(chromedp.WaitReady(chromedp.CSS("[data-testid=recovery-codes]")))
	shot(b, "security_codes")
	b.open("/security", "security")
	shot(b, "security_full")
	b.logout()
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "user1"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.reaches("login.totp")
	b.focused("#code")
	shot(b, "login_totp")
	b.do(chromedp.SendKeys(chromedp.CSS("#code"), wrongCode(t, secret, w.now())+"\r"))
	b.focused("[data-testid=error-summary]")
	check := func(path string) {
		for _, width := range []int64{320, 768, 1280} {
			b.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate(b.base+path), chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"]`)))
			if over := value(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)); over > 0 {
				t.Errorf("%s scrolls %d px to the side at %d px", path, over, width)
			}
		}
		if bad := value(b, chromedp.Evaluate[string](unlabelled)); bad != "" {
			t.Errorf("%s: %s", path, bad)
		}
	}
	check("/login/totp")
	check("/login/totp?way=recovery")
	w.pass(30 * time.Second)
	b.open("/login/totp", "login.totp")
	b.do(chromedp.SendKeys(chromedp.CSS("#code"), codeAt(t, secret, w.now())+"\r"))
	b.reaches("home")
	for _, p := range []string{"/security", "/security/passkey", "/login"} {
		check(p)
	}
	w.pass(11 * time.Minute)
	check("/confirm?next=%2Fsecurity")
	for _, theme := range []string{"dark", "light"} {
		b.open("/", "home")
		b.do(chromedp.Click(chromedp.CSS("details.dropdown summary")), chromedp.Click(chromedp.CSS("button[value="+theme+"]")),
			chromedp.WaitReady(chromedp.CSS(`html[data-theme=`+theme+`][data-ready="1"]`)))
		for _, p := range []string{"/security", "/confirm?next=%2Fsecurity"} {
			b.do(chromedp.Navigate(b.base+p), chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"]`)))
			if bad := value(b, chromedp.Evaluate[string](contrast)); bad != "" {
				t.Errorf("%s in %s: %s", p, theme, bad)
			}
		}
		shot(b, "confirm_"+theme)
	}
	b.expectNoFaults("401")
}

// shot keeps a picture of the page, in both themes, where TRIVIUM_SHOTS names a folder.
func shot(b *tab, name string) {
	dir := os.Getenv("TRIVIUM_SHOTS")
	if dir == "" {
		return
	}
	b.t.Helper()
	for _, theme := range []string{"dark", "light"} {
		b.do(chromedp.EmulateViewport(1280, 900))
		value(b, chromedp.Evaluate[string](`document.documentElement.dataset.theme = "`+theme+`"`))
		picture := value(b, chromedp.FullScreenshot(100))
		if err := os.WriteFile(filepath.Join(dir, name+"_"+theme+".png"), picture, 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
}
