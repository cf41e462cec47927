package web

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"trivium/identity"
)

// sourcesView is where accounts come from, beside those that are made here.
type sourcesView struct {
	page
	Local     int // accounts that no directory keeps
	Rows      []sourceRow
	Providers []providerRow
}

// sourceRow is one directory, with what was just asked of it.
type sourceRow struct {
	identity.DirectoryState
	Path     string
	Ended    stamp // the last sync
	Login    field
	Answers  bool // it was tested, and answers
	Prospect *identity.Prospect
	Report   *identity.SyncReport // of just now
	Dry      bool
}

// providerRow is one provider of OpenID Connect.
type providerRow struct {
	Name, Label, Issuer, Path, Callback string
	Answers                             bool
	Fault                               string
}

func (s *Server) getSources(v *visit) error { return s.showSources(v, http.StatusOK, nil, nil) }

// showSources shows all sources; with asked what one of them has answered.
func (s *Server) showSources(v *visit, status int, asked func(*sourceRow) bool, tested func(*providerRow) bool) error {
	list, err := s.opt.Identity.Directories(v.ctx())
	if err != nil {
		return err
	}
	view := &sourcesView{}
	v.fill(&view.page, "admin.sources", "admin_sources.sources")
	if view.Local, err = s.opt.Identity.CountUsers(v.ctx(), identity.UserFilter{}); err != nil {
		return err
	}
	found := asked == nil && tested == nil
	for _, d := range list {
		view.Local -= d.Accounts
		row := sourceRow{DirectoryState: d, Path: pathOf("admin", "sources", d.Name),
			Login: field{ID: "login-" + d.Name, Name: "login", Label: "admin_sources.login_of_somebody_there", Type: "text", Autocomplete: "off", Help: "admin_sources.empty_only_ask_whether_it_answers"}}
		if d.LastSync != nil {
			row.Ended = view.Stamp(d.LastSync.Ended)
		}
		if asked != nil && asked(&row) {
			found = true
			if row.Login.Error != "" {
				view.Problems = append(view.Problems, problem{Field: row.Login.ID, Text: row.Login.Error})
			}
		}
		view.Rows = append(view.Rows, row)
	}
	for _, p := range s.opt.Providers {
		row := providerRow{Name: p.Name(), Label: p.Label(), Issuer: p.Issuer(), Path: pathOf("admin", "sources", p.Name()), Callback: s.callback(p)}
		if tested != nil && tested(&row) {
			found = true
		}
		view.Providers = append(view.Providers, row)
	}
	if !found {
		return errAbsent
	}
	return s.write(v, status, "admin_sources", view)
}

// postSourceTest asks a source whether it answers, and what somebody there would be here.
func (s *Server) postSourceTest(v *visit) error {
	name, login := v.param("name"), v.text("login")
	if p, err := s.provider(name); err == nil {
		_, _, fault := p.Begin(s.callback(p)) // reads the provider's metadata; the attempt is not kept
		status := http.StatusOK
		return s.showSources(v, status, nil, func(row *providerRow) bool {
			if row.Name != name {
				return false
			}
			if row.Answers = fault == nil; fault != nil {
				row.Fault = sentence(fault.Error())
			}
			return true
		})
	}
	var prospect *identity.Prospect
	var err error
	if login == "" {
		_, err = s.opt.Identity.TestDirectory(v.ctx(), v.actor(), name, "")
	} else {
		var p identity.Prospect
		if p, err = s.opt.Identity.Prospect(v.ctx(), v.actor(), name, login); err == nil {
			prospect = &p
		}
	}
	status, text, err := v.sourceWords(err)
	if err != nil {
		return err
	}
	return s.showSources(v, status, func(row *sourceRow) bool {
		if row.Name != name {
			return false
		}
		row.Login.Value, row.Login.Error, row.Answers, row.Prospect = login, text, text == "", prospect
		return true
	}, nil)
}

// sourceWords is what a person reads of an error of a directory; the error itself where it is none.
func (v *visit) sourceWords(err error) (status int, text string, rest error) {
	if err == nil {
		return http.StatusOK, "", nil
	}
	for _, kind := range []error{identity.ErrUnavailable, identity.ErrNotFound, identity.ErrInvalid, identity.ErrRefused, identity.ErrBusy} {
		if errors.Is(err, kind) {
			a := answerTo(kind)
			status := a.status
			if status == http.StatusNotFound { // of somebody there, not of this page
				status = http.StatusUnprocessableEntity
			}
			return status, v.spoken(err), nil
		}
	}
	return 0, "", err
}

// syncTime is how long a sync may keep its page waiting.
const syncTime = 10 * time.Minute

// postSourceSync reads everybody of a directory; postSourcePreview says what that would do.
func (s *Server) postSourceSync(v *visit) error    { return s.syncSource(v, false) }
func (s *Server) postSourcePreview(v *visit) error { return s.syncSource(v, true) }

func (s *Server) syncSource(v *visit, dry bool) error {
	name := v.param("name")
	list, err := s.opt.Identity.Directories(v.ctx())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(d identity.DirectoryState) bool { return d.Name == name }) {
		return errAbsent
	}
	_ = http.NewResponseController(v.Response().Writer).SetWriteDeadline(s.now().Add(syncTime)) // none in HTTP/2
	report, err := s.opt.Identity.SyncDirectory(v.ctx(), v.actor(), name, dry, false)
	status, text, err := v.sourceWords(err)
	if err != nil {
		return err
	}
	return s.showSources(v, status, func(row *sourceRow) bool {
		if row.Name != name {
			return false
		}
		row.Login.Error, row.Report, row.Dry = text, &report, dry
		return true
	}, nil)
}
