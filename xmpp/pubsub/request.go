package pubsub

import (
	"slices"
	"strconv"
	"strings"

	"trivium/xmpp"
)

// The namespaces.
const (
	ns            = "http://jabber.org/protocol/pubsub"
	nsOwner       = ns + "#owner"
	nsEvent       = ns + "#event"
	nsErrors      = ns + "#errors"
	nsNodeConfig  = ns + "#node_config"
	nsOptions     = ns + "#publish-options"
	nsAuthorize   = ns + "#subscribe_authorization"
	nsMetadata    = ns + "#meta-data"
	nsDelay       = "urn:xmpp:delay"
	maxAtOnce     = 100 // items, affiliations or subscriptions that one request names
	maxNameLength = 1023
	maxItemID     = 3071 // a JID has room, as bookmarks and displayed states are named by one
)

// request is the payload of an IQ.
type request struct {
	verb    string // name of the element that says what to do
	node    string
	el      *xmpp.Element // the element itself
	options *xmpp.Form    // of `<publish-options/>`, or of `<configure/>` beside `<create/>`
	paging  *xmpp.Paging
}

// readRequest reads `<pubsub/>` of either namespace; the error is a *failure.
func readRequest(el *xmpp.Element) (*request, error) {
	r := &request{}
	space := el.Name.Space
	for _, c := range el.Children {
		if c.Name.Space != space {
			continue
		}
		in, err := el.Child(c)
		if err != nil {
			return nil, badRequest("")
		}
		switch {
		case c.Name.Local == "publish-options" || c.Name.Local == "configure" && space == ns:
			if _, named := in.Attr("node"); r.el == nil || r.options != nil || named {
				return nil, badRequest("") // section 8.1.3
			}
			f, ok := formIn(in)
			if !ok {
				return nil, badRequest("")
			}
			r.options = f
		case r.el == nil:
			r.el, r.verb = in, c.Name.Local
			r.node, _ = in.Attr("node")
			if len(r.node) > maxNameLength {
				return nil, notAcceptable("")
			}
			r.node = strings.Clone(r.node)
		case c.Name.Local == "options":
			return nil, unsupported("subscription-options")
		default:
			return nil, badRequest("")
		}
	}
	var ok bool
	if r.paging, ok = el.Paging(); !ok || r.el == nil {
		return nil, badRequest("")
	}
	return r, nil
}

// formIn is the form in an element such as `<configure/>`, nil where there is none. ok is false where it
// cannot be read, or has a field twice, so that it is not known which counts.
func formIn(el *xmpp.Element) (f *xmpp.Form, ok bool) {
	f, ok = el.Form()
	if f == nil {
		return nil, ok
	}
	for i := range f.Fields {
		if slices.ContainsFunc(f.Fields[:i], func(x xmpp.Field) bool { return x.Var == f.Fields[i].Var }) {
			return nil, false
		}
	}
	return f, true
}

// items are the `<item/>` children of the verb with their IDs, which are "" where none is given.
func (r *request) items() (list []item, err error) {
	for _, c := range r.el.Children {
		if c.Name.Space != ns || c.Name.Local != "item" {
			continue
		}
		el, err := r.el.Child(c)
		if err != nil || len(list) >= maxAtOnce {
			return nil, badRequest("")
		}
		id, _ := el.Attr("id")
		if len(id) > maxItemID {
			return nil, notAcceptable("")
		}
		list = append(list, item{strings.Clone(id), el})
	}
	return list, nil
}

type item struct {
	id string
	el *xmpp.Element
}

// payload is the one child of an item; nil where it has none.
func (i item) payload() ([]byte, error) {
	switch len(i.el.Children) {
	case 0:
		return nil, nil
	case 1:
		el, err := i.el.Child(i.el.Children[0])
		if err != nil {
			return nil, badRequest("invalid-payload")
		}
		return el.Bytes(), nil
	}
	return nil, badRequest("invalid-payload")
}

// count is the attribute max_items; 0 where it is not given.
func (r *request) count() (int, error) {
	text, ok := r.el.Attr("max_items")
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, badRequest("")
	}
	return int(n), nil
}

// entries are the children of the verb of a name, with two of their attributes.
func (r *request) entries(name, attr string) (list []entry, err error) {
	for _, c := range r.el.Children {
		if c.Name.Space != r.el.Name.Space || c.Name.Local != name {
			continue
		}
		el, err := r.el.Child(c)
		if err != nil || len(list) >= maxAtOnce {
			return nil, badRequest("")
		}
		var e entry
		e.jid, _ = el.Attr("jid")
		e.value, e.given = el.Attr(attr)
		list = append(list, e)
	}
	return list, nil
}

type entry struct {
	jid, value string
	given      bool
}
