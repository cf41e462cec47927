package mam

import (
	"trivium/xmpp"
)

// The namespaces.
const (
	ns          = "urn:xmpp:mam:2"
	nsExtended  = ns + "#extended"
	nsGroupchat = ns + "#groupchat-field"
	nsSID       = "urn:xmpp:sid:0"
	nsFulltext  = "urn:xmpp:fulltext:0"
	nsRetract   = "urn:xmpp:message-retract:1"
	nsTombstone = nsRetract + "#tombstone"
	nsClient    = "jabber:client"
	nsReceipts  = "urn:xmpp:receipts"
	nsMarkers   = "urn:xmpp:chat-markers:0"
	nsMUCUser   = "http://jabber.org/protocol/muc#user"
)

// worth reports whether a message belongs into the archives of persons (XEP-0313 section 6.1.1,
// XEP-0334 section 4): what somebody has written, and what says something about that, such as
// receipts and markers; not what is over in a moment, such as that somebody is typing. What is said in
// rooms is in the archive of the room.
func worth(m *xmpp.Message) bool {
	switch m.Type {
	case "error", "groupchat":
		return false
	}
	if m.Asks(xmpp.HintNoStore | xmpp.HintNoPermanentStore) {
		return false
	}
	if m.Asks(xmpp.HintStore) {
		return true
	}
	if m.Type == "headline" {
		return false
	}
	for _, c := range m.Children {
		if lasting(c) {
			return true
		}
	}
	return false
}

// lasting reports whether a child alone makes a message worth keeping.
func lasting(c xmpp.Child) bool {
	switch c.Name.Space {
	case nsClient:
		return c.Name.Local == "body"
	case nsReceipts:
		return c.Name.Local == "received"
	case nsMarkers:
		return c.Name.Local != "markable"
	case nsMUCUser: // an invitation that a room passes on
		return c.Name.Local == "x"
	case "jabber:x:conference", // an invitation into a room (XEP-0249)
		nsRetract,
		"urn:xmpp:reactions:0",
		"urn:xmpp:eme:0", "urn:xmpp:omemo:2", "urn:xmpp:openpgp:0", "eu.siacs.conversations.axolotl":
		return true
	}
	return false
}

// originOf is the id by which a message that is sent again is known, and whether the sender says
// that there is only one such message.
func originOf(m *xmpp.Message) (origin string, only bool) {
	if el, ok := m.Only(nsSID, "origin-id"); ok {
		if id, ok := el.Attr("id"); ok && id != "" {
			return id, true
		}
	}
	return m.ID, false
}

// openEnd is behind the open tag of an element.
func openEnd(b []byte) int {
	var quote byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(b)
}
