package web

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"trivium/identity"
	"trivium/identity/provider"
)

// errUntrusted is a request of an application that cannot be answered, as nobody knows where to.
var errUntrusted = errors.New("nothing was sent")

// askedKey keeps that an application wants the person to show once more to be it.
var askedKey = identity.NewDataKey[asked]("web.application") //nolint:gochecknoglobals // a name with a type

// asked is such a wish: the hash of the request, and when it came first.
type asked struct {
	Request string    `json:"r"`
	Since   time.Time `json:"s"`
}

// providerRoutes are the rows of the provider of OpenID Connect; none where it is off.
func (s *Server) providerRoutes() []route {
	p := s.opt.Provider
	if p == nil {
		return nil
	}
	const none, in, admin = identity.LevelNone, identity.LevelLoggedIn, identity.LevelAdmin
	get, post := http.MethodGet, http.MethodPost
	program := func(path string, h http.Handler, verbs ...string) route {
		return route{Path: path, Level: none, foreign: h, unasked: true, verbs: append(verbs, http.MethodOptions)}
	}
	return []route{
		{Method: get, Path: provider.PathAuthorize, Level: none, Page: "application", handle: s.getAuthorize},
		{Method: post, Path: "/oauth/consent", Level: in, Page: "application", handle: s.postConsent},
		{Method: get, Path: provider.PathLogout, Level: none, Page: "logout", handle: s.getFarewell},
		{Method: post, Path: "/oauth/logout/confirm", Level: none, Page: "logout", handle: s.postFarewell},
		{Path: provider.PathAuthorize, Level: none, foreign: toGet(provider.PathAuthorize), unasked: true, verbs: []string{post}},
		{Path: provider.PathLogout, Level: none, foreign: toGet(provider.PathLogout), unasked: true, verbs: []string{post}},
		program(provider.PathToken, p.Token(), post),
		program(provider.PathRevoke, p.Revoke(), post),
		program(provider.PathUserInfo, p.UserInfo(), get, post),
		program(provider.PathKeys, p.Keys(), get, http.MethodHead),
		program(provider.PathDiscovery, p.Discovery(), get, http.MethodHead),
		program(provider.PathMetadata, p.Discovery(), get, http.MethodHead),

		{Method: post, Path: "/security/applications/:id/end", Level: in, Page: "security", handle: s.postEndApplication},
		{Method: get, Path: "/admin/applications", Level: admin, Page: "admin.applications", nav: "Applications", icon: "link", handle: s.getApplications},
		{Method: post, Path: "/admin/applications/new", Level: admin, Page: "admin.applications", confirm: true, handle: s.postNewApplication},
		{Method: get, Path: "/admin/applications/:id", Level: admin, Page: "admin.applications", handle: s.getApplication},
		{Method: post, Path: "/admin/applications/:id", Level: admin, Page: "admin.applications", confirm: true, handle: s.postApplication},
		{Method: post, Path: "/admin/applications/:id/secret", Level: admin, Page: "admin.applications", confirm: true, handle: s.postApplicationSecret},
		{Method: post, Path: "/admin/applications/:id/remove", Level: admin, Page: "admin.applications", confirm: true, handle: s.postRemoveApplication},
	}
}

// toGet takes requests that an application's form sends (Core 1.0 section 3.1.2.1): they come from
// another site, so they change nothing, and go on as what a link would be.
func toGet(path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxURL/2)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "The form cannot be read, or is too large.", http.StatusBadRequest)
			return
		}
		w.Header().Set("Location", path+"?"+r.PostForm.Encode())
		w.WriteHeader(http.StatusSeeOther)
	})
}

// wish is a request of an application on its way through the pages.
type wish struct {
	provider.Request
	raw string // the query that it came as
}

// address is where it begins anew.
func (w wish) address() string { return provider.PathAuthorize + "?" + w.raw }

func (w wish) hash() string {
	sum := sha256.Sum256([]byte(w.raw))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// getAuthorize lets an application ask for a log-in.
func (s *Server) getAuthorize(v *visit) error { return s.authorize(v, v.Request().URL.RawQuery, false) }

// postConsent is the person's answer.
func (s *Server) postConsent(v *visit) error {
	raw := v.form("request")
	if v.form("answer") != "allow" {
		w, err := s.readWish(v, raw)
		if err != nil {
			return s.unanswered(v, w, err)
		}
		return s.sendBack(v, w, &provider.Refusal{Code: "access_denied", Text: "the person said no"})
	}
	return s.authorize(v, raw, true)
}

func (s *Server) readWish(v *visit, raw string) (wish, error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return wish{}, fmt.Errorf("the application that sent you here wrote an address that cannot be read: %w", errUntrusted)
	}
	r, err := s.opt.Provider.Read(v.ctx(), q)
	return wish{r, raw}, err
}

// authorize takes a request as far as it goes: to a log-in, a proof, a question, or back with a code.
func (s *Server) authorize(v *visit, raw string, agreed bool) error {
	w, err := s.readWish(v, raw)
	if err != nil {
		return s.unanswered(v, w, err)
	}
	fresh := w.Login || w.HasMaxAge && w.MaxAge == 0
	if !v.known {
		if w.None {
			return s.sendBack(v, w, &provider.Refusal{Code: "login_required", Text: "nobody is logged in"})
		}
		if err := s.begin(v); err != nil {
			return err
		}
		if fresh {
			if _, err := s.since(v, w); err != nil {
				return err
			}
		}
		return v.see("/login?next=" + url.QueryEscape(w.address()))
	}
	if ok, err := s.proved(v, w, fresh); !ok || err != nil {
		return err
	}
	switch err := s.opt.Identity.MayUseApplication(v.ctx(), v.browser, w.App); {
	case errors.Is(err, identity.ErrRefused):
		acc, aerr := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
		if aerr != nil {
			return aerr
		}
		if err := s.opt.Identity.RefusedApplication(v.ctx(), v.actor(), &acc, w.App, "level or groups do not suffice"); err != nil {
			return err
		}
		return s.sendBack(v, w, &provider.Refusal{Code: "access_denied", Text: "this account may not log in to this application"})
	case errors.Is(err, identity.ErrEnded):
		return v.see("/login?next=" + url.QueryEscape(w.address()))
	case err != nil:
		return err
	}
	if !agreed && (w.App.Consent || w.Consent) {
		had, err := s.opt.Identity.Agreed(v.ctx(), v.browser, w.App, w.Scopes)
		if err != nil {
			return err
		}
		if !had || w.Consent {
			return s.showConsent(v, w)
		}
	}
	code, err := s.opt.Identity.Authorize(v.ctx(), v.browser, w.App, identity.NewGrant{Scopes: w.Scopes, Redirect: w.Redirect, Challenge: w.Challenge,
		Nonce: w.Nonce, Agreed: agreed}, v.actor())
	if err != nil {
		return err
	}
	askedKey.Delete(v.browser)
	return s.leave(v, s.opt.Provider.Code(w.Request, code), w.App.Name)
}

// proved reports whether the person has shown to be it as lately, and as strongly, as the application
// wants; else it asks.
func (s *Server) proved(v *visit, w wish, fresh bool) (bool, error) {
	proof, ok := s.opt.Identity.ProofOf(v.browser)
	if !ok {
		return false, v.see("/login?next=" + url.QueryEscape(w.address()))
	}
	old := w.HasMaxAge && w.MaxAge > 0 && s.now().Sub(proof.At) > w.MaxAge
	if fresh {
		since, err := s.since(v, w)
		if err != nil {
			return false, err
		}
		old = !proof.At.After(since)
	}
	weak := w.Strong && proof.Factor == ""
	other := w.Subject != "" && w.Subject != string(v.creds.UserID)
	switch {
	case !old && !weak && !other:
		return true, nil
	case w.None:
		return false, s.sendBack(v, w, &provider.Refusal{Code: "login_required", Text: "the person has to log in again, or in another way"})
	case other:
		return false, fmt.Errorf("%s means somebody else than you: log out here first, and go there again: %w", w.App.Name, errUntrusted)
	}
	view := &confirmView{Action: "/confirm", Next: w.address(), For: w.App.Name, Strong: weak}
	if _, err := s.prove(v, view); err != nil { // fills in the fields
		return false, err
	}
	return false, s.showConfirm(v, http.StatusOK, view)
}

// since is when a request for a fresh proof came first.
func (s *Server) since(v *visit, w wish) (time.Time, error) {
	a, ok := askedKey.Get(v.browser)
	if ok && a.Request == w.hash() {
		return a.Since, nil
	}
	a = asked{w.hash(), s.now()}
	return a.Since, askedKey.Set(v.browser, a)
}

// unanswered shows what cannot go back to the application, and sends back what can.
func (s *Server) unanswered(v *visit, w wish, err error) error {
	var untrusted *provider.UntrustedError
	var refusal *provider.Refusal
	switch {
	case errors.As(err, &untrusted):
		s.log.Warn("a request of an application was not answered", "event", "application.request", "request", requestID(v.Request()), "err", err)
		return fmt.Errorf("%s: %w", untrusted.Text, errUntrusted)
	case errors.As(err, &refusal):
		return s.sendBack(v, w, refusal)
	}
	return err
}

func (s *Server) sendBack(v *visit, w wish, why *provider.Refusal) error {
	s.log.Info("an application got no code", "event", "application.refuse", "application", w.App.ID, "code", why.Code, "reason", why.Text, "request", requestID(v.Request()))
	return s.leave(v, s.opt.Provider.Refuse(w.Request, why), w.App.Name)
}

// onwardView is the page on the way to another address, from which the browser goes on by itself.
type onwardView struct {
	page
	Label string
	To    template.URL
}

// leave sends the browser to an address that has been checked. After a form it goes by a page, as
// browsers keep the redirects of a form to where its page allows it, which is this site alone.
func (s *Server) leave(v *visit, to, label string) error {
	if v.Request().Method != http.MethodPost {
		return v.Redirect(http.StatusSeeOther, to)
	}
	view := &onwardView{Label: label, To: template.URL(to)} //nolint:gosec // registered by an administrator, to the letter
	v.fill(&view.page, "application", v.T("provider.on_to", label))
	v.Response().Header().Set("Refresh", "0; url="+to)
	return s.write(v, http.StatusOK, "onward", view)
}

// consentView asks whether an application may know the person.
type consentView struct {
	page
	App     string
	Host    string
	Gets    []string
	Request string
}

// claimWords say what a scope opens.
var claimWords = map[string]string{ //nolint:gochecknoglobals // a table
	identity.ScopeOpenID:  "provider.an_id",
	identity.ScopeProfile: "provider.name_user_name_language_time_zone",
	identity.ScopeEmail:   "provider.e_mail_address",
	identity.ScopeGroups:  "provider.names_of_the_groups",
	identity.ScopeOffline: "provider.going_on_while_nobody_is_here",
}

func claimList(scopes []string) []string {
	var out []string
	for _, x := range scopes {
		if x != identity.ScopeOpenID || len(scopes) == 1 {
			out = append(out, claimWords[x])
		}
	}
	return out
}

func (s *Server) showConsent(v *visit, w wish) error {
	if w.None {
		return s.sendBack(v, w, &provider.Refusal{Code: "consent_required", Text: "the person has not agreed yet"})
	}
	view := &consentView{App: w.App.Name, Gets: claimList(w.Scopes), Request: w.raw, Host: hostOf(w.Redirect)}
	v.fill(&view.page, "application", v.T("consent.log_in_to", w.App.Name))
	return s.write(v, http.StatusOK, "consent", view)
}

// hostOf is the host of an address, or the scheme of one that belongs to a program.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if u.Host == "" {
		return u.Scheme
	}
	return u.Host
}

// farewellView asks whether the person wants to log out.
type farewellView struct {
	page
	App, Request string
}

// getFarewell logs out on the word of an application (RP-Initiated Logout 1.0): at once where it brings
// an ID token of this very log-in, else the person is asked, as any page could lead here.
func (s *Server) getFarewell(v *visit) error {
	f, err := s.readFarewell(v, v.Request().URL.RawQuery)
	if err != nil {
		return err
	}
	if v.known && f.Hint.Subject == string(v.creds.UserID) && f.Hint.SID != "" && f.Hint.SID == s.opt.Identity.ApplicationSID(v.browser) {
		if err := s.downgrade(v); err != nil {
			return err
		}
	}
	if !v.known {
		return s.saidFarewell(v, f)
	}
	view := &farewellView{App: f.App.Name, Request: v.Request().URL.RawQuery}
	v.fill(&view.page, "logout", "common.log_out")
	return s.write(v, http.StatusOK, "farewell", view)
}

func (s *Server) postFarewell(v *visit) error {
	f, err := s.readFarewell(v, v.form("request"))
	if err != nil {
		return err
	}
	if v.known {
		if err := s.downgrade(v); err != nil {
			return err
		}
	}
	return s.saidFarewell(v, f)
}

func (s *Server) readFarewell(v *visit, raw string) (provider.Farewell, error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return provider.Farewell{}, fmt.Errorf("the application that sent you here wrote an address that cannot be read: %w", errUntrusted)
	}
	f, err := s.opt.Provider.ReadFarewell(v.ctx(), q)
	return f, s.unanswered(v, wish{}, err)
}

func (s *Server) saidFarewell(v *visit, f provider.Farewell) error {
	if f.Back != "" {
		return s.leave(v, f.Back, f.App.Name)
	}
	return v.done("/login", "provider.you_are_logged_out")
}

// loginHint is who an application thinks will log in, for the form.
func (s *Server) loginHint(next string) string {
	query, ok := strings.CutPrefix(next, provider.PathAuthorize+"?")
	if !ok || s.opt.Provider == nil {
		return ""
	}
	q, err := url.ParseQuery(query)
	if hint := q.Get("login_hint"); err == nil && len(hint) <= maxHint && !strings.ContainsFunc(hint, func(r rune) bool { return r < ' ' }) {
		return hint
	}
	return ""
}

const maxHint = 256 // bytes

// applicationRow is an application on the page of a person.
type applicationRow struct {
	identity.ApplicationUse
	Gets    []string
	EndPath string
}

// applications are those that the visitor has logged in to.
func (s *Server) applications(v *visit) ([]applicationRow, error) {
	if s.opt.Provider == nil {
		return nil, nil
	}
	list, err := s.opt.Identity.ApplicationUses(v.ctx(), v.creds.User)
	if err != nil {
		return nil, err
	}
	rows := make([]applicationRow, 0, len(list))
	for _, u := range list {
		rows = append(rows, applicationRow{u, claimList(ordered(u.Scopes)), pathOf("security", "applications", u.App.ID, "end")})
	}
	return rows, nil
}

// ordered puts scopes into the order in which they are shown.
func ordered(scopes []string) []string {
	return slices.DeleteFunc(identity.ApplicationScopes(), func(x string) bool { return !slices.Contains(scopes, x) })
}

func (s *Server) postEndApplication(v *visit) error {
	if err := s.opt.Identity.EndApplication(v.ctx(), v.actor(), v.creds.User, v.param("id")); err != nil {
		return v.refused("/security", "provider.nothing_was_ended", absentAs(err, errGone))
	}
	return v.done("/security", "provider.you_are_logged_out_there_and")
}
