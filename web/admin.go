package web

import (
	"context"
	"net/http"
	"sort"
	"time"

	"trivium/config"
	"trivium/identity"
)

type adminView struct {
	page
	Attention []notice
	Checklist []step
	Protocols []counter
	Sessions  int
	Users     int
	Active    int // in the last 24 hours
	Failed    int // log-ins in the last hour
	Listeners []Bound
	Audit     []auditRow
}

type notice struct{ Text, Href, Link string }

type step struct {
	Done             bool
	Text, Href, Link string
}

type counter struct {
	Label, Href string
	N           int
}

// lately is how many rows the counters look at; more than that is "many" anyway.
const lately = 1000

func (s *Server) getAdmin(v *visit) error {
	ctx := v.ctx()
	users, err := s.opt.Identity.CountUsers(ctx, identity.UserFilter{})
	if err != nil {
		return err
	}
	active, err := s.opt.Identity.CountUsers(ctx, identity.UserFilter{SeenSince: s.now().Add(-24 * time.Hour)})
	if err != nil {
		return err
	}
	admins, err := s.administrators(ctx)
	if err != nil {
		return err
	}
	failed, err := s.opt.Identity.Audit(ctx, identity.AuditFilter{Event: "login.fail", Since: s.now().Add(-time.Hour), Limit: lately})
	if err != nil {
		return err
	}
	latest, err := s.opt.Identity.Audit(ctx, identity.AuditFilter{Limit: 10})
	if err != nil {
		return err
	}
	view := &adminView{Users: users, Active: active, Failed: len(failed), Listeners: s.opt.Listeners()}
	for _, e := range latest {
		view.Audit = append(view.Audit, auditRow{e})
	}
	byProtocol := map[identity.Protocol]int{}
	for _, i := range s.opt.Registry.List(identity.Filter{}) {
		byProtocol[i.Protocol]++
		view.Sessions++
	}
	for p, n := range byProtocol {
		view.Protocols = append(view.Protocols, counter{Label: "over " + sessionRow{Info: identity.Info{Protocol: p}}.Label(), N: n, Href: "/admin/sessions?protocol=" + string(p)})
	}
	sort.Slice(view.Protocols, func(i, j int) bool { return view.Protocols[i].Label < view.Protocols[j].Label })
	encrypted := false
	for _, b := range view.Listeners {
		encrypted = encrypted || b.Name == "https"
		if b.TLS == "none" && b.Name != "web" {
			view.Attention = append(view.Attention, notice{Text: "The listener " + b.Name + " on " + b.Addr + " takes passwords without encryption.", Href: "/admin/config?q=tls", Link: "Configuration"})
		}
	}
	if !encrypted {
		view.Attention = append(view.Attention, notice{Text: "These pages are not served over https. That is fine on this machine alone, not over a network.", Href: "/admin/config?q=web.", Link: "Configuration"})
	}
	if admins == 1 {
		view.Attention = append(view.Attention, notice{Text: "There is only one administrator. If that password is lost, only the command line on the server helps.", Href: "/admin/users#new", Link: "Add another"})
	}
	view.Checklist = []step{
		{Done: true, Text: "Create the first administrator"},
		{Done: users > 1, Text: "Create an account for a person", Href: "/admin/users#new", Link: "New user"},
		{Done: admins > 1, Text: "Have a second administrator", Href: "/admin/users#new", Link: "New user"},
		{Done: encrypted, Text: "Serve these pages over https", Href: "/admin/config?q=web.", Link: "Configuration"},
	}
	if complete(view.Checklist) {
		view.Checklist = nil
	}
	v.fill(&view.page, "admin", "Overview")
	return s.write(v, http.StatusOK, "admin", view)
}

// administrators counts those who may log in as such; more than two are two.
func (s *Server) administrators(ctx context.Context) (n int, err error) {
	for _, l := range identity.Levels() {
		if !l.Holdable() || !l.Allows(identity.LevelAdmin) || n > 1 {
			continue
		}
		more, err := s.opt.Identity.CountUsers(ctx, identity.UserFilter{Level: &l, State: identity.UserActive, Limit: 2})
		if err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

func complete(list []step) bool {
	for _, x := range list {
		if !x.Done {
			return false
		}
	}
	return true
}

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
