package web_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/config"
	"trivium/identity"
	"trivium/web"
)

// raw sends bytes to the plain listener and returns what comes until the server closes.
func (s *site) raw(parts ...string) string {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.plain, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range parts {
		if _, err := io.WriteString(c, p); err != nil {
			break // the server may have closed
		}
	}
	b, err := io.ReadAll(c)
	if err != nil && len(b) == 0 {
		return "cut: " + err.Error()
	}
	return string(b)
}

// What the second request of a smuggler gets: no answer, as the connection has ended.
func TestSmuggling(t *testing.T) {
	s := newSite(t)
	const next = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for _, tt := range []struct{ name, request string }{
		{"both lengths", "POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"two lengths", "POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n"},
		{"bad length", "POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n"},
		{"unknown coding", "POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"},
		{"two codings", "POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
		{"space before the colon", "POST /login HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n"},
		{"no host", "GET /healthz HTTP/1.1\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := s.raw(tt.request, next)
			if strings.Contains(out, `"ok"`) || strings.Count(out, "HTTP/1.1 ") > 1 {
				t.Errorf("the second request was answered: %q", out)
			}
		})
	}
	if out := s.raw("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", next); strings.Count(out, "HTTP/1.1 ") != 2 {
		t.Errorf("an honest second request was not answered: %q", out)
	}
}

func TestLimits(t *testing.T) {
	s := newSite(t, func(w *web.Options, _ *identity.Options) {
		w.Limits.HTTPHeaderTimeout, w.Limits.HTTPBodyTimeout = 300*time.Millisecond, 300*time.Millisecond
	})
	s.user("user1", identity.LevelUser)
	b := s.browser()
	get := func(target, header string) string {
		return s.raw("GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + header + "\r\n")
	}
	if out := get("/"+strings.Repeat("a", 9000), ""); !strings.HasPrefix(out, "HTTP/1.1 414") {
		t.Errorf("long address: %.40q", out)
	}
	if out := get("/healthz", "X: "+strings.Repeat("a", 40000)+"\r\n"); !strings.HasPrefix(out, "HTTP/1.1 431") {
		t.Errorf("long header: %.40q", out)
	}
	if out := s.raw("GET /healthz HTTP/1.1\r\nHost: a\r\n"); strings.Contains(out, "200") {
		t.Errorf("slow header: %.40q", out)
	}
	token := b.token("/login")
	b.send("/login", url.Values{"csrf": {token}, "login": {strings.Repeat("a", 70000)}}).expect(t, http.StatusRequestEntityTooLarge, "64 kB")
	cookie := "Cookie: as=" + b.cookie("as") + "\r\n"
	head := "POST /login HTTP/1.1\r\nHost: a\r\n" + cookie + "Content-Type: application/x-www-form-urlencoded\r\n"
	// The body says 100 bytes and stops.
	if out := s.raw(head+"Content-Length: 100\r\n\r\n", "csrf="+token); !strings.HasPrefix(out, "HTTP/1.1 408") {
		t.Errorf("slow body: %.200q", out)
	}
	if out := s.raw(head+"Transfer-Encoding: chunked\r\n\r\n", "5\r\ncsrf=\r\nzz\r\n"); !strings.HasPrefix(out, "HTTP/1.1 400") {
		t.Errorf("bad chunk: %.200q", out)
	}
	if out := s.raw(head+"Content-Length: 6\r\nConnection: close\r\n\r\n", "csrf=%"); !strings.HasPrefix(out, "HTTP/1.1 400") {
		t.Errorf("bad escape: %.200q", out)
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t)
	for _, base := range []string{s.plain, s.https} {
		for _, path := range []string{"/login", "/no-such-page", "/healthz"} {
			h := s.browserAt(base).get(path).Header
			for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';",
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
				"Permissions-Policy": "camera=()", "Cache-Control": "no-store", "X-Request-Id": ""} {
				if got := h.Get(name); got == "" || !strings.HasPrefix(got, want) {
					t.Errorf("%s%s: %s is %q", base, path, name, got)
				}
			}
			if hsts := h.Get("Strict-Transport-Security"); (hsts != "") != strings.HasPrefix(base, "https") {
				t.Errorf("%s: HSTS %q", base, hsts)
			}
		}
	}
	page := s.browser().get("/login").body
	for _, ref := range []string{"css/app.css", "js/app.js", "img/mark.svg"} {
		i := strings.Index(page, ref)
		if i < 0 {
			t.Fatalf("no %s on the page", ref)
		}
		address := page[strings.LastIndex(page[:i], `"`)+1 : i+len(ref)]
		a := s.browser().get(address).expect(t, http.StatusOK)
		if got := a.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") || len(a.Cookies()) > 0 {
			t.Errorf("%s: %q, %v", address, got, a.Cookies())
		}
	}
}

func TestALPN(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		offer []string
		ok    bool
	}{{nil, true}, {[]string{"http/1.1"}, true}, {[]string{"h2"}, true}, {[]string{"ftp"}, false}, {[]string{"xmpp-client"}, false}, {[]string{"xmpp-client", "http/1.1"}, true}} {
		c, err := tls.Dial("tcp", strings.TrimPrefix(s.https, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: tt.offer})
		if (err == nil) != tt.ok {
			t.Errorf("%v: %v", tt.offer, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func TestRedirectToHTTPS(t *testing.T) {
	s := newSite(t, func(w *web.Options, _ *identity.Options) { w.Config.Plain = "redirect" })
	u, err := url.Parse(s.https)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"example.org": "example.org", "127.0.0.1:80": "127.0.0.1", "evil.example": "example.org", "localhost": "localhost"} {
		r := s.browser().request(http.MethodPost, "/login?next=%2Fa", strings.NewReader("a=b"))
		r.Host = host
		a := s.browser().do(r).expect(t, http.StatusPermanentRedirect)
		if got, want := a.Header.Get("Location"), "https://"+want+":"+u.Port()+"/login?next=%2Fa"; got != want {
			t.Errorf("Host %s: %q, want %q", host, got, want)
		}
		if len(a.Cookies()) > 0 {
			t.Error("a cookie on plain http")
		}
	}
}

func TestListenFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := newSite(t)
	other, err := web.New(web.Options{Config: config.Web{Listen: []string{"127.0.0.1:0", taken.Addr().String()}}, Domain: "example.org",
		Identity: s.identity, Tokens: s.tokens, Files: s.files})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("%v", err)
	}
	if got := other.Addrs(); len(got) > 0 {
		t.Errorf("%v stays open", got)
	}
	if _, err := web.New(web.Options{}); err == nil {
		t.Error("New without services")
	}
}

func TestMounts(t *testing.T) {
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, " ", r.URL.Path) })
	s := newSite(t, func(w *web.Options, _ *identity.Options) {
		w.API, w.Mounts = show, map[string]http.Handler{"/xmpp-websocket": show}
	})
	b := s.browser()
	for _, path := range []string{"/api", "/api/v1/sessions", "/xmpp-websocket"} {
		for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			if a := b.do(b.request(m, path, nil)); a.body != m+" "+path || len(a.Cookies()) > 0 {
				t.Errorf("%s %s: %d %q", m, path, a.StatusCode, a.body)
			}
		}
	}
	b.get("/apix").expect(t, http.StatusNotFound)
}

func TestTrustedProxy(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		s := newSite(t, func(w *web.Options, _ *identity.Options) {
			if trusted {
				w.Config.TrustedProxies = prefixes("127.0.0.0/8", "10.0.0.0/8")
			}
		})
		s.user("user1", identity.LevelUser)
		b := s.browser()
		r := b.request(http.MethodGet, "/login", nil)
		r.Header.Set("X-Forwarded-For", "203.0.113.66, 192.0.2.7, 10.0.0.1")
		r.Header.Set("X-Forwarded-Proto", "https")
		a := b.do(r)
		var addrs []string
		for _, i := range s.identity.Registry.List(identity.Filter{}) {
			addrs = append(addrs, i.RemoteAddr)
		}
		if forwarded := slices.ContainsFunc(addrs, func(x string) bool { return strings.HasPrefix(x, "192.0.2.7") }); forwarded != trusted || len(addrs) != 1 {
			t.Errorf("trusted %v: %v", trusted, addrs)
		}
		if secure := strings.HasPrefix(a.Cookies()[0].Name, "__Host-"); secure != trusted {
			t.Errorf("trusted %v: cookie %s", trusted, a.Cookies()[0].Name)
		}
	}
}

// Shutdown lets a request end that has begun, and takes no new one.
func TestShutdownDrains(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := newSite(t, func(w *web.Options, _ *identity.Options) {
		w.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-leave
			fmt.Fprint(w, "done")
		})
	})
	c, err := net.Dial("tcp", strings.TrimPrefix(s.plain, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /api/v1 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	until(t, "closing the listener", func() bool {
		probe, err := net.Dial("tcp", strings.TrimPrefix(s.plain, "http://"))
		if err == nil {
			_ = probe.Close()
		}
		return err != nil
	})
	close(leave)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "done" {
		t.Errorf("%q, %v", b, err)
	}
	if err := <-down; err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
