package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// app sets up an authenticator app in the browser and returns what makes its codes, and the recovery codes.
func (w *webClient) app() (code func(later time.Duration) string, recovery []string) {
	w.t.Helper()
	_, _, page := w.get("/security/app")
	m := appKey.FindStringSubmatch(page)
	if m == nil {
		w.t.Fatalf("no key on the page: %s", page)
	}
	secret := strings.ReplaceAll(m[1], " ", "")
	code = func(later time.Duration) string {
		c, err := totp.GenerateCode(secret, time.Now().Add(later))
		if err != nil {
			w.t.Fatal(err)
		}
		return c
	}
	if status, to, body := w.submit("/security/app", "/security/app", url.Values{"code": {code(-30 * time.Second)}}); status != http.StatusSeeOther {
		w.t.Fatalf("setting up: %d %s %s", status, to, body)
	}
	_, _, page = w.get("/security")
	for _, m := range recoveryCode.FindAllStringSubmatch(page, -1) {
		recovery = append(recovery, m[1])
	}
	return code, recovery
}

// in reports whether the browser is logged in.
func (w *webClient) in() bool { status, _, _ := w.get("/security"); return status == http.StatusOK }

// half logs in by password alone, where a code is asked next.
func half(t *testing.T, s *server, user string) *webClient {
	t.Helper()
	w := newWeb(t, s.addr["web"])
	status, to, body := w.submit("/login", "/login", url.Values{"login": {user}, "password": {password}})
	if status != http.StatusSeeOther || !strings.HasPrefix(to, "/login/totp") {
		t.Fatalf("the password leads to %d %q: %s", status, to, body)
	}
	return w
}

// TestCodeAtTwoPlacesAtOnce: a code of an authenticator app lets in once, however many send it at the same
// moment, and is no proof of anything else after that, within the minute in which it would be good.
func TestCodeAtTwoPlacesAtOnce(t *testing.T) {
	s := serve(t, "--set", "limits.ban_after=0")
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	owner := newWeb(t, s.addr["web"])
	owner.login("alice", password)
	code, recovery := owner.app()
	const many = 6
	for what, fields := range map[string]url.Values{
		"a code":          {"code": {code(0)}},
		"a recovery code": {"code": {recovery[0]}, "way": {"recovery"}},
	} {
		var all [many]*webClient
		for i := range all {
			all[i] = half(t, s, "alice")
		}
		var in atomic.Int32
		var wg sync.WaitGroup
		for _, w := range all {
			_, _, page := w.get("/login/totp?way=" + fields.Get("way"))
			form := url.Values{"csrf": {csrfOf(page)}}
			for k, v := range fields {
				form[k] = v
			}
			wg.Go(func() {
				r, err := w.c.PostForm(w.base+"/login/totp", form)
				if err != nil {
					t.Error(err)
					return
				}
				_ = r.Body.Close()
			})
		}
		wg.Wait()
		for _, w := range all {
			if w.in() {
				in.Add(1)
			}
		}
		if in.Load() != 1 {
			t.Errorf("%s lets %d of %d in", what, in.Load(), many)
		}
	}
}

// csrfOf is the token of the first form on a page.
func csrfOf(page string) string {
	for _, tag := range hiddenField.FindAllString(page, -1) {
		if strings.Contains(tag, `name="csrf"`) {
			return attribute.FindAllStringSubmatch(tag, -1)[1][2]
		}
	}
	return ""
}

// TestHalfwaySessionIsNobody: after the password and before the code, a browser has nothing: no page, no
// operation, no file, no socket for chat; and what it was given does not live on after the log-in.
func TestHalfwaySessionIsNobody(t *testing.T) {
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "alice", "--level", "admin", "--password-stdin")
	owner := newWeb(t, s.addr["web"])
	owner.login("alice", password)
	code, _ := owner.app()
	w := half(t, s, "alice")
	for _, path := range []string{"/files", "/files/home/alice", "/sessions", "/tokens", "/security", "/security/app", "/profile", "/groups", "/admin", "/admin/users", "/admin/audit", "/confirm", "/takeout"} {
		if status, to, _ := w.get(path); status == http.StatusOK || status == http.StatusSeeOther && !strings.HasPrefix(to, "/login") {
			t.Errorf("%s: %d to %q", path, status, to)
		}
	}
	for _, path := range []string{"/api/v1/me", "/api/v1/users", "/api/v1/tokens", "/api/v1/sessions", "/dav/", "/xmpp-websocket"} {
		if status, _, body := w.get(path); status < 400 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	_, _, page := w.get("/login/totp")
	form := url.Values{"csrf": {csrfOf(page)}, "label": {"stolen"}, "scope": {"api"}, "login": {"puppet"}, "password": {"another long pass phrase"}, "level": {"50"},
		"confirm_code": {code(0)}, "confirm_password": {password}}
	for _, action := range []string{"/tokens/new", "/admin/users/new", "/security/remove", "/security/codes", "/profile", "/confirm", "/security/chat"} {
		r, err := w.c.PostForm(w.base+action, form)
		if err != nil {
			t.Fatal(err)
		}
		if status, to, _ := w.read(r); status == http.StatusOK || status == http.StatusSeeOther && !strings.HasPrefix(to, "/login") {
			t.Errorf("POST %s: %d to %q", action, status, to)
		}
	}
	if got := s.run(t, "", "token", "list", "--json"); strings.Contains(got, "stolen") {
		t.Errorf("a token was made: %s", got)
	}
	if got := s.run(t, "", "user", "list", "--json"); strings.Contains(got, "puppet") {
		t.Errorf("an account was made: %s", got)
	}
	// The cookie of the way is worth nothing once it is gone.
	base, _ := url.Parse(w.base)
	before := w.c.Jar.Cookies(base)
	if w.submit("/login/totp", "/login/totp", url.Values{"code": {code(0)}}); !w.in() {
		t.Fatal("the code does not let in")
	}
	thief := newWeb(t, s.addr["web"])
	thief.c.Jar.SetCookies(base, before)
	if thief.in() {
		t.Error("the cookie from before the code is logged in")
	}
}

// TestPlantedCookies: what a stranger plants in another's browser before the log-in is not logged in after
// it, whatever it is called and wherever it stood; nor is what the browser had itself.
func TestPlantedCookies(t *testing.T) {
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	stranger := newWeb(t, s.addr["web"])
	stranger.get("/login")
	base, _ := url.Parse(stranger.base)
	victim := newWeb(t, s.addr["web"])
	for _, c := range stranger.c.Jar.Cookies(base) {
		for _, name := range []string{"as", "ls"} {
			victim.c.Jar.SetCookies(base, []*http.Cookie{{Name: name, Value: c.Value, Path: "/"}})
		}
	}
	victim.login("alice", password)
	if !victim.in() {
		t.Fatal("the victim is not logged in")
	}
	if stranger.in() {
		t.Error("the stranger's cookie is logged in")
	}
	for _, c := range stranger.c.Jar.Cookies(base) {
		for _, name := range []string{"as", "ls", "__Host-ls", "__Secure-ls"} {
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			w := newWeb(t, s.addr["web"])
			w.c.Jar = jar
			jar.SetCookies(base, []*http.Cookie{{Name: name, Value: c.Value, Path: "/"}})
			if w.in() {
				t.Errorf("the planted value as %s is logged in", name)
			}
		}
	}
	before := victim.c.Jar.Cookies(base)
	victim.submit("/sessions", "/logout", nil)
	again := newWeb(t, s.addr["web"])
	again.c.Jar.SetCookies(base, before)
	if again.in() {
		t.Error("the cookie is logged in after the log-out")
	}
}

// TestHostileHook: a system that is asked for passwords answers rubbish, without end, slowly, or sends on to
// an address inside. Its people are told that it cannot be reached; the accounts here go on; nobody inside
// is asked anything.
func TestHostileHook(t *testing.T) {
	var inside atomic.Int32
	listen := func(h http.HandlerFunc) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: h, ReadHeaderTimeout: clientLimit}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
		return "http://" + l.Addr().String()
	}
	secret := listen(func(http.ResponseWriter, *http.Request) { inside.Add(1) })
	answers := map[string]http.HandlerFunc{
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("\x00\xff<html>")) },
		"yes": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"ok":true,"person":{"id":"1","login":"eve"}}`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, secret+"/latest/meta-data/", http.StatusTemporaryRedirect)
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"slow": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	}
	var how atomic.Value
	hook := listen(func(w http.ResponseWriter, r *http.Request) { answers[how.Load().(string)](w, r) })
	conf := filepath.Join(t.TempDir(), "trivium.toml")
	text := fmt.Sprintf("[identity.hook.office]\nurl = %q\nsecret = \"a secret of some length, 32 bytes\"\ncreate = true\ncache = \"0s\"\ntimeout = \"2s\"\n", hook)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--config", conf, "--set", "limits.ban_after=0")
	s.run(t, password+"\n", "user", "add", "local", "--password-stdin")
	for what := range answers {
		how.Store(what)
		begin := time.Now()
		f := dialFTP(t, s.addr["ftp"])
		f.do("USER eve", "331")
		if got := f.do("PASS whatever it is", ""); strings.HasPrefix(got, "230") {
			t.Errorf("%s: %q", what, got)
		}
		if took := time.Since(begin); took > clientLimit {
			t.Errorf("%s: the answer took %s", what, took)
		}
		dialFTP(t, s.addr["ftp"]).login("local", password)
	}
	if inside.Load() != 0 {
		t.Errorf("an address inside was asked %d times", inside.Load())
	}
	if got := s.run(t, "", "user", "list", "--json"); strings.Contains(got, `"eve"`) {
		t.Errorf("an account was made of an answer that nobody signed: %s", got)
	}
}
