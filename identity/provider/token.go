package provider

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
)

// Bounds of the endpoints that programs talk to.
const (
	maxBody     = 16 << 10 // bytes
	wrongMost   = 60       // refusals that one address gets within wrongWindow
	wrongWindow = time.Minute
	maxAddress  = 4096 // addresses that are counted
)

// open answers the methods given, and preflights: programs in browsers may ask, as no cookie counts here.
func (p *Provider) open(h http.HandlerFunc, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		h(w, r)
	})
}

// answer writes JSON that nobody keeps (RFC 6749 section 5.1).
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client went
}

// problem is an answer of RFC 6749 section 5.2.
type problem struct {
	Code string `json:"error"`
	Text string `json:"error_description,omitempty"`
}

func (p *Provider) fail(w http.ResponseWriter, err error) {
	p.log.Error("an application was not answered", "event", "application.failed", "err", err)
	w.Header().Set("Retry-After", "5")
	answer(w, http.StatusServiceUnavailable, problem{"temporarily_unavailable", "the server cannot do this at the moment"})
}

// asking is a request of a program, with its form read.
type asking struct {
	form url.Values
	from netip.Addr
	by   identity.Actor
}

// ask reads a form and who sent it; false where that was answered already.
func (p *Provider) ask(w http.ResponseWriter, r *http.Request) (asking, bool) {
	a := asking{}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		a.from = from.Addr().Unmap()
	}
	a.by = identity.Actor{Via: "application", Remote: a.from.String()}
	if err := p.id.MayCome(r.Context(), a.from); err != nil {
		answer(w, http.StatusForbidden, problem{"access_denied", "requests from this address are not taken"})
		return a, false
	}
	if wait := p.wrong.wait(a.from, p.now()); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		answer(w, http.StatusTooManyRequests, problem{"slow_down", "too many refused requests from this address"})
		return a, false
	}
	if r.Method != http.MethodPost {
		return a, true
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		answer(w, http.StatusBadRequest, problem{"invalid_request", "the body is to be a form"})
		return a, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		answer(w, http.StatusBadRequest, problem{"invalid_request", "the form cannot be read, or is too large"})
		return a, false
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			answer(w, http.StatusBadRequest, problem{"invalid_request", "the parameter " + printable(name) + " comes more than once"})
			return a, false
		}
	}
	a.form = r.PostForm
	return a, true
}

// client finds out which application asks, and whether it is (RFC 6749 section 2.3); false where that
// was answered already.
func (p *Provider) client(w http.ResponseWriter, r *http.Request, a *asking) (identity.Application, bool) {
	id, secret := a.form.Get("client_id"), a.form.Get("client_secret")
	header := r.Header.Get("Authorization")
	refused := func(status int, code, text string) (identity.Application, bool) {
		if code == "invalid_client" {
			p.wrong.add(a.from, p.now())
			if header != "" {
				w.Header().Set("WWW-Authenticate", `Basic realm="Trivium applications", charset="UTF-8"`)
			}
		}
		answer(w, status, problem{code, text})
		return identity.Application{}, false
	}
	if header != "" {
		user, pass, ok := r.BasicAuth()
		name, nerr := url.QueryUnescape(user)
		word, werr := url.QueryUnescape(pass)
		switch {
		case !ok || nerr != nil || werr != nil:
			return refused(http.StatusUnauthorized, "invalid_client", "the header Authorization cannot be read")
		case secret != "" || id != "" && id != name:
			return refused(http.StatusBadRequest, "invalid_request", "the application shows who it is in more than one way")
		}
		id, secret = name, word
	}
	app, err := p.id.Application(r.Context(), id)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		p.fail(w, err)
		return app, false
	}
	unknown := err != nil
	right := app.KnowsSecret(identity.NewSecret(secret))
	if unknown || !app.Public() && !right || app.Public() && secret != "" {
		return refused(http.StatusUnauthorized, "invalid_client", "the application is not known, or its secret is wrong")
	}
	a.by.User = "application:" + app.ID
	return app, true
}

// byClient is an endpoint that answers applications alone, when they have shown who they are.
func (p *Provider) byClient(h func(http.ResponseWriter, *http.Request, *asking, identity.Application)) http.Handler {
	return p.open(func(w http.ResponseWriter, r *http.Request) {
		a, ok := p.ask(w, r)
		if !ok {
			return
		}
		if app, ok := p.client(w, r, &a); ok {
			h(w, r, &a, app)
		}
	}, http.MethodPost)
}

// tokens is the answer of RFC 6749 section 5.1.
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int64  `json:"expires_in"`
	Refresh string `json:"refresh_token,omitempty"`
	ID      string `json:"id_token"`
	Scope   string `json:"scope"`
}

// Token is the token endpoint.
func (p *Provider) Token() http.Handler {
	return p.byClient(func(w http.ResponseWriter, r *http.Request, a *asking, app identity.Application) {
		var x identity.Issued
		var err error
		first := false
		switch a.form.Get("grant_type") {
		case "authorization_code":
			first = true
			if a.form.Get("code") == "" || a.form.Get("redirect_uri") == "" {
				answer(w, http.StatusBadRequest, problem{"invalid_request", "code or redirect_uri is missing"})
				return
			}
			x, err = p.id.Redeem(r.Context(), app, identity.NewSecret(a.form.Get("code")), a.form.Get("redirect_uri"), a.form.Get("code_verifier"), a.by)
		case "refresh_token":
			x, err = p.id.Refresh(r.Context(), app, identity.NewSecret(a.form.Get("refresh_token")), a.by)
			if err == nil && slices.ContainsFunc(strings.Fields(a.form.Get("scope")), func(s string) bool { return !slices.Contains(x.Grant.Scopes, s) }) {
				// The token is spent all the same: who asks for more than it has is not who it was given to.
				answer(w, http.StatusBadRequest, problem{"invalid_scope", "the grant has no such scope"})
				return
			}
		case "":
			answer(w, http.StatusBadRequest, problem{"invalid_request", "grant_type is missing"})
			return
		default:
			answer(w, http.StatusBadRequest, problem{"unsupported_grant_type", "the grant types here are authorization_code and refresh_token"})
			return
		}
		if errors.Is(err, identity.ErrCredentials) {
			p.wrong.add(a.from, p.now())
			answer(w, http.StatusBadRequest, problem{"invalid_grant", "the code or token means nothing here, or not any more"})
			return
		}
		if err != nil {
			p.fail(w, err)
			return
		}
		id, err := p.idToken(r.Context(), x, first)
		if err != nil {
			p.fail(w, err)
			return
		}
		answer(w, http.StatusOK, tokens{Access: x.Access.Reveal(), Type: "Bearer", Expires: int64(x.Life / time.Second), Refresh: x.Refresh.Reveal(), ID: id,
			Scope: strings.Join(x.Grant.Scopes, " ")})
	})
}

// Revoke is the revocation endpoint (RFC 7009). What means nothing is answered like what is gone now.
func (p *Provider) Revoke() http.Handler {
	return p.byClient(func(w http.ResponseWriter, r *http.Request, a *asking, app identity.Application) {
		if a.form.Get("token") == "" {
			answer(w, http.StatusBadRequest, problem{"invalid_request", "token is missing"})
			return
		}
		if err := p.id.RevokeApplicationToken(r.Context(), app, identity.NewSecret(a.form.Get("token")), a.by); err != nil {
			p.fail(w, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
	})
}
