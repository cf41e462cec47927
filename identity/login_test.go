package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
)

func TestLoginAnswers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Policy = map[string]string{"login:xmpp": "staff"}
		o.Classes = []identity.Class{
			{Name: "clear", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, TLSRequired: true},
		}
	})
	alice := h.person("alice", nil)
	h.person("guest", func(u *identity.User) { u.Level = identity.LevelLoggedIn })
	h.person("off", func(u *identity.User) { u.State = identity.UserDisabled })
	h.person("invited", func(u *identity.User) { u.State = identity.UserInvited })
	h.person("late", func(u *identity.User) { u.ExpiresAt = h.clock.now() })
	h.person("webonly", func(u *identity.User) { u.Roads = []identity.Road{identity.RoadWeb} })
	h.person("bob", func(u *identity.User) { u.Domain = "example.net" })
	ftp := h.tokens.add(alice, identity.Grant{Roads: []identity.Road{identity.RoadFTP}})
	api := h.tokens.add(alice, identity.Grant{API: true})
	forged := h.tokens.add(alice, identity.Grant{Roads: []identity.Road{identity.RoadFTP}, JID: "bob@example.net"})

	const F, X, W, A, D = identity.ProtocolFTP, identity.ProtocolXMPP, identity.ProtocolWeb, identity.ProtocolAPI, identity.ProtocolDAV
	for _, tt := range []struct {
		what, name, secret string
		protocol           identity.Protocol
		method             identity.Method
		domain             string
		want               error
	}{
		{what: "right", name: "alice", secret: testPassword, protocol: F},
		{what: "other spelling", name: "ALICE", secret: testPassword, protocol: F},
		{what: "with domain", name: "alice@example.org", secret: testPassword, protocol: F},
		{what: "other domain", name: "bob@example.net", secret: testPassword, protocol: F},
		{what: "domain of the stream", name: "bob", domain: "example.net", secret: testPassword, protocol: F},
		{what: "another than the stream's", name: "alice@example.org", domain: "example.net", secret: testPassword, protocol: F, want: identity.ErrCredentials},
		{what: "wrong password", name: "alice", secret: "wrong", protocol: F, want: identity.ErrCredentials},
		{what: "empty password", name: "alice", secret: "", protocol: F, want: identity.ErrCredentials},
		{what: "control character", name: "alice", secret: testPassword + "\x00", protocol: F, want: identity.ErrCredentials},
		{what: "unknown", name: "nobody", secret: testPassword, protocol: F, want: identity.ErrCredentials},
		{what: "domain of nobody", name: "alice@example.com", secret: testPassword, protocol: F, want: identity.ErrCredentials},
		{what: "no name", name: "al/ice", secret: testPassword, protocol: F, want: identity.ErrCredentials},
		{what: "reserved", name: "anonymous", secret: testPassword, protocol: F, want: identity.ErrCredentials},
		{what: "disabled", name: "off", secret: testPassword, protocol: F, want: identity.ErrDisabled},
		{what: "disabled, wrong", name: "off", secret: "wrong", protocol: F, want: identity.ErrCredentials},
		{what: "invited", name: "invited", secret: testPassword, protocol: F, want: identity.ErrDisabled},
		{what: "expired", name: "late", secret: testPassword, protocol: F, want: identity.ErrExpired},
		{what: "road of the account", name: "webonly", secret: testPassword, protocol: F, want: identity.ErrRoadClosed},
		{what: "its own road", name: "webonly", secret: testPassword, protocol: D},
		{what: "level of the road", name: "alice", secret: testPassword, protocol: X, want: identity.ErrRoadClosed},
		{what: "default level of roads", name: "guest", secret: testPassword, protocol: F, want: identity.ErrRoadClosed},
		{what: "token", name: "alice", secret: ftp, protocol: F},
		{what: "token alone", secret: ftp, protocol: F, method: identity.MethodBearer},
		{what: "token alone by password", secret: ftp, protocol: F, want: identity.ErrCredentials},
		{what: "token of another", name: "bob@example.net", secret: ftp, protocol: F, want: identity.ErrCredentials},
		{what: "token on another road", name: "alice", secret: ftp, protocol: D, want: identity.ErrRoadClosed},
		{what: "token in the form", name: "alice", secret: ftp, protocol: W, method: identity.MethodForm, want: identity.ErrCredentials},
		{what: "token for the API", secret: api, protocol: A, method: identity.MethodBearer},
		{what: "API token on DAV", secret: api, protocol: D, method: identity.MethodBearer, want: identity.ErrRoadClosed},
		{what: "forged owner", name: "alice", secret: forged, protocol: F, want: identity.ErrCredentials},
		{what: "unknown token", name: "alice", secret: tokenPrefix + "x", protocol: F, want: identity.ErrCredentials},
		{what: "bearer without token", secret: testPassword, protocol: A, method: identity.MethodBearer, want: identity.ErrCredentials},
	} {
		t.Run(tt.what, func(t *testing.T) {
			ses, _ := h.open(tt.protocol, home)
			defer ses.Close()
			method := tt.method
			if method == "" {
				method = identity.MethodPassword
			}
			c, err := h.Login(t.Context(), ses, identity.Login{Method: method, Name: tt.name, Domain: tt.domain, Secret: identity.NewSecret(tt.secret)})
			wantErr(t, tt.what, err, tt.want)
			held, in := ses.Credentials()
			if in != (tt.want == nil) {
				t.Fatalf("the session has credentials: %v, want %v", in, tt.want == nil)
			}
			if in && (!reflect.DeepEqual(held, c) || ses.Level() != c.Level || c.OrigUser != tt.name) {
				t.Errorf("the session has %+v, Login gave %+v", held, c)
			}
			if !in && ses.Level() != identity.LevelNone {
				t.Errorf("level %v without credentials", ses.Level())
			}
		})
	}
	t.Run("TLS required by class", func(t *testing.T) {
		ses, err := h.Registry.Open(t.Context(), identity.Opening{Protocol: F, Remote: netip.MustParseAddrPort("198.51.100.7:99")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.login(ses, "alice", testPassword)
		wantErr(t, "in the clear", err, identity.ErrTLSRequired)
		ses.Update(func(d *identity.Details) { d.TLS = "TLS 1.3" })
		_, err = h.login(ses, "alice", testPassword)
		wantErr(t, "after AUTH TLS", err, nil)
		_, err = h.login(ses, "alice", testPassword)
		wantErr(t, "a second time", err, identity.ErrInvalid)
		h.Forget(ses)
		if _, in := ses.Credentials(); in || ses.Level() != identity.LevelNone {
			t.Error("Forget leaves credentials")
		}
		_, err = h.login(ses, "alice", testPassword)
		wantErr(t, "after Forget", err, nil)
	})
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Classes = []identity.Class{{Name: "home", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, MaxLevel: identity.LevelStaff}}
	})
	u := h.person("alice", func(u *identity.User) { u.Level = identity.LevelAdmin; u.Profile.Name = "Alice" })
	h.person("bob", func(u *identity.User) { u.Domain = "example.net" })
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutGroup(ctx, 0, identity.Group{GID: 20000, Domain: "example.org", Name: "staff"}); err != nil {
			return err
		}
		if err := w.PutMember(ctx, 20000, u.ID, false); err != nil {
			return err
		}
		return w.PutAlias(ctx, identity.Alias{Domain: "example.org", Name: "boss", Target: u.ID})
	})
	ses, _ := h.open(identity.ProtocolFTP, home)
	c, err := h.login(ses, "Boss", testPassword)
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Credentials{UserID: u.ID, Login: "alice", Domain: "example.org", User: "alice", OrigUser: "Boss",
		UID: u.UID, GID: u.GID, Group: "alice", GIDs: []uint32{20000}, Groups: []string{"staff"}, Class: "home",
		Level: identity.LevelStaff, Profile: identity.Profile{Name: "Alice"}, CredentialVersion: 1, LoginAt: h.clock.now()}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("credentials\n%+v, want\n%+v", c, want)
	}
	i := ses.Info()
	if *i.User != "alice" || *i.OrigUser != "Boss" || *i.IdentUser != "UNKNOWN" || i.AnonUser != nil || *i.Class != "home" ||
		i.Level != identity.LevelStaff || *i.UID != u.UID || *i.Group != "alice" || i.Groups[0] != "staff" || i.TokenID != nil || i.JID != nil {
		t.Errorf("info %+v", i)
	}
	ses.SetIdent("al")
	if got := *ses.Info().IdentUser; got != "al" {
		t.Errorf("ident_user %q", got)
	}
	other, _ := h.in(identity.ProtocolDAV, "bob@example.net", testPassword)
	if i := other.Info(); *i.User != "bob@example.net" || i.IdentUser != nil {
		t.Errorf("info of another domain %+v", i)
	}
	token, _ := h.in(identity.ProtocolFTP, "alice", h.tokens.add(u, identity.Grant{Roads: []identity.Road{identity.RoadFTP}}))
	if token.Level() != identity.LevelCustomer || token.Info().TokenID == nil {
		t.Errorf("a token without admin gives level %v", token.Level())
	}
	admin, _ := h.in(identity.ProtocolFTP, "alice", h.tokens.add(u, identity.Grant{Roads: []identity.Road{identity.RoadFTP}, Admin: true}))
	if admin.Level() != identity.LevelStaff {
		t.Errorf("a token with admin gives level %v, the class allows staff", admin.Level())
	}
}

func TestLoginWorkIsEqual(t *testing.T) {
	t.Parallel()
	for _, argon := range []bool{false, true} {
		t.Run(fmt.Sprint("argon2id ", argon), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(o *identity.Options) { o.Argon2id = argon })
			alice := h.person("alice", nil)
			h.person("off", func(u *identity.User) { u.State = identity.UserDisabled })
			bare := h.person("bare", nil)
			h.write(func(ctx context.Context, w identity.StoreWriter) error {
				return w.PutPassword(ctx, bare.ID, identity.Record{})
			})
			token := h.tokens.add(alice, identity.Grant{Roads: []identity.Road{identity.RoadFTP}})
			ses, _ := h.open(identity.ProtocolWeb, home)
			for _, tt := range []struct{ what, name, secret string }{
				{"wrong", "alice", "wrong"}, {"empty", "alice", ""}, {"unknown", "nobody", "wrong"}, {"no name", "a b", "wrong"},
				{"reserved", "ftp", "wrong"}, {"without password", "bare", "wrong"}, {"disabled", "off", "wrong"}, {"a token", "alice", token},
			} {
				before := h.Hashes()
				_, err := h.Login(t.Context(), ses, form(tt.name, tt.secret))
				wantErr(t, tt.what, err, identity.ErrCredentials)
				if n := h.Hashes() - before; n != 1 {
					t.Errorf("%s: %d slow hashes, want 1", tt.what, n)
				}
			}
			for i, want := range []int64{1, 0} { // the second time the cache knows it
				before := h.Hashes()
				if _, err := h.Login(t.Context(), ses, form("alice", testPassword)); err != nil {
					t.Fatal(err)
				}
				if n := h.Hashes() - before; n != want {
					t.Errorf("right log-in %d: %d slow hashes, want %d", i, n, want)
				}
				h.Forget(ses)
			}
		})
	}
}

// TestCacheKnowsNoOldPassword changes the password under a warm cache.
func TestCacheKnowsNoOldPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	h.in(identity.ProtocolFTP, "alice", testPassword)
	r, err := h.SealPassword(t.Context(), u.ID, identity.Record{}, identity.NewSecret("another"))
	if err != nil {
		t.Fatal(err)
	}
	u.CredentialVersion++
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		if _, err := w.PutUser(ctx, u); err != nil {
			return err
		}
		return w.PutPassword(ctx, u.ID, r)
	})
	ses, _ := h.open(identity.ProtocolFTP, home)
	_, err = h.login(ses, "alice", testPassword)
	wantErr(t, "old password", err, identity.ErrCredentials)
	_, err = h.login(ses, "alice", "another")
	wantErr(t, "new password", err, nil)
}

func TestLoginAnonymous(t *testing.T) {
	t.Parallel()
	closed := newHouse(t, nil)
	ses, _ := closed.open(identity.ProtocolFTP, home)
	_, err := closed.LoginAnonymous(t.Context(), ses, identity.Anonymous{Name: "ftp", Email: "a@b"})
	wantErr(t, "FTP without anonymous", err, identity.ErrRoadClosed)

	open := newHouse(t, func(o *identity.Options) { o.AnonymousRoads = []identity.Road{identity.RoadFTP} })
	ses, _ = open.open(identity.ProtocolFTP, home)
	c, err := open.LoginAnonymous(t.Context(), ses, identity.Anonymous{Name: "anonymous", Email: "me@home"})
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Credentials{OrigUser: "anonymous", AnonUser: "me@home", UID: 65534, GID: 65534,
		Level: identity.LevelAnonymous, LoginAt: open.clock.now()}
	if !reflect.DeepEqual(c, want) || !c.Anonymous() || ses.Level() != identity.LevelAnonymous {
		t.Errorf("credentials %+v, want %+v", c, want)
	}
	if i := ses.Info(); i.User != nil || *i.AnonUser != "me@home" || *i.UID != 65534 {
		t.Errorf("info %+v", i)
	}
	if !open.Allowed(ses, "ftp:RETR") || open.Allowed(ses, "web:/files") {
		t.Error("an anonymous FTP session may not do what FTP has, or more")
	}

	secret := newHouse(t, func(o *identity.Options) {
		o.AnonymousRoads, o.AnonymousRequirePassword = []identity.Road{identity.RoadFTP}, true
		o.AnonymousPassword = identity.NewSecret("open sesame")
	})
	ses, _ = secret.open(identity.ProtocolFTP, home)
	_, err = secret.LoginAnonymous(t.Context(), ses, identity.Anonymous{Name: "FTP", Email: "me@home"})
	wantErr(t, "wrong password", err, identity.ErrCredentials)
	c, err = secret.LoginAnonymous(t.Context(), ses, identity.Anonymous{Name: "FTP", Email: "open sesame"})
	if err != nil || c.AnonUser != "FTP" {
		t.Errorf("anon_user %q, %v: want the USER that was sent", c.AnonUser, err)
	}
}

func TestBanAndItsLength(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Limits = identity.Limits{BanAfter: 3, BanWindow: time.Minute, BanFor: time.Minute}
	})
	h.person("alice", nil)
	_, cookie := h.browse("alice")
	guess := func(from string, n int) {
		for range n {
			ses, _ := h.open(identity.ProtocolFTP, from)
			_, err := h.login(ses, "nobody", "guess")
			wantErr(t, "guess", err, identity.ErrCredentials)
			ses.Close()
		}
	}
	banned := func(from string) time.Duration {
		ses, _, err := h.tryOpen(identity.ProtocolXMPP, from)
		if err == nil {
			ses.Close()
			return 0
		}
		wantErr(t, "open", err, identity.ErrBanned)
		return identity.RetryAfter(err)
	}
	guess("203.0.113.5:1", 2)
	h.clock.pass(2 * time.Minute)
	guess("203.0.113.5:1", 2)
	if d := banned("203.0.113.5:1"); d != 0 {
		t.Errorf("banned for %v by failures that are long past", d)
	}
	guess(home, 3)
	if d := banned(home); d != time.Minute {
		t.Errorf("first ban is %v, want a minute", d)
	}
	if d := banned("192.0.2.2:1"); d != 0 {
		t.Errorf("the neighbour is banned for %v", d)
	}
	if _, _, err := h.Resume(t.Context(), h.with(identity.CookieLoggedIn, cookie.Value)); err != nil {
		t.Errorf("who is logged in cannot go on from a banned address: %v", err)
	}
	_, _, err := h.StartAnonymous(t.Context(), h.visit())
	wantErr(t, "new browser from a banned address", err, identity.ErrBanned)
	h.FlushBehind(t.Context())
	h.start()
	if d := banned(home); d != time.Minute {
		t.Errorf("after a restart the ban is %v, want a minute", d)
	}
	h.clock.pass(time.Minute)
	guess(home, 3)
	if d := banned(home); d != 2*time.Minute {
		t.Errorf("second ban is %v, want twice the first", d)
	}
	guess("[2001:db8::1]:1", 1)
	guess("[2001:db8::2]:1", 1)
	guess("[2001:db8::3]:1", 1)
	if banned("[2001:db8::4]:1") == 0 || banned("[2001:db8:0:1::4]:1") != 0 {
		t.Error("an IPv6 ban does not cover the /64, or more than it")
	}
}

// TestGuessesAtOnce sends more guesses at the same moment than the ban allows one after the
// other.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.Limits.BanAfter = 5 })
	var mu sync.Mutex
	counts := map[error]int{}
	var wg sync.WaitGroup
	for range 40 {
		ses, _ := h.open(identity.ProtocolFTP, home)
		wg.Go(func() {
			_, err := h.login(ses, "nobody", "guess")
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, identity.ErrEnded) { // the ban has cut it off before it could say anything
				err = identity.ErrBanned
			}
			for _, known := range []error{identity.ErrCredentials, identity.ErrBanned} {
				if errors.Is(err, known) {
					counts[known]++
				}
			}
		})
	}
	wg.Wait()
	if counts[identity.ErrCredentials] != 5 || counts[identity.ErrBanned] != 35 || h.Hashes() != 5 {
		t.Errorf("%v and %d hashes, want 5 wrong, 35 banned, 5 hashes", counts, h.Hashes())
	}
}

func TestAuditOfLogins(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.Limits.BanAfter = 3 })
	h.person("alice", nil)
	ses, _ := h.open(identity.ProtocolFTP, home)
	for _, l := range [][2]string{{"my secret password!", "oops"}, {"nobody", "hunter2"}, {"alice", testPassword}} {
		_, _ = h.login(ses, l[0], l[1]) // the log says how it went
	}
	id := ses.ID()
	ses.Close()
	h.FlushBehind(t.Context())
	rows, err := h.store.Audit(t.Context(), identity.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		if r.Remote != home || r.Session != id || r.Protocol != identity.ProtocolFTP {
			t.Errorf("row %+v lacks the session", r)
		}
		got = append(got, strings.Join([]string{r.Event, r.Subject, r.Result}, " | "))
	}
	want := []string{"logout | alice | closed", "login.ok | alice | ok",
		"login.fail | nobody | name or password is wrong", "login.fail | (not a name) | name or password is wrong"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("audit\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	acc, err := h.store.Account(t.Context(), "example.org", "alice")
	if err != nil || !acc.LastLogin.Equal(h.clock.now()) {
		t.Errorf("last log-in %v, %v", acc.LastLogin, err)
	}
}

// TestManyConnectionsOfOnePerson logs one account in as a client does that opens many
// connections at once.
func TestManyConnectionsOfOnePerson(t *testing.T) {
	t.Parallel()
	for _, argon := range []bool{false, true} {
		h := newHouse(t, func(o *identity.Options) { o.Argon2id, o.Limits.BanAfter = argon, 10 })
		h.person("alice", nil)
		var wg sync.WaitGroup
		for range 40 {
			ses, _ := h.open(identity.ProtocolFTP, home)
			wg.Go(func() {
				_, err := h.login(ses, "alice", testPassword)
				wantErr(t, "log-in", err, nil)
			})
		}
		wg.Wait()
	}
}

// TestStorm sends more wrong passwords at once than may wait; the honest log-in of another
// address gets through.
func TestStorm(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.SCRAMIterations = 20000 })
	h.person("alice", nil)
	honest, _ := h.open(identity.ProtocolFTP, "198.51.100.1:1")
	var wg sync.WaitGroup
	var begun sync.WaitGroup
	for i := range 600 {
		ses, _ := h.open(identity.ProtocolFTP, home)
		begun.Add(1)
		wg.Go(func() {
			begun.Done()
			if _, err := h.login(ses, fmt.Sprint("guess", i), "wrong"); !errors.Is(err, identity.ErrCredentials) && !errors.Is(err, identity.ErrBusy) {
				t.Errorf("the storm got %v", err)
			}
		})
	}
	begun.Wait()
	_, err := h.login(honest, "alice", testPassword)
	wantErr(t, "the honest log-in", err, nil)
	wg.Wait()
}
