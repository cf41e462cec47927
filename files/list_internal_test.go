package files

import (
	"slices"
	"strings"
	"testing"

	"trivium/identity"
)

// hiding is a policy of patterns that hide, and counts how often it is asked.
type hiding struct {
	patterns []string
	asked    int
}

func (h *hiding) RulesFor(*identity.Session, string) (out []identity.Rule) {
	for _, p := range h.patterns {
		out = append(out, identity.Rule{Resource: "file:" + p, Level: identity.LevelAdmin})
	}
	return out
}

func (h *hiding) Allowed(_ *identity.Session, r identity.Resource) bool {
	h.asked++
	at := split(strings.TrimPrefix(string(r), "file:"))
	return !slices.ContainsFunc(h.patterns, func(p string) bool {
		pattern := split(p)
		rest := pattern[len(pattern)-1] == "**"
		if rest {
			pattern = pattern[:len(pattern)-1]
		}
		if len(at) < len(pattern) || len(at) > len(pattern) && !rest {
			return false
		}
		for i, s := range pattern {
			if s != "*" && s != at[i] {
				return false
			}
		}
		return true
	})
}

// TestSight: what a listing shows is what visible says of each entry, with few questions.
func TestSight(t *testing.T) {
	names := []string{"a", "b", "c", "secret", "x", "y"}
	for _, tt := range []struct {
		name     string
		patterns []string
		grant    string
		asks     int
	}{
		{"no rule", nil, "", 1},
		{"one name", []string{"/home/u/d/secret/**"}, "", 2},
		{"one name for all", []string{"/home/*/*/secret"}, "", 2},
		{"all", []string{"/home/u/d/*"}, "", 1},
		{"all below", []string{"/home/u/d/**"}, "", 1},
		{"all but one level", []string{"/home/u/d/*/x"}, "", 1},
		{"below an entry", []string{"/home/u/d/x/y"}, "", 2},
		{"elsewhere", []string{"/home/u/e/a", "/pub/**"}, "", 1},
		{"the folder itself", []string{"/home/u/d"}, "", 1},
		{"several", []string{"/home/u/d/a", "/home/u/d/b/**", "/home/*/d/y"}, "", 4},
		{"a token to an entry", []string{"/home/u/d/a"}, "/home/u/d/b/c", 2},
		{"a token to the folder", []string{"/home/u/d/a"}, "/home/u/d", 2},
		{"a token elsewhere", nil, "/home/u/e", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy := &hiding{patterns: tt.patterns}
			v := &view{s: &Service{o: Options{Policy: policy}}, c: person(1, 1, identity.LevelUser)}
			if tt.grant != "" {
				v.c.Grant = &identity.Grant{Path: tt.grant}
			}
			g := v.sight("/home/u/d")
			var got, want []string
			for _, n := range names {
				if g.sees(n) {
					got = append(got, n)
				}
			}
			if policy.asked > tt.asks {
				t.Errorf("the policy was asked %d times; want %d", policy.asked, tt.asks)
			}
			for _, n := range names {
				if v.visible("/home/u/d/" + n) {
					want = append(want, n)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("listed %q, visible %q", got, want)
			}
		})
	}
}
