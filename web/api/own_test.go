package api_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/tokens"
)

func TestSessionJSON(t *testing.T) {
	s := start(t, identity.LevelUser)
	got := s.ask(t, basic("user"), http.MethodGet, "/sessions", "")
	var list []map[string]json.RawMessage
	got.into(t, &list)
	if len(list) != 1 {
		t.Fatalf("want the request's own session, got %s", got.body)
	}
	want := strings.Fields("id protocol state level user orig_user ident_user anon_user uid gid group gids groups class remote_addr local_addr tls jid resource priority presence interested user_agent lang token_id node started_at login_at last_activity bytes_in bytes_out transfer location")
	slices.Sort(want)
	var keys []string
	for k := range list[0] {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if !slices.Equal(keys, want) {
		t.Errorf("keys %v\nwant %v", keys, want)
	}
	if string(list[0]["user"]) != `"user"` || string(list[0]["protocol"]) != `"api"` || string(list[0]["level"]) != "10" || string(list[0]["jid"]) != "null" {
		t.Errorf("%s", got.body)
	}
}

func TestOwnSessionsOnly(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelCustomer, identity.LevelStaff, identity.LevelModerator, identity.LevelAdmin)
	ids := map[string]string{}
	for _, login := range []string{"user", "customer", "staff", "moderator", "admin"} {
		var list []identity.Info
		s.ask(t, basic(login), http.MethodGet, "/sessions?user="+login, "").into(t, &list)
		if len(list) != 1 {
			t.Fatalf("%s: %v", login, list)
		}
		ids[login] = list[0].ID
	}
	var list []identity.Info
	s.ask(t, basic("user"), http.MethodGet, "/sessions", "").into(t, &list)
	if len(list) != 1 || list[0].ID != ids["user"] {
		t.Errorf("a user sees %v", list)
	}
	s.ask(t, basic("staff"), http.MethodGet, "/sessions", "").into(t, &list)
	if len(list) != 5 {
		t.Errorf("staff sees %d of 5", len(list))
	}
	for _, tt := range []struct {
		who, whose string
		status     int
	}{
		{"user", "customer", http.StatusNotFound},
		{"staff", "user", http.StatusForbidden},
		{"moderator", "admin", http.StatusForbidden},
		{"moderator", "customer", http.StatusNoContent},
		{"admin", "moderator", http.StatusNoContent},
		{"admin", "nosuch", http.StatusNotFound},
	} {
		id := ids[tt.whose]
		if id == "" {
			id = tt.whose
		}
		if got := s.ask(t, basic(tt.who), http.MethodDelete, "/sessions/"+id, ""); got.status != tt.status {
			t.Errorf("%s ends the session of %s: %d %s", tt.who, tt.whose, got.status, got.body)
		}
		_, lives := s.id.Registry.Get(id)
		if tt.whose != "nosuch" && lives == (tt.status == http.StatusNoContent) {
			t.Errorf("%s ends the session of %s: it lives: %v", tt.who, tt.whose, lives)
		}
	}
	if a, b := s.ask(t, basic("user"), http.MethodGet, "/sessions?user=admin", ""), s.ask(t, basic("user"), http.MethodGet, "/sessions?user=nosuch", ""); a.body != b.body || a.status != b.status {
		t.Errorf("a user can tell who exists: %s %s", a.body, b.body)
	}
	var events []identity.AuditEvent
	for deadline := time.Now().Add(10 * time.Second); len(events) < 2 && time.Now().Before(deadline); runtime.Gosched() { // written behind
		var err error
		events, err = s.id.Audit(t.Context(), identity.AuditFilter{Event: "session.end"})
		check(t, err)
	}
	if len(events) != 2 || events[0].Actor != "admin" || events[0].Subject != "moderator" || events[0].Via != "api" {
		t.Errorf("audit: %+v", events)
	}
}

func TestEndByUser(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelAdmin)
	s.ask(t, basic("user"), http.MethodGet, "/me", "")
	var ended []identity.Info
	s.ask(t, basic("admin"), http.MethodPost, "/sessions/end", `{"user":"user","reason":"maintenance"}`).into(t, &ended)
	if len(ended) != 1 || *ended[0].User != "user" {
		t.Errorf("%v", ended)
	}
	s.ask(t, basic("admin"), http.MethodPost, "/sessions/end", `{"user":"user"}`).into(t, &ended)
	if len(ended) != 0 {
		t.Errorf("%v", ended)
	}
	if p := s.ask(t, basic("admin"), http.MethodPost, "/sessions/end", `{"user":"usr"}`).problem(t); p.Code != "not_found" {
		t.Errorf("%+v", p)
	}
	// All or none.
	s.ask(t, basic("user"), http.MethodGet, "/me", "")
	list := s.id.Registry.List(identity.Filter{User: "user"})
	if p := s.ask(t, basic("admin"), http.MethodPost, "/sessions/end", `{"ids":["`+list[0].ID+`","nosuch"]}`).problem(t); p.Code != "not_found" {
		t.Errorf("%+v", p)
	}
	if _, ok := s.id.Registry.Get(list[0].ID); !ok {
		t.Error("one was ended though another is unknown")
	}
}

// A token may be bound to a time and a place; it must not make itself a password that is not.
func TestTokenSetsNoOwnPassword(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelAdmin, identity.LevelRoot)
	for _, who := range []string{"admin", "root"} {
		full := bearer(s.token(t, tokens.Request{User: who, TTL: time.Hour, Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeAdmin}}))
		for _, body := range []string{`{"password":"a password of my own"}`, `{"password":""}`} {
			if got := s.ask(t, full, http.MethodPut, "/users/"+who+"/password", body); got.status != http.StatusForbidden {
				t.Errorf("%s: %d %s", who, got.status, got.body)
			}
		}
		if got := s.ask(t, full, http.MethodPut, "/users/user/password", `{"password":"a password for them"}`); got.status != http.StatusNoContent {
			t.Errorf("%s sets another's: %d %s", who, got.status, got.body)
		}
	}
	if got := s.ask(t, basic("admin"), http.MethodPut, "/users/admin/password", `{"password":"a password of my own"}`); got.status != http.StatusNoContent {
		t.Errorf("with the password itself: %d %s", got.status, got.body)
	}
}

func TestTokenScopes(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelAdmin)
	apiOnly := bearer(s.token(t, tokens.Request{User: "admin", Scopes: []tokens.Scope{tokens.ScopeAPI}}))
	full := bearer(s.token(t, tokens.Request{User: "admin", Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeAdmin}}))
	ftp := bearer(s.token(t, tokens.Request{User: "admin", Scopes: []tokens.Scope{tokens.ScopeFTP, tokens.ScopeWeb, tokens.ScopeAdmin}}))
	for name, tt := range map[string]struct {
		auth, path string
		status     int
	}{
		"api alone is capped":   {apiOnly, "/users", http.StatusNotFound},
		"api alone, own":        {apiOnly, "/me", http.StatusOK},
		"with admin":            {full, "/users", http.StatusOK},
		"another road":          {ftp, "/me", http.StatusUnauthorized},
		"not a token":           {"Bearer abc", "/me", http.StatusUnauthorized},
		"empty":                 {"Bearer ", "/me", http.StatusUnauthorized},
		"another scheme":        {"Digest abc", "/me", http.StatusUnauthorized},
		"token as the password": {"", "/me", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.ask(t, tt.auth, http.MethodGet, tt.path, ""); got.status != tt.status {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

func TestOwnTokensOnly(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelCustomer, identity.LevelAdmin)
	var made struct {
		ID, Token string
		User      string
		Scopes    []string
	}
	got := s.ask(t, basic("user"), http.MethodPost, "/tokens", `{"scopes":["ftp"],"ttl":3600,"label":"scanner"}`)
	got.into(t, &made)
	if got.status != http.StatusCreated || !strings.HasPrefix(made.Token, "secret-token:") || made.User != "user" || made.ID == "" {
		t.Errorf("%d %+v", got.status, made)
	}
	if got := s.ask(t, basic("user"), http.MethodGet, "/tokens", ""); strings.Contains(got.body, made.Token) || !strings.Contains(got.body, made.ID) {
		t.Errorf("the list: %s", got.body)
	}
	for _, tt := range []struct {
		auth, method, path, body string
		status                   int
	}{
		{basic("customer"), http.MethodGet, "/tokens/" + made.ID, "", http.StatusNotFound},
		{basic("customer"), http.MethodDelete, "/tokens/" + made.ID, "", http.StatusNotFound},
		{basic("customer"), http.MethodGet, "/tokens?user=user", "", http.StatusNotFound},
		{basic("customer"), http.MethodGet, "/tokens?user=nosuch", "", http.StatusNotFound},
		{basic("customer"), http.MethodGet, "/tokens?all=true", "", http.StatusNotFound},
		{basic("customer"), http.MethodPost, "/tokens", `{"user":"user","scopes":["ftp"]}`, http.StatusNotFound},
		{basic("admin"), http.MethodGet, "/tokens/" + made.ID, "", http.StatusOK},
		{basic("admin"), http.MethodPost, "/tokens/revoke", `{"ids":["` + made.ID + `","nosuch"]}`, http.StatusNotFound},
		{basic("user"), http.MethodGet, "/tokens/" + made.ID, "", http.StatusOK},
		{basic("user"), http.MethodDelete, "/tokens/" + made.ID, "", http.StatusNoContent},
		{basic("user"), http.MethodDelete, "/tokens/" + made.ID, "", http.StatusNotFound},
	} {
		if got := s.ask(t, tt.auth, tt.method, tt.path, tt.body); got.status != tt.status {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, got.status, got.body)
		}
	}
}

// A narrow token that was stolen must not make a wide one.
func TestATokenCannotWidenItself(t *testing.T) {
	s := start(t, identity.LevelUser)
	narrow := bearer(s.token(t, tokens.Request{User: "user", Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeFTP, tokens.ScopeFilesRead}, TTL: time.Hour,
		Path: "/home/user/in", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}))
	for name, tt := range map[string]struct {
		body string
		want int
	}{
		"the same":        {`{"scopes":["ftp","files:read"],"ttl":60,"path":"/home/user/in","from":["127.0.0.1"]}`, http.StatusCreated},
		"narrower":        {`{"scopes":["ftp","files:read"],"ttl":60,"path":"/home/user/in/a"}`, http.StatusCreated},
		"another scope":   {`{"scopes":["xmpp","files:read"],"ttl":60,"path":"/home/user/in"}`, http.StatusForbidden},
		"admin":           {`{"scopes":["api","admin","files:read"],"ttl":60,"path":"/home/user/in"}`, http.StatusForbidden},
		"writing":         {`{"scopes":["ftp"],"ttl":60,"path":"/home/user/in"}`, http.StatusForbidden},
		"longer":          {`{"scopes":["ftp","files:read"],"ttl":7200,"path":"/home/user/in"}`, http.StatusForbidden},
		"for ever":        {`{"scopes":["ftp","files:read"],"path":"/home/user/in"}`, http.StatusForbidden},
		"another path":    {`{"scopes":["ftp","files:read"],"ttl":60,"path":"/home/user/inbox"}`, http.StatusForbidden},
		"path with dots":  {`{"scopes":["ftp","files:read"],"ttl":60,"path":"/home/user/in/../.."}`, http.StatusUnprocessableEntity},
		"no path":         {`{"scopes":["ftp","files:read"],"ttl":60}`, http.StatusForbidden},
		"another address": {`{"scopes":["ftp","files:read"],"ttl":60,"path":"/home/user/in","from":["0.0.0.0/0"]}`, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.ask(t, narrow, http.MethodPost, "/tokens", tt.body); got.status != tt.want {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}
