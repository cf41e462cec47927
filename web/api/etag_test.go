package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"trivium/identity"
	"trivium/web/api"
)

// ask with further fields of the head.
func (s *server) with(t testing.TB, auth, method, path, body string, fields ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	check(t, err)
	req.Header.Set("Authorization", auth)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	return do(t, req)
}

// peopled is a server with a person, a group, an application, an invitation and a rule.
func peopled(t *testing.T) (s *server, auth string, targets map[string]string) {
	t.Helper()
	s = start(t, identity.LevelAdmin)
	s.add(t, "alice", identity.LevelUser)
	auth = basic("admin")
	for _, x := range []struct{ path, body string }{
		{"/groups", `{"name":"team"}`},
		{"/groups/team/members", `{"users":["alice"]}`},
		{"/applications", `{"name":"Wiki","redirects":["https://wiki.example.org/in"]}`},
		{"/policy/changes", `{"changes":[{"pattern":"web:/shares","level":"user"}]}`},
	} {
		if got := s.ask(t, auth, http.MethodPost, x.path, x.body); got.status >= 300 {
			t.Fatalf("%s: %d %s", x.path, got.status, got.body)
		}
	}
	var inv api.Invitation
	s.ask(t, auth, http.MethodPost, "/invites", `{"note":"for Bob"}`).into(t, &inv)
	return s, auth, map[string]string{"/users/{name}": "/users/alice", "/groups/{name}": "/groups/team",
		"/applications/{id}": "/applications/wiki", "/invites/{id}": "/invites/" + inv.ID, "/policy": "/policy"}
}

// Every operation that takes If-Match refuses a tag that is not the present one, does nothing then, and
// names no such thing to those from whom it is hidden.
func TestIfMatchOfEveryOperation(t *testing.T) {
	s, auth, targets := peopled(t)
	bodies := map[string]string{
		"set-me": `{"display":"X"}`, "set-user": `{"display":"X"}`, "set-password": `{"password":"another long password"}`, "set-user-source": `{"source":""}`,
		"must-change": `{"must_change":true}`, "add-certificate": `{"pem":"x"}`, "set-group": `{"room":true}`,
		"add-members": `{"users":["admin"]}`, "remove-members": `{"users":["alice"]}`, "set-application": `{"name":"X"}`,
		"change-policy": `{"changes":[{"pattern":"web:/trash","level":"user"}]}`,
		"import-policy": `{"text":"<Limit SITE_CHMOD>\nDenyAll\n</Limit>","apply":true}`,
	}
	// These cannot come as far as their transaction here: there is no such factor, certificate or directory.
	far := map[string]bool{"add-certificate": true, "remove-certificate": true, "set-user-source": true}
	before := map[string]string{}
	for at, path := range targets {
		got := s.ask(t, auth, http.MethodGet, path, "")
		tag := got.header.Get("ETag")
		if got.status != http.StatusOK || len(tag) < 10 || strings.HasPrefix(tag, "W/") {
			t.Fatalf("GET %s: %d, tag %q", path, got.status, tag)
		}
		before[at] = tag
	}
	n := 0
	for _, r := range s.api.Routes() {
		if !r.Conditional || far[r.Operation] {
			continue
		}
		n++
		path := r.Path
		for at, to := range targets {
			path = strings.Replace(path, at, to, 1)
		}
		path = strings.NewReplacer("{user}", "alice", "{id}", "nosuch").Replace(path)
		got := s.with(t, auth, r.Method, path, bodies[r.Operation], "If-Match", `"stale"`)
		if r.Operation == "remove-factor" && got.status == http.StatusNotFound {
			continue
		}
		if got.status != http.StatusPreconditionFailed {
			t.Errorf("%s: %d %s", r.Operation, got.status, got.body)
		} else if p := got.problem(t); p.Code != "changed" || p.Hint == "" {
			t.Errorf("%s: %+v", r.Operation, p)
		}
		// Weak tags never hold (RFC 9110 section 13.1.1).
		for at := range targets {
			if got := s.with(t, auth, r.Method, path, bodies[r.Operation], "If-Match", "W/"+before[at]); got.status != http.StatusPreconditionFailed {
				t.Errorf("%s with a weak tag: %d", r.Operation, got.status)
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d operations take If-Match", n)
	}
	for at, path := range targets {
		if got := s.ask(t, auth, http.MethodGet, path, ""); got.header.Get("ETag") != before[at] {
			t.Errorf("%s was changed: %s", path, got.body)
		}
	}
	if got := s.with(t, auth, http.MethodPost, "/groups", `{"name":"more"}`, "If-Match", `"x"`); got.status != http.StatusPreconditionFailed {
		t.Errorf("If-Match at an operation without: %d %s", got.status, got.body)
	}
	if got := s.with(t, auth, http.MethodPatch, "/users/nosuch", `{"display":"X"}`, "If-Match", `"x"`); got.status != http.StatusNotFound {
		t.Errorf("If-Match of nobody: %d %s", got.status, got.body)
	}
}

// A change with the tag of what was read happens, and gives the next tag; with * it happens where there is
// something.
func TestIfMatchHolds(t *testing.T) {
	s, auth, targets := peopled(t)
	for at, change := range map[string]struct{ method, path, body string }{
		"/users/{name}":      {http.MethodPatch, "", `{"display":"Alice A."}`},
		"/groups/{name}":     {http.MethodPatch, "", `{"room":true}`},
		"/applications/{id}": {http.MethodPatch, "", `{"name":"Wiki of all"}`},
		"/policy":            {http.MethodPost, "/changes", `{"changes":[{"pattern":"web:/trash","level":"user"}]}`},
		"/invites/{id}":      {http.MethodDelete, "", ""},
	} {
		path := targets[at]
		tag := s.ask(t, auth, http.MethodGet, path, "").header.Get("ETag")
		got := s.with(t, auth, change.method, path+change.path, change.body, "If-Match", `"other", `+tag)
		if got.status >= 300 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
			continue
		}
		now := s.ask(t, auth, http.MethodGet, path, "").header.Get("ETag")
		if now == tag {
			t.Errorf("%s has the tag that it had", path)
		}
		if got.header.Get("ETag") != "" && got.header.Get("ETag") != now {
			t.Errorf("%s: the change answered %s, GET %s", path, got.header.Get("ETag"), now)
		}
		if change.body != "" {
			if got := s.with(t, auth, change.method, path+change.path, change.body, "If-Match", tag); got.status != http.StatusPreconditionFailed {
				t.Errorf("%s with the old tag: %d", path, got.status)
			}
			if got := s.with(t, auth, change.method, path+change.path, change.body, "If-Match", "*"); got.status >= 300 {
				t.Errorf("%s with *: %d %s", path, got.status, got.body)
			}
		}
	}
}

// A log-in changes what is shown, and takes no change away from anybody.
func TestLogInIsNoChange(t *testing.T) {
	s, auth, _ := peopled(t)
	tag := s.ask(t, auth, http.MethodGet, "/users/alice", "").header.Get("ETag")
	if got := s.ask(t, basic("alice"), http.MethodGet, "/me", ""); got.status != http.StatusOK {
		t.Fatal(got.status)
	}
	eventually(t, func() bool {
		var u api.User
		got := s.with(t, auth, http.MethodGet, "/users/alice", "", "If-None-Match", tag)
		if got.status == http.StatusNotModified {
			return false
		}
		got.into(t, &u)
		return u.LastLogin != nil
	})
	if got := s.with(t, auth, http.MethodPatch, "/users/alice", `{"display":"A"}`, "If-Match", tag); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Of many who change what they have read at the same time one succeeds; the others hear of it.
func TestNoLostUpdate(t *testing.T) {
	s, _, _ := peopled(t)
	const many = 8
	tag := s.control2(t, http.MethodGet, "/groups/team", "", "").header.Get("ETag")
	var wg sync.WaitGroup
	codes := make([]int, many)
	for i := range many {
		wg.Go(func() {
			codes[i] = s.control2(t, http.MethodPatch, "/groups/team", fmt.Sprintf(`{"quota_bytes":%d}`, 1000+i), tag).status
		})
	}
	wg.Wait()
	ok := 0
	for _, c := range codes {
		switch c {
		case http.StatusOK:
			ok++
		case http.StatusPreconditionFailed:
		default:
			t.Errorf("status %d", c)
		}
	}
	if ok != 1 {
		t.Errorf("%d of %d changes happened: %v", ok, many, codes)
	}
}

func TestNotModified(t *testing.T) {
	s, auth, targets := peopled(t)
	for _, path := range []string{targets["/users/{name}"], "/users", "/groups", "/policy", "/config", "/openapi.json", "/applications", "/me"} {
		got := s.ask(t, auth, http.MethodGet, path, "")
		tag := got.header.Get("ETag")
		if got.status != http.StatusOK || tag == "" {
			t.Errorf("%s: %d %q", path, got.status, tag)
			continue
		}
		for _, field := range []string{tag, "W/" + tag, `"a", "b",` + tag, "*"} {
			got := s.with(t, auth, http.MethodGet, path, "", "If-None-Match", field)
			if got.status != http.StatusNotModified || got.body != "" || got.header.Get("ETag") != tag {
				t.Errorf("%s with %s: %d %s", path, field, got.status, got.body)
			}
		}
		if got := s.with(t, auth, http.MethodGet, path, "", "If-None-Match", `"x"`); got.status != http.StatusOK || got.header.Get("ETag") != tag {
			t.Errorf("%s with another tag: %d", path, got.status)
		}
	}
	for _, bad := range []string{"x", `"x`, `"a" "b"`, `W/x`, `*, "a"`, strings.Repeat(`"a",`, 100)} {
		if p := s.with(t, auth, http.MethodGet, "/users/alice", "", "If-None-Match", bad).problem(t); p.Status != http.StatusBadRequest {
			t.Errorf("%q: %+v", bad, p)
		}
	}
}

// Lists come in pages; each element comes once, also where one goes between two pages.
func TestPages(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	auth := basic("admin")
	for i := range 7 {
		name := fmt.Sprintf("p%d", i)
		s.add(t, name, identity.LevelUser)
		if _, err := s.id.AddGroup(t.Context(), root(), "g"+name, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.id.AddBan(t.Context(), root(), identity.NewBan{Prefix: fmt.Sprintf("192.0.2.%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		path, key string
		gone      func()
		want      int
	}{
		{"/users", "login", func() { check(t, s.id.RemoveUser(t.Context(), root(), "p1")) }, 8},
		{"/groups", "name", func() { check(t, s.id.RemoveGroup(t.Context(), root(), "gp0")) }, 0},
		{"/bans?sort=prefix", "prefix", func() {}, 7},
		{"/config", "key", func() {}, 0},
	} {
		var all []map[string]any
		s.ask(t, auth, http.MethodGet, tt.path, "").into(t, &all)
		if tt.want > 0 && len(all) != tt.want {
			t.Errorf("%s has %d elements", tt.path, len(all))
		}
		seen := map[string]int{}
		join := "?"
		if strings.Contains(tt.path, "?") {
			join = "&"
		}
		for next, n := tt.path+join+"limit=3", 0; next != ""; n++ {
			got := s.ask(t, auth, http.MethodGet, next, "")
			var page []map[string]any
			got.into(t, &page)
			if len(page) == 0 || len(page) > 3 {
				t.Fatalf("%s: a page of %d", next, len(page))
			}
			for _, x := range page {
				seen[fmt.Sprint(x[tt.key])]++
			}
			if n == 1 {
				tt.gone()
			}
			next = strings.TrimPrefix(strings.TrimSuffix(got.header.Get("Link"), `>; rel="next"`), "</api/v1")
		}
		for _, x := range all {
			if n := seen[fmt.Sprint(x[tt.key])]; n != 1 {
				t.Errorf("%s: %v came %d times", tt.path, x[tt.key], n)
			}
		}
	}
	link := s.ask(t, auth, http.MethodGet, "/groups?limit=1", "").header.Get("Link")
	cursor := strings.TrimSuffix(link[strings.Index(link, "cursor=")+7:], `&limit=1>; rel="next"`)
	for _, path := range []string{"/groups?limit=1001", "/groups?limit=-1", "/groups?limit=x", "/groups?cursor=x", "/groups?cursor=%00",
		"/groups?cursor=" + strings.Repeat("A", 2000), "/aliases?cursor=" + cursor, "/users?cursor=" + cursor, "/groups?nosuch=1", "/bans?kind=manual&cursor=" + cursor} {
		if p := s.ask(t, auth, http.MethodGet, path, "").problem(t); p.Status != http.StatusUnprocessableEntity {
			t.Errorf("%.60s: %+v", path, p)
		}
	}
}

// Whatever is wrong with a request, the answer is a problem document.
func TestEveryFaultIsAProblem(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	auth := basic("admin")
	for _, tt := range []struct {
		name, method, path, body string
		fields                   []string
		want                     int
		code                     string
	}{
		{"no such path", http.MethodGet, "/nosuch", "", nil, http.StatusNotFound, "not_found"},
		{"method", http.MethodPut, "/users", "{}", nil, http.StatusMethodNotAllowed, "method_not_allowed"},
		{"unknown method", "BREW", "/users", "", nil, http.StatusMethodNotAllowed, "method_not_allowed"},
		{"too large", http.MethodPost, "/groups", `{"name":"` + strings.Repeat("a", 1<<20) + `"}`, nil, http.StatusRequestEntityTooLarge, "too_large"},
		{"too deep", http.MethodPost, "/groups", strings.Repeat("[", 1000), nil, http.StatusBadRequest, "invalid"},
		{"text", http.MethodPost, "/groups", `{"name":"a"}`, []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType, "unsupported_media_type"},
		{"XML", http.MethodPost, "/groups", `<a/>`, []string{"Content-Type", "application/xml"}, http.StatusUnsupportedMediaType, "unsupported_media_type"},
		{"no JSON", http.MethodPost, "/groups", `{`, nil, http.StatusBadRequest, "invalid"},
		{"other form", http.MethodPost, "/groups", `[]`, nil, http.StatusUnprocessableEntity, "invalid"},
		{"empty", http.MethodPost, "/groups", ``, nil, http.StatusBadRequest, "invalid"},
		{"UTF-16", http.MethodPost, "/groups", "\xff\xfe{\x00", nil, http.StatusBadRequest, "invalid"},
		{"If-Match", http.MethodPatch, "/groups/a", `{}`, []string{"If-Match", "a"}, http.StatusBadRequest, "invalid"},
		{"unknown parameter", http.MethodGet, "/groups?x=1", ``, nil, http.StatusUnprocessableEntity, "invalid"},
		{"query", http.MethodGet, "/groups?x=%zz", ``, nil, http.StatusBadRequest, "invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.with(t, auth, tt.method, tt.path, tt.body, tt.fields...)
			if p := got.problem(t); p.Status != tt.want || p.Code != tt.code || p.Detail == "" {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// control2 asks by the control socket's handler.
func (s *server) control2(t testing.TB, method, path, body, match string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, api.Prefix+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return answer{}
	}
	req.Header.Set("Content-Type", "application/json")
	if match != "" {
		req.Header.Set("If-Match", match)
	}
	rec := newRecorder()
	s.control.ServeHTTP(rec, req)
	var v any
	if rec.body.Len() > 0 && json.Unmarshal(rec.body.Bytes(), &v) != nil {
		t.Errorf("no JSON: %s", rec.body.String())
	}
	return answer{rec.status, rec.header, rec.body.String()}
}
