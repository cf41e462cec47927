package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// chatInPage is a chat client without a library, as a page of the site runs it: it logs in, sends
// itself a message, and says in the title what came of it.
const chatInPage = `(() => {
  const ws = new WebSocket("wss://" + location.host + "/xmpp-websocket", "xmpp");
  const open = () => ws.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>");
  let opened = 0;
  ws.onopen = open;
  ws.onmessage = e => {
    switch (/^<(?:stream:)?(\w+)/.exec(e.data)[1]) { // no parser: the pages' policy forbids it
    case "features":
      if (++opened == 1) ws.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + btoa("\0alice\0%[1]s") + "</auth>");
      else ws.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>page</resource></bind></iq>");
      break;
    case "success": open(); break;
    case "iq": ws.send("<message xmlns='jabber:client' to='" + /<jid>(.*)<\/jid>/.exec(e.data)[1] + "'><body>to myself</body></message>"); break;
    case "message":
      ws.dataset = /<body>(.*)<\/body>/.exec(e.data)[1];
      ws.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
      break;
    }
  };
  ws.onclose = e => { document.title = "closed " + e.code + " " + e.wasClean + " " + ws.protocol + " " + ws.dataset; };
})()`

// One port for pages, for chat over WebSocket, and for chat with direct TLS.
func TestChatOnTheWebPort(t *testing.T) {
	s := serve(t, "--set", "web.tls_listen=127.0.0.1:0")
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	x := dialXMPP(t, s.addr["https"], "localhost")
	x.login("alice", password, "localhost", "desk")

	out, err := exec.CommandContext(t.Context(), "curl", "-sk", "--max-time", "15", "-H", "Host: localhost:1", "-w", "\n%{http_code} %{http_version} %header{access-control-allow-origin}",
		"https://"+s.addr["https"]+"/.well-known/host-meta.json").CombinedOutput()
	if want := `{"links":[{"rel":"urn:xmpp:alt-connections:websocket","href":"wss://localhost:1/xmpp-websocket"}]}`; err != nil ||
		!strings.HasPrefix(string(out), want) || !strings.HasSuffix(string(out), fmt.Sprint(http.StatusOK)+" 2 *") {
		t.Errorf("host-meta: %s, %v", out, err)
	}

	ctx := browse(t, chromedp.Flag("ignore-certificate-errors", true))
	do(t, ctx, "a page of the site", chromedp.Navigate("https://localhost:"+port(s.addr["https"])+"/login"), chromedp.WaitVisible(chromedp.CSS("main")))
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(chatInPage, password))); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.title.startsWith("closed")`)); err != nil {
		t.Fatal(err)
	}
	title, err := chromedp.Run(ctx, chromedp.Title())
	if err != nil {
		t.Fatal(err)
	}
	if title != "closed 1000 true xmpp to myself" {
		t.Errorf("the page says %q", title)
	}
}
