package oidc_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/identity/oidc"
	"trivium/identity/oidc/oidctest"
)

const redirect = "http://localhost:9999/login/oidc/company/callback"

func begin(t *testing.T) (*oidctest.Provider, *oidc.Provider) {
	t.Helper()
	srv := oidctest.New(t, redirect, oidctest.Person{ID: "7", Login: "alice", Email: "alice@example.org"},
		oidctest.Person{ID: "8", Login: "bob", Email: "bob@example.org", Unverified: true})
	return srv, client(t, srv.Issuer)
}

func client(t *testing.T, issuer string) *oidc.Provider {
	t.Helper()
	p := oidc.New(oidc.Options{Name: "company", Issuer: issuer, ClientID: oidctest.ClientID, ClientSecret: identity.NewSecret(oidctest.Secret),
		Scopes: []string{"openid", "profile", "email"}, GroupsClaim: "groups"})
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// answer begins an attempt and returns it with the provider's answer to it.
func answer(t *testing.T, srv *oidctest.Provider, p *oidc.Provider, login string) (oidc.Attempt, url.Values) {
	t.Helper()
	a, to, err := p.Begin(redirect)
	if err != nil {
		t.Fatal(err)
	}
	q, err := url.Parse(to)
	if err != nil || q.Query().Get("code_challenge_method") != "S256" || q.Query().Get("code_challenge") == "" || q.Query().Get("nonce") != a.Nonce || q.Query().Get("state") != a.State {
		t.Fatalf("the provider is asked by %s, %v", to, err)
	}
	back, err := url.Parse(srv.LogIn(login, to))
	if err != nil || !strings.HasPrefix(back.String(), redirect+"?") {
		t.Fatalf("sent back to %s, %v", back, err)
	}
	return a, back.Query()
}

func TestFlow(t *testing.T) {
	t.Parallel()
	srv, p := begin(t)
	a, q := answer(t, srv, p, "alice")
	f, err := p.Finish(t.Context(), a, redirect, q)
	if err != nil {
		t.Fatal(err)
	}
	if f.Provider != "company" || f.Issuer != srv.Issuer || !f.EmailVerified || f.Person.Subject != "7" || f.Person.Login != "alice" || f.Person.Email != "alice@example.org" || f.Person.Name != "First alice" {
		t.Errorf("%+v", f)
	}
	if _, err := p.Finish(t.Context(), a, redirect, q); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("the code a second time: %v", err)
	}
	a, q = answer(t, srv, p, "bob")
	if f, err = p.Finish(t.Context(), a, redirect, q); err != nil || f.EmailVerified || f.Person.Email != "" {
		t.Errorf("an address that was not verified: %+v, %v", f, err)
	}
}

// TestAnswers has the attacks on the answer that comes by the browser.
func TestAnswers(t *testing.T) {
	t.Parallel()
	srv, p := begin(t)
	other := oidctest.New(t, redirect, oidctest.Person{ID: "7", Login: "alice"})
	victim, _ := answer(t, srv, p, "alice")
	mine, q := answer(t, srv, p, "bob")
	with := func(change func(url.Values)) url.Values {
		c := url.Values{}
		for k, v := range q {
			c[k] = append([]string(nil), v...)
		}
		change(c)
		return c
	}
	old := mine
	old.Began = time.Now().Add(-11 * time.Minute)
	elsewhere := mine
	elsewhere.Provider = "other"
	none := mine
	none.State = ""
	for _, c := range []struct {
		what string
		a    oidc.Attempt
		q    url.Values
	}{
		{"the state of another browser", victim, q},
		{"no state", mine, with(func(q url.Values) { q.Del("state") })},
		{"an empty state on both sides", none, with(func(q url.Values) { q.Del("state") })},
		{"a code in another attempt", victim, with(func(q url.Values) { q.Set("state", victim.State) })}, // PKCE refuses it
		{"no code", mine, with(func(q url.Values) { q.Del("code") })},
		{"two codes", mine, with(func(q url.Values) { q.Add("code", "x") })},
		{"an answer of another issuer", mine, with(func(q url.Values) { q.Set("iss", other.Issuer) })},
		{"an empty issuer", mine, with(func(q url.Values) { q.Set("iss", "") })},
		{"too late", old, q},
		{"an attempt at another provider", elsewhere, q},
	} {
		if f, err := p.Finish(t.Context(), c.a, redirect, c.q); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("%s: %+v, %v", c.what, f, err)
		}
	}
	_, err := p.Finish(t.Context(), mine, redirect, url.Values{"state": {mine.State}, "error": {"access_denied"}, "error_description": {"no\r\n\u202ereason <b>"}})
	var denied *oidc.DeniedError
	if !errors.As(err, &denied) || !errors.Is(err, identity.ErrRefused) || denied.Error() != "noreason <b>" {
		t.Errorf("the provider's no: %v", err)
	}
	again, q2 := answer(t, srv, p, "bob")
	q2.Set("iss", srv.Issuer)
	if _, err := p.Finish(t.Context(), again, redirect, q2); err != nil {
		t.Errorf("with the right issuer: %v", err)
	}
}

// TestTokens has ID tokens that are not to be trusted.
func TestTokens(t *testing.T) {
	t.Parallel()
	srv, p := begin(t)
	rogue := oidctest.New(t, redirect)
	set := func(name string, value any) func(map[string]any) string {
		return func(c map[string]any) string { c[name] = value; return srv.Sign("JWT", c) }
	}
	for _, c := range []struct {
		what string
		fn   func(map[string]any) string
	}{
		{"alg none", oidctest.Unsigned},
		{"signed with the client's secret", func(c map[string]any) string { return srv.SignBy(oidctest.Secret, c) }},
		{"signed by somebody else", func(c map[string]any) string { return rogue.Sign("JWT", c) }},
		{"of an attempt before", set("nonce", "before")},
		{"without a nonce", set("nonce", nil)},
		{"for another client", set("aud", "other")},
		{"for two clients, of nobody", func(c map[string]any) string {
			c["aud"] = []string{oidctest.ClientID, "other"}
			delete(c, "azp")
			return srv.Sign("JWT", c)
		}},
		{"given to another client", set("azp", "other")},
		{"of another issuer", set("iss", rogue.Issuer)},
		{"that has expired", set("exp", time.Now().Add(-2*time.Minute).Unix())},
		{"from the future", set("iat", time.Now().Add(10*time.Minute).Unix())},
		{"for another access token", set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")},
		{"of nobody", set("sub", "")},
		{"about somebody else than userinfo", set("sub", "8")},
		{"that is none", func(map[string]any) string { return "x.y.z" }},
	} {
		srv.Tamper(nil)
		a, q := answer(t, srv, p, "alice")
		srv.TamperIDToken(c.fn)
		f, err := p.Finish(t.Context(), a, redirect, q)
		if err == nil || !errors.Is(err, identity.ErrCredentials) && !errors.Is(err, identity.ErrUnavailable) {
			t.Errorf("an ID token %s: %+v, %v", c.what, f, err)
		}
	}
	srv.TamperIDToken(set("exp", time.Now().Add(-30*time.Second).Unix()))
	a, q := answer(t, srv, p, "alice")
	if _, err := p.Finish(t.Context(), a, redirect, q); err != nil {
		t.Errorf("clocks that differ a little: %v", err)
	}
	srv.Tamper(nil)
	a, q = answer(t, srv, p, "alice")
	if _, err := p.Finish(t.Context(), a, redirect, q); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestMetadata has providers that cannot be used, and one that names itself in its answers.
func TestMetadata(t *testing.T) {
	t.Parallel()
	srv, _ := begin(t)
	change := func(fn func(map[string]any)) {
		srv.Tamper(func(path string, body []byte) []byte {
			if !strings.HasSuffix(path, "/openid-configuration") {
				return body
			}
			var m map[string]any
			if json.Unmarshal(body, &m) != nil {
				return body
			}
			fn(m)
			out, _ := json.Marshal(m) // it was JSON before
			return out
		})
	}
	for what, fn := range map[string]func(map[string]any){
		"PKCE in the clear alone": func(m map[string]any) { m["code_challenge_methods_supported"] = []string{"plain"} },
		"another issuer":          func(m map[string]any) { m["issuer"] = "https://evil.example" },
		"no endpoints":            func(m map[string]any) { delete(m, "token_endpoint") },
	} {
		change(fn)
		if _, _, err := client(t, srv.Issuer).Begin(redirect); !errors.Is(err, identity.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	change(func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = true })
	p := client(t, srv.Issuer)
	a, q := answer(t, srv, p, "alice")
	q.Del("iss")
	if _, err := p.Finish(t.Context(), a, redirect, q); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("an answer without the issuer that it should have: %v", err)
	}
	q.Set("iss", srv.Issuer)
	if _, err := p.Finish(t.Context(), a, redirect, q); err != nil {
		t.Errorf("with it: %v", err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, _, err := client(t, gone.URL).Begin(redirect); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("a provider that is gone: %v", err)
	}
}

func TestLogoutTokens(t *testing.T) {
	t.Parallel()
	srv, p := begin(t)
	rogue := oidctest.New(t, redirect)
	right := func(jti string) map[string]any { return srv.LogoutClaims("7", jti) }
	sub, sid, err := p.Logout(t.Context(), srv.Sign("logout+jwt", right("1")))
	if err != nil || sub != "7" || sid != "" {
		t.Fatalf("right: %q, %q, %v", sub, sid, err)
	}
	with := func(jti string, change func(map[string]any)) map[string]any {
		c := right(jti)
		change(c)
		return c
	}
	bySID := with("2", func(c map[string]any) { delete(c, "sub"); c["sid"] = "s" })
	if sub, sid, err = p.Logout(t.Context(), srv.Sign("", bySID)); err != nil || sub != "" || sid != "s" {
		t.Errorf("by session: %q, %q, %v", sub, sid, err)
	}
	set := func(name string, value any) string {
		return srv.Sign("logout+jwt", with("x-"+name, func(c map[string]any) { c[name] = value }))
	}
	without := func(name string) string {
		return srv.Sign("logout+jwt", with("w-"+name, func(c map[string]any) { delete(c, name) }))
	}
	for what, token := range map[string]string{
		"that came before":            srv.Sign("logout+jwt", right("1")),
		"alg none":                    oidctest.Unsigned(right("3")),
		"by a shared secret":          srv.SignBy(oidctest.Secret, right("4")),
		"of somebody else":            rogue.Sign("logout+jwt", right("5")),
		"for another client":          set("aud", "other"),
		"of another issuer":           set("iss", rogue.Issuer),
		"without events":              without("events"),
		"with other events":           set("events", map[string]any{"http://schemas.openid.net/event/other": map[string]any{}}),
		"with an event that is none":  set("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": "x"}),
		"with a nonce, as ID tokens":  set("nonce", "n"),
		"of nobody":                   without("sub"),
		"without an ID":               without("jti"),
		"without a time":              without("iat"),
		"of an hour ago":              set("iat", time.Now().Add(-time.Hour).Unix()),
		"of tomorrow":                 set("iat", time.Now().Add(24*time.Hour).Unix()),
		"that has expired":            set("exp", time.Now().Add(-2*time.Minute).Unix()),
		"of another type":             srv.Sign("at+jwt", right("6")),
		"empty":                       "",
		"that is none":                "x.y.z",
		"longer than anybody's needs": strings.Repeat("a", 20<<10),
	} {
		if sub, sid, err := p.Logout(t.Context(), token); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("a token %s: %q, %q, %v", what, sub, sid, err)
		}
	}
}

func FuzzLogout(f *testing.F) {
	f.Add("")
	f.Add("a.b.c")
	f.Add(oidctest.Unsigned(map[string]any{"sub": "7"}))
	p := oidc.New(oidc.Options{Name: "company", Issuer: "http://127.0.0.1:1", ClientID: "x"})
	f.Fuzz(func(t *testing.T, token string) {
		if sub, sid, err := p.Logout(t.Context(), token); err == nil {
			t.Errorf("%q logs %q %q out", token, sub, sid)
		}
	})
}
