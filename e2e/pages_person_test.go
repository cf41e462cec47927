package e2e

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// waitLimit is how long a page may take to become what is waited for.
const waitLimit = 30 * time.Second

// person is somebody at a window of their own: with cookies, storage and clipboard that no other has. What
// a person would not see, but a developer would, is noted: errors of the console, what a policy has stopped,
// what was asked of other hosts, dialogs of scripts. The test fails by it when it ends.
type person struct {
	t    *testing.T
	ctx  context.Context
	base string
	bare bool // without script

	mu     sync.Mutex // guards what follows
	faults []string
	fine   []string // parts of faults that the test has asked for
}

// person opens a window in the browser.
func (p *pages) person(t *testing.T) *person {
	t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(stop)
	b := &person{t: t, ctx: ctx, base: p.base}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // not with a shorter life than the window
		t.Fatal(err)
	}
	// A window in the background has the focus of its page as one in front has it.
	call(t, ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	call(t, ctx, network.Enable, network.EnableParams{})
	b.listen()
	t.Cleanup(b.judge)
	return b
}

func (b *person) listen() {
	entries, thrown := chromedp.Events(b.ctx, log.EntryAdded), chromedp.Events(b.ctx, runtime.ExceptionThrown)
	requests, sockets := chromedp.Events(b.ctx, network.RequestWillBeSent), chromedp.Events(b.ctx, network.WebSocketCreated)
	dialogs := chromedp.Events(b.ctx, page.JavascriptDialogOpening)
	go hear(entries, func(e log.EventEntryAdded) {
		if string(e.Entry.Level) == "error" || strings.Contains(e.Entry.Text, "Content Security Policy") {
			b.note(e.Entry.Text + " " + e.Entry.URL)
		}
	})
	go hear(thrown, func(e runtime.EventExceptionThrown) {
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		b.note(text)
	})
	go hear(requests, func(e network.EventRequestWillBeSent) { b.own(e.Request.URL) })
	go hear(sockets, func(e network.EventWebSocketCreated) { b.own(e.URL) })
	go hear(dialogs, func(e page.EventJavascriptDialogOpening) {
		if e.Type != page.DialogTypeBeforeunload {
			b.note("a script opened a dialog: " + e.Message)
		}
		_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
	})
}

// hear gives each event to take, until the window is closed.
func hear[E any](events func(func(E, error) bool), take func(E)) {
	for e, err := range events {
		if err != nil {
			return
		}
		take(e)
	}
}

// own notes what is asked of another host.
func (b *person) own(address string) {
	u, err := url.Parse(address)
	if err == nil && (u.Scheme == "data" || u.Scheme == "blob" || u.Scheme == "about" || strings.HasSuffix(b.base, "//"+u.Host)) {
		return
	}
	b.note("asked for " + address)
}

func (b *person) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, text)
}

// allow says which faults the test asks for, by a part of their text.
func (b *person) allow(parts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fine = append(b.fine, parts...)
}

// noted returns the faults so far that were not asked for.
func (b *person) noted() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, f := range b.faults {
		for _, part := range b.fine {
			if strings.Contains(f, part) {
				continue next
			}
		}
		list = append(list, f)
	}
	return list
}

func (b *person) judge() {
	for _, f := range b.noted() {
		b.t.Errorf("the window: %s", f)
	}
}

// do does what a page must be ready for.
func (b *person) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, waitLimit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.fatal("%v", err)
	}
}

// fatal ends the test with what the window shows.
func (b *person) fatal(format string, args ...any) {
	b.t.Helper()
	shoot(b.t, b.ctx)
	at, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + (document.body?.innerText ?? "").slice(0, 1500)`))
	b.t.Fatalf("%s\nthe window shows %s", fmt.Sprintf(format, args...), at)
}

// eval runs a script in the page and returns what it gives; a promise is waited for.
func eval[T any](b *person, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.fatal("%s: %v", script, err)
	}
	return v
}

// until waits until a script says true, whatever page is open then.
func (b *person) until(script string) {
	b.t.Helper()
	b.within(waitLimit, script)
}

func (b *person) within(limit time.Duration, script string) {
	b.t.Helper()
	b.wait(limit, script, func() bool {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`(async () => { try { return !!(await (`+script+`)); } catch { return false; } })()`, chromedp.EvalAwaitPromise))
		return err == nil && ok
	})
}

func (b *person) wait(limit time.Duration, what string, so func() bool) {
	b.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	end := time.After(limit)
	for !so() {
		select {
		case <-look.C:
		case <-end:
			b.fatal("waited %s in vain: %s", limit, what)
		}
	}
}

// open goes to a page and waits for its scripts; page is its ID, or "" for any.
func (b *person) open(path, page string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
	b.at(page)
}

// at waits for a page with its scripts.
func (b *person) at(page string) {
	b.t.Helper()
	script := `document.readyState === "complete" && document.documentElement.dataset.ready === "1"`
	if b.bare {
		script = `document.readyState === "complete"`
	}
	if page != "" {
		script += fmt.Sprintf(` && document.body.dataset.page === %q`, page)
	}
	b.until(script)
}

// row waits for an element with a test ID and data, such as `session-row[data-protocol="ftp"]`.
func (b *person) row(id string) { b.t.Helper(); b.until(has(id)) }

// no waits until there is none.
func (b *person) no(id string) { b.t.Helper(); b.until("!(" + has(id) + ")") }

// tested makes a selector of a test ID and what follows it.
func tested(id string) string {
	name, rest := id, ""
	if i := strings.IndexAny(id, "[ :"); i >= 0 {
		name, rest = id[:i], id[i:]
	}
	return fmt.Sprintf(`[data-testid="%s"]%s`, name, rest)
}

func has(id string) string { return fmt.Sprintf(`document.querySelector(%q)`, tested(id)) }

// text is what an element with a test ID says.
func (b *person) text(id string) string {
	b.t.Helper()
	b.row(id)
	return eval[string](b, has(id)+`.innerText`)
}

// found looks for what a person would find by its role and its name: the whole name, or a part of it
// between two "…".
func (b *person) found(role, name string) (cdp.BackendNodeID, bool) {
	doc, err := chromedp.Call(b.ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
	if err != nil || doc.Result == nil {
		return 0, false
	}
	var nodes []*accessibility.Node
	roles := []string{role}
	if role == "summary" { // which opens and closes what is below it; alone, or as one of a group
		roles = []string{"DisclosureTriangle", "DisclosureTriangleGrouped"}
	}
	for _, r := range roles {
		tree, err := chromedp.Call(b.ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: doc.Result.ObjectID, Role: r})
		if err != nil {
			return 0, false
		}
		nodes = append(nodes, tree.Nodes...)
	}
	part, some := strings.CutPrefix(name, "…")
	part = strings.TrimSuffix(part, "…")
	for _, n := range nodes {
		if n.Ignored || n.Name == nil {
			continue
		}
		has, _ := strings.CutPrefix(strings.TrimSpace(strings.Trim(string(n.Name.Value), `"`)), " ")
		if has == name || some && strings.Contains(has, part) {
			return n.BackendDOMNodeID, true
		}
	}
	return 0, false
}

// sees waits for something by role and name.
func (b *person) sees(role, name string) cdp.BackendNodeID {
	b.t.Helper()
	var node cdp.BackendNodeID
	b.wait(waitLimit, role+" "+name, func() (ok bool) { node, ok = b.found(role, name); return ok })
	return node
}

// point is the middle of what is seen, scrolled into the window.
func (b *person) point(node cdp.BackendNodeID) (x, y float64, ok bool) {
	if _, err := chromedp.Call(b.ctx, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: node}); err != nil {
		return 0, 0, false
	}
	r, err := chromedp.Call(b.ctx, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: node})
	if err != nil || len(r.Quads) == 0 {
		return 0, 0, false
	}
	q := r.Quads[0]
	return (q[0] + q[4]) / 2, (q[1] + q[5]) / 2, true
}

// click clicks with the mouse on what has that role and that name, when it is there.
func (b *person) click(role, name string) {
	b.t.Helper()
	b.wait(waitLimit, "a click on "+role+" "+name, func() bool {
		node, ok := b.found(role, name)
		if !ok {
			return false
		}
		x, y, ok := b.point(node)
		return ok && chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y)) == nil
	})
}

// types clicks into a field, by its label, and writes.
func (b *person) types(label, text string) {
	b.t.Helper()
	b.click("textbox", label)
	b.keys(text)
}

// keys types where the focus is.
func (b *person) keys(text string) { b.t.Helper(); b.do(chromedp.KeyEvent(text)) }

// press clicks on a selector, where names are not the subject.
func (b *person) press(selector string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).click()`, selector)))
}

// login goes to the log-in page and comes to where it leads.
func (b *person) login(name, password string) {
	b.t.Helper()
	b.open("/login", "login")
	b.sign(name, password)
	b.at("home")
}

// sign fills the form of the log-in page that is open.
func (b *person) sign(name, password string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS("#login"), name), chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
}

func (b *person) logout() {
	b.t.Helper()
	b.click("summary", "…account menu")
	b.click("button", "Log out")
	b.at("login")
}

// size makes the window as large as a screen.
func (b *person) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// cookies are those that a script cannot read, too.
func (b *person) cookies() map[string]*network.Cookie {
	b.t.Helper()
	list := map[string]*network.Cookie{}
	for _, c := range call(b.t, b.ctx, network.GetCookies, network.GetCookiesParams{}).Cookies {
		list[c.Name] = c
	}
	return list
}

// clipboard lets the window read what was copied.
func (b *person) clipboard() {
	b.t.Helper()
	for _, what := range []string{"clipboard-read", "clipboard-write"} {
		if _, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: what},
			Setting: browser.PermissionSettingGranted, Origin: b.base, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// drops drags files from outside over the page, once its scripts are there, and lets them fall.
func (b *person) drops(files ...string) {
	b.t.Helper()
	b.at("")
	data := &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1}
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		call(b.t, b.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{Type: kind, X: 400, Y: 400, Data: data})
	}
}
