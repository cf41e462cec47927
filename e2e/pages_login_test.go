package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// from lets a client come from another address of the loopback network.
func (w *webClient) from(ip string) {
	d := &net.Dialer{Timeout: clientLimit, LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	w.c.Transport = &http.Transport{DialContext: d.DialContext}
	w.t.Cleanup(w.c.CloseIdleConnections)
}

// Check 5: an unknown name, a wrong password and a disabled account get the same page, in the same time. What
// else the machine does makes times longer and never shorter, so the least of each kind are compared, and
// more are taken until they agree.
func (p *pages) wrongLogins(t *testing.T) {
	const accounts, each = 4, 4 // a further wrong log-in of an account would have to wait
	// The program as people get it: the race detector makes the store slow, and hashes not. These take so long
	// that whether one is made is seen on a busy machine, too.
	s, err := start(binary{dir: suite.dir, path: suite.path, server: suite.path}, filepath.Join(t.TempDir(), "data"), "--set", "limits.ban_after=0",
		"--set", "identity.scram_iterations=200000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	q := &pages{s: s}
	for i := range accounts {
		q.account(t, fmt.Sprint("c05a", i), "user")
		s.run(t, "", "user", "disable", q.account(t, fmt.Sprint("c05b", i), "user"), "--yes")
	}
	least := map[string]time.Duration{}
	agree := func() bool {
		for _, d := range least {
			if d < least["wrong"]*7/10 || least["wrong"] < d*7/10 {
				return false
			}
		}
		return true
	}
	var first string
	for i := 0; i < accounts*each && (i < 3 || !agree()); i++ {
		for j, c := range []struct{ kind, name, secret string }{{"unknown", fmt.Sprint("c05c", i/each), password}, {"wrong", fmt.Sprint("c05a", i/each), "not this one"}, {"disabled", fmt.Sprint("c05b", i/each), password}} {
			w := newWeb(t, s.addr["web"])
			w.from(fmt.Sprintf("127.5.%d.%d", i, j+1))
			_, _, page := w.get("/login")
			form := url.Values{"csrf": {csrfOf(page)}, "login": {c.name}, "password": {c.secret}}
			began := time.Now()
			res, err := w.c.PostForm(w.base+"/login", form)
			if err != nil {
				t.Fatal(err)
			}
			if d, ok := time.Since(began), least[c.kind] > 0; !ok || d < least[c.kind] {
				least[c.kind] = d
			}
			status, _, body := w.read(res)
			if status != http.StatusUnauthorized || !strings.Contains(body, "Name or password is wrong.") {
				t.Fatalf("%s: %d %s", c.kind, status, body)
			}
			body = regexp.MustCompile(`name="csrf" value="[^"]*"`).ReplaceAllString(strings.ReplaceAll(body, c.name, "NAME"), "")
			if first == "" {
				first = body
			}
			if body != first {
				t.Errorf("%s gets another page", c.kind)
			}
		}
	}
	if !agree() {
		t.Errorf("the least times differ: %v", least)
	}
}

// Check 6: a log-in without a mouse; the first Tab of a page reaches its content, and Tab goes as one reads.
func (p *pages) keyboard(t *testing.T) {
	name := p.account(t, "c06", "user")
	b := p.person(t)
	b.open("/login", "login")
	b.keys(name + "\t" + password + "\r")
	b.at("home")
	for _, path := range []string{"/", "/files/", "/sessions", "/tokens"} {
		b.open(path, "")
		b.keys(kb.Tab)
		b.until(`document.activeElement.matches("a.skip") && document.activeElement.innerText === "Skip to content"`)
		if top := eval[float64](b, `document.activeElement.getBoundingClientRect().top`); top < 0 {
			t.Errorf("%s: the link cannot be seen: %v", path, top)
		}
	}
	b.open("/tokens", "tokens")
	b.keys(kb.Tab + "\r")
	b.until(`document.activeElement?.id === "main"`)
	// In the content, each next thing is further down, or in the same line further to the right.
	b.open("/account", "account")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("section[aria-labelledby=profile] input:not([type=hidden])").focus(); undefined`))
	var seen [][2]float64
	for range 6 {
		at := eval[[]float64](b, `(() => { const r = document.activeElement.getBoundingClientRect(); return [r.top + scrollY, r.left]; })()`)
		seen = append(seen, [2]float64{at[0], at[1]})
		b.keys(kb.Tab)
	}
	for i := 1; i < len(seen); i++ {
		if seen[i][0] < seen[i-1][0]-20 {
			t.Errorf("Tab goes back up: %v", seen)
		}
	}
}

// elsewhere are spellings of another site.
var elsewhere = []string{
	"//evil.example/", "///evil.example/", "////evil.example", "https://evil.example/", "http://evil.example", "HTTPS://EVIL.EXAMPLE", "https:evil.example", "https:/evil.example",
	`\\evil.example`, `/\evil.example`, `\/evil.example`, `/\/evil.example`, `//\evil.example`, "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "ftp://evil.example/", "//evil.example@localhost/", "https://localhost@evil.example/",
	"@evil.example", ".evil.example", "/%09/evil.example", "/..//evil.example", "/.//evil.example", "//evil%E3%80%82example", "／／evil.example", "/x/../..//evil.example", "?//evil.example", "#//evil.example",
}

// Check 7, and open redirects: whatever next says, a log-in stays on this site.
func (p *pages) next(t *testing.T) {
	name := p.account(t, "c07", "user")
	b := p.person(t)
	b.allow("404")
	in := newWeb(t, p.s.addr["web"])
	in.login(name, password)
	here, err := url.Parse(p.base + "/login")
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range elsewhere {
		_, logged, _ := in.get("/login?next=" + url.QueryEscape(next))
		_, logging, _ := newWeb(t, p.s.addr["web"]).submit("/login", "/login", url.Values{"login": {name}, "password": {password}, "next": {next}})
		for _, to := range []string{logged, logging} {
			u, err := here.Parse(to)
			if to == "" || err != nil || u.Host != here.Host || u.Scheme != here.Scheme {
				t.Errorf("%q leads to %q, %v", next, to, err)
			}
			// How a browser understands it, which is not how Go does.
			if got := eval[string](b, fmt.Sprintf(`new URL(%q, %q).origin`, to, p.base+"/login")); got != p.base {
				t.Errorf("%q leads a browser to %q", next, got)
			}
		}
	}
	for _, next := range []string{"//evil.example/", "https://evil.example/", `/\evil.example`} {
		b.open("/login?next="+url.QueryEscape(next), "login")
		b.sign(name, password)
		b.until(`document.body.dataset.user === "` + name + `"`)
		if got := eval[string](b, `location.origin`); got != p.base {
			t.Errorf("%q leads to %s", next, got)
		}
		call(t, b.ctx, network.ClearBrowserCookies, cdp.Empty{})
	}
	// The control: a path of this site is gone to.
	b.open("/login?next="+url.QueryEscape("/sessions?x=1"), "login")
	b.sign(name, password)
	b.at("sessions")
}

// Check 10: the cookie is another one before the log-in, after it, and after the log-out; the old one is worth
// nothing, and Back shows nothing.
func (p *pages) cookies(t *testing.T) {
	name := p.account(t, "c10", "user")
	b := p.person(t)
	value := func(name string) string {
		if c := b.cookies()[name]; c != nil {
			return c.Value
		}
		return ""
	}
	b.open("/login", "login")
	before := value("as")
	b.sign(name, password)
	b.at("home")
	in := value("ls")
	b.open("/account", "account")
	b.logout()
	after := value("as")
	if before == "" || in == "" || after == "" || before == after || in == before || value("ls") != "" {
		t.Errorf("cookies: %q, then %q, then %q", before, in, after)
	}
	w := newWeb(t, p.s.addr["web"])
	for _, c := range []string{"ls=" + in, "as=" + before, "as=" + in} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+"/account", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", c)
		res, err := w.c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if status, to, _ := w.read(res); status != http.StatusSeeOther || !strings.HasPrefix(to, "/login") {
			t.Errorf("%.8s… opens %d %s", c, status, to)
		}
	}
	b.do(chromedp.NavigateBack())
	b.at("login")
	if got := eval[string](b, `document.body.innerText`); strings.Contains(got, name) {
		t.Errorf("Back shows %q", got)
	}
}
