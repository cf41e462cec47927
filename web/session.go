package web

import (
	"net/http"
	"time"

	"trivium/identity"
)

// cookieName is `as` or `ls`; on https with the prefix that ties the cookie to this very host
// (RFC 6265bis section 4.1.3.2), and then only that one is ever read. That prefix wants the path /, so
// below another path it is the one that wants https alone (section 4.1.3.1).
func (s *Server) cookieName(k identity.CookieKind, https bool) string {
	switch {
	case !https:
		return string(k)
	case s.below != "":
		return "__Secure-" + string(k)
	}
	return "__Host-" + string(k)
}

// look is what the browser sent, in identity's words.
func (s *Server) look(r *http.Request) identity.Visit {
	https := s.secure(r)
	v := identity.Visit{Remote: s.remote(r), Local: localAddr(r), UserAgent: clip(r.UserAgent(), 512),
		Referer: clip(r.Referer(), 512), Lang: clip(r.Header.Get("Accept-Language"), 64)}
	if r.TLS != nil {
		v.TLS = tlsName(r.TLS.Version)
	} else if https {
		v.TLS = "TLS"
	}
	// A live page fetches by itself; it may not keep a session alive that nobody sits at.
	v.Unattended = r.Header.Get("X-Trivium-Part") != "" || r.Header.Get("Accept") == "text/event-stream"
	v.Anonymous = cookieValue(r, s.cookieName(identity.CookieAnonymous, https))
	v.LoggedIn = cookieValue(r, s.cookieName(identity.CookieLoggedIn, https))
	return v
}

func cookieValue(r *http.Request, name string) identity.Secret {
	c, err := r.Cookie(name)
	if err != nil || c.Value == "" {
		return identity.Secret{}
	}
	return identity.NewSecret(c.Value)
}

// keep makes the browser keep c and drop the cookie of the other kind, so that it never holds
// two halves of a life.
func (s *Server) keep(v *visit, c identity.Cookie) {
	https := s.secure(v.Request())
	set := func(kind identity.CookieKind, value string, age int) {
		http.SetCookie(v.Response(), &http.Cookie{Name: s.cookieName(kind, https), Value: value, Path: s.below.cookies(),
			MaxAge: age, HttpOnly: true, Secure: https, SameSite: http.SameSiteLaxMode})
	}
	other := identity.CookieAnonymous
	if c.Kind == identity.CookieAnonymous {
		other = identity.CookieLoggedIn
	}
	set(c.Kind, c.Value.Reveal(), int(c.MaxAge/time.Second))
	if _, err := v.Request().Cookie(s.cookieName(other, https)); err == nil {
		set(other, "", -1)
	}
}

// resume finds the browser session of the cookies; none is no error.
func (s *Server) resume(v *visit) error {
	sent := s.look(v.Request())
	if sent.Anonymous.IsZero() && sent.LoggedIn.IsZero() {
		return nil
	}
	b, set, err := s.opt.Identity.Resume(v.ctx(), sent)
	switch {
	case isNot(err):
		return nil // an unknown, forged or dead cookie is no cookie
	case err != nil:
		return err
	}
	if set != nil {
		s.keep(v, *set)
	}
	v.attach(b)
	return nil
}

// begin starts an anonymous session where there is none; pages with a form need one for the
// form's token.
func (s *Server) begin(v *visit) error {
	if v.browser != nil {
		return nil
	}
	b, c, err := s.opt.Identity.StartAnonymous(v.ctx(), s.look(v.Request()))
	if err != nil {
		return err
	}
	s.keep(v, c)
	v.attach(b)
	return nil
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most]
}
