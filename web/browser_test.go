package web_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"trivium/identity"
	"trivium/web"
)

// tab is a tab of a real browser that notes what a person would see in its console.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu     sync.Mutex // guards faults
	faults []string
}

func openTab(t *testing.T, base string) *tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium is installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAlloc)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	ctx, cancelTime := context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancelTime)
	b := &tab{t: t, ctx: ctx, base: base}
	b.do(chromedp.Navigate("about:blank"))
	entries, exceptions := chromedp.Events(ctx, log.EntryAdded), chromedp.Events(ctx, runtime.ExceptionThrown)
	go func() {
		for e, err := range entries {
			if err != nil {
				return
			}
			b.note(string(e.Entry.Level), e.Entry.Text+" "+e.Entry.URL)
		}
	}()
	go func() {
		for e, err := range exceptions {
			if err != nil {
				return
			}
			b.note("error", e.ExceptionDetails.Text)
		}
	}()
	return b
}

func (b *tab) note(level, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if level == "error" || strings.Contains(text, "Content Security Policy") {
		b.faults = append(b.faults, text)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func value[T any](b *tab, a chromedp.Action[T]) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, a)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// open goes to a page and waits until its modules are attached.
func (b *tab) open(path, page string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
	b.at(page)
}

func (b *tab) at(page string) {
	b.t.Helper()
	b.do(chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"] body[data-page="` + page + `"]`)))
}

// focused waits until an element has the focus of its page; a headless tab itself has none, so
// :focus does not match.
func (b *tab) focused(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"]`)))
	until(b.t, "the focus on "+selector, func() bool {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.activeElement?.matches("`+selector+`") ?? false`))
		return err == nil && ok
	})
}

// The pages in a real browser: set-up, log-in by keyboard, files, live sessions, log-out; without
// one violation of the policy, error in the console, or scroll to the side.
func TestBrowser(t *testing.T) {
	s := newSite(t, func(w *web.Options, _ *identity.Options) {
		w.Listeners = func() []web.Bound {
			return []web.Bound{{Name: "ftp", Addr: "127.0.0.1:2121", TLS: "explicit"}, {Name: "xmpp", Addr: "127.0.0.1:5222", TLS: "starttls"}}
		}
		w.TestConnection = brokenPassive
	})
	code, err := s.identity.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := openTab(t, s.plain)
	b.open("/setup?code="+code, "setup")
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "root1"), chromedp.SendKeys(chromedp.CSS("#password"), "abcdefg\r"))
	b.focused(`[data-testid=error-summary]`)
	b.do(chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.at("admin")
	if got := value(b, chromedp.Evaluate[string](`document.body.dataset.level`)); got != "100" {
		t.Errorf("level %q", got)
	}
	if got := value(b, chromedp.Evaluate[string](`document.cookie`)); strings.Contains(got, "ls") {
		t.Errorf("script can read the cookie: %q", got)
	}
	s.user("user1", identity.LevelUser)

	b.open("/files/", "files")
	dir := t.TempDir()
	evil := filepath.Join(dir, `<img src=x onerror=alert(1)>.txt`)
	plain := filepath.Join(dir, "a #b%20c ü.txt")
	for _, f := range []string{evil, plain} {
		if err := os.WriteFile(f, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.do(chromedp.Click(chromedp.CSS("details.tool summary.primary")), chromedp.SetUploadFiles(chromedp.CSS("#upload"), []string{evil, plain}), chromedp.Click(chromedp.CSS("form[data-upload] button.primary")),
		chromedp.WaitReady(chromedp.CSS(`[data-testid=upload-item][data-state=done] ~ [data-testid=upload-item][data-state=done]`)),
		chromedp.WaitReady(chromedp.CSS(`[data-testid=file-row][data-name="a #b%20c ü.txt"]`)))
	if got := len(s.named("root1")); got != 2 {
		t.Errorf("%d files", got)
	}

	b.open("/admin/sessions", "admin.sessions")
	b.do(chromedp.WaitVisible(chromedp.CSS(`[data-testid=live-status]`)))
	other := s.browser().login("user1")
	b.do(chromedp.WaitReady(chromedp.CSS(`[data-testid=session-row][data-user=user1]`)))
	b.do(chromedp.Click(chromedp.CSS(`[data-testid=session-row][data-user=user1] button`)), chromedp.Click(chromedp.CSS(`dialog button.danger`)),
		chromedp.WaitReady(chromedp.CSS(`[data-testid=flash-success]`)))
	if got := other.get("/").StatusCode; got != 303 {
		t.Errorf("the ended session gets %d", got)
	}

	tryConnection(t, b)

	paths := []string{"/", "/files/", "/files/?q=a", "/files/" + url.PathEscape(filepath.Base(plain)) + "?view", "/files/?share=pub", "/shares", "/sessions", "/tokens", "/account", "/admin", "/admin/users", "/admin/users/user1", "/admin/groups", "/admin/sessions", "/admin/audit", "/admin/policy", "/admin/policy?group=ftp", "/groups", "/admin/config", "/no-such-page"}
	for _, width := range []int64{320, 390, 768, 1280} {
		b.do(chromedp.EmulateViewport(width, 800))
		for _, p := range paths {
			b.do(chromedp.Navigate(b.base+p), chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"]`)))
			if over := value(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)); over > 0 {
				t.Errorf("%s scrolls %d px to the side at %d px", p, over, width)
			}
			if bad := value(b, chromedp.Evaluate[string](unlabelled)); bad != "" {
				t.Errorf("%s: %s", p, bad)
			}
		}
	}
	b.do(chromedp.EmulateViewport(390, 800))
	b.open("/", "home")
	b.do(chromedp.Click(chromedp.CSS("[data-menu]")), chromedp.WaitVisible(chromedp.CSS("#nav.open a[href='/files/']")), chromedp.KeyEvent("\x1b"))
	b.focused("[data-menu]")

	for _, theme := range []string{"dark", "light"} {
		b.do(chromedp.EmulateViewport(1280, 800))
		b.open("/", "home")
		b.do(chromedp.Click(chromedp.CSS("details.dropdown summary")), chromedp.Click(chromedp.CSS("button[value="+theme+"]")),
			chromedp.WaitReady(chromedp.CSS(`html[data-theme=`+theme+`][data-ready="1"]`)))
		for _, p := range paths {
			b.do(chromedp.Navigate(b.base+p), chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"]`)))
			if bad := value(b, chromedp.Evaluate[string](contrast)); bad != "" {
				t.Errorf("%s in %s: %s", p, theme, bad)
			}
			b.accessible(p + " in " + theme)
		}
	}

	b.open("/", "home")
	b.do(chromedp.Click(chromedp.CSS("details.dropdown summary")), chromedp.Click(chromedp.CSS("form[action='/logout'] button")))
	b.at("login")
	b.do(chromedp.NavigateBack(), chromedp.WaitReady(chromedp.CSS("body")))
	b.at("login") // the page before is not shown from a cache
	b.accessible("/login")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		if !strings.Contains(f, "404") && !strings.Contains(f, "422") { // of the pages opened on purpose
			t.Errorf("console: %s", f)
		}
	}
}

// accessible asks axe-core what hinders people on the page that is open. Where it was not fetched nothing is
// asked.
func (b *tab) accessible(page string) {
	b.t.Helper()
	found, err := filepath.Glob("../bin/tools/axe-*/axe.min.js")
	if err != nil {
		b.t.Fatal(err)
	}
	if len(found) == 0 {
		b.t.Log("axe-core is not there, so it was not asked: make axe fetches it")
		return
	}
	script, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Evaluate[chromedp.Void](string(script) + ";undefined"))
	for _, fault := range value(b, chromedp.Evaluate[[]string](violations, chromedp.EvalAwaitPromise)) {
		b.t.Errorf("%s: %s", page, fault)
	}
}

// violations are axe-core's findings of WCAG 2.2 AA, with the elements that they are about.
const violations = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).then((r) =>
	(r.passes.length < 10 ? ["axe-core looked at nothing"] : []).concat(r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | "))))`

// unlabelled finds inputs and buttons without a name, and more or less than one h1.
const unlabelled = `(() => {
	const bad = [];
	for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a[href]")) {
		const name = e.getAttribute("aria-label") || [...(e.labels ?? [])].map(l => l.textContent).join("") || e.textContent.trim() || e.querySelector("img")?.alt;
		if (!name) bad.push("no name: " + e.outerHTML.slice(0, 80));
	}
	if (document.querySelectorAll("h1").length !== 1) bad.push("not one h1");
	if (!document.title.includes(" · ")) bad.push("title " + document.title);
	return bad.join("; ");
})()`

// contrast finds text whose colour stands out from its background by less than 4.5:1 (WCAG 2.2,
// 1.4.3), for solid colours.
const contrast = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
	const lum = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
	const back = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return rgba(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "black" : "white"); };
	const bad = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest(".sr, .skip, noscript, [aria-hidden=true]")) continue;
		const [a, b] = [lum(rgba(getComputedStyle(e).color)), lum(back(e))].sort((x, y) => y - x);
		const ratio = (a + .05) / (b + .05);
		if (ratio < 4.5) bad.add(ratio.toFixed(2) + " " + e.tagName + "." + e.className + " " + walk.currentNode.data.trim().slice(0, 20));
	}
	return [...bad].slice(0, 5).join("; ");
})()`
