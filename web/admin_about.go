package web

import (
	"net/http"
	"runtime"

	"trivium/internal/licences"
)

type aboutView struct {
	page
	Go, System string
	Engine     string // of the database, with its version; "" where nobody says
	Size       int64  // of it, in bytes
	Parts      []licences.Part
}

// getAbout says what runs here and what it is made of.
func (s *Server) getAbout(v *visit) error {
	parts, err := licences.List()
	if err != nil {
		return err
	}
	view := &aboutView{Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Parts: parts}
	if s.opt.Database != nil {
		if view.Engine, view.Size, err = s.opt.Database(v.ctx()); err != nil {
			return err
		}
	}
	v.fill(&view.page, "admin.about", v.T("about.title"))
	return s.write(v, http.StatusOK, "admin_about", view)
}
