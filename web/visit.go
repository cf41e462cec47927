package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"trivium/identity"
	"trivium/identity/provider"
	"trivium/web/text"
)

// visit is one request with what the guard found out about it.
type visit struct {
	echo.Context
	server  *Server
	route   *route            // nil: no route
	browser *identity.Browser // nil: no session
	creds   identity.Credentials
	known   bool // logged in
	level   identity.Level
	zone    *time.Location // nil: UTC
	times   timeForm
	words   *text.Language // never nil
}

// T is a text of the catalogue in the visitor's language; package text says how its arguments stand.
func (v *visit) T(key string, args ...any) string { return v.words.T(key, args...) }

func (v *visit) ctx() context.Context { return v.Request().Context() }

// attach takes over who the session is, as of now.
func (v *visit) attach(b *identity.Browser) {
	v.browser, v.level, v.known, v.creds = b, identity.LevelNone, false, identity.Credentials{}
	v.zone, v.words = nil, v.language("")
	v.times = formFor("", clip(v.Request().Header.Get("Accept-Language"), 64), v.words.Tag)
	if b == nil {
		return
	}
	v.level = b.Level()
	c, ok := b.Credentials()
	if ok && !c.Anonymous() {
		v.creds, v.known = c, true
	}
	v.readTimes(b, v.creds.Profile)
}

// actor is the person for identity's operations.
func (v *visit) actor() identity.Actor {
	return identity.Actor{User: v.creds.User, Level: v.level, Via: "web", Remote: v.server.remote(v.Request()).String()}
}

// param is a path parameter, decoded once. Where the request spelled its path in an unusual way
// echo hands out the parameter as it was spelled.
func (v *visit) param(name string) string {
	p := v.Param(name)
	if v.Request().URL.RawPath != "" {
		if d, err := url.PathUnescape(p); err == nil {
			return d
		}
	}
	return p
}

// form is a field of the body that csrf.go has parsed.
func (v *visit) form(name string) string { return v.Request().PostForm.Get(name) }

// text is a field without the spaces around it.
func (v *visit) text(name string) string { return strings.TrimSpace(v.form(name)) }

// see answers 303: after a change the browser fetches a page.
func (v *visit) see(path string) error {
	if v.Request().Method == http.MethodPost && strings.HasPrefix(path, provider.PathAuthorize+"?") {
		return v.server.leave(v, path, "the application") // which may redirect to another site
	}
	return v.Redirect(http.StatusSeeOther, path)
}

// done is see with a flash of success, a text of the catalogue.
func (v *visit) done(path, key string, args ...any) error {
	v.flash(flash{Kind: flashSuccess, Text: v.T(key, args...)})
	return v.see(path)
}

// refused is see with a flash that says why something was not done; what hides stays hidden.
func (v *visit) refused(path, what string, err error) error {
	a := v.server.answer(err)
	if a.status == http.StatusNotFound && !errors.Is(err, fs.ErrNotExist) || a.status >= 500 && a.fallback {
		return err
	}
	v.flash(flash{Kind: flashError, Text: v.T(what) + " " + a.words(v.words, err) + " " + v.T("errors.request", requestID(v.Request()))})
	return v.see(path)
}

func (v *visit) flash(f flash) {
	f.Text = v.T(f.Text)
	if v.browser != nil {
		v.server.flashes.put(v.browser.ID(), f)
	}
}

// long lets an answer or a body take its time; renew keeps it from hanging.
func (v *visit) long() {
	rc := http.NewResponseController(v.Response().Writer)
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
}

func isNot(err error) bool {
	return errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrEnded)
}

func tlsName(version uint16) string { return tls.VersionName(version) }

// localPath returns p where it is a path on this server, else "/". A browser reads a backslash
// as a slash and drops tabs and line ends, so neither may occur.
func localPath(p string) string {
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || len(p) > maxURL ||
		strings.ContainsFunc(p, func(c rune) bool { return c == '\\' || c < ' ' || c == 0x7f }) {
		return "/"
	}
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Path == "/login" || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return p
}
