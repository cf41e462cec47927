package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// told is what somebody must have heard of once by each way.
type told struct{ kind, title, subject string }

// reader is somebody who hears of everything by every way.
type reader struct {
	t    *testing.T
	s    *server
	post *postbox
	name string
}

// newReader makes an account with a language, and chooses every way of every kind.
func newReader(t *testing.T, s *server, post *postbox, name, lang string) *reader {
	t.Helper()
	s.run(t, password+"\n", "user", "add", name, "--password-stdin", "--email", name+"@post.example")
	s.run(t, "", "user", "set", name, "--lang", lang, "--quota", "100kB")
	r := &reader{t: t, s: s, post: post, name: name}
	var choices []map[string]any
	r.ask(http.MethodGet, "notifications/settings", nil, &choices)
	for _, c := range choices {
		c["page"], c["mail"], c["chat"] = true, true, true
	}
	r.ask(http.MethodPut, "notifications/settings", choices, nil)
	return r
}

// ask speaks to the REST interface.
func (r *reader) ask(method, path string, in, out any) {
	r.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		r.t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.s.addr["web"]+"/api/v1/"+path, strings.NewReader(string(body)))
	if err != nil {
		r.t.Fatal(err)
	}
	q.SetBasicAuth(r.name, password)
	q.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Timeout: clientLimit}).Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		r.t.Fatalf("%s %s: %s", method, path, res.Status)
	}
	if out != nil {
		if err := json.NewDecoder(res.Body).Decode(out); err != nil {
			r.t.Fatal(err)
		}
	}
}

// kept counts the notifications of a kind.
func (r *reader) kept(kind string) (n int) {
	r.t.Helper()
	var list []struct{ Kind string }
	r.ask(http.MethodGet, "notifications?limit=100", nil, &list)
	for _, x := range list {
		if x.Kind == kind {
			n++
		}
	}
	return n
}

// comes waits until a kind stands on the page.
func (r *reader) comes(kind string) {
	r.t.Helper()
	comesTrue(r.t, kind+" of "+r.name, func() bool { return r.kept(kind) > 0 })
}

// mailed counts the mails with a subject.
func (r *reader) mailed(subject string) (n int) {
	for _, l := range r.post.letters() {
		if strings.Contains(l.to, r.name+"@post.example") && l.subject == subject {
			n++
		}
	}
	return n
}

// heard checks that each thing was told once by each way. What chat has is read to its end, which a message
// to oneself marks.
func (r *reader) heard(list []told) {
	r.t.Helper()
	for _, x := range list {
		r.comes(x.kind)
		comesTrue(r.t, "a mail: "+x.subject, func() bool { return r.mailed(x.subject) > 0 })
	}
	chat := dialXMPP(r.t, r.s.addr["xmpps"], "localhost")
	chat.login(r.name, password, "localhost", "late")
	chat.send(`<presence/><message type='chat' to='` + chat.jid + `'><body>the end</body></message>`)
	said := chat.until(`<body>the end</body>`)
	w := newWeb(r.t, r.s.addr["web"])
	w.login(r.name, password)
	_, _, page := w.get("/notifications")
	for _, x := range list {
		if n := r.kept(x.kind); n != 1 || !strings.Contains(page, x.title) {
			r.t.Errorf("%s: %d notifications %q; the page: %s", r.name, n, x.kind, page)
		}
		if n := r.mailed(x.subject); n != 1 {
			r.t.Errorf("%s: %d mails %q", r.name, n, x.subject)
		}
		if n := strings.Count(said, "<subject>"+x.subject+"</subject>"); n != 1 {
			r.t.Errorf("%s: %d messages %q in %s", r.name, n, x.subject, said)
		}
	}
}

// What concerns an account is told once by each way, in its person's language, and outlives the server: what is
// told as it stops, and mails that no server has taken when it is killed.
func TestNoticesByAllWays(t *testing.T) {
	post := newPostbox(t)
	dir := filepath.Join(t.TempDir(), "data")
	flags := append(post.flags(), "--set", "files.quota_soft=50")
	bin := suite
	begin := func() *server {
		t.Helper()
		s, err := start(bin, dir, flags...)
		if err != nil {
			t.Fatal(err)
		}
		bin.server = suite.path // which starts sooner: the rest is about what the first has left
		return s
	}
	s := begin()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("server log:\n%s", s.log)
		}
	})
	bodo, anna := newReader(t, s, post, "bodo", "de"), newReader(t, s, post, "anna", "en")

	// An app password, on two connections at once and then once more.
	const label = "Waage <b>&"
	scanner := strings.TrimSpace(s.run(t, "", "token", "issue", "bodo", "--scope", "ftp", "--label", label))
	one, two := dialFTP(t, s.addr["ftp"]), dialFTP(t, s.addr["ftp"])
	for _, f := range []*ftpClient{one, two} {
		f.do("USER bodo", "331")
	}
	for _, f := range []*ftpClient{one, two} {
		if _, err := fmt.Fprintf(f.conn, "PASS %s\r\n", scanner); err != nil {
			t.Fatal(err)
		}
	}
	one.expect("230")
	two.expect("230")
	bodo.comes("use")
	dialFTP(t, s.addr["ftp"]).login("bodo", scanner)

	// A question to be a contact, asked twice.
	asker := dialXMPP(t, s.addr["xmpps"], "localhost")
	asker.login("anna", password, "localhost", "asker")
	for i := range 2 {
		asker.send(fmt.Sprintf(`<presence/><presence type='subscribe' to='bodo@localhost'/><iq type='get' id='p%d'><ping xmlns='urn:xmpp:ping'/></iq>`, i))
		asker.until(fmt.Sprintf(`id='p%d'`, i))
	}

	// An export on the page.
	w := newWeb(t, s.addr["web"])
	w.login("bodo", password)
	if status, _, body := w.submit("/account", "/account/export", url.Values{}); status != http.StatusOK || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Fatalf("export: %d", status)
	}
	bodo.comes("contact")
	bodo.comes("export")

	// The server is killed while the mail server has a mail of which it says nothing, and further ones wait.
	post.be(true)
	s.run(t, "", "token", "issue", "anna", "--scope", "ftp", "--label", "waits")
	comesTrue(t, "a mail that nobody takes", func() bool { return post.holds() > 0 })
	one.do("TYPE I", "200")
	one.store("large", noise(1, 60_000))
	bodo.comes("quota")
	one.store("larger", noise(2, 10_000))
	s.kill()
	post.be(false)
	s = begin()
	bodo.s, anna.s = s, s
	bodo.heard([]told{
		{"use", "Ein App-Passwort wurde zum ersten Mal benutzt:", "Ein App-Passwort von bodo ist in Gebrauch"},
		{"contact", "Jemand möchte Kontakt werden:", "anna@localhost möchte Kontakt werden"},
		{"export", "Alle Daten Ihres Kontos wurden heruntergeladen.", "Alle Daten von bodo wurden heruntergeladen"},
		{"quota", "Ihr Speicherplatz ist fast voll.", "Der Speicherplatz von bodo ist fast voll"},
	})
	for _, l := range post.letters() {
		if strings.HasPrefix(l.body, "text/html") || strings.Contains(l.body, "multipart/") {
			t.Errorf("a mail has markup: %s", l.body)
		}
	}

	// The server stops at once after what is to be told.
	ftp := dialFTP(t, s.addr["ftp"])
	ftp.login("anna", password)
	ftp.do("TYPE I", "200")
	ftp.store("large", noise(3, 60_000))
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = begin()
	bodo.s, anna.s = s, s
	ftp = dialFTP(t, s.addr["ftp"])
	ftp.login("anna", password)
	ftp.do("TYPE I", "200")
	ftp.store("more", noise(4, 10_000)) // beyond it still, so that nothing is news
	anna.heard([]told{{"quota", "Your space is almost full.", "The space of anna is almost full"}})
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
