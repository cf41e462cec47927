package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// evilText is markup that would show itself by a dialog, by an element, and by what it asks for. Where something takes only short names, the
// beginning is enough.
const evilText = `"><img src=x onerror=alert(1) id=xss><script>alert(2)</script>{{7*7}}`

// storedText is put wherever somebody can put text that another one sees; then every page is looked at, in
// search of an element that was made of it.
func (p *pages) storedText(t *testing.T) {
	p.account(t, "x1", "user", "--display", evilText)
	marks := map[string]string{} // where the text must be seen, so that the test is about something

	// Files, a share with its note, an invitation, a webhook.
	w := newWeb(t, p.s.addr["web"])
	w.c.Transport = agent{evilText}
	w.login("x1", password)
	ftp := dialFTP(t, p.s.addr["ftp"])
	ftp.do("CLNT "+evilText, "200")
	ftp.login("x1", password)
	ftp.do("TYPE I", "200")
	const file = `"><img src=x onerror=alert(1) id=xss>.txt`
	ftp.store(file, []byte(evilText))
	ftp.do("MKD "+`"><script>alert(3)<`, "257")
	if status, _, body := w.submit("/files/?share="+url.QueryEscape(file), "/shares/new", url.Values{"path": {"/" + file}, "note": {evilText}, "kind": {"read"}, "expires": {"30"}}); status != http.StatusSeeOther {
		t.Fatalf("share: %d %s", status, body)
	}
	p.s.run(t, "", "invite", "add", "--note", evilText)
	p.s.run(t, "", "webhook", "add", "https://hooks.example/"+url.PathEscape(evilText)+`?q="><img/src=x/onerror=alert(4)>`, "--note", evilText)
	p.s.run(t, "", "token", "issue", "x1", "--scope", "ftp", "--label", evilText)

	// Chat: a resource, the name of a contact, a status, software, a room.
	chat := dialXMPP(t, p.s.addr["xmpps"], "localhost")
	chat.login("x1", password, "localhost", escaped)
	chat.send(`<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='friend@localhost' name='` + escaped + `'/></query></iq>`)
	chat.until(`id='r1'`)
	chat.send(`<presence><status>` + escaped + `</status></presence>`)
	chat.until(`<presence`)

	// What strangers leave in the log.
	stranger := newWeb(t, p.s.addr["web"])
	stranger.c.Transport = agent{evilText}
	stranger.submit("/login", "/login", url.Values{"login": {evilText}, "password": {evilText}})
	bad := dialFTP(t, p.s.addr["ftp"])
	bad.do("USER "+evilText, "331")
	bad.do("PASS x", "530")
	dialFTP(t, p.s.addr["ftp"]).login(p.account(t, "x2", "user", "--display", evilText), password)
	p.s.run(t, "", "session", "end", "--user", "x2", "--reason", evilText, "--yes")

	own, root := p.person(t), p.window(t, "x9", "root")
	own.allow("404")
	own.login("x1", password)
	for _, path := range []string{"/", "/files/", "/files/?q=img", "/files/" + url.PathEscape(file) + "?view", "/files/?rename=" + url.QueryEscape(file), "/files/?delete=" + url.QueryEscape(file), "/shares", "/sessions", "/tokens", "/account", "/contacts", "/trash", "/files/?q=" + url.QueryEscape(evilText), "/no-such-" + url.PathEscape(evilText), "/login?next=" + url.QueryEscape("/"+evilText)} {
		marks["own "+path] = own.look(path)
	}
	nav := eval[[]string](root, `[...document.querySelectorAll("#nav a[href^='/admin']")].map((a) => a.getAttribute("href"))`)
	nav = append(nav, "/admin/users/x1", "/admin/audit?subject=x2", "/admin/audit?q="+url.QueryEscape(evilText), "/admin/users?q="+url.QueryEscape(evilText), "/admin/sessions?q="+url.QueryEscape(evilText))
	for _, s := range p.s.sessions(t, "--user", "x1") {
		nav = append(nav, "/admin/sessions/"+s.ID)
	}
	root.allow("422")
	for _, path := range nav {
		marks[path] = root.look(path)
	}
	const mark = "<img src=x onerror=alert(1) id=xss>"
	for _, path := range []string{"own /files/", "own /shares", "own /sessions", "own /tokens", "own /contacts", "/admin/users", "/admin/users/x1", "/admin/invites", "/admin/webhooks", "/admin/audit?subject=x2", "/admin/sessions"} {
		if !strings.Contains(marks[path], mark) {
			t.Errorf("%s does not show what was left there, so it proves nothing", path)
		}
	}
	// What a visitor of the link sees.
	link := eval[string](own, `fetch("/shares").then((r) => r.text()).then((h) => h.match(/\/s\/[A-Z0-9]+/)[0])`)
	p.person(t).look(link)
}

// agent is a client that calls itself something.
type agent struct{ name string }

func (a agent) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("User-Agent", a.name)
	return http.DefaultTransport.RoundTrip(r)
}

// endedUpload: the session ends while a large file is on its way; the page says so, the person logs in in another
// tab, and the upload goes on where it was.
func (p *pages) endedUpload(t *testing.T) {
	b, dir := p.window(t, "x3", "user"), t.TempDir()
	b.allow("401", "403")
	const size = 40_000_000
	call(t, b.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: 20e6}}})
	b.open("/files/", "files")
	b.sends(write(t, dir, "big.bin", noise(4, size)))
	const sent = `document.querySelector("[data-testid=upload-item] progress").value`
	b.until(sent + fmt.Sprintf(" > %d", size/4))
	for _, s := range p.s.sessions(t, "--user", "x3") {
		p.s.run(t, "", "session", "end", s.ID)
	}
	b.sees("dialog", "You have been logged out")
	if got := eval[float64](b, sent); got >= size {
		t.Fatalf("all %.0f bytes were sent before the end", got)
	}
	tab, cancel := chromedp.NewContext(b.ctx)
	defer cancel()
	if err := chromedp.Do(tab, chromedp.Navigate(b.base+"/login"), chromedp.SendKeys(chromedp.CSS("#login"), "x3"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"),
		chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"] body[data-page="home"]`))); err != nil {
		t.Fatal(err)
	}
	b.click("button", "Go on")
	b.until(has("upload-total") + `?.innerText === "1 uploaded"`)
	if sha256.Sum256(p.kept(t, "x3", "big.bin")) != sha256.Sum256(noise(4, size)) {
		t.Error("the file is another one")
	}
}

// cancelledZip: who asks for a zip of a huge tree and goes away leaves nothing behind.
func (p *pages) cancelledZip(t *testing.T) {
	w := newWeb(t, p.s.addr["web"])
	w.login(p.account(t, "x4", "user"), password)
	home := filepath.Join(p.s.data, "files", "localhost", "home", "x4")
	for i := range 40 { // holes, which take no room
		path := filepath.Join(home, "huge", fmt.Sprint(i%8), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(1 << 30); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	inHome := func() (list []string) {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.s.cmd.Process.Pid))
		if err != nil {
			t.Skip("this system does not say which files are open")
		}
		for _, f := range fds {
			if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.s.cmd.Process.Pid, f.Name())); err == nil && strings.HasPrefix(to, filepath.Join(home, "huge")) {
				list = append(list, to)
			}
		}
		return list
	}
	_, _, page := w.get("/files/")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+"/files/", strings.NewReader(url.Values{"csrf": {csrfOf(page)}, "do": {"zip"}, "name": {"huge"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := (&http.Client{Jar: w.c.Jar}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	first := make([]byte, 100_000)
	if _, err := io.ReadFull(res.Body, first); err != nil || !bytes.HasPrefix(first, []byte("PK")) {
		t.Fatalf("%d, %v, %q", res.StatusCode, err, first[:20])
	}
	if got := inHome(); len(got) == 0 {
		t.Error("nothing is open while it is packed, so this proves nothing")
	}
	cancel()
	waitFor(t, "the files are closed", func() bool { return len(inHome()) == 0 })
	waitFor(t, "no session does anything", func() bool {
		out := p.s.run(t, "", "transfer", "list", "--json")
		return !strings.Contains(out, "x4")
	})
}

// restarted: the server goes away under an open page and comes back. The page says so and finds back by itself.
func (p *pages) restarted(t *testing.T) {
	b := p.window(t, "x5", "admin")
	b.allow("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "503")
	b.open("/admin/sessions", "admin.sessions")
	b.until(has("live-status") + `?.innerText === "Live"`)
	if err := p.s.stop(); err != nil {
		t.Fatal(err)
	}
	b.until(has("live-status") + `?.innerText === "Connection lost, retrying."`)
	p.start(t)
	b.until(has("live-status") + `?.innerText === "Live"`)
	dialFTP(t, p.s.addr["ftp"]).login(p.account(t, "x6", "user"), password)
	b.row(`session-row[data-protocol="ftp"][data-user="x6"]`)
	b.click("link", "Users") // still logged in
	b.at("admin.users")
	if !slices.Contains(eval[[]string](b, `[...document.querySelectorAll("[data-testid=user-row]")].map((r) => r.dataset.name)`), "x6") {
		t.Error("the list is not of now")
	}
}
