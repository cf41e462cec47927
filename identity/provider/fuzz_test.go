package provider_test

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/identity/provider"
	"trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
)

// wired is a provider on a real store, with one application.
func wired(t testing.TB) (*identity.Service, *provider.Provider, identity.Application) {
	t.Helper()
	db := sqltest.Migrated(t, sqlstore.Migrate)
	s, err := identity.New(t.Context(), identity.Options{Store: sqlstore.New(db), Domain: "example.org", SealKey: make([]byte, 32), SCRAMIterations: 4096,
		Applications: identity.Applications{On: true}})
	if err != nil {
		t.Fatal(err)
	}
	app, _, err := s.AddApplication(t.Context(), identity.Actor{Level: identity.LevelRoot}, identity.Application{ID: "wiki", Name: "Wiki",
		Redirects: []string{"https://wiki.example.org/cb"}, LogoutRedirects: []string{"https://wiki.example.org/"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	return s, provider.New(provider.Options{Identity: s, Issuer: "https://example.org"}), app
}

// FuzzTokens: nothing that was not given out is a token, whatever it looks like.
func FuzzTokens(f *testing.F) {
	s, p, app := wired(f)
	for _, seed := range []string{"", "x.y.z", "tva_", "tvr_" + strings.Repeat("A", 67), "tvc_" + strings.Repeat("_", 66), "tva_" + strings.Repeat("=", 66),
		"eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2V4YW1wbGUub3JnIn0.AAAA", "{}", `{"payload":"e30","signatures":[]}`,
		"eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.e30.AAAA", "a.b", "\x00", "tva_\xff", strings.Repeat("e30.", 3000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ctx, v := t.Context(), identity.NewSecret(text)
		if h, ok := p.ReadHint(ctx, text); ok {
			t.Errorf("a hint: %+v", h)
		}
		if _, err := s.Introspect(ctx, v, netip.Addr{}); !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("introspection: %v", err)
		}
		if _, err := s.ApplicationAccess(ctx, v); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("access: %v", err)
		}
		if _, err := s.Redeem(ctx, app, v, "https://wiki.example.org/cb", text, identity.Actor{}); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("a code: %v", err)
		}
		if _, err := s.Refresh(ctx, app, v, identity.Actor{}); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("a refresh token: %v", err)
		}
		if err := s.RevokeApplicationToken(ctx, app, v, identity.Actor{}); err != nil {
			t.Errorf("revocation: %v", err)
		}
	})
}

// FuzzRequests: whatever a request says, the browser goes to addresses of the application alone.
func FuzzRequests(f *testing.F) {
	_, p, _ := wired(f)
	good := "client_id=wiki&redirect_uri=https%3A%2F%2Fwiki.example.org%2Fcb&response_type=code&scope=openid&nonce=n"
	for _, seed := range []string{"", good, good + "&prompt=none&max_age=0&state=%00", good + "&code_challenge=x&code_challenge_method=S256", "client_id=wiki&redirect_uri=https://wiki.example.org/cb.evil.example",
		"client_id=%ff", good + "&redirect_uri=https://evil.example", "post_logout_redirect_uri=https://wiki.example.org/&client_id=wiki&state=%0d%0a", "id_token_hint=x.y.z", good + "&request=x", strings.Repeat("a=b&", 500)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		r, err := p.Read(t.Context(), q)
		var refusal *provider.Refusal
		var untrusted *provider.UntrustedError
		switch {
		case errors.As(err, &untrusted):
			if untrusted.Text == "" {
				t.Error("no reason is given")
			}
		case err == nil || errors.As(err, &refusal):
			to := p.Code(r, identity.NewSecret("c"))
			if refusal != nil {
				to = p.Refuse(r, refusal)
			}
			u, err := url.Parse(to)
			if err != nil || !strings.HasPrefix(to, "https://wiki.example.org/cb?") || u.Query().Get("iss") != "https://example.org" || strings.ContainsAny(to, "\r\n\x00 \"<") {
				t.Errorf("sent to %q", to)
			}
		default:
			t.Errorf("%q: %v", raw, err)
		}
		if b, err := p.ReadFarewell(t.Context(), q); err == nil && b.Back != "" && !strings.HasPrefix(b.Back, "https://wiki.example.org/") {
			t.Errorf("sent to %q", b.Back)
		}
	})
}
