package identity_test

import (
	"testing"

	"trivium/identity"
)

func TestAuditWords(t *testing.T) {
	for _, tt := range []struct{ name, before, after, want string }{
		{"nothing", "", "", ""},
		{"made", "", `{"level":"user","quota":0,"groups":["a","b"],"must_change":true}`, `groups ["a","b"], level user, must_change yes`},
		{"changed", `{"level":"user","email":"a"}`, `{"level":"staff","email":"a"}`, "level user → staff"},
		{"emptied", `{"email":"a"}`, `{"email":""}`, "email a → none"},
		{"removed", `{"kind":"guessing","count":2}`, "", "count was 2, kind was guessing"},
		{"removed, as the API says it", `{"kind":"guessing"}`, "null", "kind was guessing"},
		{"null before", "null", `{"kind":"x"}`, "kind x"},
		{"not JSON", "{", "{}", ""},
		{"a list", "[1]", "{}", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := identity.AuditWords(tt.before, tt.after); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
