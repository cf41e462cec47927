package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// endedUpload: the session ends while a large file is on its way; the page says so, the person logs in in another
// tab, and the upload goes on where it was.
func (p *pages) endedUpload(t *testing.T) {
	b, dir := p.window(t, "x3", "user"), t.TempDir()
	b.allow("401", "403")
	const size = 40_000_000
	call(t, b.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: 20e6}}})
	b.open("/files/", "files")
	b.sends(write(t, dir, "big.bin", noise(4, size)))
	const sent = `document.querySelector("[data-testid=upload-item] progress").value`
	b.until(sent + fmt.Sprintf(" > %d", size/4))
	for _, s := range p.s.sessions(t, "--user", "x3") {
		p.s.run(t, "", "session", "end", s.ID)
	}
	b.sees("dialog", "You have been logged out")
	if got := eval[float64](b, sent); got >= size {
		t.Fatalf("all %.0f bytes were sent before the end", got)
	}
	tab, cancel := chromedp.NewContext(b.ctx)
	defer cancel()
	if err := chromedp.Do(tab, chromedp.Navigate(b.base+"/login"), chromedp.SendKeys(chromedp.CSS("#login"), "x3"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"),
		chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"] body[data-page="home"]`))); err != nil {
		t.Fatal(err)
	}
	b.click("button", "Go on")
	b.until(has("upload-total") + `?.innerText === "1 uploaded"`)
	if sha256.Sum256(p.kept(t, "x3", "big.bin")) != sha256.Sum256(noise(4, size)) {
		t.Error("the file is another one")
	}
}

// cancelledZip: who asks for a zip of a huge tree and goes away leaves nothing behind.
func (p *pages) cancelledZip(t *testing.T) {
	w := newWeb(t, p.s.addr["web"])
	w.login(p.account(t, "x4", "user"), password)
	home := filepath.Join(p.s.data, "files", "localhost", "home", "x4")
	for i := range 40 { // holes, which take no room
		path := filepath.Join(home, "huge", fmt.Sprint(i%8), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(1 << 30); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	inHome := func() (list []string) {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.s.cmd.Process.Pid))
		if err != nil {
			t.Skip("this system does not say which files are open")
		}
		for _, f := range fds {
			if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.s.cmd.Process.Pid, f.Name())); err == nil && strings.HasPrefix(to, filepath.Join(home, "huge")) {
				list = append(list, to)
			}
		}
		return list
	}
	_, _, page := w.get("/files/")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+"/files/", strings.NewReader(url.Values{"csrf": {csrfOf(page)}, "do": {"zip"}, "name": {"huge"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := (&http.Client{Jar: w.c.Jar}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	first := make([]byte, 100_000)
	if _, err := io.ReadFull(res.Body, first); err != nil || !bytes.HasPrefix(first, []byte("PK")) {
		t.Fatalf("%d, %v, %q", res.StatusCode, err, first[:20])
	}
	if got := inHome(); len(got) == 0 {
		t.Error("nothing is open while it is packed, so this proves nothing")
	}
	cancel()
	waitFor(t, "the files are closed", func() bool { return len(inHome()) == 0 })
	waitFor(t, "no session does anything", func() bool {
		out := p.s.run(t, "", "transfer", "list", "--json")
		return !strings.Contains(out, "x4")
	})
}
