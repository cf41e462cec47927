// Package carbons gives all clients of an account the conversations of each (XEP-0280 1.0.1).
package carbons

import (
	"context"
	"encoding/xml"

	"trivium/xmpp"
)

// The namespaces.
const (
	ns         = "urn:xmpp:carbons:2"
	nsRules    = "urn:xmpp:carbons:rules:0"
	nsClient   = "jabber:client"
	nsMUCUser  = "http://jabber.org/protocol/muc#user"
	nsInvite   = "jabber:x:conference"
	nsReceipts = "urn:xmpp:receipts"
	nsStates   = "http://jabber.org/protocol/chatstates"
	nsMarkers  = "urn:xmpp:chat-markers:0"
)

// Carbons is the module.
type Carbons struct {
	router *xmpp.Router
	wanted xmpp.Flag
}

// New makes the module.
func New() *Carbons { return &Carbons{} }

// Register implements xmpp.Module.
func (c *Carbons) Register(reg *xmpp.Registrar) {
	c.router = reg.Router
	c.wanted = reg.Flag()
	for _, name := range []string{"enable", "disable"} {
		reg.Serve(xmpp.Service{To: xmpp.ToSelf, Name: xml.Name{Space: ns, Local: name}, Resource: "xmpp:message", SetOnly: true,
			Answer: func(_ context.Context, q *xmpp.Request) {
				q.By.Set(c.wanted, name == "enable")
				q.Result("")
			}})
	}
	reg.Feature(xmpp.ToServer, ns, nsRules)
	reg.Feature(xmpp.ToSelf, nsRules)
	// XEP-0280 section 10: a client may ask for copies while it binds.
	reg.Bind(xml.Name{Space: ns, Local: "enable"}, func(_ context.Context, s *xmpp.Stream, _ *xmpp.Element) []byte {
		s.Set(c.wanted, true)
		return nil
	})
	reg.Delivered(c.copy)
}

// copy gives a message to those of both sides' clients that want it and have it not.
func (c *Carbons) copy(_ context.Context, m *xmpp.Message) {
	if m.Asks(xmpp.HintNoCopy) || m.Has(ns, "private") || !eligible(m) {
		return
	}
	if m.Recipient.ID != "" && !fromRoom(m) {
		c.send(m, m.Recipient, "received", func(s *xmpp.Stream) bool { return s == m.By || reached(m, s) }, m.Forwarded)
	}
	// What one sends to oneself has come to all that want it by now.
	if m.Sender.ID != "" && m.Sender != m.Recipient {
		c.send(m, m.Sender, "sent", func(s *xmpp.Stream) bool { return s == m.By }, m.ForwardedOwn)
	}
}

// send wraps the message, once, for the clients of one account (sections 7 and 8).
func (c *Carbons) send(m *xmpp.Message, owner xmpp.Owner, way string, has func(*xmpp.Stream) bool, forwarded func() []byte) {
	var buf [8]*xmpp.Stream
	var inner []byte
	bare := owner.String()
	for _, s := range c.router.Streams(buf[:0], owner.Address) {
		if !s.Is(c.wanted) || has(s) {
			continue
		}
		if inner == nil {
			inner = forwarded()
		}
		b := make([]byte, 0, len(inner)+256)
		b = xmpp.AppendAttr(append(b, "<message"...), "type", m.Type)
		b = xmpp.AppendAttr(b, "from", bare)
		b = xmpp.AppendAttr(b, "to", s.FullJID())
		b = append(append(append(b, "><"...), way...), " xmlns='"+ns+"'>"...)
		b = append(append(append(append(b, inner...), "</"...), way...), "></message>"...)
		if key, ok := m.CanWait(); ok { // XEP-0352
			s.PutState(key+" "+way+" "+m.To.String(), b)
		} else {
			s.Put(b)
		}
	}
}

func reached(m *xmpp.Message, s *xmpp.Stream) bool {
	for _, r := range m.Reached {
		if r == s {
			return true
		}
	}
	return false
}

// eligible is section 6.1, the rules that the feature of rules:0 promises. That an error answers
// an eligible message nobody knows any more; all errors are copied.
func eligible(m *xmpp.Message) bool {
	switch m.Type {
	case "chat", "error":
		return true
	case "groupchat", "headline":
		return false
	}
	for _, child := range m.Children {
		switch child.Name.Space {
		case nsClient:
			if child.Name.Local == "body" {
				return true
			}
		case nsReceipts, nsStates, nsMarkers, nsInvite, nsMUCUser:
			return true
		}
	}
	return false
}

// fromRoom reports whether a room sends it: a private message of a participant, which the room
// gives to every client by itself (section 6.2). An invitation comes from the room, and is copied.
func fromRoom(m *xmpp.Message) bool {
	x, ok := m.Only(nsMUCUser, "x")
	return ok && !x.Has(nsMUCUser, "invite")
}
