package web

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"trivium/identity"
	"trivium/web/text"
)

// passkeyPart is a form that an authenticator answers (template "passkey"); passkey.js does what a
// page cannot do without script.
type passkeyPart struct {
	Action  string
	Options string // where the question comes from
	Make    bool   // a new one is made
	Auto    bool   // the name field offers passkeys too
	Button  string
	Off     string // why it cannot be used here; "" where it can
	Next    string
}

// passkeyForm is what the template "passkey" shows.
type passkeyForm struct {
	passkeyPart
	CSRF  string
	Field *field // beside it
}

func withCSRF(p passkeyPart, csrf string, f ...field) passkeyForm {
	form := passkeyForm{passkeyPart: p, CSRF: csrf}
	if len(f) > 0 {
		form.Field = &f[0]
	}
	return form
}

// site is what passkeys are bound to, and why they cannot be used where the page was opened; "" where
// they can.
func (s *Server) site(words *text.Language, r *http.Request) (site identity.Site, off string) {
	site = identity.Site{ID: s.opt.Domain, Name: s.opt.SiteName, Origins: s.ownOrigins()}
	if u, err := url.Parse(s.opt.Config.PublicURL); err == nil && u.Host != "" {
		site.ID = strings.ToLower(u.Hostname())
	}
	scheme := "http"
	if s.secure(r) {
		scheme = "https"
	}
	here := scheme + "://" + strings.ToLower(r.Host)
	for _, o := range site.Origins {
		if o == here {
			return site, ""
		}
	}
	switch {
	case net.ParseIP(site.ID) != nil:
		return site, words.T("passkey.need_a_name", site.ID)
	case len(site.Origins) > 0 && (scheme == "https" || strings.HasPrefix(site.Origins[0], "http://")):
		return site, words.T("passkey.work_at", site.Origins[0], here)
	case len(site.Origins) > 0:
		return site, words.T("passkey.need_https_open", site.Origins[0])
	}
	return site, words.T("passkey.need_https")
}

// ownOrigins are where our pages are: public_url, else the domain at the ports that we serve. Who asks
// has no say in it. In the clear browsers have passkeys on localhost alone.
func (s *Server) ownOrigins() (list []string) {
	if u, err := url.Parse(s.opt.Config.PublicURL); err == nil && u.Host != "" {
		return []string{strings.ToLower(u.Scheme + "://" + u.Host)}
	}
	add := func(scheme, addr, usual string) {
		host := s.opt.Domain
		if _, port, err := net.SplitHostPort(addr); err == nil && port != usual {
			host = net.JoinHostPort(host, port)
		}
		list = append(list, scheme+"://"+host)
	}
	for _, b := range s.Addrs() {
		if b.TLS == "yes" {
			add("https", b.Addr, "443")
		}
	}
	add("https", "", "443") // behind a proxy
	if d := s.opt.Domain; d == "localhost" || strings.HasSuffix(d, ".localhost") {
		var clear []string
		for _, b := range s.Addrs() {
			if b.TLS != "yes" {
				_, port, _ := net.SplitHostPort(b.Addr) // as the listener printed it
				clear = append(clear, "http://"+net.JoinHostPort(d, port))
				if port == "80" {
					clear = append(clear, "http://"+d)
				}
			}
		}
		list = append(clear, list...)
	}
	return list
}

// passkeyHere is the part of a page, off where passkeys cannot be used.
func (v *visit) passkeyHere(p passkeyPart) passkeyPart {
	_, p.Off = v.server.site(v.words, v.Request())
	return p
}

// sendOptions answers passkey.js with the question for the authenticator, or with why there is none.
func (v *visit) sendOptions(ask func(identity.Site) ([]byte, error)) error {
	site, off := v.server.site(v.words, v.Request())
	if off != "" {
		return v.JSON(http.StatusUnprocessableEntity, map[string]string{"error": off})
	}
	options, err := ask(site)
	if err == nil {
		return v.JSONBlob(http.StatusOK, options)
	}
	a := answerTo(err)
	if a.fallback {
		v.server.log.Error("a question for an authenticator", "request", requestID(v.Request()), "err", err)
	}
	retryAfter(v.Response().Header(), err)
	return v.JSON(a.status, map[string]string{"error": a.words(v.words, err)})
}

// credential is the authenticator's answer as passkey.js put it into the form.
func (v *visit) credential() []byte {
	text := v.form("credential")
	if !json.Valid([]byte(text)) {
		return nil
	}
	return []byte(text)
}

// passkeyWords says what went wrong with a passkey.
func (v *visit) passkeyWords(err error) (status int, text string) {
	a := answerTo(err)
	if errors.Is(err, identity.ErrCredentials) {
		return a.status, v.T("passkey.not_known")
	}
	if errors.Is(err, identity.ErrInvalid) {
		return a.status, v.T("passkey.not_accepted")
	}
	return a.status, a.words(v.words, err)
}

// postPasskeyOptions asks for a passkey: any, or those of the log-in that waits.
func (s *Server) postPasskeyOptions(v *visit) error {
	return v.sendOptions(func(site identity.Site) ([]byte, error) {
		return s.opt.Identity.AskPasskey(v.ctx(), v.browser, site)
	})
}

// postPasskey logs in by a passkey: alone, or as the second factor of the log-in that waits.
func (s *Server) postPasskey(v *visit) error {
	next := localPath(v.form("next"))
	site, off := s.site(v.words, v.Request())
	if off != "" {
		return v.refused("/login", v.T("passkey.the_passkey_was_not_used", off), identity.ErrRefused)
	}
	_, half, err := s.opt.Identity.Halfway(v.ctx(), v.browser)
	if err != nil {
		return err
	}
	if v.known {
		return v.see(next)
	}
	var c identity.Cookie
	if half {
		c, err = s.opt.Identity.FinishPasskey(v.ctx(), v.browser, site, v.credential())
	} else {
		c, err = s.opt.Identity.UpgradePasskey(v.ctx(), v.browser, site, v.credential(), v.form("stay") == "1")
	}
	if err == nil {
		s.keep(v, c)
		v.attach(v.browser)
		return v.see(next)
	}
	if answerTo(err).fallback {
		return err
	}
	if half {
		return s.factorRefused(v, err, next)
	}
	view := newLoginView()
	view.Next = next
	status, text := v.passkeyWords(err)
	retryAfter(v.Response().Header(), err)
	view.Problems = append(view.Problems, problem{Field: "passkey", Text: text})
	return s.showLogin(v, status, view)
}
