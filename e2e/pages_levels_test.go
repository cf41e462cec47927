package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// rule opens the matrix of pages, chooses a level in a resource's row, and applies it after the review.
func (b *person) rule(resource, level string) {
	b.t.Helper()
	b.open("/admin/policy?group=pages", "admin.policy")
	b.row(`level-row[data-resource="` + resource + `"]`)
	b.do(chromedp.SetValue(chromedp.CSS(tested(`level-row[data-resource="`+resource+`"]`)+" select"), level))
	b.click("button", "Review")
	b.row(`review-rule[data-pattern="` + resource + `"]`)
	b.click("button", "Apply")
}

// Check 14: a page is raised in the matrix, with a review; whoever is below it gets 404 at once, until it is
// taken back.
func (p *pages) levels(t *testing.T) {
	user := newWeb(t, p.s.addr["web"])
	user.login(p.account(t, "c14", "user"), password)
	want := func(status int) {
		t.Helper()
		if got, _, _ := user.get("/shares"); got != status {
			t.Errorf("/shares answers %d, want %d", got, status)
		}
	}
	want(http.StatusOK)
	root := p.window(t, "c14r", "root")
	root.rule("web:/shares", "30")
	root.row("flash-success")
	want(http.StatusNotFound)
	root.row(`level-row[data-resource="web:/shares"][data-required="30"]`)
	root.click("button", "Undo")
	root.until(`!document.querySelector("form[action='/admin/policy/undo']")`)
	root.open("/admin/policy?group=pages", "admin.policy")
	root.row(`level-row[data-resource="web:/shares"][data-required="2"]`)
	want(http.StatusOK)
}

// Check 15: *Try it* says yes or no, the rule, and what the client sees; a rule that would shut the last one
// out is refused with the reason.
func (p *pages) tryIt(t *testing.T) {
	name := p.account(t, "c15", "user")
	root := p.window(t, "c15r", "root")
	root.allow("409", "403", "422")
	ask := func(resource string) string {
		root.open("/admin/policy", "admin.policy")
		root.types("Resource", resource)
		root.types("User or level", name)
		root.click("button", "Explain")
		return root.text("decision")
	}
	if got := ask("ftp:STOR"); !strings.HasPrefix(got, "Yes") || !strings.Contains(got, "ftp:STOR") || !strings.Contains(got, "ecided by") {
		t.Errorf("STOR: %q", got)
	}
	if got := ask("web:/admin/policy"); !strings.HasPrefix(got, "No") || !strings.Contains(got, "404") {
		t.Errorf("the matrix: %q", got)
	}
	root.open("/admin/policy?group=pages", "admin.policy")
	root.types("Further rules", "web:/admin/policy = never")
	root.click("button", "Review")
	root.until(`/shut out|would/.test(document.querySelector("main").innerText) && !document.querySelector("[data-testid=review-rule]")`)
	root.sees("alert", "…")
}

// Check 16: how to connect, and copying it; the way of chat has its address and a code.
func (p *pages) home(t *testing.T) {
	b := p.window(t, "c16", "user")
	b.clipboard()
	b.open("/", "home")
	b.click("tab", "…FTP…")
	b.click("button", "Copy server")
	b.until(`document.querySelector("#announce").innerText.includes("server copied")`)
	if got := eval[string](b, `navigator.clipboard.readText()`); got != "127.0.0.1" {
		t.Errorf("copied %q", got)
	}
	fields := eval[map[string]string](b, `Object.fromEntries([...document.querySelectorAll("#card-ftp [data-testid=copy-value]")].map((f) => [f.labels[0].innerText, f.value]))`)
	if fields["Port"] != port(p.s.addr["ftp"]) || fields["User"] != "c16" {
		t.Errorf("the fields of FTP: %v", fields)
	}
	for _, card := range []string{"ftp", "dav", "xmpp", "api"} {
		if n := eval[int](b, `document.querySelectorAll("#card-`+card+` [data-testid=copy-value]").length`); n < 2 {
			t.Errorf("%s has %d fields to copy", card, n)
		}
	}
	b.keys(kb.ArrowRight) // the focus is on a button of the panel: nothing moves
	b.click("tab", "…XMPP…")
	b.sees("image", "…xmpp:c16@localhost…")
	b.until(`document.querySelector("#card-xmpp").innerText.includes("xmpp:c16@")`)
}

// Check 17: a test of the connection really makes it, and says what is wrong where there is no listener.
func (p *pages) connection(t *testing.T) {
	b := p.window(t, "c17", "user")
	b.open("/", "home")
	b.click("tab", "…FTP…")
	b.click("button", "…Test connection…")
	for _, step := range []string{"control", "tls", "login", "passive"} {
		b.within(15e9, has(`connect-step[data-id="`+step+`"]`)+`?.dataset.state.match(/^(ok|warning)$/)`)
	}
	b.until(`!document.querySelector("#card-ftp form.probe button").disabled`)
}
