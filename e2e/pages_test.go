package e2e

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// pages is one server and one browser, which all checks of the pages share. Each check has accounts and
// windows of its own.
type pages struct {
	s    *server
	ctx  context.Context // the browser
	base string          // http://localhost:PORT, the host of the set-up link
	file string          // the configuration
	dir  string
	root string // the administrator that the set-up made
	args []string
}

// fileSecret stands in the configuration file, and on no page.
const fileSecret = "turn-secret-of-the-file"

func openPages(t *testing.T) *pages {
	t.Helper()
	p := &pages{ctx: browseFor(t, 8*time.Minute), dir: t.TempDir(), root: "root1"}
	p.file = filepath.Join(p.dir, "trivium.toml")
	text := "site_name = \"Harbour\"\n\n[xmpp]\nservices_secret = \"" + fileSecret + "\"\n"
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRIVIUM_FILES_TRASH_DAYS", "21")
	// Wrong log-ins are among the checks, and all come from one address.
	listen := freePort(t)
	p.args = []string{"--config", p.file, "--set", "web.listen=" + listen, "--set", "web.public_url=http://localhost:" + port(listen), "--set", "provider.enabled=true",
		"--set", "web.webhooks_private=true", "--set", "limits.ban_after=0", "--set", "limits.unauthenticated_per_address=0"}
	p.start(t)
	t.Cleanup(func() {
		if err := p.s.stop(); err != nil {
			t.Error(err)
		}
		if log := p.s.log.String(); t.Failed() {
			t.Logf("the end of the server's log:\n%s", log[max(0, len(log)-20_000):])
		}
	})
	return p
}

// freePort is an address that stays the same over restarts.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

func (p *pages) start(t *testing.T) {
	t.Helper()
	s, err := start(suite, filepath.Join(p.dir, "data"), p.args...)
	if err != nil {
		t.Fatal(err)
	}
	p.s, p.base = s, "http://localhost:"+port(s.addr["web"])
}

// account makes one with the password of all, and returns its name.
func (p *pages) account(t *testing.T, name, level string, more ...string) string {
	t.Helper()
	p.s.run(t, password+"\n", append([]string{"user", "add", name, "--level", level, "--password-stdin"}, more...)...)
	return name
}

// window is a person who is logged in to a new account.
func (p *pages) window(t *testing.T, name, level string, more ...string) *person {
	t.Helper()
	p.account(t, name, level, more...)
	b := p.person(t)
	b.login(name, password)
	return b
}

// TestPages are the checks of the pages in a real browser, forty of them with numbers, and attacks.
// CHECKS.md says which test shows which.
func TestPages(t *testing.T) {
	p := openPages(t)
	for _, first := range []struct {
		name  string
		check func(*pages, *testing.T)
	}{
		{"01 set-up link", (*pages).setupLink},
		{"02 restart before set-up", (*pages).restartBeforeSetup},
		{"03 weak password", (*pages).weakPassword},
		{"04 set-up", (*pages).setUp},
	} {
		if !t.Run(first.name, func(t *testing.T) { first.check(p, t) }) {
			t.FailNow() // without an administrator nothing else can be looked at
		}
	}
	t.Run("with an administrator", func(t *testing.T) {
		for _, c := range []struct {
			name  string
			check func(*pages, *testing.T)
		}{
			{"05 wrong log-ins look alike", (*pages).wrongLogins},
			{"06 keyboard", (*pages).keyboard},
			{"07 next", (*pages).next},
			{"10 cookies", (*pages).cookies},
			{"14 levels", (*pages).levels},
			{"15 try it", (*pages).tryIt},
			{"16 home", (*pages).home},
			{"17 test of the connection", (*pages).connection},
			{"18 upload", (*pages).upload},
			{"19 a folder is dropped", (*pages).dropFolder},
			{"20 a broken upload", (*pages).brokenUpload},
			{"21 conflicts", (*pages).conflict},
			{"22 quota", (*pages).overQuota},
			{"23 rename, move, delete, restore", (*pages).renames},
			{"24 share", (*pages).share},
			{"25 evil files", (*pages).evilFiles},
			{"26 without script", (*pages).withoutScript},
			{"27 28 live sessions", (*pages).liveSessions},
			{"29 app password", (*pages).appPassword},
			{"31 filter", (*pages).filter},
			{"33 invitation", (*pages).invitation},
			{"34 audit log", (*pages).auditLog},
			{"35 36 configuration", (*pages).configuration},
			{"37 doctor", (*pages).doctorPage},
			{"attack: stored text", (*pages).storedText},
			{"attack: stored text elsewhere", (*pages).storedElsewhere},
			{"attack: session ended in an upload", (*pages).endedUpload},
			{"attack: zip given up", (*pages).cancelledZip},
			{"13 38 39 40 pages of visitors", (*pages).looksOfVisitors},
			{"13 38 39 40 pages of people", (*pages).looksOfPeople},
			{"13 38 39 40 pages of administrators", (*pages).looksOfAdministrators},
		} {
			t.Run(c.name, func(t *testing.T) { t.Parallel(); c.check(p, t) })
		}
	})
	t.Run("restart under an open page", p.restarted)
}

// Check 1: the link opens the set-up; without its code, or with a wrong one, there is no form.
func (p *pages) setupLink(t *testing.T) {
	if !strings.HasPrefix(p.s.setup, p.base+"/setup?code=") {
		t.Fatalf("the ready line has the link %q", p.s.setup)
	}
	b := p.person(t)
	b.open(strings.TrimPrefix(p.s.setup, p.base), "setup")
	b.sees("heading", "Set up")
	b.sees("textbox", "User name")
	b.sees("textbox", "Password")
	b.allow("404")
	for _, path := range []string{"/setup", "/setup?code=wrong"} {
		res, err := chromedp.Run(b.ctx, chromedp.NavigateResponse(b.base+path))
		if err != nil {
			t.Fatal(err)
		}
		if res.Status != 404 {
			t.Errorf("%s answers %d", path, res.Status)
		}
		b.sees("heading", "Set-up link not valid")
		if n := eval[int](b, `document.querySelectorAll("main form").length`); n != 0 {
			t.Errorf("%s has %d forms", path, n)
		}
	}
}

// Check 2: after a restart the new line's link works.
func (p *pages) restartBeforeSetup(t *testing.T) {
	if err := p.s.stop(); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	b := p.person(t)
	b.open(strings.TrimPrefix(p.s.setup, p.base), "setup")
	b.sees("heading", "Set up")
}

// Check 3: a password that is too short is refused beside its field, and what else was typed stays.
func (p *pages) weakPassword(t *testing.T) {
	b := p.person(t)
	b.allow("422")
	b.open(strings.TrimPrefix(p.s.setup, p.base), "setup")
	b.types("User name", p.root)
	b.types("Password", "abc")
	b.click("button", "Create and continue")
	b.row("error-summary")
	b.until(`document.activeElement?.matches("[data-testid=error-summary]")`)
	if got := eval[string](b, `(() => { const f = document.querySelector("#password"); return [f.ariaInvalid, document.getElementById(f.getAttribute("aria-describedby").split(" ")[0]).innerText.length > 10, document.querySelector("#login").value].join() })()`); got != "true,true,"+p.root {
		t.Errorf("the form has %s", got)
	}
}

// Check 4, and the end of check 2: the administrator is made and logged in; no link opens anything now.
func (p *pages) setUp(t *testing.T) {
	link := strings.TrimPrefix(p.s.setup, p.base)
	b := p.person(t)
	b.open(link, "setup")
	b.types("User name", p.root)
	b.types("Password", password)
	b.click("button", "Create and continue")
	b.at("admin")
	b.until(`document.body.dataset.level === "100" && document.body.dataset.user === "` + p.root + `"`)
	b.sees("heading", "First steps")
	b.sees("link", "Certificates") // of the first steps, and of the navigation
	c := b.cookies()["ls"]
	if c == nil || !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax {
		t.Errorf("the cookie is %+v", c)
	}
	w := newWeb(t, p.s.addr["web"])
	if status, _, _ := w.get(link); status != 404 {
		t.Errorf("the link answers %d", status)
	}
}
