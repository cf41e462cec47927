package private

import (
	"bytes"
	"context"
	"encoding/xml"
	"log/slog"
	"sync"

	"mellium.im/xmpp/jid"

	"trivium/identity"
	"trivium/xmpp"
)

// The nodes, namespaces and features of bookmarks.
const (
	nodeMarks  = "urn:xmpp:bookmarks:1"
	nodeOld    = "storage:bookmarks"
	conversion = "urn:xmpp:bookmarks-conversion:0"
	compat     = nodeMarks + "#compat"
	compatPEP  = nodeMarks + "#compat-pep"
	oldItem    = "current" // XEP-0048 section 4.1
)

// storage is the name of bookmarks as XEP-0048 has them.
func storage() xml.Name { return xml.Name{Space: nodeOld, Local: "storage"} }

// bookmarks are kept as the items of nodeMarks; all else is made of them.
type bookmarks struct {
	nodes Nodes
	log   *slog.Logger

	mu   sync.Mutex
	busy map[identity.UserID]int // how many are replacing the bookmarks of an account
}

// storage is all bookmarks as one element of XEP-0048.
func (m *bookmarks) storage(ctx context.Context, owner xmpp.Owner) ([]byte, error) {
	items, err := m.nodes.Items(ctx, owner, owner, nodeMarks)
	if err != nil {
		return nil, err
	}
	b := []byte("<storage xmlns='" + nodeOld + "'>")
	for _, item := range items {
		el, err := xmpp.ParseElement(item.Payload)
		if err != nil || el.Name != (xml.Name{Space: nodeMarks, Local: "conference"}) {
			continue
		}
		b = xmpp.AppendAttr(append(b, "<conference"...), "jid", item.ID)
		b = append(appendMark(b, el), "</conference>"...)
	}
	return append(b, "</storage>"...), nil
}

// appendMark writes what both forms say of a bookmark: the rest of the open tag, and its children.
func appendMark(b []byte, mark *xmpp.Element) []byte {
	for _, attr := range []string{"name", "autojoin"} {
		value, _ := mark.Attr(attr)
		b = xmpp.AppendAttr(b, attr, value)
	}
	b = append(b, '>')
	for _, local := range []string{"nick", "password"} {
		if mark.Has(mark.Name.Space, local) {
			b = append(b, "<"+local+">"+xmpp.Escape(text(mark, local))+"</"+local+">"...)
		}
	}
	return b
}

// replace makes the bookmarks those of a storage element, and the item of XEP-0048 when all is done.
func (m *bookmarks) replace(ctx context.Context, owner xmpp.Owner, el *xmpp.Element) error {
	m.mu.Lock()
	m.busy[owner.ID]++
	m.mu.Unlock()
	err := m.each(ctx, owner, el)
	m.mu.Lock()
	if m.busy[owner.ID]--; m.busy[owner.ID] == 0 {
		delete(m.busy, owner.ID)
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	return m.tellOld(ctx, owner)
}

// each publishes what is new of a storage element and retracts what it has not. What that form
// cannot say of a bookmark, its extensions, stays.
func (m *bookmarks) each(ctx context.Context, owner xmpp.Owner, el *xmpp.Element) error {
	items, err := m.nodes.Items(ctx, owner, owner, nodeMarks)
	if err != nil {
		return err
	}
	had := make(map[string][]byte, len(items))
	for _, item := range items {
		had[item.ID] = item.Payload
	}
	for _, c := range el.Children {
		mark, err := el.Child(c)
		if err != nil || c.Name != (xml.Name{Space: nodeOld, Local: "conference"}) {
			continue
		}
		text, _ := mark.Attr("jid")
		room, err := jid.Parse(text)
		if err != nil {
			continue
		}
		id := room.Bare().String()
		old, known := had[id]
		delete(had, id)
		payload := conference(mark, old)
		if known && bytes.Equal(old, payload) {
			continue
		}
		if err := m.nodes.Publish(ctx, owner, nodeMarks, xmpp.Item{ID: id, Payload: payload}, "whitelist", 0); err != nil {
			return err
		}
	}
	for id := range had {
		if err := m.nodes.Retract(ctx, owner, nodeMarks, id); err != nil {
			return err
		}
	}
	return nil
}

// conference is a bookmark of XEP-0402 made of one of XEP-0048, with the extensions that it had. One
// that says the same as before keeps its bytes.
func conference(mark *xmpp.Element, old []byte) []byte {
	had, err := xmpp.ParseElement(old)
	if old == nil || err != nil {
		had = nil
	}
	if had != nil && same(mark, had) {
		return old
	}
	b := appendMark([]byte("<conference xmlns='"+nodeMarks+"'"), mark)
	if had != nil {
		if more, ok := had.Only(nodeMarks, "extensions"); ok {
			b = append(b, more.Bytes()...)
		}
	}
	return append(b, "</conference>"...)
}

// same reports whether the old form of a bookmark says what the new one has.
func same(mark, had *xmpp.Element) bool {
	for _, attr := range []string{"name", "autojoin"} {
		a, _ := mark.Attr(attr)
		b, _ := had.Attr(attr)
		if attr == "autojoin" {
			a, b = truth(a), truth(b)
		}
		if a != b {
			return false
		}
	}
	for _, local := range []string{"nick", "password"} {
		if text(mark, local) != text(had, local) {
			return false
		}
	}
	return true
}

// truth is a boolean of XML Schema in one form.
func truth(s string) string {
	if yes, _ := xmpp.ParseBool(s); yes {
		return "true"
	}
	return "false"
}

// text is that of a child in the element's own namespace; "" where there is none.
func text(el *xmpp.Element, local string) string {
	child, ok := el.Only(el.Name.Space, local)
	if !ok {
		return ""
	}
	s, _ := child.Text()
	return s
}

// changed keeps the item of XEP-0048 and the items of XEP-0402 alike. What already is alike is left,
// and so each change is followed by one of the other node at most.
func (m *bookmarks) changed(ctx context.Context, owner xmpp.Owner, node string) {
	if node != nodeMarks && node != nodeOld {
		return
	}
	m.mu.Lock()
	busy := m.busy[owner.ID] > 0
	m.mu.Unlock()
	if busy {
		return // whoever replaces them makes them alike at its end
	}
	var err error
	switch node {
	case nodeMarks:
		err = m.tellOld(ctx, owner)
	case nodeOld:
		err = m.takeOld(ctx, owner)
	}
	if err != nil {
		m.log.Error("bookmarks are not the same in all their forms", "user", owner.String(), "node", node, "error", err)
	}
}

// tellOld publishes the bookmarks as the one item of XEP-0048.
func (m *bookmarks) tellOld(ctx context.Context, owner xmpp.Owner) error {
	want, err := m.storage(ctx, owner)
	if err != nil {
		return err
	}
	items, err := m.nodes.Items(ctx, owner, owner, nodeOld)
	if err != nil {
		return err
	}
	if len(items) > 0 && bytes.Equal(items[len(items)-1].Payload, want) {
		return nil
	}
	return m.nodes.Publish(ctx, owner, nodeOld, xmpp.Item{ID: oldItem, Payload: want}, "whitelist", 1)
}

// takeOld takes over what a client has published in the form of XEP-0048. A node that has been
// removed says nothing about bookmarks.
func (m *bookmarks) takeOld(ctx context.Context, owner xmpp.Owner) error {
	items, err := m.nodes.Items(ctx, owner, owner, nodeOld)
	if err != nil || len(items) == 0 {
		return err
	}
	el, err := xmpp.ParseElement(items[len(items)-1].Payload)
	if err != nil || el.Name != storage() {
		return err
	}
	return m.replace(ctx, owner, el)
}
