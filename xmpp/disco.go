package xmpp

import (
	"context"
	"slices"

	xstanza "mellium.im/xmpp/stanza"
)

// serverInfo is disco#info of the server (XEP-0030 section 3).
func (r *Router) serverInfo(_ context.Context, s *Stream, st *Stanza) {
	r.info(s, st, ToServer, "<identity category='server' type='im' name='Trivium'/>")
}

// accountInfo is disco#info of one's own account.
func (r *Router) accountInfo(_ context.Context, s *Stream, st *Stanza) {
	typ := "registered"
	if s.res.owner == "" {
		typ = "anonymous"
	}
	r.info(s, st, ToSelf, "<identity category='account' type='"+typ+"'/>")
}

// info lists what this session could ask t for now.
func (r *Router) info(s *Stream, st *Stanza, t Target, identities string) {
	named, err := discoNode(st)
	if err != nil {
		r.fail(s, st, xstanza.BadRequest, xstanza.Modify)
		return
	}
	if named {
		r.fail(s, st, xstanza.ItemNotFound, xstanza.Cancel)
		return
	}
	var features []string
	for k, v := range r.services {
		if k.target == t && v.open(r, s) {
			features = append(features, k.space)
		}
	}
	slices.Sort(features)
	b := []byte("<query xmlns='" + nsDiscoInfo + "'>" + identities)
	for _, f := range features {
		b = append(AppendAttr(append(b, "<feature"...), "var", f), "/>"...)
	}
	s.Put(st.Result(string(append(b, "</query>"...))))
}

// discoItems is disco#items: there are no services beside the server itself yet.
func (r *Router) discoItems(_ context.Context, s *Stream, st *Stanza) {
	named, err := discoNode(st)
	switch {
	case err != nil:
		r.fail(s, st, xstanza.BadRequest, xstanza.Modify)
	case named:
		r.fail(s, st, xstanza.ItemNotFound, xstanza.Cancel)
	default:
		s.Put(st.Result("<query xmlns='" + nsDiscoItem + "'/>"))
	}
}

// discoNode reports whether a node is named; there are none yet.
func discoNode(st *Stanza) (named bool, err error) {
	var q struct {
		Node string `xml:"node,attr"`
	}
	err = st.DecodeChild(st.Children[0], &q)
	return q.Node != "", err
}
