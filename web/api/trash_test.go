package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"trivium/files"
	"trivium/identity"
	"trivium/tokens"
	"trivium/web/api"
)

func TestTrash(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelCustomer)
	ses, err := s.id.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolFTP})
	check(t, err)
	t.Cleanup(ses.Close)
	_, err = s.id.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "user", Secret: identity.NewSecret(password)})
	check(t, err)
	tree := s.tree.View(ses)
	put := func(p, content string) {
		t.Helper()
		u, err := tree.Create(t.Context(), p, files.UploadOptions{Size: -1})
		check(t, err)
		_, err = u.ReadFrom(strings.NewReader(content))
		check(t, err)
		_, err = u.Commit(t.Context())
		check(t, err)
	}
	put("/v", "one")
	put("/v", "two!")
	put("/a", "12345")
	put("/b", "67")
	check(t, tree.Remove(t.Context(), "/a"))
	check(t, tree.Remove(t.Context(), "/b"))
	list := func() (out []api.Trashed) {
		t.Helper()
		s.ask(t, basic("user"), http.MethodGet, "/trash", "").into(t, &out)
		return out
	}
	all := list()
	if len(all) != 2 || all[0].Path != "/b" || all[1].Path != "/a" || all[1].Bytes != 5 || all[1].By != "user" || all[1].Entries != 1 || all[1].Folder {
		t.Fatalf("%+v", all)
	}
	a, b := all[1].ID, all[0].ID
	var versions []api.OldVersion
	s.ask(t, basic("user"), http.MethodGet, "/versions?path="+url.QueryEscape("/v"), "").into(t, &versions)
	if len(versions) != 1 || versions[0].Bytes != 3 || versions[0].ReplacedBy != "user" {
		t.Fatalf("%+v", versions)
	}
	reader := s.token(t, tokens.Request{User: "user", Label: "reads", Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeFilesRead}})
	put("/c", "in the way")
	for _, tt := range []struct {
		who, method, path, body string
		status                  int
	}{
		{basic("customer"), http.MethodPost, "/trash/" + a + "/restore", `{}`, http.StatusNotFound},
		{basic("customer"), http.MethodDelete, "/trash/" + a, "", http.StatusNotFound},
		{basic("customer"), http.MethodDelete, "/trash", "", http.StatusNoContent}, // one's own alone
		{basic("customer"), http.MethodGet, "/versions?path=/v", "", http.StatusNotFound},
		{bearer(reader), http.MethodPost, "/trash/" + a + "/restore", `{}`, http.StatusNotFound},
		{bearer(reader), http.MethodPost, "/versions/restore", `{"path":"/v","id":"` + versions[0].ID + `"}`, http.StatusForbidden},
		{basic("user"), http.MethodPost, "/trash/" + a + "/restore", `{"to":"/c"}`, http.StatusConflict},
		{basic("user"), http.MethodPost, "/trash/" + a + "/restore", `{"to":"/c/d"}`, http.StatusUnprocessableEntity},
		{basic("user"), http.MethodPost, "/trash/" + a + "/restore", `{}`, http.StatusNoContent},
		{basic("user"), http.MethodPost, "/trash/" + a + "/restore", `{}`, http.StatusNotFound},
		{basic("user"), http.MethodDelete, "/trash/" + b, "", http.StatusNoContent},
		{basic("user"), http.MethodPost, "/versions/restore", `{"path":"/v","id":"` + versions[0].ID + `"}`, http.StatusNoContent},
		{basic("user"), http.MethodPost, "/versions/restore", `{"path":"/v","id":"` + versions[0].ID + `"}`, http.StatusNotFound},
		{basic("user"), http.MethodGet, "/versions?path=/", "", http.StatusUnprocessableEntity},
		{basic("user"), http.MethodGet, "/versions", "", http.StatusUnprocessableEntity},
	} {
		if got := s.ask(t, tt.who, tt.method, tt.path, tt.body); got.status != tt.status {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, got.status, got.body)
		}
	}
	if left := list(); len(left) != 0 {
		t.Errorf("%+v", left)
	}
	for p, size := range map[string]int64{"/a": 5, "/v": 3} {
		if i, err := tree.Stat(t.Context(), p); err != nil || i.Size != size {
			t.Errorf("%s: %+v, %v", p, i, err)
		}
	}
}
