package identity_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
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

// house is a service on a real store with a clock of its own.
type house struct {
	*identity.Service
	t      testing.TB
	store  identity.Store
	clock  *clock
	tokens *tokenMap
	opts   identity.Options
	nextID uint32
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const testPassword = "correct horse"

func newHouse(t testing.TB, change func(*identity.Options)) *house {
	t.Helper()
	db := sqltest.Migrated(t, sqlstore.Migrate)
	h := &house{t: t, store: sqlstore.New(db), tokens: &tokenMap{}, nextID: 10000,
		clock: &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	h.opts = identity.Options{
		Store: h.store, Tokens: h.tokens, Domain: "example.org", Domains: []string{"example.net"},
		SealKey: make([]byte, 32), DefaultRequired: identity.LevelLoggedIn, SCRAMIterations: 4096,
		AnonymousRoads: []identity.Road{identity.RoadWeb}, AnonymousTimeout: time.Hour,
		SessionTimeout: 24 * time.Hour, Now: h.clock.now,
	}
	if change != nil {
		change(&h.opts)
	}
	h.start()
	return h
}

// start makes the service anew on the same store, as after a restart.
func (h *house) start() {
	h.t.Helper()
	s, err := identity.New(h.t.Context(), h.opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Service = s
}

// person writes an active account with testPassword straight into the store.
func (h *house) person(login string, change func(*identity.User)) identity.User {
	h.t.Helper()
	h.nextID++
	u := identity.User{ID: identity.UserID(rand.Text()), Domain: "example.org", Login: identity.UserName(login),
		UID: h.nextID, GID: h.nextID, Level: identity.LevelUser, State: identity.UserActive,
		CreatedAt: h.clock.now(), CredentialVersion: 1}
	if change != nil {
		change(&u)
	}
	r, err := h.SealPassword(h.t.Context(), u.ID, identity.Record{}, identity.NewSecret(testPassword))
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		g := identity.Group{GID: u.GID, Domain: u.Domain, Name: u.Login, CreatedAt: u.CreatedAt}
		if err := w.PutGroup(ctx, 0, g); err != nil {
			return err
		}
		if _, err := w.PutUser(ctx, u); err != nil {
			return err
		}
		return w.PutPassword(ctx, u.ID, r)
	})
	return u
}

// set changes an account and lets the change take effect, as an operation on accounts does.
func (h *house) set(u identity.User, change func(*identity.User)) {
	h.t.Helper()
	change(&u)
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		_, err := w.PutUser(ctx, u)
		return err
	})
	h.Reconcile(h.t.Context(), u.ID)
}

func (h *house) write(fn func(context.Context, identity.StoreWriter) error) {
	h.t.Helper()
	if err := h.store.Write(h.t.Context(), func(w identity.StoreWriter) error { return fn(h.t.Context(), w) }); err != nil {
		h.t.Fatal(err)
	}
}

// holder notes what its session is told.
type holder struct {
	mu      sync.Mutex
	ended   []identity.Reason
	changed int
}

func (h *holder) SessionEnded(r identity.Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = append(h.ended, r)
}

func (h *holder) SessionChanged() { h.mu.Lock(); defer h.mu.Unlock(); h.changed++ }

func (h *holder) reasons() []identity.Reason {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ended)
}

const home = "192.0.2.1:4000"

func (h *house) open(p identity.Protocol, from string) (*identity.Session, *holder) {
	h.t.Helper()
	ses, hold, err := h.tryOpen(p, from)
	if err != nil {
		h.t.Fatalf("opening a session of %s from %s: %v", p, from, err)
	}
	return ses, hold
}

func (h *house) tryOpen(p identity.Protocol, from string) (*identity.Session, *holder, error) {
	hold := &holder{}
	ses, err := h.Registry.Open(h.t.Context(), identity.Opening{Protocol: p, Holder: hold,
		Remote: netip.MustParseAddrPort(from), Local: netip.MustParseAddrPort("192.0.2.99:21"), TLS: "TLS 1.3"})
	return ses, hold, err
}

func (h *house) login(ses *identity.Session, name, password string) (identity.Credentials, error) {
	method := identity.MethodPassword
	if ses.Protocol() == identity.ProtocolXMPP {
		method = identity.MethodPlain
	}
	return h.Login(h.t.Context(), ses, identity.Login{Method: method, Name: name, Secret: identity.NewSecret(password)})
}

// in opens a session and logs it in.
func (h *house) in(p identity.Protocol, name, password string) (*identity.Session, *holder) {
	h.t.Helper()
	ses, hold := h.open(p, home)
	if _, err := h.login(ses, name, password); err != nil {
		h.t.Fatalf("logging %s in by %s: %v", name, p, err)
	}
	return ses, hold
}

func (h *house) visit() identity.Visit {
	return identity.Visit{Remote: netip.MustParseAddrPort(home), Local: netip.MustParseAddrPort("192.0.2.99:443"),
		TLS: "TLS 1.3", UserAgent: "Firefox", Lang: "de"}
}

func (h *house) with(kind identity.CookieKind, value identity.Secret) identity.Visit {
	v := h.visit()
	if kind == identity.CookieLoggedIn {
		v.LoggedIn = value
	} else {
		v.Anonymous = value
	}
	return v
}

// browse opens a browser session and logs it in.
func (h *house) browse(name string) (*identity.Browser, identity.Cookie) {
	h.t.Helper()
	b, _, err := h.StartAnonymous(h.t.Context(), h.visit())
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := h.Upgrade(h.t.Context(), b, form(name, testPassword), true)
	if err != nil {
		h.t.Fatal(err)
	}
	return b, c
}

func form(name, password string) identity.Login {
	return identity.Login{Method: identity.MethodForm, Name: name, Secret: identity.NewSecret(password)}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want %v", what, got, want)
	}
}

// tokenMap verifies tokens of the form secret-token:ID.
type tokenMap struct {
	mu     sync.Mutex
	grants map[string]identity.Grant
	keys   map[identity.UserID][]identity.TokenKey
	used   []string
}

const tokenPrefix = "secret-token:"

func (m *tokenMap) add(u identity.User, g identity.Grant) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.grants == nil {
		m.grants = map[string]identity.Grant{}
	}
	g.TokenID = strings.ToLower(rand.Text()[:8])
	g.User, g.JID = u.ID, cmp.Or(g.JID, string(u.Login)+"@"+u.Domain)
	m.grants[g.TokenID] = g
	return tokenPrefix + g.TokenID
}

func (m *tokenMap) remove(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.grants, strings.TrimPrefix(text, tokenPrefix))
}

func (m *tokenMap) IsToken(s identity.Secret) bool { return strings.HasPrefix(s.Reveal(), tokenPrefix) }

func (m *tokenMap) VerifyToken(_ context.Context, s identity.Secret, _ string) (identity.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, ok := m.grants[strings.TrimPrefix(s.Reveal(), tokenPrefix)]
	if !ok {
		return g, identity.ErrCredentials
	}
	return g, nil
}

func (m *tokenMap) TokenKeys(_ context.Context, id identity.UserID, _ string) ([]identity.TokenKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys[id]), nil
}

func (m *tokenMap) TokenValid(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.grants[id]; !ok {
		return identity.ErrCredentials
	}
	return nil
}

func (m *tokenMap) TokenUsed(_ context.Context, id string, _ time.Time, _ *identity.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used = append(m.used, id)
}
