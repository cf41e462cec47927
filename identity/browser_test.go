package identity_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"trivium/identity"
)

func TestBrowserFromAnonymousToLoggedInAndBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	var mu sync.Mutex
	ups, downs := 0, 0
	h.OnUpgrade(func(*identity.Session) { mu.Lock(); ups++; mu.Unlock() })
	h.OnDowngrade(func(*identity.Session) { mu.Lock(); downs++; mu.Unlock() })

	b, as, err := h.StartAnonymous(t.Context(), h.visit())
	if err != nil {
		t.Fatal(err)
	}
	id, csrf := b.ID(), b.CSRFToken()
	if as.Kind != identity.CookieAnonymous || as.MaxAge != 0 || b.Level() != identity.LevelAnonymous || csrf == "" {
		t.Errorf("an anonymous session begins as %v, level %v", as.Kind, b.Level())
	}
	if i := b.Info(); i.State != identity.StateAnonymous || i.User != nil || *i.UID != 65534 || i.LoginAt != nil {
		t.Errorf("info %+v", i)
	}
	_, err = h.Upgrade(t.Context(), b, form("alice", "wrong"), true)
	wantErr(t, "wrong password", err, identity.ErrCredentials)
	if !b.Current() || b.Level() != identity.LevelAnonymous || h.resumes(identity.CookieAnonymous, as) != nil {
		t.Error("a wrong password changed the session")
	}
	ls, err := h.Upgrade(t.Context(), b, form("alice", testPassword), true)
	if err != nil {
		t.Fatal(err)
	}
	if ls.Kind != identity.CookieLoggedIn || ls.MaxAge == 0 || b.ID() != id || b.CSRFToken() == csrf || b.Current() || b.Level() != identity.LevelUser {
		t.Errorf("after the log-in: %v, level %v", ls.Kind, b.Level())
	}
	_, err = h.Upgrade(t.Context(), b, form("alice", testPassword), true)
	wantErr(t, "a second log-in", err, identity.ErrInvalid)
	for what, err := range map[string]error{
		"the anonymous cookie after log-in":   h.resumes(identity.CookieAnonymous, as),
		"the anonymous cookie as logged-in":   h.resumes(identity.CookieLoggedIn, as),
		"the logged-in cookie as anonymous":   h.resumes(identity.CookieAnonymous, ls),
		"a secret of another session":         h.resumesText(identity.CookieLoggedIn, ls.Value.Reveal()[:27]+as.Value.Reveal()[27:]),
		"an empty secret":                     h.resumesText(identity.CookieLoggedIn, ls.Value.Reveal()[:27]),
		"no cookie":                           h.resumesText(identity.CookieLoggedIn, ""),
		"no selector":                         h.resumesText(identity.CookieLoggedIn, "."+ls.Value.Reveal()[27:]),
		"a cookie with something behind it":   h.resumesText(identity.CookieLoggedIn, ls.Value.Reveal()+"A"),
		"the secret in small letters":         h.resumesText(identity.CookieLoggedIn, ls.Value.Reveal()[:27]+"abcdefghijklmnopqrstuvwxyz"),
		"the cookie of a session of nobody's": h.resumesText(identity.CookieLoggedIn, "A.B"),
	} {
		wantErr(t, what, err, identity.ErrNotFound)
	}
	back, set, err := h.Resume(t.Context(), h.with(identity.CookieLoggedIn, ls.Value))
	if err != nil || set != nil || back.ID() != id || !back.Current() {
		t.Fatalf("the logged-in cookie resumes %v, %v", set, err)
	}
	again, err := h.Downgrade(t.Context(), back, identity.Reason{Code: identity.ReasonEnded})
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the logged-in cookie after log-out", h.resumes(identity.CookieLoggedIn, ls), identity.ErrNotFound)
	wantErr(t, "the new anonymous cookie", h.resumes(identity.CookieAnonymous, again), nil)
	if back.ID() != id || back.Level() != identity.LevelAnonymous || ups != 1 || downs != 1 {
		t.Errorf("after log-out: level %v, %d upgrades, %d downgrades", back.Level(), ups, downs)
	}
	if rows, err := h.store.BrowserSessions(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("%d rows after log-out, %v", len(rows), err)
	}
}

func (h *house) resumes(kind identity.CookieKind, c identity.Cookie) error {
	_, _, err := h.Resume(h.t.Context(), h.with(kind, c.Value))
	return err
}

func (h *house) resumesText(kind identity.CookieKind, value string) error {
	return h.resumes(kind, identity.Cookie{Value: identity.NewSecret(value)})
}

func TestBrowserSessionsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	alice, bob, carol := h.person("alice", nil), h.person("bob", nil), h.person("carol", nil)
	key := identity.NewDataKey[[]string]("test.seen")
	b, cookie := h.browse("alice")
	if err := key.Set(b, []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "too much data", identity.NewDataKey[string]("test.big").Set(b, string(make([]byte, 5000))), identity.ErrInvalid)
	_, off := h.browse("bob")
	_, changed := h.browse("carol")
	kicked, end := h.browse("alice")
	if err := h.Registry.End(kicked.ID(), identity.Reason{Code: identity.ReasonEnded}); err != nil {
		t.Fatal(err)
	}
	h.FlushBehind(t.Context())
	rows, err := h.store.BrowserSessions(t.Context())
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v: want 3", len(rows), err)
	}
	for _, r := range rows {
		if len(r.SecretHash) != 32 || r.Selector == "" {
			t.Errorf("row %+v", r)
		}
	}
	// While the server is down:
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		bob.State = identity.UserDisabled
		carol.CredentialVersion++
		if _, err := w.PutUser(ctx, bob); err != nil {
			return err
		}
		_, err := w.PutUser(ctx, carol)
		return err
	})
	h.start()
	back, set, err := h.Resume(t.Context(), h.with(identity.CookieLoggedIn, cookie.Value))
	if err != nil || set != nil {
		t.Fatalf("resuming after a restart: %v", err)
	}
	if c, _ := back.Credentials(); back.ID() != b.ID() || c.UserID != alice.ID || back.Level() != identity.LevelUser || back.CSRFToken() != b.CSRFToken() {
		t.Errorf("after a restart %+v", c)
	}
	if seen, ok := key.Get(back); !ok || len(seen) != 2 {
		t.Errorf("application data %v, %v", seen, ok)
	}
	wantErr(t, "of a disabled account", h.resumes(identity.CookieLoggedIn, off), identity.ErrNotFound)
	wantErr(t, "of an old password", h.resumes(identity.CookieLoggedIn, changed), identity.ErrNotFound)
	wantErr(t, "of an ended session", h.resumes(identity.CookieLoggedIn, end), identity.ErrNotFound)
	if n := h.Registry.Count(identity.Filter{}); n != 1 {
		t.Errorf("%d sessions after a restart", n)
	}
	if rows, err := h.store.BrowserSessions(t.Context()); err != nil || len(rows) != 1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	h.clock.pass(25 * time.Hour)
	h.start()
	wantErr(t, "idle while the server was down", h.resumes(identity.CookieLoggedIn, cookie), identity.ErrNotFound)
}

func TestBrowserInactivity(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	key := identity.NewDataKey[string]("test.draft")
	b, ls := h.browse("alice")
	if err := key.Set(b, "mine"); err != nil {
		t.Fatal(err)
	}
	quiet, asleep := h.browse("alice")
	h.clock.pass(20 * time.Hour)
	wantErr(t, "in time", h.resumes(identity.CookieLoggedIn, ls), nil)
	h.clock.pass(20 * time.Hour)
	wantErr(t, "in time again", h.resumes(identity.CookieLoggedIn, ls), nil)
	h.Sweep()
	if quiet.Level() != identity.LevelAnonymous || quiet.Info().State != identity.StateAnonymous {
		t.Errorf("an idle session has level %v", quiet.Level())
	}
	back, set, err := h.Resume(t.Context(), h.with(identity.CookieLoggedIn, asleep.Value))
	if err != nil || set == nil || set.Kind != identity.CookieAnonymous || back.ID() != quiet.ID() {
		t.Fatalf("the cookie of an idle session gives %v, %v; want another cookie", set, err)
	}
	wantErr(t, "the old cookie once exchanged", h.resumes(identity.CookieLoggedIn, asleep), identity.ErrNotFound)
	wantErr(t, "the new one", h.resumes(identity.CookieAnonymous, *set), nil)

	h.clock.pass(25 * time.Hour) // and no sweep: Resume sees it itself
	back, set, err = h.Resume(t.Context(), h.with(identity.CookieLoggedIn, ls.Value))
	if err != nil || set == nil || back.Level() != identity.LevelAnonymous {
		t.Fatalf("idle without a sweep: %v, %v", set, err)
	}
	if v, ok := key.Get(back); ok {
		t.Errorf("the next person at the browser reads %q", v)
	}
	if n := h.Registry.Count(identity.Filter{}); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
	h.Sweep()
	if n := h.Registry.Count(identity.Filter{}); n != 1 {
		t.Errorf("%d sessions after the idle anonymous one is closed, want 1", n)
	}
	select {
	case <-quiet.Ended():
	default:
		t.Error("the session is not ended")
	}
}

func TestAnonymousBrowsersAreCapped(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	first, cookie, err := h.StartAnonymous(t.Context(), h.visit())
	if err != nil {
		t.Fatal(err)
	}
	v := h.visit()
	v.Remote = netip.MustParseAddrPort("198.51.100.1:1")
	other, _, err := h.StartAnonymous(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if _, _, err := h.StartAnonymous(t.Context(), h.visit()); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.Registry.Count(identity.Filter{}); n != 201 {
		t.Errorf("%d sessions, want 200 of one address and one of the other", n)
	}
	if first.Reason().Code != identity.ReasonPolicy || other.Reason().Code != "" {
		t.Errorf("closed: %v, %v; want the oldest of the address", first.Reason(), other.Reason())
	}
	wantErr(t, "its cookie", h.resumes(identity.CookieAnonymous, cookie), identity.ErrNotFound)

	off := newHouse(t, func(o *identity.Options) { o.AnonymousRoads = nil })
	off.person("alice", nil)
	b, _, err := off.StartAnonymous(t.Context(), off.visit())
	if err != nil || b.Level() != identity.LevelNone {
		t.Errorf("without anonymous web: %v, level %v", err, b.Level())
	}
	if _, err := off.Upgrade(t.Context(), b, form("alice", testPassword), false); err != nil {
		t.Errorf("logging in without anonymous web: %v", err)
	}
}

func TestBrowserMoves(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Classes = []identity.Class{
			{Name: "guest", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, MaxLevel: identity.LevelUser},
			{Name: "none", From: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, Roads: []identity.Road{identity.RoadFTP}},
		}
	})
	h.person("alice", func(u *identity.User) { u.Level = identity.LevelAdmin })
	b, ls := h.browse("alice")
	from := func(a string) error {
		v := h.with(identity.CookieLoggedIn, ls.Value)
		v.Remote = netip.MustParseAddrPort(a)
		_, _, err := h.Resume(t.Context(), v)
		return err
	}
	for _, tt := range []struct {
		addr, class string
		level       identity.Level
		want        error
	}{
		{"198.51.100.1:1", "guest", identity.LevelUser, nil},
		{"192.0.2.1:2", "", identity.LevelAdmin, nil},
		{"203.0.113.1:1", "none", identity.LevelAnonymous, identity.ErrClassDenied},
	} {
		wantErr(t, tt.addr, from(tt.addr), tt.want)
		if b.Level() != tt.level || b.Class().Name != tt.class || b.Remote().String() != tt.addr {
			t.Errorf("from %s: class %q, level %v, remote %v", tt.addr, b.Class().Name, b.Level(), b.Remote())
		}
	}
}

// brokenStore fails to write while broken.
type brokenStore struct {
	identity.Store
	broken bool
}

var errDisk = errors.New("the disk is full")

func (s *brokenStore) Write(ctx context.Context, fn func(identity.StoreWriter) error) error {
	if s.broken {
		return errDisk
	}
	return s.Store.Write(ctx, fn)
}

func TestUpgradeThatCannotBeStored(t *testing.T) {
	t.Parallel()
	var store *brokenStore
	h := newHouse(t, func(o *identity.Options) { store = &brokenStore{Store: o.Store}; o.Store = store })
	h.person("alice", nil)
	ups := 0
	h.OnUpgrade(func(*identity.Session) { ups++ })
	b, as, err := h.StartAnonymous(t.Context(), h.visit())
	if err != nil {
		t.Fatal(err)
	}
	csrf := b.CSRFToken()
	store.broken = true
	_, err = h.Upgrade(t.Context(), b, form("alice", testPassword), false)
	wantErr(t, "upgrade", err, identity.ErrUnavailable)
	if b.Level() != identity.LevelAnonymous || b.CSRFToken() != csrf || !b.Current() || ups != 0 || b.Info().State != identity.StateAnonymous {
		t.Errorf("the session is not as it was: level %v, %d callbacks", b.Level(), ups)
	}
	wantErr(t, "its cookie", h.resumes(identity.CookieAnonymous, as), nil)
	store.broken = false
	ls, err := h.Upgrade(t.Context(), b, form("alice", testPassword), false)
	if err != nil || ls.MaxAge != 0 || ups != 1 {
		t.Fatalf("upgrade: %v", err)
	}
	wantErr(t, "the anonymous cookie", h.resumes(identity.CookieAnonymous, as), identity.ErrNotFound)
	wantErr(t, "the new cookie", h.resumes(identity.CookieLoggedIn, ls), nil)
}

func TestShutdownKeepsBrowsersLoggedIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	b, ls := h.browse("alice")
	h.Registry.EndWhere(identity.Filter{}, identity.Reason{Code: identity.ReasonShutdown})
	if b.Reason().Code != identity.ReasonShutdown {
		t.Errorf("reason %v", b.Reason())
	}
	h.FlushBehind(t.Context())
	h.start()
	wantErr(t, "after the restart", h.resumes(identity.CookieLoggedIn, ls), nil)
}

// TestPlantedCookie: who planted the anonymous cookie uses it at the moment of the log-in, before
// it is changed.
func TestPlantedCookie(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	b, as, err := h.StartAnonymous(t.Context(), h.visit())
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the cookie before", h.resumes(identity.CookieAnonymous, as), nil)
	if err := h.Authenticate(t.Context(), b.Session, form("alice", testPassword)); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the planted cookie", h.resumes(identity.CookieAnonymous, as), identity.ErrNotFound)
}
