package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"trivium/identity"
)

// Uploads in a real browser: a folder, what is there already, and a log-in that ends in the middle.
func TestUploadsInTheBrowser(t *testing.T) {
	if _, err := os.Stat("assets/vendor/tus.min.js"); err != nil {
		t.Skip("assets/vendor/tus.min.js is not there: make web fetches it")
	}
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	b := openTab(t, s.plain)
	b.open("/login", "login")
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "alice"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.at("home")

	dir := t.TempDir()
	write := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	content := func(name string) string {
		c, err := os.ReadFile(filepath.Join(s.home("alice"), name))
		if err != nil {
			t.Error(err)
		}
		return string(c)
	}
	big := strings.Repeat("0123456789abcdef", 20<<20/16) // three requests
	write("tree/one.txt", "one")
	write("tree/deep/er/two.txt", "two")
	write("tree/big.bin", big)
	one := write("one.txt", "another one")

	b.open("/files/", "files")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#upload-folder"), []string{filepath.Join(dir, "tree")}))
	b.do(chromedp.WaitReady(chromedp.CSS(`[data-testid=file-row][data-name="tree"]`)))
	if content("tree/one.txt") != "one" || content("tree/deep/er/two.txt") != "two" || content("tree/big.bin") != big {
		t.Error("the folder is not what was sent")
	}

	// What stands there is asked about; both stay.
	b.open("/files/tree", "files")
	b.do(chromedp.Click(chromedp.CSS("details.tool summary.primary")), chromedp.SetUploadFiles(chromedp.CSS("#upload"), []string{one}), chromedp.Click(chromedp.CSS("form[data-upload] button.primary")),
		chromedp.WaitVisible(chromedp.CSS(`dialog[open] .conflicts select`)), chromedp.Click(chromedp.CSS(`dialog[open] button.primary`)),
		chromedp.WaitReady(chromedp.CSS(`[data-testid=file-row][data-name="one (2).txt"]`)))
	if content("tree/one.txt") != "one" || content("tree/one (2).txt") != "another one" {
		t.Error("not both are there")
	}

	// The session ends; the page says so, waits for another log-in, and goes on.
	late := write("late.txt", "better late")
	b.open("/files/", "files")
	s.identity.Registry.EndWhere(identity.Filter{User: "alice"}, identity.Reason{Code: identity.ReasonEnded})
	b.do(chromedp.Click(chromedp.CSS("details.tool summary.primary")), chromedp.SetUploadFiles(chromedp.CSS("#upload"), []string{late}), chromedp.Click(chromedp.CSS("form[data-upload] button.primary")),
		chromedp.WaitVisible(chromedp.CSS(`dialog[open] a[href^="/login"]`)))
	ctx, cancel := chromedp.NewContext(b.ctx) // another tab
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(b.base+"/login"), chromedp.SendKeys(chromedp.CSS("#login"), "alice"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"),
		chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"] body[data-page="home"]`))); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Click(chromedp.CSS(`dialog[open] button.primary`)), chromedp.WaitReady(chromedp.CSS(`[data-testid=file-row][data-name="late.txt"]`)))
	if content("late.txt") != "better late" {
		t.Error("what was sent after the log-in did not come")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		if !strings.Contains(f, "401") { // what ended the session shows in the console
			t.Errorf("console: %s", f)
		}
	}
}
