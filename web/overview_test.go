package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"trivium/identity"
	"trivium/internal/series"
	"trivium/web"
)

// chartIDs are the series of the overview.
func chartIDs() []string {
	return strings.Fields("sessions.ftp sessions.web sessions.dav sessions.api sessions.xmpp bytes.in bytes.out transfers requests stanzas messages logins.ok logins.refused cpu memory")
}

// measured is a recorder with a quarter of an hour behind it; at says the value of a series in a step.
func measured(at func(id string, step int) float64) (*series.Recorder, *int) {
	ids := chartIDs()
	defs := make([]series.Def, len(ids))
	for i, id := range ids {
		defs[i] = series.Def{ID: id}
	}
	r, step := series.New(defs), 0
	r.Use(func(v []float64) {
		for i, id := range ids {
			v[i] = at(id, step)
		}
	})
	for t := time.Now().Add(-15 * time.Minute); t.Before(time.Now().Add(-series.Every)); t = t.Add(series.Every) {
		r.Sample(t)
		step++
	}
	return r, &step
}

// waves are numbers that make charts like those of a server with people on it.
func waves(id string, step int) float64 {
	x := float64(step)
	switch id {
	case "sessions.ftp":
		return math.Round(14 + 6*math.Sin(x/9))
	case "sessions.web":
		return math.Round(22 + 5*math.Sin(x/17))
	case "sessions.dav":
		return math.Round(6 + 2*math.Sin(x/5))
	case "sessions.api":
		return math.Round(2 + math.Sin(x/3))
	case "sessions.xmpp":
		return math.Round(31 + 3*math.Sin(x/23))
	case "bytes.in":
		return 2.4e6 * (1 + math.Sin(x/11)) * (1 + .2*math.Sin(x))
	case "bytes.out":
		return 7.1e6 * (1.2 + math.Cos(x/13)) * (1 + .2*math.Cos(x*2))
	case "transfers":
		return 1.5 + math.Sin(x/7)
	case "requests":
		return 24 + 9*math.Sin(x/8) + 3*math.Sin(x)
	case "stanzas":
		return 41 + 12*math.Sin(x/15) + 3*math.Cos(x)
	case "messages":
		return 13 + 6*math.Sin(x/15)
	case "logins.ok":
		return 5 + 3*math.Sin(x/6)
	case "logins.refused":
		return max(0, 7*math.Sin(x/10)-4)
	case "cpu":
		return 9 + 5*math.Sin(x/12) + 2*math.Sin(x*1.3)
	}
	return 61e6 + 4e6*math.Sin(x/30)
}

// Without a script the overview is complete: every chart has its sentence and its table.
func TestOverviewWithoutScript(t *testing.T) {
	rec, _ := measured(func(id string, step int) float64 { return float64(len(id)) })
	s := newSite(t, func(o *web.Options, _ *identity.Options) { o.Series = rec })
	s.user("admin1", identity.LevelAdmin)
	b := s.browser().login("admin1")
	body := b.get("/admin").expect(t, 200, `data-testid="chart"`, `data-series="sessions.ftp sessions.web sessions.dav sessions.api sessions.xmpp"`,
		`aria-label="Sessions by protocol, last 15 minutes. Now: FTP 12, Web 12, WebDAV 12, API 12, XMPP 13."`, "Show as table", "sessions now", "active in 1 / 7 / 30 days", "First steps").body
	if n := strings.Count(body, `data-testid="chart"`); n != 6 {
		t.Errorf("%d charts", n)
	}
	if n := strings.Count(body, `<th scope="row"><time`); n < 6*14 || n > 6*17 {
		t.Errorf("%d rows of tables of a quarter of an hour", n)
	}
	for name, step := range map[string]int{"15m": 10, "24h": 120, "7d": 900} {
		var got struct {
			Step   int
			Times  []int64
			Values map[string][]*float64
		}
		if err := json.Unmarshal([]byte(b.get("/admin/series?range="+name).expect(t, 200).body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Step != step || len(got.Times) == 0 || len(got.Values) != len(chartIDs()) || len(got.Values["cpu"]) != len(got.Times) {
			t.Errorf("%s: step %d, %d times, %d series", name, got.Step, len(got.Times), len(got.Values))
		}
	}
	s.user("user1", identity.LevelUser)
	u := s.browser().login("user1")
	for _, p := range []string{"/admin/series", "/admin/events"} {
		u.get(p).expect(t, 404)
	}
}

// wire is a cable between a browser and a site that can be pulled.
type wire struct {
	net.Listener
	to string

	mu    sync.Mutex // guards what follows
	cut   bool
	conns []net.Conn
}

func newWire(t *testing.T, base string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: ln, to: strings.TrimPrefix(base, "http://")}
	t.Cleanup(func() { _ = ln.Close(); w.pull(true) })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
	return w
}

func (w *wire) carry(c net.Conn) {
	up, err := net.Dial("tcp", w.to)
	w.mu.Lock()
	if err != nil || w.cut {
		w.mu.Unlock()
		_ = c.Close()
		if err == nil {
			_ = up.Close()
		}
		return
	}
	w.conns = append(w.conns, c, up)
	w.mu.Unlock()
	go func() {
		_, _ = io.Copy(up, c)
		_ = up.Close()
	}()
	_, _ = io.Copy(c, up)
	_ = c.Close()
}

func (w *wire) pull(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.conns = nil
	}
}

// Check 32: charts gain points, the table has the same series, and a stream that was cut comes back.
func TestOverviewLive(t *testing.T) {
	if _, err := os.Stat("assets/vendor/uplot.min.js"); err != nil {
		t.Skip("assets/vendor/uplot.min.js is not there: make web fetches it")
	}
	rec, step := measured(waves)
	s := newSite(t, func(o *web.Options, _ *identity.Options) {
		o.Series = rec
		o.Listeners = func() []web.Bound {
			return []web.Bound{{Name: "ftp", Addr: "0.0.0.0:21", TLS: "explicit"}, {Name: "https", Addr: "0.0.0.0:443", TLS: "yes"}, {Name: "xmpp", Addr: "0.0.0.0:5222", TLS: "starttls"}}
		}
	})
	s.user("admin1", identity.LevelAdmin)
	cable := newWire(t, s.plain)
	b := openTab(t, "http://"+cable.Addr().String())
	b.do(chromedp.EmulateViewport(1280, 1600), chromedp.Navigate(b.base+"/login"), chromedp.SendKeys(chromedp.CSS(`input[name=login]`), "admin1"),
		chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password+"\r"))
	b.at("home")
	b.open("/admin", "admin")
	b.do(chromedp.WaitReady(chromedp.CSS(`#chart-memory canvas`)), chromedp.WaitVisible(chromedp.CSS(`[data-pause]`)))
	points := func() int {
		return value(b, chromedp.Evaluate[int](`Number(document.querySelector("#chart-sessions").dataset.points)`))
	}
	before := points()
	if before < 85 || before > 90 {
		t.Errorf("%d points of a quarter of an hour", before)
	}
	if got := value(b, chromedp.Evaluate[int](`document.querySelectorAll("#chart-sessions .plot[role=img][aria-label*='FTP'] canvas").length`)); got != 1 {
		t.Errorf("%d canvases with a sentence", got)
	}
	*step = 1000
	rec.Sample(time.Now())
	now := fmt.Sprint(waves("sessions.xmpp", *step))
	until(t, "the newest point in the legend", func() bool {
		return value(b, chromedp.Evaluate[string](`document.querySelector("[data-line='sessions.xmpp'] b").textContent`)) == now
	})
	b.do(chromedp.Click(chromedp.CSS(`#chart-traffic summary`)))
	if got := value(b, chromedp.Evaluate[string](`[...document.querySelectorAll("#chart-traffic thead th")].map((x) => x.textContent).join()`)); got != "From,In,Out" {
		t.Errorf("the table has %q", got)
	}
	b.do(chromedp.Click(chromedp.CSS(`#chart-traffic summary`)))

	status := func(want string) {
		t.Helper()
		until(t, "the status "+want, func() bool {
			return value(b, chromedp.Evaluate[string](`document.querySelector("[data-testid=live-status]").textContent`)) == want
		})
	}
	b.do(chromedp.Click(chromedp.CSS(`[data-pause]`)))
	status("Paused")
	b.do(chromedp.Click(chromedp.CSS(`[data-pause]`)))
	status("Live")
	if len(b.faults) > 0 {
		t.Errorf("the console has %v", b.faults)
	}
	cable.pull(true)
	status("Connection lost, retrying.")
	cable.pull(false)
	status("Live")
	shoot(t, b, "/admin")
}

// shoot takes pictures of the page as it is, where TRIVIUM_PICTURES names a folder.
func shoot(t *testing.T, b *tab, path string) {
	t.Helper()
	dir := os.Getenv("TRIVIUM_PICTURES")
	if dir == "" {
		return
	}
	for _, theme := range []string{"dark", "light"} {
		b.do(chromedp.EmulateViewport(1280, 900), chromedp.Click(chromedp.CSS("details.dropdown summary")), chromedp.Click(chromedp.CSS("button[value="+theme+"]")),
			chromedp.WaitReady(chromedp.CSS(`html[data-theme=`+theme+`][data-ready="1"]`)))
		for _, v := range []struct{ w, h int64 }{{1280, 1900}, {390, 3400}} {
			b.do(chromedp.EmulateViewport(v.w, v.h), chromedp.Navigate(b.base+path), chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"]`)), chromedp.Sleep(700*time.Millisecond))
			file := fmt.Sprintf("%s-%s-%d.png", strings.Trim(strings.ReplaceAll(path, "/", "-"), "-"), theme, v.w)
			if err := os.WriteFile(filepath.Join(dir, file), value(b, chromedp.CaptureScreenshot()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAbout(t *testing.T) {
	s := newSite(t, func(o *web.Options, _ *identity.Options) {
		o.Database = func(context.Context) (string, int64, error) { return "SQLite 3.50", 12_300_000, nil }
	})
	s.user("admin1", identity.LevelAdmin)
	s.browser().login("admin1").get("/admin/about").expect(t, 200, "SQLite 3.50, 12.3 MB", "modernc.org/sqlite", "BSD-3-Clause", "uplot", runtime.Version())
}
