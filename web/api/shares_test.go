package api_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/tokens"
	"trivium/web/api"
)

func TestShares(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelCustomer, identity.LevelAdmin)
	home := filepath.Join(s.files, "example.org", "home", "user")
	check(t, os.MkdirAll(filepath.Join(home, "d"), 0o755))
	check(t, os.WriteFile(filepath.Join(home, "a.txt"), []byte("one"), 0o644))
	var x api.Share
	s.ask(t, basic("user"), http.MethodPost, "/shares", `{"path":"/a.txt","password":"open","ttl":3600,"limit":3,"note":"n"}`).into(t, &x)
	if x.Kind != "file" || !x.Password || x.Limit != 3 || x.ExpiresAt == nil || x.User != "user" || !strings.Contains(x.Link, "/s/") || x.Note != "n" {
		t.Errorf("%+v", x)
	}
	var all []api.Share
	s.ask(t, basic("admin"), http.MethodGet, "/shares?user=user", "").into(t, &all)
	if len(all) != 1 || all[0].ID != x.ID || all[0].Link != "" {
		t.Errorf("%+v", all)
	}
	reader := s.token(t, tokens.Request{User: "user", Label: "reads", Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeFilesRead}})
	for _, tt := range []struct {
		who, method, path, body string
		status                  int
	}{
		{basic("customer"), http.MethodGet, "/shares?user=user", "", http.StatusNotFound},
		{basic("customer"), http.MethodDelete, "/shares/" + x.ID, "", http.StatusNotFound},
		{basic("user"), http.MethodPost, "/shares", `{"path":"/none"}`, http.StatusNotFound},
		{basic("user"), http.MethodPost, "/shares", `{"path":"/a.txt","drop":true}`, http.StatusUnprocessableEntity},
		{basic("user"), http.MethodPost, "/shares", `{"path":"/a.txt","limit":-1}`, http.StatusUnprocessableEntity},
		{"Bearer " + reader, http.MethodPost, "/shares", `{"path":"/a.txt"}`, http.StatusForbidden},
		{basic("user"), http.MethodPost, "/shares", `{"path":"/d","drop":true}`, http.StatusOK},
		{basic("admin"), http.MethodDelete, "/shares/" + x.ID, "", http.StatusNoContent},
		{basic("user"), http.MethodDelete, "/shares/" + x.ID, "", http.StatusNotFound},
	} {
		if a := s.ask(t, tt.who, tt.method, tt.path, tt.body); a.status != tt.status {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, a.status, a.body)
		}
	}
	log, err := s.id.Audit(t.Context(), identity.AuditFilter{Event: "share.*"})
	if err != nil || len(log) != 3 || log[0].Actor != "admin" || log[0].Subject != "user" {
		t.Errorf("%+v, %v", log, err)
	}
}
