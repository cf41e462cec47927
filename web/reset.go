package web

import (
	"net/http"

	"trivium/identity"
)

type resetView struct {
	page
	Name field
	Mail bool // the server sends mails
}

func newResetView() *resetView {
	return &resetView{Name: field{ID: "name", Name: "name", Label: "reset.user_name_or_e_mail_address", Type: "text", Autocomplete: "username", Required: true, Focus: true}}
}

func (s *Server) getReset(v *visit) error {
	if err := s.begin(v); err != nil {
		return err
	}
	return s.showReset(v, http.StatusOK, newResetView())
}

func (s *Server) showReset(v *visit, status int, view *resetView) error {
	view.Mail = s.opt.Mail
	v.fill(&view.page, "login.reset", "reset.forgotten_password")
	return s.write(v, status, "reset", view)
}

// postReset answers everybody the same, whether there is such an account or not.
func (s *Server) postReset(v *visit) error {
	view := newResetView()
	if s.opt.Mail {
		if err := s.opt.Identity.AskReset(v.ctx(), v.browser.Session, v.text("name")); err != nil {
			a := answerTo(err)
			if a.fallback {
				return err
			}
			retryAfter(v.Response().Header(), err)
			view.trouble(&view.Name, a.words(v.words, err))
			return s.showReset(v, a.status, view)
		}
	}
	return v.done("/login", "reset.if_there_is_such_an_account")
}

// mustChange sends who has to choose another password to the page where that is done, and lets
// nothing else be opened.
func (v *visit) mustChange(r *route) bool {
	if !v.known || !v.creds.MustChange {
		return false
	}
	switch r.Page {
	case "logout", "theme", "zone", "login", "login.reset", "join":
		return false
	}
	return !(r.Path == "/account" && r.Method == http.MethodGet || r.Path == "/account/password")
}

// revokeTokens ends all app passwords of an account, as its owner may wish with a new password.
func (s *Server) revokeTokens(v *visit, by identity.Actor, user string) (int, error) {
	list, err := s.opt.Tokens.List(v.ctx(), user)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	ids := make([]string, len(list))
	for i, t := range list {
		ids[i] = t.ID
	}
	return len(ids), s.opt.Tokens.Revoke(v.ctx(), by, ids...)
}
