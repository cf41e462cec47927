package web

import (
	"io"
	"net/http"
	"strings"
)

// challengePath is where an authority looks whether a name leads here (RFC 8555 section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// challenged answers an authority before anything else does: it asks in the clear, and follows a redirection
// to wherever it leads. What nobody asks for is as absent as any other page.
func (s *Server) challenged(next http.Handler) http.Handler {
	if s.opt.Challenges == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.URL.Path, challengePath)
		if ok && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			if text, ok := s.opt.Challenges.KeyAuthorization(r.Host, token); ok {
				w.Header().Set("Content-Type", "application/octet-stream")
				w.Header().Set("Cache-Control", "no-store")
				_, _ = io.WriteString(w, text)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
