package provider

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"trivium/identity"
)

// person is the answer of userinfo (Core 1.0 section 5.1).
type person struct {
	Subject  string   `json:"sub"`
	Name     string   `json:"name,omitempty"`
	Username string   `json:"preferred_username,omitempty"`
	Locale   string   `json:"locale,omitempty"`
	Zone     string   `json:"zoneinfo,omitempty"`
	Email    string   `json:"email,omitempty"`
	Verified *bool    `json:"email_verified,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// UserInfo tells an application about the person who has let it know.
func (p *Provider) UserInfo() http.Handler {
	return p.open(func(w http.ResponseWriter, r *http.Request) {
		a, ok := p.ask(w, r)
		if !ok {
			return
		}
		token, ok := bearer(r, a)
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="Trivium applications"`)
			answer(w, http.StatusUnauthorized, problem{Code: "invalid_request", Text: "there is no access token, or more than one"})
			return
		}
		x, err := p.id.ApplicationAccess(r.Context(), identity.NewSecret(token))
		if errors.Is(err, identity.ErrCredentials) {
			p.wrong.add(a.from, p.now())
			w.Header().Set("WWW-Authenticate", `Bearer realm="Trivium applications", error="invalid_token"`)
			answer(w, http.StatusUnauthorized, problem{"invalid_token", "the access token means nothing here, or not any more"})
			return
		}
		if err != nil {
			p.fail(w, err)
			return
		}
		answer(w, http.StatusOK, p.about(x))
	}, http.MethodGet, http.MethodPost)
}

// bearer is the token of a request: in its header or, of a form, in its body (RFC 6750 section 2); never
// in its address.
func bearer(r *http.Request, a asking) (string, bool) {
	var all []string
	for _, h := range r.Header.Values("Authorization") {
		kind, text, _ := strings.Cut(h, " ")
		if !strings.EqualFold(kind, "Bearer") {
			return "", false
		}
		all = append(all, strings.TrimSpace(text))
	}
	if text := a.form.Get("access_token"); text != "" {
		all = append(all, text)
	}
	if len(all) != 1 || all[0] == "" {
		return "", false
	}
	return all[0], true
}

// about is what the scopes of a grant open (Core 1.0 section 5.4).
func (p *Provider) about(x identity.Issued) person {
	acc := x.Account
	has := func(scope string) bool { return slices.Contains(x.Grant.Scopes, scope) }
	out := person{Subject: subject(acc)}
	if has(identity.ScopeProfile) {
		out.Username = p.id.ShownName(acc.User)
		if out.Name = acc.Profile.Name; out.Name == "" {
			out.Name = out.Username
		}
		out.Locale, out.Zone = acc.Profile.Lang, acc.Profile.TimeZone
	}
	if has(identity.ScopeEmail) && acc.Profile.Email != "" {
		no := false // people write it themselves, and nothing is sent there to find out
		out.Email, out.Verified = acc.Profile.Email, &no
	}
	if has(identity.ScopeGroups) {
		out.Groups = p.id.GroupNames(acc)
	}
	return out
}
