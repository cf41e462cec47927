package api_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"

	"trivium/identity"
	"trivium/tokens"
	"trivium/web/api"
)

func TestIdempotencyKey(t *testing.T) {
	s := start(t, identity.LevelAdmin, identity.LevelUser)
	auth := basic("admin")
	const key = `"8e03978e-40d5-43dd-bc93-6894a57f9324"`
	const body = `{"scopes":["ftp"],"label":"backup"}`
	first := s.with(t, auth, http.MethodPost, "/tokens", body, "Idempotency-Key", key)
	var token api.IssuedToken
	first.into(t, &token)
	if first.status != http.StatusCreated || token.Text == "" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	for _, same := range []string{key, strings.Trim(key, `"`)} {
		got := s.with(t, auth, http.MethodPost, "/tokens", body, "Idempotency-Key", same)
		if got.status != first.status || got.body != first.body || got.header.Get("Idempotency-Replayed") != "true" || got.header.Get("Content-Type") != first.header.Get("Content-Type") {
			t.Errorf("with %s: %d %s", same, got.status, got.body)
		}
	}
	if list, err := s.tokens.List(t.Context(), "admin"); err != nil || len(list) != 1 {
		t.Errorf("%d tokens, %v", len(list), err)
	}
	if p := s.with(t, auth, http.MethodPost, "/tokens", `{"scopes":["web"]}`, "Idempotency-Key", key).problem(t); p.Status != http.StatusUnprocessableEntity || p.Code != "key_reused" {
		t.Errorf("with another body: %+v", p)
	}
	if p := s.with(t, auth, http.MethodPost, "/groups", `{"name":"x"}`, "Idempotency-Key", key).problem(t); p.Code != "key_reused" {
		t.Errorf("at another path: %+v", p)
	}

	acc, err := s.id.User(t.Context(), "admin")
	check(t, err)
	row, err := s.id.Reader().Once(t.Context(), "account:"+string(acc.ID), strings.Trim(key, `"`))
	check(t, err)
	if len(row.Answer) == 0 || bytes.Contains(row.Answer, []byte("secret-token")) || bytes.Contains(row.Answer, []byte("backup")) || bytes.Contains(row.Print, []byte("backup")) {
		t.Error("the store holds the answer as it was")
	}

	// Keys of others are theirs: no other account and no token of the same one gets that answer.
	for name, other := range map[string]string{"user": basic("user"),
		"a token": bearer(s.token(t, tokens.Request{User: "admin", Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeFTP}}))} {
		got := s.with(t, other, http.MethodPost, "/tokens", body, "Idempotency-Key", key)
		if got.status != http.StatusCreated || got.body == first.body {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// A request that did nothing may come again with its key.
func TestIdempotencyKeyOfAFailure(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	auth := basic("admin")
	ask := func() answer {
		return s.with(t, auth, http.MethodPost, "/aliases", `{"alias":"boss","user":"chief"}`, "Idempotency-Key", "k1")
	}
	if got := ask(); got.status != http.StatusNotFound {
		t.Errorf("%d %s", got.status, got.body)
	}
	s.add(t, "chief", identity.LevelUser)
	if got := ask(); got.status != http.StatusCreated || got.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := ask(); got.status != http.StatusCreated || got.header.Get("Idempotency-Replayed") == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestIdempotencyKeyAtOnce(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	const many = 10
	answers := make([]answer, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			answers[i] = s.with(t, basic("admin"), http.MethodPost, "/tokens", `{"scopes":["ftp"]}`, "Idempotency-Key", "at-once")
		})
	}
	wg.Wait()
	for _, got := range answers {
		switch got.status {
		case http.StatusCreated:
		case http.StatusConflict:
			if p := got.problem(t); p.Code != "busy" || got.header.Get("Retry-After") == "" {
				t.Errorf("%+v", p)
			}
		default:
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if list, err := s.tokens.List(t.Context(), "admin"); err != nil || len(list) != 1 {
		t.Errorf("%d tokens, %v", len(list), err)
	}
}

func TestBadIdempotencyKeys(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	for _, bad := range []string{`"`, `""`, `"a`, `"a"b`, `"a\x"`, `a b`, "é", `"` + strings.Repeat("a", 256) + `"`, strings.Repeat("a", 256), `"a", "b"`} {
		got := s.with(t, basic("admin"), http.MethodPost, "/groups", `{"name":"x"}`, "Idempotency-Key", bad)
		if p := got.problem(t); p.Status != http.StatusBadRequest {
			t.Errorf("%.30q: %+v", bad, p)
		}
	}
	if _, err := s.id.Group(t.Context(), "x"); err == nil {
		t.Error("a group was made")
	}
}
