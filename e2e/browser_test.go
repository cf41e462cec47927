package e2e

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browse opens a headless Chromium for a minute and a half, or skips the test.
func browse(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	return browseFor(t, 90*time.Second, more...)
}

func browseFor(t *testing.T, limit time.Duration, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 900), chromedp.UserDataDir(t.TempDir()))
	opts = append(opts, more...)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // starts the browser
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, limit)
	t.Cleanup(cancel)
	return ctx
}

func do(t *testing.T, ctx context.Context, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		shoot(t, ctx)
		t.Fatalf("%s: %v", what, err)
	}
}

// shoot keeps a picture of a page that disappoints where TRIVIUM_E2E_SHOTS names a folder.
func shoot(t *testing.T, ctx context.Context) {
	if dir := os.Getenv("TRIVIUM_E2E_SHOTS"); dir != "" {
		if b, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
			_ = os.WriteFile(dir+"/"+t.Name()+".png", b, 0o600)
		}
	}
}

// TestAdministratorInABrowser is the story as the administrator sees it: the set-up link, an
// account, its sessions on two roads in one list, and the end of one of them by a click.
func TestAdministratorInABrowser(t *testing.T) {
	ctx := browse(t)
	s := serve(t)
	base, _, _ := strings.Cut(s.setup, "/setup?") // cookies belong to the host of the link
	do(t, ctx, "set-up", chromedp.Navigate(s.setup),
		chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "root1"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password),
		chromedp.Click(chromedp.CSS(`main form[action="/setup"] button`)),
		chromedp.WaitVisible(chromedp.CSS(`body[data-level="100"]`)))
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	ftp := dialFTP(t, s.addr["ftp"])
	ftp.login("alice", password)
	xmpp := dialXMPP(t, s.addr["xmpps"], "localhost")
	xmpp.login("alice", password, "localhost", "phone")

	do(t, ctx, "live sessions", chromedp.Navigate(base+"/admin/sessions"),
		chromedp.WaitVisible(chromedp.CSS(`[data-testid="session-row"][data-protocol="ftp"][data-user="alice"]`)),
		chromedp.WaitVisible(chromedp.CSS(`[data-testid="session-row"][data-protocol="xmpp"][data-user="alice"]`)),
		chromedp.WaitVisible(chromedp.CSS(`[data-testid="session-row"][data-protocol="web"][data-user="root1"]`)))
	do(t, ctx, "end one", chromedp.Click(chromedp.CSS(`[data-testid="session-row"][data-protocol="ftp"][data-user="alice"] button`)),
		chromedp.Click(chromedp.CSS(`dialog[open] button.danger`))) // it asks once
	if reply, err := ftp.reply(); err != nil || reply[:3] != "421" {
		t.Errorf("FTP: got %q, %v, want 421", reply, err)
	}
	if left := s.sessions(t, "--user", "alice"); len(left) != 1 || left[0].Protocol != "xmpp" {
		t.Errorf("left: %+v", left)
	}
}
