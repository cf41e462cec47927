package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// write makes a file of a person's own machine.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kept is what the server has of an account's file.
func (p *pages) kept(t *testing.T, user, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.s.data, "files", "localhost", "home", user, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// noise is bytes that do not repeat.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0] = byte(seed)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// sends chooses files in the form of the folder that is open, and sends them.
func (b *person) sends(paths ...string) {
	b.t.Helper()
	b.until(`document.querySelector("form[data-upload]")`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("form[data-upload]").closest("details").open = true; undefined`),
		chromedp.SetUploadFiles(chromedp.CSS("#upload"), paths), chromedp.Click(chromedp.CSS("form[data-upload] button.primary")))
}

func (b *person) file(name string) { b.t.Helper(); b.row(fmt.Sprintf(`file-row[data-name=%q]`, name)) }

// Check 18: three files by the form; FTP has the same.
func (p *pages) upload(t *testing.T) {
	b, dir := p.window(t, "c18", "user"), t.TempDir()
	content := map[string][]byte{"one.txt": []byte("one"), "two.bin": noise(1, 300_000), "empty": nil}
	var paths []string
	for name, c := range content {
		paths = append(paths, write(t, dir, name, c))
	}
	b.open("/files/", "files")
	b.sends(paths...)
	ftp := dialFTP(t, p.s.addr["ftp"])
	ftp.login("c18", password)
	ftp.do("TYPE I", "200")
	for name, c := range content {
		b.file(name)
		if got := ftp.fetch(name); !bytes.Equal(got, c) {
			t.Errorf("%s: %d bytes by FTP, want %d", name, len(got), len(c))
		}
	}
}

// Check 19: a folder of 200 files is dropped; all arrive under their names.
func (p *pages) dropFolder(t *testing.T) {
	b, dir := p.window(t, "c19", "user"), t.TempDir()
	const files = 200
	names := []string{"a b.txt", "100 %.txt", "#1 of #2.txt", "a%20b.txt", "grüße ☃.txt", "?q=x&y.txt", "+plus+.txt", "'quoted' \"twice\".txt", "<b>.txt", "deep/er/é.txt"}
	for i := len(names); i < files; i++ {
		names = append(names, fmt.Sprintf("file %03d.txt", i))
	}
	for _, n := range names {
		write(t, dir, "album/"+n, []byte(n))
	}
	b.open("/files/", "files")
	b.drops(filepath.Join(dir, "album"))
	b.within(2*waitLimit, has("upload-total")+`?.innerText === "200 uploaded"`)
	b.open("/files/album", "files")
	for _, n := range names {
		if got := string(p.kept(t, "c19", "album/"+n)); got != n {
			t.Errorf("%s has %q", n, got)
		}
	}
	shown := map[string]bool{}
	for more := true; more; {
		for _, n := range eval[[]string](b, `[...document.querySelectorAll("[data-testid=file-row]")].map((r) => r.querySelector(".name span").innerText)`) {
			shown[n] = true
		}
		if more = eval[bool](b, `!!document.querySelector("nav.pages a[rel=next]")`); more {
			b.open(eval[string](b, `document.querySelector("nav.pages a[rel=next]").getAttribute("href")`), "files")
		}
	}
	for _, n := range names[:9] {
		if !shown[n] {
			t.Errorf("the list lacks %q", n)
		}
	}
	if len(shown) != files { // and the folder deep in the place of what is in it
		t.Errorf("%d rows", len(shown))
	}

	// A stranger drops a folder into a drop box, in which one of that name stands: it comes beside that one, whole.
	b.open("/files/?share=album", "files")
	b.press(`input[name="kind"][value="drop"]`)
	b.click("button", "Create link")
	b.sees("heading", "Shares")
	link := eval[string](b, `document.querySelector("[data-testid=share-row] input").value`)
	for _, n := range []string{"deep/c.txt", "deep/est/100 %.txt"} {
		write(t, dir, "sent/"+n, []byte(n))
	}
	guest := p.person(t)
	guest.do(chromedp.Navigate(link))
	guest.drops(filepath.Join(dir, "sent", "deep"))
	guest.until(has("upload-total") + `?.innerText === "2 uploaded"`)
	for _, n := range []string{"c.txt", "est/100 %.txt"} {
		if got := string(p.kept(t, "c19", "album/deep (2)/"+n)); got != "deep/"+n {
			t.Errorf("%s has %q", n, got)
		}
	}
}

// Check 20: the network goes in the middle of a large upload and comes back; nothing is lost, and progress does
// not begin anew.
func (p *pages) brokenUpload(t *testing.T) {
	b, dir := p.window(t, "c20", "user"), t.TempDir()
	b.allow("ERR_INTERNET_DISCONNECTED")
	const size, chunk = 50_000_000, 8 << 20
	big := write(t, dir, "big.bin", noise(2, size))
	line := func(offline bool) {
		call(t, b.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: offline, DownloadThroughput: -1, UploadThroughput: 30e6}}})
		call(t, b.ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: 30e6})
	}
	b.open("/files/", "files")
	line(false)
	b.sends(big)
	b.do(chromedp.Evaluate[chromedp.Void](`window.seen = [];
		new MutationObserver(() => { const v = document.querySelector("[data-testid=upload-item] progress")?.value; if (v !== undefined && v !== seen.at(-1)) seen.push(v); })
			.observe(document.querySelector("[data-testid=upload-queue]"), { subtree: true, childList: true, attributes: true }); undefined`))
	b.until(fmt.Sprintf(`seen.at(-1) > %d`, size*2/5))
	line(true)
	b.until(`!navigator.onLine && ` + has("upload-total") + `.innerText.includes("connection is lost")`)
	line(false)
	b.within(2*waitLimit, has("upload-total")+`?.innerText === "1 uploaded"`)
	if sha256.Sum256(p.kept(t, "c20", "big.bin")) != sha256.Sum256(noise(2, size)) {
		t.Error("the file is another one")
	}
	seen := eval[[]float64](b, "seen")
	most := 0.0
	for _, v := range seen {
		if v < most-chunk {
			t.Errorf("progress goes back from %.0f to %.0f", most, v)
		}
		most = max(most, v)
	}
	if most < size {
		t.Errorf("progress ends at %.0f", most)
	}
}

// Check 21: what stands there already is asked about before anything is sent.
func (p *pages) conflict(t *testing.T) {
	b, dir := p.window(t, "c21", "user"), t.TempDir()
	own := write(t, dir, "one.txt", []byte("another one"))
	for _, how := range []struct{ choice, has, second string }{{"skip", "the first", ""}, {"keep", "the first", "another one"}, {"replace", "another one", "another one"}} {
		if how.choice == "skip" {
			b.open("/files/", "files")
			b.sends(write(t, t.TempDir(), "one.txt", []byte("the first")))
			b.file("one.txt")
		}
		b.open("/files/", "files")
		b.do(chromedp.Evaluate[chromedp.Void](`window.sent = 0; for (const m of ["open"]) { const was = XMLHttpRequest.prototype[m]; XMLHttpRequest.prototype[m] = function (method, ...rest) { if (method === "POST" || method === "PATCH") sent++; return was.call(this, method, ...rest); }; } undefined`))
		b.sends(own)
		b.sees("dialog", "1 file is there already")
		if n := eval[int](b, "sent"); n != 0 {
			t.Errorf("%d requests before the answer", n)
		}
		b.do(chromedp.SetValue(chromedp.CSS(`dialog[open] .conflicts select`), how.choice))
		b.click("button", "Upload")
		b.until(`!document.querySelector("dialog[open]")`)
		if how.choice != "skip" {
			b.until(has("upload-total") + `?.innerText === "1 uploaded"`)
		}
		if got := string(p.kept(t, "c21", "one.txt")); got != how.has {
			t.Errorf("%s: one.txt has %q", how.choice, got)
		}
		if how.second != "" {
			b.file("one (2).txt")
			if got := string(p.kept(t, "c21", "one (2).txt")); got != how.second {
				t.Errorf("%s: the second has %q", how.choice, got)
			}
		}
	}
}

// Check 22: what the quota does not hold is refused before it is sent, in words that stay.
func (p *pages) overQuota(t *testing.T) {
	p.account(t, "c22", "user")
	p.s.run(t, "", "user", "set", "c22", "--quota", "1MB")
	b, dir := p.person(t), t.TempDir()
	b.login("c22", password)
	b.allow("507", "413")
	b.open("/files/", "files")
	b.do(chromedp.Evaluate[chromedp.Void](`window.bodies = 0; { const was = XMLHttpRequest.prototype.send; XMLHttpRequest.prototype.send = function (body) { bodies += body?.size ?? 0; return was.call(this, body); }; } undefined`))
	b.sends(write(t, dir, "huge.bin", noise(3, 30<<20)))
	b.row(`upload-item[data-name="huge.bin"][data-state="failed"]`)
	said := b.text(`upload-item[data-name="huge.bin"]`)
	if !strings.Contains(said, "huge.bin") || !strings.Contains(said, "quota") {
		t.Errorf("the page says %q", said)
	}
	if sent := eval[int](b, "bodies"); sent > 0 {
		t.Errorf("%d bytes were sent", sent)
	}
	b.sees("alert", "…")
	// Ten seconds later, by the clock of the page.
	b.passes(10_000)
	if got := b.text(`upload-item[data-name="huge.bin"]`); got != said {
		t.Errorf("ten seconds later it says %q", got)
	}
	if _, err := os.Stat(filepath.Join(p.s.data, "files", "localhost", "home", "c22", "huge.bin")); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
}

// passes lets the page's clock go on by so many milliseconds, at once.
func (b *person) passes(ms float64) {
	b.t.Helper()
	over := chromedp.Events(b.ctx, emulation.VirtualTimeBudgetExpired)
	call(b.t, b.ctx, emulation.SetVirtualTimePolicy, emulation.SetVirtualTimePolicyParams{Policy: emulation.VirtualTimePolicyAdvance, Budget: &ms})
	for _, err := range over {
		if err != nil {
			b.t.Fatal(err)
		}
		break
	}
}

// Check 23: renamed, moved, deleted, and back from the trash.
func (p *pages) renames(t *testing.T) {
	b, dir := p.window(t, "c23", "user"), t.TempDir()
	b.open("/files/", "files")
	b.sends(write(t, dir, "draft.txt", []byte("content")))
	b.file("draft.txt")
	b.open("/files/", "files")
	b.click("summary", "New folder")
	b.types("Folder name", "done")
	b.click("button", "New folder")
	b.row("flash-success")
	b.at("files")
	b.file("done")
	const current = `document.activeElement?.closest("[data-testid=file-row]")?.dataset.name`
	for at := ""; at != "draft.txt"; { // by way of the folders, which stand above
		b.keys("j")
		b.until(current + ` && ` + current + ` !== ` + fmt.Sprintf("%q", at))
		at = eval[string](b, current)
	}
	b.keys(kb.F2)
	b.sees("heading", "Rename")
	b.at("files")
	b.do(chromedp.Clear(chromedp.CSS(`main form input[name="to"]`)), chromedp.SendKeys(chromedp.CSS(`main form input[name="to"]`), "final.txt\r"))
	b.file("final.txt")
	b.no(`file-row[data-name="draft.txt"]`)
	b.click("checkbox", "Tick final.txt")
	b.click("button", "Move")
	b.sees("heading", "…ove…")
	b.click("button", "done")
	b.click("button", "Move here")
	b.row("flash-success")
	b.open("/files/done", "files")
	b.file("final.txt")
	b.press(tested(`file-row[data-name="final.txt"]`) + ` a[href*="delete="]`)
	b.sees("heading", "…elete…")
	b.click("button", "Delete")
	b.row("flash-success")
	b.no(`file-row[data-name="final.txt"]`)
	b.open("/trash", "trash")
	b.click("button", "Restore final.txt")
	b.no(`trash-row[data-name="final.txt"]`)
	b.open("/files/done", "files")
	b.file("final.txt")
	if got := string(p.kept(t, "c23", "done/final.txt")); got != "content" {
		t.Errorf("it has %q", got)
	}
}

// Check 24: a link with a password, opened by somebody else, until it is ended.
func (p *pages) share(t *testing.T) {
	b, dir := p.window(t, "c24", "user"), t.TempDir()
	b.open("/files/", "files")
	b.sends(write(t, dir, "plan.txt", []byte("the plan")))
	b.file("plan.txt")
	b.press(tested(`file-row[data-name="plan.txt"]`) + ` a[href*="share="]`)
	b.until(`document.querySelector("main form[action='/shares/new']")`)
	b.at("files")
	b.do(chromedp.SendKeys(chromedp.CSS(`form[action="/shares/new"] input[type=password], form[action="/shares/new"] #password`), "open sesame 9"))
	b.click("button", "Create link")
	b.at("shares")
	b.row(`share-row[data-state="active"]`)
	link := eval[string](b, has("share-row")+`.querySelector("input[readonly]").value`)
	path := strings.TrimPrefix(link, p.base)
	if !strings.HasPrefix(path, "/s/") || strings.ContainsAny(path, "?#&") {
		t.Fatalf("the link is %s", link)
	}
	visitor := p.person(t)
	visitor.allow("403", "401", "410", "422")
	visitor.open(path, "share")
	visitor.types("Password of the link", "wrong")
	visitor.click("button", "Open")
	visitor.row("error-summary")
	visitor.types("Password of the link", "open sesame 9")
	visitor.click("button", "Open")
	visitor.sees("heading", "plan.txt")
	if at := eval[string](visitor, `location.href`); at != link {
		t.Errorf("the address is %s", at)
	}
	if got := eval[string](visitor, `fetch(document.querySelector("main a[download]").href).then((r) => r.text())`); got != "the plan" {
		t.Errorf("downloaded %q", got)
	}
	b.click("button", "…the link to…")
	b.press("dialog[open] button.danger")
	b.no(`share-row[data-state="active"]`)
	res, err := chromedp.Run(visitor.ctx, chromedp.NavigateResponse(link))
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != 410 {
		t.Errorf("the ended link answers %d", res.Status)
	}
	visitor.until(`document.body.innerText.includes("no longer")`)
}

// Check 25: names and contents that want to be a page.
func (p *pages) evilFiles(t *testing.T) {
	b, dir := p.window(t, "c25", "user"), t.TempDir()
	const script = `<script>alert(document.cookie)</script><img src=x onerror=alert(2)>`
	name := `<img src=x onerror=alert(1)>.txt`
	evil := map[string]string{
		name:         "plain " + script,
		"page.html":  "<!doctype html><title>x</title>" + script,
		"page.xhtml": `<html xmlns="http://www.w3.org/1999/xhtml"><body><script>alert(3)</script></body></html>`,
		"image.svg":  `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(4)</script><rect width="9" height="9" onload="alert(5)"/></svg>`,
		"fake.png":   "<html>" + script,
		"notes.md":   "# x\n" + script + "\n[x](javascript:alert(6))",
		"data.csv":   "a,b\n" + `"<img src=x onerror=alert(7)>","=1+1"` + "\n",
		"feed.xml":   `<?xml version="1.0"?><?xml-stylesheet href="javascript:alert(8)"?><x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>alert(9)</h:script></x>`,
		"doc.pdf":    "%PDF-1.4\n" + script,
	}
	var paths []string
	for n, c := range evil {
		paths = append(paths, write(t, dir, n, []byte(c)))
	}
	b.open("/files/", "files")
	b.sends(paths...)
	b.within(waitLimit, has("upload-total")+`?.innerText === "`+fmt.Sprint(len(evil))+` uploaded"`)
	b.open("/files/", "files")
	if got := eval[string](b, `[...document.querySelectorAll("[data-testid=file-row]")].map((r) => r.querySelector(".name span").innerText).find((n) => n.includes("onerror"))`); got != name {
		t.Errorf("the name reads %q", got)
	}
	b.allow("404", "sandbox", "Blocked script execution", "plugin-types", "Content Security Policy") // the file's own policy stops its scripts, and says so
	for n := range evil {
		for _, ask := range []string{"?view", "?share=" + url.QueryEscape(n), "?rename=" + url.QueryEscape(n), "?delete=" + url.QueryEscape(n)} {
			path := "/files/" + url.PathEscape(n) + "?view"
			if ask != "?view" {
				path = "/files/" + ask
			}
			b.open(path, "")
		}
		// The bytes themselves, as a page of their own: what is not downloaded may do nothing here.
		got := eval[[]string](b, fmt.Sprintf(`fetch(%q).then((r) => [r.headers.get("content-disposition") ?? "", r.headers.get("content-security-policy") ?? "", r.headers.get("x-content-type-options") ?? "", r.headers.get("content-type") ?? ""])`, "/files/"+url.PathEscape(n)))
		if !strings.HasPrefix(got[0], "attachment") && !strings.Contains(got[1], "sandbox") || got[2] != "nosniff" {
			t.Errorf("%s is sent with %q", n, got)
		}
		if strings.Contains(got[1], "allow-scripts") || strings.Contains(got[1], "allow-same-origin") {
			t.Errorf("%s may run: %q", n, got)
		}
	}
}

// Check 26: all of it without script.
func (p *pages) withoutScript(t *testing.T) {
	p.account(t, "c26", "user")
	b, dir := p.person(t), t.TempDir()
	call(t, b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.bare = true
	b.login("c26", password)
	b.click("link", "Files")
	b.at("files")
	b.sends(write(t, dir, "plain.txt", []byte("by a form")))
	b.file("plain.txt")
	b.press(tested(`file-row[data-name="plain.txt"]`) + ` a[href*="rename="]`)
	b.until(`document.querySelector("main form input[name=to]")`)
	b.at("files")
	b.do(chromedp.Clear(chromedp.CSS(`main form input[name="to"]`)), chromedp.SendKeys(chromedp.CSS(`main form input[name="to"]`), "renamed.txt\r"))
	b.file("renamed.txt")
	if got := string(p.kept(t, "c26", "renamed.txt")); got != "by a form" {
		t.Errorf("it has %q", got)
	}
	b.press(tested(`file-row[data-name="renamed.txt"]`) + ` a[href*="delete="]`)
	b.click("button", "Delete")
	b.row("flash-success")
	b.no(`file-row[data-name="renamed.txt"]`)
	ftp := dialFTP(t, p.s.addr["ftp"])
	ftp.login("c26", password)
	b.open("/sessions", "sessions")
	b.press(tested(`session-row[data-protocol="ftp"]`) + " button")
	if reply, err := ftp.reply(); err != nil || !strings.HasPrefix(reply, "421") {
		t.Errorf("FTP: %q, %v", reply, err)
	}
	b.row("flash-success")
	b.press(`details.dropdown summary`)
	b.click("button", "Log out")
	b.at("login")
}
