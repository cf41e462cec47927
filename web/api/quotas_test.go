package api_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"trivium/identity"
	"trivium/web/api"
)

func TestQuotas(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelStaff, identity.LevelAdmin)
	home := filepath.Join(s.files, "example.org", "home", "user")
	check(t, os.MkdirAll(filepath.Join(home, "d"), 0o750))
	check(t, os.WriteFile(filepath.Join(home, "d", "f"), []byte("12345"), 0o600))
	holds := func(who, method, path, body string, bytes, entries int64) {
		t.Helper()
		var q api.Quota
		s.ask(t, basic(who), method, path, body).into(t, &q)
		if q.Bytes != bytes || q.Files != entries || q.User == nil || *q.User != "user" || q.Path != "/home/user" ||
			q.LimitBytes != 1000 || q.SoftBytes != 800 || q.LimitFiles != -1 || q.CountedAt == nil || !q.Current || q.GraceEnds != nil {
			t.Errorf("%s %s: %+v", method, path, q)
		}
	}
	holds("user", http.MethodGet, "/me/quota", "", 5, 2)
	holds("staff", http.MethodGet, "/users/user/quota", "", 5, 2)
	check(t, os.WriteFile(filepath.Join(home, "by-hand"), []byte("678"), 0o600))
	holds("user", http.MethodGet, "/me/quota", "", 5, 2)
	holds("admin", http.MethodPost, "/quotas/recount", `{"tree":"example.org/home/user"}`, 8, 3)
	holds("user", http.MethodGet, "/me/quota", "", 8, 3)
	var list []api.Quota
	s.ask(t, basic("admin"), http.MethodGet, "/quotas", "").into(t, &list)
	if len(list) != 1 || list[0].Tree != "example.org/home/user" || list[0].Bytes != 8 {
		t.Errorf("%+v", list)
	}
	for _, tt := range []struct {
		who, method, path, body string
		status                  int
	}{
		{"staff", http.MethodGet, "/quotas", "", http.StatusNotFound},
		{"staff", http.MethodPost, "/quotas/recount", `{"tree":"example.org/home/user"}`, http.StatusNotFound},
		{"user", http.MethodGet, "/users/user/quota", "", http.StatusNotFound},
		{"staff", http.MethodGet, "/users/nobody-of-that-name/quota", "", http.StatusNotFound},
		{"admin", http.MethodPost, "/quotas/recount", `{"tree":"example.org"}`, http.StatusNotFound},
		{"admin", http.MethodPost, "/quotas/recount", `{"tree":"example.org/home/../home/user"}`, http.StatusNotFound},
		{"admin", http.MethodPost, "/quotas/recount", `{}`, http.StatusUnprocessableEntity},
	} {
		if got := s.ask(t, basic(tt.who), tt.method, tt.path, tt.body); got.status != tt.status {
			t.Errorf("%s: %s %s %s: %d %s", tt.who, tt.method, tt.path, tt.body, got.status, got.body)
		}
	}
}
