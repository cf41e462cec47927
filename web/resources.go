package web

import (
	"slices"
	"strings"

	"trivium/identity"
)

// Resources lists what rules of the policy can be about here: the pages, each path once, and the
// foreign handlers but the API, which lists its own.
func (s *Server) Resources() []identity.Known {
	var out []identity.Known
	seen := map[identity.Resource]int{}
	for _, r := range s.routes {
		if r.Path == "/api" || r.Path == "/api/*" || strings.HasPrefix(r.Path, "/metrics") {
			continue
		}
		level := r.Level
		k := identity.Known{Resource: patternOf(r.Path), Group: identity.GroupPages, Text: r.text(), Own: &level, Fixed: r.static}
		if i, ok := seen[k.Resource]; ok {
			if !slices.Contains(strings.Split(out[i].Text, ", "), k.Text) {
				out[i].Text += ", " + k.Text
			}
			continue
		}
		seen[k.Resource] = len(out)
		out = append(out, k)
	}
	return out
}

// text is what a route is, for people.
func (r route) text() string {
	switch {
	case r.static:
		return "static"
	case r.foreign != nil && r.unasked:
		return "a service of its own; only never hides it"
	case r.foreign != nil:
		return "WebDAV"
	case r.nav != "":
		return r.nav
	case r.Method == "GET":
		return "page " + r.Page
	}
	return "form of " + r.Page
}

// patternOf is the resource of a route: ":name" is any segment, a last "*" the rest.
func patternOf(path string) identity.Resource {
	segments := strings.Split(path, "/")
	for i, p := range segments {
		switch {
		case strings.HasPrefix(p, ":"):
			segments[i] = "*"
		case p == "*" && i == len(segments)-1:
			segments[i] = "**"
		}
	}
	return identity.Resource("web:" + strings.Join(segments, "/"))
}
