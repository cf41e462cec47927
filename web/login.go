package web

import (
	"errors"
	"net/http"

	"trivium/identity"
)

type loginView struct {
	page
	Login, Password field
	Next            string
	Stay            bool
	Providers       []providerButton
	Passkey         passkeyPart
	Certificate     bool   // the browser is asked for certificates
	Mail            bool   // the server sends mails: a forgotten password can be reset
	Maintenance     string // what is said of it; "" where there is none
	NoAdmin         bool   // nobody can log in yet: says where the set-up link is
}

func newLoginView() *loginView {
	return &loginView{
		Login:    field{ID: "login", Name: "login", Label: "login.user_name", Type: "text", Autocomplete: "username webauthn", Required: true, Focus: true},
		Password: field{ID: "password", Name: "password", Label: "common.password", Type: "password", Autocomplete: "current-password", Required: true},
	}
}

func (s *Server) getLogin(v *visit) error {
	next := localPath(v.QueryParam("next"))
	if v.known {
		return v.see(next)
	}
	if err := s.begin(v); err != nil {
		return err
	}
	view := newLoginView()
	view.Next, view.Login.Value = next, s.loginHint(next)
	if view.Login.Value != "" {
		view.Login.Focus, view.Password.Focus = false, true
	}
	return s.showLogin(v, http.StatusOK, view)
}

func (s *Server) showLogin(v *visit, status int, view *loginView) error {
	has, err := s.opt.Identity.HasAdministrator(v.ctx())
	if err != nil {
		return err
	}
	view.NoAdmin, view.Providers, view.Mail = !has, s.providers(view.Next), s.opt.Mail
	if closed := s.opt.Identity.Closed(); closed != nil {
		view.Maintenance = answerTo(closed).words(v.words, closed)
	}
	view.Certificate = s.opt.Config.ClientCertificates && v.Request().TLS != nil
	view.Passkey = v.passkeyHere(passkeyPart{Action: "/login/passkey", Options: "/login/passkey/options", Auto: true, Button: "login.log_in_with_a_passkey", Next: view.Next})
	v.fill(&view.page, "login", "common.log_in")
	return s.write(v, status, "login", view)
}

// postLogin gives unknown name, wrong password and disabled account one answer.
func (s *Server) postLogin(v *visit) error {
	view := newLoginView()
	view.Next, view.Stay, view.Login.Value = localPath(v.form("next")), v.form("stay") == "1", v.text("login")
	if v.known { // somebody else, or the same again: the old life ends first
		if err := s.downgrade(v); err != nil {
			return err
		}
	}
	c, err := s.opt.Identity.Upgrade(v.ctx(), v.browser, identity.Login{Method: identity.MethodForm,
		Name: view.Login.Value, Secret: identity.NewSecret(v.form("password")), Certificate: v.shown()}, view.Stay)
	if errors.Is(err, identity.ErrFactor) { // the password was right
		s.keep(v, c)
		v.attach(v.browser)
		return v.see(factorPath(view.Next))
	}
	if err != nil {
		a := answerTo(err)
		if a.fallback || errors.Is(err, identity.ErrInvalid) && v.known {
			return err
		}
		if errors.Is(err, identity.ErrInvalid) { // a name that no account can have
			a = answerTo(identity.ErrCredentials)
		}
		retryAfter(v.Response().Header(), err)
		view.Problems = append(view.Problems, problem{Field: view.Login.ID, Text: a.words(v.words, err)})
		if a.status == http.StatusUnauthorized {
			view.Password.Focus, view.Login.Focus = view.Login.Value != "", view.Login.Value == ""
		}
		return s.showLogin(v, a.status, view)
	}
	s.keep(v, c)
	v.attach(v.browser)
	return v.see(view.Next)
}

func (s *Server) postLogout(v *visit) error {
	if err := s.downgrade(v); err != nil {
		return err
	}
	return v.done("/login", "login.you_are_logged_out")
}

// downgrade logs the session out: it goes on as an anonymous one under a new cookie.
func (s *Server) downgrade(v *visit) error {
	c, err := s.opt.Identity.Downgrade(v.ctx(), v.browser, identity.Reason{Code: identity.ReasonEnded, Text: "logged out"})
	if err != nil {
		return err
	}
	s.keep(v, c)
	v.attach(v.browser)
	return nil
}
