package web

import (
	"net/http"
	"time"

	"trivium/identity"
	"trivium/web/text"
)

// languageCookie is the choice of somebody who is not logged in, or has none in the profile.
const languageCookie = "lang"

// language finds the visitor's: what the profile says, else what was chosen on a page, else what the browser
// asks for, else the site's.
func (v *visit) language(profile string) *text.Language {
	chosen := ""
	if c, err := v.Request().Cookie(languageCookie); err == nil && v.server.languages.Find(c.Value) != nil {
		chosen = c.Value
	}
	return v.server.languages.Match(profile, chosen, v.Request().Header.Get("Accept-Language"), v.server.opt.Config.Lang)
}

// postLanguage keeps a choice of language: in the profile of somebody who is logged in, and in a cookie, so
// that it stays after the log-out. What is none of ours means: as the browser asks.
func (s *Server) postLanguage(v *visit) error {
	c := &http.Cookie{Name: languageCookie, Path: s.below.cookies(), MaxAge: int((365 * 24 * time.Hour) / time.Second),
		HttpOnly: true, Secure: s.secure(v.Request()), SameSite: http.SameSiteLaxMode}
	if l := s.languages.Find(v.form("lang")); l != nil {
		c.Value = l.Tag
	} else {
		c.MaxAge = -1
	}
	http.SetCookie(v.Response(), c)
	if v.known && v.creds.Profile.Lang != c.Value {
		a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
		if err != nil {
			return err
		}
		p := a.Profile
		p.Lang = c.Value
		if _, err := s.opt.Identity.SetUser(v.ctx(), v.actor(), v.creds.User, identity.UserChange{Profile: &p}); err != nil {
			return v.refused(v.back(), "account.not_saved", err)
		}
	}
	return v.see(v.back())
}
