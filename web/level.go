package web

import (
	"net/http"
	"strings"

	"trivium/identity"
)

// LevelOf returns the level that the route table asks of the page at an URL path, before policy;
// false where no page of ours is there.
func (s *Server) LevelOf(urlPath string) (identity.Level, bool) {
	found, ok := identity.LevelNone, false
	for _, r := range s.routes {
		if r.foreign != nil || !pathMatches(r.Path, urlPath) {
			continue
		}
		if r.Method == http.MethodGet {
			return r.Level, true
		}
		found, ok = r.Level, true
	}
	return found, ok
}

// pathMatches reports whether a path is one of echo's pattern: ":name" is one segment, a last "*"
// the rest.
func pathMatches(pattern, urlPath string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(urlPath, "/")
	for i, w := range want {
		if w == "*" && i == len(want)-1 {
			return len(have) > i
		}
		if i >= len(have) || !strings.HasPrefix(w, ":") && w != have[i] {
			return false
		}
	}
	return len(want) == len(have)
}
