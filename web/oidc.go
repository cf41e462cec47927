package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"trivium/identity"
	"trivium/identity/oidc"
)

// Bounds of log-ins by a provider.
const (
	maxAttempts = 3        // of one browser session at once: tabs
	maxLogout   = 32 << 10 // bytes of a logout request
)

// attempt is a log-in or a link on its way, kept in the browser's session until the provider answers.
type attempt struct {
	oidc.Attempt
	Next string          `json:"next,omitempty"`
	User identity.UserID `json:"user,omitempty"` // whose account is to be linked; "": it is a log-in
}

// attemptsKey is where they are kept.
var attemptsKey = identity.NewDataKey[[]attempt]("web.oidc") //nolint:gochecknoglobals // a name with a type

// providerButton is one provider on the log-in page and on the account page.
type providerButton struct{ Name, Label, Href string }

// providers are the buttons; next is where a log-in leads.
func (s *Server) providers(next string) []providerButton {
	var out []providerButton
	for _, p := range s.opt.Providers {
		href := "/login/oidc/" + p.Name()
		if next != "" && next != "/" {
			href += "?next=" + url.QueryEscape(next)
		}
		out = append(out, providerButton{p.Name(), p.Label(), href})
	}
	return out
}

func (s *Server) provider(name string) (*oidc.Provider, error) {
	i := slices.IndexFunc(s.opt.Providers, func(p *oidc.Provider) bool { return p.Name() == name })
	if i < 0 {
		return nil, errAbsent
	}
	return s.opt.Providers[i], nil
}

// callback is the address that a provider sends the browser back to. It never comes from the request.
func (s *Server) callback(p *oidc.Provider) string {
	return strings.TrimRight(s.opt.BaseURL(), "/") + "/login/oidc/" + p.Name() + "/callback"
}

// depart begins an attempt and returns where the browser is to go.
func (s *Server) depart(v *visit, p *oidc.Provider, next string, user identity.UserID) (string, error) {
	a, to, err := p.Begin(s.callback(p))
	if err != nil {
		return "", err
	}
	list, _ := attemptsKey.Get(v.browser)
	list = slices.DeleteFunc(list, func(x attempt) bool { return s.now().Sub(x.Began) > oidc.AttemptLife })
	if list = append(list, attempt{a, next, user}); len(list) > maxAttempts {
		list = list[len(list)-maxAttempts:]
	}
	return to, attemptsKey.Set(v.browser, list)
}

// arrived takes the attempt that an answer belongs to out of the session: it is good once.
func (v *visit) arrived(provider, state string) (attempt, bool) {
	if v.browser == nil || state == "" {
		return attempt{}, false
	}
	list, _ := attemptsKey.Get(v.browser)
	i := slices.IndexFunc(list, func(a attempt) bool { return a.State == state && a.Provider == provider })
	if i < 0 {
		return attempt{}, false
	}
	a := list[i]
	if err := attemptsKey.Set(v.browser, slices.Delete(list, i, i+1)); err != nil {
		return attempt{}, false
	}
	return a, true
}

// getProvider sends the browser to a provider.
func (s *Server) getProvider(v *visit) error {
	p, err := s.provider(v.param("provider"))
	if err != nil {
		return err
	}
	next := localPath(v.QueryParam("next"))
	const longest = 512 // bytes of an address that is kept with the attempt
	if len(next) > longest {
		next = "/"
	}
	if v.known {
		return v.see(next)
	}
	if err := s.begin(v); err != nil {
		return err
	}
	to, err := s.depart(v, p, next, "")
	if err != nil {
		return s.providerFailed(v, p, next, err)
	}
	return v.see(to)
}

// getCallback takes a provider's answer.
func (s *Server) getCallback(v *visit) error {
	p, err := s.provider(v.param("provider"))
	if err != nil {
		return err
	}
	a, ok := v.arrived(p.Name(), v.QueryParam("state"))
	if !ok {
		return s.providerFailed(v, p, "/", errStale)
	}
	f, err := p.Finish(v.ctx(), a.Attempt, s.callback(p), v.Request().URL.Query())
	if err != nil {
		return s.providerFailed(v, p, a.Next, err)
	}
	if a.User != "" {
		return s.linked(v, a, f)
	}
	if v.known { // somebody else, or the same again: the old life ends first
		if err := s.downgrade(v); err != nil {
			return err
		}
	}
	c, err := s.opt.Identity.UpgradeForeign(v.ctx(), v.browser, f, false)
	if errors.Is(err, identity.ErrFactor) && !c.Value.IsZero() { // the second factor is asked for here
		s.keep(v, c)
		v.attach(v.browser)
		return v.see("/login/totp?next=" + url.QueryEscape(a.Next))
	}
	if err != nil {
		return s.providerFailed(v, p, a.Next, err)
	}
	s.keep(v, c)
	v.attach(v.browser)
	return v.see(localPath(a.Next))
}

// errStale is an answer to no attempt of this browser: too late, used before, or another's.
var errStale = errors.New("the log-in has expired")

// providerFailed shows the log-in page, or for who is logged in the account page, with what went wrong.
func (s *Server) providerFailed(v *visit, p *oidc.Provider, next string, err error) error {
	a := answerTo(err)
	text := a.words(v.words, err)
	var denied *oidc.DeniedError
	switch {
	case errors.Is(err, errStale):
		a.status, text = http.StatusBadRequest, "oidc.that_log_in_has_expired_or"
	case errors.As(err, &denied):
		text = v.T("oidc.says", p.Label()) + " " + sentence(denied.Error())
	case errors.Is(err, identity.ErrCredentials):
		text = v.T("oidc.the_answer_cannot_be_trusted", p.Label())
	case errors.Is(err, identity.ErrUnavailable):
		text = v.T("oidc.cannot_be_reached", p.Label())
	case a.fallback:
		return err
	}
	s.log.Warn("a log-in by a provider failed", "event", "login.provider", "provider", p.Name(), "request", requestID(v.Request()), "err", err)
	retryAfter(v.Response().Header(), err)
	text = v.T(text) + " " + v.T("errors.request", requestID(v.Request()))
	if v.known {
		v.flash(flash{Kind: flashError, Text: text})
		return v.see("/account")
	}
	if err := s.begin(v); err != nil {
		return err
	}
	view := newLoginView()
	view.Next = localPath(next)
	view.Problems = append(view.Problems, problem{Field: view.Login.ID, Text: text})
	return s.showLogin(v, a.status, view)
}

// linkView is the page on the way to a provider.
type linkView struct {
	page
	Label, To string
}

// postLink begins to link one's account. The browser goes on by itself from the page that answers, as
// a redirect of a form to another site is not allowed.
func (s *Server) postLink(v *visit) error {
	p, err := s.provider(v.param("provider"))
	if err != nil {
		return err
	}
	to, err := s.depart(v, p, "", v.creds.UserID)
	if err != nil {
		return s.providerFailed(v, p, "", err)
	}
	view := &linkView{Label: p.Label(), To: to}
	v.fill(&view.page, "account", v.T("provider.on_to", p.Label()))
	v.Response().Header().Set("Refresh", "0; url="+to)
	return s.write(v, http.StatusOK, "provider", view)
}

// linked ends a link: the person must be who began it.
func (s *Server) linked(v *visit, a attempt, f identity.Foreign) error {
	if !v.known || v.creds.UserID != a.User {
		return v.see("/login?next=%2Faccount")
	}
	if err := s.opt.Identity.LinkForeign(v.ctx(), v.actor(), a.User, f); err != nil {
		return v.refused("/account", "oidc.the_account_was_not_linked", err)
	}
	return v.done("/account", "oidc.your_account_is_linked_you_can")
}

// postUnlink removes a link.
func (s *Server) postUnlink(v *visit) error {
	if err := s.opt.Identity.RemoveLink(v.ctx(), v.actor(), v.creds.User, v.form("issuer"), v.form("subject")); err != nil {
		return v.refused("/account", "oidc.the_link_was_not_removed", err)
	}
	return v.done("/account", "oidc.the_link_was_removed")
}

// linkRow is a link on the account page.
type linkRow struct {
	Source, Label, Issuer, Subject string
	LinkedAt, UsedAt               time.Time
}

// links are those of the visitor.
func (s *Server) links(v *visit) ([]linkRow, error) {
	if len(s.opt.Providers) == 0 {
		return nil, nil
	}
	ls, err := s.opt.Identity.Links(v.ctx(), v.creds.User)
	if err != nil {
		return nil, err
	}
	var out []linkRow
	for _, l := range ls {
		row := linkRow{l.Source, l.Label, l.Issuer, l.Subject, l.LinkedAt, l.UsedAt}
		if p, err := s.provider(l.Source); err == nil {
			row.Source = p.Label()
		}
		out = append(out, row)
	}
	return out, nil
}

// backchannel is where providers send logout tokens (OpenID Connect Back-Channel Logout 1.0 section
// 2.5): all sessions of the account end, on all roads. The token is its own proof; no cookie counts.
func (s *Server) backchannel(p *oidc.Provider) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		refuse := func(status int, code string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error":"` + code + `"}`))
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxLogout)
		if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); r.Method != http.MethodPost || !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
			refuse(http.StatusBadRequest, "invalid_request")
			return
		}
		if err := r.ParseForm(); err != nil {
			refuse(http.StatusBadRequest, "invalid_request")
			return
		}
		subject, sid, err := p.Logout(r.Context(), r.PostForm.Get("logout_token"))
		n := 0
		if err == nil {
			n, err = s.opt.Identity.EndForeign(r.Context(), p.Name(), p.Issuer(), subject, sid)
		}
		switch {
		case err == nil:
			s.log.Info("a provider has logged somebody out", "event", "source.logout", "provider", p.Name(), "sessions", n)
			w.WriteHeader(http.StatusOK)
		case errors.Is(err, identity.ErrUnavailable):
			s.log.Error("a log-out by a provider failed", "event", "source.logout", "provider", p.Name(), "err", err)
			refuse(http.StatusServiceUnavailable, "temporarily_unavailable")
		default:
			s.log.Warn("a log-out by a provider was refused", "event", "source.logout", "provider", p.Name(), "err", err)
			refuse(http.StatusBadRequest, "invalid_request")
		}
	})
}

// logoutRoutes are the rows of the back channel, one for each provider.
func (s *Server) logoutRoutes() []route {
	var out []route
	for _, p := range s.opt.Providers {
		out = append(out, route{Path: "/login/oidc/" + p.Name() + "/logout", Level: identity.LevelNone, Page: "login",
			foreign: s.backchannel(p), verbs: []string{http.MethodPost}})
	}
	return out
}
