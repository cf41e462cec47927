package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// widths are those of a small phone, a phone, a tablet and a desk.
var widths = []int64{320, 390, 768, 1280}

// Checks 38 to 40, and 13: every page that the navigation has, and those behind it, for whoever may open them.
func (p *pages) looks(t *testing.T, b *person, user string, more ...string) {
	admin := user != "" && user != "c38u"
	paths := more
	if user != "" {
		b.open("/", "home")
		nav := eval[[]string](b, `[...document.querySelectorAll("#nav a")].map((a) => a.getAttribute("href"))`)
		if len(nav) < 8 {
			t.Errorf("the navigation has %v", nav)
		}
		if admin { // what everybody has is looked at as an ordinary person
			nav = slices.DeleteFunc(nav, func(path string) bool { return !strings.HasPrefix(path, "/admin") })
		}
		paths = append(nav, more...)
	}
	script := axeScript(t)
	titles := map[string]string{}
	for i, path := range paths {
		b.size(1280, 900)
		b.open(path, "")
		// 13: what one may not open is not offered.
		links := eval[[]string](b, `[...document.querySelectorAll("a[href^='/admin']")].map((a) => a.getAttribute("href"))`)
		if !admin && len(links) > 0 {
			t.Errorf("%s offers %v", path, links)
		}
		// 38: the policy, and markup without what it forbids.
		answer := eval[[]string](b, `fetch(location.href).then(async (r) => [r.headers.get("content-security-policy") ?? "", r.headers.get("x-content-type-options") ?? "", r.headers.get("referrer-policy") ?? "", r.headers.get("cross-origin-opener-policy") ?? "", r.headers.get("permissions-policy") ?? "", r.headers.get("cache-control") ?? "", await r.text()])`)
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "require-trusted-types-for 'script'"} {
			if path == "/chat" && strings.HasPrefix(part, "require") {
				continue // the library of chat makes markup of strings
			}
			if !strings.Contains(answer[0], part) {
				t.Errorf("%s: the policy lacks %s: %s", path, part, answer[0])
			}
		}
		if path != "/chat" && strings.Contains(answer[0], "unsafe") || answer[1] != "nosniff" || answer[2] != "same-origin" && answer[2] != "no-referrer" || answer[3] != "same-origin" || answer[4] == "" || user != "" && answer[5] != "no-store" {
			t.Errorf("%s: headers %q", path, answer[:6])
		}
		if found := inline.FindString(answer[6]); found != "" {
			t.Errorf("%s has %s", path, found)
		}
		// 39: what hinders people; the colours in both themes.
		page, _, _ := strings.Cut(path, "?")
		if title := eval[string](b, `document.title`); titles[title] != "" && titles[title] != page {
			t.Errorf("%s and %s have the title %s", path, titles[title], title)
		} else {
			titles[title] = page
		}
		if got := eval[string](b, `[document.documentElement.lang, document.querySelectorAll("h1").length].join()`); got != "en,1" {
			t.Errorf("%s: language and headings %s", path, got)
		}
		if path != "/chat" { // whose content is the library's
			if script != "" {
				b.do(chromedp.Evaluate[chromedp.Void](script + ";undefined"))
				b.axe(path, `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`)
				if i%3 == 0 { // the colours are the same everywhere, and this is the slowest of all
					b.do(prefers("dark"))
					b.axe(path+" in dark", `{ type: "rule", values: ["color-contrast"] }`)
					b.do(prefers("light"))
				}
			}
		}
		// 40: on each screen, without a scroll to the side.
		for _, width := range widths {
			b.size(width, 800)
			if bad := eval[[]string](b, sideways); len(bad) > 0 {
				t.Errorf("%s at %d px: %q", path, width, bad)
			}
		}
	}
}

// inline is what the policy forbids in markup.
var inline = regexp.MustCompile(`(?i)<[a-z][^>]*\s(style|on[a-z]+)=[^>]*>|<script(?:\s[^>]*)?>[^<]+</script>|<style[\s>]|href="javascript:`)

// sideways finds what makes a page scroll to the side, and controls that lie outside of the window.
const sideways = `(() => {
	const over = document.documentElement.scrollWidth - document.documentElement.clientWidth, bad = over > 0 ? ["scrolls by " + over] : [];
	for (const e of document.querySelectorAll("main a, main button, main input:not([type=hidden]), main select")) {
		if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || e.closest(".scroll, pre, .sr, .skip, .chat")) continue;
		const r = e.getBoundingClientRect();
		if (r.width > 1 && (r.left < -1 || r.right > innerWidth + 1)) bad.push(e.outerHTML.slice(0, 90));
	}
	return bad.slice(0, 3);
})()`

// axeScript is axe-core, or "" where it was not fetched.
func axeScript(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("../bin/tools/axe-*/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Log("axe-core is not there, so it was not asked: make axe fetches it")
		return ""
	}
	script, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// axe asks what hinders people on the page that is open.
func (b *person) axe(where, rules string) {
	b.t.Helper()
	for _, fault := range eval[[]string](b, `axe.run(document, { runOnly: `+rules+`, resultTypes: ["violations"] }).then((r) => (r.passes.length < 1 ? ["axe-core looked at nothing"] : []).concat(
		r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | "))))`) {
		b.t.Errorf("%s: %s", where, fault)
	}
}

func (p *pages) looksOfVisitors(t *testing.T) {
	link := strings.TrimSpace(p.s.run(t, "", "invite", "add"))
	b := p.person(t)
	b.allow("404")
	p.looks(t, b, "", "/login", link[strings.Index(link, "/join/"):], "/no-such-page")
}

func (p *pages) looksOfPeople(t *testing.T) {
	b := p.window(t, "c38u", "user")
	b.open("/files/", "files")
	b.sends(write(t, t.TempDir(), "ein langer Name mit vielen Worten und_ohne_Abstand_der_nicht_umbricht.txt", []byte("text")))
	b.row("file-row[data-kind=file]")
	b.allow("404")
	name := "ein%20langer%20Name%20mit%20vielen%20Worten%20und_ohne_Abstand_der_nicht_umbricht.txt"
	p.looks(t, b, "c38u", "/files/"+name+"?view", "/files/?share="+name, "/files/?q=langer", "/security/app", "/security/passkey", "/no-such-page")

	// 39: after *Dark* the next page comes dark, with its first byte.
	b.size(1280, 900)
	b.open("/", "home")
	b.click("summary", "…account menu")
	b.click("button", "Dark")
	b.until(`document.documentElement.dataset.theme === "dark"`)
	if source := eval[string](b, `fetch("/files/").then((r) => r.text())`); !strings.Contains(source[:200], `data-theme="dark"`) {
		t.Errorf("the next page begins %q", source[:200])
	}
	// 39: the focus can be seen.
	b.open("/account", "account")
	for range 8 {
		b.keys(kb.Tab)
		if got := eval[string](b, `(() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, parseFloat(s.outlineWidth) >= 2].join() })()`); got != "solid,true" {
			t.Errorf("the focus on %s looks like %s", eval[string](b, `document.activeElement.outerHTML.slice(0, 80)`), got)
		}
	}
	// 40: the menu of a phone.
	b.size(390, 800)
	b.open("/", "home")
	b.click("button", "Menu")
	b.until(`document.querySelector("#nav a[href='/files/']").checkVisibility() && document.querySelector("#nav").contains(document.activeElement)`)
	b.keys(kb.Escape)
	b.until(`document.activeElement?.matches("[data-menu]") && !document.querySelector("#nav").classList.contains("open")`)
}

func (p *pages) looksOfAdministrators(t *testing.T) {
	b := p.window(t, "c38a", "root")
	b.open("/admin", "admin")
	for _, name := range []string{"Users", "Sessions", "Audit log"} {
		b.sees("link", name)
	}
	id := p.s.sessions(t, "--user", "c38a")[0].ID
	p.looks(t, b, "c38a", "/admin/users/c38a", "/admin/sessions/"+id, "/admin/policy?group=ftp", "/admin/audit?event=login.ok")
}
