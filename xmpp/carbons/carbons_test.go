package carbons_test

import (
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/carbons"
	. "trivium/xmpp/xmpptest"
)

const enable = "<enable xmlns='urn:xmpp:carbons:2'/>"

func site(t *testing.T) *Site {
	return Start(t, Options{Modules: func(*sqldb.DB, *identity.Service) []xmpp.Module { return []xmpp.Module{carbons.New()} }})
}

func TestCopies(t *testing.T) {
	s := site(t)
	phone, laptop, bob, bobs := s.Online("alice", "phone"), s.Online("alice", "laptop"), s.Online("bob", "b1"), s.Online("bob", "b2")
	Quiet(phone, laptop, bob)
	Has(t, "laptop", laptop.Ask("set", "", enable), "<iq type='result' id='q'")
	Has(t, "bob's other one", bobs.Ask("set", "", enable), "<iq type='result' id='q'")
	const received, sent = "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>", "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"

	got := phone.Then("<message type='chat' to='"+bob.JID+"' id='1'><body>hello</body></message>", laptop, bob, bobs)
	Nothing(t, "phone", got[0])
	Has(t, "laptop", got[1], "<message type='chat' from='"+Alice+"' to='"+laptop.JID+"'>"+sent+"<message xmlns='jabber:client' type='chat' id='1' from='"+phone.JID+"' to='"+bob.JID+"'", "<body>hello</body></message></forwarded></sent></message>")
	Has(t, "bob", got[2], "<message type='chat' id='1' from='"+phone.JID+"'")
	Has(t, "bob's other one", got[3], "<message type='chat' from='"+Bob+"' to='"+bobs.JID+"'>"+received+"<message xmlns='jabber:client' type='chat' id='1' from='"+phone.JID+"'")

	for _, tt := range []struct{ name, message string }{
		{"no copy", "<message type='chat' to='" + bob.JID + "'><body>x</body><no-copy xmlns='urn:xmpp:hints'/></message>"},
		{"private", "<message type='chat' to='" + bob.JID + "'><body>x</body><private xmlns='urn:xmpp:carbons:2'/></message>"},
		{"headline", "<message type='headline' to='" + bob.JID + "'><body>x</body></message>"},
		{"nothing to read", "<message to='" + bob.JID + "'><x xmlns='urn:example'/></message>"},
	} {
		got := phone.Then(tt.message, laptop, bob, bobs)
		Nothing(t, "laptop: "+tt.name, got[1])
		Has(t, "bob: "+tt.name, got[2], "<message")
		Nothing(t, "bob's other one: "+tt.name, got[3])
	}

	got = phone.Then("<message to='"+bob.JID+"'><received xmlns='urn:xmpp:receipts' id='1'/></message>", laptop, bob, bobs)
	Has(t, "laptop", got[1], sent)
	Has(t, "bob's other one", got[3], received)

	// A bare address reaches both of bob's clients: no copy of what is there.
	got = phone.Then("<message type='chat' to='"+Bob+"'><body>both</body></message>", laptop, bob, bobs)
	Has(t, "laptop", got[1], sent)
	Has(t, "bob's other one", got[3], "<message type='chat' from='"+phone.JID+"' to='"+Bob+"'")

	laptop.Ask("set", "", "<disable xmlns='urn:xmpp:carbons:2'/>")
	Nothing(t, "laptop, that wants none", phone.Then("<message type='chat' to='"+bob.JID+"'><body>x</body></message>", laptop)[1])
}

// What one sends to oneself comes once to each.
func TestNoteToSelf(t *testing.T) {
	s := site(t)
	phone, laptop := s.Online("alice", "phone"), s.Online("alice", "laptop")
	Quiet(phone)
	laptop.Ask("set", "", enable)
	phone.Ask("set", "", enable)
	got := phone.Then("<message type='chat' to='"+laptop.JID+"'><body>note</body></message>", laptop)
	Nothing(t, "phone", got[0])
	Has(t, "laptop", got[1], "<message type='chat' from='"+phone.JID+"'")
}

// Nobody turns copies on for somebody else, and nobody is told of another's messages.
func TestStrangers(t *testing.T) {
	s := site(t)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	Has(t, "bob", bob.Ask("set", Alice, enable), "<iq type='error' id='q'", "<service-unavailable")
	Nothing(t, "bob", alice.Then("<message type='chat' to='"+Alice+"'><body>x</body></message>", bob)[1])
	Has(t, "info", alice.Ask("get", Host, "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<feature var='urn:xmpp:carbons:2'/>", "<feature var='urn:xmpp:carbons:rules:0'/>")
}
