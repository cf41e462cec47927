package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
)

var (
	owner     = identity.Actor{Level: identity.LevelRoot, Via: "cli"}
	adminOne  = identity.Actor{User: "admin1", Level: identity.LevelAdmin, Via: "web", Remote: "192.0.2.9"}
	moderator = identity.Actor{User: "mod1", Level: identity.LevelModerator, Via: "web"}
)

// accounts is a service on a real store, with what tests of accounts do often.
type accounts struct {
	*identity.Service
	t     testing.TB
	store identity.Store
}

func newAccounts(t testing.TB, with ...func(*identity.Options)) *accounts {
	t.Helper()
	db := sqltest.Migrated(t, sqlstore.Migrate)
	o := identity.Options{Store: sqlstore.New(db), Domain: "example.org", Domains: []string{"example.net"},
		SealKey: make([]byte, 32), SCRAMIterations: 64}
	for _, fn := range with {
		fn(&o)
	}
	s, err := identity.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return &accounts{s, t, o.Store}
}

func (a *accounts) add(login string, level identity.Level, groups ...string) identity.Account {
	a.t.Helper()
	acc, err := a.AddUser(a.t.Context(), owner, identity.NewUser{Login: login, Level: level, Groups: groups,
		Password: identity.NewSecret("correct horse " + login)})
	if err != nil {
		a.t.Fatalf("adding %s: %v", login, err)
	}
	return acc
}

func (a *accounts) must(what string, err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatalf("%s: %v", what, err)
	}
}

// refused checks the kind of an error and that its text says something.
func (a *accounts) refused(what string, err, kind error, words ...string) {
	a.t.Helper()
	if !errors.Is(err, kind) {
		a.t.Errorf("%s: got error %v, want one that is %q", what, err, kind)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			a.t.Errorf("%s: %q does not say %q", what, err, w)
		}
	}
}

func (a *accounts) events(f identity.AuditFilter) []string {
	a.t.Helper()
	rows, err := a.Audit(a.t.Context(), f)
	a.must("reading the audit log", err)
	var out []string
	for _, r := range rows {
		out = append(out, r.Event)
	}
	return out
}

// told is a holder that keeps what it was told.
type told struct {
	mu      sync.Mutex
	ended   []identity.Reason
	changed int
}

func (h *told) SessionEnded(r identity.Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = append(h.ended, r)
}

func (h *told) SessionChanged() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed++
}

func (h *told) codes() (out []identity.ReasonCode) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.ended {
		out = append(out, r.Code)
	}
	return out
}

func (a *accounts) login(name, password string) (*identity.Session, *told, error) {
	a.t.Helper()
	h := &told{}
	ses, err := a.Registry.Open(a.t.Context(), identity.Opening{Protocol: identity.ProtocolFTP, Holder: h,
		Remote: netip.MustParseAddrPort("192.0.2.1:1000"), Local: netip.MustParseAddrPort("192.0.2.2:21")})
	a.must("opening a session", err)
	_, err = a.Login(a.t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: name, Secret: identity.NewSecret(password)})
	return ses, h, err
}

func (a *accounts) in(name, password string) (*identity.Session, *told) {
	a.t.Helper()
	ses, h, err := a.login(name, password)
	a.must("logging in as "+name, err)
	return ses, h
}

func TestAddUser(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	_, err := a.AddGroup(ctx, owner, "staff", 0)
	a.must("adding a group", err)
	u, err := a.AddUser(ctx, owner, identity.NewUser{Login: "User1", Groups: []string{"staff"}, Roads: []identity.Road{"xmpp", "ftp", "xmpp"},
		Password: identity.NewSecret("correct horse"), Profile: identity.Profile{Email: " user1@example.net ", Lang: "DE-ch", TimeZone: "Europe/Berlin"}})
	a.must("adding", err)
	if u.Login != "user1" || u.Domain != "example.org" || u.Level != identity.LevelUser || u.State != identity.UserActive {
		t.Errorf("account: %+v", u.User)
	}
	if len(u.ID) != 26 || u.UID != 10001 || u.GID != u.UID || u.Group.Name != "user1" || u.Group.GID != u.UID {
		t.Errorf("numbers: id %s uid %d gid %d group %+v", u.ID, u.UID, u.GID, u.Group)
	}
	if len(u.Groups) != 1 || u.Groups[0].Name != "staff" || !slices.Equal(u.Roads, []identity.Road{"ftp", "xmpp"}) {
		t.Errorf("groups %v, roads %v", u.Groups, u.Roads)
	}
	if u.Profile.Email != "user1@example.net" || u.Profile.Lang != "de-CH" {
		t.Errorf("profile: %+v", u.Profile)
	}
	again, err := a.User(ctx, "user1@example.org")
	a.must("reading", err)
	if again.ID != u.ID || again.ChangeSeq != u.ChangeSeq {
		t.Errorf("read %+v, added %+v", again, u)
	}
	if _, _, err := a.login("USER1", "correct horse"); err != nil {
		t.Errorf("logging in: %v", err)
	}
	rows, err := a.Audit(ctx, identity.AuditFilter{Event: "user.add"})
	a.must("reading the audit log", err)
	if len(rows) != 1 || rows[0].Subject != "user1" || rows[0].Via != "cli" || rows[0].Result != "ok" ||
		!strings.Contains(rows[0].After, `"level":"user"`) || strings.Contains(rows[0].After, "horse") {
		t.Errorf("audit: %+v", rows)
	}
	second := a.add("user2", 0)
	if second.UID != 10002 {
		t.Errorf("the second user has uid %d", second.UID)
	}
}

func TestAddUserRefuses(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	a.add("user1", 0)
	a.add("gone", 0)
	a.must("removing", a.RemoveUser(ctx, owner, "gone"))
	_, err := a.AddAlias(ctx, owner, "nick", "user1")
	a.must("adding an alias", err)
	_, err = a.AddGroup(ctx, owner, "staff", 20000)
	a.must("adding a group", err)
	_, err = a.AddGroup(ctx, owner, "far@example.net", 20001)
	a.must("adding a group elsewhere", err)
	before := a.events(identity.AuditFilter{})
	for _, c := range []struct {
		name  string
		by    identity.Actor
		user  identity.NewUser
		kind  error
		words string
	}{
		{"reserved", owner, identity.NewUser{Login: "Anonymous"}, identity.ErrInvalid, "the name anonymous is reserved"},
		{"no name", owner, identity.NewUser{Login: "a b"}, identity.ErrInvalid, "is not a name"},
		{"a foreign domain", owner, identity.NewUser{Login: "new@elsewhere.org"}, identity.ErrInvalid, "not a domain of this server"},
		{"taken", owner, identity.NewUser{Login: "USER1"}, identity.ErrExists, `a user "user1" already`},
		{"removed", owner, identity.NewUser{Login: "gone"}, identity.ErrExists, "stays reserved"},
		{"an alias", owner, identity.NewUser{Login: "nick"}, identity.ErrExists, `alias "nick"`},
		{"a group", owner, identity.NewUser{Login: "staff"}, identity.ErrExists, `group "staff"`},
		{"level NOBODY", owner, identity.NewUser{Login: "new", Level: identity.LevelNobody}, identity.ErrInvalid, "cannot hold"},
		{"level ANONYMOUS", owner, identity.NewUser{Login: "new", Level: identity.LevelAnonymous}, identity.ErrInvalid, "cannot hold"},
		{"a level without a name", owner, identity.NewUser{Login: "new", Level: 33}, identity.ErrInvalid, "cannot hold"},
		{"one's own level", adminOne, identity.NewUser{Login: "new", Level: identity.LevelAdmin}, identity.ErrRefused, "admin"},
		{"above one's own level", adminOne, identity.NewUser{Login: "new", Level: identity.LevelRoot}, identity.ErrRefused, "admin"},
		{"by a user", identity.Actor{User: "user1", Level: identity.LevelUser}, identity.NewUser{Login: "new", Level: identity.LevelLoggedIn}, identity.ErrRefused, "moderator"},
		{"by nobody", identity.Actor{}, identity.NewUser{Login: "new"}, identity.ErrRefused, ""},
		{"by the level NOBODY", identity.Actor{Level: identity.LevelNobody}, identity.NewUser{Login: "new"}, identity.ErrRefused, ""},
		{"into a group without the right", moderator, identity.NewUser{Login: "new", Groups: []string{"staff"}}, identity.ErrRefused, "admin"},
		{"into somebody's primary group", moderator, identity.NewUser{Login: "new", GID: 10000}, identity.ErrRefused, ""},
		{"no such group", owner, identity.NewUser{Login: "new", Groups: []string{"stuff"}}, identity.ErrNotFound, `no group "stuff"`},
		{"a group elsewhere", owner, identity.NewUser{Login: "new", GID: 20001}, identity.ErrInvalid, "example.net"},
		{"a taken uid", owner, identity.NewUser{Login: "new", UID: 10000}, identity.ErrExists, "uid 10000"},
		{"the uid of nobody", owner, identity.NewUser{Login: "new", UID: 65534}, identity.ErrInvalid, "nobody"},
		{"a gid too large", owner, identity.NewUser{Login: "new", GID: 1 << 31}, identity.ErrInvalid, "gid"},
		{"no road", owner, identity.NewUser{Login: "new", Roads: []identity.Road{"dav"}}, identity.ErrInvalid, "ftp, web, xmpp"},
		{"a short password", owner, identity.NewUser{Login: "new", Password: identity.NewSecret("1234567")}, identity.ErrInvalid, "too short"},
		{"a long password", owner, identity.NewUser{Login: "new", Password: identity.NewSecret(strings.Repeat("x", 1025))}, identity.ErrInvalid, "too long"},
		{"the login as password", owner, identity.NewUser{Login: "longlogin", Password: identity.NewSecret("LongLogin")}, identity.ErrInvalid, "is the login"},
		{"a bad profile", owner, identity.NewUser{Login: "new", Profile: identity.Profile{Email: "x"}}, identity.ErrInvalid, "e-mail"},
	} {
		_, err := a.AddUser(ctx, c.by, c.user)
		a.refused(c.name, err, c.kind, c.words)
	}
	if after := a.events(identity.AuditFilter{}); !slices.Equal(before, after) {
		t.Errorf("refusals left audit rows: %v, before %v", after, before)
	}
	if list, err := a.Users(ctx, identity.UserFilter{}); err != nil || len(list) != 1 {
		t.Errorf("refusals left accounts: %d, %v", len(list), err)
	}
	elsewhere, err := a.AddUser(ctx, owner, identity.NewUser{Login: "user1@example.net"})
	if err != nil || elsewhere.Domain != "example.net" {
		t.Errorf("the same login in another domain: %+v, %v", elsewhere.User, err)
	}
}

func TestAddUserNumbers(t *testing.T) {
	t.Parallel()
	a := newAccounts(t, func(o *identity.Options) { o.UIDMin = 500 })
	ctx := t.Context()
	add := func(n identity.NewUser) identity.Account {
		t.Helper()
		acc, err := a.AddUser(ctx, owner, n)
		a.must("adding "+n.Login, err)
		return acc
	}
	if u := add(identity.NewUser{Login: "user1"}); u.UID != 500 || u.GID != 500 {
		t.Errorf("the first: %d %d", u.UID, u.GID)
	}
	if u := add(identity.NewUser{Login: "user2", UID: 700}); u.UID != 700 || u.GID != 700 || u.Group.Name != "user2" {
		t.Errorf("a uid by hand: %d %d %v", u.UID, u.GID, u.Group)
	}
	_, err := a.AddGroup(ctx, owner, "staff", 600)
	a.must("adding a group", err)
	if u := add(identity.NewUser{Login: "user3", UID: 600}); u.UID != 600 || u.GID != 701 || u.Group.Name != "user3" {
		t.Errorf("the number of the own group is taken: %d %d %v", u.UID, u.GID, u.Group)
	}
	if u := add(identity.NewUser{Login: "user4", GID: 600, Groups: []string{"staff"}}); u.UID != 702 || u.GID != 600 || u.Group.Name != "staff" || len(u.Groups) != 0 {
		t.Errorf("a group that exists: %d %d %v %v", u.UID, u.GID, u.Group, u.Groups)
	}
	if _, err := a.Group(ctx, "user4"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("a group of its own beside a given one: %v", err)
	}
	_, err = a.AddGroup(ctx, owner, "user5", 5000)
	a.must("adding the group of an import", err)
	if u := add(identity.NewUser{Login: "user5", UID: 5000, GID: 5000}); u.UID != 5000 || u.GID != 5000 || u.Group.Name != "user5" {
		t.Errorf("an imported user: %d %d %v", u.UID, u.GID, u.Group)
	}
	if u := add(identity.NewUser{Login: "user6", GID: 800}); u.UID != 5001 || u.GID != 800 || u.Group.Name != "user6" {
		t.Errorf("a gid by hand: %d %d %v", u.UID, u.GID, u.Group)
	}
	_, err = a.AddUser(ctx, owner, identity.NewUser{Login: "staff", GID: 800})
	a.refused("another group has the name", err, identity.ErrExists, `group "staff"`)
}

func TestNumbersAreNeverGivenTwice(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	const workers, each = 8, 10
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("user%d-%d", w, i)
				if _, err := a.AddUser(context.Background(), owner, identity.NewUser{Login: name}); err != nil {
					t.Errorf("adding %s: %v", name, err)
				}
				if i%3 == 0 {
					if err := a.RemoveUser(context.Background(), owner, name); err != nil {
						t.Errorf("removing %s: %v", name, err)
					}
				}
				if _, err := a.AddGroup(context.Background(), owner, "g-"+name, 0); err != nil {
					t.Errorf("adding a group: %v", err)
				}
			}
		})
	}
	wg.Wait()
	all, err := a.store.AccountsChanged(t.Context(), 0, 100)
	a.must("reading", err)
	seen := map[uint32]bool{}
	for _, u := range all {
		if seen[u.UID] {
			t.Errorf("uid %d twice", u.UID)
		}
		seen[u.UID] = true
	}
	groups, err := a.Groups(t.Context())
	a.must("reading groups", err)
	for _, g := range groups {
		if strings.HasPrefix(string(g.Name), "g-") && seen[g.GID] {
			t.Errorf("gid %d of %s is a uid, too", g.GID, g.Name)
		}
	}
	if len(all) != workers*each || len(groups) != 2*workers*each {
		t.Errorf("%d accounts, %d groups", len(all), len(groups))
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	a.add("root1", identity.LevelRoot)
	a.add("admin1", identity.LevelAdmin)
	a.add("admin2", identity.LevelAdmin)
	a.add("mod1", identity.LevelModerator)
	a.add("user1", identity.LevelUser)
	user := identity.Actor{User: "user1", Level: identity.LevelUser}
	root := identity.Actor{User: "root1", Level: identity.LevelRoot}
	level := func(l identity.Level) identity.UserChange { return identity.UserChange{Level: &l} }
	profile := identity.UserChange{Profile: &identity.Profile{Name: "New"}}
	quota := identity.UserChange{QuotaBytes: new(int64)}
	*quota.QuotaBytes = 5
	none := identity.UserChange{}
	for _, c := range []struct {
		name   string
		by     identity.Actor
		target string
		change identity.UserChange
		ok     bool
	}{
		{"a user's own profile", user, "user1", profile, true},
		{"a user's own quota", user, "user1", quota, false},
		{"a user's own level", user, "user1", level(identity.LevelCustomer), false},
		{"nothing of another", user, "admin1", none, false},
		{"another's profile", user, "admin1", profile, false},
		{"a moderator: a user's quota", moderator, "user1", quota, true},
		{"a moderator: a user up to below", moderator, "user1", level(identity.LevelStaff), true},
		{"a moderator: a user up to their own", moderator, "user1", level(identity.LevelModerator), false},
		{"a moderator: an administrator", moderator, "admin1", profile, false},
		{"an administrator: another", adminOne, "admin2", profile, false},
		{"an administrator: their own profile", adminOne, "admin1", profile, true},
		{"an administrator: their own level down", adminOne, "admin1", level(identity.LevelUser), false},
		{"an administrator: ROOT", adminOne, "root1", profile, false},
		{"an administrator: a moderator down", adminOne, "mod1", level(identity.LevelLoggedIn), true},
		{"ROOT: an administrator", root, "admin1", quota, true},
		{"ROOT: themself", root, "root1", quota, true},
		{"ROOT: somebody to ROOT", root, "admin2", level(identity.LevelRoot), true},
		{"the control socket: ROOT", owner, "root1", profile, true},
		{"somebody without a name", identity.Actor{Level: identity.LevelUser}, "user1", profile, false},
		{"level NOBODY", identity.Actor{User: "x", Level: identity.LevelNobody}, "user1", profile, false},
	} {
		_, err := a.SetUser(ctx, c.by, c.target, c.change)
		if c.ok && err != nil || !c.ok && !errors.Is(err, identity.ErrRefused) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	pw := identity.NewSecret("another password")
	a.refused("another's password", a.SetPassword(ctx, user, "admin1", pw, nil), identity.ErrRefused)
	a.refused("removing an equal", a.RemoveUser(ctx, adminOne, "admin2"), identity.ErrRefused)
	a.refused("removing oneself", a.RemoveUser(ctx, user, "user1"), identity.ErrRefused)
	_, err := a.AddAlias(ctx, user, "me", "user1")
	a.refused("an alias for oneself", err, identity.ErrRefused)
	_, err = a.AddGroup(ctx, moderator, "new", 0)
	a.refused("a group by a moderator", err, identity.ErrRefused)
	a.refused("into the group of ROOT's home", a.AddMembers(ctx, adminOne, "root1", []string{"admin1"}, false), identity.ErrRefused, "primary group")
	a.must("own password", a.SetPassword(ctx, user, "user1", pw, nil))
}

func TestLastAdministrator(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	a.add("admin1", identity.LevelAdmin)
	a.add("user1", identity.LevelUser)
	level, disabled, soon := identity.LevelModerator, identity.UserDisabled, time.Now().Add(time.Hour)
	changes := map[string]identity.UserChange{"demoting": {Level: &level}, "disabling": {State: &disabled}, "expiring": {ExpiresAt: &soon}}
	for name, c := range changes {
		_, err := a.SetUser(ctx, owner, "admin1", c)
		a.refused(name, err, identity.ErrRefused, "last active administrator")
	}
	a.refused("removing", a.RemoveUser(ctx, owner, "admin1"), identity.ErrRefused, "last active administrator")
	has, err := a.HasAdministrator(ctx)
	if !has || err != nil {
		t.Errorf("HasAdministrator: %v, %v", has, err)
	}
	a.add("root1", identity.LevelRoot)
	_, err = a.SetUser(ctx, owner, "root1", changes["disabling"])
	a.must("disabling one of two", err)
	a.refused("the other is disabled", a.RemoveUser(ctx, owner, "admin1"), identity.ErrRefused)
	active := identity.UserActive
	_, err = a.SetUser(ctx, owner, "root1", identity.UserChange{State: &active})
	a.must("enabling", err)
	a.must("removing one of two", a.RemoveUser(ctx, owner, "admin1"))
}

func TestMayLogIn(t *testing.T) {
	var now time.Time
	a := newAccounts(t, func(o *identity.Options) { o.Now = func() time.Time { return now } })
	now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	is := func(what string, id identity.UserID, want bool) {
		t.Helper()
		if got := a.MayLogIn(t.Context(), id); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	alice := a.add("alice", identity.LevelUser)
	is("an active account", alice.ID, true)
	is("nobody", "none", false)
	off, on, soon := identity.UserDisabled, identity.UserActive, now.Add(time.Hour)
	_, err := a.SetUser(t.Context(), owner, "alice", identity.UserChange{State: &off})
	a.must("disabling", err)
	is("a disabled one", alice.ID, false)
	_, err = a.SetUser(t.Context(), owner, "alice", identity.UserChange{State: &on, ExpiresAt: &soon})
	a.must("enabling", err)
	is("before it expires", alice.ID, true)
	now = soon
	is("after it has", alice.ID, false)
}
