package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// escaped is evilText as text of XML.
var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(evilText)

// evilPicture is a picture that is a page.
const evilPicture = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="alert(11)"><script>alert(12)</script></svg>`

// look opens a page, in search of an element that was made of evilText, and returns what it shows.
func (b *person) look(path string) string {
	b.t.Helper()
	b.open(path, "")
	if got := eval[string](b, `[...document.querySelectorAll("#xss, main img[src='x'], header img[src='x'], main script:not([src])")].map((e) => e.outerHTML).join()`); got != "" {
		b.t.Errorf("%s has %s", path, got)
	}
	return eval[string](b, `document.body.textContent + [...document.querySelectorAll("input, textarea")].map((i) => i.value).join()`)
}

// shows looks at pages, each of which must show what was left there: else it proves nothing.
func (b *person) shows(mark string, paths ...string) {
	b.t.Helper()
	for _, path := range paths {
		if said := b.look(path); !strings.Contains(said, mark) {
			b.t.Errorf("%s does not show %q: %s", path, mark, said)
		}
	}
}

// rude is a server that answers every request with markup wherever there is room for it.
func rude(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				_, _ = fmt.Fprintf(c, "HTTP/1.1 500 %s\r\nServer: %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", evilText, evilText, len(evilText), evilText)
			}()
		}
	}()
	return l.Addr().String()
}

// storedElsewhere: further places where somebody can leave text for others: announcements, groups, what clients of
// chat call themselves, notifications, answers to webhooks, names of shared folders and of applications, pictures.
func (p *pages) storedElsewhere(t *testing.T) {
	const mark = "<img src=x onerror=alert(1) id=xss>"
	p.account(t, "x7", "user", "--email", "x7@post.example")
	own, root := p.person(t), p.window(t, "x8", "root")
	own.login("x7", password)
	w := newWeb(t, p.s.addr["web"])
	w.c.Transport = agent{evilText}
	w.login("x7", password)

	// A group whose name would be markup is refused, in words that are none; its announcement is for x7 alone.
	p.s.run(t, "", "group", "add", "choir7")
	p.s.run(t, "", "group", "member", "add", "choir7", "x7")
	admin := newWeb(t, p.s.addr["web"])
	admin.login("x8", password)
	status, _, body := admin.submit("/admin/groups", "/admin/groups/new", url.Values{"name": {evilText}})
	if status != http.StatusUnprocessableEntity || strings.Contains(body, mark) {
		t.Errorf("a group of that name: %d %s", status, body)
	}
	p.s.run(t, "", "announce", "send", evilText, "--to", "group:choir7", "--lang", "de="+evilText)

	// A client of chat with a name (XEP-0388 section 2.3.2).
	chat := dialXMPP(t, p.s.addr["xmpps"], "localhost")
	chat.send(`<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>` + base64.StdEncoding.EncodeToString([]byte("\x00x7\x00"+password)) +
		`</initial-response><user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>` + escaped + `</software><device>` + escaped + `</device></user-agent><bind xmlns='urn:xmpp:bind:0'><tag>` + escaped + `</tag></bind></authenticate>`)
	chat.until(`</stream:features>`)
	chat.send(`<iq type='set' id='v1'><vCard xmlns='vcard-temp'><FN>` + escaped + `</FN><PHOTO><TYPE>image/svg+xml</TYPE><BINVAL>` + base64.StdEncoding.EncodeToString([]byte(evilPicture)) + `</BINVAL></PHOTO></vCard></iq>` +
		`<iq type='set' id='v2'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='http://jabber.org/protocol/nick'><item><nick xmlns='http://jabber.org/protocol/nick'>` + escaped + `</nick></item></publish></pubsub></iq>`)
	chat.until(`id='v2'`)

	// Notices: of an app password, and of a session that an administrator has ended with a reason.
	p.s.run(t, "", "token", "issue", "x7", "--scope", "ftp", "--label", evilText)
	ftp := dialFTP(t, p.s.addr["ftp"])
	ftp.login("x7", password)
	for _, s := range p.s.sessions(t, "--user", "x7") {
		if s.Protocol == "ftp" {
			p.s.run(t, "", "session", "end", s.ID, "--reason", evilText)
		}
	}

	// A webhook that is answered with markup, and an application.
	var hook struct{ ID string }
	if err := json.Unmarshal([]byte(p.s.run(t, "", "webhook", "add", "http://"+rude(t)+"/", "--note", evilText, "--json")), &hook); err != nil || hook.ID == "" {
		t.Fatalf("webhook: %+v, %v", hook, err)
	}
	_, _ = p.s.cli(t.Context(), "", "webhook", "test", hook.ID) // which fails, as the answer is 500
	p.s.run(t, "", "application", "add", evilText[:60], "--id", "evil7", "--redirect", "http://localhost:1/callback", "--public")

	// A folder that is shared.
	const folder = `"><img src=x onerror=alert(1) id=xss>`
	ftp = dialFTP(t, p.s.addr["ftp"])
	ftp.login("x7", password)
	ftp.do("TYPE I", "200")
	ftp.do("MKD "+folder, "257")
	ftp.store(folder+"/"+folder+".svg", []byte(evilPicture))
	if status, _, body := w.submit("/files/?share="+url.QueryEscape(folder), "/shares/new", url.Values{"path": {"/" + folder}, "note": {evilText}, "kind": {"read"}, "expires": {"30"}}); status != http.StatusSeeOther {
		t.Fatalf("share: %d %s", status, body)
	}

	p.evilAvatar(t, w)
	own.until(`fetch("/notifications").then((r) => r.text()).then((h) => h.includes('data-kind="session"') && h.includes('data-kind="token"'))`)
	own.allow("404", "sandbox", "Content Security Policy") // the picture's own policy, which says so
	own.shows(mark, "/", "/notifications", "/sessions", "/shares", "/files/", "/files/?q=img", "/files/"+url.PathEscape(folder), "/activity",
		"/oauth/authorize?client_id=evil7&response_type=code&scope=openid&redirect_uri="+url.QueryEscape("http://localhost:1/callback")+"&code_challenge=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU&code_challenge_method=S256")
	for _, path := range []string{"/account", "/security", "/groups", "/contacts", "/trash", "/tokens", "/files/" + url.PathEscape(folder) + "/" + url.PathEscape(folder+".svg") + "?view"} {
		own.look(path)
	}
	root.allow("404", "422")
	root.shows(mark, "/admin/announcements", "/admin/applications", "/admin/applications/evil7", "/admin/webhooks", "/admin/audit?subject=x7", "/admin/sessions")
	root.shows("500", "/admin/webhooks/"+hook.ID)
	for _, path := range []string{"/admin", "/admin/users/x7", "/admin/groups", "/admin/groups?q=" + url.QueryEscape(evilText), "/admin/transfers?q=" + url.QueryEscape(evilText), "/admin/policy?resource=" + url.QueryEscape(evilText)} {
		root.look(path)
	}
	for _, s := range p.s.sessions(t, "--user", "x7") {
		if s.Protocol == "xmpp" {
			root.shows(mark, "/admin/sessions/"+s.ID)
		}
	}
	link := eval[string](own, `fetch("/shares").then((r) => r.text()).then((h) => h.match(/\/s\/[A-Z0-9]+/)[0])`)
	p.person(t).shows(mark, link)
}

// evilAvatar: no page shows a picture that is one itself, whether it comes by the form or by chat.
func (p *pages) evilAvatar(t *testing.T, w *webClient) {
	t.Helper()
	_, _, page := w.get("/account")
	for _, kind := range []string{"image/svg+xml", "image/png"} {
		var form bytes.Buffer
		m := multipart.NewWriter(&form)
		_ = m.WriteField("csrf", csrfOf(page))
		part, err := m.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="picture"; filename="a.svg"`}, "Content-Type": {kind}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, evilPicture)
		_ = m.Close()
		res, err := w.c.Post(w.base+"/account/picture", m.FormDataContentType(), &form)
		if err != nil {
			t.Fatal(err)
		}
		if status, to, body := w.read(res); status != http.StatusSeeOther || to != "/account" {
			t.Errorf("a picture that is %s: %d %s %s", kind, status, to, body)
		}
	}
	// Chat has taken one, and any client of chat may show it; the page has none.
	if status, _, body := w.get("/account/picture"); status != http.StatusNotFound || strings.Contains(body, "alert(11)") {
		t.Errorf("the picture: %d %s", status, body)
	}
}
