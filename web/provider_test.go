package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"trivium/identity"
	"trivium/identity/provider"
	"trivium/web"
)

const issuer = "http://pages.example.org"

// wiki is a relying party: go-oidc, with its log-out address.
type wiki struct {
	*site
	t       *testing.T
	ctx     context.Context
	app     identity.Application
	oauth   oauth2.Config
	rp      *oidc.Provider
	logouts chan string // logout tokens that came
	client  *http.Client
}

func newProviderSite(t *testing.T) *site {
	t.Helper()
	return openSite(t, &site{issuer: issuer}, func(w *web.Options, i *identity.Options) {
		w.BaseURL = func() string { return issuer }
		i.Applications = identity.Applications{On: true}
	})
}

// newWiki registers an application and lets go-oidc find the provider by its issuer.
func newWiki(t *testing.T, s *site, id string, public bool, change func(*identity.Application)) *wiki {
	t.Helper()
	w := &wiki{site: s, t: t, logouts: make(chan string, 10)}
	back := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.logouts <- r.FormValue("logout_token")
	}))
	t.Cleanup(back.Close)
	a := identity.Application{ID: id, Name: "Wiki " + id, Redirects: []string{back.URL + "/callback"}, LogoutRedirects: []string{back.URL + "/bye"},
		LogoutURI: back.URL + "/logout", Scopes: identity.ApplicationScopes()}
	if change != nil {
		change(&a)
	}
	a, secret, err := s.identity.AddApplication(context.Background(), machine, a, public)
	if err != nil {
		t.Fatal(err)
	}
	w.app = a
	tr := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(s.plain, "http://"))
	}}
	t.Cleanup(tr.CloseIdleConnections)
	w.client = &http.Client{Transport: tr, Timeout: 10 * time.Second}
	w.ctx = oidc.ClientContext(context.Background(), w.client)
	if w.rp, err = oidc.NewProvider(w.ctx, issuer); err != nil {
		t.Fatal(err)
	}
	w.oauth = oauth2.Config{ClientID: id, ClientSecret: secret.Reveal(), Endpoint: w.rp.Endpoint(), RedirectURL: a.Redirects[0],
		Scopes: []string{"openid", "profile", "email", "groups", "offline_access"}}
	return w
}

// ask is the path of an authorization request.
func (w *wiki) ask(verifier, nonce string, more ...oauth2.AuthCodeOption) string {
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	if nonce != "" {
		opts = append(opts, oidc.Nonce(nonce))
	}
	return strings.TrimPrefix(w.oauth.AuthCodeURL("state & more", append(opts, more...)...), issuer)
}

// with changes a request.
func with(path string, change func(url.Values)) string {
	p, query, _ := strings.Cut(path, "?")
	q, _ := url.ParseQuery(query)
	change(q)
	return p + "?" + q.Encode()
}

// sent is where an answer sends the browser: by redirect, or by a page after a form.
func sent(a answer) url.Values {
	to := a.Header.Get("Location")
	if to == "" {
		_, to, _ = strings.Cut(a.Header.Get("Refresh"), "url=")
	}
	u, err := url.Parse(to)
	if err != nil {
		return nil
	}
	q := u.Query()
	q.Set("to", u.Scheme+"://"+u.Host+u.Path)
	return q
}

// code goes all the way to a code.
func (w *wiki) code(b *browser, path string) string {
	w.t.Helper()
	q := sent(b.get(path))
	if q.Get("code") == "" || q.Get("to") != w.app.Redirects[0] || q.Get("state") != "state & more" || q.Get("iss") != issuer {
		w.t.Fatalf("no code: %v", q)
	}
	return q.Get("code")
}

// login is a whole log-in.
func (w *wiki) login(b *browser) (*oauth2.Token, *oidc.IDToken) {
	w.t.Helper()
	v := oauth2.GenerateVerifier()
	tok, err := w.oauth.Exchange(w.ctx, w.code(b, w.ask(v, "n-1")), oauth2.VerifierOption(v))
	if err != nil {
		w.t.Fatal(err)
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := w.rp.Verifier(&oidc.Config{ClientID: w.app.ID}).Verify(w.ctx, raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return tok, id
}

// refresh asks for new tokens.
func (w *wiki) refresh(token string) (*oauth2.Token, error) {
	return w.oauth.TokenSource(w.ctx, &oauth2.Token{RefreshToken: token}).Token()
}

// known reports whether an access token opens userinfo.
func (w *wiki) known(tok *oauth2.Token) bool {
	_, err := w.rp.UserInfo(w.ctx, oauth2.StaticTokenSource(tok))
	return err == nil
}

// told waits for a logout token and checks it as an application does.
func (w *wiki) told(sub, sid string) {
	w.t.Helper()
	select {
	case raw := <-w.logouts:
		tok, err := w.rp.Verifier(&oidc.Config{ClientID: w.app.ID}).Verify(w.ctx, raw)
		if err != nil {
			w.t.Fatalf("the logout token: %v", err)
		}
		var c struct {
			SID    string                    `json:"sid"`
			JTI    string                    `json:"jti"`
			Nonce  *string                   `json:"nonce"`
			Events map[string]map[string]any `json:"events"`
		}
		if err := tok.Claims(&c); err != nil || tok.Subject != sub || c.SID != sid || c.JTI == "" || c.Nonce != nil || c.Events["http://schemas.openid.net/event/backchannel-logout"] == nil {
			w.t.Errorf("a logout token of %s: %+v, %v", tok.Subject, c, err)
		}
	case <-time.After(10 * time.Second):
		w.t.Fatal("the application was not told of the log-out")
	}
}

func sidOf(t *testing.T, id *oidc.IDToken) string {
	t.Helper()
	var c struct {
		SID string `json:"sid"`
	}
	if err := id.Claims(&c); err != nil || c.SID == "" {
		t.Fatalf("no sid: %v", err)
	}
	return c.SID
}

func TestApplicationLogsIn(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256"} {
		t.Run(alg, func(t *testing.T) {
			s := newProviderSite(t)
			acc := s.user("alice", identity.LevelUser)
			w := newWiki(t, s, "wiki", false, func(a *identity.Application) { a.Algorithm = alg })
			b := s.browser()
			v := oauth2.GenerateVerifier()
			path := w.ask(v, "n-1")
			a := b.get(with(path, func(q url.Values) { q.Set("login_hint", "alice") }))
			next := a.Header.Get("Location")
			if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(next, "/login?next=") {
				t.Fatalf("a stranger is sent to %q", next)
			}
			b.get(next).expect(t, http.StatusOK, `value="alice"`)
			u, _ := url.Parse(next)
			// A page stands between the form and the way back, as a form's redirects stay on this site.
			a = b.post(next, "/login", "login", "alice", "password", password, "next", u.Query().Get("next"))
			a.expect(t, http.StatusOK, `data-testid="onward"`)
			if !strings.HasPrefix(a.Header.Get("Refresh"), "0; url=/oauth/authorize?") {
				t.Errorf("after the log-in: %q", a.Header.Get("Refresh"))
			}
			tok, id := w.login(b)
			if id.Subject != string(acc.ID) || id.Nonce != "n-1" || id.Issuer != issuer || id.VerifyAccessToken(tok.AccessToken) != nil {
				t.Errorf("the ID token: %+v", id)
			}
			var c map[string]any
			if err := id.Claims(&c); err != nil || c["acr"] != provider.ACRPassword || c["auth_time"] == nil || c["azp"] != "wiki" {
				t.Errorf("claims: %v, %v", c, err)
			}
			info, err := w.rp.UserInfo(w.ctx, oauth2.StaticTokenSource(tok))
			if err != nil || info.Subject != id.Subject {
				t.Fatalf("userinfo: %+v, %v", info, err)
			}
			if err := info.Claims(&c); err != nil || c["preferred_username"] != "alice" {
				t.Errorf("userinfo: %v", c)
			}
			again, err := w.refresh(tok.RefreshToken)
			if err != nil || again.RefreshToken == tok.RefreshToken || again.RefreshToken == "" || !w.known(again) {
				t.Fatalf("refreshing: %+v, %v", again, err)
			}
			for what, x := range map[string]string{"an access token": again.AccessToken, "a refresh token": again.RefreshToken} {
				in, err := s.identity.Introspect(t.Context(), identity.NewSecret(x), netip.Addr{})
				if err != nil || in.Kind != identity.IntrospectApplication || in.Application != "wiki" || in.Account.ID != acc.ID {
					t.Errorf("introspection of %s: %+v, %v", what, in, err)
				}
			}
			if _, err := s.identity.Introspect(t.Context(), identity.NewSecret(tok.RefreshToken), netip.Addr{}); !errors.Is(err, identity.ErrNotFound) {
				t.Errorf("introspection of a spent refresh token: %v", err)
			}
			b.get("/security").expect(t, http.StatusOK, `data-testid="application-row" data-id="wiki"`, "Wiki wiki", "logged in")
			b.post("/security", "/security/applications/wiki/end").expect(t, http.StatusSeeOther)
			if w.known(again) {
				t.Error("an access token outlives the person's End")
			}
			w.told(id.Subject, sidOf(t, id))
			if _, err := w.refresh(again.RefreshToken); err == nil {
				t.Error("a refresh token outlives the person's End")
			}
			if a := b.get("/security"); strings.Contains(a.body, "application-row") {
				t.Error("an application is still listed")
			}
		})
	}
}

// TestApplicationsEndAtOnce has the ends of sessions and accounts.
func TestApplicationsEndAtOnce(t *testing.T) {
	s := newProviderSite(t)
	ctx := context.Background()
	for name, c := range map[string]struct {
		end     func(t *testing.T, b *browser)
		offline bool // the grant goes on, as the person has only left
	}{
		"signout": {end: func(t *testing.T, b *browser) { b.post("/sessions", "/logout") }, offline: true},
		"disabled": {end: func(t *testing.T, b *browser) {
			state := identity.UserDisabled
			if _, err := s.identity.SetUser(ctx, machine, "disabled", identity.UserChange{State: &state}); err != nil {
				t.Fatal(err)
			}
		}},
		"password": {end: func(t *testing.T, b *browser) {
			if err := s.identity.SetPassword(ctx, machine, "password", identity.NewSecret("another good word 7"), nil); err != nil {
				t.Fatal(err)
			}
		}},
		"kicked": {end: func(t *testing.T, b *browser) {
			by := machine
			s.identity.Registry.EndWhere(identity.Filter{User: "kicked"}, identity.Reason{Code: identity.ReasonEnded, By: &by})
		}},
		"everywhere": {end: func(t *testing.T, b *browser) {
			b.post("/sessions", "/logout") // the grant hangs on no session any more
			if _, err := s.identity.SignOut(ctx, machine, "everywhere", nil); err != nil {
				t.Fatal(err)
			}
		}},
		"removed": {end: func(t *testing.T, b *browser) {
			if err := s.identity.RemoveUser(ctx, machine, "removed"); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s.user(name, identity.LevelUser)
			w := newWiki(t, s, "wiki-"+name, false, nil)
			b := s.browser().login(name)
			tok, id := w.login(b)
			if !w.known(tok) {
				t.Fatal("the access token does not open userinfo")
			}
			c.end(t, b)
			if w.known(tok) != c.offline {
				t.Errorf("the access token opens userinfo: %v", !c.offline)
			}
			if _, err := w.refresh(tok.RefreshToken); (err == nil) != c.offline {
				t.Errorf("refreshing: %v", err)
			}
			w.told(id.Subject, sidOf(t, id))
		})
	}
}

// TestApplicationAttacks has what a thief or a bad application tries at the endpoints.
func TestApplicationAttacks(t *testing.T) {
	s := newProviderSite(t)
	s.user("alice", identity.LevelUser)
	w, other := newWiki(t, s, "wiki", false, nil), newWiki(t, s, "other", false, nil)
	phone := newWiki(t, s, "phone", true, nil)
	b := s.browser().login("alice")
	v := oauth2.GenerateVerifier()
	t.Run("a code comes twice", func(t *testing.T) {
		code := w.code(b, w.ask(v, ""))
		tok, err := w.oauth.Exchange(w.ctx, code, oauth2.VerifierOption(v))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.oauth.Exchange(w.ctx, code, oauth2.VerifierOption(v)); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
			t.Errorf("a second time: %v", err)
		}
		if _, err := w.refresh(tok.RefreshToken); err == nil || w.known(tok) {
			t.Error("what the code gave is still good")
		}
	})
	t.Run("the code of another application", func(t *testing.T) {
		code := w.code(b, w.ask(v, ""))
		thief := other.oauth
		thief.RedirectURL = w.oauth.RedirectURL
		if _, err := thief.Exchange(other.ctx, code, oauth2.VerifierOption(v)); err == nil {
			t.Error("another application redeemed the code")
		}
		if _, err := w.oauth.Exchange(w.ctx, code, oauth2.VerifierOption(v)); err == nil {
			t.Error("a code that a thief has shown is still good")
		}
	})
	t.Run("another verifier, address or none", func(t *testing.T) {
		for what, fn := range map[string]func(c *oauth2.Config, code string) error{
			"another verifier": func(c *oauth2.Config, code string) error {
				_, err := c.Exchange(w.ctx, code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
				return err
			},
			"no verifier": func(c *oauth2.Config, code string) error { _, err := c.Exchange(w.ctx, code); return err },
			"another address": func(c *oauth2.Config, code string) error {
				c.RedirectURL = "https://evil.example/"
				_, err := c.Exchange(w.ctx, code, oauth2.VerifierOption(v))
				return err
			},
			"a wrong secret": func(c *oauth2.Config, code string) error {
				c.ClientSecret += "x"
				_, err := c.Exchange(w.ctx, code, oauth2.VerifierOption(v))
				return err
			},
			"no secret": func(c *oauth2.Config, code string) error {
				c.ClientSecret = ""
				_, err := c.Exchange(w.ctx, code, oauth2.VerifierOption(v))
				return err
			},
		} {
			c := w.oauth
			if err := fn(&c, w.code(b, w.ask(v, ""))); err == nil {
				t.Errorf("a code with %s was redeemed", what)
			}
		}
		// A code that was asked for without PKCE takes no verifier: else who strips the challenge gets by.
		q := sent(b.get(with(w.ask(v, "n"), func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") })))
		if _, err := w.oauth.Exchange(w.ctx, q.Get("code"), oauth2.VerifierOption(v)); q.Get("code") == "" || err == nil {
			t.Errorf("a stripped challenge: %v", err)
		}
	})
	t.Run("a refresh token comes twice", func(t *testing.T) {
		tok, _ := w.login(b)
		next, err := w.refresh(tok.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.refresh(next.RefreshToken); err == nil {
			t.Fatal("another application refreshed")
		}
		tok, _ = w.login(b)
		if next, err = w.refresh(tok.RefreshToken); err != nil {
			t.Fatal(err)
		}
		if _, err := w.refresh(tok.RefreshToken); err == nil {
			t.Error("an old refresh token is good")
		}
		if _, err := w.refresh(next.RefreshToken); err == nil || w.known(next) {
			t.Error("after a replay the newest is still good")
		}
	})
	t.Run("tokens in one another's place", func(t *testing.T) {
		tok, _ := w.login(b)
		code := w.code(b, w.ask(v, ""))
		for what, x := range map[string]string{"a refresh token": tok.RefreshToken, "an ID token": tok.Extra("id_token").(string), "a code": code,
			"nothing": "tva_", "a longer one": tok.AccessToken + "A", "another kind": "tvr_" + tok.AccessToken[4:], "long": strings.Repeat("a", 9000)} {
			if w.known(&oauth2.Token{AccessToken: x}) {
				t.Errorf("%s opens userinfo", what)
			}
		}
		if _, err := w.refresh(tok.AccessToken); err == nil {
			t.Error("an access token refreshes")
		}
		if !w.known(tok) {
			t.Error("the access token is good no more")
		}
	})
	t.Run("requests that lead nowhere", func(t *testing.T) {
		back := w.app.Redirects[0]
		for what, change := range map[string]func(url.Values){
			"an unknown application":   func(q url.Values) { q.Set("client_id", "nobody") },
			"no application":           func(q url.Values) { q.Del("client_id") },
			"two applications":         func(q url.Values) { q.Add("client_id", "other") },
			"an address below":         func(q url.Values) { q.Set("redirect_uri", back+"/more") },
			"another host":             func(q url.Values) { q.Set("redirect_uri", "https://evil.example/callback") },
			"a query added":            func(q url.Values) { q.Set("redirect_uri", back+"?x=1") },
			"a fragment added":         func(q url.Values) { q.Set("redirect_uri", back+"#x") },
			"another case":             func(q url.Values) { q.Set("redirect_uri", strings.ToUpper(back)) },
			"a name before the host":   func(q url.Values) { q.Set("redirect_uri", strings.Replace(back, "http://", "http://evil.example@", 1)) },
			"a dot segment":            func(q url.Values) { q.Set("redirect_uri", strings.Replace(back, "/callback", "/./callback", 1)) },
			"the other's address":      func(q url.Values) { q.Set("redirect_uri", other.app.Redirects[0]) },
			"no address":               func(q url.Values) { q.Del("redirect_uri") },
			"two addresses":            func(q url.Values) { q.Add("redirect_uri", "https://evil.example/") },
			"script as address":        func(q url.Values) { q.Set("redirect_uri", "javascript:alert(1)") },
			"a name with a NUL":        func(q url.Values) { q.Set("client_id", "wiki\x00") },
			"an application too long":  func(q url.Values) { q.Set("client_id", strings.Repeat("w", 2000)) },
			"an application as markup": func(q url.Values) { q.Set("client_id", "<script>") },
		} {
			a := b.get(with(w.ask(v, ""), change))
			if a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" || a.Header.Get("Refresh") != "" || strings.Contains(a.body, "evil.example") || strings.Contains(a.body, "<script>") {
				t.Errorf("%s: %d to %q", what, a.StatusCode, a.Header.Get("Location"))
			}
		}
	})
	t.Run("requests that are told no", func(t *testing.T) {
		for _, c := range []struct {
			what, code string
			change     func(url.Values)
		}{
			{"another response type", "unsupported_response_type", func(q url.Values) { q.Set("response_type", "token") }},
			{"no response type", "invalid_request", func(q url.Values) { q.Del("response_type") }},
			{"a fragment", "invalid_request", func(q url.Values) { q.Set("response_mode", "fragment") }},
			{"plain PKCE", "invalid_request", func(q url.Values) { q.Set("code_challenge_method", "plain") }},
			{"PKCE by default", "invalid_request", func(q url.Values) { q.Del("code_challenge_method") }},
			{"a short challenge", "invalid_request", func(q url.Values) { q.Set("code_challenge", "abc") }},
			{"neither PKCE nor nonce", "invalid_request", func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") }},
			{"no openid", "invalid_scope", func(q url.Values) { q.Set("scope", "profile") }},
			{"a request object", "request_not_supported", func(q url.Values) { q.Set("request", "x.y.z") }},
			{"one elsewhere", "request_uri_not_supported", func(q url.Values) { q.Set("request_uri", "https://evil.example/") }},
			{"none and login", "invalid_request", func(q url.Values) { q.Set("prompt", "none login") }},
			{"a strange prompt", "invalid_request", func(q url.Values) { q.Set("prompt", "shout") }},
			{"a strange age", "invalid_request", func(q url.Values) { q.Set("max_age", "-1") }},
			{"a doubled scope", "invalid_request", func(q url.Values) { q.Add("scope", "openid") }},
			{"a forged hint", "invalid_request", func(q url.Values) { q.Set("id_token_hint", "x.y.z") }},
		} {
			q := sent(b.get(with(w.ask(v, ""), c.change)))
			if q.Get("error") != c.code || q.Get("iss") != issuer || q.Get("state") != "state & more" || q.Get("to") != w.app.Redirects[0] || q.Get("code") != "" {
				t.Errorf("%s: %v", c.what, q)
			}
		}
		q := sent(b.get(with(phone.ask(v, "n"), func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") })))
		if q.Get("error") != "invalid_request" {
			t.Errorf("a public client without PKCE: %v", q)
		}
		if q := sent(s.browser().get(with(w.ask(v, ""), func(q url.Values) { q.Set("prompt", "none") }))); q.Get("error") != "login_required" {
			t.Errorf("prompt=none for a stranger: %v", q)
		}
	})
	t.Run("a public client", func(t *testing.T) {
		if tok, _ := phone.login(b); !phone.known(tok) {
			t.Error("it does not get in")
		}
		c := phone.oauth
		c.ClientSecret = "guess"
		if _, err := c.Exchange(phone.ctx, phone.code(b, phone.ask(v, "")), oauth2.VerifierOption(v)); err == nil {
			t.Error("a public client with a secret was taken")
		}
	})
	t.Run("hints of ID tokens", func(t *testing.T) {
		tok, id := w.login(b)
		raw := tok.Extra("id_token").(string)
		if h, ok := s.provider.ReadHint(t.Context(), raw); !ok || h.Subject != id.Subject || h.Application != "wiki" {
			t.Fatalf("our own: %+v, %v", h, ok)
		}
		parts := strings.Split(raw, ".")
		body, _ := base64.RawURLEncoding.DecodeString(parts[1])
		head, _ := base64.RawURLEncoding.DecodeString(parts[0])
		var h map[string]any
		if err := json.Unmarshal(head, &h); err != nil {
			t.Fatal(err)
		}
		keys, err := w.client.Get(issuer + "/oauth/keys")
		if err != nil {
			t.Fatal(err)
		}
		published, err := io.ReadAll(keys.Body)
		if err != nil || keys.Body.Close() != nil {
			t.Fatal(err)
		}
		hs := func(secret []byte) string {
			sg, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, (&jose.SignerOptions{}).WithHeader("kid", h["kid"]).WithType("JWT"))
			if err != nil {
				t.Fatal(err)
			}
			x, err := sg.Sign(body)
			if err != nil {
				t.Fatal(err)
			}
			text, err := x.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
		for what, x := range map[string]string{"alg none": none, "by the client's secret": hs([]byte(w.oauth.ClientSecret)), "by the public key as a secret": hs(published),
			"another body": parts[0] + "." + base64.RawURLEncoding.EncodeToString(bytes.Replace(body, []byte(id.Subject), []byte("somebody-else"), 1)) + "." + parts[2],
			"no signature": parts[0] + "." + parts[1] + ".", "too long": raw + strings.Repeat("A", 10000)} {
			if h, ok := s.provider.ReadHint(t.Context(), x); ok {
				t.Errorf("%s: %+v", what, h)
			}
		}
		if _, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256}); err != nil {
			t.Error(err)
		}
	})
	t.Run("bodies of programs", func(t *testing.T) {
		for what, c := range map[string]struct {
			kind, body string
			status     int
		}{
			"no form":             {"application/json", `{"grant_type":"authorization_code"}`, 400},
			"too large":           {"application/x-www-form-urlencoded", "grant_type=" + strings.Repeat("a", 20000), 400},
			"twice":               {"application/x-www-form-urlencoded", "grant_type=a&grant_type=b", 400},
			"nobody":              {"application/x-www-form-urlencoded", "grant_type=authorization_code&code=x", 401},
			"a public one's name": {"application/x-www-form-urlencoded", "client_id=phone&grant_type=client_credentials", 400},
			"a password":          {"application/x-www-form-urlencoded", "client_id=phone&grant_type=password&username=alice&password=" + url.QueryEscape(password), 400},
		} {
			res, err := w.client.Post(issuer+"/oauth/token", c.kind, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode != c.status || !json.Valid(text) || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d %s", what, res.StatusCode, text)
			}
		}
	})
}

var requestField = regexp.MustCompile(`name="request" value="([^"]*)"`)

func TestConsent(t *testing.T) {
	s := newProviderSite(t)
	s.user("alice", identity.LevelUser)
	w := newWiki(t, s, "wiki", false, func(a *identity.Application) { a.Consent = true })
	b := s.browser().login("alice")
	v := oauth2.GenerateVerifier()
	path := w.ask(v, "n-1")
	page := b.get(path).expect(t, http.StatusOK, "Log in to Wiki wiki?", "E-mail address", "Names of the groups")
	if h := page.Header; !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "form-action 'self'") {
		t.Error("the question can be framed")
	}
	if q := sent(b.get(with(path, func(q url.Values) { q.Set("prompt", "none") }))); q.Get("error") != "consent_required" {
		t.Errorf("prompt=none before consent: %v", q)
	}
	m := requestField.FindStringSubmatch(page.body)
	if m == nil {
		t.Fatal("no request on the page")
	}
	request := html.UnescapeString(m[1])
	if a := b.send("/oauth/consent", url.Values{"request": {request}, "answer": {"allow"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("without the form's token: %d", a.StatusCode)
	}
	r := b.request(http.MethodPost, "/oauth/consent", strings.NewReader(url.Values{"csrf": {b.token("/account")}, "request": {request}, "answer": {"allow"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := b.do(r); a.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", a.StatusCode)
	}
	if q := sent(b.post("/account", "/oauth/consent", "request", request, "answer", "deny")); q.Get("error") != "access_denied" || q.Get("iss") != issuer {
		t.Errorf("no: %v", q)
	}
	evil := with("/x?"+request, func(q url.Values) { q.Set("redirect_uri", "https://evil.example/") })
	if a := b.post("/account", "/oauth/consent", "request", strings.TrimPrefix(evil, "/x?"), "answer", "allow"); a.StatusCode != http.StatusBadRequest || a.Header.Get("Refresh") != "" {
		t.Errorf("another address in the form: %d", a.StatusCode)
	}
	a := b.post("/account", "/oauth/consent", "request", request, "answer", "allow").expect(t, http.StatusOK, `data-testid="onward"`)
	if _, err := w.oauth.Exchange(w.ctx, sent(a).Get("code"), oauth2.VerifierOption(v)); err != nil {
		t.Fatal(err)
	}
	w.login(b) // is not asked again
	b.get(with(path, func(q url.Values) { q.Set("prompt", "consent") })).expect(t, http.StatusOK, "Log in to Wiki wiki?")
}

// TestApplicationsAreForSome has levels, groups, second factors and ages.
func TestApplicationsAreForSome(t *testing.T) {
	s := newProviderSite(t)
	s.user("alice", identity.LevelUser)
	s.user("staff1", identity.LevelStaff)
	v := oauth2.GenerateVerifier()
	w := newWiki(t, s, "wiki", false, func(a *identity.Application) { a.Level = identity.LevelStaff })
	b := s.browser().login("alice")
	if q := sent(b.get(w.ask(v, ""))); q.Get("error") != "access_denied" {
		t.Errorf("below the level: %v", q)
	}
	staff := s.browser().login("staff1")
	tok, _ := w.login(staff)
	if _, err := s.identity.ChangeApplication(t.Context(), machine, "wiki", func(a *identity.Application) { a.Level = identity.LevelAdmin }); err != nil {
		t.Fatal(err)
	}
	if w.known(tok) {
		t.Error("an application that one may not use any more knows one still")
	}
	strong := newWiki(t, s, "strong", false, func(a *identity.Application) { a.Factor = true })
	b.get(strong.ask(v, "")).expect(t, http.StatusOK, "wants your second factor", "/security")
	if q := sent(b.get(with(strong.ask(v, ""), func(q url.Values) { q.Set("prompt", "none") }))); q.Get("error") != "login_required" {
		t.Errorf("prompt=none without a factor: %v", q)
	}
	free := newWiki(t, s, "free", false, nil)
	fresh := with(free.ask(v, ""), func(q url.Values) { q.Set("prompt", "login") })
	b.get(fresh).expect(t, http.StatusOK, "show once more that you are")
	b.get(fresh).expect(t, http.StatusOK, "show once more that you are")
	a := b.post(fresh, "/confirm", "confirm_password", password, "next", fresh)
	if !strings.HasPrefix(a.Header.Get("Refresh"), "0; url=/oauth/authorize?") {
		t.Fatalf("after the proof: %d %q", a.StatusCode, a.Header.Get("Refresh"))
	}
	if q := sent(b.get(fresh)); q.Get("code") == "" {
		t.Errorf("after the proof: %v", q)
	}
	b.get(fresh).expect(t, http.StatusOK, "show once more that you are")
	if q := sent(b.get(with(free.ask(v, ""), func(q url.Values) { q.Set("max_age", "3600") }))); q.Get("code") == "" {
		t.Errorf("a log-in of just now is too old: %v", q)
	}
}

func TestFarewell(t *testing.T) {
	s := newProviderSite(t)
	s.user("alice", identity.LevelUser)
	w := newWiki(t, s, "wiki", false, nil)
	b := s.browser().login("alice")
	tok, id := w.login(b)
	raw := tok.Extra("id_token").(string)
	bye := w.app.LogoutRedirects[0]
	for what, q := range map[string]url.Values{
		"another address": {"id_token_hint": {raw}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"nobody's":        {"post_logout_redirect_uri": {bye}},
		"another's hint":  {"id_token_hint": {raw}, "client_id": {"other"}, "post_logout_redirect_uri": {bye}},
	} {
		if a := b.get("/oauth/logout?" + q.Encode()); a.StatusCode != http.StatusBadRequest || a.Header.Get("Location") != "" || !b.in() {
			t.Errorf("%s: %d to %q", what, a.StatusCode, a.Header.Get("Location"))
		}
	}
	ask := "/oauth/logout?" + url.Values{"client_id": {"wiki"}, "post_logout_redirect_uri": {bye}, "state": {"s"}}.Encode()
	page := b.get(ask).expect(t, http.StatusOK, "Log out?", "Wiki wiki")
	if !b.in() {
		t.Fatal("a link without an ID token logged the person out")
	}
	request := html.UnescapeString(requestField.FindStringSubmatch(page.body)[1])
	if a := b.send("/oauth/logout/confirm", url.Values{"request": {request}}); a.StatusCode != http.StatusForbidden || !b.in() {
		t.Errorf("without the form's token: %d", a.StatusCode)
	}
	// What an application sends by a form goes on as a link.
	a := b.send("/oauth/logout", url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {bye}, "state": {"s"}})
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/oauth/logout?") {
		t.Fatalf("by a form: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	if q := sent(b.get(a.Header.Get("Location"))); q.Get("to") != bye || q.Get("state") != "s" || b.in() {
		t.Errorf("with the ID token: %v", q)
	}
	w.told(id.Subject, sidOf(t, id))
	b.login("alice")
	b.get("/oauth/logout?id_token_hint="+raw).expect(t, http.StatusOK, "Log out?") // of the log-in before
	b.post("/account", "/oauth/logout/confirm", "request", request).expect(t, http.StatusOK, bye)
	if b.in() {
		t.Error("still logged in")
	}
}

func TestApplicationPages(t *testing.T) {
	s := newProviderSite(t)
	s.user("root1", identity.LevelRoot)
	s.user("alice", identity.LevelUser)
	s.browser().login("alice").get("/admin/applications").expect(t, http.StatusNotFound, "Page not found")
	b := s.browser().login("root1")
	b.get("/admin/applications").expect(t, http.StatusOK, "No applications yet", issuer)
	from := "/admin/applications"
	b.post(from, from+"/new", "name", "Wiki", "kind", "confidential", "redirects", "http://wiki.example.org/cb", "level", "0").expect(t, http.StatusUnprocessableEntity, "write https://")
	b.post(from, from+"/new", "name", "Wiki", "kind", "confidential", "redirects", "https://wiki.example.org/cb", "level", "0", "logout_uri", "https://evil.example/x").expect(t, http.StatusUnprocessableEntity, "none of them")
	b.post(from, from+"/new", "name", "Wiki", "kind", "confidential", "redirects", "https://wiki.example.org/cb", "level", "0", "groups", "nosuch").expect(t, http.StatusUnprocessableEntity, "no group of this name")
	a := b.post(from, from+"/new", "name", "Our Wiki", "kind", "confidential", "redirects", "https://wiki.example.org/cb\nhttps://wiki.example.org/cb2", "level", "10", "scope", "email", "consent", "1").expect(t, http.StatusOK, "shown <strong>only now</strong>", `data-testid="client-id">our-wiki<`)
	app, err := s.identity.Application(t.Context(), "our-wiki")
	if err != nil || len(app.Redirects) != 2 || app.Level != identity.LevelUser || !app.Consent || strings.Join(app.Scopes, " ") != "openid email" {
		t.Fatalf("%+v, %v", app, err)
	}
	secret := regexp.MustCompile(`value="(tvs_[^"]+)"`).FindStringSubmatch(a.body)
	if secret == nil || !app.KnowsSecret(identity.NewSecret(secret[1])) {
		t.Fatal("the secret on the page is not the application's")
	}
	if x := b.get(from+"/our-wiki").expect(t, http.StatusOK, "Our Wiki"); strings.Contains(x.body, secret[1]) {
		t.Error("the secret is shown again")
	}
	b.post(from+"/our-wiki", from+"/our-wiki", "name", "Our Wiki", "redirects", "https://wiki.example.org/cb", "level", "0", "algorithm", "ES256").expect(t, http.StatusSeeOther)
	b.post(from+"/our-wiki", from+"/our-wiki/secret").expect(t, http.StatusOK, "tvs_")
	if app, err = s.identity.Application(t.Context(), "our-wiki"); err != nil || app.KnowsSecret(identity.NewSecret(secret[1])) || app.Algorithm != "ES256" {
		t.Errorf("after the change: %+v, %v", app, err)
	}
	b.post(from+"/our-wiki", from+"/our-wiki/remove").expect(t, http.StatusSeeOther)
	if list, err := s.identity.ApplicationList(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("removed: %v, %v", list, err)
	}
	events, err := s.identity.Audit(t.Context(), identity.AuditFilter{Event: "application.*"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range events {
		if e.Event != "application.key" {
			names = append(names, e.Event)
		}
		if strings.Contains(e.Before+e.After, "tvs_") {
			t.Error("a secret is in the audit log")
		}
	}
	if got := strings.Join(names, " "); got != "application.remove application.secret application.set application.add" {
		t.Errorf("audited: %s", got)
	}
}

// TestProviderOff: without it none of its pages is there.
func TestProviderOff(t *testing.T) {
	s := newSite(t)
	s.user("root1", identity.LevelRoot)
	b := s.browser().login("root1")
	for _, path := range []string{provider.PathAuthorize, provider.PathDiscovery, provider.PathKeys, provider.PathUserInfo, "/admin/applications"} {
		b.get(path).expect(t, http.StatusNotFound, "Page not found")
	}
}
