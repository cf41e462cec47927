package identity

import (
	"errors"
	"strings"
	"testing"
)

func TestNarrowedRules(t *testing.T) {
	t.Parallel()
	p := testPolicy(t, map[string]string{
		"ftp:STOR":                                      "user",
		"ftp:STOR for user:alice":                       "never",
		"ftp:SITE CHMOD":                                "staff",
		"ftp:SITE CHMOD for group:staff":                "user",
		"ftp:WRITE:/pub/**":                             "admin",
		"ftp:WRITE:/pub/incoming/**":                    "anonymous",
		"ftp:DELE:/pub/incoming/**":                     "staff",
		"ftp:ALL:/pub/Secret/**":                        "never",
		"ftp:READ:/pub/Secret/**":                       "user",
		"ftp:RETR:/pub/Secret/key":                      "root",
		"ftp:*:/star/*":                                 "staff",
		"ftp:WRITE:/pub/incoming/** for class:wan":      "never",
		"ftp:WRITE:/pub/** for group:staff@example.net": "loggedin",
		"ftp:WRITE:/pub/** for user:bob":                "user",
		"ftp:WRITE:/home/bob/** for user:anonymous":     "never",
		"file:/pub/board/**":                            "staff",
		"file:/pub/board/** for user:Alice":             "user",
		"file:/pub/board/** for class:wan":              "never",
		"file:/pub/present for friends":                 "staff",
		"file:/a for user:b/c":                          "staff",
		"login:ftp for class:wan":                       "never",
		"login:ftp for user:bob@example.net":            "staff",
	})
	alice := subject{login: "alice", domain: "example.org", group: "alice"}
	bob := subject{login: "bob", domain: "example.org", group: "bob", groups: []string{"ants", "staff"}}
	bobWan := bob
	bobWan.class = "wan"
	aliceWan := subject{login: "alice", domain: "example.org", class: "wan"}
	netStaff := subject{login: "carol", domain: "example.net", group: "staff"}
	netBob := subject{login: "bob", domain: "example.net"}
	stranger := subject{anonymous: true}
	for _, tt := range []struct {
		who      subject
		resource Resource
		want     Level
		pattern  string
	}{
		{alice, "ftp:STOR", LevelNobody, "ftp:STOR for user:alice"},
		{alice, "ftp:stor:/home/alice/x", LevelNobody, "ftp:STOR for user:alice"}, // what the verb needs counts with a path
		{bob, "ftp:STOR", LevelUser, "ftp:STOR"},
		{bob, "ftp:SITE CHMOD", LevelUser, "ftp:SITE CHMOD for group:staff"},
		{netStaff, "ftp:SITE CHMOD", LevelStaff, "ftp:SITE CHMOD"}, // the group of another domain
		{alice, "ftp:DELE:/pub/a", LevelAdmin, "ftp:WRITE:/pub/**"},
		{alice, "ftp:RETR:/pub/a", LevelLoggedIn, ""},
		{alice, "ftp:MKD:/pub/incoming", LevelLoggedIn, ""}, // the rule asks less than the verb as such
		{alice, "ftp:DELE:/pub/incoming/x", LevelStaff, "ftp:DELE:/pub/incoming/**"},
		{aliceWan, "ftp:MKD:/pub/incoming/x", LevelNobody, "ftp:WRITE:/pub/incoming/** for class:wan"},
		{bobWan, "ftp:MKD:/pub/incoming/x", LevelUser, "ftp:WRITE:/pub/** for user:bob"}, // the narrower before the more specific
		{netStaff, "ftp:MKD:/pub/x", LevelLoggedIn, "ftp:WRITE:/pub/** for group:staff@example.net"},
		{alice, "ftp:CWD:/pub/Secret", LevelNobody, "ftp:ALL:/pub/Secret/**"},
		{alice, "ftp:CWD:/pub/secret", LevelLoggedIn, ""}, // paths keep their case
		{alice, "ftp:size:/pub/Secret/x", LevelUser, "ftp:READ:/pub/Secret/**"},
		{alice, "ftp:RETR:/pub/Secret/key", LevelRoot, "ftp:RETR:/pub/Secret/key"},
		{alice, "ftp:RETR:/pub/./Secret/../Secret/key", LevelRoot, "ftp:RETR:/pub/Secret/key"},
		{alice, "ftp:NOOP:/star/x", LevelStaff, "ftp:*:/star/*"},
		{alice, "ftp:NOOP:/star/x/y", LevelLoggedIn, ""},
		{alice, "ftp:SITE CHMOD:/pub/Secret/x", LevelNobody, "ftp:ALL:/pub/Secret/**"},
		{stranger, "ftp:STOR:/home/bob/x", LevelNobody, "ftp:WRITE:/home/bob/** for user:anonymous"},
		{bob, "ftp:RETR", LevelLoggedIn, ""}, // a rule about paths is none about the verb
		{alice, "file:/pub/board/x", LevelUser, "file:/pub/board/** for user:Alice"},
		{aliceWan, "file:/pub/board/x", LevelUser, "file:/pub/board/** for user:Alice"},
		{bobWan, "file:/pub/board/x", LevelNobody, "file:/pub/board/** for class:wan"},
		{bob, "file:/pub/board/x", LevelStaff, "file:/pub/board/**"},
		{bob, "file:/pub/present for friends", LevelStaff, "file:/pub/present for friends"},
		{bob, "file:/a for user:b/c", LevelStaff, "file:/a for user:b/c"},
		{bob, "login:ftp", LevelUser, ""},
		{netBob, "login:ftp", LevelStaff, "login:ftp for user:bob@example.net"},
		{bobWan, "login:ftp", LevelNobody, "login:ftp for class:wan"},
		{subject{}, "ftp:STOR", LevelUser, "ftp:STOR"},
	} {
		for range 2 { // the second time by what is kept of the verb
			if got := p.required(tt.who, tt.resource); got.Level != tt.want || got.Pattern != tt.pattern {
				t.Errorf("%+v: %s needs %v by %q, want %v by %q", tt.who, tt.resource, got.Level, got.Pattern, tt.want, tt.pattern)
			}
		}
	}
}

func TestNarrowedRulesRefused(t *testing.T) {
	t.Parallel()
	for pattern, word := range map[string]string{
		"ftp:STOR for role:boss":         "for user:NAME",
		"ftp:STOR for user:":             "not a name",
		"ftp:STOR for user:a b":          "not a name",
		"ftp:STOR for group:x@-":         "not a domain",
		"ftp:STOR for class:moon":        "no class",
		"ftp:/pub/**":                    "verb stands before",
		"ftp:STOR:/a*":                   "whole segment",
		"ftp:**:/a":                      "whole segment",
		"smtp:x for user:alice":          "kind",
		"ftp:STOR for user:a for user::": "not a name",
	} {
		_, err := newPolicyTable(map[string]string{pattern: "user"}, nil, "example.org", []Class{{Name: "lan"}})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v, want a word on %q", pattern, err, word)
		}
	}
}

// FuzzRule shows that what is taken for a rule says the same when it is put together again, keeps
// the case of its path, and stands for the very path that it names.
func FuzzRule(f *testing.F) {
	for _, s := range []string{"ftp:STOR:/pub/In/** for user:alice", "file:/a b/* for group:staff@example.net", "web:/admin/** for class:lan",
		"ftp:SITE CHMOD", "ftp:all:/", "xmpp:muc:create", "login:ftp for user:anonymous", "file:/x for y", "ftp:WRITE:/a/../B", " for user:a", "ftp::/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		r, err := parsePattern(pattern)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%q: %v wraps no kind", pattern, err)
			}
			return
		}
		whole := r.Resource
		if r.For != "" {
			whole += forWord + r.For
		}
		if whole != pattern {
			t.Errorf("%q became %q", pattern, whole)
		}
		if (r.scope == scopeAll) != (r.For == "") {
			t.Errorf("%q: scope %d for %q", pattern, r.scope, r.For)
		}
		if a := Resource(r.Resource).split(); !r.matches(a) && !r.rest {
			t.Errorf("%q does not stand for %q", pattern, r.Resource)
		}
		if r.kind == kindFTP && r.path {
			for _, s := range r.segments[1:] {
				if !strings.Contains(pattern, s) {
					t.Errorf("%q: the segment %q is another", pattern, s)
				}
			}
		}
	})
}

func BenchmarkAllowedPath(b *testing.B) {
	p := testPolicy(b, map[string]string{"ftp:WRITE:/pub/**": "admin", "ftp:STOR for user:bob": "never", "file:/pub/board/**": "staff", "web:/x": "user"})
	who := subject{login: "alice", domain: "example.org"}
	for _, r := range []Resource{"ftp:STOR:/pub/incoming/x", "ftp:STOR", "file:/home/alice/a/b/c", "xmpp:message"} {
		b.Run(strings.ReplaceAll(string(r), "/", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.required(who, r)
			}
		})
	}
}
