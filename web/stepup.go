package web

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"trivium/identity"
)

// The fields of *Confirm it is you*. They stand beside those of the form that was sent, so that it
// is sent once more to where it belongs, and nothing else is.
const (
	confirmPrefix   = "confirm_"
	confirmPassword = "confirm_password"
	confirmCode     = "confirm_code"
	confirmPasskey  = "confirm_passkey" // says that credential is for this
)

type confirmView struct {
	page
	Action         string
	Fields         []hiddenField // of the form that waits
	Next           string        // of a page that waits
	For            string        // the application that wants it; "": none does
	Strong         bool          // which a password alone is not enough for
	Ways           identity.Ways
	Password, Code field
	Passkey        passkeyPart
}

type hiddenField struct{ Name, Value string }

// confirmed lets a dangerous page or form through where the person has shown lately to be it; else it
// asks, and a form goes on once that is answered.
func (s *Server) confirmed(v *visit) (bool, error) {
	if v.browser == nil || !v.known || s.opt.Identity.Confirmed(v.browser) {
		return true, nil // who is not logged in the level keeps out
	}
	if v.Request().Method != http.MethodPost || v.route.upload { // files are chosen again after it
		return false, v.see("/confirm?next=" + url.QueryEscape(v.Request().URL.RequestURI()))
	}
	view := &confirmView{Action: v.Request().URL.RequestURI()}
	ok, err := s.prove(v, view)
	form := v.Request().PostForm
	if ok || err != nil {
		if form.Has(confirmPasskey) {
			form.Del("credential")
		}
		maps.DeleteFunc(form, func(name string, _ []string) bool { return strings.HasPrefix(name, confirmPrefix) })
		return ok, err
	}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if name == tokenField || name == "credential" || strings.HasPrefix(name, confirmPrefix) {
			continue
		}
		for _, value := range form[name] {
			view.Fields = append(view.Fields, hiddenField{name, value})
		}
	}
	return false, s.showConfirm(v, http.StatusForbidden, view)
}

// prove checks what the person answered; false where nothing was answered, or not the right thing,
// which view says then.
func (s *Server) prove(v *visit, view *confirmView) (bool, error) {
	view.Password = field{ID: "confirm-password", Name: confirmPassword, Label: "common.password", Type: "password", Autocomplete: "current-password", Focus: true}
	view.Code = codeField()
	view.Code.ID, view.Code.Name, view.Code.Required, view.Code.Focus = "confirm-code", confirmCode, false, false
	view.Code.Help = "stepup.six_digits"
	view.Code.Mode = ""
	var err error
	at := &view.Password
	switch {
	case v.form(confirmPassword) != "":
		err = s.opt.Identity.ConfirmPassword(v.ctx(), v.browser, identity.NewSecret(v.form(confirmPassword)))
	case v.form(confirmCode) != "":
		at = &view.Code
		err = s.opt.Identity.ConfirmCode(v.ctx(), v.browser, identity.NewSecret(v.form(confirmCode)))
	case v.form("credential") != "" && v.form(confirmPasskey) != "":
		at = nil
		site, off := s.site(v.words, v.Request())
		if off != "" {
			return false, nil
		}
		err = s.opt.Identity.ConfirmPasskey(v.ctx(), v.browser, site, v.credential())
	default:
		return false, nil
	}
	if err == nil {
		return true, nil
	}
	a := answerTo(err)
	if a.fallback {
		return false, err
	}
	retryAfter(v.Response().Header(), err)
	text := a.words(v.words, err)
	switch {
	case at == nil:
		_, text = v.passkeyWords(err)
		view.Problems = append(view.Problems, problem{Field: "passkey", Text: text})
		return false, nil
	case errors.Is(err, identity.ErrCredentials) && at == &view.Code:
		text = wrongCode
	case errors.Is(err, identity.ErrCredentials):
		text = "stepup.the_password_is_wrong"
	}
	view.trouble(at, text)
	return false, nil
}

func (s *Server) showConfirm(v *visit, status int, view *confirmView) error {
	var err error
	if view.Ways, err = s.opt.Identity.ConfirmWays(v.ctx(), v.browser); err != nil {
		return err
	}
	if view.Strong {
		view.Ways.Password = false
	}
	view.Code.Focus = !view.Ways.Password
	view.Passkey = v.passkeyHere(passkeyPart{Options: "/confirm/options", Button: "stepup.use_a_passkey"})
	v.fill(&view.page, "confirm", "stepup.confirm_it_is_you")
	return s.write(v, status, "confirm", view)
}

// getConfirm asks before a dangerous page.
func (s *Server) getConfirm(v *visit) error {
	next := localPath(v.QueryParam("next"))
	if s.opt.Identity.Confirmed(v.browser) {
		return v.see(next)
	}
	view := &confirmView{Action: "/confirm", Next: next}
	if _, err := s.prove(v, view); err != nil { // fills in the fields
		return err
	}
	return s.showConfirm(v, http.StatusOK, view)
}

func (s *Server) postConfirm(v *visit) error {
	view := &confirmView{Action: "/confirm", Next: localPath(v.form("next"))}
	ok, err := s.prove(v, view)
	if err != nil {
		return err
	}
	if ok {
		return v.see(view.Next)
	}
	if len(view.Problems) == 0 {
		view.trouble(&view.Password, "stepup.answer_in_one_of_the_ways")
	}
	return s.showConfirm(v, http.StatusUnprocessableEntity, view)
}
