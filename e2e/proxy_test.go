package e2e

import (
	"encoding/json"

	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/html"
)

// proxied is a server that people see below a path, behind a proxy.
type proxied struct {
	*server
	t      *testing.T
	front  string // the address of the pages
	path   string // "/trivium"
	client *http.Client
}

// behind starts a server behind a proxy that answers for everything outside of the path itself. strips says
// whether the proxy takes the path away.
func behind(t *testing.T, strips bool) *proxied {
	t.Helper()
	p := &proxied{t: t, path: "/trivium"}
	var back atomic.Pointer[url.URL]
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != p.path && !strings.HasPrefix(r.URL.Path, p.path+"/") {
			http.Error(w, "another site", http.StatusTeapot)
			return
		}
		(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(x *httputil.ProxyRequest) {
			x.SetURL(back.Load())
			x.SetXForwarded()
			if strips {
				x.Out.URL.Path = strings.TrimPrefix(x.Out.URL.Path, p.path)
				x.Out.URL.RawPath = strings.TrimPrefix(x.Out.URL.RawPath, p.path)
			}
		}}).ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p.front = front.URL + p.path
	p.server = serve(t, "--set", "web.public_url="+p.front+"/", "--set", "web.trusted_proxies=127.0.0.1", "--set", "provider.enabled=true")
	back.Store(&url.URL{Scheme: "http", Host: p.addr["web"]})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.client = &http.Client{Jar: jar, Transport: front.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p
}

func (p *proxied) do(method, at string, body io.Reader, head ...string) (*http.Response, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, at, body)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	if len(head) == 0 && method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		p.t.Fatal(err)
	}
	return res, string(b)
}

// login logs in, and returns where that led to.
func (p *proxied) login(name, next string) string {
	p.t.Helper()
	at := p.front + "/login?next=" + url.QueryEscape(next)
	_, page := p.do(http.MethodGet, at, nil)
	res, _ := p.do(http.MethodPost, p.front+"/login", strings.NewReader(url.Values{"csrf": {csrfOf(page)}, "login": {name}, "password": {password}, "next": {next}}.Encode()))
	return res.Header.Get("Location")
}

// leaves tells why an address of a page leads out of the site; "" where it does not.
func (p *proxied) leaves(at *url.URL) string {
	site, _ := url.Parse(p.front)
	switch {
	case at.Scheme != "http" && at.Scheme != "https", at.Host != site.Host:
		return "" // of others, and schemes of programs
	case at.Path != p.path && !strings.HasPrefix(at.Path, p.path+"/"):
		return "it leaves " + p.path
	case strings.HasPrefix(at.Path, p.path+p.path):
		return "it has the path twice"
	}
	return ""
}

// crawl opens the page and all that it leads to, and returns how many pages and other files that were.
func (p *proxied) crawl(from string) (pages, files int) {
	p.t.Helper()
	start, err := url.Parse(from)
	if err != nil {
		p.t.Fatal(err)
	}
	queue, seen := []*url.URL{start}, map[string]bool{}
	for len(queue) > 0 && pages < 150 {
		at := queue[0]
		queue = queue[1:]
		res, body := p.do(http.MethodGet, at.String(), nil)
		if to, err := res.Location(); err == nil {
			if why := p.leaves(to); why != "" {
				p.t.Errorf("%s redirects to %s: %s", at, to, why)
			}
			continue
		}
		if res.StatusCode != http.StatusOK {
			p.t.Errorf("%s: %s", at, res.Status)
			continue
		}
		kind := res.Header.Get("Content-Type")
		add := func(ref string, fetch bool) {
			to, err := at.Parse(ref)
			if err != nil {
				p.t.Errorf("%s has %q: %v", at, ref, err)
				return
			}
			if why := p.leaves(to); why != "" {
				p.t.Errorf("%s has %q: %s", at, ref, why)
				return
			}
			to.Fragment = ""
			if site := start.Host == to.Host && to.Scheme == start.Scheme; fetch && site && !seen[to.Path+short(to.RawQuery)] {
				seen[to.Path+short(to.RawQuery)] = true
				queue = append(queue, to)
			}
		}
		switch {
		case strings.HasPrefix(kind, "text/html"):
			pages++
			p.refs(at, body, add)
		case strings.HasPrefix(kind, "text/javascript"):
			files++
			for _, m := range imports.FindAllStringSubmatch(body, -1) {
				add(m[1], true)
			}
		default:
			files++
		}
	}
	return pages, files
}

// imports are what a module of ours needs.
var imports = regexp.MustCompile(`(?m)^import [^"]*"(\.[^"]+)"`)

// short is what tells kinds of pages at one path apart: the names in a query.
func short(query string) string {
	q, _ := url.ParseQuery(query)
	names := []string{}
	for n := range q {
		names = append(names, n)
	}
	slices.Sort(names)
	return "?" + strings.Join(names, "&")
}

// refs are the addresses in a page.
func (p *proxied) refs(at *url.URL, page string, add func(ref string, fetch bool)) {
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		if z.Next() == html.ErrorToken {
			return
		}
		tok := z.Token()
		for _, a := range tok.Attr {
			switch {
			case a.Key == "href" || a.Key == "src":
				add(a.Val, true)
			case a.Key == "action" || a.Key == "formaction":
				add(a.Val, false)
			case a.Key == "data-socket" || a.Key == "data-script" || a.Key == "data-files" || a.Key == "data-live" && strings.HasPrefix(a.Val, "/") || a.Key == "data-charts" || a.Key == "data-options" || a.Key == "data-chat-state":
				add(a.Val, false)
			}
		}
	}
}

// TestBelowAPath is a server at https://site/trivium/: nothing on any page leads out of it, and each way in
// works below it, whether the proxy takes the path away or not.
func TestBelowAPath(t *testing.T) {
	for name, strips := range map[string]bool{"the proxy takes the path away": true, "the proxy leaves it": false} {
		t.Run(name, func(t *testing.T) {
			p := behind(t, strips)
			if !strings.HasPrefix(p.setup, p.front+"/setup?code=") {
				t.Errorf("set up at %s", p.setup)
			}
			p.run(t, password+"\n", "user", "add", "root1", "--level", "root", "--password-stdin")
			p.run(t, password+"\n", "user", "add", "alice", "--level", "customer", "--password-stdin")
			p.waysIn(strings.TrimSpace(p.run(t, "", "token", "issue", "alice", "--scope", "web,api")))
			if strips {
				return
			}
			if at := p.login("root1", "/admin/users?level=user"); at != p.path+"/admin/users?level=user" {
				t.Errorf("the log-in leads to %q", at)
			}
			u, _ := url.Parse(p.front)
			if got := p.client.Jar.Cookies(&url.URL{Scheme: "https", Host: u.Host, Path: "/other/"}); len(got) > 0 {
				t.Errorf("another site on the host gets %v", got)
			}
			p.fill()
			if pages, files := p.crawl(p.front + "/"); pages < 35 || files < 15 {
				t.Errorf("%d pages and %d files are all that is there", pages, files)
			}
			p.client.Jar, _ = cookiejar.New(nil) // never fails without options
			if pages, _ := p.crawl(p.front + "/login"); pages < 1 {
				t.Error("a stranger sees no log-in")
			}
			p.inABrowser()
		})
	}
}

// fill makes something to be seen.
func (p *proxied) fill() {
	home := filepath.Join(p.data, "files", "localhost", "home", "root1")
	if err := os.MkdirAll(filepath.Join(home, "a folder"), 0o750); err != nil {
		p.t.Fatal(err)
	}
	for _, n := range []string{"one.txt", "two.csv", "a folder/three #%.txt"} {
		if err := os.WriteFile(filepath.Join(home, n), []byte("a,b\nc,d\n"), 0o640); err != nil {
			p.t.Fatal(err)
		}
	}
	p.run(p.t, "", "invite", "add", "--level", "user")
}

// waysIn are those of programs: DAV, the API, resumable uploads, links, what is found by well-known names.
func (p *proxied) waysIn(token string) {
	t := p.t
	bearer := "Bearer " + token
	dav := p.front + "/dav/"
	if res, _ := p.do(http.MethodPut, dav+"a%20b.txt", strings.NewReader("content"), "Authorization", bearer); res.StatusCode != http.StatusCreated {
		t.Errorf("PUT: %s", res.Status)
	}
	if res, _ := p.do("MOVE", dav+"a%20b.txt", nil, "Authorization", bearer, "Destination", dav+"b.txt"); res.StatusCode != http.StatusCreated {
		t.Errorf("MOVE: %s", res.Status)
	}
	res, body := p.do("PROPFIND", dav, nil, "Authorization", bearer, "Depth", "1")
	if res.StatusCode != http.StatusMultiStatus || !strings.Contains(body, ">"+p.path+"/dav/b.txt<") || strings.Contains(body, ">/dav/") {
		t.Errorf("PROPFIND: %s %s", res.Status, body)
	}
	res, body = p.do("LOCK", dav+"b.txt", strings.NewReader(`<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`), "Authorization", bearer, "Content-Type", "application/xml")
	if !strings.Contains(body, "<D:lockroot><D:href>"+p.path+"/dav/b.txt</D:href>") {
		t.Errorf("LOCK: %s %s", res.Status, body)
	}
	if res, _ := p.do(http.MethodPut, dav+"b.txt", strings.NewReader("more"), "Authorization", bearer, "If", "<"+dav+"b.txt> (<"+strings.Trim(res.Header.Get("Lock-Token"), "<>")+">)"); res.StatusCode != http.StatusNoContent {
		t.Errorf("PUT with the token: %s", res.Status)
	}
	if res, _ := p.do(http.MethodGet, dav, nil, "Authorization", bearer); res.Header.Get("Location") != p.path+"/files/" {
		t.Errorf("a folder of DAV in a browser: %s", res.Header.Get("Location"))
	}
	for at, want := range map[string]string{"/api/v1/openapi.json": `"openapi"`, "/api/v1/reference": `href="openapi.json"`, "/api/v1/me": `"alice"`} {
		if res, body := p.do(http.MethodGet, p.front+at, nil, "Authorization", bearer); res.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %s", at, res.Status)
		}
	}
	var doc struct {
		Issuer        string `json:"issuer"`
		Authorization string `json:"authorization_endpoint"`
		Keys          string `json:"jwks_uri"`
	}
	_, body = p.do(http.MethodGet, p.front+"/.well-known/openid-configuration", nil)
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Issuer != p.front || !strings.HasPrefix(doc.Authorization, p.front+"/") {
		t.Errorf("%+v, %v", doc, err)
	}
	if res, _ := p.do(http.MethodGet, doc.Keys, nil); res.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", doc.Keys, res.Status)
	}
	if at := p.login("alice", "/files/"); at != p.path+"/files/" {
		t.Fatalf("the log-in leads to %q", at)
	}
	_, page := p.do(http.MethodGet, p.front+"/files/", nil)
	res, _ = p.do(http.MethodPost, p.front+"/files/", nil, "Tus-Resumable", "1.0.0", "Upload-Length", "5", "Upload-Metadata", "filename YS50eHQ=", "X-CSRF-Token", csrfOf(page))
	at, err := res.Location()
	if err != nil || !strings.HasPrefix(at.String(), p.front+"/files/a.txt?") {
		t.Fatalf("an upload begins: %s at %v", res.Status, at)
	}
	if res, _ := p.do(http.MethodPatch, at.String(), strings.NewReader("12345"), "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream", "X-CSRF-Token", csrfOf(page)); res.StatusCode != http.StatusNoContent {
		t.Errorf("the upload goes on: %s", res.Status)
	}
	p.do(http.MethodPost, p.front+"/shares/new", strings.NewReader(url.Values{"csrf": {csrfOf(page)}, "path": {"/a.txt"}, "expires": {"7"}}.Encode()))
	_, page = p.do(http.MethodGet, p.front+"/shares", nil)
	link := regexp.MustCompile(`value="(http[^"]+/s/[^"]+)"`).FindStringSubmatch(page)
	if link == nil || !strings.HasPrefix(link[1], p.front+"/s/") {
		t.Fatalf("the link is %q", link)
	}
	if _, body := p.do(http.MethodGet, link[1]+"?download", nil); body != "12345" {
		t.Errorf("the link gives %q", body)
	}
	if invite := p.run(t, "", "invite", "add"); !strings.Contains(invite, p.front+"/join/") {
		t.Errorf("an invitation: %q", invite)
	}
	// A page that needs a log-in comes back to itself.
	p.client.Jar, _ = cookiejar.New(nil) // never fails without options
	if res, _ := p.do(http.MethodGet, p.front+"/sessions", nil); res.Header.Get("Location") != p.path+"/login?next=%2Fsessions" {
		t.Errorf("a stranger is sent to %s", res.Header.Get("Location"))
	}
}

// inABrowser is a person who logs in, uploads, and sees what happens live.
func (p *proxied) inABrowser() {
	t := p.t
	ctx := browse(t, chromedp.Flag("ignore-certificate-errors", true))
	origin, _, _ := strings.Cut(p.front, p.path)
	seen := watch(t, ctx, origin)
	do(t, ctx, "log in", chromedp.Navigate(p.front+"/files/?sort=name"), chromedp.WaitVisible(chromedp.CSS(`body[data-page="login"]`)),
		chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "root1"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password+"\r"),
		chromedp.WaitVisible(chromedp.CSS(`body[data-page="files"]`)), pageReady())
	if _, err := os.Stat("../web/assets/vendor/tus.min.js"); err == nil {
		file := filepath.Join(t.TempDir(), "from the browser.txt")
		if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		do(t, ctx, "upload", chromedp.Click(chromedp.CSS("details.tool summary.primary")), chromedp.SetUploadFiles(chromedp.CSS("#upload"), []string{file}), chromedp.Click(chromedp.CSS("form[data-upload] button.primary")),
			chromedp.WaitReady(chromedp.CSS(`[data-testid=upload-item][data-state=done]`)), chromedp.WaitReady(chromedp.CSS(`[data-testid=file-row][data-name="from the browser.txt"]`)))
	}
	do(t, ctx, "live", chromedp.Navigate(p.front+"/admin/sessions"), chromedp.WaitReady(chromedp.CSS(`[data-testid="live-status"]`)), pageReady())
	ftp := dialFTP(t, p.addr["ftp"])
	ftp.login("alice", password)
	do(t, ctx, "a row comes", chromedp.WaitVisible(chromedp.CSS(`[data-testid="session-row"][data-protocol="ftp"][data-user="alice"]`)))
	if _, err := os.Stat("../web/assets/vendor/converse/converse.min.js.gz"); err == nil {
		do(t, ctx, "chat", chromedp.Navigate(p.front+"/chat"), chromedp.WaitReady(chromedp.CSS(`#chat[data-state="open"]`)))
	}
	seen.none(t)
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.cookie`))
	if err != nil || strings.Contains(out, "ls=") {
		t.Errorf("%q, %v", out, err)
	}
}
