package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"trivium/identity"
	"trivium/web/text"
)

type applicationsView struct {
	page
	Rows   []applicationListRow
	Issuer string
	Form   applicationForm
}

type applicationListRow struct {
	identity.Application
	Path    string
	People  int
	Created stamp
}

type applicationView struct {
	page
	App    identity.Application
	Issuer string
	People int
	Path   string
	Fresh  identity.Secret // made just now: shown once
	Form   applicationForm
}

// applicationForm is what an administrator fills in.
type applicationForm struct {
	Name, AppID, Kind, Redirects, LogoutRedirects, LogoutURI, Level, Groups, Algorithm field
	Scopes                                                                             []claimBox
	Consent, Factor, New                                                               bool
}

type claimBox struct {
	Name, Words string
	On          bool
}

// newApplicationForm shows an application; the zero one is new.
func newApplicationForm(words *text.Language, a identity.Application) applicationForm {
	f := applicationForm{New: a.ID == "", Consent: a.Consent, Factor: a.Factor,
		Name:            field{ID: "name", Name: "name", Label: "common.name", Type: "text", Value: a.Name, Required: true, Help: "admin_applications.people_read_it_when_they_log"},
		AppID:           field{ID: "app-id", Name: "id", Label: "admin_applications.client_id", Type: "text", Value: a.ID, Help: "admin_applications.may_stay_empty_it_is_made"},
		Kind:            field{ID: "kind", Name: "kind", Label: "admin_applications.kind", Options: []option{{Value: "confidential", Label: "admin_applications.with_a_secret_runs_on_a"}, {Value: "public", Label: "admin_applications.public_runs_in_a_browser_or"}}}.choose("confidential"),
		Redirects:       field{ID: "redirects", Name: "redirects", Label: "admin_applications.redirect_addresses", Rows: 3, Value: strings.Join(a.Redirects, "\n"), Required: true, Help: "admin_applications.one_to_a_line_they_count"},
		LogoutRedirects: field{ID: "logout-redirects", Name: "logout_redirects", Label: "admin_applications.addresses_after_a_log_out", Rows: 2, Value: strings.Join(a.LogoutRedirects, "\n"), Help: "admin_applications.one_to_a_line_may_stay"},
		LogoutURI:       field{ID: "logout-uri", Name: "logout_uri", Label: "admin_applications.back_channel_log_out", Type: "url", Value: a.LogoutURI, Autocomplete: "off", Help: "admin_applications.is_told_at_once_when_somebodys"},
		Groups:          field{ID: "groups", Name: "groups", Label: "admin_applications.only_for_groups", Type: "text", Value: strings.Join(a.Groups, " "), Help: "admin_applications.names_with_spaces_between_who_is"},
		Algorithm:       field{ID: "algorithm", Name: "algorithm", Label: "admin_applications.signature", Options: []option{{Value: "RS256", Label: "RS256"}, {Value: "ES256", Label: "ES256"}}}.choose(a.Algorithm),
	}
	levels := []option{{Value: "0", Label: "admin_applications.any"}}
	for _, l := range identity.Levels() {
		if l.Holdable() {
			levels = append(levels, option{Value: levelNumber(l), Label: levelLabel(words, l)})
		}
	}
	f.Level = field{ID: "level", Name: "level", Label: "admin_applications.level_needed", Options: levels}.choose(levelNumber(a.Level))
	if f.New {
		f.Consent, a.Scopes = true, []string{identity.ScopeProfile, identity.ScopeEmail}
	}
	f.box(a.Scopes)
	return f
}

func (f *applicationForm) box(chosen []string) {
	f.Scopes = nil
	for _, x := range identity.ApplicationScopes() {
		if x != identity.ScopeOpenID {
			f.Scopes = append(f.Scopes, claimBox{x, claimWords[x], slices.Contains(chosen, x)})
		}
	}
}

// read takes over what was filled in.
func (f *applicationForm) read(v *visit) (identity.Application, bool, error) {
	f.Name.Value, f.AppID.Value, f.Redirects.Value, f.LogoutRedirects.Value = v.text("name"), v.text("id"), v.text("redirects"), v.text("logout_redirects")
	f.LogoutURI.Value, f.Groups.Value = v.text("logout_uri"), v.text("groups")
	f.Kind, f.Algorithm, f.Level = f.Kind.choose(v.form("kind")), f.Algorithm.choose(v.form("algorithm")), f.Level.choose(v.form("level"))
	f.Consent, f.Factor = v.form("consent") == "1", v.form("factor") == "1"
	f.box(v.Request().PostForm["scope"])
	level, err := identity.ParseLevel(v.form("level"))
	a := identity.Application{ID: f.AppID.Value, Name: f.Name.Value, Redirects: strings.Fields(f.Redirects.Value), LogoutRedirects: strings.Fields(f.LogoutRedirects.Value),
		LogoutURI: f.LogoutURI.Value, Scopes: append([]string{identity.ScopeOpenID}, v.Request().PostForm["scope"]...), Level: level, Groups: names(f.Groups.Value),
		Consent: f.Consent, Factor: f.Factor, Algorithm: v.form("algorithm")}
	return a, v.form("kind") == "public", err
}

// wrong shows a fault beside the field that it is most likely about.
func (f *applicationForm) wrong(p *page, err error) (int, error) {
	a := answerTo(err)
	if a.fallback || a.status == http.StatusNotFound && !errors.Is(err, identity.ErrNotFound) {
		return 0, err
	}
	at := &f.Redirects
	text := a.words(p.words, err)
	switch own := err.Error(); {
	case errors.Is(err, identity.ErrNotFound): // a group
		a, at = answerTo(errNoGroup), &f.Groups
		text = a.words(p.words, errNoGroup)
	case errors.Is(err, identity.ErrExists), strings.Contains(own, "the ID of an application"):
		at = &f.AppID
	case strings.Contains(own, "name"):
		at = &f.Name
	case strings.Contains(own, "logout tokens"):
		at = &f.LogoutURI
	}
	p.trouble(at, text)
	return a.status, nil
}

func (s *Server) getApplications(v *visit) error {
	return s.showApplications(v, http.StatusOK, &applicationsView{Form: newApplicationForm(v.words, identity.Application{})})
}

func (s *Server) showApplications(v *visit, status int, view *applicationsView) error {
	list, err := s.opt.Identity.ApplicationList(v.ctx())
	if err != nil {
		return err
	}
	counts, err := s.opt.Identity.ApplicationUseCounts(v.ctx())
	if err != nil {
		return err
	}
	view.Issuer = s.opt.Provider.Issuer()
	v.fill(&view.page, "admin.applications", "admin_applications.applications")
	for _, a := range list {
		view.Rows = append(view.Rows, applicationListRow{a, pathOf("admin", "applications", a.ID), counts[a.ID], view.Stamp(a.CreatedAt)})
	}
	return s.write(v, status, "admin_applications", view)
}

func (s *Server) postNewApplication(v *visit) error {
	view := &applicationsView{Form: newApplicationForm(v.words, identity.Application{})}
	a, public, err := view.Form.read(v)
	var secret identity.Secret
	if err == nil {
		a, secret, err = s.opt.Identity.AddApplication(v.ctx(), v.actor(), a, public)
	}
	if err != nil {
		status, err := view.Form.wrong(&view.page, err)
		if err != nil {
			return err
		}
		return s.showApplications(v, status, view)
	}
	return s.showApplication(v, http.StatusOK, &applicationView{App: a, Fresh: secret, Form: newApplicationForm(v.words, a)})
}

// chosen is the application of the address.
func (s *Server) chosen(v *visit) (identity.Application, error) {
	return s.opt.Identity.Application(v.ctx(), v.param("id"))
}

func (s *Server) getApplication(v *visit) error {
	a, err := s.chosen(v)
	if err != nil {
		return err
	}
	return s.showApplication(v, http.StatusOK, &applicationView{App: a, Form: newApplicationForm(v.words, a)})
}

func (s *Server) showApplication(v *visit, status int, view *applicationView) error {
	counts, err := s.opt.Identity.ApplicationUseCounts(v.ctx())
	if err != nil {
		return err
	}
	a := view.App
	view.Issuer, view.People, view.Path = s.opt.Provider.Issuer(), counts[a.ID], pathOf("admin", "applications", a.ID)
	v.fill(&view.page, "admin.applications", a.Name)
	return s.write(v, status, "admin_application", view)
}

func (s *Server) postApplication(v *visit) error {
	was, err := s.chosen(v)
	if err != nil {
		return err
	}
	view := &applicationView{App: was, Form: newApplicationForm(v.words, was)}
	a, _, err := view.Form.read(v)
	if err == nil {
		_, err = s.opt.Identity.ChangeApplication(v.ctx(), v.actor(), was.ID, func(x *identity.Application) { *x = a })
	}
	if err != nil {
		status, err := view.Form.wrong(&view.page, err)
		if err != nil {
			return err
		}
		return s.showApplication(v, status, view)
	}
	return v.done(pathOf("admin", "applications", was.ID), "admin_applications.the_application_was_changed")
}

func (s *Server) postApplicationSecret(v *visit) error {
	a, err := s.chosen(v)
	if err != nil {
		return err
	}
	secret, err := s.opt.Identity.RenewApplicationSecret(v.ctx(), v.actor(), a.ID)
	if err != nil {
		return v.refused(pathOf("admin", "applications", a.ID), "admin_applications.there_is_no_new_secret", err)
	}
	return s.showApplication(v, http.StatusOK, &applicationView{App: a, Fresh: secret, Form: newApplicationForm(v.words, a)})
}

func (s *Server) postRemoveApplication(v *visit) error {
	if err := s.opt.Identity.RemoveApplication(v.ctx(), v.actor(), v.param("id")); err != nil {
		return v.refused("/admin/applications", "admin_applications.the_application_was_not_removed", absentAs(err, errGone))
	}
	return v.done("/admin/applications", "admin_applications.the_application_was_removed_nobody_is")
}
