package api

import (
	"strings"

	"trivium/identity"
)

// Resources lists the operations, of which rules of the policy raise the level and never lower it.
func (a *API) Resources() []identity.Known {
	var out []identity.Known
	for _, r := range a.Routes() {
		path := Prefix + r.Path
		if r.Path == "/metrics" {
			path = r.Path
		}
		segments := strings.Split(path, "/")
		for i, s := range segments {
			if strings.HasPrefix(s, "{") {
				segments[i] = "*"
			}
		}
		level := r.Level
		out = append(out, identity.Known{Resource: identity.Resource("web:" + strings.Join(segments, "/")), Group: identity.GroupAPI,
			Text: r.Method + " " + r.Operation, Own: &level, Raises: true})
	}
	return out
}
