package web

import (
	"errors"
	"net/http"

	"trivium/identity"
)

type securityView struct {
	page
	Passkeys, Others []factorRow
	Certificates     []certificateRow
	Recovery         *factorRow
	App, Chat        bool // are set up
	Asked            bool // log-ins by password need a second factor
	Demanded         bool // policy wants one
	CanChat          bool // a chat app is online
	PasskeyOff       string
	ChatAsked        *identity.ChatAsked
	Applications     []applicationRow // that the person has logged in to
}

// factorRow is a factor in a list.
type factorRow struct {
	identity.Factor
	RenamePath, RemovePath string
}

func (s *Server) getSecurity(v *visit) error {
	list, err := s.opt.Identity.Factors(v.ctx(), v.creds.User)
	if err != nil {
		return err
	}
	view := &securityView{Demanded: s.opt.Identity.FactorDemanded(v.browser.Session), CanChat: s.opt.Identity.CanAskChat(v.browser)}
	for _, f := range list {
		row := factorRow{f, pathOf("security", "factors", f.ID, "rename"), pathOf("security", "factors", f.ID, "remove")}
		switch f.Kind {
		case identity.FactorPasskey:
			view.Passkeys = append(view.Passkeys, row)
			continue
		case identity.FactorRecovery:
			view.Recovery = &row
			continue
		case identity.FactorTOTP:
			view.App = true
		case identity.FactorChat:
			view.Chat = true
		}
		view.Others = append(view.Others, row)
	}
	view.Asked = view.App || view.Chat
	if view.Certificates, err = s.certificateRows(v, v.creds.User, func(f string) string { return pathOf("security", "certificates", f, "remove") }); err != nil {
		return err
	}
	_, view.PasskeyOff = s.site(v.words, v.Request())
	if a, ok := s.opt.Identity.ChatAnswer(v.browser); ok {
		view.ChatAsked = &a
	}
	if view.Applications, err = s.applications(v); err != nil {
		return err
	}
	v.fill(&view.page, "security", "common.security")
	return s.write(v, http.StatusOK, "security", view)
}

type addView struct {
	page
	App     appPart
	Label   field
	Passkey passkeyPart
}

func (s *Server) getNewPasskey(v *visit) error { return s.showNewPasskey(v, http.StatusOK, "") }

func (s *Server) showNewPasskey(v *visit, status int, fault string) error {
	view := &addView{Label: labelField(),
		Passkey: v.passkeyHere(passkeyPart{Action: "/security/passkey", Options: "/security/passkey/options", Make: true, Button: "security.create_a_passkey"})}
	if fault != "" {
		view.Problems = append(view.Problems, problem{Field: "passkey", Text: fault})
	}
	v.fill(&view.page, "security.passkey", "security.new_passkey")
	return s.write(v, status, "security_passkey", view)
}

func (s *Server) postNewPasskeyOptions(v *visit) error { return s.postEnrolOptions(v) }

func (s *Server) postNewPasskey(v *visit) error {
	site, off := s.site(v.words, v.Request())
	if off != "" {
		return s.showNewPasskey(v, http.StatusUnprocessableEntity, off)
	}
	codes, _, err := s.opt.Identity.AddPasskey(v.ctx(), v.browser, site, v.text("label"), v.credential())
	if err != nil {
		a := answerTo(err)
		if a.fallback {
			return err
		}
		_, text := v.passkeyWords(err)
		return s.showNewPasskey(v, a.status, text)
	}
	v.flash(flash{Kind: flashSuccess, Text: "security.the_passkey_was_created_you_can", Codes: codes})
	return v.see("/security")
}

func (s *Server) getNewApp(v *visit) error { return s.showNewApp(v, http.StatusOK, "") }

func (s *Server) showNewApp(v *visit, status int, fault string) error {
	view := &addView{}
	var err error
	view.App, err = s.appPart(v)
	if errors.Is(err, identity.ErrExists) || errors.Is(err, identity.ErrRefused) {
		return v.refused("/security", "security.no_authenticator_app_was_set_up", err)
	}
	if err != nil {
		return err
	}
	if fault != "" {
		view.trouble(&view.App.Code, fault)
	}
	v.fill(&view.page, "security.app", "common.authenticator_app")
	return s.write(v, status, "security_app", view)
}

func (s *Server) postNewApp(v *visit) error {
	codes, _, err := s.opt.Identity.AddTOTP(v.ctx(), v.browser, identity.NewSecret(v.form("code")))
	switch {
	case errors.Is(err, identity.ErrCredentials):
		return s.showNewApp(v, http.StatusUnprocessableEntity, wrongCode)
	case errors.Is(err, identity.ErrInvalid):
		a := answerTo(err)
		return s.showNewApp(v, a.status, a.words(v.words, err))
	case err != nil:
		return v.refused("/security", "security.no_authenticator_app_was_set_up", err)
	}
	v.flash(flash{Kind: flashSuccess, Text: "security.the_authenticator_app_is_set_up", Codes: codes})
	return v.see("/security")
}

func (s *Server) postRenameFactor(v *visit) error {
	if err := s.opt.Identity.RenameFactor(v.ctx(), v.actor(), v.param("id"), v.text("label")); err != nil {
		return v.refused("/security", "security.the_name_was_not_changed", absentAs(err, errGone))
	}
	return v.done("/security", "security.the_name_was_changed")
}

func (s *Server) postRemoveFactor(v *visit) error {
	if err := s.opt.Identity.RemoveFactor(v.ctx(), v.actor(), v.creds.User, v.param("id"), v.browser.Session); err != nil {
		return v.refused("/security", "security.nothing_was_removed", absentAs(err, errGone))
	}
	return v.done("/security", "security.it_was_removed")
}

func (s *Server) postRecovery(v *visit) error {
	codes, err := s.opt.Identity.RenewRecovery(v.ctx(), v.browser)
	if err != nil {
		return v.refused("/security", "security.no_recovery_codes_were_made", err)
	}
	v.flash(flash{Kind: flashSuccess, Text: "security.there_are_new_recovery_codes_the", Codes: codes})
	return v.see("/security")
}

// postAskChat asks the person's chat apps whether chat is to be a second factor.
func (s *Server) postAskChat(v *visit) error {
	if _, err := s.opt.Identity.AskChat(v.ctx(), v.browser, http.MethodPost, s.publicAddress()+"/security"); err != nil {
		return v.refused("/security", "security.nothing_was_asked_in_chat", err)
	}
	return v.see("/security#chat")
}

func (s *Server) postChatFactor(v *visit) error {
	codes, err := s.opt.Identity.AddChat(v.ctx(), v.browser)
	if errors.Is(err, identity.ErrCredentials) {
		return v.refused("/security", "security.it_was_refused_in_chat_so", identity.ErrRefused)
	}
	if err != nil {
		return v.refused("/security", "security.chat_is_no_second_factor_yet", err)
	}
	v.flash(flash{Kind: flashSuccess, Text: "security.chat_is_a_second_factor_from", Codes: codes})
	return v.see("/security")
}

// postUserFactor takes a factor away from who has lost it.
func (s *Server) postUserFactor(v *visit) error {
	a, name, err := s.target(v)
	if err != nil {
		return err
	}
	if a.ID == v.creds.UserID {
		return v.refused(userPath(name), "security.nothing_was_removed_your_own_factors", identity.ErrRefused)
	}
	if err := s.opt.Identity.RemoveFactor(v.ctx(), v.actor(), name, v.param("id"), nil); err != nil {
		return v.refused(userPath(name), "security.nothing_was_removed", absentAs(err, errGone))
	}
	return v.done(userPath(name), "security.a_second_factor_of_was_removed", name)
}
