package web

import (
	"crypto/subtle"
	"errors"
	"net/http"

	"trivium/identity"
)

type setupView struct {
	page
	Valid           bool
	Code            string
	Login, Password field
	Domain          string
	Listeners       []Bound
}

func newSetupView() *setupView {
	return &setupView{
		Login: field{ID: "login", Name: "login", Label: "setup.user_name", Type: "text", Autocomplete: "username", Required: true, Focus: true,
			Help: "setup.of_the_administrator_letters_digits_and"},
		Password: newPasswordField("password", "common.password"),
	}
}

// getSetup exists until an administrator does.
func (s *Server) getSetup(v *visit) error {
	view := newSetupView()
	if err := s.checkSetup(v, view, v.QueryParam("code")); err != nil {
		return err
	}
	if !view.Valid {
		return s.showSetup(v, http.StatusNotFound, view)
	}
	if err := s.begin(v); err != nil {
		return err
	}
	return s.showSetup(v, http.StatusOK, view)
}

// checkSetup answers errAbsent once an administrator exists, and else whether the code is right.
func (s *Server) checkSetup(v *visit, view *setupView, code string) error {
	has, err := s.opt.Identity.HasAdministrator(v.ctx())
	if err != nil {
		return err
	}
	if has {
		return errAbsent
	}
	want, err := s.opt.Identity.SetupCode(v.ctx())
	if errors.Is(err, identity.ErrNotFound) {
		return errAbsent
	}
	if err != nil {
		return err
	}
	if want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
		view.Valid, view.Code = true, code
	}
	return nil
}

func (s *Server) showSetup(v *visit, status int, view *setupView) error {
	view.Domain, view.Listeners = s.opt.Domain, s.opt.Listeners()
	title := "setup.set_up"
	if !view.Valid {
		title = "setup.set_up_link_not_valid"
	}
	v.fill(&view.page, "setup", title)
	view.LoginHref = ""
	return s.write(v, status, "setup", view)
}

// postSetup makes the first administrator and logs in.
func (s *Server) postSetup(v *visit) error {
	view := newSetupView()
	if err := s.checkSetup(v, view, v.form("code")); err != nil {
		return err
	}
	if !view.Valid {
		return s.showSetup(v, http.StatusNotFound, view)
	}
	view.Login.Value = v.text("login")
	password := identity.NewSecret(v.form("password"))
	if view.Login.Value == "" {
		view.trouble(&view.Login, "setup.choose_a_user_name")
	}
	if fault := s.passwordFault(v, password, view.Login.Value, identity.Profile{}); fault != "" {
		view.trouble(&view.Password, fault)
	}
	if len(view.Problems) > 0 {
		return s.showSetup(v, http.StatusUnprocessableEntity, view)
	}
	_, err := s.opt.Identity.Setup(v.ctx(), view.Code, identity.NewUser{Login: view.Login.Value, Level: identity.LevelRoot, Password: password})
	switch {
	case errors.Is(err, identity.ErrInvalid), errors.Is(err, identity.ErrExists):
		a := answerTo(err)
		view.trouble(&view.Login, a.words(v.words, err))
		return s.showSetup(v, a.status, view)
	case err != nil:
		return err // a used code looks like no page
	}
	c, err := s.opt.Identity.Upgrade(v.ctx(), v.browser, identity.Login{Method: identity.MethodForm, Name: view.Login.Value, Secret: password}, false)
	if err != nil {
		return v.done("/login", "setup.the_administrator_was_created_log_in", view.Login.Value)
	}
	s.keep(v, c)
	v.attach(v.browser)
	return v.done("/admin", "setup.the_administrator_was_created_and_you", view.Login.Value)
}

func newPasswordField(id, label string) field {
	return field{ID: id, Name: id, Label: label, Type: "password", Autocomplete: "new-password", Required: true, Strength: true,
		Help: "setup.at_least_8_characters_four_random"}
}

// passwordFault says what is wrong with a new password, or "".
func (s *Server) passwordFault(v *visit, p identity.Secret, login string, of identity.Profile) string {
	if err := s.opt.Identity.CheckNewPassword(login, of, p); err != nil {
		return v.spoken(err)
	}
	return ""
}
