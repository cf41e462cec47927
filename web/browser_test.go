package web_test

import (
	"context"
	"os/exec"
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

// A test of connections in a real browser, where each step comes as a row, and what is wrong says how to mend it.
func TestConnectionInTheBrowser(t *testing.T) {
	s := newSite(t, func(w *web.Options, _ *identity.Options) {
		ftpAndChat(w)
		w.TestConnection = brokenPassive
	})
	s.user("user1", identity.LevelUser)
	b := openTab(t, s.plain)
	b.open("/login", "login")
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "user1"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.at("home")
	tryConnection(t, b)
	b.expectNoFaults()
}

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
