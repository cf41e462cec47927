package web_test

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"trivium/identity"
	"trivium/internal/probe"
	"trivium/web"
)

// brokenPassive is a test of connections that goes well but for the data connection.
func brokenPassive(_ context.Context, _ identity.Actor, user, _, _ string, report func(probe.Step)) error {
	report(probe.Step{ID: "control", Title: "Control connection", State: probe.OK, Detail: "for " + user})
	report(probe.Step{ID: "tls", Title: "TLS", State: probe.Warning, Why: "self-signed"})
	report(probe.Step{ID: "login", Title: "Log-in", State: probe.OK})
	report(probe.Step{ID: "passive", Title: "Passive data (PASV)", State: probe.Failed, Detail: "PASV announces 10.0.0.5", Why: "listings hang", Fix: "set ftp.public_address <b>"})
	return nil
}

func ftpAndChat(w *web.Options) {
	w.Listeners = func() []web.Bound {
		return []web.Bound{{Name: "ftp", Addr: "127.0.0.1:2121", TLS: "explicit"}, {Name: "xmpp", Addr: "127.0.0.1:5222", TLS: "starttls"}}
	}
}

// Without script a test is a page with the steps; with it, a stream of them. Ways that are not open are not
// there, nor is their test.
func TestConnectionTest(t *testing.T) {
	busy := false
	s := newSite(t, func(w *web.Options, _ *identity.Options) {
		ftpAndChat(w)
		w.TestConnection = func(ctx context.Context, by identity.Actor, user, road, at string, report func(probe.Step)) error {
			if busy {
				return identity.ErrThrottled
			}
			return brokenPassive(ctx, by, user, road, at, report)
		}
	})
	s.user("alice", identity.LevelUser)
	b := s.browser().login("alice")
	page := b.get("/")
	for _, want := range []string{`id="card-ftp"`, `id="card-xmpp"`, `href="xmpp:alice@example.org"`, `action="/connect/ftp/test#card-ftp"`, `data-testid="qr"`, "lftp -u alice"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	done := b.post("/", "/connect/ftp/test")
	done.expect(t, http.StatusOK)
	if n := strings.Count(done.body, `data-testid="connect-step"`); n != 5 { // and the script's empty one
		t.Errorf("%d steps", n)
	}
	for _, want := range []string{`data-id="passive" data-state="failed"`, "set ftp.public_address &lt;b&gt;", "for alice"} {
		if !strings.Contains(done.body, want) {
			t.Errorf("the steps have no %s", want)
		}
	}

	r := b.request(http.MethodPost, "/connect/ftp/test", strings.NewReader(url.Values{"csrf": {b.token("/")}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Origin", s.plain)
	stream := b.do(r)
	stream.expect(t, http.StatusOK)
	if got := stream.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("stream of type %q", got)
	}
	if strings.Count(stream.body, "event: step\n") != 4 || !strings.HasSuffix(stream.body, "event: done\ndata: \"\"\n\n") {
		t.Errorf("stream: %s", stream.body)
	}

	b.post("/", "/connect/dav/test").expect(t, http.StatusNotFound) // it is off
	busy = true
	b.post("/", "/connect/ftp/test").expect(t, http.StatusTooManyRequests)

	file := b.get("/connect/filezilla.xml")
	file.expect(t, http.StatusOK)
	var site struct {
		Host      string `xml:"Servers>Server>Host"`
		Port      int    `xml:"Servers>Server>Port"`
		Protocol  int    `xml:"Servers>Server>Protocol"`
		User      string `xml:"Servers>Server>User"`
		Logontype int    `xml:"Servers>Server>Logontype"`
		Pass      string `xml:"Servers>Server>Pass"`
	}
	if err := xml.Unmarshal([]byte(file.body), &site); err != nil || site.Host != "127.0.0.1" || site.Port != 2121 || site.Protocol != 4 || site.User != "alice" || site.Logontype != 2 || site.Pass != "" {
		t.Errorf("%+v, %v", site, err)
	}

	never := identity.LevelNobody
	if _, err := s.identity.ChangeRules(t.Context(), machine, []identity.RuleChange{{Pattern: "login:ftp", Level: &never}}, false); err != nil {
		t.Fatal(err)
	}
	if page := b.get("/"); strings.Contains(page.body, `id="card-ftp"`) || !strings.Contains(page.body, `id="card-xmpp"`) {
		t.Error("a way that the policy closes is shown, or another is not")
	}
	b.get("/connect/filezilla.xml").expect(t, http.StatusNotFound)
}

// tryConnection tests a connection in the browser, where each step comes as a row.
func tryConnection(t *testing.T, b *tab) {
	t.Helper()
	began := time.Now()
	b.open("/", "home")
	b.do(chromedp.WaitVisible(chromedp.CSS(`#card-ftp`)), chromedp.Click(chromedp.CSS(`#tab-xmpp`)), chromedp.WaitVisible(chromedp.CSS(`#card-xmpp [data-testid=qr]`)),
		chromedp.Click(chromedp.CSS(`#tab-ftp`)), chromedp.WaitVisible(chromedp.CSS(`#card-ftp form.probe button`)), chromedp.Click(chromedp.CSS(`#card-ftp form.probe button`)),
		chromedp.WaitVisible(chromedp.CSS(`#card-ftp [data-testid=connect-step][data-id=passive][data-state=failed] [data-part=fix]`)))
	if got := value(b, chromedp.Evaluate[string](`[...document.querySelectorAll("#card-ftp [data-testid=connect-step]")].map(r => r.dataset.id + " " + r.dataset.state).join(", ")`)); got != "control ok, tls warning, login ok, passive failed" {
		t.Errorf("steps: %s", got)
	}
	if time.Since(began) > 15*time.Second {
		t.Errorf("it took %v", time.Since(began))
	}
	if got := value(b, chromedp.Evaluate[bool](`document.querySelector("#card-xmpp").hidden && !document.querySelector("#card-ftp").hidden`)); !got {
		t.Error("not one tab alone is shown")
	}
}
