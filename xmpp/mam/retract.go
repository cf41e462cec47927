package mam

import (
	"context"
	"errors"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// lookedAt is how many messages of a conversation are searched for one whose id is not among those
// that the archive knows by heart.
const lookedAt = 2000

// retract replaces the message that m takes back by a tombstone (XEP-0424 section 5) in both
// archives: only one that the same account has sent to the same contact (section 6).
func (a *Archive) retract(ctx context.Context, m *xmpp.Message, msg Message) {
	el, ok := m.Only(nsRetract, "retract")
	if !ok {
		return
	}
	id, _ := el.Attr("id")
	if id == "" {
		return
	}
	now := a.router.Now().UTC()
	for _, owner := range []identity.UserID{msg.From, msg.To} {
		if owner == "" {
			continue
		}
		with := msg.ToJID
		if owner == msg.To {
			with = msg.FromJID
		}
		found, err := a.sent(ctx, owner, with, msg, id)
		if err == nil && found != 0 {
			err = a.store.Replace(ctx, owner, found, func(stanza []byte) []byte {
				if !isFrom(stanza, msg.FromJID, id) {
					return nil
				}
				return Tombstone(stanza, retracted(m.ID, now))
			})
			if err == nil {
				return // what is in the other archive, too, was the same record
			}
		}
		if err != nil && !errors.Is(err, identity.ErrNotFound) {
			a.log.Error("message not retracted", "error", err)
		}
	}
}

// sent finds the message that the sender of msg has sent to its recipient under an id.
func (a *Archive) sent(ctx context.Context, owner identity.UserID, with string, msg Message, id string) (ID, error) {
	found, err := a.store.Find(ctx, owner, msg.FromJID, msg.ToJID, id)
	if err != nil || found != 0 {
		return found, err
	}
	p, err := a.store.Page(ctx, owner, Query{With: with, Backward: true, Max: 1, Scan: lookedAt,
		Match: func(stanza []byte) bool { return isFrom(stanza, msg.FromJID, id) }})
	if err != nil || len(p.Messages) == 0 {
		return 0, err
	}
	return p.Messages[0].ID, nil
}

// isFrom reports whether a stored message was sent by a bare JID under an id, and is still there.
func isFrom(stanza []byte, from, id string) bool {
	st, err := xmpp.ParseStanza(stanza)
	if err != nil || xmpp.AddressOf(st.From).String() != from || st.Has(nsRetract, "retracted") {
		return false
	}
	if st.ID == id {
		return true
	}
	el, ok := st.Only(nsSID, "origin-id")
	if !ok {
		return false
	}
	origin, _ := el.Attr("id")
	return origin == id
}

// retracted is what a tombstone holds; id is that of the message which retracts.
func retracted(id string, at time.Time) string {
	b := xmpp.AppendAttr([]byte("<retracted xmlns='"+nsRetract+"'"), "id", id)
	b = xmpp.AppendAttr(b, "stamp", at.Format(stampForm))
	return string(append(b, "/>"...))
}

// Tombstone is what is left of a message: who sent it to whom under which id, and content, the
// `<retracted/>` that says why. nil where the bytes are no message.
func Tombstone(stanza []byte, content string) []byte {
	st, err := xmpp.ParseStanza(stanza)
	if err != nil {
		return nil
	}
	b := []byte("<message")
	for _, name := range []string{"type", "id", "from", "to"} {
		value, _ := st.Attr(name)
		b = xmpp.AppendAttr(b, name, value)
	}
	b = append(append(b, '>'), content...)
	return append(b, "</message>"...)
}
