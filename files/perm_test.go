package files

import (
	"io/fs"
	"testing"

	"trivium/identity"
)

func person(uid, gid uint32, level identity.Level, gids ...uint32) identity.Credentials {
	return identity.Credentials{UserID: "U", Login: "u", User: "u", UID: uid, GID: gid, GIDs: gids, Level: level}
}

// TestBits is the matrix of classes, bits and levels.
func TestBits(t *testing.T) {
	const r, w, x = mayRead, mayWrite, mayExec
	user := person(1000, 1000, identity.LevelUser, 2000)
	staff := person(1001, 1001, identity.LevelStaff)
	anon := identity.Credentials{UID: identity.AnonymousID, GID: identity.AnonymousID, Level: identity.LevelAnonymous}
	nobody := person(1000, 1000, identity.LevelNobody)
	plain, pub := &mount{}, &mount{house: true}
	for _, tt := range []struct {
		name  string
		c     identity.Credentials
		m     *mount
		o     owned
		bits  fs.FileMode // all that must pass
		never fs.FileMode // each that must not
	}{
		{"owner reads and writes", user, plain, owned{uid: 1000, gid: 1000, mode: 0o600}, r | w, x},
		{"owner without bits", user, plain, owned{uid: 1000, gid: 1000, mode: 0o077}, 0, r | w | x},
		{"owner class decides alone", user, plain, owned{uid: 1000, gid: 2000, mode: 0o477}, r, w | x},
		{"primary group", user, plain, owned{uid: 1, gid: 1000, mode: 0o640}, r, w | x},
		{"supplementary group", user, plain, owned{uid: 1, gid: 2000, mode: 0o670}, r | w | x, 0},
		{"group decides alone", user, plain, owned{uid: 1, gid: 2000, mode: 0o707}, 0, r | w | x},
		{"others", user, plain, owned{uid: 1, gid: 1, mode: 0o774}, r, w | x},
		{"others without bits", user, plain, owned{uid: 1, gid: 1, mode: 0o770}, 0, r | w | x},
		{"root passes all", person(9, 9, identity.LevelRoot), plain, owned{uid: 1, gid: 1, mode: 0}, r | w | x, 0},
		{"admin does not", person(9, 9, identity.LevelAdmin), plain, owned{uid: 1, gid: 1, mode: 0o700}, 0, r | w | x},
		{"nobody is no root", nobody, plain, owned{uid: 1, gid: 1, mode: 0}, 0, r | w | x},
		{"staff keep house in pub", staff, pub, owned{uid: 0, gid: 0, mode: 0o755}, r | w | x, 0},
		{"staff keep no other house", staff, plain, owned{uid: 0, gid: 0, mode: 0o755}, r | x, w},
		{"staff and another's file in pub", staff, pub, owned{uid: 1000, gid: 0, mode: 0o705}, 0, r | w | x},
		{"user in pub", user, pub, owned{uid: 0, gid: 0, mode: 0o755}, r | x, w},
		{"nobody keeps no house", nobody, pub, owned{uid: 0, gid: 0, mode: 0o755}, r | x, w},
		{"anonymous reads pub", anon, pub, owned{uid: 0, gid: 0, mode: 0o644}, r, w | x},
		{"anonymous owns nothing by number", anon, pub, owned{uid: identity.AnonymousID, gid: 5, mode: 0o700}, 0, r | w | x},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := &view{s: &Service{}, c: tt.c}
			if !v.bits(tt.m, tt.o, tt.bits) {
				t.Errorf("mode %o: %o did not pass", tt.o.mode, tt.bits)
			}
			for _, b := range []fs.FileMode{r, w, x} {
				if tt.never&b != 0 && v.bits(tt.m, tt.o, b) {
					t.Errorf("mode %o: %o passed", tt.o.mode, b)
				}
			}
		})
	}
}

// ruled is a policy of exact paths and what lies below them.
type ruled map[string]identity.Level

func (p ruled) Allowed(_ *identity.Session, r identity.Resource) bool {
	for path := range p {
		if inside(path, string(r)[len("file:"):]) {
			return false
		}
	}
	return true
}

func (p ruled) RulesFor(*identity.Session, string) (out []identity.Rule) {
	for path, level := range p {
		out = append(out, identity.Rule{Resource: "file:" + path + "/**", Level: level})
	}
	return out
}

func TestGrant(t *testing.T) {
	grant := func(scope identity.FileScope, path string) *identity.Grant {
		return &identity.Grant{Files: scope, Path: path}
	}
	for _, tt := range []struct {
		name                  string
		g                     *identity.Grant
		path                  string
		visible, read, change bool
	}{
		{"no token", nil, "/home/u/a", true, true, true},
		{"read", grant(identity.FilesRead, ""), "/home/u/a", true, true, false},
		{"none", grant(identity.FilesNone, ""), "/home/u/a", true, false, false},
		{"write", grant(identity.FilesWrite, ""), "/home/u/a", true, true, true},
		{"in the path", grant(identity.FilesWrite, "/home/u/in"), "/home/u/in/a", true, true, true},
		{"the path", grant(identity.FilesWrite, "/home/u/in"), "/home/u/in", true, true, true},
		{"beside the path", grant(identity.FilesWrite, "/home/u/in"), "/home/u/inn", false, false, false},
		{"on the way", grant(identity.FilesWrite, "/home/u/in"), "/home/u", true, false, false},
		{"elsewhere", grant(identity.FilesWrite, "/home/u/in"), "/pub", false, false, false},
		{"everything", grant(identity.FilesWrite, "/"), "/pub/x", true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := person(1, 1, identity.LevelUser)
			c.Grant = tt.g
			v := &view{s: &Service{}, c: c}
			if got := v.visible(tt.path); got != tt.visible {
				t.Errorf("visible: %v", got)
			}
			if got := v.read(&mount{}, owned{uid: 1, gid: 1, mode: 0o600}, tt.path); got != tt.read {
				t.Errorf("read: %v", got)
			}
			if got := v.change(&mount{}, tt.path); got != tt.change {
				t.Errorf("change: %v", got)
			}
		})
	}
}

func TestGuarded(t *testing.T) {
	for _, tt := range []struct {
		pattern, path string
		want          bool
	}{
		{"/groups/x/secret/**", "/groups/x", true},
		{"/groups/x/secret", "/groups/x", true},
		{"/groups/x/**", "/groups/x", true},
		{"/groups/*/secret/**", "/groups/x", true},
		{"/groups/**", "/groups/x", false},
		{"/groups/x", "/groups/x", false},
		{"/groups/y/secret", "/groups/x", false},
		{"/pub/**", "/groups/x", false},
	} {
		if got := below(split(tt.pattern), split(tt.path)); got != tt.want {
			t.Errorf("below(%s, %s) = %v", tt.pattern, tt.path, got)
		}
	}
	v := &view{s: &Service{o: Options{Policy: ruled{"/home/u/a/secret": identity.LevelAdmin}}}, c: person(1, 1, identity.LevelUser)}
	if !v.guarded("/home/u/a") || v.guarded("/home/u/b") {
		t.Error("a rule below the folder was not seen, or one was seen that is not there")
	}
	if v.c.Level = identity.LevelAdmin; v.guarded("/home/u/a") {
		t.Error("who passes the rule may move what it guards")
	}
}

func TestLinkTarget(t *testing.T) {
	for _, tt := range []struct {
		rel, target, want string
		ok                bool
	}{
		{"", "a", "/a", true},
		{"/d", "a", "/d/a", true},
		{"/d", "../a", "/a", true},
		{"/d", "..", "", true},
		{"/d/e", "../../x/./y", "/x/y", true},
		{"/d", "../..", "", false},
		{"", "..", "", false},
		{"", "../bob/x", "", false},
		{"/d", "../../etc/passwd", "", false},
		{"", "/etc/passwd", "", false},
		{"", "", "", false},
		{"", "a\nb", "", false},
	} {
		got, ok := linkTarget(tt.rel, tt.target)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("linkTarget(%q, %q) = %q, %v", tt.rel, tt.target, got, ok)
		}
	}
}
