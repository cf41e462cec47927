package api_test

import (
	"net/http"
	"testing"

	"trivium/identity"
	"trivium/web/api"
)

func TestUsersLifeCycle(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	auth := basic("admin")
	var u api.User
	got := s.ask(t, auth, http.MethodPost, "/users", `{"login":"Alice","level":"customer","password":"open sesame please","email":"a@example.org","display":"Alice A.","protocols":["ftp","web"]}`)
	got.into(t, &u)
	if got.status != http.StatusCreated || got.header.Get("Location") != "/api/v1/users/alice" || u.User != "alice" || u.Level != identity.LevelCustomer || u.UID < 10000 || u.Group != "alice" || u.Display != "Alice A." {
		t.Errorf("%d %s", got.status, got.body)
	}
	var g api.Group
	s.ask(t, auth, http.MethodPost, "/groups", `{"name":"staff"}`).into(t, &g)
	s.ask(t, auth, http.MethodPost, "/groups/staff/members", `{"users":["alice"],"manager":true}`).into(t, &g)
	if len(g.Members) != 1 || g.Members[0] != (api.Member{User: "alice", Manager: true}) {
		t.Errorf("%+v", g)
	}
	s.ask(t, auth, http.MethodGet, "/users/alice", "").into(t, &u)
	if len(u.Groups) != 1 || u.Groups[0] != "staff" || u.GIDs[0] != g.GID {
		t.Errorf("%+v", u)
	}
	s.ask(t, auth, http.MethodPatch, "/users/alice", `{"level":30,"quota_bytes":-1,"lang":"de","expires_at":"2099-01-01T00:00:00Z"}`).into(t, &u)
	if u.Level != identity.LevelStaff || u.QuotaBytes != -1 || u.Lang != "de" || u.Email != "a@example.org" || u.ExpiresAt == nil {
		t.Errorf("%+v", u)
	}
	var al api.Alias
	s.ask(t, auth, http.MethodPost, "/aliases", `{"alias":"ally","user":"alice"}`).into(t, &al)
	s.ask(t, auth, http.MethodGet, "/users/ally", "").into(t, &u)
	if u.User != "alice" {
		t.Errorf("%+v", u)
	}
	if got := s.ask(t, auth, http.MethodPut, "/users/alice/password", `{"password":"`+password+`"}`); got.status != http.StatusNoContent {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.ask(t, basic("ally"), http.MethodGet, "/me", ""); got.status != http.StatusOK {
		t.Errorf("by alias: %d %s", got.status, got.body)
	}
	s.ask(t, auth, http.MethodPost, "/users/alice/disable", "").into(t, &u)
	if got := s.ask(t, basic("alice"), http.MethodGet, "/me", ""); u.State != identity.UserDisabled || got.status != http.StatusUnauthorized {
		t.Errorf("disabled: %s, %d", u.State, got.status)
	}
	s.ask(t, auth, http.MethodPost, "/users/alice/enable", "").into(t, &u)
	if got := s.ask(t, basic("alice"), http.MethodGet, "/me", ""); u.State != identity.UserActive || got.status != http.StatusOK {
		t.Errorf("enabled: %s, %d", u.State, got.status)
	}
	for _, path := range []string{"/groups/staff/members/alice", "/aliases/ally", "/groups/staff", "/users/alice"} {
		if got := s.ask(t, auth, http.MethodDelete, path, ""); got.status != http.StatusNoContent {
			t.Errorf("DELETE %s: %d %s", path, got.status, got.body)
		}
	}
	if p := s.ask(t, auth, http.MethodPost, "/users", `{"login":"alice"}`).problem(t); p.Code != "exists" {
		t.Errorf("a removed login is free: %+v", p)
	}
}

func TestFurtherDomain(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	var u api.User
	s.ask(t, basic("admin"), http.MethodPost, "/users", `{"login":"bob@example.net"}`).into(t, &u)
	if u.User != "bob@example.net" || u.Login != "bob" || u.Domain != "example.net" {
		t.Errorf("%+v", u)
	}
	s.ask(t, basic("admin"), http.MethodGet, "/users/bob@example.net", "").into(t, &u)
	if p := s.ask(t, basic("admin"), http.MethodGet, "/users/bob", "").problem(t); p.Code != "not_found" {
		t.Errorf("%+v", p)
	}
}

func TestListsAreArrays(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	for _, path := range []string{"/users?text=nosuchtext", "/groups", "/aliases", "/tokens", "/sessions?protocol=ftp", "/sessions/doing", "/transfers", "/policy", "/classes", "/bans", "/audit?event=nosuch", "/config"} {
		got := s.ask(t, basic("admin"), http.MethodGet, path, "")
		if got.status != http.StatusOK || got.body == "" || got.body[0] != '[' {
			t.Errorf("%s: %d %.80s", path, got.status, got.body)
		}
	}
}

func TestSetupLink(t *testing.T) {
	s := start(t)
	ask := func() answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://trivium/api/v1/setup-link", nil)
		check(t, err)
		return local(t, s.control, req)
	}
	var link api.SetupLink
	ask().into(t, &link)
	if link.Code == "" || link.URL != "http://example.org:8080/setup?code="+link.Code {
		t.Errorf("%+v", link)
	}
	var again api.SetupLink
	ask().into(t, &again)
	if again != link {
		t.Errorf("the link changed from %+v to %+v", link, again)
	}
	s.add(t, "boss", identity.LevelRoot)
	if p := ask().problem(t); p.Code != "not_found" {
		t.Errorf("%+v", p)
	}
}
