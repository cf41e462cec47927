package api_test

import (
	"net/http"
	"strings"
	"testing"

	"trivium/identity"
)

func TestProblems(t *testing.T) {
	s := start(t, identity.LevelAdmin, identity.LevelUser, identity.LevelRoot)
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		code, detail, hint string
	}{
		"unknown user":     {http.MethodGet, "/users/usr", "", 404, "not_found", `no user "usr"`, `Did you mean "user"?`},
		"no name at all":   {http.MethodGet, "/users/a%20b", "", 404, "not_found", `no user "a b"`, ""},
		"dots for a name":  {http.MethodGet, "/users/%2E%2E", "", 404, "not_found", `no user ".."`, ""},
		"unknown group":    {http.MethodGet, "/groups/admim", "", 404, "not_found", `no group "admim"`, `Did you mean "admin"?`},
		"unknown token":    {http.MethodGet, "/tokens/abc", "", 404, "not_found", `no token "abc"`, ""},
		"unknown session":  {http.MethodGet, "/sessions/abc", "", 404, "not_found", `no session "abc"`, ""},
		"unknown alias":    {http.MethodDelete, "/aliases/abc", "", 404, "not_found", `no alias "abc"`, ""},
		"exists":           {http.MethodPost, "/users", `{"login":"USER"}`, 409, "exists", "", ""},
		"bad login":        {http.MethodPost, "/users", `{"login":"a b"}`, 422, "invalid", "is not a name", ""},
		"bad level":        {http.MethodPost, "/users", `{"login":"x","level":"king"}`, 422, "invalid", "", ""},
		"bad road":         {http.MethodPost, "/users", `{"login":"x","protocols":["smtp"]}`, 422, "invalid", "smtp", ""},
		"unknown member":   {http.MethodPost, "/users", `{"login":"x","admin":true}`, 422, "invalid", "admin: unexpected property", ""},
		"missing member":   {http.MethodPost, "/users", `{}`, 422, "invalid", "login", ""},
		"unknown query":    {http.MethodGet, "/users?evil=1", "", 422, "invalid", "unknown query parameter", ""},
		"no JSON":          {http.MethodPost, "/users", `{"login":`, 400, "invalid", "", ""},
		"not an object":    {http.MethodPost, "/users", `[1]`, 422, "invalid", "", ""},
		"above one's own":  {http.MethodPatch, "/users/root", `{"display":"x"}`, 403, "refused", "", ""},
		"makes a superior": {http.MethodPost, "/users", `{"login":"x","level":100}`, 403, "refused", "", ""},
		"too deep":         {http.MethodPost, "/users", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), 400, "invalid", "deep", ""},
		"too large":        {http.MethodPost, "/users", `{"login":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large", "1 MB", ""},
		"other method":     {http.MethodPut, "/users", `{}`, 405, "method_not_allowed", "GET, POST", ""},
		"bad prefix":       {http.MethodPost, "/tokens", `{"user":"user","scopes":["ftp"],"from":["home"]}`, 422, "invalid", "home", ""},
		"bad scope":        {http.MethodPost, "/tokens", `{"user":"user","scopes":["smtp"]}`, 422, "invalid", "smtp", ""},
		"ids or user":      {http.MethodPost, "/sessions/end", `{}`, 422, "invalid", "either", ""},
		"no ban":           {http.MethodDelete, "/bans/192.0.2.0%2F24", "", 404, "not_found", "192.0.2.0/24", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.ask(t, basic("admin"), tt.method, tt.path, tt.body)
			p := got.problem(t)
			if p.Status != tt.status || p.Code != tt.code || !strings.Contains(p.Detail, tt.detail) || tt.hint != "" && p.Hint != tt.hint {
				t.Errorf("got %s", got.body)
			}
			if p.Detail == "" {
				t.Error("no detail")
			}
		})
	}
}

func TestMediaTypesAndOrigins(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	for name, tt := range map[string]struct {
		header, value string
		status        int
	}{
		"form":           {"Content-Type", "application/x-www-form-urlencoded", http.StatusUnsupportedMediaType},
		"text":           {"Content-Type", "text/plain", http.StatusUnsupportedMediaType},
		"another site":   {"Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		"another origin": {"Origin", "https://evil.example", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/users", strings.NewReader(`{"login":"x"}`))
			check(t, err)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", basic("admin"))
			req.Header.Set(tt.header, tt.value)
			if got := do(t, req); got.status != tt.status {
				t.Errorf("%d %s", got.status, got.body)
			}
			if _, err := s.id.User(t.Context(), "x"); err == nil {
				t.Error("the account was made")
			}
		})
	}
}

func TestSecretsAreNotEchoed(t *testing.T) {
	s := start(t, identity.LevelAdmin, identity.LevelUser)
	const secret = "hunter2-hunter2-hunter2"
	for _, body := range []string{
		`{"password":["` + secret + `"]}`, `{"password":{"` + secret + `":1}}`, `{"password":"` + secret + `","extra":1}`, `{"password":"` + secret,
		`{"password":"` + secret + `\u0000"}`, `{"password":"` + strings.Repeat(secret, 1000) + `"}`,
	} {
		got := s.ask(t, basic("admin"), http.MethodPut, "/users/user/password", body)
		if strings.Contains(got.body, secret) {
			t.Errorf("the password comes back for %.60s: %.200s", body, got.body)
		}
	}
	if strings.Contains(s.log.String(), "hunter2") || strings.Contains(s.log.String(), password) {
		t.Error("a password is in the log")
	}
}
