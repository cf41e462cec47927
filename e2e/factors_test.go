package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

var (
	appKey       = regexp.MustCompile(`id="totp-secret" value="([A-Z2-7 ]+)"`)
	recoveryCode = regexp.MustCompile(`<li><code>([0-9A-Z]{5}-[0-9A-Z]{5})</code></li>`)
	chatCode     = regexp.MustCompile(`data-testid="chat-code">([0-9A-Z]{3}-[0-9A-Z]{3})<`)
	askedInChat  = regexp.MustCompile(`<iq[^>]* id='([^']+)'[^>]*><confirm xmlns='http://jabber.org/protocol/http-auth' id='([^']+)'`)
)

// basic asks with Basic credentials and returns the status.
func basic(t *testing.T, method, address, user, password string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(user, password)
	r.Header.Set("Depth", "0") // of PROPFIND
	res, err := (&http.Client{Timeout: clientLimit}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// A person sets up an authenticator app. From then on the password alone opens nothing on any road,
// app passwords do, a code works once; chat confirms log-ins and refuses a thief's; an administrator
// helps who has lost it all.
func TestSecondFactorOnAllRoads(t *testing.T) {
	const password = "correct horse battery"
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	token := strings.TrimSpace(s.run(t, "", "token", "issue", "alice", "--scope", "ftp,web,xmpp,api", "--label", "phone"))
	dav, api := "http://"+s.addr["web"]+"/dav/", "http://"+s.addr["web"]+"/api/v1/me"
	dialFTP(t, s.addr["ftp"]).login("alice", password)
	if got := basic(t, "PROPFIND", dav, "alice", password); got != http.StatusMultiStatus {
		t.Fatalf("WebDAV before: %d", got)
	}

	web := newWeb(t, s.addr["web"])
	web.login("alice", password)
	_, _, page := web.get("/security/app")
	m := appKey.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no key on the page: %s", page)
	}
	secret := strings.ReplaceAll(m[1], " ", "")
	code := func(later time.Duration) string {
		c, err := totp.GenerateCode(secret, time.Now().Add(later))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if status, to, body := web.submit("/security/app", "/security/app", url.Values{"code": {code(0)}}); status != http.StatusSeeOther {
		t.Fatalf("setting up: %d %s %s", status, to, body)
	}
	_, _, page = web.get("/security")
	codes := recoveryCode.FindAllStringSubmatch(page, -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes", len(codes))
	}

	f := dialFTP(t, s.addr["ftp"])
	f.do("USER alice", "331")
	if got := f.do("PASS "+password, "530"); !strings.Contains(got, "app password") {
		t.Errorf("FTP says %q", got)
	}
	f = dialFTP(t, s.addr["ftp"])
	f.do("USER alice", "331")
	if got := f.do("PASS wrong", "530"); strings.Contains(got, "second factor") {
		t.Errorf("FTP tells a stranger %q", got)
	}
	dialFTP(t, s.addr["ftp"]).login("alice", token)
	for address, method := range map[string]string{dav: "PROPFIND", api: http.MethodGet} {
		if got := basic(t, method, address, "alice", password); got != http.StatusUnauthorized {
			t.Errorf("%s by password: %d", address, got)
		}
		if got := basic(t, method, address, "alice", token); got >= 300 {
			t.Errorf("%s by app password: %d", address, got)
		}
	}
	x := dialXMPP(t, s.addr["xmpps"], "localhost")
	x.send(plainAuth("alice", password))
	if got := x.until(`</failure>`); !strings.Contains(got, "not-authorized") {
		t.Errorf("chat says %q", got)
	}
	phone := dialXMPP(t, s.addr["xmpps"], "localhost")
	phone.login("alice", token, "localhost", "phone")
	phone.send("<presence/>")

	half := func() *webClient {
		w := newWeb(t, s.addr["web"])
		status, to, _ := w.submit("/login", "/login", url.Values{"login": {"alice"}, "password": {password}})
		if status != http.StatusSeeOther || !strings.HasPrefix(to, "/login/totp") {
			t.Fatalf("the password leads to %d %q", status, to)
		}
		return w
	}
	in := func(w *webClient) bool { status, _, _ := w.get("/security"); return status == http.StatusOK }
	w, next := half(), code(30*time.Second)
	if in(w) {
		t.Fatal("the password alone lets in")
	}
	if w.submit("/login/totp", "/login/totp", url.Values{"code": {next}}); !in(w) {
		t.Fatal("the code does not let in")
	}
	w = half()
	if w.submit("/login/totp", "/login/totp", url.Values{"code": {next}}); in(w) {
		t.Error("a replayed code lets in")
	}
	w.submit("/login/totp?way=recovery", "/login/totp", url.Values{"code": {codes[0][1]}, "way": {"recovery"}})
	if !in(w) {
		t.Error("a recovery code does not let in")
	}
	w = half()
	if w.submit("/login/totp?way=recovery", "/login/totp", url.Values{"code": {codes[0][1]}, "way": {"recovery"}}); in(w) {
		t.Error("a recovery code lets in twice")
	}

	// Chat becomes a factor, once the person has allowed that there.
	answer := func(typ, body string) (shown string) {
		m := askedInChat.FindStringSubmatch(phone.until(`<confirm [^>]*/></iq>`))
		if m == nil {
			t.Fatal("no question in chat")
		}
		phone.send(fmt.Sprintf("<iq type='%s' id='%s' to='localhost'>%s</iq>", typ, m[1], body))
		return m[2]
	}
	// settled waits until the server has the answer.
	settled := func(w *webClient) {
		deadline := time.Now().Add(clientLimit)
		for time.Now().Before(deadline) {
			if _, _, body := w.get("/login/chat/state"); !strings.Contains(body, "waiting") {
				return
			}
		}
		t.Fatal("the answer in chat does not arrive")
	}
	web.submit("/security", "/security/chat", nil)
	_, _, page = web.get("/security")
	if shown := answer("result", ""); !strings.Contains(page, shown) {
		t.Error("the page shows another code than chat")
	}
	settled(web)
	if status, _, _ := web.submit("/security", "/security/chat/done", nil); status != http.StatusSeeOther {
		t.Fatalf("chat as a factor: %d", status)
	}
	w = half()
	w.submit("/login/totp", "/login/chat", nil)
	_, _, page = w.get("/login/totp")
	m = chatCode.FindStringSubmatch(page)
	if shown := answer("result", ""); m == nil || m[1] != shown {
		t.Errorf("the log-in shows %q, chat %q", m, shown)
	}
	settled(w)
	if w.submit("/login/totp", "/login/chat/done", nil); !in(w) {
		t.Error("what chat has allowed does not let in")
	}
	thief := half()
	thief.submit("/login/totp", "/login/chat", nil)
	answer("error", "<error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>")
	settled(thief)
	if thief.submit("/login/totp", "/login/chat/done", nil); in(thief) {
		t.Error("what chat has refused lets in")
	}

	var list []struct{ ID, Kind string }
	if err := json.Unmarshal([]byte(s.run(t, "", "user", "factor", "list", "alice", "--json")), &list); err != nil || len(list) != 3 {
		t.Errorf("factors %+v, %v", list, err)
	}
	if got := s.run(t, "", "user", "list", "--no-2fa", "--plain"); strings.Contains(got, "alice") {
		t.Errorf("without a second factor: %s", got)
	}
	if got := s.run(t, "", "user", "show", "alice"); !strings.Contains(got, "totp Authenticator app") || !strings.Contains(got, "9 left") {
		t.Errorf("user show: %s", got)
	}
	s.run(t, "", "user", "factor", "remove", "alice", "--yes")
	newWeb(t, s.addr["web"]).login("alice", password)
	dialFTP(t, s.addr["ftp"]).login("alice", password)
	audit := s.run(t, "", "audit", "--json")
	for _, event := range []string{"factor.add", "factor.remove", "login.factor"} {
		if !strings.Contains(audit, `"`+event+`"`) {
			t.Errorf("the audit log has no %s", event)
		}
	}
	for _, secret := range []string{secret, codes[1][1], password} {
		if strings.Contains(audit, secret) || strings.Contains(s.log.String(), secret) {
			t.Error("a secret stands in the log")
		}
	}
}
