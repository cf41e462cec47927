package identity_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// TestFilterAndSort asks the list for everything that it can be asked for.
func TestFilterAndSort(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Classes = []identity.Class{{Name: "Lan", From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
		o.Locate = func(a netip.Addr) string {
			if a.Is6() {
				return "Berlin, DE"
			}
			return ""
		}
	})
	h.person("alice", nil)
	h.person("bob", func(u *identity.User) { u.Level = identity.LevelStaff })
	names := map[string]string{}
	add := func(name string, p identity.Protocol, from, user, agent string) *identity.Session {
		ses, _ := h.open(p, from)
		ses.Update(func(d *identity.Details) { d.UserAgent = agent })
		if user != "" {
			if _, err := h.login(ses, user, testPassword); err != nil {
				t.Fatal(err)
			}
		}
		names[ses.ID()] = name
		h.clock.pass(time.Minute)
		return ses
	}
	a := add("a", identity.ProtocolFTP, "10.1.2.3:1", "alice", "FileZilla")
	add("b", identity.ProtocolXMPP, "192.0.2.7:1", "bob", "Dino ÄÖ")
	add("c", identity.ProtocolXMPP, "10.1.9.9:1", "alice", "Conversations")
	add("d", identity.ProtocolFTP, "[2001:db8::1]:1", "", "")
	a.CountIn(100)
	staff := identity.LevelStaff
	for _, tt := range []struct {
		what string
		f    identity.Filter
		sort string
		want string
	}{
		{"all, as they began", identity.Filter{}, "", "a b c d"},
		{"the other way round", identity.Filter{}, "-started", "d c b a"},
		{"user", identity.Filter{User: "alice"}, "", "a c"},
		{"user that has none", identity.Filter{User: "carol"}, "", ""},
		{"road", identity.Filter{Road: identity.RoadFTP}, "", "a d"},
		{"protocol and user", identity.Filter{Protocol: identity.ProtocolXMPP, User: "alice"}, "", "c"},
		{"class, in any case", identity.Filter{Class: "lAN"}, "", "a c"},
		{"no class", identity.Filter{Class: identity.ClassNone}, "", "b d"},
		{"another class", identity.Filter{Class: "wan"}, "", ""},
		{"address block", identity.Filter{From: netip.MustParsePrefix("10.1.0.0/16")}, "", "a c"},
		{"one address", identity.Filter{From: netip.MustParsePrefix("2001:db8::1/128")}, "", "d"},
		{"level", identity.Filter{Level: &staff}, "", "b"},
		{"state", identity.Filter{State: identity.StateUnauthed}, "", "b c"},
		{"text in the client", identity.Filter{Text: "CONV"}, "", "c"},
		{"text beyond ASCII", identity.Filter{Text: "äö"}, "", "b"},
		{"text in the user", identity.Filter{Text: "ali"}, "", "a c"},
		{"text in the address", identity.Filter{Text: "10.1."}, "", "a c"},
		{"text in the class", identity.Filter{Text: "lan"}, "", "a c"},
		{"text that is nowhere", identity.Filter{Text: "zzz"}, "", ""},
		{"not heard of lately", identity.Filter{Idle: h.clock.now().Add(-2 * time.Minute)}, "", "b"},
		{"by user", identity.Filter{}, "user", "d a c b"},
		{"by level, highest first", identity.Filter{}, "-level", "b a c d"},
		{"by address", identity.Filter{}, "address", "a c b d"},
		{"by class", identity.Filter{}, "class", "b d a c"},
		{"by client", identity.Filter{}, "client", "d c b a"},
		{"by state", identity.Filter{}, "state", "b c a d"},
		{"by protocol", identity.Filter{}, "protocol", "a d b c"},
		{"last heard first", identity.Filter{}, "-active", "a d c b"},
		{"most received first", identity.Filter{}, "-in", "a b c d"},
		{"by what was sent", identity.Filter{}, "out", "a b c d"},
	} {
		key, down, err := identity.ParseSort(tt.sort)
		if err != nil {
			t.Fatal(err)
		}
		p := h.Registry.Page(tt.f, key, down, 0, 0)
		var got []string
		for _, i := range p.Sessions {
			got = append(got, names[i.ID])
			if (i.Location != nil) != (names[i.ID] == "d") {
				t.Errorf("location of %s: %v", names[i.ID], i.Location)
			}
		}
		if strings.Join(got, " ") != tt.want || p.Total != len(got) || h.Registry.Count(tt.f) != len(got) {
			t.Errorf("%s: %v of %d, want %s", tt.what, got, p.Total, tt.want)
		}
	}
	if _, _, err := identity.ParseSort("beauty"); err == nil || !strings.Contains(err.Error(), "started, user") {
		t.Errorf("sorting by beauty: %v", err)
	}
}

// Any page of any order is the piece of the whole list that it says.
func TestPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	for i := range 200 {
		ses, _ := h.open(identity.ProtocolFTP, fmt.Sprintf("10.0.%d.%d:1", i%5, i%7))
		ses.CountIn(int64(rand.IntN(50)))
		if i%11 == 0 {
			ses.Close() // the rows move
		}
		h.clock.pass(time.Duration(rand.IntN(2)) * time.Second)
	}
	ids := func(p identity.Page) (out []string) {
		for _, i := range p.Sessions {
			out = append(out, i.ID)
		}
		return out
	}
	for _, key := range identity.SortKeys() {
		for _, down := range []bool{false, true} {
			all := ids(h.Registry.Page(identity.Filter{}, key, down, 0, 0))
			if len(all) != 181 {
				t.Fatalf("%d sessions", len(all))
			}
			for _, at := range [][2]int{{0, 1}, {0, 10}, {30, 20}, {170, 50}, {500, 5}, {0, 181}} {
				want := all[min(at[0], len(all)):min(at[0]+at[1], len(all))]
				if got := ids(h.Registry.Page(identity.Filter{}, key, down, at[0], at[1])); !slices.Equal(got, want) {
					t.Errorf("by %s, down %v, %v: %v, want %v", key, down, at, got, want)
				}
			}
		}
	}
}

// TestWhenFull shows which session gives way where the rule says that one does.
func TestWhenFull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule identity.WhenFull
		want string // the one that ends; "": the new one is refused
	}{{"", ""}, {identity.WhenFullRefuse, ""}, {identity.WhenFullOldest, "first"}, {identity.WhenFullIdle, "second"}} {
		t.Run("rule "+string(tt.rule), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(o *identity.Options) {
				o.Limits.SessionsPerUser = map[identity.Road]int{identity.RoadFTP: 2}
				o.Limits.WhenFull = map[identity.Road]identity.WhenFull{identity.RoadFTP: tt.rule}
			})
			h.person("alice", nil)
			h.person("bob", nil)
			hold := map[string]*holder{}
			var first *identity.Session
			first, hold["first"] = h.in(identity.ProtocolFTP, "alice", testPassword)
			h.clock.pass(time.Minute)
			_, hold["second"] = h.in(identity.ProtocolFTP, "alice", testPassword)
			_, hold["of bob"] = h.in(identity.ProtocolFTP, "bob", testPassword)
			_, hold["of another road"] = h.in(identity.ProtocolXMPP, "alice", testPassword)
			h.clock.pass(time.Minute)
			first.Touch()
			ses, _ := h.open(identity.ProtocolFTP, home)
			_, err := h.login(ses, "alice", testPassword)
			if tt.want == "" {
				wantErr(t, "the third", err, identity.ErrSessions)
			} else {
				wantErr(t, "the third", err, nil)
			}
			for name, x := range hold {
				r := x.reasons()
				if (len(r) == 1) != (name == tt.want) || len(r) == 1 && r[0].Code != identity.ReasonReplaced {
					t.Errorf("the %s session was told %v", name, r)
				}
			}
		})
	}
}

// A road can be full as a whole.
func TestSessionsPerRoad(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.Limits.SessionsPerRoad = map[identity.Road]int{identity.RoadFTP: 1} })
	ses, _ := h.open(identity.ProtocolFTP, home)
	_, _, err := h.tryOpen(identity.ProtocolFTP, home)
	wantErr(t, "the second of the road", err, identity.ErrSessions)
	h.open(identity.ProtocolXMPP, home)
	ses.Close()
	h.open(identity.ProtocolFTP, home)
}

// However busy a session is, it does not grow older than it may: a browser's goes back to anonymous,
// any other ends, and a restart does not make it young.
func TestSessionsGrowOld(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.MaxAge = map[identity.Road]time.Duration{identity.RoadWeb: 2 * time.Hour, identity.RoadFTP: time.Hour}
	})
	u := h.person("alice", nil)
	b, ls := h.browse("alice")
	f, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	x, _ := h.in(identity.ProtocolXMPP, "alice", testPassword)
	downs := 0
	h.OnDowngrade(func(*identity.Session) { downs++ })
	for range 6 {
		h.clock.pass(12 * time.Minute)
		b.Touch()
		f.Touch()
		h.set(u, func(u *identity.User) { u.Profile.Name += "x" }) // a change does not make it young either
		h.Sweep()
	}
	if f.Reason().Code != identity.ReasonExpired {
		t.Errorf("the file session: %q", f.Reason().Code)
	}
	if b.Level() != identity.LevelUser {
		t.Errorf("the browser's has the level %v after 72 minutes", b.Level())
	}
	h.FlushBehind(t.Context())
	h.start()
	if err := h.resumes(identity.CookieLoggedIn, ls); err != nil {
		t.Fatalf("after a restart: %v", err)
	}
	back, _, err := h.Resume(t.Context(), h.with(identity.CookieLoggedIn, ls.Value))
	if err != nil {
		t.Fatal(err)
	}
	h.OnDowngrade(func(*identity.Session) { downs++ })
	h.clock.pass(49 * time.Minute)
	back.Touch()
	h.Sweep()
	if back.Level() != identity.LevelAnonymous || downs != 2 {
		t.Errorf("after two hours the browser's session has the level %v; %d downgrades", back.Level(), downs)
	}
	if x.Reason().Code != "" {
		t.Errorf("the chat session ended: %q", x.Reason().Code)
	}
}
