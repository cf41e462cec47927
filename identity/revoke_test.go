package identity_test

import (
	"context"
	"testing"
	"time"

	"trivium/identity"
)

// everywhere logs alice in by browser, FTP, chat, WebDAV and a token.
type everywhere struct {
	browser          *identity.Browser
	cookie           identity.Cookie
	ftp, xmpp, token *identity.Session
	dav              *identity.Session
	ftpHolder        *holder
	tokenHolder      *holder
	tokenText        string
}

func (h *house) everywhere(u identity.User) everywhere {
	h.t.Helper()
	var e everywhere
	name := string(u.Login)
	e.browser, e.cookie = h.browse(name)
	e.ftp, e.ftpHolder = h.in(identity.ProtocolFTP, name, testPassword)
	e.xmpp, _ = h.in(identity.ProtocolXMPP, name, testPassword)
	e.tokenText = h.tokens.add(u, identity.Grant{Roads: []identity.Road{identity.RoadFTP, identity.RoadXMPP}})
	e.token, e.tokenHolder = h.in(identity.ProtocolXMPP, name, e.tokenText)
	var err error
	e.dav, err = h.Request(h.t.Context(), identity.ProtocolDAV, h.visit(),
		identity.Login{Method: identity.MethodPassword, Name: name, Secret: identity.NewSecret(testPassword)})
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

func code(s *identity.Session) identity.ReasonCode { return s.Reason().Code }

func TestDisableEndsEverything(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	h.person("bob", nil)
	e := h.everywhere(u)
	bystander, _ := h.in(identity.ProtocolFTP, "bob", testPassword)
	h.set(u, func(u *identity.User) { u.State = identity.UserDisabled })
	// All of it has happened by now, without a wait.
	for what, ses := range map[string]*identity.Session{"browser": e.browser.Session, "ftp": e.ftp, "xmpp": e.xmpp, "token": e.token, "dav": e.dav} {
		if code(ses) != identity.ReasonDisabled || ses.Level() != identity.LevelNone || h.Allowed(ses, "file:/home/alice/a") {
			t.Errorf("%s: reason %q, level %v", what, code(ses), ses.Level())
		}
		if _, ok := h.Registry.Get(ses.ID()); ok {
			t.Errorf("%s is listed", what)
		}
	}
	for _, hold := range []*holder{e.ftpHolder, e.tokenHolder} {
		if r := hold.reasons(); len(r) != 1 || r[0].Code != identity.ReasonDisabled {
			t.Errorf("the holder was told %v", r)
		}
	}
	wantErr(t, "the cookie", h.resumes(identity.CookieLoggedIn, e.cookie), identity.ErrNotFound)
	if rows, err := h.store.BrowserSessions(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	_, err := h.Request(t.Context(), identity.ProtocolDAV, h.visit(),
		identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret(testPassword)})
	wantErr(t, "the next request", err, identity.ErrDisabled)
	if code(bystander) != "" {
		t.Error("bob's session ended as well")
	}
}

// How long it takes: 100 ms is much.
func BenchmarkDisable(b *testing.B) {
	h := newHouse(b, nil)
	u := h.person("alice", nil)
	for b.Loop() {
		b.StopTimer()
		h.set(u, func(u *identity.User) { u.State = identity.UserActive })
		h.everywhere(u)
		b.StartTimer()
		h.set(u, func(u *identity.User) { u.State = identity.UserDisabled })
	}
}

func TestChangesOfAccounts(t *testing.T) {
	t.Parallel()
	type want struct{ browser, ftp, xmpp, token identity.ReasonCode }
	gone := func(c identity.ReasonCode) want { return want{c, c, c, c} }
	for _, tt := range []struct {
		what   string
		change func(*identity.User)
		want   want
		level  identity.Level // of the browser session after it
		told   int            // changes that the FTP session's holder hears of
	}{
		{"nothing", func(*identity.User) {}, want{}, identity.LevelUser, 0},
		{"level up", func(u *identity.User) { u.Level = identity.LevelAdmin }, want{}, identity.LevelAdmin, 1},
		{"name", func(u *identity.User) { u.Profile.Name = "Alice" }, want{}, identity.LevelUser, 1},
		{"quota", func(u *identity.User) { u.QuotaBytes = 7 }, want{}, identity.LevelUser, 1},
		{"password", func(u *identity.User) { u.CredentialVersion++ },
			want{browser: identity.ReasonRevoked, ftp: identity.ReasonRevoked, xmpp: identity.ReasonRevoked}, identity.LevelNone, 0},
		{"removed", func(u *identity.User) { u.State = identity.UserDeleted }, gone(identity.ReasonDisabled), identity.LevelNone, 0},
		{"expired", func(u *identity.User) { u.ExpiresAt = u.CreatedAt }, gone(identity.ReasonExpired), identity.LevelNone, 0},
		{"roads", func(u *identity.User) { u.Roads = []identity.Road{identity.RoadFTP} },
			want{xmpp: identity.ReasonPolicy, token: identity.ReasonPolicy}, identity.LevelAnonymous, 0},
		{"level below that of the roads", func(u *identity.User) { u.Level = identity.LevelLoggedIn },
			want{ftp: identity.ReasonPolicy, xmpp: identity.ReasonPolicy, token: identity.ReasonPolicy}, identity.LevelAnonymous, 0},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			u := h.person("alice", nil)
			e := h.everywhere(u)
			h.set(u, tt.change)
			if got := (want{code(e.browser.Session), code(e.ftp), code(e.xmpp), code(e.token)}); got != tt.want {
				t.Errorf("ended %+v, want %+v", got, tt.want)
			}
			if got := e.browser.Level(); got != tt.level {
				t.Errorf("level %v, want %v", got, tt.level)
			}
			if e.ftpHolder.changed != tt.told {
				t.Errorf("the holder heard of %d changes, want %d", e.ftpHolder.changed, tt.told)
			}
			if tt.what == "level up" && e.token.Level() != identity.LevelCustomer {
				t.Errorf("a token without admin rose to %v", e.token.Level())
			}
		})
	}
}

func TestGroupsChangeLive(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	e := h.everywhere(u)
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutGroup(ctx, 0, identity.Group{GID: 20000, Domain: "example.org", Name: "staff"}); err != nil {
			return err
		}
		return w.PutMember(ctx, 20000, u.ID, false)
	})
	h.Reconcile(t.Context(), u.ID)
	for _, ses := range []*identity.Session{e.browser.Session, e.ftp, e.token} {
		if c, _ := ses.Credentials(); !c.In(20000) {
			t.Errorf("%s session is not in the group", ses.Protocol())
		}
	}
}

func TestPasswordChangeKeepsOwnSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	e := h.everywhere(u)
	h.Adopt(e.browser.Session, u.ID, 9)() // undone, as where the change fails
	h.Reconcile(t.Context(), u.ID)
	if code(e.browser.Session) != "" {
		t.Error("a change that was undone ended the session")
	}
	h.Adopt(e.browser.Session, u.ID, 2)
	h.Reconcile(t.Context(), u.ID) // a poll in between sees the old row
	if code(e.browser.Session) != "" {
		t.Error("the session ended before the change was committed")
	}
	h.set(u, func(u *identity.User) { u.CredentialVersion = 2 })
	if code(e.browser.Session) != "" || code(e.ftp) != identity.ReasonRevoked {
		t.Errorf("browser %q, ftp %q: want the other ended alone", code(e.browser.Session), code(e.ftp))
	}
	h.FlushBehind(t.Context())
	h.start()
	wantErr(t, "after a restart", h.resumes(identity.CookieLoggedIn, e.cookie), nil)
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	e := h.everywhere(u)
	c, _ := e.token.Credentials()
	h.tokens.remove(e.tokenText)
	h.TokensChanged(t.Context(), c.Grant.TokenID)
	if code(e.token) != identity.ReasonRevoked || code(e.ftp) != "" {
		t.Errorf("token %q, password %q", code(e.token), code(e.ftp))
	}
	text := h.tokens.add(u, identity.Grant{Roads: []identity.Road{identity.RoadFTP}, ExpiresAt: h.clock.now().Add(time.Minute)})
	ses, _ := h.in(identity.ProtocolFTP, "alice", text)
	h.Sweep()
	if code(ses) != "" {
		t.Error("ended before it expired")
	}
	h.clock.pass(time.Minute)
	h.Sweep()
	if code(ses) != identity.ReasonExpired {
		t.Errorf("an expired token's session: %q", code(ses))
	}
}

// TestChangesElsewhere: another process wrote to the store; nobody calls reconcile.
func TestChangesElsewhere(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	e := h.everywhere(u)
	if err := h.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	u.State = identity.UserDisabled
	h.write(func(ctx context.Context, w identity.StoreWriter) error { _, err := w.PutUser(ctx, u); return err })
	if code(e.ftp) != "" {
		t.Fatal("ended before the poll: the test shows nothing")
	}
	if err := h.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code(e.ftp) != identity.ReasonDisabled || code(e.browser.Session) != identity.ReasonDisabled {
		t.Errorf("after the poll: %q, %q", code(e.ftp), code(e.browser.Session))
	}
}

// changingStore changes the account between its reading and the end of the log-in.
type changingStore struct {
	identity.Store
	between func()
}

func (s *changingStore) Account(ctx context.Context, domain string, name identity.UserName) (identity.Account, error) {
	acc, err := s.Store.Account(ctx, domain, name)
	if s.between != nil {
		s.between()
		s.between = nil
	}
	return acc, err
}

func TestChangeDuringLogin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what   string
		change func(*identity.User)
		want   error
		level  identity.Level
	}{
		{"disabled", func(u *identity.User) { u.State = identity.UserDisabled }, identity.ErrDisabled, identity.LevelNone},
		{"password changed", func(u *identity.User) { u.CredentialVersion++ }, identity.ErrCredentials, identity.LevelNone},
		{"level changed", func(u *identity.User) { u.Level = identity.LevelStaff }, nil, identity.LevelStaff},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			var store *changingStore
			h := newHouse(t, func(o *identity.Options) { store = &changingStore{Store: o.Store}; o.Store = store })
			u := h.person("alice", nil)
			ses, _ := h.open(identity.ProtocolFTP, home)
			store.between = func() { h.set(u, tt.change) }
			_, err := h.login(ses, "alice", testPassword)
			wantErr(t, "login", err, tt.want)
			if _, in := ses.Credentials(); in != (tt.want == nil) || ses.Level() != tt.level || code(ses) != "" {
				t.Errorf("credentials %v, level %v, ended %q", in, ses.Level(), code(ses))
			}
		})
	}
}

func TestRequestSessions(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	text := h.tokens.add(u, identity.Grant{API: true})
	bearer := identity.Login{Method: identity.MethodBearer, Secret: identity.NewSecret(text)}
	get := func(v identity.Visit, l identity.Login) *identity.Session {
		t.Helper()
		ses, err := h.Request(t.Context(), identity.ProtocolAPI, v, l)
		if err != nil {
			t.Fatal(err)
		}
		return ses
	}
	first := get(h.visit(), bearer)
	if first != get(h.visit(), bearer) {
		t.Error("the same credential, address and agent have two sessions")
	}
	other := h.visit()
	other.UserAgent = "curl"
	if first == get(other, bearer) {
		t.Error("another agent has the same session")
	}
	for range 4 { // bytes that go out keep it: a long download
		h.clock.pass(6 * time.Minute)
		first.CountOut(1)
		h.Sweep()
	}
	if code(first) != "" || h.Registry.Count(identity.Filter{Protocol: identity.ProtocolAPI}) != 1 {
		t.Errorf("in use: %q; sessions %d", code(first), h.Registry.Count(identity.Filter{}))
	}
	h.clock.pass(11 * time.Minute)
	h.Sweep()
	if code(first) != identity.ReasonIdle {
		t.Errorf("idle: %q", code(first))
	}
	second := get(h.visit(), bearer)
	if second == first {
		t.Error("an ended session came back")
	}
	h.FlushBehind(t.Context())
	rows, err := h.store.Audit(t.Context(), identity.AuditFilter{Event: "login.ok"})
	if err != nil || len(rows) != 3 {
		t.Errorf("%d log-ins audited, %v: want one for each session", len(rows), err)
	}
	before := h.Registry.Count(identity.Filter{})
	_, err = h.Request(t.Context(), identity.ProtocolDAV, h.visit(),
		identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret("wrong")})
	wantErr(t, "wrong", err, identity.ErrCredentials)
	if n := h.Registry.Count(identity.Filter{}); n != before {
		t.Error("a refused request leaves a session")
	}
	hashes := h.Hashes()
	_, err = h.Request(t.Context(), identity.ProtocolDAV, h.visit(),
		identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret("wrong")})
	wantErr(t, "wrong again", err, identity.ErrCredentials)
	if h.Hashes() != hashes+1 {
		t.Error("a refusal is remembered instead of checked")
	}
}

// TestTwoLoginsOfOneSession: the second is through before the first has checked its password.
func TestTwoLoginsOfOneSession(t *testing.T) {
	t.Parallel()
	var store *changingStore
	h := newHouse(t, func(o *identity.Options) { store = &changingStore{Store: o.Store}; o.Store = store })
	h.person("alice", nil)
	bob := h.person("bob", nil)
	ses, _ := h.open(identity.ProtocolFTP, home)
	store.between = func() {
		store.between = nil
		if _, err := h.login(ses, "bob", testPassword); err != nil {
			t.Error(err)
		}
	}
	_, err := h.login(ses, "alice", testPassword)
	wantErr(t, "the slower one", err, identity.ErrInvalid)
	if c, _ := ses.Credentials(); c.UserID != bob.ID {
		t.Errorf("the session belongs to %s", c.User)
	}
}
