package e2e

import (
	"context"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestChatByConverse is a person on the page of chat: logged in by the site alone, messages both ways,
// what came while the page was closed, a network that breaks, the session in the list, and its end with
// the log-in. Nothing is asked of another host.
func TestChatByConverse(t *testing.T) {
	if _, err := os.Stat("../web/assets/vendor/converse/converse.min.js.gz"); err != nil {
		t.Skip("converse.js is not there: make web fetches it")
	}
	ctx := browse(t, chromedp.Flag("ignore-certificate-errors", true))
	s := couple(t, "--set", "web.tls_listen=127.0.0.1:0")
	way := lay(t, s.addr["https"])
	site := "https://" + strings.Replace(way.addr, "127.0.0.1", "localhost", 1)
	seen := watch(t, ctx, site)

	bob, phone := online(t, s, "bob", "raw"), online(t, s, "alice", "raw")
	phone.asks(`<iq type='set' id='a1'><query xmlns='jabber:iq:roster'><item jid='bob@localhost' name='Bob'/></query></iq>` +
		`<message to='bob@localhost' type='chat' id='p1'><body>from my phone</body></message>`)
	bob.until("from my phone")
	phone.send(`</stream:stream>`)
	phone.until(`</stream:stream>`)
	bob.send(`<message to='alice@localhost' type='chat' id='b1'><body>while you were away</body></message>`)

	text := func(body string) chromedp.Action[chromedp.Void] {
		return eventually(`[...document.querySelectorAll('.chat-msg__text')].filter(e => e.textContent.trim() === '` + body + `').length === 1`)
	}
	open := chromedp.WaitReady(chromedp.CSS(`#chat[data-state="open"]`))
	do(t, ctx, "log in", chromedp.Navigate(site+"/login?next=/chat"),
		chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "alice"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password+"\r"),
		chromedp.WaitVisible(chromedp.CSS(`body[data-page="chat"]`)), open)
	// The list is drawn anew whenever somebody comes or goes, which a click of the mouse could fall into.
	do(t, ctx, "open a chat", eventually(`(document.querySelector('a.open-chat[data-jid="bob@localhost"]')?.click(), !!document.querySelector('textarea.chat-textarea'))`))
	do(t, ctx, "the archive", text("from my phone"), text("while you were away"))
	do(t, ctx, "write", chromedp.SendKeys(chromedp.CSS(`textarea.chat-textarea`), "hello from the browser\r"), text("hello from the browser"))
	bob.until(`<message[^>]*>.*<body>hello from the browser</body>.*<request xmlns=["']urn:xmpp:receipts["']`)
	bob.send(`<message to='alice@localhost' type='chat' id='b2'><body>grüße &lt;&amp;&gt; ☃</body><request xmlns='urn:xmpp:receipts'/></message>`)
	do(t, ctx, "read", text("grüße <&> ☃"))
	bob.until(`<received[^>]*id=['"]b2['"]`)

	chats := func() (list []session) {
		for _, x := range s.sessions(t, "--user", "alice") {
			if x.Protocol == "xmpp" {
				list = append(list, x)
			}
		}
		return list
	}
	before := chats()
	if len(before) != 1 || before[0].UserAgent == nil || *before[0].UserAgent != "converse.js/Web" || before[0].TokenID != nil {
		t.Fatalf("the list has %+v", before)
	}
	if n := way.cut(); n == 0 {
		t.Fatal("no connection was cut")
	}
	bob.send(`<message to='alice@localhost' type='chat' id='b3'><body>in the dark</body></message>`)
	do(t, ctx, "back", text("in the dark"), open)
	if after := chats(); len(after) != 1 || after[0].ID != before[0].ID {
		t.Errorf("not resumed: before %+v, after %+v", before, after)
	}

	// Whoever ends the session in the list ends the chat; whoever ends the log-in on the site does, too.
	for _, x := range s.sessions(t, "--user", "alice") {
		if x.Protocol == "web" {
			s.run(t, "", "session", "end", x.ID)
		}
	}
	do(t, ctx, "the end", chromedp.WaitReady(chromedp.CSS(`#chat[data-state="ended"]`)), chromedp.WaitVisible(chromedp.CSS(`[data-chat-over]`)))
	if left := chats(); len(left) != 0 {
		t.Errorf("the chat goes on: %+v", left)
	}
	seen.none(t)
}

// watched notes what a page asks of other origins, and what its policy has stopped.
type watched struct {
	mu     sync.Mutex // guards faults
	faults []string
}

func watch(t *testing.T, ctx context.Context, site string) *watched {
	t.Helper()
	w := &watched{}
	note := func(text string) { w.mu.Lock(); defer w.mu.Unlock(); w.faults = append(w.faults, text) }
	requests, sockets, entries := chromedp.Events(ctx, network.RequestWillBeSent), chromedp.Events(ctx, network.WebSocketCreated), chromedp.Events(ctx, log.EntryAdded)
	foreign := func(address string) {
		u, err := url.Parse(address)
		if err != nil || !slices.Contains([]string{"data", "blob", "about"}, u.Scheme) && !strings.HasSuffix(site, "//"+u.Host) {
			note("asked for " + address)
		}
	}
	go func() {
		for e, err := range requests {
			if err != nil {
				return
			}
			foreign(e.Request.URL)
		}
	}()
	go func() {
		for e, err := range sockets {
			if err != nil {
				return
			}
			foreign(e.URL)
		}
	}()
	go func() {
		for e, err := range entries {
			if err != nil {
				return
			}
			if strings.Contains(e.Entry.Text, "Content Security Policy") {
				note(e.Entry.Text)
			}
		}
	}()
	return w
}

func (w *watched) none(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		t.Error(f)
	}
}

// eventually waits until a script says true; it may be a promise, and may fail before.
func eventually(script string) chromedp.Action[chromedp.Void] {
	return chromedp.PollFunction[chromedp.Void](`async () => { try { return await (` + script + `); } catch { return false; } }`)
}
