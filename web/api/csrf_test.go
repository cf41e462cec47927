package api_test

import (
	"net/http"
	"strings"
	"testing"

	"trivium/identity"
)

// No operation that changes something takes the cookie of the pages, and none comes from a page of
// another site with the password that a browser has kept. A new operation is among them by itself.
func TestNoOperationFromElsewhere(t *testing.T) {
	s := start(t, identity.LevelRoot)
	b, _, err := s.id.StartAnonymous(t.Context(), identity.Visit{})
	check(t, err)
	cookie, err := s.id.Upgrade(t.Context(), b, identity.Login{Method: identity.MethodForm, Name: "root", Secret: identity.NewSecret(password)}, true)
	check(t, err)
	s.ask(t, basic("root"), http.MethodGet, "/version", "")
	changes := func() (n int) {
		rows, err := s.id.Audit(t.Context(), identity.AuditFilter{Limit: 10_000})
		check(t, err)
		for _, r := range rows {
			if !strings.HasPrefix(r.Event, "login.") && r.Event != identity.EventDeviceNew { // written behind, of the log-ins above
				n++
			}
		}
		return n
	}
	before, n := changes(), 0
	for _, r := range s.api.Routes() {
		if r.Method == http.MethodGet {
			continue
		}
		n++
		for what, header := range map[string][2]string{
			"by cookie":           {"Cookie", "ls=" + cookie.Value.Reveal() + "; __Host-ls=" + cookie.Value.Reveal()},
			"from another site":   {"Sec-Fetch-Site", "cross-site"},
			"from a sibling":      {"Sec-Fetch-Site", "same-site"},
			"from another origin": {"Origin", "https://evil.example"},
			"from a sandbox":      {"Origin", "null"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), r.Method, s.url+filled(r.Path), strings.NewReader("{}"))
			check(t, err)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set(header[0], header[1])
			want := http.StatusUnauthorized
			if header[0] != "Cookie" {
				req.Header.Set("Authorization", basic("root"))
				want = http.StatusForbidden
			}
			if got := do(t, req); got.status != want || want == http.StatusForbidden && !strings.Contains(got.body, "another site") {
				t.Errorf("%s %s: %d %s", r.Operation, what, got.status, got.body)
			}
		}
	}
	if after := changes(); after != before {
		t.Errorf("%d rows in the audit log, %d before", after, before)
	}
	if n < 30 {
		t.Errorf("%d operations", n)
	}
}
