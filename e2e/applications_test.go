package e2e

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// A person logs in to a wiki by the account here. The administrator disables the account: the wiki's
// tokens are dead before the command returns, and the wiki is told.
func TestLogInToAnotherApplication(t *testing.T) {
	const password = "correct horse battery"
	told := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.FormValue("logout_token") }))
	t.Cleanup(app.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	issuer := "http://" + addr
	s := serve(t, "--set", "web.listen="+addr, "--set", "web.public_url="+issuer, "--set", "provider.enabled=true")
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin", "--email", "alice@example.org")
	secret := strings.TrimSpace(s.run(t, "", "application", "add", "Wiki", "--redirect", app.URL+"/callback", "--logout-uri", app.URL+"/logout",
		"--scope", "profile,email,offline_access"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rp, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal(err)
	}
	conf := oauth2.Config{ClientID: "wiki", ClientSecret: secret, Endpoint: rp.Endpoint(), RedirectURL: app.URL + "/callback", Scopes: []string{"openid", "profile", "email", "offline_access"}}
	verifier := oauth2.GenerateVerifier()
	ask := strings.TrimPrefix(conf.AuthCodeURL("st", oauth2.S256ChallengeOption(verifier), oidc.Nonce("n")), issuer)

	web := newWeb(t, addr)
	status, to, _ := web.get(ask)
	if status != http.StatusSeeOther || !strings.HasPrefix(to, "/login?next=") {
		t.Fatalf("a stranger: %d %s", status, to)
	}
	web.login("alice", password)
	if status, _, page := web.get(ask); status != http.StatusOK || !strings.Contains(page, "Log in to Wiki?") {
		t.Fatalf("the question: %d %s", status, page)
	}
	_, query, _ := strings.Cut(ask, "?")
	_, _, page := web.submit(ask, "/oauth/consent", url.Values{"request": {query}, "answer": {"allow"}})
	_, rest, _ := strings.Cut(page, `href="`+app.URL+"/callback?")
	rest, _, _ = strings.Cut(rest, `"`)
	back, err := url.ParseQuery(strings.ReplaceAll(rest, "&amp;", "&"))
	if err != nil || back.Get("code") == "" || back.Get("state") != "st" || back.Get("iss") != issuer {
		t.Fatalf("sent back with %q, %v: %s", rest, err, page)
	}
	tok, err := conf.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := rp.Verifier(&oidc.Config{ClientID: "wiki"}).Verify(ctx, raw)
	if err != nil || id.Nonce != "n" {
		t.Fatalf("the ID token: %+v, %v", id, err)
	}
	info, err := rp.UserInfo(ctx, oauth2.StaticTokenSource(tok))
	if err != nil || info.Email != "alice@example.org" || info.Subject != id.Subject {
		t.Fatalf("userinfo: %+v, %v", info, err)
	}
	if out := s.run(t, "", "application", "uses", "alice", "--plain"); !strings.HasPrefix(out, "wiki\tWiki\t") {
		t.Errorf("uses: %q", out)
	}
	s.run(t, "", "user", "disable", "alice", "--yes")
	if _, err := rp.UserInfo(ctx, oauth2.StaticTokenSource(tok)); err == nil {
		t.Error("userinfo answers about an account that is disabled")
	}
	if _, err := conf.TokenSource(ctx, &oauth2.Token{RefreshToken: tok.RefreshToken}).Token(); err == nil {
		t.Error("a disabled account refreshes")
	}
	select {
	case raw := <-told:
		out, err := rp.Verifier(&oidc.Config{ClientID: "wiki"}).Verify(ctx, raw)
		if err != nil || out.Subject != id.Subject {
			t.Errorf("the logout token: %+v, %v", out, err)
		}
	case <-ctx.Done():
		t.Error("the application was not told")
	}
}
