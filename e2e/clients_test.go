package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// clientLimit bounds every exchange of the small clients below.
const clientLimit = 20 * time.Second

// ftpClient is a control connection.
type ftpClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dialFTP(t *testing.T, addr string) *ftpClient {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, clientLimit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	f := &ftpClient{t, c, bufio.NewReader(c)}
	f.expect("220")
	return f
}

// reply reads one reply, of one or more lines (RFC 959 section 4.2).
func (f *ftpClient) reply() (string, error) {
	_ = f.conn.SetReadDeadline(time.Now().Add(clientLimit))
	var all strings.Builder
	first := ""
	for {
		line, err := f.r.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String(), err
		}
		if first == "" && len(line) > 3 {
			first = line[:3]
			if line[3] != '-' {
				return all.String(), nil
			}
		} else if strings.HasPrefix(line, first+" ") {
			return all.String(), nil
		}
	}
}

func (f *ftpClient) expect(code string) string {
	f.t.Helper()
	got, err := f.reply()
	if err != nil || !strings.HasPrefix(got, code) {
		f.t.Fatalf("got %q, %v, want %s", got, err, code)
	}
	return got
}

func (f *ftpClient) do(line, code string) string {
	f.t.Helper()
	if _, err := fmt.Fprintf(f.conn, "%s\r\n", line); err != nil {
		f.t.Fatal(err)
	}
	return f.expect(code)
}

func (f *ftpClient) login(user, password string) {
	f.t.Helper()
	f.do("USER "+user, "331")
	f.do("PASS "+password, "230")
}

// webClient is a browser without scripts.
type webClient struct {
	t    *testing.T
	base string
	c    *http.Client
}

func newWeb(t *testing.T, addr string) *webClient {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &webClient{t, "http://" + addr, &http.Client{Jar: jar, Timeout: clientLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// get returns status, Location and body.
func (w *webClient) get(path string) (status int, location, body string) {
	w.t.Helper()
	r, err := w.c.Get(w.base + path)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(r)
}

var hiddenField = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`)
var attribute = regexp.MustCompile(`(name|value)="([^"]*)"`)

// submit fills the first form of the page at path that posts to action, hidden fields included.
func (w *webClient) submit(path, action string, fields url.Values) (status int, location, body string) {
	w.t.Helper()
	_, _, page := w.get(path)
	if i := strings.Index(page, `action="`+action); i >= 0 {
		page = page[i:]
		if j := strings.Index(page, "</form>"); j >= 0 {
			page = page[:j]
		}
	}
	form := url.Values{}
	for _, tag := range hiddenField.FindAllString(page, -1) {
		var name, value string
		for _, a := range attribute.FindAllStringSubmatch(tag, -1) {
			if a[1] == "name" {
				name = a[2]
			} else {
				value = html.UnescapeString(a[2])
			}
		}
		form.Set(name, value)
	}
	for k, v := range fields {
		form[k] = v
	}
	r, err := w.c.PostForm(w.base+action, form)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(r)
}

func (w *webClient) read(r *http.Response) (int, string, string) {
	w.t.Helper()
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.StatusCode, r.Header.Get("Location"), string(b)
}

func (w *webClient) login(user, password string) {
	w.t.Helper()
	status, to, body := w.submit("/login", "/login", url.Values{"login": {user}, "password": {password}})
	if status != http.StatusSeeOther || strings.HasPrefix(to, "/login") {
		w.t.Fatalf("log-in answered %d to %q:\n%s", status, to, body)
	}
}

// xmppClient speaks over direct TLS (XEP-0368).
type xmppClient struct {
	t    *testing.T
	conn net.Conn
	jid  string
	got  strings.Builder
}

func dialXMPP(t *testing.T, addr, domain string) *xmppClient {
	t.Helper()
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: clientLimit}, Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}}}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	x := &xmppClient{t: t, conn: c}
	x.header(domain)
	return x
}

func (x *xmppClient) header(domain string) {
	x.send(`<?xml version='1.0'?><stream:stream to='` + domain + `' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`)
	x.until(`</stream:features>`)
}

func (x *xmppClient) send(s string) {
	x.t.Helper()
	if _, err := io.WriteString(x.conn, s); err != nil {
		x.t.Fatal(err)
	}
}

// until reads until pattern matches what came since the last until, and returns that.
func (x *xmppClient) until(pattern string) string {
	x.t.Helper()
	re := regexp.MustCompile(pattern)
	_ = x.conn.SetReadDeadline(time.Now().Add(clientLimit))
	buf := make([]byte, 4096)
	for {
		if loc := re.FindStringIndex(x.got.String()); loc != nil {
			all := x.got.String()
			x.got.Reset()
			x.got.WriteString(all[loc[1]:])
			return all[:loc[1]]
		}
		n, err := x.conn.Read(buf)
		x.got.Write(buf[:n])
		if err != nil && re.FindStringIndex(x.got.String()) == nil {
			x.t.Fatalf("%v while waiting for %s; got %q", err, pattern, x.got.String())
		}
	}
}

func plainAuth(user, password string) string {
	return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` +
		base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)) + `</auth>`
}

// authenticate logs in without binding a resource.
func (x *xmppClient) authenticate(user, password, domain string) {
	x.t.Helper()
	x.send(plainAuth(user, password))
	x.until(`<success[^>]*>`)
	x.header(domain)
}

func (x *xmppClient) login(user, password, domain, resource string) {
	x.t.Helper()
	x.authenticate(user, password, domain)
	x.send(`<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>` + resource + `</resource></bind></iq>`)
	m := regexp.MustCompile(`<jid>([^<]+)</jid>`).FindStringSubmatch(x.until(`</iq>`))
	if m == nil {
		x.t.Fatal("no JID in the answer to bind")
	}
	x.jid = m[1]
}

// session is a row of `trivium session list --json`, as the contract has it.
type session struct {
	ID, Protocol, State string
	Level               int
	User, JID, Resource *string
	OrigUser            *string `json:"orig_user"`
	IdentUser           *string `json:"ident_user"`
	AnonUser            *string `json:"anon_user"`
	UID, GID            *int
	Group, Class        *string
	GIDs                []int
	Groups              []string
	RemoteAddr          string `json:"remote_addr"`
	TLS, Presence       *string
	Priority            *int
	Interested          *bool
	TokenID             *string `json:"token_id"`
	UserAgent           *string `json:"user_agent"`
	LoginAt             *string `json:"login_at"`
}

func (s *server) sessions(t *testing.T, args ...string) []session {
	t.Helper()
	var list []session
	out := s.run(t, "", append([]string{"session", "list", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return list
}
