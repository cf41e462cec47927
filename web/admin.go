package web

import (
	"net/http"

	"trivium/config"
)

type configView struct {
	page
	Rows    []configRow
	Query   string
	Changed bool
	Total   int
}

type configRow struct {
	config.Entry
	Shown string
}

// getConfig shows the effective values and where each came from; a secret is only "set".
func (s *Server) getConfig(v *visit) error {
	view := &configView{Query: v.QueryParam("q"), Changed: v.QueryParam("changed") == "1"}
	if s.opt.Entries != nil {
		for _, e := range s.opt.Entries() {
			view.Total++
			if view.Changed && !e.Changed() || !containsFold(e.Key, view.Query) && !containsFold(e.Doc, view.Query) {
				continue
			}
			r := configRow{Entry: e, Shown: e.Text()}
			if e.Secret {
				r.Shown = "not set"
				if e.Value != "" && e.Value != nil {
					r.Shown = "set"
				}
			}
			view.Rows = append(view.Rows, r)
		}
	}
	v.fill(&view.page, "admin.config", "Configuration")
	return s.write(v, http.StatusOK, "admin_config", view)
}
