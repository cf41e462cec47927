package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// TestChatMovesIn: who chatted on Prosody goes on here: the password, the contacts, the card, what was
// said and what is to be kept are as they were. The data directory is one that Prosody itself wrote.
func TestChatMovesIn(t *testing.T) {
	const domain = "example.org"
	dir := filepath.Join(t.TempDir(), "data")
	cmd := exec.CommandContext(t.Context(), suite.path, "user", "import", goldenPath(t, "prosody_chat"), "--data-dir", dir, "--set", "domain="+domain)
	printed, err := cmd.CombinedOutput()
	out := string(printed)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"2 added", "juliet@example.org: 1 contacts, vCard", "2 messages of the archive, preferences of the archive"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	s, err := start(suite, dir, "--set", "domain="+domain, "--set", "xmpp.scram_sha1=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	enter := func(who string) *xmppClient {
		x := dialXMPP(t, s.addr["xmpps"], domain)
		if !x.scram(scram.SHA1, "SCRAM-SHA-1", who, oldPassword) {
			t.Fatalf("%s cannot log in by the keys that Prosody made", who)
		}
		x.header(domain)
		x.send(`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>new</resource></bind></iq>`)
		x.until(`</iq>`)
		return x
	}
	romeo, juliet := enter("romeo"), enter("juliet")
	romeo.send(`<presence/>`)
	romeo.until(`<presence[^>]*>`)
	for _, tt := range []struct{ name, ask, want string }{
		{"contacts", `<query xmlns='jabber:iq:roster'/>`, `<item jid='romeo@example\.org' name='Romeo &amp; co' subscription='both'><group>Friends</group></item>`},
		{"card", `<vCard xmlns='vcard-temp'/>`, `<FN>Juliet Capulet</FN>`},
		{"card in its node", `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:vcard4'/></pubsub>`, `<fn><text>Juliet Capulet</text></fn>`},
		{"preferences", `<prefs xmlns='urn:xmpp:mam:2'/>`, `default='roster'><always></always><never><jid>tybalt@example\.org</jid></never>`},
		{"what was said", `<query xmlns='urn:xmpp:mam:2'/>`, `(?s)Wherefore art thou &lt;Romeo&gt;\?.*Call me but love`},
	} {
		typ := "get"
		if strings.Contains(tt.ask, "<query xmlns='urn:xmpp:mam:2'") {
			typ = "set"
		}
		juliet.send(`<iq type='` + typ + `' id='q'>` + tt.ask + `</iq>`)
		if got := juliet.until(`(?s)<iq [^>]*id='q'.*</iq>`); !regexp.MustCompile(tt.want).MatchString(got) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	juliet.send(`<presence/>`)
	juliet.until(`<presence[^>]*from='romeo@example\.org/new'`) // the subscription holds
	juliet.send(`<message to='romeo@example.org' type='chat'><body>Good night</body></message>`)
	romeo.until(`<body>Good night</body>`)
}
