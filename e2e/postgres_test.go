package e2e

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"trivium/internal/pgtest"
)

// onPostgres starts a database server with an empty database, and says what flags make a server of ours
// use that.
func onPostgres(t *testing.T) (*pgtest.Server, []string) {
	t.Helper()
	pg := pgtest.Start(t)
	if err := pg.Create(t.Context(), "trivium"); err != nil {
		t.Fatal(err)
	}
	return pg, []string{"--set", "database.url=" + pg.URL("trivium")}
}

// tries repeats what a client asks until the answer is as wanted, for an outage is noticed by what fails.
func tries(t *testing.T, what, want string, ask func() string) {
	t.Helper()
	re := regexp.MustCompile(want)
	got := ""
	for deadline := time.Now().Add(clientLimit); time.Now().Before(deadline); {
		if got = ask(); re.MatchString(got) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Errorf("%s: got %q, want %s", what, got, want)
}

// askFTP is the answer to a log-in.
func askFTP(t *testing.T, s *server, user, secret string) string {
	t.Helper()
	f := dialFTP(t, s.addr["ftp"])
	defer func() { _ = f.conn.Close() }()
	f.do("USER "+user, "331")
	if _, err := io.WriteString(f.conn, "PASS "+secret+"\r\n"); err != nil {
		t.Fatal(err)
	}
	reply, err := f.reply()
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// askXMPP is the answer to a log-in with PLAIN.
func askXMPP(t *testing.T, s *server, user, secret string) string {
	t.Helper()
	x := dialXMPP(t, s.addr["xmpps"], "localhost")
	defer func() { _ = x.conn.Close() }()
	x.send(plainAuth(user, secret))
	return x.until(`<success[^>]*>|</failure>`)
}

// webForm is a browser that has the form of the log-in open.
type webForm struct {
	*webClient
	form url.Values
}

func openForm(t *testing.T, s *server) webForm {
	t.Helper()
	w := webForm{newWeb(t, s.addr["web"]), url.Values{}}
	_, _, page := w.get("/login")
	_, page, _ = strings.Cut(page, `action="/login`)
	page, _, _ = strings.Cut(page, "</form>")
	for _, tag := range hiddenField.FindAllString(page, -1) {
		at := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(tag, -1) {
			at[a[1]] = a[2]
		}
		w.form.Set(at["name"], at["value"])
	}
	return w
}

// send is the answer to the form.
func (w webForm) send(user, secret string) string {
	w.t.Helper()
	w.form.Set("login", user)
	w.form.Set("password", secret)
	r, err := w.c.PostForm(w.base+"/login", w.form)
	if err != nil {
		w.t.Fatal(err)
	}
	status, to, body := w.read(r)
	return http.StatusText(status) + " " + to + " " + body
}

// askDAV is the status of a request with a password.
func askDAV(t *testing.T, s *server, user, secret string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "PROPFIND", "http://"+s.addr["web"]+"/dav/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+secret)))
	r.Header.Set("Depth", "0")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.Status
}

// TestOnPostgres: the three roads on PostgreSQL, through a kill -9; another process is refused.
func TestOnPostgres(t *testing.T) {
	pg, flags := onPostgres(t)
	data := t.TempDir() + "/data"
	s, err := start(suite, data, flags...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.kill() }()
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	s.run(t, password+"\n", "user", "add", "bob", "--password-stdin")
	token := strings.TrimSpace(s.run(t, "", "token", "issue", "alice", "--scope", "ftp,xmpp", "--label", "phone"))

	for range 2 {
		ftp := dialFTP(t, s.addr["ftp"])
		ftp.login("alice", password)
		if got := ftp.put("STOR ünïcode.txt", []byte("kept")); !strings.HasPrefix(got, "226") {
			t.Errorf("an upload: %s", got)
		}
		dialFTP(t, s.addr["ftp"]).login("alice", token)
		web := newWeb(t, s.addr["web"])
		web.login("alice", password)
		if status, _, body := web.get("/files/"); status != http.StatusOK || !strings.Contains(body, "ünïcode.txt") {
			t.Errorf("/files answered %d:\n%s", status, body)
		}
		bob := dialXMPP(t, s.addr["xmpps"], "localhost")
		bob.login("bob", password, "localhost", "desk")
		bob.send(`<presence/>`)
		bob.until(`<presence[^>]*>`)
		alice := dialXMPP(t, s.addr["xmpps"], "localhost")
		alice.login("alice", token, "localhost", "phone")
		alice.send(`<message to='bob@localhost' type='chat' id='m1'><body>on paper</body></message>`)
		bob.until(`on paper.*</message>`)
		bob.send(`<iq type='set' id='p1'><query xmlns='urn:xmpp:mam:2'/></iq>`)
		bob.until(`on paper.*<fin[^>]*complete=.true.`)
		if n := len(s.sessions(t, "--user", "alice")); n < 4 {
			t.Errorf("alice has %d sessions, want 4 at least", n)
		}
		s.run(t, "", "audit", "verify")

		// One process works on a database, in whatever folder.
		other, err := start(suite, t.TempDir()+"/other", flags...)
		if err == nil {
			other.kill()
			t.Error("a second process started on the same database")
		} else if !strings.Contains(err.Error(), "is in use by another Trivium") || strings.Contains(err.Error(), "goroutine") {
			t.Errorf("a second process: %v", err)
		}
		s.kill()
		if s, err = start(suite, data, flags...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	// Without a server a command works on the database itself.
	cmd := append([]string{"user", "show", "alice"}, flags...)
	if out := s.run(t, "", cmd...); !strings.Contains(out, "alice") {
		t.Errorf("offline: %s", out)
	}
	pg.Stop(t)
	out, err := s.cli(t.Context(), "", cmd...)
	if err == nil || !strings.Contains(err.Error(), "cannot reach the PostgreSQL database trivium") {
		t.Errorf("offline, without a database: %s, %v", out, err)
	}
	if _, err := start(suite, data, flags...); err == nil || !strings.Contains(err.Error(), "cannot reach the PostgreSQL database trivium") || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("a start without a database: %v", err)
	}
}

// TestDatabaseGoesAndComes: while the database is away log-ins fail in each road's word for later, who is
// there stays, and when it is back all is as before.
func TestDatabaseGoesAndComes(t *testing.T) {
	pg, flags := onPostgres(t)
	s := serve(t, flags...)
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	s.run(t, password+"\n", "user", "add", "bob", "--password-stdin")
	token := strings.TrimSpace(s.run(t, "", "token", "issue", "alice", "--scope", "ftp,xmpp,web", "--label", "phone"))
	there := func(when string) {
		t.Helper()
		for _, secret := range []string{password, token} {
			tries(t, when+", FTP", `^230`, func() string { return askFTP(t, s, "alice", secret) })
			tries(t, when+", XMPP", `<success`, func() string { return askXMPP(t, s, "alice", secret) })
		}
		tries(t, when+", WebDAV", `^207`, func() string { return askDAV(t, s, "alice", token) })
		tries(t, when+", web", `^See Other /`, func() string { return openForm(t, s).send("alice", password) })
	}
	gone := func(when string, open webForm) {
		t.Helper()
		for _, secret := range []string{password, token} {
			tries(t, when+", FTP", `^421 .*try again`, func() string { return askFTP(t, s, "alice", secret) })
			tries(t, when+", XMPP", `<temporary-auth-failure/>.*Try again`, func() string { return askXMPP(t, s, "alice", secret) })
		}
		// Over WebDAV one session serves many requests, so this is somebody who has none.
		tries(t, when+", WebDAV", `^503`, func() string { return askDAV(t, s, "bob", password) })
		tries(t, when+", the page", `^503`, func() string {
			status, _, _ := newWeb(t, s.addr["web"]).get("/login")
			return strconv.Itoa(status)
		})
		tries(t, when+", a form that was open", `^Service Unavailable`, func() string { return open.send("alice", password) })
	}
	idle := dialFTP(t, s.addr["ftp"])
	idle.login("bob", password)
	stays := dialXMPP(t, s.addr["xmpps"], "localhost")
	stays.login("bob", password, "localhost", "desk")
	stays.send(`<presence/>`)
	stays.until(`<presence[^>]*>`)
	there("at first")
	for range 2 {
		open := openForm(t, s)
		pg.Stop(t)
		gone("away", open)
		if err := pg.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		there("back again")
	}
	idle.do("NOOP", "200")
	stays.send(`<iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq>`)
	stays.until(`<iq[^>]*id=['"]ping['"][^>]*>`)
	tries(t, "the audit log", `rows are as they were written`, func() string {
		out, err := s.cli(t.Context(), "", "audit", "verify")
		if err != nil {
			return err.Error()
		}
		return out
	})
	if strings.Contains(s.log.String(), "panic") {
		t.Error("there was a panic")
	}
}
