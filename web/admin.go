package web

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
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

// auditRow is a row of the audit log.
type auditRow struct{ identity.AuditEvent }

// OK reports whether the row tells of something that worked.
func (r auditRow) OK() bool { return r.Result == "ok" || r.Result == "" }

// Words are the detail for people: what changed from what to what, and not what is empty.
func (r auditRow) Words() string {
	var d struct{ Before, After map[string]any }
	if json.Unmarshal([]byte(cmp.Or(r.Before, "{}")), &d.Before) != nil || json.Unmarshal([]byte(cmp.Or(r.After, "{}")), &d.After) != nil {
		return r.Detail
	}
	var list []string
	if r.Detail != "" {
		list = append(list, r.Detail)
	}
	for _, k := range slices.Sorted(maps.Keys(d.After)) {
		was, is := plain(d.Before[k]), plain(d.After[k])
		switch {
		case was == is:
		case was == "":
			list = append(list, k+" "+is)
		case is == "":
			list = append(list, k+" "+was+" → none")
		default:
			list = append(list, k+" "+was+" → "+is)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(d.Before)) {
		if _, ok := d.After[k]; !ok && plain(d.Before[k]) != "" {
			list = append(list, k+" was "+plain(d.Before[k]))
		}
	}
	return strings.Join(list, ", ")
}

// plain is a JSON value as text; what says nothing is "".
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return ""
	case float64:
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// lately is how many rows the counters look at; more than that is "many" anyway.
const lately = 1000

func (s *Server) getAdmin(v *visit) error {
	ctx := v.ctx()
	users, err := s.opt.Identity.Users(ctx, identity.UserFilter{})
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
	view := &adminView{Users: len(users), Failed: len(failed), Listeners: s.opt.Listeners()}
	for _, e := range latest {
		view.Audit = append(view.Audit, auditRow{e})
	}
	admins := 0
	for _, u := range users {
		if s.now().Sub(u.LastLogin) < 24*time.Hour {
			view.Active++
		}
		if u.Level.Allows(identity.LevelAdmin) && u.State == identity.UserActive {
			admins++
		}
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
		{Done: len(users) > 1, Text: "Create an account for a person", Href: "/admin/users#new", Link: "New user"},
		{Done: admins > 1, Text: "Have a second administrator", Href: "/admin/users#new", Link: "New user"},
		{Done: encrypted, Text: "Serve these pages over https", Href: "/admin/config?q=web.", Link: "Configuration"},
	}
	if complete(view.Checklist) {
		view.Checklist = nil
	}
	v.fill(&view.page, "admin", "Overview")
	return s.write(v, http.StatusOK, "admin", view)
}

func complete(list []step) bool {
	for _, x := range list {
		if !x.Done {
			return false
		}
	}
	return true
}

type auditView struct {
	page
	Rows                  []auditRow
	Event, Subject, Actor string
	Events                []string
	Filtered, Full        bool
}

// auditEvents are offered in the filter; any other can be typed into the address.
var auditEvents = []string{"login.*", "login.ok", "login.fail", "login.throttled", "logout", "session.end", "user.*", "level.set", "group.*", "token.*"}

const auditPage = 200

func (s *Server) getAudit(v *visit) error {
	q := identity.AuditFilter{Event: v.QueryParam("event"), Subject: v.QueryParam("subject"), Actor: v.QueryParam("actor"), Limit: auditPage}
	list, err := s.opt.Identity.Audit(v.ctx(), q)
	if err != nil {
		return err
	}
	view := &auditView{Event: q.Event, Subject: q.Subject, Actor: q.Actor, Events: auditEvents,
		Filtered: q.Event+q.Subject+q.Actor != "", Full: len(list) == auditPage}
	for _, e := range list {
		view.Rows = append(view.Rows, auditRow{e})
	}
	v.fill(&view.page, "admin.audit", "Audit log")
	return s.write(v, http.StatusOK, "admin_audit", view)
}

type policyView struct {
	page
	Rules          []identity.Rule
	Routes         []routeRow
	Resource, User field
	Decision       *identity.Decision
}

type routeRow struct {
	Path           string
	Table, Current identity.Level
}

func (s *Server) getPolicy(v *visit) error {
	view := &policyView{Rules: s.opt.Identity.Rules(),
		Resource: field{ID: "resource", Name: "resource", Label: "Resource", Type: "text", Value: v.QueryParam("resource"), Required: true, Help: "Such as web:/admin/users, ftp:SITE CHMOD or login:ftp."},
		User:     field{ID: "user", Name: "user", Label: "User or level", Type: "text", Value: v.QueryParam("user"), Required: true, Help: "A user name, or a level such as staff."}}
	seen := map[string]bool{}
	for i := range s.routes {
		r := &s.routes[i]
		if r.static || r.foreign != nil || r.Method != http.MethodGet || seen[r.Path] {
			continue
		}
		seen[r.Path] = true
		view.Routes = append(view.Routes, routeRow{Path: r.Path, Table: r.Level, Current: s.need(nil, r, r.Path)})
	}
	status := http.StatusOK
	if view.Resource.Value != "" && view.User.Value != "" {
		d, err := s.explain(v, identity.Resource(view.Resource.Value), view.User.Value)
		if err != nil {
			a := answerTo(err)
			if a.fallback {
				return err
			}
			text := a.words(err)
			if a.status == http.StatusNotFound {
				text = "There is neither an account nor a level of this name."
			}
			view.trouble(&view.User, text)
			status = http.StatusUnprocessableEntity
		} else {
			view.Decision = &d
		}
	}
	v.fill(&view.page, "admin.policy", "Policy")
	return s.write(v, status, "admin_policy", view)
}

// explain takes the subject for a level where it is the name of one, else for an account.
func (s *Server) explain(v *visit, r identity.Resource, subject string) (identity.Decision, error) {
	user, level := subject, identity.LevelNone
	if l, err := identity.ParseLevel(subject); err == nil {
		user, level = "", l
	}
	d, err := s.opt.Identity.Explain(v.ctx(), r, identity.Asker{User: user, Level: level})
	if err != nil {
		return d, err
	}
	urlPath, ok := strings.CutPrefix(string(r), "web:")
	if row := s.routeOf(urlPath); ok && row != nil && d.Source != "config" && d.Source != "store" {
		// No rule of this server says anything, so what our own table asks counts, which identity does not know.
		d.Required, d.Source, d.Pattern = s.need(nil, row, urlPath), "route table", ""
		d.Allowed = d.Required == identity.LevelNone || d.Held.Allows(d.Required)
		if d.Client = ""; !d.Allowed {
			d.Client = "404"
			if d.Required == identity.LevelLoggedIn {
				d.Client = "303 /login"
			}
		}
	}
	return d, nil
}

// routeOf finds the row of the table that a path belongs to.
func (s *Server) routeOf(urlPath string) *route {
	want := strings.Split(strings.Trim(path.Clean("/"+urlPath), "/"), "/")
	for i := range s.routes {
		pattern := strings.Split(strings.Trim(s.routes[i].Path, "/"), "/")
		for j, p := range pattern {
			if p == "*" {
				return &s.routes[i]
			}
			if j >= len(want) || p != want[j] && !strings.HasPrefix(p, ":") {
				break
			}
			if j == len(pattern)-1 && len(want) == len(pattern) {
				return &s.routes[i]
			}
		}
	}
	return nil
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
