package web

import "net/http"

// Changing is a route that can change something.
type Changing struct {
	Method, Path string
	Upload       bool // takes multipart bodies
}

// Changing lists the routes of the table that can change something, but for those that others guard.
func (s *Server) Changing() (list []Changing) {
	for _, r := range s.routes {
		for _, m := range r.methods() {
			switch {
			case r.foreign != nil, m == http.MethodGet, m == http.MethodHead, m == http.MethodOptions:
			default:
				list = append(list, Changing{m, r.Path, r.upload})
			}
		}
	}
	return list
}

// Foreign lists the paths of what others guard.
func (s *Server) Foreign() (list []string) {
	for _, r := range s.routes {
		if r.foreign != nil {
			list = append(list, r.Path)
		}
	}
	return list
}
