// Package private keeps XML for an account's own clients (XEP-0049 1.2). Bookmarks are kept in the
// account's nodes alone (XEP-0402 1.2.0), and shown in the two older forms as well: as private XML
// and as the one item of XEP-0048 (XEP-0411 1.0).
package private

import (
	"context"
	"encoding/xml"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

const ns = "jabber:iq:private"

// Bounds of what an account keeps.
const (
	maxElement = 128 << 10 // bytes of one element
	maxNames   = 200       // elements
)

// Store is what private needs of a database. An element is found by its name.
type Store interface {
	// Private returns an element; nil where there is none.
	Private(ctx context.Context, owner identity.UserID, name xml.Name) ([]byte, error)
	// PutPrivate replaces an element; nil removes it. With an empty name it removes all.
	PutPrivate(ctx context.Context, owner identity.UserID, name xml.Name, element []byte) error
	// CountPrivate says how many there are.
	CountPrivate(ctx context.Context, owner identity.UserID) (int, error)
}

// Nodes are the nodes of accounts (XEP-0163).
type Nodes interface {
	Items(ctx context.Context, reader, owner xmpp.Owner, node string) ([]xmpp.Item, error)
	Publish(ctx context.Context, owner xmpp.Owner, node string, item xmpp.Item, access string, max int) error
	Retract(ctx context.Context, owner xmpp.Owner, node, id string) error
	OnChange(changed func(ctx context.Context, owner xmpp.Owner, node string))
}

// Private is the module.
type Private struct {
	store Store
	marks bookmarks
}

// New makes the module.
func New(store Store, nodes Nodes) *Private {
	return &Private{store: store, marks: bookmarks{nodes: nodes, busy: map[identity.UserID]int{}}}
}

// Register implements xmpp.Module.
func (p *Private) Register(reg *xmpp.Registrar) {
	p.marks.log = reg.Log()
	reg.Serve(xmpp.Service{To: xmpp.ToSelf, Name: xml.Name{Space: ns, Local: "query"}, Resource: "xmpp:private", Set: true, Answer: p.answer})
	reg.Feature(xmpp.ToServer, ns)
	reg.Feature(xmpp.ToSelf, conversion, compat, compatPEP)
	p.marks.nodes.OnChange(p.marks.changed)
	reg.Removed(func(ctx context.Context, id identity.UserID) error {
		return p.store.PutPrivate(ctx, id, xml.Name{}, nil)
	})
}

// answer is XEP-0049 sections 3 and 5.
func (p *Private) answer(ctx context.Context, q *xmpp.Request) {
	el, err := q.Payload()
	switch {
	case err != nil:
		q.Bad()
	case q.Account.ID == "":
		q.Fail(xstanza.NotAllowed, xstanza.Cancel)
	case q.Type == "get":
		p.get(ctx, q, el)
	default:
		p.set(ctx, q, el)
	}
}

// name is what an element is kept under; false where it may not be kept (section 5: it is in a
// namespace of its own).
func name(c xmpp.Child) (xml.Name, bool) {
	return c.Name, c.Name.Space != "" && c.Name.Space != ns && c.Name.Space != "jabber:client"
}

func (p *Private) get(ctx context.Context, q *xmpp.Request, el *xmpp.Element) {
	if len(el.Children) != 1 {
		q.Bad()
		return
	}
	n, ok := name(el.Children[0])
	if !ok {
		q.Fail(xstanza.NotAcceptable, xstanza.Modify)
		return
	}
	var b []byte
	var err error
	if n == storage() {
		b, err = p.marks.storage(ctx, q.Account)
	} else {
		b, err = p.store.Private(ctx, q.Account.ID, n)
	}
	if err != nil {
		q.Broken(err)
		return
	}
	if b == nil {
		b = append(xmpp.AppendAttr([]byte("<"+n.Local), "xmlns", n.Space), "/>"...)
	}
	q.Result("<query xmlns='" + ns + "'>" + string(b) + "</query>")
}

// set stores all elements, or none.
func (p *Private) set(ctx context.Context, q *xmpp.Request, el *xmpp.Element) {
	if len(el.Children) == 0 {
		q.Bad()
		return
	}
	had, err := p.store.CountPrivate(ctx, q.Account.ID)
	if err != nil {
		q.Broken(err)
		return
	}
	list := make([]*xmpp.Element, 0, len(el.Children))
	for _, c := range el.Children {
		child, err := el.Child(c)
		if _, ok := name(c); err != nil || !ok {
			q.Fail(xstanza.NotAcceptable, xstanza.Modify)
			return
		}
		if len(child.Bytes()) > maxElement || had+len(list) >= maxNames {
			q.FailText(xstanza.PolicyViolation, xstanza.Modify, "No more can be kept for this account.", "")
			return
		}
		list = append(list, child)
	}
	for _, child := range list {
		if child.Name == storage() {
			err = p.marks.replace(ctx, q.Account, child)
		} else {
			err = p.store.PutPrivate(ctx, q.Account.ID, child.Name, child.Bytes())
		}
		if err != nil {
			q.Broken(err)
			return
		}
	}
	q.Result("")
}
