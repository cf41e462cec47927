package mam_test

import (
	"encoding/base64"
	"testing"

	. "trivium/xmpp/xmpptest"
)

// Who binds in the log-in hears how the archive stands (XEP-0386 section 3.2).
func TestBind2(t *testing.T) {
	s := start(t, nil)
	login := func() string {
		c := s.Dial()
		c.Send("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + Host + "'>")
		c.Expect("</stream:features>")
		c.Send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" +
			base64.StdEncoding.EncodeToString([]byte("\x00alice\x00"+Password)) + "</initial-response><bind xmlns='urn:xmpp:bind:0'/></authenticate>")
		return c.Expect("</success>")
	}
	Has(t, "alice", login(), "<bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'/></bound>")
	bob := s.Online("bob", "b")
	bob.Then(say(Alice, "1", "x") + say(Alice, "2", "y"))
	a := page(t, s.Login("alice", "a"), "")
	Has(t, "alice", login(), "<bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'><start id='"+a.first+"' timestamp='"+a.list[0].stamp+"'/><end id='"+a.last+"' timestamp='"+a.list[1].stamp+"'/></metadata></bound>")
}
