package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// conversePage is what a site puts around converse.js. %s: its own address, the WebSocket.
const conversePage = `<!doctype html><meta charset="utf-8"><title>chat</title>
<link rel="stylesheet" href="/converse.min.css">
<body class="converse-fullscreen"><script type="module">
import converse from '/converse.min.js';
converse.plugins.add('probe', { initialize() { window.chat = this._converse.api; } });
converse.initialize({ authentication: 'login', assets_path: '/', websocket_url: '%s', discover_connection_methods: false,
	view_mode: 'fullscreen', allow_non_roster_messaging: true, auto_subscribe: true, i18n: 'en', show_desktop_notifications: false,
	omemo_default: false, whitelisted_plugins: ['probe'], persistent_store: 'sessionStorage', loglevel: 'warn' });
</script>`

// TestChatByConverse is a person in a browser: SCRAM over WebSocket, messages both ways, what came
// while the page was closed, the list of OMEMO devices, and a network that breaks.
func TestChatByConverse(t *testing.T) {
	dist, err := filepath.Glob("../bin/tools/converse-*/dist")
	if err != nil || len(dist) == 0 {
		t.Skip("converse.js is not there: make converse fetches it")
	}
	ctx := browse(t, chromedp.Flag("ignore-certificate-errors", true))
	way := new(cable) // laid when the server is there
	var page string
	files := http.FileServerFS(os.DirFS(dist[0]))
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			files.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, page)
	}))
	t.Cleanup(site.Close)
	s := couple(t, "--set", "web.tls_listen=127.0.0.1:0", "--set", "xmpp.websocket_origins="+site.URL)
	way = lay(t, s.addr["https"])
	page = fmt.Sprintf(conversePage, "wss://"+strings.Replace(way.addr, "127.0.0.1", "localhost", 1)+"/xmpp-websocket")

	bob, phone := online(t, s, "bob", "raw"), online(t, s, "alice", "raw")
	phone.send(`<message to='bob@localhost' type='chat' id='p1'><body>from my phone</body></message>`)
	bob.until("from my phone")
	phone.send(`</stream:stream>`)
	phone.until(`</stream:stream>`)
	bob.send(`<message to='alice@localhost' type='chat' id='b1'><body>while you were away</body></message>`)

	text := func(body string) chromedp.Action[chromedp.Void] {
		return eventually(`[...document.querySelectorAll('.chat-msg__text')].filter(e => e.textContent.trim() === '` + body + `').length === 1`)
	}
	do(t, ctx, "log in", chromedp.Navigate(site.URL),
		chromedp.SendKeys(chromedp.CSS(`#converse-login-jid`), "alice@localhost"),
		chromedp.SendKeys(chromedp.CSS(`#converse-login-password`), password),
		chromedp.Click(chromedp.CSS(`#converse-login button[type="submit"]`)),
		eventually(`window.chat && chat.connection.authenticated()`))
	if !strings.Contains(s.log.String(), `"method":"scram-sha-256"`) {
		t.Error("not logged in by SCRAM")
	}
	do(t, ctx, "open a chat", eventually(`chat.chats.open('bob@localhost', {}, true).then(() => true)`))
	do(t, ctx, "the archive", text("from my phone"), text("while you were away"))
	do(t, ctx, "write", chromedp.SendKeys(chromedp.CSS(`textarea.chat-textarea`), "hello from the browser\r"), text("hello from the browser"))
	bob.until(`<message[^>]*>.*<body>hello from the browser</body>.*<request xmlns=["']urn:xmpp:receipts["']`)
	bob.send(`<message to='alice@localhost' type='chat' id='b2'><body>grüße &lt;&amp;&gt; ☃</body><request xmlns='urn:xmpp:receipts'/></message>`)
	do(t, ctx, "read", text("grüße <&> ☃"))
	bob.until(`<received[^>]*id=['"]b2['"]`)

	// Its devices are there for everybody, as OMEMO needs them.
	do(t, ctx, "OMEMO devices", eventually(`chat.omemo && chat.omemo.bundle.generate().then(() => true)`))
	bob.send(`<iq type='get' id='d1' to='alice@localhost'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='eu.siacs.conversations.axolotl.devicelist'/></pubsub></iq>`)
	bob.until(`<iq[^>]*id='d1'[^>]*>.*<device id=['"][0-9]+['"]`)

	before := s.sessions(t, "--user", "alice")
	if n := way.cut(); n == 0 {
		t.Fatal("no connection was cut")
	}
	bob.send(`<message to='alice@localhost' type='chat' id='b3'><body>in the dark</body></message>`)
	do(t, ctx, "back", eventually(`chat.connection.authenticated()`), text("in the dark"))
	if after := s.sessions(t, "--user", "alice"); len(after) != 1 || after[0].ID != before[0].ID {
		t.Errorf("not resumed: before %+v, after %+v", before, after)
	}
}

// eventually waits until a script says true; it may be a promise, and may fail before.
func eventually(script string) chromedp.Action[chromedp.Void] {
	return chromedp.PollFunction[chromedp.Void](`async () => { try { return await (` + script + `); } catch { return false; } }`)
}
