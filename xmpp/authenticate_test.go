package xmpp

import (
	"encoding/xml"
	"testing"
	"unicode/utf8"
)

// FuzzAuthenticate: whatever a stranger sends as `<authenticate/>`, what is read of it is within its
// bounds, and what encoding/xml reads.
func FuzzAuthenticate(f *testing.F) {
	for _, s := range []string{
		"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>AGE=</initial-response></authenticate>",
		"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='X'><user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>A&amp;B</software><device>é&#x9;</device></user-agent><initial-response/></authenticate>",
		"<a:authenticate xmlns:a='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><fast xmlns='urn:xmpp:fast:0' count='7' invalidate='1'/><a:initial-response>=</a:initial-response><request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/></a:authenticate>",
		"<authenticate xmlns='urn:xmpp:sasl:2'><bind xmlns='urn:xmpp:bind:0'><tag>x</tag></bind><resume xmlns='urn:xmpp:sm:3' previd='a' h='1'/><config-version xmlns='urn:xmpp:iap:0' value='v'/><upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-1</upgrade></authenticate>",
		"<authenticate xmlns='urn:xmpp:sasl:2'><fast xmlns='urn:xmpp:fast:0' count='-1'/></authenticate>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		el, err := parseElement([]byte(text), clientScope())
		if err != nil {
			return
		}
		q, err := parseRequest2(el)
		if err != nil {
			return
		}
		if len(q.agent.ID) > maxAgentID || len(q.agent.Software) > maxAgentText || len(q.agent.Device) > maxAgentText || !utf8.ValidString(q.agent.String()) {
			t.Fatalf("%+v", q.agent)
		}
		if len(q.upgrades) > maxUpgrades {
			t.Fatal(q.upgrades)
		}
		if q.fast != nil && q.fast.count < 0 {
			t.Fatal(q.fast.count)
		}
		var want struct {
			Mechanism string `xml:"mechanism,attr"`
			Agent     []struct {
				ID string `xml:"id,attr"`
			} `xml:"urn:xmpp:sasl:2 user-agent"`
			Bind []struct{} `xml:"urn:xmpp:bind:0 bind"`
		}
		if err := xml.Unmarshal([]byte(text), &want); err != nil {
			return // it leans on the stream's own declarations
		}
		if want.Mechanism != q.mechanism || (len(want.Bind) > 0) != (q.bind != nil) || len(want.Agent) == 1 && want.Agent[0].ID != q.agent.ID {
			t.Fatalf("%+v, want %+v", q, want)
		}
	})
}

// FuzzHT: a message that passes is its parts put together again.
func FuzzHT(f *testing.F) {
	for _, s := range []string{"", "alice\x00", "alice\x000123456789abcdef0123456789abcdef", "\x000123456789abcdef0123456789abcdef", "a\x00\x00123456789abcdef0123456789abcde"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		name, proof, err := parseHT(msg)
		if err != nil {
			return
		}
		if name == "" || len(name) > 255 || len(proof) != 32 || name+"\x00"+string(proof) != string(msg) || !utf8.ValidString(name) {
			t.Fatalf("%q: %q, %q", msg, name, proof)
		}
	})
}
