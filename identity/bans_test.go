package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// guess fails once from an address; the error is that of connecting or of the log-in.
func (h *house) guess(from, name string) error {
	h.t.Helper()
	ses, _, err := h.tryOpen(identity.ProtocolFTP, from)
	if err != nil {
		return err
	}
	defer ses.Close()
	_, err = h.login(ses, name, "a guess")
	return err
}

// enter logs in once from an address.
func (h *house) enter(from, name, secret string) error {
	h.t.Helper()
	ses, _, err := h.tryOpen(identity.ProtocolFTP, from)
	if err != nil {
		return err
	}
	defer ses.Close()
	_, err = h.login(ses, name, secret)
	return err
}

// TestBansWiden bans addresses of one block one by one until the block is banned, and shows who is
// spared: what is never banned, devices that an account is known by, and tokens.
func TestBansWiden(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Limits.BanAfter, o.Limits.BanFor, o.Limits.BanWiden = 2, time.Hour, 4
	})
	u := h.person("alice", nil)
	token := h.tokens.add(u, identity.Grant{Roads: []identity.Road{identity.RoadFTP}})
	const own, office = "203.0.113.200:1", "203.0.113.77:1"
	if err := h.enter(own, "alice", testPassword); err != nil {
		t.Fatal(err)
	}
	h.FlushDevices(t.Context())
	if _, err := h.AddBanAllow(t.Context(), owner, "203.0.113.77", "the office"); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		from := fmt.Sprintf("203.0.113.%d:1", i+1)
		for range 2 {
			wantErr(t, from, h.guess(from, "alice"), identity.ErrCredentials)
		}
		wantErr(t, from+" after its ban", h.guess(from, "alice"), identity.ErrBanned)
	}
	list, err := h.Bans(t.Context())
	if err != nil || len(list) != 5 {
		t.Fatalf("%v, %v", list, err)
	}
	kinds := map[string]identity.BanKind{}
	for _, b := range list {
		kinds[b.Prefix] = b.Kind
	}
	if kinds["203.0.113.0/24"] != identity.BanWidened || kinds["203.0.113.1/32"] != identity.BanGuessing {
		t.Errorf("bans %v", kinds)
	}
	before := h.Hashes()
	for range 3 {
		wantErr(t, "a stranger of the block", h.guess("203.0.113.9:1", "bob"), identity.ErrBanned)
	}
	if n := h.Hashes() - before; n != 0 {
		t.Errorf("%d hashes for somebody under a ban", n)
	}
	if kind := h.banOf("203.0.113.9"); kind != identity.BanGuessing {
		t.Errorf("who goes on under a widened ban is under %q", kind)
	}
	wantErr(t, "the person, from a device that is known", h.enter(own, "alice", testPassword), nil)
	wantErr(t, "the person, by a token from elsewhere in the block", h.enter("203.0.113.10:1", "alice", token), nil)
	wantErr(t, "what is never banned", h.enter(office, "alice", testPassword), nil)
	for range 5 {
		if err := h.guess(office, "alice"); errors.Is(err, identity.ErrBanned) {
			t.Error("what is never banned is banned")
		}
	}
	wantErr(t, "another block", h.enter("203.0.114.1:1", "alice", testPassword), nil)
	// After a restart it is the same.
	h.FlushBehind(t.Context())
	h.start()
	wantErr(t, "a stranger after a restart", h.guess("203.0.113.10:1", "bob"), identity.ErrBanned)
	wantErr(t, "the person after a restart", h.enter(own, "alice", testPassword), nil)
	wantErr(t, "what is never banned, after a restart", h.enter(office, "alice", testPassword), nil)
	h.clock.pass(time.Hour)
	wantErr(t, "when it is over", h.guess("203.0.113.11:1", "bob"), identity.ErrCredentials)
}

// IPv6 widens from /64 to /56 and from there to /48.
func TestBansWidenIPv6(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.Limits.BanAfter, o.Limits.BanFor, o.Limits.BanWiden = 1, time.Hour, 3 })
	for outer := range 3 {
		for inner := range 3 {
			_ = h.guess(fmt.Sprintf("[2001:db8:7:%x%02x::1]:1", outer, inner), fmt.Sprint("nobody", outer, inner))
		}
	}
	list, err := h.Bans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wide []string
	for _, b := range list {
		if b.Kind == identity.BanWidened {
			wide = append(wide, b.Prefix)
		}
	}
	if got := strings.Join(wide, " "); len(wide) != 4 || !strings.Contains(got, "2001:db8:7::/48") || !strings.Contains(got, "2001:db8:7:100::/56") {
		t.Errorf("widened to %s", got)
	}
	wantErr(t, "elsewhere in the /48", h.guess("[2001:db8:7:9999::1]:1", "somebody"), identity.ErrBanned)
	wantErr(t, "beside it", h.guess("[2001:db8:8::1]:1", "somebody"), identity.ErrCredentials)
}

func (h *house) banOf(addr string) identity.BanKind {
	h.t.Helper()
	c, err := h.CheckBan(h.t.Context(), addr)
	if err != nil {
		h.t.Fatal(err)
	}
	if c.Ban == nil {
		return ""
	}
	return c.Ban.Kind
}

// A ban for guessing lets tokens in, where tokens have come from before; one by hand lets nobody in.
func TestTokensPassBans(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.Limits.BanAfter, o.Limits.BanFor = 3, time.Hour })
	u := h.person("alice", nil)
	token := h.tokens.add(u, identity.Grant{Roads: []identity.Road{identity.RoadFTP, identity.RoadWeb}, API: true})
	wantErr(t, "a token", h.enter(home, "alice", token), nil)
	for range 3 {
		_ = h.guess(home, "alice")
	}
	if k := h.banOf("192.0.2.1"); k != identity.BanGuessing {
		t.Fatalf("the address is under %q", k)
	}
	before := h.Hashes()
	wantErr(t, "a guess", h.guess(home, "alice"), identity.ErrBanned)
	wantErr(t, "the right password", h.enter(home, "alice", testPassword), identity.ErrBanned)
	if h.Hashes() != before {
		t.Error("a password is looked at under a ban")
	}
	wantErr(t, "the token", h.enter(home, "alice", token), nil)
	request := func(secret string) error {
		_, err := h.Request(t.Context(), identity.ProtocolDAV, h.visit(), identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret(secret)})
		return err
	}
	wantErr(t, "WebDAV with the token", request(token), nil)
	wantErr(t, "WebDAV with the password", request(testPassword), identity.ErrBanned)
	for i := range 3 {
		wantErr(t, "a token that nobody has", h.enter(home, "alice", fmt.Sprintf("%snone%d", tokenPrefix, i)), identity.ErrCredentials)
	}
	wantErr(t, "after as many wrong tokens", h.enter(home, "alice", token), identity.ErrBanned)
	if _, err := h.AddBan(t.Context(), owner, identity.NewBan{Prefix: "192.0.2.0/24", For: time.Hour, Reason: "enough"}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "under a ban by hand", h.enter("192.0.2.9:1", "alice", token), identity.ErrBanned)
	wantErr(t, "WebDAV under it", request(token), nil) // a session that there is goes on
}

// TestBanByHand shows what is refused, who is cut off, and that another process hears of it.
func TestBanByHand(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	admin := identity.Actor{User: "admin1", Level: identity.LevelAdmin, Via: "web", Remote: "198.51.100.7:443"}
	mod := identity.Actor{User: "mod1", Level: identity.LevelModerator, Via: "web", Remote: "198.51.100.7:443"}
	user := identity.Actor{User: "alice", Level: identity.LevelUser}
	for _, tt := range []struct {
		what string
		by   identity.Actor
		ban  identity.NewBan
		want error
	}{
		{"nothing", admin, identity.NewBan{}, identity.ErrInvalid},
		{"words", admin, identity.NewBan{Prefix: "the neighbours"}, identity.ErrInvalid},
		{"an address with a zone", admin, identity.NewBan{Prefix: "fe80::1%eth0"}, identity.ErrInvalid},
		{"too long", admin, identity.NewBan{Prefix: "192.0.2.1", For: 11 * 365 * 24 * time.Hour}, identity.ErrInvalid},
		{"a reason of two lines", admin, identity.NewBan{Prefix: "192.0.2.1", Reason: "a\nb"}, identity.ErrInvalid},
		{"the own address", admin, identity.NewBan{Prefix: "198.51.100.0/24"}, identity.ErrRefused},
		{"the whole internet", admin, identity.NewBan{Prefix: "0.0.0.0/0"}, identity.ErrRefused},
		{"the other one", admin, identity.NewBan{Prefix: "::/0"}, identity.ErrRefused},
		{"by a user", user, identity.NewBan{Prefix: "192.0.2.1"}, identity.ErrRefused},
		{"a network by a moderator", mod, identity.NewBan{Prefix: "192.0.2.0/24", For: time.Hour}, identity.ErrRefused},
		{"for long by a moderator", mod, identity.NewBan{Prefix: "192.0.2.1", For: 48 * time.Hour}, identity.ErrRefused},
		{"an address by a moderator", mod, identity.NewBan{Prefix: "192.0.2.200", For: time.Hour}, nil},
		{"the own address, confirmed", admin, identity.NewBan{Prefix: "198.51.100.7", Confirm: true}, nil},
	} {
		_, err := h.AddBan(t.Context(), tt.by, tt.ban)
		wantErr(t, tt.what, err, tt.want)
	}
	other, err := identity.New(t.Context(), h.opts)
	if err != nil {
		t.Fatal(err)
	}
	waiting, hold := h.open(identity.ProtocolFTP, "192.0.2.50:1")
	inside, _ := h.open(identity.ProtocolFTP, "192.0.2.51:1")
	if _, err := h.login(inside, "alice", testPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := other.AddBan(t.Context(), admin, identity.NewBan{Prefix: "192.0.2.0/24", For: time.Hour, Reason: "flood"}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "before the poll", h.guess("192.0.2.50:2", "alice"), identity.ErrCredentials)
	look(h)
	wantErr(t, "after the poll", h.guess("192.0.2.50:2", "alice"), identity.ErrBanned)
	if r := hold.reasons(); len(r) != 1 || r[0].Code != identity.ReasonPolicy || waiting.Reason().Code != identity.ReasonPolicy {
		t.Errorf("who waits for a log-in was told %v", r)
	}
	if inside.Reason().Code != "" {
		t.Errorf("who is logged in was ended: %v", inside.Reason())
	}
	list, err := h.Bans(t.Context())
	if err != nil || len(list) != 3 || list[0].Prefix != "192.0.2.0/24" || list[0].Actor != "admin1" || list[0].Reason != "flood" || list[0].Hits != 1 {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if err := other.LiftBan(t.Context(), admin, "192.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
	look(h)
	wantErr(t, "after it was lifted elsewhere", h.guess("192.0.2.50:2", "alice"), identity.ErrCredentials)
	wantErr(t, "lifting twice", h.LiftBan(t.Context(), admin, "192.0.2.0/24"), identity.ErrNotFound)
	wantErr(t, "lifting by a user", h.LiftBan(t.Context(), user, "192.0.2.200"), identity.ErrRefused)
	if _, err := other.AddBanAllow(t.Context(), admin, "192.0.2.0/24", "ours"); err != nil {
		t.Fatal(err)
	}
	_, err = h.AddBan(t.Context(), admin, identity.NewBan{Prefix: "192.0.2.9"})
	wantErr(t, "banning what is never banned", err, identity.ErrExists)
	look(h)
	c, err := h.CheckBan(t.Context(), "::ffff:192.0.2.200")
	if err != nil || c.Banned || c.Allowed == nil || c.Allowed.Reason != "ours" {
		t.Errorf("checked: %+v, %v", c, err)
	}
	wantErr(t, "taking off what is not there", h.RemoveBanAllow(t.Context(), admin, "10.0.0.0/8"), identity.ErrNotFound)
	if err := h.RemoveBanAllow(t.Context(), admin, "192.0.2.0/24"); err != nil {
		t.Fatal(err)
	}
	if k := h.banOf("192.0.2.200"); k != identity.BanManual {
		t.Errorf("then the older ban counts again: %q", k)
	}
	rows, err := h.store.Audit(t.Context(), identity.AuditFilter{Event: "ban.*"})
	if err != nil || len(rows) != 6 {
		t.Errorf("%d audit rows, %v", len(rows), err)
	}
}

// TestBotnet lets 500 addresses guess at one account; the person gets in from the usual place at once,
// on every road, and what the guessers cost is bounded.
func TestBotnet(t *testing.T) {
	t.Parallel()
	const bots, banAfter = 500, 3
	h := newHouse(t, func(o *identity.Options) {
		o.Limits.BanAfter, o.Limits.BanFor, o.Limits.BanWiden = banAfter, time.Hour, 8
	})
	u := h.person("alice", nil)
	token := h.tokens.add(u, identity.Grant{Roads: []identity.Road{identity.RoadFTP}})
	for _, p := range []identity.Protocol{identity.ProtocolFTP, identity.ProtocolXMPP} {
		h.in(p, "alice", testPassword)
	}
	h.FlushDevices(t.Context())
	before := h.Hashes()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		gate := make(chan struct{}, 64)
		for round := range banAfter + 1 {
			for i := range bots {
				select {
				case gate <- struct{}{}:
				case <-ctx.Done():
					return
				}
				go func() {
					defer func() { <-gate }()
					ses, _, err := h.tryOpen(identity.ProtocolFTP, fmt.Sprintf("10.%d.%d.9:%d", i%25, i/25, round+1))
					if err != nil {
						return
					}
					defer ses.Close()
					_, _ = h.Login(ctx, ses, identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret("a guess")})
				}()
			}
		}
	}()
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for h.Delayed() < 20 { // until the storm has begun: the account is slow
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nobody is slowed down")
		}
	}
	for what, login := range map[string]func() error{
		"FTP, password":  func() error { return h.enter(home, "alice", testPassword) },
		"FTP, token":     func() error { return h.enter("198.51.100.1:1", "alice", token) },
		"XMPP, password": func() error { return h.enterBy(identity.ProtocolXMPP, "alice", testPassword) },
		"web, password": func() error {
			b, _, err := h.StartAnonymous(t.Context(), h.visit())
			if err == nil {
				_, err = h.Upgrade(t.Context(), b, form("alice", testPassword), false)
			}
			return err
		},
	} {
		began := time.Now()
		if err := login(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if d := time.Since(began); d > 900*time.Millisecond { // the first delay is a second
			t.Errorf("%s: the person waited %v", what, d)
		}
	}
	stop()
	<-done
	if n := h.Hashes() - before; n > bots*banAfter+10 {
		t.Errorf("%d hashes for %d addresses that may fail %d times each", n, bots, banAfter)
	}
}

func (h *house) enterBy(p identity.Protocol, name, secret string) error {
	h.t.Helper()
	ses, _ := h.open(p, home)
	defer ses.Close()
	_, err := h.login(ses, name, secret)
	return err
}

// What the list of bans knows it knows of each address, whatever was put in and taken out.
func FuzzBans(f *testing.F) {
	f.Add("192.0.2.0/24 2001:db8::/32 192.0.2.7/32", "192.0.2.7", uint8(1))
	f.Add("0.0.0.0/0 ::/0", "2001:db8::1", uint8(0))
	f.Add("10.0.0.0/8 10.0.0.0/8 x 10.1.2.3/33", "10.1.2.3", uint8(3))
	f.Fuzz(func(t *testing.T, prefixes, address string, lifted uint8) {
		a, err := netip.ParseAddr(address)
		if err != nil || len(prefixes) > 300 {
			return
		}
		list := strings.Fields(prefixes)
		got, want := identity.BannedBy(list, int(lifted), a), false
		for i, text := range list {
			if p, err := netip.ParsePrefix(text); err == nil && i != int(lifted) {
				again := false
				for j := i + 1; j < len(list); j++ {
					if q, err := netip.ParsePrefix(list[j]); err == nil && q.Masked() == p.Masked() && j == int(lifted) {
						again = true
					}
				}
				want = want || !again && p.Masked().Contains(a.Unmap().WithZone(""))
			}
		}
		if got != want {
			t.Errorf("%s under %q without %d: %v, want %v", a, prefixes, lifted, got, want)
		}
	})
}
