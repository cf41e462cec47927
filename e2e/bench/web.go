package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// webServer is a server whose pages are asked for.
type webServer struct {
	target
	// session logs an account in by the form, and gives its cookies; nil: the server knows no accounts.
	session   func(login string) (cookie string, err error)
	bin, data string // of ours
}

// The accounts of our server.
const (
	webPerson = "bench"
	webBoss   = "boss"
)

// webBench is one run of the figures of the web road.
type webBench struct {
	ctx     context.Context
	table   *table
	long    time.Duration // of a timed figure
	size    int64         // of a bulk transfer, bytes
	people  int           // accounts of a large table
	servers []*webServer
}

func webFigures() []webFigure {
	return []webFigure{
		{"pages", "web: pages of somebody who is logged in, packed, 8 connections, clear", (*webBench).pages},
		{"static", "web: assets likewise", (*webBench).static},
		{"web-down", "web: downloads of -size bytes, 1 and 8 streams, clear", (*webBench).down},
		{"tus", "web: resumable uploads of -size bytes, 1 and 8 streams, clear", (*webBench).tus},
		{"folder", "web: the list of a folder of 10,000 entries", (*webBench).folder},
		{"people", "web: the table of -people accounts", (*webBench).accounts},
		{"watchers", "web: 500 pages that watch the table of sessions, where nothing changes", (*webBench).watchers},
	}
}

// compareWeb takes the figures of our server and of the limit.
func (o *options) compareWeb(ctx context.Context, figures []webFigure) error {
	dir, err := os.MkdirTemp(scratch(), "trivium-bench-web-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &webBench{ctx: ctx, table: newTable(), long: o.long, size: o.size, people: o.people}
	defer func() {
		for _, s := range b.servers {
			s.stop()
		}
	}()
	h, err := newHomes(o.size)
	if err != nil {
		return err
	}
	defer h.remove()
	for _, s := range []struct {
		name  string
		start func() (*webServer, error)
	}{
		{bareLimit, func() (*webServer, error) { return startBareWeb(ctx, dir) }},
		{ours, func() (*webServer, error) { return ownWeb(ctx, o.bin) }},
	} {
		if !o.wantsServer(s.name) {
			continue
		}
		t, err := s.start()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		b.servers, b.table.names = append(b.servers, t), append(b.table.names, t.name)
		if err := h.furnish(&t.target); err != nil {
			return err
		}
	}
	err = inTurn(ctx, o.rounds, "web: ", figures, b.servers, func(f webFigure, s *webServer) error {
		take(f, b, s, &s.target)
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("\nweb, %v each, %d MiB, median of %d; servers that take turns; ratios: 1.00 is the same, more is better\n\n", o.long, o.size>>20, o.rounds)
	b.table.print(os.Stdout)
	return nil
}

// ownWeb starts our server with somebody who has files, and somebody who administers.
func ownWeb(ctx context.Context, bin string) (*webServer, error) {
	s, err := start(ctx, bin, "--set", "files.sync=false", "--set", "limits.sessions_per_user_web=0")
	if err != nil {
		return nil, err
	}
	for _, account := range []map[string]any{{"login": webPerson, "password": password}, {"login": webBoss, "password": password, "level": "root"}} {
		if err := s.control(ctx, "/users", account); err != nil {
			s.stop()
			return nil, err
		}
	}
	t := &webServer{target: target{name: ours, addr: s.addr["web"], pid: s.cmd.Process.Pid, home: s.home(webPerson), stop: s.stop}}
	t.session = t.byForm
	// The home is made at the first look at it.
	cookie, err := t.session(webPerson)
	if err == nil {
		_, err = t.once("/files/", cookie)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	t.bin, t.data = bin, filepath.Join(s.dir, "data")
	return t, nil
}

// byForm logs somebody in as a browser does.
func (s *webServer) byForm(login string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	c := &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer c.CloseIdleConnections()
	at := "http://" + s.addr + "/login"
	res, err := c.Get(at)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	m := csrfField.FindSubmatch(page)
	if err != nil || m == nil {
		return "", fmt.Errorf("the form: %w", errors.Join(err, errNoForm))
	}
	if res, err = c.PostForm(at, url.Values{"csrf": {string(m[1])}, "login": {login}, "password": {password}}); err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		return "", fmt.Errorf("the log-in of %s was answered %s", login, res.Status)
	}
	u, err := url.Parse(at)
	if err != nil {
		return "", err
	}
	var cookies []string
	for _, k := range jar.Cookies(u) {
		cookies = append(cookies, k.Name+"="+k.Value)
	}
	return strings.Join(cookies, "; "), nil
}

// cookie is somebody's session; "" where the server knows no accounts.
func (s *webServer) cookie(login string) (string, error) {
	if s.session == nil {
		return "", nil
	}
	return s.session(login)
}

// token is what the forms and scripts of a session send along.
func (s *webServer) token(cookie string) (string, error) {
	req, err := http.NewRequest(http.MethodOptions, "http://"+s.addr+"/files/", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Cookie", cookie)
	req.Header.Set("Tus-Resumable", "1.0.0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	return res.Header.Get("X-CSRF-Token"), nil
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// importedAtOnce is how many accounts one import makes.
const importedAtOnce = 10_000

// populate makes accounts by imports, with no password.
func (s *webServer) populate(ctx context.Context, n int) error {
	file := filepath.Join(s.data, "people.csv")
	defer os.Remove(file)
	for from := 0; from < n; from += importedAtOnce {
		var list bytes.Buffer
		list.WriteString("login,display,email\n")
		for i := from; i < min(from+importedAtOnce, n); i++ {
			fmt.Fprintf(&list, "person%06d,Person Number %d,person%06d@example.org\n", i, i, i)
		}
		if err := os.WriteFile(file, list.Bytes(), 0o600); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, s.bin, "user", "import", file, "--quiet", "--timeout", "10m")
		cmd.Env = append(os.Environ(), "TRIVIUM_DATA_DIR="+s.data)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("user import: %w: %.2000s", err, out)
		}
	}
	return nil
}
