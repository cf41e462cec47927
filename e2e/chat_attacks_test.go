package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// online logs in by raw XML, with the roster fetched and presence sent.
func online(t *testing.T, s *server, name, resource string) *xmppClient {
	t.Helper()
	x := dialXMPP(t, s.addr["xmpps"], "localhost")
	x.login(name, password, "localhost", resource)
	x.send(`<iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq><presence/>`)
	x.until(`<presence[^>]*>`)
	return x
}

// asks sends something, then a ping, and returns what came until the pong.
func (x *xmppClient) asks(stanza string) string {
	x.t.Helper()
	x.send(stanza + `<iq type='get' id='then' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
	return x.until(`<iq[^>]*id='then'[^>]*>`)
}

// ended expects a stream error and the end of the connection.
func (x *xmppClient) ended(condition string) {
	x.t.Helper()
	x.until(`<stream:error><` + condition + ` [^>]*>.*</stream:stream>`)
	_ = x.conn.SetReadDeadline(time.Now().Add(clientLimit))
	if _, err := io.Copy(io.Discard, x.conn); err != nil && !strings.Contains(err.Error(), "reset") {
		x.t.Errorf("the connection stays: %v", err)
	}
}

// TestForgedWords: what clients believe of their own server, such as copies of what one has written
// oneself (CVE-2017-5589 and its kind), results of the archive and changes of the roster, cannot
// come from others in its name: each stanza says from whom it is.
func TestForgedWords(t *testing.T) {
	s := couple(t)
	alice, bob := online(t, s, "alice", "a"), online(t, s, "bob", "b")
	const inner = `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='alice@localhost/x' to='carol@localhost'><body>forged</body></message></forwarded>`
	for _, tt := range []struct{ name, stanza string }{
		{"a copy of one's own message", `<message to='alice@localhost/a' type='chat'><sent xmlns='urn:xmpp:carbons:2'>` + inner + `</sent></message>`},
		{"a copy of a received message", `<message to='alice@localhost/a' type='chat'><received xmlns='urn:xmpp:carbons:2'>` + inner + `</received></message>`},
		{"the same to all", `<message to='alice@localhost' type='headline'><received xmlns='urn:xmpp:carbons:2'>` + inner + `</received></message>`},
		{"a result of the archive", `<message to='alice@localhost/a'><result xmlns='urn:xmpp:mam:2' id='1' queryid='q'>` + inner + `</result></message>`},
		{"news of a node", `<message to='alice@localhost/a' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:bookmarks:1'><item id='evil@rooms.example'/></items></event></message>`},
		{"a change of the roster", `<iq to='alice@localhost/a' type='set' id='push1'><query xmlns='jabber:iq:roster'><item jid='evil@localhost' subscription='both'/></query></iq>`},
		{"a block", `<iq to='alice@localhost/a' type='set' id='push2'><block xmlns='urn:xmpp:blocking'><item jid='carol@localhost'/></block></iq>`},
		{"an answer of the server", `<iq to='alice@localhost/a' type='result' id='disco1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bob.t, alice.t = t, t
			bob.asks(tt.stanza)
			bob.asks(`<message to='alice@localhost/a' type='headline'><body>the end</body></message>`)
			got := alice.until(`<body>the end</body></message>`)
			for _, head := range regexp.MustCompile(`<(message|iq|presence)( [^>]*)?>`).FindAllString(strings.ReplaceAll(got, inner, ""), -1) {
				if !strings.Contains(head, ` from='bob@localhost/b'`) {
					t.Errorf("alice was told %s", head)
				}
			}
		})
	}
	bob.t, alice.t = t, t
	t.Run("an identifier of the archive", func(t *testing.T) {
		bob.asks(`<message to='alice@localhost/a' type='chat'><body>one</body><stanza-id xmlns='urn:xmpp:sid:0' by='alice@localhost' id='forged'/></message>`)
		if got := alice.until(`<body>one</body>.*</message>`); strings.Contains(got, "forged") || strings.Count(got, "<stanza-id") != 1 {
			t.Error(got)
		}
	})
	t.Run("for the account", func(t *testing.T) {
		for _, tt := range []struct{ stanza, refused string }{
			{`<iq to='alice@localhost' type='set' id='x'><query xmlns='jabber:iq:roster'><item jid='evil@localhost'/></query></iq>`, "forbidden"}, // RFC 6121 section 2.3.3,
			{`<iq to='alice@localhost' type='get' id='x'><query xmlns='jabber:iq:roster'/></iq>`, "service-unavailable"},
			{`<iq to='alice@localhost' type='set' id='x'><query xmlns='urn:xmpp:mam:2'/></iq>`, "(forbidden|service-unavailable)"},
			{`<iq to='alice@localhost' type='set' id='x'><block xmlns='urn:xmpp:blocking'><item jid='bob@localhost'/></block></iq>`, "service-unavailable"},
			{`<iq to='alice@localhost' type='set' id='x'><enable xmlns='urn:xmpp:carbons:2'/></iq>`, "service-unavailable"},
			{`<iq to='alice@localhost' type='set' id='x'><enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='n'/></iq>`, "service-unavailable"},
			{`<iq to='alice@localhost' type='set' id='x'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:data'><item id='1'/></publish></pubsub></iq>`, "(forbidden|item-not-found|service-unavailable)"},
		} {
			if got := bob.asks(tt.stanza); !regexp.MustCompile(`<iq[^>]*type='error'[^>]*>.*<` + tt.refused).MatchString(got) {
				t.Errorf("%s was answered %s", tt.stanza, got)
			}
		}
		alice.send(`<iq type='get' id='r2'><query xmlns='jabber:iq:roster'/></iq>`)
		if got := alice.until(`<iq[^>]*id='r2'[^>]*>.*(</iq>|/>)`); strings.Contains(got, "evil") {
			t.Error(got)
		}
	})
	for _, from := range []string{"alice@localhost", "alice@localhost/a", "localhost", "bob@localhost/other"} {
		t.Run("from "+from, func(t *testing.T) {
			x := online(t, s, "bob", "forger")
			x.send(`<message from='` + from + `' to='alice@localhost'><body>forged</body></message>`)
			x.ended("invalid-from")
		})
	}
}

// TestStolenResumption: an identifier of somebody else's stream opens nothing, and its owner does
// not feel the try.
func TestStolenResumption(t *testing.T) {
	s := couple(t)
	alice := online(t, s, "alice", "a")
	alice.send(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
	id := regexp.MustCompile(` id='([^']+)'`).FindStringSubmatch(alice.until(`<enabled[^>]*>`))[1]
	for _, name := range []string{"bob", "alice"} {
		previd, h := id, "0"
		if name == "alice" { // her own, with a count that cannot be
			h = "77777"
		}
		thief := dialXMPP(t, s.addr["xmpps"], "localhost")
		thief.authenticate(name, password, "localhost")
		thief.send(`<resume xmlns='urn:xmpp:sm:3' previd='` + previd + `' h='` + h + `'/>`)
		if got := thief.until(`<(failed|resumed)[^>]*>|</stream:stream>`); strings.Contains(got, "<resumed") {
			t.Errorf("%s: %s", name, got)
		}
		if got := alice.asks(""); strings.Contains(got, "error") {
			t.Errorf("after %s: %s", name, got)
		}
	}
}

// TestHostileStanzas: each ends the stream with its condition, and nobody else feels it.
func TestHostileStanzas(t *testing.T) {
	s := couple(t)
	bystander := online(t, s, "alice", "a")
	for _, tt := range []struct{ name, input, condition string }{
		{"billion laughs", `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;">]><message to='alice@localhost'><body>&lol2;</body></message>`, "restricted-xml"},
		{"an entity of one's own", `<message to='alice@localhost'><body>&lol;</body></message>`, "restricted-xml"},
		{"an entity of a file", `<message to='alice@localhost'><body>&xxe;</body><!ENTITY xxe SYSTEM "file:///etc/passwd"></message>`, "(restricted-xml|not-well-formed)"},
		{"a letter of no text", `<message to='alice@localhost'><body>&#0;</body></message>`, "(restricted-xml|not-well-formed)"},
		{"too large", `<message to='alice@localhost'><body>` + strings.Repeat("x", 300<<10) + `</body></message>`, "policy-violation"},
		{"too deep", `<message to='alice@localhost'>` + strings.Repeat("<a>", 10000), "policy-violation"},
		{"attributes without end", `<message to='alice@localhost' ` + strings.Repeat("a='b' ", 60000), "(policy-violation|not-well-formed)"},
		{"two of a name", `<message to='alice@localhost' to='bob@localhost'/>`, "not-well-formed"},
		{"compression", `<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>`, "unsupported-stanza-type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := online(t, s, "bob", "hostile")
			go func() { _, _ = io.WriteString(x.conn, tt.input) }()
			x.ended(tt.condition)
		})
	}
	if got := bystander.asks(""); strings.Contains(got, "<message") || strings.Contains(got, "error") {
		t.Errorf("alice got %s", got)
	}
}

// TestChatLimits: what one client, one account and a stranger may use.
func TestChatLimits(t *testing.T) {
	s := couple(t, "--set", "limits.login_timeout=2s", "--set", "limits.sessions_per_user_xmpp=3")
	t.Run("slow log-in", func(t *testing.T) {
		x := dialXMPP(t, s.addr["xmpps"], "localhost")
		done := make(chan struct{})
		go func() { // a letter now and then
			defer close(done)
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := io.WriteString(x.conn, " "); err != nil {
					return
				}
			}
		}()
		x.until(`<stream:error><connection-timeout`)
		_ = x.conn.Close()
		<-done
	})
	t.Run("resources", func(t *testing.T) {
		var all []*xmppClient
		for i := range 3 {
			all = append(all, online(t, s, "alice", strconv.Itoa(i)))
		}
		x := dialXMPP(t, s.addr["xmpps"], "localhost")
		x.send(plainAuth("alice", password))
		x.until(`<failure[^>]*>.*</failure>|<stream:error>.*</stream:stream>`)
		for _, x := range all {
			x.asks("")
		}
	})
}

// TestMemoryIsBounded: a client that reads nothing while others write to it and change their
// presence costs what config allows, not what they send.
func TestMemoryIsBounded(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc here")
	}
	s := couple(t, "--set", "limits.xmpp_queue_size=1MiB", "--set", "xmpp.archive=false", "--set", "xmpp.offline_messages=10")
	alice := online(t, s, "alice", "a")
	for _, sm := range []bool{false, true} {
		t.Run(fmt.Sprintf("acknowledgements %v", sm), func(t *testing.T) {
			slow := online(t, s, "bob", "slow")
			if sm {
				slow.send(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`)
				slow.until(`<enabled[^>]*>`)
			}
			alice.t = t
			alice.asks(`<presence to='bob@localhost/slow'/>`)
			before := s.peak(t)
			message := `<message to='bob@localhost/slow' type='headline'><body>` + strings.Repeat("x", 10000) + `</body></message>`
			presence := `<presence to='bob@localhost/slow'><status>` + strings.Repeat("y", 1000) + `</status></presence>`
			batch := strings.Repeat(message+strings.Repeat(presence, 10), 50)
			for range 80 { // some 80 MB
				alice.asks(batch)
			}
			grown := s.peak(t) - before
			t.Logf("grown by %d KiB", grown>>10)
			if grown > 40<<20 {
				t.Error("that is too much")
			}
		})
	}
}

// peak is the largest memory that the server has had, in bytes.
func (s *server) peak(t *testing.T) int64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
