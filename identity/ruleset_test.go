package identity_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

func lvl(l identity.Level) *identity.Level { return &l }

// root1 is an administrator who may do everything.
var root1 = identity.Actor{User: "root1", Level: identity.LevelRoot, Via: "web"}

// rule sets one rule, or removes it with a nil level.
func (h *house) rule(by identity.Actor, pattern string, level *identity.Level) (identity.Review, error) {
	return h.ChangeRules(h.t.Context(), by, []identity.RuleChange{{Pattern: pattern, Level: level}}, false)
}

func (h *house) mustRule(by identity.Actor, pattern string, level *identity.Level) identity.Review {
	h.t.Helper()
	r, err := h.rule(by, pattern, level)
	if err != nil {
		h.t.Fatalf("%s: %v", pattern, err)
	}
	return r
}

func (h *house) root() identity.User {
	return h.person("root1", func(u *identity.User) { u.Level = identity.LevelRoot })
}

// pages registers what a web road would.
func (h *house) pages() {
	own := map[identity.Resource]identity.Level{"web:/login": identity.LevelNone, "web:/files": identity.LevelLoggedIn, "web:/tokens": identity.LevelLoggedIn,
		"web:/admin": identity.LevelAdmin, "web:/admin/policy": identity.LevelAdmin}
	h.UseRoutes(func(r identity.Resource) (identity.Level, bool) { l, ok := own[r]; return l, ok })
	h.AddResources(func() []identity.Known {
		var out []identity.Known
		for r, l := range own {
			out = append(out, identity.Known{Resource: r, Group: identity.GroupPages, Own: lvl(l)})
		}
		for _, verb := range []string{"STOR", "RETR", "DELE"} {
			out = append(out, identity.Known{Resource: identity.Resource("ftp:" + verb), Group: identity.GroupFTP})
		}
		return append(out, identity.Known{Resource: "web:/assets/**", Group: identity.GroupPages, Own: lvl(identity.LevelNone), Fixed: true})
	})
}

func TestStoredRules(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Policy = map[string]string{"ftp:STOR": "customer", "ftp:DELE": "user"}
		o.Classes = []identity.Class{{Name: "lan", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	})
	h.root()
	alice := h.person("alice", nil)
	if _, err := h.AddGroup(t.Context(), owner, "crew", 0); err != nil {
		t.Fatal(err)
	}
	ses, hold := h.in(identity.ProtocolFTP, "alice", testPassword)

	h.mustRule(root1, "ftp:retr", lvl(identity.LevelStaff))
	if h.Allowed(ses, "ftp:RETR") {
		t.Error("a rule of the store does not count")
	}
	if hold.changed == 0 {
		t.Error("the session was not woken")
	}
	h.mustRule(root1, "ftp:RETR for user:alice", lvl(identity.LevelUser))
	if !h.Allowed(ses, "ftp:RETR") {
		t.Error("the narrower rule does not count")
	}
	// Of equals the stricter, wherever they are from.
	h.mustRule(root1, "ftp:STOR", lvl(identity.LevelUser))
	if got := h.Required("ftp:STOR"); got != identity.LevelCustomer {
		t.Errorf("STOR needs %v, the config says customer", got)
	}
	h.mustRule(root1, "ftp:DELE", lvl(identity.LevelAdmin))
	if got := h.Required("ftp:DELE"); got != identity.LevelAdmin {
		t.Errorf("DELE needs %v, the store says admin", got)
	}
	// A group of the store is the gid's, and a change of membership counts as for any rule.
	h.mustRule(root1, "ftp:DELE for group:crew", lvl(identity.LevelUser))
	if h.Allowed(ses, "ftp:DELE") {
		t.Error("a rule for a group counts for who is not in it")
	}
	if err := h.AddMembers(t.Context(), owner, "crew", []string{"alice"}, false); err != nil {
		t.Fatal(err)
	}
	if !h.Allowed(ses, "ftp:DELE") {
		t.Error("a rule for a group does not count for its member")
	}
	name := "sailors"
	if _, err := h.SetGroup(t.Context(), owner, "crew", identity.GroupChange{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if !h.Allowed(ses, "ftp:DELE") || !h.lists("ftp:DELE for group:sailors") || h.lists("ftp:DELE for group:crew") {
		t.Errorf("after a new name: %+v", h.Rules())
	}
	// What is left after a restart is the same.
	h.start()
	if got := h.Required("ftp:RETR"); got != identity.LevelStaff || !h.lists("ftp:RETR for user:alice") {
		t.Errorf("after a restart RETR needs %v", got)
	}
	// Rules go with whom they are about, and an account made anew inherits none.
	if err := h.RemoveUser(t.Context(), owner, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveGroup(t.Context(), owner, "sailors"); err != nil {
		t.Fatal(err)
	}
	for _, r := range h.Rules() {
		if r.For != "" {
			t.Errorf("%+v is left of a removed user or group", r)
		}
	}
	if _, list, err := h.store.PolicyRules(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("the store has %v, %v", list, err)
	}
	for pattern, kind := range map[string]error{
		"ftp:RETR for user:nobody1": identity.ErrNotFound, "ftp:RETR for group:none": identity.ErrNotFound, "ftp:RETR for class:moon": identity.ErrNotFound,
		"smtp:x": identity.ErrInvalid, "web:/a*": identity.ErrInvalid, "default:smtp": identity.ErrInvalid, "default:web:x": identity.ErrInvalid,
		"ftp:" + strings.Repeat("x", 2000): identity.ErrInvalid, "file:" + strings.Repeat("/x", 100): identity.ErrInvalid,
	} {
		if _, err := h.rule(root1, pattern, lvl(identity.LevelUser)); !errors.Is(err, kind) {
			t.Errorf("%.40s: %v, want %v", pattern, err, kind)
		}
	}
	if _, err := h.rule(root1, "ftp:RETR", lvl(77)); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("a level that there is not: %v", err)
	}
	if _, err := h.rule(root1, "ftp:HELP", nil); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("removing a rule that there is not: %v", err)
	}
	_ = alice
}

func (h *house) lists(pattern string) bool {
	return slices.ContainsFunc(h.Rules(), func(r identity.Rule) bool { return r.Pattern == pattern && r.Source == "store" })
}

// TestRulesEndSessions: who may no longer be logged in is out before the change returns, on each road,
// and within a poll where another process made it.
func TestRulesEndSessions(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.root()
	h.person("alice", nil)
	h.person("bob", nil)
	ftp, hold := h.in(identity.ProtocolFTP, "alice", testPassword)
	chat, chatHold := h.in(identity.ProtocolXMPP, "alice", testPassword)
	other, otherHold := h.in(identity.ProtocolFTP, "bob", testPassword)
	h.mustRule(root1, "login:ftp for user:alice", lvl(identity.LevelNobody))
	if why := hold.reasons(); len(why) != 1 || why[0].Code != identity.ReasonPolicy || ftp.Level() != identity.LevelNone {
		t.Errorf("the session of a closed road: %+v", why)
	}
	if len(chatHold.reasons()) != 0 || len(otherHold.reasons()) != 0 || chat.Level() == identity.LevelNone {
		t.Error("other sessions ended as well")
	}
	again, _ := h.open(identity.ProtocolFTP, home)
	if _, err := h.login(again, "alice", testPassword); !errors.Is(err, identity.ErrRoadClosed) {
		t.Errorf("logging in again: %v", err)
	}

	elsewhere, err := identity.New(t.Context(), h.opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.ChangeRules(t.Context(), root1, []identity.RuleChange{{Pattern: "login:ftp for user:bob", Level: lvl(identity.LevelNobody)}}, false); err != nil {
		t.Fatal(err)
	}
	if len(otherHold.reasons()) != 0 {
		t.Fatal("one process ended the session of the other by itself")
	}
	if err := h.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if why := otherHold.reasons(); len(why) != 1 || other.Level() != identity.LevelNone {
		t.Errorf("after the poll: %+v", why)
	}
}

func TestRulesOfBrowsers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.root()
	h.person("alice", nil)
	b, _ := h.browse("alice")
	h.mustRule(root1, "login:web for user:alice", lvl(identity.LevelNobody))
	if b.Level() == identity.LevelUser {
		t.Error("a browser stays logged in where its road is closed")
	}
}

func TestWhoMayChangeRules(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.Policy = map[string]string{"ftp:DELE": "staff"} })
	h.pages()
	h.root()
	h.person("admin1", func(u *identity.User) { u.Level = identity.LevelAdmin })
	h.person("admin2", func(u *identity.User) { u.Level = identity.LevelAdmin })
	h.person("alice", nil)
	if _, err := h.AddGroup(t.Context(), owner, "chiefs", 0); err != nil {
		t.Fatal(err)
	}
	if err := h.AddMembers(t.Context(), owner, "chiefs", []string{"admin2"}, false); err != nil {
		t.Fatal(err)
	}
	admin := identity.Actor{User: "admin1", Level: identity.LevelAdmin, Via: "web"}
	for _, tt := range []struct {
		name    string
		by      identity.Actor
		pattern string
		level   *identity.Level
		ok      bool
	}{
		{"a moderator sets nothing", identity.Actor{User: "m", Level: identity.LevelModerator}, "ftp:STOR", lvl(identity.LevelUser), false},
		{"an administrator makes it stricter", admin, "ftp:STOR", lvl(identity.LevelStaff), true},
		{"up to their own level", admin, "ftp:STOR", lvl(identity.LevelAdmin), true},
		{"not above it", admin, "ftp:STOR", lvl(identity.LevelRoot), false},
		{"nor for nobody", admin, "ftp:STOR", lvl(identity.LevelNobody), false},
		{"and does not lower what the code asks", admin, "web:/tokens", lvl(identity.LevelNone), false},
		{"nor what the config asks", admin, "ftp:DELE for user:alice", lvl(identity.LevelUser), false},
		{"nor what the store asks", admin, "ftp:STOR", lvl(identity.LevelUser), false},
		{"nor by taking a rule away", admin, "ftp:STOR", nil, false},
		{"not for those at their own level", admin, "ftp:RETR for user:admin2", lvl(identity.LevelAdmin), false},
		{"not for groups of such", admin, "ftp:RETR for group:chiefs", lvl(identity.LevelAdmin), false},
		{"for those below", admin, "ftp:RETR for user:alice", lvl(identity.LevelAdmin), true},
		{"with a pattern that a more literal page hides", admin, "web:/**", lvl(identity.LevelNone), false},
		{"root lowers", root1, "ftp:STOR", lvl(identity.LevelUser), true},
		{"root forbids", root1, "ftp:RETR", lvl(identity.LevelNobody), true},
		{"root opens the administration, not below staff", root1, "web:/admin/policy", lvl(identity.LevelNone), true},
	} {
		_, dry := h.ChangeRules(t.Context(), tt.by, []identity.RuleChange{{Pattern: tt.pattern, Level: tt.level}}, true)
		_, err := h.rule(tt.by, tt.pattern, tt.level)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, identity.ErrRefused) || (dry == nil) != tt.ok {
			t.Errorf("%s: %v, dry %v", tt.name, err, dry)
		}
	}
	if got := h.Required("web:/admin/policy", identity.LevelAdmin); got != identity.LevelStaff {
		t.Errorf("the administration opens at %v", got)
	}
}

// TestDoorStaysOpen: no change shuts out the last root, or the last administrator, from the web.
func TestDoorStaysOpen(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Classes = []identity.Class{{Name: "vpn", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}},
			{Name: "rest", From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}}
	})
	h.pages()
	h.root()
	never := lvl(identity.LevelNobody)
	for _, c := range [][]identity.RuleChange{
		{{Pattern: "web:/**", Level: never}},
		{{Pattern: "default:web", Level: never}},
		{{Pattern: "web:/login", Level: lvl(identity.LevelUser)}},
		{{Pattern: "login:web", Level: never}},
		{{Pattern: "login:web for user:root1", Level: never}},
		{{Pattern: "default:login", Level: never}},
		{{Pattern: "web:/admin", Level: never}},
		{{Pattern: "web:/admin/policy", Level: never}},
		{{Pattern: "web:/admin/**", Level: never}},
		{{Pattern: "login:web for class:vpn", Level: never}, {Pattern: "login:web for class:rest", Level: never}},
	} {
		for _, dry := range []bool{true, false} {
			_, err := h.ChangeRules(t.Context(), root1, c, dry)
			if !errors.Is(err, identity.ErrRefused) || !strings.Contains(err.Error(), "shut out the last") {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
	if n := len(h.Rules()); n != 0 {
		t.Errorf("%d rules were set", n)
	}
	// The same whitelist with the door in it, and a door that stays open from one place.
	_, err := h.ChangeRules(t.Context(), root1, []identity.RuleChange{{Pattern: "default:web", Level: never}, {Pattern: "web:/login", Level: lvl(identity.LevelNone)},
		{Pattern: "web:/admin/**", Level: lvl(identity.LevelRoot)}, {Pattern: "login:web for class:rest", Level: never}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Required("web:/files", identity.LevelLoggedIn); got != identity.LevelNobody {
		t.Errorf("a page that the whitelist does not name needs %v", got)
	}
}

func TestDryRunAndUndo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.pages()
	h.root()
	h.person("alice", nil)
	h.person("boss", func(u *identity.User) { u.Level = identity.LevelAdmin })
	ses, hold := h.in(identity.ProtocolFTP, "alice", testPassword)
	boss, _ := h.in(identity.ProtocolFTP, "boss", testPassword)

	change := []identity.RuleChange{{Pattern: "ftp:WRITE", Level: lvl(identity.LevelStaff), Note: "quiet hours"}, {Pattern: "login:ftp for user:boss", Level: lvl(identity.LevelNobody)}}
	r, err := h.ChangeRules(t.Context(), root1, change, true)
	if err != nil || r.Applied || len(h.Rules()) != 0 || !h.Allowed(ses, "ftp:STOR") {
		t.Fatalf("a dry run: %+v, %v", r, err)
	}
	if r.Affected != 2 || len(r.Sessions) != 2 {
		t.Fatalf("sessions: %+v", r.Sessions)
	}
	a, b := r.Sessions[0], r.Sessions[1]
	if a.User != "alice" || a.ID != ses.ID() || a.Ends || !slices.Contains(a.Loses, "ftp:STOR") || !slices.Contains(a.Loses, "ftp:DELE") || slices.Contains(a.Loses, "ftp:RETR") {
		t.Errorf("alice: %+v", a)
	}
	if b.User != "boss" || !b.Ends || !slices.Contains(b.Loses, "login:ftp") {
		t.Errorf("boss: %+v", b)
	}
	if !slices.Contains(r.Resources, identity.ResourceChange{Resource: "ftp:STOR", Before: identity.LevelLoggedIn, After: identity.LevelStaff}) {
		t.Errorf("resources: %+v", r.Resources)
	}

	done, err := h.ChangeRules(t.Context(), root1, change, false)
	if err != nil || !done.Applied || done.UndoUntil == nil || !done.UndoUntil.Equal(h.clock.now().Add(10*time.Minute)) || len(done.Sessions) != 2 {
		t.Fatalf("applied: %+v, %v", done, err)
	}
	if h.Allowed(ses, "ftp:STOR") || boss.Level() != identity.LevelNone || len(hold.reasons()) != 0 {
		t.Error("what was said is not what happened")
	}
	if _, err := h.UndoRules(t.Context(), identity.Actor{User: "root2", Level: identity.LevelRoot}); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("somebody else takes it back: %v", err)
	}
	back, err := h.UndoRules(t.Context(), root1)
	if err != nil || !back.Applied || len(h.Rules()) != 0 || !h.Allowed(ses, "ftp:STOR") {
		t.Errorf("taken back: %+v, %v, %+v", back, err, h.Rules())
	}
	if _, err := h.UndoRules(t.Context(), root1); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("taken back twice: %v", err)
	}

	// What was before comes back whole; what somebody changed since stays.
	h.mustRule(owner, "ftp:STOR", lvl(identity.LevelCustomer))
	h.clock.pass(time.Minute)
	h.mustRule(root1, "ftp:STOR", lvl(identity.LevelStaff))
	if _, err := h.UndoRules(t.Context(), root1); err != nil || h.Required("ftp:STOR") != identity.LevelCustomer || h.Rules()[0].By != owner.User {
		t.Errorf("undone to %+v, %v", h.Rules(), err)
	}
	h.mustRule(root1, "ftp:STOR", lvl(identity.LevelStaff))
	h.clock.pass(time.Second)
	h.mustRule(owner, "ftp:STOR", lvl(identity.LevelRoot))
	if _, err := h.UndoRules(t.Context(), root1); !errors.Is(err, identity.ErrRefused) || h.Required("ftp:STOR") != identity.LevelRoot {
		t.Errorf("undoing over another one's change: %v", err)
	}
	h.clock.pass(11 * time.Minute)
	if _, err := h.UndoRules(t.Context(), owner); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("after 11 minutes: %v", err)
	}
	// Nothing that changes nothing takes the place of what can be undone.
	h.mustRule(root1, "ftp:RETR", lvl(identity.LevelStaff))
	if r := h.mustRule(root1, "ftp:RETR", lvl(identity.LevelStaff)); r.Applied || len(r.Rules) != 0 {
		t.Errorf("the same again: %+v", r)
	}
	if until, err := h.UndoUntil(t.Context(), root1); err != nil || until.IsZero() {
		t.Errorf("until %v, %v", until, err)
	}
	events, err := h.Audit(t.Context(), identity.AuditFilter{Event: "policy.*"})
	if err != nil || len(events) < 8 || events[len(events)-1].Subject == "" {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// TestWhitelists: a default of NOBODY closes all of a kind that no rule names.
func TestWhitelists(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.pages()
	h.root()
	h.person("alice", nil)
	chat, _ := h.in(identity.ProtocolXMPP, "alice", testPassword)
	ftp, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	for _, tt := range []struct {
		ses        *identity.Session
		kind       string
		open, shut identity.Resource
	}{
		{ftp, "ftp", "ftp:RETR", "ftp:STOR"}, {ftp, "ftp", "ftp:RETR:/pub/x", "ftp:STOR:/pub/x"},
		{ftp, "file", "file:/pub/a/b", "file:/home/alice"}, {chat, "xmpp", "xmpp:message", "xmpp:iq"},
	} {
		open := strings.NewReplacer("/a/b", "/**", ":/pub/x", "").Replace(string(tt.open))
		h.mustRule(root1, "default:"+tt.kind, lvl(identity.LevelNobody))
		h.mustRule(root1, open, lvl(identity.LevelUser))
		if !h.Allowed(tt.ses, tt.open) || h.Allowed(tt.ses, tt.shut) {
			t.Errorf("%s: %s %v, %s %v", tt.kind, tt.open, h.Allowed(tt.ses, tt.open), tt.shut, h.Allowed(tt.ses, tt.shut))
		}
		d, err := h.Explain(t.Context(), tt.shut, identity.Asker{User: "root1"})
		if err != nil || d.Allowed || d.Required != identity.LevelNobody || d.Needed == "" || d.Pattern != "default:"+tt.kind {
			t.Errorf("explained: %+v, %v", d, err)
		}
		h.mustRule(root1, "default:"+tt.kind, nil)
		if !h.Allowed(tt.ses, tt.shut) {
			t.Errorf("%s stays closed", tt.shut)
		}
	}
	h.mustRule(root1, "default:web", lvl(identity.LevelCustomer))
	for r, want := range map[identity.Resource]identity.Level{"web:/login": identity.LevelNone, "web:/files": identity.LevelCustomer, "web:/admin": identity.LevelAdmin} {
		d, err := h.Explain(t.Context(), r, identity.Asker{Level: identity.LevelNone})
		if err != nil || d.Required != want {
			t.Errorf("with the web at customer %s needs %v, %v; want %v", r, d.Required, err, want)
		}
	}
}

func TestExplainLosers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Policy = map[string]string{"file:/pub/**": "staff", "file:/**": "user", "file:/pub/a for user:bob": "root", "file:/*/a": "moderator"}
		o.Classes = []identity.Class{{Name: "wan", MaxLevel: identity.LevelUser}}
	})
	h.root()
	h.person("alice", func(u *identity.User) { u.Level = identity.LevelStaff })
	h.person("bob", nil)
	h.mustRule(root1, "file:/pub/a", lvl(identity.LevelAdmin))
	d, err := h.Explain(t.Context(), "file:/pub/a", identity.Asker{User: "alice"})
	if err != nil || d.Allowed || d.Pattern != "file:/pub/a" || d.Source != "store" || d.Client != "404, 550" || !strings.Contains(d.Needed, "admin (50)") {
		t.Fatalf("%+v, %v", d, err)
	}
	why := map[string]string{}
	for _, l := range d.Lost {
		why[l.Pattern] = l.Why
	}
	for pattern, word := range map[string]string{"file:/pub/a for user:bob": "user:bob alone", "file:/pub/**": "names 1 segments", "file:/**": "names 0", "file:/*/a": "names 1"} {
		if !strings.Contains(why[pattern], word) {
			t.Errorf("%s lost because %q, want a word on %q", pattern, why[pattern], word)
		}
	}
	d, err = h.Explain(t.Context(), "file:/pub/x", identity.Asker{User: "alice", Class: "wan"})
	if err != nil || d.Allowed || !strings.Contains(d.Needed, "wan caps") {
		t.Errorf("under a cap: %+v, %v", d, err)
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Policy = map[string]string{"web:/assets/**": "never", "web:/tokens": "staff"}
	})
	h.pages()
	h.root()
	h.mustRule(root1, "default:ftp", lvl(identity.LevelCustomer))
	at := map[identity.Resource]identity.CatalogueEntry{}
	for _, e := range h.Catalogue() {
		at[e.Resource] = e
	}
	for r, want := range map[identity.Resource]struct {
		level           identity.Level
		pattern, source string
	}{
		"web:/assets/**": {identity.LevelNone, "", "fixed"}, "web:/tokens": {identity.LevelStaff, "web:/tokens", "config"},
		"web:/files": {identity.LevelLoggedIn, "", "route"}, "ftp:STOR": {identity.LevelCustomer, "default:ftp", "store"},
		"default:ftp": {identity.LevelCustomer, "default:ftp", "store"}, "default:file": {identity.LevelNone, "", "default"}, "login:web": {identity.LevelUser, "", "default"},
	} {
		if e := at[r]; e.Required != want.level || e.Pattern != want.pattern || e.Source != want.source {
			t.Errorf("%s: %+v, want %+v", r, e, want)
		}
	}
}
