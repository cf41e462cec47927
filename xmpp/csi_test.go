package xmpp_test

import (
	"fmt"
	"strings"
	"testing"
)

const (
	inactive = "<inactive xmlns='urn:xmpp:csi:0'/>"
	active   = "<active xmlns='urn:xmpp:csi:0'/>"
	typing   = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
	pauses   = "<paused xmlns='http://jabber.org/protocol/chatstates'/>"
)

// pinged waits for the answer to a ping of p's own, and returns what came before it.
func (p *peer) pinged() string {
	p.t.Helper()
	p.send("<iq type='get' id='here' to='" + host + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	return strings.TrimSuffix(p.expect("<iq type='result' id='here' from='"+host+"' to='"+p.jid+"'/>"), "<iq type='result' id='here' from='"+host+"' to='"+p.jid+"'/>")
}

func TestInactive(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	to := func(kind, inner string) string {
		return "<" + kind + " to='" + bob.jid + "'>" + inner + "</" + kind + ">"
	}
	text := "<body>now</body>"
	for _, tt := range []struct {
		name string
		send string
		wait string // what must not have come while bob is inactive; what comes when he is active
		now  string
	}{
		{"presence", to("presence", "<show>away</show>"), "<show>away</show>", ""},
		{"the newest presence", to("presence", "<show>away</show>") + to("presence", "<show>dnd</show>"), "<show>dnd</show>", ""},
		{"unavailable", "<presence type='unavailable' to='" + bob.jid + "'/>", "unavailable", ""},
		{"chat state", to("message", typing), "composing", ""},
		{"the newest chat state", to("message", typing) + to("message", pauses+"<thread>x</thread>"), "paused", ""},
		{"message", to("message", text), "", "<body>now</body>"},
		{"message with a chat state", to("message", "<active xmlns='http://jabber.org/protocol/chatstates'/>"+text), "", "<body>now</body>"},
		{"receipt", to("message", "<received xmlns='urn:xmpp:receipts' id='1'/>"), "", "urn:xmpp:receipts"},
		{"encrypted", to("message", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>"), "", "axolotl"},
		{"error", "<message type='error' to='" + bob.jid + "'>" + typing + "</message>", "", "composing"},
		{"request", "<iq type='get' id='q' to='" + bob.jid + "'><query xmlns='urn:example'/></iq>", "", "urn:example"},
		{"presence before a message", to("presence", "<status>first</status>") + to("message", text), "", "<status>first</status>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bob.t, alice.t = t, t
			bob.send(inactive)
			bob.pinged()
			alice.send(tt.send)
			alice.pinged()
			if tt.now != "" {
				bob.expect(tt.now)
			} else {
				must(t, bob.quiet())
			}
			bob.send(active)
			got := bob.pinged()
			if tt.wait != "" && !strings.Contains(got, tt.wait) {
				t.Errorf("got %q, want %s", got, tt.wait)
			}
			if n := strings.Count(got, "<presence") + strings.Count(got, "<message"); tt.wait != "" && n != 1 {
				t.Errorf("got %d stanzas: %s", n, got)
			}
		})
	}
}

// What waits is bounded: beyond a quarter of the queue it goes out.
func TestInactiveIsBounded(t *testing.T) {
	s := start(t, options{})
	alice, bob := s.login("alice", "a"), s.login("bob", "b")
	bob.send(inactive)
	bob.pinged()
	big := strings.Repeat("x", 9000)
	for range 60 { // one key: what is left of each is its place
		alice.send("<message to='" + bob.jid + "'>" + typing + "<thread>" + big + "</thread></message>")
	}
	alice.pinged()
	must(t, bob.quiet())
	bob.send(active)
	if got := bob.pinged(); strings.Count(got, "<message") != 1 {
		t.Errorf("%d messages", strings.Count(got, "<message"))
	}
	bob.send(inactive)
	bob.pinged()
	for i := range 60 { // as many keys as there are senders, here other resources of one account
		x := s.login("alice", fmt.Sprintf("r%d", i))
		x.send("<message to='" + bob.jid + "'>" + typing + "<thread>" + big + "</thread></message>")
		x.pinged()
		if i > 30 {
			break
		}
	}
	bob.expect("/r0'")
}

func TestInactiveInBind2(t *testing.T) {
	s := start(t, options{})
	alice := s.login("alice", "a")
	p := s.dialTLS()
	p.open()
	p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" + b64("\x00bob\x00"+password) + "</initial-response>" +
		"<bind xmlns='urn:xmpp:bind:0'><tag>T</tag>" + inactive + "<enable xmlns='urn:xmpp:sm:3'/></bind></authenticate>")
	got := p.expect("</stream:features>")
	if !strings.Contains(got, "<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3' id='") {
		t.Fatal(got)
	}
	_, rest, _ := strings.Cut(got, "<authorization-identifier>")
	p.jid, _, _ = strings.Cut(rest, "<")
	alice.send("<presence to='" + p.jid + "'/>")
	alice.pinged()
	must(t, p.quiet())
	p.send(active)
	p.expect("<presence ")
}
