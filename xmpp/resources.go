package xmpp

import (
	"slices"
	"strings"

	"trivium/identity"
)

// Resources lists what rules of the policy can be about here: messages, presence and requests at all, and
// the services, each resource once with the namespaces that it opens.
func (s *Server) Resources() []identity.Known {
	h := s.router.hooks
	type service struct {
		spaces []string
		least  identity.Level
	}
	all := map[identity.Resource]*service{"xmpp:message": {}, "xmpp:presence": {}, "xmpp:iq": {}}
	base := map[identity.Resource]string{"xmpp:message": "sending messages", "xmpp:presence": "presence",
		"xmpp:iq": "requests to other accounts' clients"}
	of := func(r identity.Resource) *service {
		if all[r] == nil {
			all[r] = &service{}
		}
		return all[r]
	}
	for k, v := range h.services {
		x := of(v.Resource)
		x.least = max(x.least, v.Least)
		if !slices.Contains(x.spaces, k.name.Space) {
			x.spaces = append(x.spaces, k.name.Space)
		}
	}
	for _, list := range h.guarded {
		for _, g := range list {
			of(g.resource)
		}
	}
	out := slices.Clone(h.known)
	for r, x := range all {
		slices.Sort(x.spaces)
		text := strings.Join(x.spaces, ", ")
		if base[r] != "" {
			text = strings.TrimSuffix(base[r]+", "+text, ", ")
		}
		k := identity.Known{Resource: r, Group: identity.GroupXMPP, Text: text}
		if x.least != identity.LevelNone {
			k.Own, k.Raises = &x.least, true
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b identity.Known) int { return strings.Compare(string(a.Resource), string(b.Resource)) })
	return out
}
