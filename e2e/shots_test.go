package e2e

import (
	"bytes"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestScreenshots makes the pictures of the README: `make shots`. It is a test so that it uses
// what the stories use; it runs where TRIVIUM_SHOTS names the folder for them.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("TRIVIUM_SHOTS")
	if dir == "" {
		t.Skip("TRIVIUM_SHOTS names no folder for the pictures")
	}
	ctx := browse(t)
	s := serve(t, "--set", "site_name=Sailing Club")
	base, _, _ := strings.Cut(s.setup, "/setup?")
	// The counterparts keep their sessions while the pictures are taken.
	for _, u := range [][]string{{"alice", "customer"}, {"bob", "user"}, {"carol", "staff"}} {
		s.run(t, password+"\n", "user", "add", u[0], "--level", u[1], "--display", strings.ToUpper(u[0][:1])+u[0][1:], "--password-stdin")
	}
	s.run(t, "", "group", "add", "crew")
	s.run(t, "", "group", "member", "add", "crew", "alice", "bob")
	ftp := dialFTP(t, s.addr["ftp"])
	ftp.do("CLNT FileZilla 3.69", "200")
	ftp.login("alice", password)
	ftp.do("TYPE I", "200")
	const film = 2_000_000
	for _, f := range []struct {
		name string
		size int
	}{{"plan.pdf", 8_000}, {"regatta 2026.ods", 16_000}, {"harbour.jpg", 11_000}, {"start.mp4", film}} {
		data := ftp.passive()
		ftp.do("STOR "+f.name, "150")
		if _, err := data.Write(bytes.Repeat([]byte("x"), f.size)); err != nil {
			t.Fatal(err)
		}
		_ = data.Close()
		ftp.expect("226")
	}
	ftp.do("MKD photos", "257")
	// A transfer that is still running when the list of sessions is taken.
	s.run(t, "", "user", "set", "alice", "--download-rate", "100kB")
	data := ftp.passive()
	ftp.do("RETR start.mp4", "150")
	defer data.Close()
	phone := dialXMPP(t, s.addr["xmpps"], "localhost")
	phone.login("alice", password, "localhost", "phone")
	phone.send(`<presence><show>away</show></presence>`)
	phone.until(`<presence[^>]*>`)
	laptop := dialXMPP(t, s.addr["xmpps"], "localhost")
	laptop.login("bob", password, "localhost", "laptop")
	laptop.send(`<presence/>`)
	laptop.until(`<presence[^>]*>`)
	carol := newWeb(t, s.addr["web"])
	carol.login("carol", password)

	size := func(w, h int64) chromedp.Action[chromedp.Void] { return chromedp.EmulateViewport(w, h) }
	ready := chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"]`))
	shot := func(name, path string) {
		t.Helper()
		do(t, ctx, name, chromedp.Navigate(base+path), ready)
		b, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.DecodeConfig(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(s.setup)
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, "size", size(1280, 800))
	shot("setup", u.RequestURI())
	do(t, ctx, "set-up", chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "root1"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password),
		chromedp.Click(chromedp.CSS(`main form[action="/setup"] button`)), chromedp.WaitVisible(chromedp.CSS(`body[data-level="100"]`)))
	for _, p := range [][2]string{{"admin", "/admin"}, {"admin-users", "/admin/users"}, {"admin-user", "/admin/users/alice"}, {"admin-groups", "/admin/groups"},
		{"admin-sessions", "/admin/sessions"}, {"admin-audit", "/admin/audit"}, {"admin-policy", "/admin/policy"}, {"admin-config", "/admin/config"}} {
		shot(p[0], p[1])
	}
	do(t, ctx, "log out", chromedp.Click(chromedp.CSS(`details.dropdown summary`)), chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)),
		chromedp.WaitVisible(chromedp.CSS(`body:not([data-user="root1"])`)), chromedp.Navigate(base+"/login"), ready)
	shot("login", "/login")
	do(t, ctx, "log in", chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "alice"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password+"\r"),
		chromedp.WaitVisible(chromedp.CSS(`body[data-page="home"]`)))
	for _, p := range [][2]string{{"home", "/"}, {"files", "/files/"}, {"sessions", "/sessions"}, {"tokens", "/tokens"}, {"account", "/account"}} {
		shot(p[0], p[1])
	}
	do(t, ctx, "phone", size(390, 844))
	shot("home-phone", "/")
	shot("files-phone", "/files/")
}
