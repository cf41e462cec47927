package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/tokens"
)

// levels says once more, in the test's own words, what each operation requires. An operation that
// is not here fails the test.
var levels = map[string]identity.Level{
	"openapi": identity.LevelNone, "reference": identity.LevelNone,

	"me": identity.LevelLoggedIn, "set-me": identity.LevelLoggedIn, "my-quota": identity.LevelLoggedIn, "version": identity.LevelLoggedIn,
	"list-sessions": identity.LevelLoggedIn, "list-doing": identity.LevelLoggedIn, "list-transfers": identity.LevelLoggedIn, "stop-transfer": identity.LevelLoggedIn, "show-session": identity.LevelLoggedIn,
	"end-session": identity.LevelLoggedIn, "end-sessions": identity.LevelLoggedIn, "sign-out": identity.LevelLoggedIn,
	"my-factors": identity.LevelLoggedIn, "list-factors": identity.LevelAdmin, "remove-factor": identity.LevelAdmin, "remove-factors": identity.LevelAdmin,
	"my-certificates": identity.LevelLoggedIn, "add-my-certificate": identity.LevelLoggedIn, "remove-my-certificate": identity.LevelLoggedIn,
	"list-certificates": identity.LevelAdmin, "add-certificate": identity.LevelAdmin, "remove-certificate": identity.LevelAdmin,
	"list-tokens": identity.LevelLoggedIn, "issue-token": identity.LevelLoggedIn, "show-token": identity.LevelLoggedIn,
	"list-trash": identity.LevelLoggedIn, "empty-trash": identity.LevelLoggedIn, "restore-trash": identity.LevelLoggedIn, "purge-trash": identity.LevelLoggedIn,
	"show-properties": identity.LevelLoggedIn, "compute-checksum": identity.LevelLoggedIn, "search-files": identity.LevelLoggedIn,
	"list-shares": identity.LevelLoggedIn, "add-share": identity.LevelLoggedIn, "end-share": identity.LevelLoggedIn,
	"list-versions": identity.LevelLoggedIn, "restore-version": identity.LevelLoggedIn,
	"test-connection": identity.LevelLoggedIn,
	"revoke-token":    identity.LevelLoggedIn, "revoke-tokens": identity.LevelLoggedIn,

	"status": identity.LevelStaff, "list-users": identity.LevelStaff, "show-user": identity.LevelStaff, "show-quota": identity.LevelStaff,
	"list-groups": identity.LevelStaff, "show-group": identity.LevelStaff, "list-aliases": identity.LevelStaff,
	"list-policy": identity.LevelStaff, "list-resources": identity.LevelStaff, "change-policy": identity.LevelAdmin, "undo-policy": identity.LevelAdmin, "import-policy": identity.LevelAdmin, "explain-policy": identity.LevelStaff, "list-classes": identity.LevelStaff, "test-class": identity.LevelStaff,
	"introspect": identity.LevelLoggedIn, "watch-sessions": identity.LevelLoggedIn,
	"add-ban": identity.LevelModerator, "check-ban": identity.LevelStaff, "list-ban-allows": identity.LevelStaff, "add-ban-allow": identity.LevelAdmin, "remove-ban-allow": identity.LevelAdmin,
	"list-bans": identity.LevelStaff, "list-audit": identity.LevelStaff, "list-audit-events": identity.LevelStaff, "export-audit": identity.LevelStaff, "audit-head": identity.LevelStaff,
	"list-own-logins": identity.LevelLoggedIn, "verify-audit": identity.LevelAdmin,

	"import-users": identity.LevelAdmin, "export-user": identity.LevelAdmin, "export-me": identity.LevelLoggedIn,
	"add-user": identity.LevelAdmin, "set-user": identity.LevelAdmin, "set-password": identity.LevelAdmin,
	"disable-user": identity.LevelModerator, "enable-user": identity.LevelModerator, "remove-user": identity.LevelAdmin,
	"add-group": identity.LevelAdmin, "set-group": identity.LevelAdmin, "remove-group": identity.LevelAdmin,
	"add-members": identity.LevelLoggedIn, "remove-members": identity.LevelLoggedIn, "remove-member": identity.LevelLoggedIn, "list-own-groups": identity.LevelLoggedIn,
	"add-alias": identity.LevelAdmin, "remove-alias": identity.LevelAdmin,
	"list-quotas": identity.LevelAdmin, "recount": identity.LevelAdmin, "lift-ban": identity.LevelAdmin, "list-config": identity.LevelAdmin,

	"list-links": identity.LevelLoggedIn, "remove-link": identity.LevelLoggedIn,
	"list-sources": identity.LevelAdmin, "test-source": identity.LevelAdmin, "sync-source": identity.LevelAdmin, "set-user-source": identity.LevelAdmin,

	"list-invites": identity.LevelStaff, "show-invite": identity.LevelStaff, "add-invite": identity.LevelStaff, "revoke-invite": identity.LevelStaff, "must-change": identity.LevelAdmin,

	"list-applications": identity.LevelAdmin, "show-application": identity.LevelAdmin, "add-application": identity.LevelAdmin, "set-application": identity.LevelAdmin, "renew-application-secret": identity.LevelAdmin,
	"remove-application": identity.LevelAdmin, "list-application-uses": identity.LevelLoggedIn, "end-application-use": identity.LevelLoggedIn,

	"list-notifications": identity.LevelLoggedIn, "list-activity": identity.LevelLoggedIn, "see-notifications": identity.LevelLoggedIn, "list-notices": identity.LevelLoggedIn, "set-notices": identity.LevelLoggedIn,
	"list-webhooks": identity.LevelAdmin, "add-webhook": identity.LevelAdmin, "show-webhook": identity.LevelAdmin, "set-webhook": identity.LevelAdmin, "remove-webhook": identity.LevelAdmin,
	"test-webhook": identity.LevelAdmin, "list-webhook-events": identity.LevelAdmin, "rotate-webhook": identity.LevelAdmin, "resend-delivery": identity.LevelAdmin, "list-deliveries": identity.LevelAdmin, "watch-events": identity.LevelLoggedIn,
	"list-backups": identity.LevelAdmin, "create-backup": identity.LevelAdmin, "running-backup": identity.LevelAdmin, "stop-backup": identity.LevelAdmin, "show-backup": identity.LevelAdmin,
	"verify-backup": identity.LevelAdmin, "remove-backup": identity.LevelAdmin, "download-backup": identity.LevelRoot, "stream-backup": identity.LevelRoot,

	"setup-link": identity.LevelRoot,

	"pending-config": identity.LevelAdmin, "reload-config": identity.LevelAdmin, "set-config": identity.LevelRoot, "unset-config": identity.LevelRoot,
	"list-server-certificates": identity.LevelAdmin, "import-server-certificate": identity.LevelRoot, "make-server-certificate": identity.LevelRoot,
	"list-acme-certificates": identity.LevelAdmin, "renew-server-certificate": identity.LevelRoot,

	"list-announcements": identity.LevelAdmin, "add-announcement": identity.LevelAdmin, "preview-announcement": identity.LevelAdmin, "end-announcement": identity.LevelAdmin,
	"my-announcements": identity.LevelLoggedIn, "put-away-announcement": identity.LevelLoggedIn,
	"show-maintenance": identity.LevelAdmin, "set-maintenance": identity.LevelAdmin,

	"doctor": identity.LevelAdmin, "list-checks": identity.LevelAdmin, "fix-check": identity.LevelRoot,
}

// filled gives a path's parameters names of things that do not exist.
func filled(path string) string {
	return strings.NewReplacer("{name}", "nosuch", "{user}", "nosuch", "{id}", "nosuch", "{alias}", "nosuch", "{key}", "log.nosuch", "{prefix}", "192.0.2.99", "{source}", "nosuch", "{address}", "192.0.2.99").Replace(path)
}

func TestEveryOperationHasItsLevel(t *testing.T) {
	held := []identity.Level{identity.LevelUser, identity.LevelCustomer, identity.LevelStaff, identity.LevelModerator, identity.LevelAdmin, identity.LevelRoot}
	s := start(t, held...)
	absent := s.ask(t, basic("root"), http.MethodGet, "/nosuch", "").body
	seen := map[string]bool{}
	for _, r := range s.api.Routes() {
		need, ok := levels[r.Operation]
		if !ok {
			t.Errorf("%s has no level in the test", r.Operation)
			continue
		}
		seen[r.Operation] = true
		if r.Level != need {
			t.Errorf("%s requires %s, want %s", r.Operation, r.Level, need)
		}
		body := ""
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			body = `{"nosuch":1}` // refused by every form, so nothing is changed
		}
		got := s.ask(t, "", r.Method, filled(r.Path), body)
		if need == identity.LevelNone {
			if got.status != http.StatusOK {
				t.Errorf("%s without a credential: %d", r.Operation, got.status)
			}
			continue
		}
		if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a credential: %d", r.Operation, got.status)
		}
		if r.Operation == "watch-sessions" || r.Operation == "watch-events" || r.Operation == "introspect" {
			continue // a stream that does not end, and what only some tokens may: tests of their own
		}
		for _, l := range held {
			got := s.ask(t, basic(l.String()), r.Method, filled(r.Path), body)
			hidden := got.status == http.StatusNotFound && got.body == absent
			if got.status == http.StatusUnauthorized || got.status >= 500 || hidden == l.Allows(need) {
				t.Errorf("%s as %s: %d %s", r.Operation, l, got.status, got.body)
			}
		}
	}
	for op := range levels {
		if !seen[op] {
			t.Errorf("the operation %s is gone", op)
		}
	}
}

func TestHiddenAndAbsentAreTheSame(t *testing.T) {
	s := start(t, identity.LevelCustomer)
	for name, auth := range map[string]string{"customer": basic("customer"), "nobody": ""} {
		t.Run(name, func(t *testing.T) {
			want := s.ask(t, auth, http.MethodGet, "/nosuch", "")
			for _, tt := range []struct{ method, path, body string }{
				{http.MethodGet, "/status", ""},
				{http.MethodGet, "/users", ""},
				{http.MethodGet, "/users/customer", ""},
				{http.MethodPost, "/users", `{"login":"x"}`},
				{http.MethodPost, "/users", `{`},
				{http.MethodDelete, "/users", ""},
				{http.MethodPut, "/status", "{}"},
				{http.MethodGet, "/setup-link", ""},
				{http.MethodGet, "/users/", ""},
				{http.MethodGet, "//users", ""},
				{http.MethodGet, "/nosuch/../users", ""},
				{http.MethodGet, "/%75sers", ""},
			} {
				got := s.ask(t, auth, tt.method, tt.path, tt.body)
				if got.status != want.status || got.body != want.body {
					t.Errorf("%s %s: %d %s, a path that is not there: %d %s", tt.method, tt.path, got.status, got.body, want.status, want.body)
				}
				for h := range got.header {
					if h != "Date" && h != "Ratelimit" && // counts, whatever is asked for
						strings.Join(got.header[h], "|") != strings.Join(want.header[h], "|") {
						t.Errorf("%s %s: header %s: %q", tt.method, tt.path, h, got.header[h])
					}
				}
				if len(got.header) != len(want.header) {
					t.Errorf("%s %s: headers %v, want %v", tt.method, tt.path, got.header, want.header)
				}
			}
		})
	}
}

// Rules of the policy table raise what a route declares, and never lower it.
func TestPolicyRaisesOnly(t *testing.T) {
	s := startWith(t, map[string]string{"web:/**": "user", "web:/api/v1/audit": "admin", "web:/api/v1/bans": "nobody", "web:/api/v1/openapi.json": "staff"},
		identity.LevelUser, identity.LevelStaff, identity.LevelAdmin)
	for _, tt := range []struct {
		login, path string
		want        int
	}{
		{"user", "/users", http.StatusNotFound},
		{"user", "/config", http.StatusNotFound},
		{"user", "/version", http.StatusOK},
		{"staff", "/users", http.StatusOK},
		{"staff", "/audit", http.StatusNotFound},
		{"staff", "/%61udit", http.StatusNotFound},
		{"admin", "/audit", http.StatusOK},
		{"admin", "/bans", http.StatusNotFound},
		{"user", "/openapi.json", http.StatusNotFound},
		{"staff", "/openapi.json", http.StatusOK},
	} {
		if got := s.ask(t, basic(tt.login), http.MethodGet, tt.path, ""); got.status != tt.want {
			t.Errorf("%s as %s: %d, want %d", tt.path, tt.login, got.status, tt.want)
		}
	}
	if got := s.ask(t, "", http.MethodGet, "/openapi.json", ""); got.status != http.StatusUnauthorized {
		t.Errorf("a raised route without a credential: %d", got.status)
	}
}

func TestOpenAPI(t *testing.T) {
	s := start(t)
	got := s.ask(t, "", http.MethodGet, "/openapi.json", "")
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("openapi %q", doc.OpenAPI)
	}
	n := 0
	for _, methods := range doc.Paths {
		n += len(methods)
	}
	if n != len(s.api.Routes()) {
		t.Errorf("the document has %d operations, the server %d", n, len(s.api.Routes()))
	}
	for _, r := range s.api.Routes() {
		if got := doc.Paths[r.Path][strings.ToLower(r.Method)].OperationID; got != r.Operation {
			t.Errorf("%s %s is %q in the document", r.Method, r.Path, got)
		}
	}
}

// A wrong password is as no password, wherever it knocks. Only two attempts: each costs the
// throttle's delay.
func TestWrongPassword(t *testing.T) {
	s := start(t, identity.LevelUser)
	want := s.ask(t, "", http.MethodGet, "/nosuch", "")
	for _, path := range []string{"/users", "/nosuch"} {
		if got := s.ask(t, "Basic dXNlcjp3cm9uZw==", http.MethodGet, path, ""); got.status != want.status || got.body != want.body {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// What is dangerous asks for a proof that not every program has: a token without scope admin is none.
// The control socket needs none.
func TestDangerousOperations(t *testing.T) {
	s := start(t, identity.LevelUser)
	asks := map[string]bool{}
	for _, r := range s.api.Routes() {
		asks[r.Operation] = r.Confirm
		if r.Confirm && r.Method == http.MethodGet && !slices.Contains([]string{"export-user", "download-backup", "stream-backup"}, r.Operation) {
			t.Errorf("%s only reads", r.Operation)
		}
	}
	for _, op := range []string{"change-policy", "undo-policy", "add-invite", "add-ban", "lift-ban", "import-users", "add-members", "remove-member", "set-user-source", "set-password"} {
		if !asks[op] {
			t.Errorf("%s asks for no fresh proof", op)
		}
	}
	ctx := t.Context()
	if _, err := s.id.AddUser(ctx, root(), identity.NewUser{Login: "friend"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.id.AddGroup(ctx, root(), "team", 0); err != nil {
		t.Fatal(err)
	}
	if err := s.id.AddMembers(ctx, root(), "team", []string{"user"}, true); err != nil {
		t.Fatal(err)
	}
	plain := bearer(s.token(t, tokens.Request{User: "user", Scopes: []tokens.Scope{tokens.ScopeAPI}}))
	const path, body = "/groups/team/members", `{"users":["friend"]}`
	if got := s.ask(t, plain, http.MethodPost, path, body); got.status != http.StatusForbidden || !strings.Contains(got.body, "fresh proof") {
		t.Errorf("with a token: %d %s", got.status, got.body)
	}
	if g, err := s.id.Group(ctx, "team"); err != nil || len(g.Members) != 1 {
		t.Errorf("members %v, %v", g.Members, err)
	}
	if got := s.ask(t, bearer(s.token(t, tokens.Request{User: "user", Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeAdmin}})), http.MethodPost, path, body); got.status >= 300 {
		t.Errorf("with a token for administration: %d %s", got.status, got.body)
	}
	if got := s.ask(t, basic("user"), http.MethodPost, path, body); got.status >= 300 {
		t.Errorf("with the password: %d %s", got.status, got.body)
	}
}
