package e2e

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Checks 27 and 28: what logs in on other roads comes by itself into both lists; its end in the list is its
// end, and recorded.
func (p *pages) liveSessions(t *testing.T) {
	const limit = 3 * time.Second
	own, admin := p.window(t, "c27", "user"), p.window(t, "c27a", "admin")
	own.open("/sessions", "sessions")
	admin.open("/admin/sessions?user=c27", "admin.sessions")
	for _, b := range []*person{own, admin} {
		b.until(has("live-status") + `?.innerText === "Live"`)
	}
	ftp := dialFTP(t, p.s.addr["ftp"])
	ftp.login("c27", password)
	chat := dialXMPP(t, p.s.addr["xmpps"], "localhost")
	chat.login("c27", password, "localhost", "phone")
	began := time.Now()
	for _, b := range []*person{own, admin} {
		for _, road := range []string{"ftp", "xmpp"} {
			row := `session-row[data-protocol="` + road + `"][data-user="c27"]`
			b.row(row)
			if got := b.text(row); !strings.Contains(got, "127.0.0.1") {
				t.Errorf("%s: %q", road, got)
			}
		}
	}
	if took := time.Since(began); took > limit {
		t.Errorf("the rows came after %s", took)
	}
	row := `session-row[data-protocol="ftp"][data-user="c27"]`
	admin.press(tested(row) + " .act button")
	began = time.Now()
	admin.press("dialog[open] button.danger")
	if reply, err := ftp.reply(); err != nil || !strings.HasPrefix(reply, "421") {
		t.Errorf("FTP: %q, %v", reply, err)
	}
	if rest, err := ftp.reply(); err == nil {
		t.Errorf("the connection goes on: %q", rest)
	}
	if took := time.Since(began); took > limit {
		t.Errorf("the end came after %s", took)
	}
	own.row(`session-row[data-protocol="ftp"][data-state="ended"]`)
	admin.no(row + `:not([data-state="ended"])`)
	admin.row("flash-success")
	admin.open("/admin/audit?event=session.end&subject=c27", "admin.audit")
	admin.row(`audit-row[data-event="session.end"]`)
	if list := p.s.sessions(t, "--user", "c27", "--protocol", "xmpp"); len(list) != 1 {
		t.Errorf("chat: %+v", list)
	}
}

// Check 29: an app password for FTP alone is shown once, opens FTP alone, and ends its session when revoked.
func (p *pages) appPassword(t *testing.T) {
	b := p.window(t, "c29", "user")
	b.open("/tokens?preset=ftp", "tokens")
	b.click("button", "Create app password")
	b.row("secret-value")
	secret := eval[string](b, has("secret-value")+".value")
	b.open("/tokens", "tokens")
	b.no("secret-value")
	if strings.Contains(eval[string](b, "document.documentElement.outerHTML"), secret) {
		t.Error("the secret is on the page again")
	}
	ftp := dialFTP(t, p.s.addr["ftp"])
	ftp.login("c29", secret)
	x := dialXMPP(t, p.s.addr["xmpps"], "localhost")
	x.send(plainAuth("c29", secret))
	x.until("</failure>")
	w := newWeb(t, p.s.addr["web"])
	if status, to, _ := w.submit("/login", "/login", url.Values{"login": {"c29"}, "password": {secret}}); status != 401 {
		t.Errorf("the form answers %d to %q", status, to)
	}
	b.press(tested("token-row") + " button.danger")
	b.press("dialog[open] button.danger")
	b.row("flash-success")
	if reply, err := ftp.reply(); err != nil || !strings.HasPrefix(reply, "421") {
		t.Errorf("FTP: %q, %v", reply, err)
	}
}

// Check 31: a filter is an address: it stays over reload and Back, and *Clear* removes it.
func (p *pages) filter(t *testing.T) {
	ftp := dialFTP(t, p.s.addr["ftp"])
	ftp.login(p.account(t, "c31", "user"), password)
	newWeb(t, p.s.addr["web"]).login("c31", password)
	b := p.window(t, "c31a", "admin")
	const path = "/admin/sessions?protocol=ftp&user=c31"
	rows := func(when string) {
		t.Helper()
		b.row(`session-row[data-protocol="ftp"][data-user="c31"]`)
		if got := eval[string](b, `[...new Set([...document.querySelectorAll("[data-testid=session-row]")].map((r) => r.dataset.protocol + " " + r.dataset.user))].join()`); got != "ftp c31" {
			t.Errorf("%s: rows of %s", when, got)
		}
		if got := eval[string](b, `document.querySelector("select[name=protocol]").value + document.querySelector("input[name=user]").value`); got != "ftpc31" {
			t.Errorf("%s: the form has %q", when, got)
		}
	}
	b.open(path, "admin.sessions")
	rows("opened")
	b.do(chromedp.Reload())
	b.at("admin.sessions")
	rows("loaded again")
	b.open("/admin", "admin")
	b.do(chromedp.NavigateBack())
	b.at("admin.sessions")
	rows("Back")
	b.click("link", "Clear")
	b.until(`location.search === "" && document.querySelector("[data-testid=session-row][data-protocol=web]")`)
}

// Check 33: an invitation is made, used once, and not twice.
func (p *pages) invitation(t *testing.T) {
	b := p.window(t, "c33a", "admin")
	b.open("/admin/users", "admin.users")
	b.click("link", "Invite")
	b.at("admin.invites")
	b.until(`document.querySelector("form[action='/admin/invites/new'] button").checkVisibility() || (document.querySelector("form[action='/admin/invites/new']").closest("details").open = true)`)
	b.click("button", "Make a link")
	b.row("secret-value")
	link := strings.TrimPrefix(eval[string](b, has("secret-value")+".value"), b.base)
	friend := p.person(t)
	friend.open(link, "join")
	friend.types("User name", "c33")
	friend.types("Password", "Green-Harbour-Lantern-42")
	friend.click("button", "Create account")
	friend.at("home")
	b.open("/admin/users?q=c33", "admin.users")
	b.row(`user-row[data-name="c33"]`)
	late := p.person(t)
	late.allow("404", "410")
	late.open(link, "join")
	late.until(`document.body.innerText.includes("used") && !document.querySelector("main form")`)
}

// Check 34: the audit log by a filter, and the same rows as CSV (RFC 4180) that no spreadsheet runs.
func (p *pages) auditLog(t *testing.T) {
	const formula = `=HYPERLINK("http://evil.example","x")`
	dialFTP(t, p.s.addr["ftp"]).login(p.account(t, "c34", "user"), password)
	p.s.run(t, "", "session", "end", "--user", "c34", "--reason", formula, "--yes")
	w := newWeb(t, p.s.addr["web"])
	w.from("127.34.0.1")
	for _, name := range []string{"c34", "c34, \"quoted\"", "c34\nline"} {
		w.submit("/login", "/login", url.Values{"login": {name}, "password": {"x"}})
	}
	b := p.window(t, "c34a", "admin")
	for filter, want := range map[string]struct {
		event string
		rows  int
	}{"event=login.fail&from=127.34.0.1": {"login.fail", 3}, "event=session.end&subject=c34": {"session.end", 1}} {
		b.open("/admin/audit?"+filter, "admin.audit")
		events := eval[[]string](b, `[...document.querySelectorAll("[data-testid=audit-row]")].map((r) => r.dataset.event)`)
		if len(events) != want.rows || slices.ContainsFunc(events, func(e string) bool { return e != want.event }) {
			t.Errorf("%s: events %v", filter, events)
		}
		text := eval[string](b, `fetch([...document.querySelectorAll("a[download]")].find((a) => a.innerText === "CSV").href).then((r) => r.text())`)
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(rows) != len(events)+1 || strings.Count(text, "\r\n") < len(rows) {
			t.Fatalf("CSV: %v, %q", err, text)
		}
		for _, r := range rows {
			for _, cell := range r {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("a live formula: %q", cell)
				}
			}
		}
		if want.event == "session.end" && !strings.Contains(text, "HYPERLINK") {
			t.Errorf("the reason is not there: %q", text)
		}
	}
}

// Checks 35 and 36: where each value of the configuration comes from; a file that breaks changes nothing, and
// is shown with the line and what is meant.
func (p *pages) configuration(t *testing.T) {
	b := p.window(t, "c35", "root")
	b.open("/admin/config", "admin.config")
	for key, from := range map[string]string{"site_name": "file", "files.trash_days": "env", "web.listen": "flag", "ftp.passive_ports": "default", "limits.ban_after": "flag", "files.quota": "default"} {
		if got := eval[string](b, `(`+has(`config-row[data-key="`+key+`"]`)+`)?.dataset.source ?? "no row"`); got != from {
			t.Errorf("%s is from %s, want %s", key, got, from)
		}
	}
	if source := eval[string](b, `fetch(location.href).then((r) => r.text())`); strings.Contains(source, fileSecret) || !strings.Contains(source, "services_secret") {
		t.Error("the secret is on the page")
	}
	good, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(p.file, good, 0o600); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(p.file, append(good, "\n[files]\nqouta = \"1GB\"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.click("button", "Reload")
	said := b.text("config-faults")
	if !strings.Contains(said, "7") || !strings.Contains(said, "qouta") || !strings.Contains(said, "quota") {
		t.Errorf("the page says %q", said)
	}
	b.open("/admin/config", "admin.config")
	b.until(`document.title.endsWith("Harbour")`)
	if err := os.WriteFile(p.file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	b.click("button", "Reload")
	b.row("flash-success")
	b.no("config-faults")
}

// Check 37: each check of the doctor has its state in a word, and what failed how to mend it; the command has
// the same checks.
func (p *pages) doctorPage(t *testing.T) {
	b := p.window(t, "c37", "admin")
	b.open("/admin/doctor", "admin.doctor")
	type row struct{ ID, State, Word, Fix string }
	rows := eval[[]row](b, `[...document.querySelectorAll("[data-testid=check-row]")].map((r) => ({ ID: r.dataset.id, State: r.dataset.state, Word: r.querySelector(".badge").innerText.trim(), Fix: r.querySelector(".fix")?.innerText ?? "" }))`)
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
		if r.Word == "" || r.State == "" || (r.State == "failed" || r.State == "warning") && r.Fix == "" {
			t.Errorf("%+v", r)
		}
	}
	out, err := p.s.cli(t.Context(), "", "doctor", "--json")
	var ended *exec.ExitError
	if err != nil && (!errors.As(err, &ended) || ended.ExitCode() != 1 && ended.ExitCode() != 8) {
		t.Fatal(err)
	}
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		var whole struct{ Results []struct{ ID string } }
		if err := json.Unmarshal([]byte(out), &whole); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		list = whole.Results
	}
	var told []string
	for _, c := range list {
		told = append(told, c.ID)
	}
	slices.Sort(ids)
	slices.Sort(told)
	if len(ids) < 20 || !slices.Equal(ids, told) {
		t.Errorf("the page has %v, the command %v", ids, told)
	}
}
