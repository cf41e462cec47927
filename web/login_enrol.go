package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"trivium/identity"
	"trivium/internal/qr"
)

// appPart is an authenticator app that is being set up (template "app").
type appPart struct {
	QR     template.HTML
	Secret field
	Code   field
}

type enrolView struct {
	page
	User    string
	App     appPart
	Passkey passkeyPart
	Label   field
	Next    string
}

// appPart makes the code and the secret of a key for people.
func (s *Server) appPart(v *visit) (appPart, error) {
	key, err := s.opt.Identity.OfferTOTP(v.ctx(), v.browser)
	if err != nil {
		return appPart{}, err
	}
	svg, err := qr.SVG(key.URI.Reveal())
	if err != nil {
		return appPart{}, err
	}
	p := appPart{QR: template.HTML(svg), Code: codeField(), //nolint:gosec // numbers alone come from the text
		Secret: field{ID: "totp-secret", Label: "login_enrol.or_type_this_key_into_the", Value: inFours(key.Secret.Reveal())}}
	p.Code.Help = "login_enrol.the_six_digits_that_the_app"
	return p, nil
}

// inFours is a key as people type it.
func inFours(s string) string {
	const step = 4
	out := ""
	for i, c := range s {
		if i > 0 && i%step == 0 {
			out += " "
		}
		out += string(c)
	}
	return out
}

// labelField is what a passkey is to be called.
func labelField() field {
	return field{ID: "label", Name: "label", Label: "login_enrol.name_of_the_passkey", Type: "text", Autocomplete: "off", Help: "login_enrol.such_as_the_device_that_it"}
}

func (s *Server) getEnrol(v *visit) error {
	return s.showEnrol(v, http.StatusOK, localPath(v.QueryParam("next")), "")
}

func (s *Server) showEnrol(v *visit, status int, next, fault string) error {
	if v.browser == nil {
		return v.see("/login?next=" + url.QueryEscape(next))
	}
	h, ok, err := s.halfway(v, next)
	if !ok || err != nil {
		return err
	}
	if !h.Enrol {
		return v.see(factorPath(next))
	}
	view := &enrolView{User: h.User, Next: next, Label: labelField(),
		Passkey: v.passkeyHere(passkeyPart{Action: "/login/enrol/passkey", Options: "/login/enrol/options", Make: true, Button: "login_enrol.create_a_passkey", Next: next})}
	if view.App, err = s.appPart(v); err != nil {
		return err
	}
	if fault != "" {
		view.trouble(&view.App.Code, fault)
	}
	v.fill(&view.page, "login.enrol", "login_enrol.set_up_a_second_factor")
	view.LoginHref = ""
	return s.write(v, status, "login_enrol", view)
}

// postEnrolApp sets the app up and logs in.
func (s *Server) postEnrolApp(v *visit) error {
	codes, set, err := s.opt.Identity.AddTOTP(v.ctx(), v.browser, identity.NewSecret(v.form("code")))
	return s.enrolled(v, codes, set, err, "login_enrol.the_authenticator_app_is_set_up")
}

func (s *Server) postEnrolOptions(v *visit) error {
	return v.sendOptions(func(site identity.Site) ([]byte, error) {
		return s.opt.Identity.OfferPasskey(v.ctx(), v.browser, site)
	})
}

func (s *Server) postEnrolPasskey(v *visit) error {
	site, off := s.site(v.words, v.Request())
	if off != "" {
		return s.showEnrol(v, http.StatusUnprocessableEntity, localPath(v.form("next")), off)
	}
	codes, set, err := s.opt.Identity.AddPasskey(v.ctx(), v.browser, site, v.text("label"), v.credential())
	return s.enrolled(v, codes, set, err, "login_enrol.the_passkey_was_created_and_you")
}

// enrolled ends a log-in that had to set a factor up.
func (s *Server) enrolled(v *visit, codes []identity.Secret, set *identity.Cookie, err error, text string) error {
	next := localPath(v.form("next"))
	switch {
	case err == nil && set != nil:
	case err == nil: // it was no waiting log-in
		return v.see("/security")
	case errors.Is(err, identity.ErrCredentials):
		return s.showEnrol(v, http.StatusUnprocessableEntity, next, wrongCode)
	case answerTo(err).fallback:
		return err
	default:
		a := answerTo(err)
		return s.showEnrol(v, a.status, next, a.words(v.words, err))
	}
	s.keep(v, *set)
	v.attach(v.browser)
	v.flash(flash{Kind: flashSuccess, Text: text, Codes: codes})
	if len(codes) > 0 {
		return v.see("/security")
	}
	return v.see(next)
}
