package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
	"trivium/web"
)

// An absolute-form target without a host must not make our name the user part of another's address.
func TestRedirectOfOddTargets(t *testing.T) {
	s := newSite(t, func(w *web.Options, _ *identity.Options) { w.Config.Plain = "redirect" })
	for _, target := range []string{"x:@evil.example/", "x:.evil.example", "http://evil.example/", "//evil.example/", "*"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.plain, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		method := "GET"
		if target == "*" {
			method = "OPTIONS"
		}
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n", method, target)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		_ = res.Body.Close()
		_ = conn.Close()
		if res.StatusCode != http.StatusPermanentRedirect {
			continue
		}
		u, err := url.Parse(res.Header.Get("Location"))
		if err != nil || u.Hostname() != "example.org" || u.User != nil {
			t.Errorf("%s leads to %q", target, res.Header.Get("Location"))
		}
	}
}

// stream opens an event stream; the answer's body stays open.
func (b *browser) stream(path string) *http.Response {
	b.t.Helper()
	r := b.request(http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/event-stream")
	res, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func TestStreamsOfOneSession(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	var open []*http.Response
	for range 10 {
		res := b.stream("/sessions/events")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("stream %d: %d", len(open)+1, res.StatusCode)
		}
		open = append(open, res)
	}
	if res := b.stream("/sessions/events"); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the eleventh: %d", res.StatusCode)
	}
	if res := s.browser().login("user1").stream("/sessions/events"); res.StatusCode != http.StatusOK {
		t.Errorf("of another session: %d", res.StatusCode)
	}
	_ = open[0].Body.Close()
	until(t, "a free stream", func() bool { return b.stream("/sessions/events").StatusCode == http.StatusOK })
}

// A page that is left open follows by itself; the session of the person who went away still ends.
func TestLivePageIsNoActivity(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s := newSite(t, func(w *web.Options, o *identity.Options) { w.Now, o.Now = clock, clock })
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	ask := func(header, value string) int {
		mu.Lock()
		now = now.Add(25 * time.Minute) // the time-out is an hour
		mu.Unlock()
		r := b.request(http.MethodGet, "/sessions", nil)
		if header != "" {
			r.Header.Set(header, value)
		}
		return b.do(r).StatusCode
	}
	for range 4 {
		if got := ask("", ""); got != http.StatusOK {
			t.Fatalf("somebody is there: %d", got)
		}
	}
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusSeeOther} {
		if got := ask("X-Trivium-Part", "rows"); got != want {
			t.Errorf("fetch %d of the page alone: %d, want %d", i+1, got, want)
		}
	}
}

// An open screen does not suffice to take the account: the own password is changed where the
// present one is asked for.
func TestOwnPasswordNotAsAdministrator(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	s.user("root1", identity.LevelRoot)
	for _, name := range []string{"admin1", "root1"} {
		b := s.browser().login(name)
		page := b.get("/admin/users/"+name).expect(t, http.StatusOK, `href="/account"`)
		if strings.Contains(page.body, "/admin/users/"+name+"/password") {
			t.Errorf("%s: the form is there", name)
		}
		b.post("/account", "/admin/users/"+name+"/password", "password", "another long password").expect(t, http.StatusSeeOther)
		b.get("/admin/users/"+name).expect(t, http.StatusOK, "asks for the present one")
		s.browser().login(name)
	}
}

// What the API counts and bans is the client, not the proxy before us.
func TestForeignHandlerSeesTheClient(t *testing.T) {
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) })
	for name, c := range map[string]struct {
		trusted []netip.Prefix
		want    string
	}{
		"a trusted proxy": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "203.0.113.9"},
		"a stranger":      {nil, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(w *web.Options, _ *identity.Options) { w.API, w.Config.TrustedProxies = show, c.trusted })
			b := s.browser()
			r := b.request(http.MethodGet, "/api/v1/me", nil)
			r.Header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9")
			if host, _, err := net.SplitHostPort(b.do(r).body); err != nil || host != c.want {
				t.Errorf("it sees %q, want %q: %v", host, c.want, err)
			}
		})
	}
}
