package web

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"path"

	"github.com/labstack/echo/v4"

	"trivium/identity"
)

// errAbsent is what a page that one may not know of and a page that is not there have in common.
var errAbsent = errors.New("no such page")

// register puts the table into echo; nothing else adds routes.
func (s *Server) register(routes []route) (*echo.Echo, error) {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.onError
	e.Use(s.hideMethods)
	for _, r := range routes {
		if r.handle == nil && r.foreign == nil {
			return nil, errors.New("web: the route " + r.Path + " has no handler")
		}
		for _, m := range r.methods() {
			e.Add(m, r.Path, func(c echo.Context) error { return s.enter(&r, c) })
		}
	}
	return e, nil
}

// hideMethods answers a known path with an unknown method as a path that does not exist: 405, its
// Allow header and echo's own answer to OPTIONS would tell which pages there are.
func (s *Server) hideMethods(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Get(echo.ContextKeyHeaderAllow) != nil {
			return errAbsent
		}
		return next(c)
	}
}

// enter is the guard. The route has been found, so no other spelling of a path passes it: first
// who it is, then whether the route's level is held, then the form's token, then the page.
func (s *Server) enter(r *route, c echo.Context) error {
	if r.foreign != nil {
		if r.unasked && s.opt.Identity.Required(resource(c.Request().URL.Path), r.Level) == identity.LevelNobody {
			return errAbsent
		}
		// Bans, classes and tokens go by the client's address, and what needs TLS by what the client
		// speaks, not by what a trusted proxy does.
		req, from, https := c.Request(), s.remote(c.Request()), s.secure(c.Request())
		if from.IsValid() && from.String() != req.RemoteAddr || https && req.TLS == nil {
			req = req.Clone(req.Context())
			if from.IsValid() {
				req.RemoteAddr = from.String()
			}
			if https && req.TLS == nil {
				req.TLS = new(tls.ConnectionState) // https to the proxy; nothing else is known
			}
		}
		r.foreign.ServeHTTP(c.Response().Writer, req)
		return nil
	}
	v := s.visit(c)
	v.route = r
	if r.static {
		return r.handle(v)
	}
	if err := s.resume(v); err != nil {
		return err
	}
	if err := s.admit(v, r); err != nil || c.Response().Committed {
		return err
	}
	if v.mustChange(r) {
		return v.see("/account")
	}
	if err := s.checkChange(v, r); err != nil {
		return err
	}
	if r.confirm {
		if ok, err := s.confirmed(v); !ok || err != nil {
			return err
		}
	}
	err := r.handle(v)
	if v.browser != nil {
		v.browser.CountOut(c.Response().Size)
	}
	return err
}

// visit is the request's own, made once, so that an error page knows who asks.
func (s *Server) visit(c echo.Context) *visit {
	if v, ok := c.Get("visit").(*visit); ok {
		return v
	}
	v := &visit{Context: c, server: s}
	v.words = v.language("")
	c.Set("visit", v)
	return v
}

// need is the level that the resource requires of a session, nil for nobody in particular: the
// table's, as policy raises or lowers it.
func (s *Server) need(ses *identity.Session, r *route, urlPath string) identity.Level {
	if r.static {
		return identity.LevelNone
	}
	return s.opt.Identity.RequiredOf(ses, resource(urlPath), r.Level)
}

// session is the visitor's, nil before there is one.
func (v *visit) session() *identity.Session {
	if v.browser == nil {
		return nil
	}
	return v.browser.Session
}

func resource(urlPath string) identity.Resource {
	return identity.Resource("web:" + path.Clean("/"+urlPath))
}

// admit lets in, starts an anonymous session, sends to the log-in, or hides.
func (s *Server) admit(v *visit, r *route) error {
	need := s.need(v.session(), r, v.Request().URL.Path)
	if !v.known && !r.gate() && need <= identity.LevelLoggedIn { // what asks for more stays hidden
		if err := s.opt.Identity.Closed(); err != nil {
			return err
		}
	}
	if need == identity.LevelAnonymous && v.browser == nil {
		if err := s.begin(v); err != nil {
			return err
		}
	}
	switch {
	case need == identity.LevelNone || v.level.Allows(need):
		if r.only != nil && v.known && !r.only(v) {
			return errAbsent
		}
		return nil
	case need == identity.LevelLoggedIn && !v.known && v.byScript():
		return errLoggedOut
	case need == identity.LevelLoggedIn && !v.known:
		return v.see("/login?next=" + url.QueryEscape(v.back()))
	default:
		return errAbsent
	}
}

// back is where a log-in leads to: this page, or for a form the page that it stood on.
func (v *visit) back() string {
	r := v.Request()
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r.URL.RequestURI()
	}
	if u, err := url.Parse(r.Referer()); err == nil && u.Host == r.Host && r.Host != "" {
		return localPath(v.server.below.cut(u.RequestURI()))
	}
	return "/"
}

// may reports whether the visitor may open another route, for the navigation.
func (v *visit) may(r *route) bool {
	need := v.server.need(v.session(), r, r.Path)
	return (need == identity.LevelNone || v.level.Allows(need)) && (r.only == nil || r.only(v))
}
