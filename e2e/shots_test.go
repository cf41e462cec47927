package e2e

import (
	"bytes"
	"cmp"
	"context"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestScreenshots makes the pictures of README and manual: `make screenshots`. It is a test so that it uses
// what the stories use; it runs where TRIVIUM_SHOTS names the folder for them. TRIVIUM_SHOTS_ALL=1 takes the
// pages that no document shows, too; TRIVIUM_SHOTS_LANG=de asks for the pages in German.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("TRIVIUM_SHOTS")
	if dir == "" {
		t.Skip("TRIVIUM_SHOTS names no folder for the pictures")
	}
	s := serve(t, "--set", "site_name=Sailing Club")
	p := &photographer{t: t, dir: dir, all: os.Getenv("TRIVIUM_SHOTS_ALL") != ""}
	lang := cmp.Or(os.Getenv("TRIVIUM_SHOTS_LANG"), "en-US")
	p.ctx = browseFor(t, 20*time.Minute, chromedp.Flag("lang", lang), chromedp.Flag("accept-lang", lang))
	p.base, _, _ = strings.Cut(s.setup, "/setup?")
	u, err := url.Parse(s.setup)
	if err != nil {
		t.Fatal(err)
	}
	p.take("setup", u.RequestURI(), true)
	club(t, s)
	p.take("login", "/login", true)

	do(t, p.ctx, "set-up", chromedp.Navigate(s.setup), chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "root1"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password),
		chromedp.Click(chromedp.CSS(`main form[action="/setup"] button`)), chromedp.WaitVisible(chromedp.CSS(`body[data-level="100"]`)))
	// The charts have something to draw.
	do(t, p.ctx, "charts", chromedp.Navigate(p.base+"/admin"), chromedp.WaitReady(chromedp.CSS(`[data-testid="chart"][data-points]`)))
	for _, shot := range []struct {
		name, path string
		shown      bool // in the documents
	}{
		{"admin", "/admin", true}, {"admin-users", "/admin/users", true}, {"admin-user", "/admin/users/alice", false},
		{"admin-groups", "/admin/groups", false}, {"admin-sessions", "/admin/sessions", true}, {"admin-policy", "/admin/policy", true},
		{"admin-audit", "/admin/audit", true}, {"admin-config", "/admin/config", false}, {"admin-invites", "/admin/invites", false},
		{"admin-bans", "/admin/bans", false}, {"admin-sources", "/admin/sources", false}, {"admin-applications", "/admin/applications", false},
		{"admin-import", "/admin/import", false}, {"admin-transfers", "/admin/transfers", false}, {"admin-doctor", "/admin/doctor", true},
		{"admin-backups", "/admin/backups", false}, {"admin-announcements", "/admin/announcements", false}, {"admin-webhooks", "/admin/webhooks", false},
		{"admin-certificates", "/admin/certificates", false}, {"admin-maintenance", "/admin/maintenance", false}, {"admin-about", "/admin/about", false},
	} {
		p.take(shot.name, shot.path, shot.shown)
	}
	do(t, p.ctx, "log out", chromedp.Click(chromedp.CSS(`details.dropdown summary`)), chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)),
		chromedp.WaitVisible(chromedp.CSS(`body:not([data-user="root1"])`)), chromedp.Navigate(p.base+"/login"), pageReady())
	do(t, p.ctx, "log in", chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "alice"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password+"\r"),
		chromedp.WaitVisible(chromedp.CSS(`body[data-page="home"]`)))
	for _, shot := range []struct {
		name, path string
		shown      bool
	}{
		{"home", "/", true}, {"files", "/files/", true}, {"photos", "/files/photos", false}, {"preview", "/files/photos/harbour.png?view", false},
		{"share", "/files/?share=photos", true}, {"shares", "/shares", false}, {"sessions", "/sessions", true}, {"tokens", "/tokens", false},
		{"security", "/security", true}, {"account", "/account", false}, {"profile", "/profile", false}, {"contacts", "/contacts", false},
		{"notifications", "/notifications", false}, {"activity", "/activity", false}, {"chat", "/chat", true},
	} {
		p.take(shot.name, shot.path, shot.shown)
	}
	do(t, p.ctx, "tiles", chromedp.Navigate(p.base+"/files/photos"), pageReady(), chromedp.Click(chromedp.CSS(`button[name="view"][value="grid"]`)),
		chromedp.WaitReady(chromedp.CSS(`button[name="view"][value="grid"][aria-pressed="true"]`)), pageReady())
	p.take("tiles", "/files/photos", true)
}

// photographer takes each page in light and dark, on a desk and on a phone.
type photographer struct {
	t         *testing.T
	ctx       context.Context
	base, dir string
	all       bool
}

func pageReady() chromedp.Action[chromedp.Void] {
	return chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"]`))
}

// take writes NAME-light.webp, NAME-dark.webp and both with -phone.
func (p *photographer) take(name, path string, shown bool) {
	p.t.Helper()
	if !shown && !p.all {
		return
	}
	for _, window := range []struct {
		suffix        string
		width, height int64
		scale         float64
	}{{"", 1280, 800, 1}, {"-phone", 390, 844, 2}} {
		for _, theme := range []string{"light", "dark"} {
			do(p.t, p.ctx, name, chromedp.EmulateViewport(window.width, window.height, chromedp.EmulateScale(window.scale)), prefers(theme),
				chromedp.Navigate(p.base+path), pageReady())
			if name == "chat" {
				do(p.t, p.ctx, name, chromedp.WaitReady(chromedp.CSS(`#chat[data-state="open"]`)), chromedp.Click(chromedp.CSS(`a.open-chat[data-jid="bob@localhost"]`)),
					eventually(`[...document.querySelectorAll('.chat-msg__text')].length >= 2`))
			}
			b, err := chromedp.Run(p.ctx, webp())
			if err != nil {
				p.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(p.dir, name+"-"+theme+window.suffix+".webp"), b, 0o644); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	do(p.t, p.ctx, name, chromedp.EmulateViewport(1280, 800), prefers("light"))
}

func prefers(theme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return err
	})
}

func webp() chromedp.Action[[]byte] {
	return func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		quality := int64(80)
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
		if err != nil {
			return nil, err
		}
		return r.Data, nil
	}
}

// club is a small club with people on all roads, whose sessions stay while the pictures are taken.
func club(t *testing.T, s *server) {
	for _, u := range [][]string{{"alice", "customer"}, {"bob", "user"}, {"carol", "staff"}} {
		s.run(t, password+"\n", "user", "add", u[0], "--level", u[1], "--display", strings.ToUpper(u[0][:1])+u[0][1:], "--password-stdin")
	}
	s.run(t, "", "group", "add", "crew")
	s.run(t, "", "group", "member", "add", "crew", "alice", "bob")
	s.run(t, "", "token", "issue", "alice", "--scope", "ftp", "--label", "FileZilla at home")
	s.run(t, "", "token", "issue", "alice", "--scope", "xmpp", "--label", "Phone")
	ftp := dialFTP(t, s.addr["ftp"])
	ftp.do("CLNT FileZilla 3.69", "200")
	ftp.login("alice", password)
	ftp.do("TYPE I", "200")
	ftp.do("MKD photos", "257")
	for _, f := range []struct {
		name string
		data []byte
	}{{"plan.pdf", make([]byte, 8_000)}, {"regatta 2026.ods", make([]byte, 16_000)}, {"start.mp4", make([]byte, 2_000_000)},
		{"photos/harbour.png", picture(40, 90, 160)}, {"photos/sunset.png", picture(220, 120, 60)}, {"photos/boats.png", picture(60, 140, 110)}} {
		data := ftp.passive()
		ftp.do("STOR "+f.name, "150")
		if _, err := data.Write(f.data); err != nil {
			t.Fatal(err)
		}
		_ = data.Close()
		ftp.expect("226")
	}
	// A transfer that is still running when the list of sessions is taken.
	s.run(t, "", "user", "set", "alice", "--download-rate", "2kB")
	data := ftp.passive()
	ftp.do("RETR start.mp4", "150")
	t.Cleanup(func() { _ = data.Close() })
	for _, u := range [][]string{{"alice", "phone", `<presence><show>away</show></presence>`}, {"bob", "laptop", `<presence/>`}} {
		x := dialXMPP(t, s.addr["xmpps"], "localhost")
		x.login(u[0], password, "localhost", u[1])
		x.send(u[2])
		x.until(`<presence[^>]*>`)
		if u[0] == "alice" {
			x.send(`<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='bob@localhost' name='Bob'/></query></iq><iq type='set' id='r2'><query xmlns='jabber:iq:roster'><item jid='carol@localhost' name='Carol'/></query></iq>`)
			x.until(`id=['"]r2['"]`)
		}
	}
	x := dialXMPP(t, s.addr["xmpps"], "localhost")
	x.login("bob", password, "localhost", "desk")
	for _, body := range []string{"Hi Alice, who takes the blue boat on Saturday?", "The plan is in your files."} {
		x.send(`<message to='alice@localhost' type='chat'><body>` + body + `</body></message>`)
	}
	s.run(t, "", "announce", "send", "The boat house is closed on Sunday, from noon.", "--where", "ftp")
	s.run(t, "", "webhook", "add", "https://hooks.example.org/trivium", "--event", "user.*,session.*", "--note", "Door of the boat house")
	s.run(t, "", "backup", "create")
	newWeb(t, s.addr["web"]).login("carol", password)
}

// picture is a sky of one colour that grows lighter to the horizon, over water.
func picture(r, g, b uint8) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 480, 320))
	for y := range 320 {
		light := uint8(min(y, 200) / 4)
		if y > 200 {
			light = uint8((320 - y) / 6)
		}
		for x := range 480 {
			img.Set(x, y, color.RGBA{r/2 + r/3 + light, g/2 + g/3 + light, b/2 + b/3 + light, 255})
		}
	}
	var buf bytes.Buffer
	_ = png.Encode(&buf, img) // into memory
	return buf.Bytes()
}
