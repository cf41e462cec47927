package web_test

import (
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"trivium/identity"
)

// picture writes one of w times h points.
func (s *site) picture(path string, w, h int) {
	s.t.Helper()
	f, err := os.Create(path)
	if err != nil {
		s.t.Fatal(err)
	}
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(i)
	}
	if err := png.Encode(f, img); err != nil {
		s.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// gallery is alice's home with pictures, a folder and texts.
func gallery(t *testing.T, changes ...change) *site {
	t.Helper()
	s := newSite(t, changes...)
	s.user("alice", identity.LevelUser)
	s.browser().login("alice").get("/files/").expect(t, http.StatusOK)
	home := s.home("alice")
	if err := os.MkdirAll(filepath.Join(home, "albums", "2026"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"a.txt", "b.txt", "drawing.svg", "huge.png"} {
		if err := os.WriteFile(filepath.Join(home, n), []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(home, "huge.png"), 5<<20); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"one.png", "two #%.png"} {
		s.picture(filepath.Join(home, n), 320, 240)
	}
	return s
}

// Tiles are the choice of a browser; only small pictures of points stand in them, fetched by their sandboxed address.
func TestGrid(t *testing.T) {
	s := gallery(t)
	b := s.browser().login("alice")
	if page := b.get("/files/").expect(t, http.StatusOK); strings.Contains(page.body, "tiles") || strings.Contains(page.body, "<img class=\"thumb\"") {
		t.Error("tiles without having been asked for")
	}
	b.post("/files/", "/display", "view", "grid").expect(t, http.StatusSeeOther)
	page := b.get("/files/").expect(t, http.StatusOK, `class="cards files tiles"`, `src="/files/one.png"`, `src="/files/two%20%23%25.png"`, `loading="lazy"`)
	if n := strings.Count(page.body, `class="thumb"`); n != 2 {
		t.Errorf("%d pictures", n)
	}
	if got := b.get("/files/one.png").Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "sandbox;") {
		t.Errorf("a picture comes with %q", got)
	}
	if got := s.browser().login("alice").get("/files/").body; strings.Contains(got, "tiles") {
		t.Error("another browser shows tiles")
	}
	b.post("/files/", "/display", "view", "list").expect(t, http.StatusSeeOther)
	if strings.Contains(b.get("/files/").body, "tiles") {
		t.Error("still tiles")
	}
	b.post("/files/", "/display", "keys", "off").expect(t, http.StatusSeeOther)
	b.get("/account").expect(t, http.StatusOK, `data-keys="off"`, `<option value="off" selected>`)
	// It is the person's choice, in every browser, and the first page says so.
	other := s.browser().login("alice")
	other.get("/").expect(t, http.StatusOK, `data-keys="off"`)
	other.post("/account", "/account", "keys", "on").expect(t, http.StatusSeeOther)
	if strings.Contains(b.get("/files/").body, `data-keys="off"`) {
		t.Error("keys are on, and yet off")
	}
	other.post("/account", "/account", "name", "Alice").expect(t, http.StatusSeeOther) // a form without the field leaves it
	if strings.Contains(other.get("/").body, `data-keys="off"`) {
		t.Error("a profile without the field turned keys off")
	}
}

// Keys on the page of files, in a real browser: rows, tools, places; never while somebody types, nor when off.
func TestKeys(t *testing.T) {
	s := gallery(t)
	b := openTab(t, s.plain)
	b.open("/login", "login")
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), "alice"), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
	b.at("home")
	key := func(k string, m ...chromedp.KeyOption) { t.Helper(); b.do(chromedp.KeyEvent(k, m...)) }
	at := func() string {
		return value(b, chromedp.Evaluate[string](`document.activeElement.closest("tr")?.dataset.name ?? document.activeElement.id`))
	}
	key("g")
	key("f")
	b.at("files")
	for _, step := range []struct{ key, want string }{{"j", "albums"}, {"j", "pub"}, {"j", "a.txt"}, {"k", "pub"}, {kb.ArrowDown, "a.txt"}, {kb.ArrowDown, "b.txt"}, {kb.ArrowUp, "a.txt"}} {
		if key(step.key); at() != step.want {
			t.Errorf("%q leads to %s, want %s", step.key, at(), step.want)
		}
	}
	key("x")
	if n := value(b, chromedp.Evaluate[int](`document.querySelectorAll(".tick input[name]:checked").length`)); n != 1 {
		t.Errorf("%d ticked", n)
	}
	key("a", chromedp.KeyModifiers(2))
	if n := value(b, chromedp.Evaluate[int](`document.querySelectorAll(".tick input[name]:checked").length`)); n != 8 {
		t.Errorf("%d ticked of all", n)
	}
	key("/")
	if at() != "q" {
		t.Errorf("/ leads to %s", at())
	}
	for _, k := range []string{"?", "j", "u", "n", "g", "h", "x"} {
		key(k)
	}
	// The / itself comes as a character of its own from here; from a keyboard it does not.
	if got := value(b, chromedp.Evaluate[string](`document.activeElement.value + document.querySelectorAll("dialog").length`)); got != "/?junghx0" {
		t.Errorf("while somebody types: %q", got)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur();undefined`))
	key("n")
	if at() != "folder" {
		t.Errorf("n leads to %s", at())
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur();undefined`))
	key("?")
	b.do(chromedp.WaitVisible(chromedp.CSS(`dialog[open] .keys kbd`)))
	b.asksAxe("the list of keys")
	key("j")
	key("\x1b")
	b.do(chromedp.WaitNotPresent(chromedp.CSS(`dialog`)))
	b.open("/files/", "files")
	key("j")
	key(kb.Enter)
	b.do(chromedp.WaitReady(chromedp.CSS(`[data-testid=file-row][data-name="2026"]`)))
	b.at("files")
	key(kb.Backspace)
	b.do(chromedp.WaitReady(chromedp.CSS(`[data-testid=file-row][data-name="a.txt"]`)))
	b.at("files")
	key("j")
	key("j")
	key("j")
	key(kb.F2)
	b.do(chromedp.WaitReady(chromedp.CSS(`input[name=to][value="a.txt"]`)))
	b.open("/files/a.txt?view", "files")
	key(kb.ArrowRight)
	b.do(chromedp.WaitReady(chromedp.CSS(`a[href="/files/b.txt"]`)))
	b.at("files")
	key(kb.ArrowLeft)
	b.do(chromedp.WaitReady(chromedp.CSS(`a[href="/files/a.txt"]`)))

	// Tiles: the pictures come, arrows go along and down, nothing hinders anybody.
	b.open("/files/", "files")
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Click(chromedp.CSS(`button[name=view][value=grid]`)), chromedp.WaitReady(chromedp.CSS("table.tiles")))
	b.at("files")
	until(t, "the pictures", func() bool {
		return value(b, chromedp.Evaluate[bool](`[...document.querySelectorAll("img.thumb")].length === 2 && [...document.querySelectorAll("img.thumb")].every((i) => i.naturalWidth === 320)`))
	})
	key("j")
	key(kb.ArrowRight)
	if at() != "pub" {
		t.Errorf("to the right is %s", at())
	}
	key(kb.ArrowDown)
	if got := at(); got == "pub" || got == "albums" || got == "" {
		t.Errorf("down is %s", got)
	}
	for _, theme := range []string{"light", "dark"} {
		b.do(chromedp.Evaluate[chromedp.Void](`document.documentElement.dataset.theme = "` + theme + `";undefined`))
		b.asksAxe("tiles in " + theme)
	}
	for _, width := range []int64{320, 390, 600, 768, 1280} {
		b.do(chromedp.EmulateViewport(width, 800))
		if over := value(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)); over > 0 {
			t.Errorf("tiles scroll %d px to the side at %d px", over, width)
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
	b.do(chromedp.Click(chromedp.CSS("header details.dropdown summary")), chromedp.Click(chromedp.CSS(`button[name=keys][value=off]`)), chromedp.WaitReady(chromedp.CSS(`html[data-ready="1"] body[data-keys=off]`)))
	key("?")
	key("j")
	if got := value(b, chromedp.Evaluate[string](`document.querySelectorAll("dialog").length + document.activeElement.tagName`)); got != "0BODY" {
		t.Errorf("keys are off, and there is %s", got)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		t.Errorf("console: %s", f)
	}
}

// asksAxe asks axe-core what hinders people, on what only this test opens; where it was not fetched nothing is asked.
func (b *tab) asksAxe(what string) {
	b.t.Helper()
	found, err := filepath.Glob("../bin/tools/axe-*/axe.min.js")
	if err != nil || len(found) == 0 {
		b.t.Log("axe-core is not there, so it was not asked: make axe fetches it")
		return
	}
	script, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Evaluate[chromedp.Void](string(script) + ";undefined"))
	const ask = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).then((r) =>
		(r.passes.length < 10 ? ["axe-core looked at nothing"] : []).concat(r.violations.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | "))))`
	for _, fault := range value(b, chromedp.Evaluate[[]string](ask, chromedp.EvalAwaitPromise)) {
		b.t.Errorf("%s: %s", what, fault)
	}
}
