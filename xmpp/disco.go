package xmpp

import (
	"context"
	"slices"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
)

// discoInfo is disco#info of the server and of accounts (XEP-0030 section 3): what this session
// could ask the target for now.
func (r *Router) discoInfo(ctx context.Context, q *Request) {
	if q.Target == ToAccount && !r.Sees(ctx, q.By.res.Address, q.Account) {
		q.Refuse() // section 8 of XEP-0030: who may not see presence may not see this
		return
	}
	node, err := discoNode(q)
	if err != nil {
		q.Bad()
		return
	}
	b := AppendAttr([]byte("<query xmlns='"+nsDiscoInfo+"'"), "node", node)
	b = append(b, '>')
	if node != "" {
		for _, n := range r.hooks.nodes[q.Target] {
			if children, ok := n.NodeInfo(ctx, q, node); ok {
				q.Result(string(append(append(b, children...), "</query>"...)))
				return
			}
		}
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
		return
	}
	q.Result(string(append(r.describe(ctx, b, q), "</query>"...)))
}

// Describe returns the children of the `<query/>` of disco#info of the server, as a session would
// get it now. The session need not have a stream yet.
func (r *Router) Describe(ctx context.Context, ses *identity.Session) []byte {
	return r.describe(ctx, nil, &Request{Stanza: &Stanza{Kind: KindIQ, Type: "get"}, By: &Stream{ses: ses}, Target: ToServer, router: r})
}

// describe appends what the target is and what it offers to the asking session.
func (r *Router) describe(ctx context.Context, b []byte, q *Request) []byte {
	b = append(b, r.identityOf(q)...)
	for _, f := range r.featuresOf(q) {
		b = append(AppendAttr(append(b, "<feature"...), "var", f), "/>"...)
	}
	if q.has() {
		for _, form := range r.hooks.forms[q.Target] {
			b = append(b, form(ctx, q)...)
		}
	}
	return b
}

// has reports whether the target is one that modules do something for: an anonymous session has
// no account.
func (q *Request) has() bool { return q.Target == ToServer || q.Account.ID != "" }

// identityOf says what the target is.
func (r *Router) identityOf(q *Request) []byte {
	var b []byte
	switch {
	case q.Target == ToServer:
		b = append(b, "<identity category='server' type='im' name='Trivium'/>"...)
	case q.Account.ID == "":
		b = append(b, "<identity category='account' type='anonymous'/>"...)
	default:
		b = append(b, "<identity category='account' type='registered'/>"...)
	}
	if q.has() {
		for _, i := range r.hooks.identities[q.Target] {
			b = append(b, i...)
		}
		for _, g := range r.hooks.guarded[q.Target] {
			if r.accounts.Allowed(q.By.ses, g.resource) {
				b = append(b, g.identity...)
			}
		}
	}
	return b
}

// featuresOf lists, sorted and each once, what the asking session may use of the target.
func (r *Router) featuresOf(q *Request) []string {
	var features []string
	if q.has() {
		features = slices.Clone(r.hooks.features[q.Target])
		for _, g := range r.hooks.guarded[q.Target] {
			if r.accounts.Allowed(q.By.ses, g.resource) {
				features = append(features, g.features...)
			}
		}
	}
	for k, v := range r.hooks.services {
		if k.target == q.Target && !v.Quiet && v.open(r, q.By) {
			features = append(features, k.name.Space)
		}
	}
	slices.Sort(features)
	return slices.Compact(features)
}

// discoItems is disco#items (XEP-0030 section 4).
func (r *Router) discoItems(ctx context.Context, q *Request) {
	if q.Target == ToAccount && !r.Sees(ctx, q.By.res.Address, q.Account) {
		noItems(q)
		return
	}
	node, err := discoNode(q)
	if err != nil {
		q.Bad()
		return
	}
	b := AppendAttr([]byte("<query xmlns='"+nsDiscoItem+"'"), "node", node)
	b = append(b, '>')
	for _, n := range r.hooks.nodes[q.Target] {
		items, ok := n.NodeItems(ctx, q, node)
		if node != "" && ok {
			q.Result(string(append(append(b, items...), "</query>"...)))
			return
		}
		if node == "" {
			b = append(b, items...)
		}
	}
	if node != "" {
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
		return
	}
	q.Result(string(append(b, "</query>"...)))
}

// noItems is disco#items of an account that is not there, and of one whose presence the asking one may
// not see: an empty list (XEP-0030 section 8).
func noItems(q *Request) {
	node, err := discoNode(q)
	if err != nil {
		q.Bad()
		return
	}
	q.Result(string(append(AppendAttr([]byte("<query xmlns='"+nsDiscoItem+"'"), "node", node), "/>"...)))
}

// discoNode is the node that is named, or "".
func discoNode(q *Request) (string, error) {
	el, err := q.Payload()
	if err != nil {
		return "", err
	}
	node, _ := el.Attr("node")
	return node, nil
}
