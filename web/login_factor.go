package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"trivium/identity"
)

type factorView struct {
	page
	User     string
	Ways     identity.Halfway
	Code     field
	Recovery bool // the field is for a recovery code
	Passkey  passkeyPart
	Asked    *identity.ChatAsked // the question in chat
	Next     string
	Left     int // minutes
}

func factorPath(next string) string { return "/login/totp?next=" + url.QueryEscape(next) }

// halfway sends back to the log-in where none waits, and to set a factor up where that is what it
// waits for.
func (s *Server) halfway(v *visit, next string) (h identity.Halfway, ok bool, err error) {
	h, ok, err = s.opt.Identity.Halfway(v.ctx(), v.browser)
	switch {
	case err != nil:
		return h, false, err
	case !ok && v.known:
		return h, false, v.see(next)
	case !ok:
		return h, false, v.see("/login?next=" + url.QueryEscape(next))
	}
	return h, true, nil
}

func (s *Server) getFactor(v *visit) error {
	next := localPath(v.QueryParam("next"))
	return s.showFactor(v, http.StatusOK, next, v.QueryParam("way") == "recovery", "")
}

// showFactor shows what a waiting log-in is asked; fault is about the code.
func (s *Server) showFactor(v *visit, status int, next string, recovery bool, fault string) error {
	if v.browser == nil {
		return v.see("/login?next=" + url.QueryEscape(next))
	}
	h, ok, err := s.halfway(v, next)
	if !ok || err != nil {
		return err
	}
	if h.Enrol {
		return v.see("/login/enrol?next=" + url.QueryEscape(next))
	}
	view := &factorView{User: h.User, Ways: h, Next: next, Recovery: recovery || !h.TOTP,
		Left:    max(1, int(h.Until.Sub(s.now())/time.Minute)),
		Passkey: v.passkeyHere(passkeyPart{Action: "/login/passkey", Options: "/login/passkey/options", Button: "login_factor.use_a_passkey_or_security_key", Next: next})}
	view.Code = codeField()
	if view.Recovery {
		view.Code.Label, view.Code.Help, view.Code.Mode, view.Code.Autocomplete = "login_factor.recovery_code", "login_factor.ten_letters_and_digits_each_works", "", "off"
	}
	if fault != "" {
		view.trouble(&view.Code, fault)
	}
	if a, ok := s.opt.Identity.ChatAnswer(v.browser); ok {
		view.Asked = &a
	}
	v.fill(&view.page, "login.totp", "login_factor.second_factor")
	view.LoginHref = ""
	return s.write(v, status, "login_factor", view)
}

func codeField() field {
	return field{ID: "code", Name: "code", Label: "login_factor.code_of_your_authenticator_app", Type: "text", Autocomplete: "one-time-code",
		Mode: "numeric", Required: true, Focus: true, Help: "login_factor.six_digits_new_every_30_seconds"}
}

// postFactor takes a code of the app, or a recovery code.
func (s *Server) postFactor(v *visit) error {
	next := localPath(v.form("next"))
	c, err := s.opt.Identity.FinishCode(v.ctx(), v.browser, identity.NewSecret(v.form("code")))
	if err != nil {
		return s.factorRefused(v, err, next)
	}
	s.keep(v, c)
	v.attach(v.browser)
	return v.see(next)
}

const wrongCode = "login_factor.the_code_is_wrong_or_was"

// factorRefused shows the page again, or the log-in where that is over.
func (s *Server) factorRefused(v *visit, err error, next string) error {
	a := answerTo(err)
	if a.fallback {
		return err
	}
	retryAfter(v.Response().Header(), err)
	_, waits, herr := s.opt.Identity.Halfway(v.ctx(), v.browser)
	if herr != nil {
		return herr
	}
	text := a.words(v.words, err)
	recovery := v.form("way") == "recovery"
	if errors.Is(err, identity.ErrCredentials) {
		if text = wrongCode; recovery {
			text = "login_factor.the_recovery_code_is_wrong_or"
		} else if v.form("credential") != "" {
			_, text = v.passkeyWords(err)
		}
	}
	if !waits {
		view := newLoginView()
		view.Next = next
		if errors.Is(err, identity.ErrEnded) {
			text = "login_factor.the_log_in_took_too_long"
		}
		view.Problems = append(view.Problems, problem{Field: view.Login.ID, Text: v.T(text) + " " + v.T("login_factor.log_in_again")})
		return s.showLogin(v, a.status, view)
	}
	return s.showFactor(v, a.status, next, recovery, text)
}

func (s *Server) postFactorCancel(v *visit) error {
	s.opt.Identity.LeaveHalfway(v.browser)
	return v.see("/login?next=" + url.QueryEscape(localPath(v.form("next"))))
}

// postFactorChat asks the person's chat apps about the log-in.
func (s *Server) postFactorChat(v *visit) error {
	next := localPath(v.form("next"))
	if _, err := s.opt.Identity.AskChat(v.ctx(), v.browser, http.MethodPost, s.publicAddress()+"/login"); err != nil {
		return s.factorRefused(v, err, next)
	}
	return v.see(factorPath(next))
}

// publicAddress is where people find the pages, for what leaves the browser.
func (s *Server) publicAddress() string {
	if list := s.ownOrigins(); len(list) > 0 {
		return list[0]
	}
	return "https://" + s.opt.Domain
}

// getChatState tells passkey.js how far the question in chat has come.
func (s *Server) getChatState(v *visit) error {
	if v.browser == nil {
		return errAbsent
	}
	a, ok := s.opt.Identity.ChatAnswer(v.browser)
	if !ok {
		return errAbsent
	}
	return v.JSON(http.StatusOK, map[string]string{"state": string(a.State)})
}

// postFactorChatDone goes on where the person has answered in chat.
func (s *Server) postFactorChatDone(v *visit) error {
	next := localPath(v.form("next"))
	c, err := s.opt.Identity.FinishChat(v.ctx(), v.browser)
	switch {
	case err == nil:
		s.keep(v, c)
		v.attach(v.browser)
		return v.see(next)
	case errors.Is(err, identity.ErrCredentials):
		view := newLoginView()
		view.Next = next
		view.Problems = append(view.Problems, problem{Field: view.Login.ID, Text: "login_factor.the_log_in_was_refused_in"})
		return s.showLogin(v, http.StatusUnauthorized, view)
	}
	return s.factorRefused(v, err, next)
}
