package identity

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// listDecides finds what decides by asking one rule after the other, as the order of the rules says.
func listDecides(t *policyTable, who *subject, res Resource) (bare, path int32) {
	a := res.split()
	short := a
	if a.kind == kindFTP && a.path && len(a.segments) > 0 {
		short = asked{kind: a.kind, segments: a.segments[:1]}
	}
	bare, path = none, none
	for i := range t.rules {
		r := &t.rules[i]
		if r.kind != a.kind || !r.concerns(who) {
			continue
		}
		if bare == none && r.matches(short) {
			bare = int32(i)
		}
		if a.kind == kindFTP && a.path && path == none && r.matches(a) {
			path = int32(i)
		}
	}
	return bare, path
}

// checkTable compares the trees with the list.
func checkTable(t *testing.T, table *policyTable, res Resource) {
	t.Helper()
	if a := res.split(); a.kind == kindFTP && len(a.segments) == 0 {
		return // no verb
	}
	for _, who := range []subject{{}, {anonymous: true}, {anonymous: true, class: "lan"}, {id: "1", login: "alice", domain: "example.org", gid: 5, group: "alice", gids: []uint32{7}, groups: []string{"staff"}},
		{id: "2", login: "bob", domain: "example.net", gid: 7, group: "staff", class: "lan"}} {
		bare, path := listDecides(table, &who, res)
		v := table.decide(&who, res)
		want := bare
		base := v.level
		if bare == none {
			base = table.fallback(&who, res.splitKind(), nil).level
		} else {
			base = table.rules[bare].Level
		}
		if path != none && table.rules[path].Level >= base {
			want = path
		}
		if want != none && want != v.rank && v.source != sourceFloor && res.splitKind() != kindDefault {
			t.Errorf("%+v: %q is decided by %d, the list says %d", who, res, v.rank, want)
		}
	}
}

// FuzzTable shows that the trees decide as the list of rules does, one rule asked after the other.
func FuzzTable(f *testing.F) {
	f.Add("ftp:STOR:/pub/**\nftp:WRITE:/pub/*\nftp:ALL:/**\nftp:*:/pub/x for user:alice\nftp:STOR", "ftp:STOR:/pub/x")
	f.Add("file:/*/b\nfile:/a/**\nfile:/** for class:lan\nfile:/a for group:staff@example.net", "file:/a/b")
	f.Add("xmpp:**\nxmpp:muc:*\nxmpp:muc:create for user:anonymous", "xmpp:muc:create")
	f.Add("web:/admin/**\nweb:/a/*/c\nweb:/a/b/**", "web:/a/b/c")
	f.Add("ftp:**\nftp:READ\nftp:SITE CHMOD for class:lan", "ftp:size")
	f.Fuzz(func(t *testing.T, rules, res string) {
		table := map[string]string{}
		for i, p := range strings.Split(rules, "\n") {
			if r, err := parsePattern(p); err != nil || r.class != "" && r.class != "lan" || len(table) > 50 {
				continue
			}
			table[p] = []string{"user", "staff", "root", "never", "none"}[i%5]
		}
		o := Options{DefaultRequired: LevelLoggedIn}
		compiled, err := newPolicyTable(table, o.defaultLevels(), "example.org", []Class{{Name: "lan"}})
		if err != nil {
			t.Fatal(err)
		}
		checkTable(t, compiled, Resource(res))
	})
}

// TestTableOfMany is FuzzTable with many rules, and with those of the store among them.
func TestTableOfMany(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	path := func() string {
		var b strings.Builder
		for range 1 + rnd.IntN(4) {
			b.WriteString("/" + pick("a", "b", "c", "*"))
		}
		return b.String() + pick("", "", "/**")
	}
	var rules []policyRule
	for range 2000 {
		p := pick("file:", "web:", "ftp:STOR:", "ftp:WRITE:", "ftp:ALL:", "ftp:*:") + path()
		r, err := parsePattern(p)
		if err != nil {
			t.Fatal(err)
		}
		r.Level = Levels()[rnd.IntN(len(Levels()))]
		switch rnd.IntN(6) {
		case 0:
			r.scope, r.user = scopeUser, UserID(pick("1", "2", "3"))
		case 1:
			r.scope, r.gid = scopeGroup, uint32(5+rnd.IntN(4)) //nolint:gosec // small
		case 2:
			r.scope, r.name, r.domain = scopeGroup, UserName(pick("staff", "alice")), pick("example.org", "example.net")
		case 3:
			r.scope, r.class = scopeClass, "lan"
		case 4:
			r.scope, r.name = scopeUser, nobody
		}
		rules = append(rules, r)
	}
	o := Options{DefaultRequired: LevelLoggedIn}
	table := compile(rules, o.defaultLevels())
	for range 500 {
		res := pick("file:", "web:", "ftp:STOR:", "ftp:RETR:", "ftp:DELE:") + strings.ReplaceAll(strings.TrimSuffix(path(), "/**"), "*", "z")
		checkTable(t, table, Resource(res))
	}
}

// FuzzNormal shows that the form in which the store keeps a pattern is one, and means the same.
func FuzzNormal(f *testing.F) {
	for _, s := range []string{"ftp:stor:/a//b/../c/**", "ftp:**", "ftp:READ:**", "ftp:all:/", "web:/", "web:a/b", "web:/a/", "xmpp:muc:create", "xmpp:/a:b/c", "file:/**", "file:/a/*/b", "login:ftp", "default:web"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		r, err := parsePattern(pattern)
		if err != nil || r.scope != scopeAll {
			return
		}
		again, err := parsePattern(r.normal() + " for class:lan") // as a name of the pattern may end in " for user:x"
		if err != nil {
			t.Fatalf("%q is kept as %q, which is none: %v", pattern, r.normal(), err)
		}
		if again.normal() != r.normal() {
			t.Errorf("%q becomes %q, and that %q", pattern, r.normal(), again.normal())
		}
		if again.kind != r.kind || again.rest != r.rest || again.literals != r.literals || strings.Join(again.segments, "\n") != strings.Join(r.segments, "\n") {
			t.Errorf("%q and %q are not the same: %+v, %+v", pattern, r.normal(), r, again)
		}
	})
}
