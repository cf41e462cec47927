package identity

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func testPolicy(t testing.TB, rules map[string]string) *policyTable {
	t.Helper()
	o := Options{DefaultRequired: LevelLoggedIn}
	p, err := newPolicyTable(rules, o.defaultLevels(), "example.org", []Class{{Name: "lan"}, {Name: "wan"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	rules := map[string]string{
		"web:/**": "user", "web:/a/*": "customer", "web:/a/**": "staff", "web:/a/b": "anonymous",
		"web:/*/b": "moderator", "web:/x/*/z": "user", "web:/x/y/*": "admin", "web:/x/y/**": "none",
		"web:/admin/**": "none", "web:/admin/open": "user", "web:/admin/root": "root",
		"file:/pub/**": "anonymous", "file:/home/*/secret/**": "never",
		"ftp:SITE CHMOD": "staff", "xmpp:muc:create": "customer", "xmpp:muc:*": "user", "login:ftp": "loggedin",
	}
	p := testPolicy(t, rules)
	for _, tt := range []struct {
		resource Resource
		def      []Level
		want     Level
		pattern  string
	}{
		{"web:/q", nil, LevelUser, "web:/**"},
		{"web:/", nil, LevelUser, "web:/**"},
		{"web:/a", nil, LevelStaff, "web:/a/**"},
		{"web:/a/c", nil, LevelCustomer, "web:/a/*"}, // * before **
		{"web:/a/c/d", nil, LevelStaff, "web:/a/**"},
		{"web:/a/b", nil, LevelAnonymous, "web:/a/b"}, // more literal segments
		{"web:/a/b/", nil, LevelAnonymous, "web:/a/b"},
		{"web:/a/./../a//b", nil, LevelAnonymous, "web:/a/b"},
		{"web:/q/b", nil, LevelModerator, "web:/*/b"},
		{"web:/x/y/z", nil, LevelAdmin, "web:/x/y/*"}, // of equals the stricter
		{"web:/a:b", nil, LevelUser, "web:/**"},       // a colon in a path separates nothing
		{"web:/admin", nil, LevelStaff, "web:/admin/**"},
		{"web:/admin/users", nil, LevelStaff, "web:/admin/**"},
		{"web:/admin/open", nil, LevelStaff, "web:/admin/**"}, // never below
		{"web:/admin/root", nil, LevelRoot, "web:/admin/root"},
		{"web:/administrate", nil, LevelUser, "web:/**"},
		{"file:/pub/a", nil, LevelAnonymous, "file:/pub/**"},
		{"file:/pub/../home/a/secret/x", nil, LevelNobody, "file:/home/*/secret/**"},
		{"file:/home/a/b", nil, LevelNone, ""},
		{"ftp:SITE CHMOD", nil, LevelStaff, "ftp:SITE CHMOD"},
		{"ftp:site chmod", nil, LevelStaff, "ftp:SITE CHMOD"},
		{"ftp:RETR", nil, LevelLoggedIn, ""},
		{"xmpp:muc:create", nil, LevelCustomer, "xmpp:muc:create"},
		{"xmpp:muc:join", nil, LevelUser, "xmpp:muc:*"},
		{"xmpp:s2s", nil, LevelLoggedIn, ""},
		{"login:ftp", nil, LevelLoggedIn, "login:ftp"},
		{"login:web", nil, LevelUser, ""},
		{"file:/q", []Level{LevelAnonymous}, LevelAnonymous, ""},
		{"web:/q", []Level{LevelNone}, LevelUser, "web:/**"}, // config raises and lowers the route's own
		{"file:/q", []Level{LevelStaff}, LevelStaff, ""},
		{"nothing", nil, LevelNobody, ""},
		{"other:/x", nil, LevelNobody, ""},
	} {
		got := p.required(subject{}, tt.resource, tt.def...)
		if got.Level != tt.want || got.Pattern != tt.pattern {
			t.Errorf("%s needs %v by %q, want %v by %q", tt.resource, got.Level, got.Pattern, tt.want, tt.pattern)
		}
	}
	bare := testPolicy(t, nil)
	for resource, want := range map[Resource]Level{"web:/": LevelLoggedIn, "web:/admin/x": LevelStaff, "ftp:X": LevelLoggedIn,
		"xmpp:x": LevelLoggedIn, "login:web": LevelUser, "file:/": LevelNone} {
		if got := bare.required(subject{}, resource).Level; got != want {
			t.Errorf("by default %s needs %v, want %v", resource, got, want)
		}
	}
	for own, want := range map[Level]Level{LevelNone: LevelNone, LevelAnonymous: LevelAnonymous, LevelLoggedIn: LevelLoggedIn, LevelStaff: LevelStaff} {
		if got := bare.required(subject{}, "web:/s/code", own).Level; got != want {
			t.Errorf("a page of %v needs %v under the default LOGGEDIN", own, got)
		}
	}
	if got := bare.required(subject{}, "web:/admin/x", LevelNone).Level; got != LevelStaff {
		t.Errorf("a route opens /admin at %v", got)
	}
}

func TestPolicyRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ pattern, level, in string }{
		{"/admin", "user", "kind"}, {"smtp:x", "user", "kind"}, {"web:/a*", "user", "whole segment"},
		{"web:/**/a", "user", "at the end"}, {"web:/a", "boss", "levels are"}, {"", "user", "kind"},
	} {
		_, err := newPolicyTable(map[string]string{tt.pattern: tt.level}, nil, "example.org", nil)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.in) {
			t.Errorf("%q = %q: %v, want a word on %q", tt.pattern, tt.level, err, tt.in)
		}
	}
}

// slowRequired decides as the specification says, by trying all rules in words.
func slowRequired(rules map[string]string, resource string) (Level, bool) {
	best, found := Level(0), false
	bestKey := []int(nil)
	for pattern, text := range rules {
		want, got := words(pattern), words(resource)
		if strings.SplitN(pattern, ":", 2)[0] != strings.SplitN(resource, ":", 2)[0] || !slowMatch(want, got) {
			continue
		}
		literals, rest := 0, 0
		for _, w := range want {
			switch w {
			case "*":
			case "**":
				rest = 1
			default:
				literals++
			}
		}
		level, _ := ParseLevel(text)
		// Most literals, then no **, then more *, then the stricter.
		key := []int{literals, -rest, len(want) - rest - literals, int(level)}
		if !found || slices.Compare(key, bestKey) > 0 {
			best, bestKey, found = level, key, true
		}
	}
	return best, found
}

func words(s string) []string {
	_, rest, _ := strings.Cut(s, ":")
	var out []string
	for _, w := range strings.Split(rest, "/") {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

func slowMatch(pattern, got []string) bool {
	if len(pattern) == 0 {
		return len(got) == 0
	}
	if pattern[0] == "**" {
		return slowMatch(pattern[1:], got) || len(got) > 0 && slowMatch(pattern, got[1:])
	}
	return len(got) > 0 && (pattern[0] == "*" || pattern[0] == got[0]) && slowMatch(pattern[1:], got[1:])
}

func FuzzPolicyAgainstModel(f *testing.F) {
	f.Add("/a/*", "/a/**", "/a/b", "/a/b")
	f.Add("/**", "/*/b", "/a/*", "/a/b")
	f.Add("/x/*/z", "/x/y/*", "/x/y/**", "/x/y/z")
	f.Add("/*/*/**", "/a/**", "/**", "/a")
	f.Fuzz(func(t *testing.T, a, b, c, path string) {
		rules := map[string]string{}
		for i, p := range []string{a, b, c} {
			pattern := "file:" + p
			if _, err := ParseRule(pattern, "user"); err != nil || !plainPath(p) {
				return
			}
			rules[pattern] = []string{"user", "staff", "root"}[i]
		}
		if !plainPath(path) {
			return
		}
		want, found := slowRequired(rules, "file:"+path)
		got := testPolicy(t, rules).required(subject{}, Resource("file:"+path))
		if found != (got.Pattern != "") || found && got.Level != want {
			t.Errorf("%v: %s needs %v by %q, the model says %v, %v", rules, path, got.Level, got.Pattern, want, found)
		}
	})
}

// plainPath keeps to what both sides read alike: rooted, clean.
func plainPath(p string) bool {
	return strings.HasPrefix(p, "/") && !strings.Contains(p, ".") && !strings.Contains(p, "//")
}

// dns answers from maps; an address that is in neither has no name.
type dns struct {
	names map[string][]string
	back  map[string][]netip.Addr
	asked int
}

func (d *dns) LookupAddr(_ context.Context, a string) ([]string, error) {
	d.asked++
	if n, ok := d.names[a]; ok {
		return n, nil
	}
	return nil, errors.New("no name")
}

func (d *dns) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return d.back[host], nil
}

func TestClasses(t *testing.T) {
	t.Parallel()
	prefix := func(s ...string) (out []netip.Prefix) {
		for _, p := range s {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	table, err := newClassTable([]Class{
		{Name: "host", Hosts: []string{"*.Example.org"}},
		{Name: "both", All: []string{"lan", "low"}},
		{Name: "either", Any: []string{"vpn"}},
		{Name: "lan", From: prefix("192.168.0.0/16", "fd00::/8")},
		{Name: "low", From: prefix("192.168.0.0/24", "10.0.0.0/24")},
		{Name: "vpn", From: prefix("172.16.0.0/12")},
		{Name: "rest", Not: true, Any: []string{"odd"}},
		{Name: "odd", From: prefix("198.51.100.0/24")},
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	d := &dns{names: map[string][]string{"203.0.113.1": {"a.example.org."}, "203.0.113.2": {"liar.example.org."}},
		back: map[string][]netip.Addr{"a.example.org.": {netip.MustParseAddr("203.0.113.1")},
			"liar.example.org.": {netip.MustParseAddr("203.0.113.1")}}}
	table.dns = d
	for addr, want := range map[string]string{"192.168.0.7": "both", "::ffff:192.168.0.7": "both", "192.168.9.9": "lan", "10.0.0.1": "low",
		"fd00::1": "lan", "172.16.3.4": "either", "203.0.113.1": "host", "203.0.113.2": "rest", "198.51.100.1": "odd", "fe80::1%eth0": "rest"} {
		got := ""
		if c := table.of(t.Context(), netip.MustParseAddr(addr)); c != nil {
			got = c.Name
		}
		if got != want {
			t.Errorf("%s is in class %q, want %q", addr, got, want)
		}
	}
	asked := d.asked
	table.of(t.Context(), netip.MustParseAddr("203.0.113.1"))
	if d.asked != asked {
		t.Error("a name is looked up again at once")
	}
	for what, list := range map[string][]Class{
		"circle": {{Name: "a", Any: []string{"b"}}, {Name: "b", All: []string{"a"}}}, "self": {{Name: "a", Any: []string{"a"}}},
		"unknown": {{Name: "a", Any: []string{"b"}}}, "twice": {{Name: "a"}, {Name: "a"}}, "nameless": {{}}, "glob": {{Name: "a", Hosts: []string{"["}}},
	} {
		if _, err := newClassTable(list, time.Now); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
