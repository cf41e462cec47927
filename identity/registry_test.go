package identity_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"trivium/identity"
)

func TestListAndEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.Node = "n7" })
	u := h.person("alice", nil)
	a, holdA := h.in(identity.ProtocolFTP, "alice", testPassword)
	h.clock.pass(time.Second)
	b, holdB := h.open(identity.ProtocolXMPP, home)
	for _, tt := range []struct {
		what string
		f    identity.Filter
		want []string
	}{
		{"all, oldest first", identity.Filter{}, []string{a.ID(), b.ID()}},
		{"user", identity.Filter{User: "alice"}, []string{a.ID()}},
		{"owner", identity.Filter{Owner: u.ID}, []string{a.ID()}},
		{"protocol", identity.Filter{Protocol: identity.ProtocolXMPP}, []string{b.ID()}},
		{"id", identity.Filter{ID: b.ID()}, []string{b.ID()}},
		{"id of another owner", identity.Filter{ID: b.ID(), Owner: u.ID}, nil},
		{"user and other protocol", identity.Filter{User: "alice", Protocol: identity.ProtocolXMPP}, nil},
		{"nobody", identity.Filter{User: "bob"}, nil},
	} {
		var got []string
		for _, i := range h.Registry.List(tt.f) {
			got = append(got, i.ID)
		}
		if !slices.Equal(got, tt.want) || h.Registry.Count(tt.f) != len(tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
	}
	if i := b.Info(); i.State != identity.StateUnauthed || i.Node != "n7" || i.ID[:3] != "n7-" || i.User != nil || i.UID != nil {
		t.Errorf("before log-in %+v", i)
	}
	why := identity.Reason{Code: identity.ReasonEnded, Text: "by an administrator"}
	if err := h.Registry.End(a.ID(), why); err != nil {
		t.Fatal(err)
	}
	if r := holdA.reasons(); len(r) != 1 || r[0] != why || a.Reason() != why {
		t.Errorf("the holder was told %v", r)
	}
	wantErr(t, "ending twice", h.Registry.End(a.ID(), why), identity.ErrNotFound)
	_, err := h.login(a, "alice", testPassword)
	wantErr(t, "log-in after the end", err, identity.ErrEnded)
	b.Close()
	b.Close()
	if len(holdB.reasons()) != 0 || b.Reason().Code != identity.ReasonClosed {
		t.Errorf("Close told the holder %v; reason %v", holdB.reasons(), b.Reason())
	}
	<-b.Ended()
	h.in(identity.ProtocolFTP, "alice", testPassword)
	h.in(identity.ProtocolDAV, "alice", testPassword)
	if gone := h.Registry.EndWhere(identity.Filter{User: "alice"}, why); len(gone) != 2 || *gone[0].User != "alice" {
		t.Errorf("EndWhere ended %v", gone)
	}
	if n := h.Registry.Count(identity.Filter{}); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	anywhere := netip.MustParsePrefix("0.0.0.0/0")
	open := func(h *house, p identity.Protocol, from string) error { _, _, err := h.tryOpen(p, from); return err }
	t.Run("connections of one address", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, func(o *identity.Options) { o.Limits.ConnectionsPerAddress = 2 })
		h.person("alice", nil)
		first, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
		wantErr(t, "second", open(h, identity.ProtocolXMPP, home), nil)
		wantErr(t, "third", open(h, identity.ProtocolFTP, home), identity.ErrConnections)
		wantErr(t, "of another address", open(h, identity.ProtocolFTP, "192.0.2.2:1"), nil)
		first.Close()
		wantErr(t, "after one has gone", open(h, identity.ProtocolFTP, home), nil)
	})
	t.Run("not logged in, of one address", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, func(o *identity.Options) { o.Limits.UnauthenticatedPerAddress = 1 })
		h.person("alice", nil)
		ses, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
		wantErr(t, "beside one logged in", open(h, identity.ProtocolFTP, home), nil)
		wantErr(t, "one more", open(h, identity.ProtocolFTP, home), identity.ErrConnections)
		h.Forget(ses)
		ses.Close()
		wantErr(t, "still one more", open(h, identity.ProtocolFTP, home), identity.ErrConnections)
	})
	t.Run("not logged in, whole server", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, func(o *identity.Options) { o.Limits.Unauthenticated = 2 })
		h.person("alice", nil)
		in, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
		oldest, hold := h.open(identity.ProtocolFTP, home)
		second, _ := h.open(identity.ProtocolFTP, home)
		h.open(identity.ProtocolFTP, home)
		if r := hold.reasons(); len(r) != 1 || r[0].Code != identity.ReasonPolicy || r[0].Text == "" {
			t.Errorf("the oldest was told %v", r)
		}
		if code(in) != "" || code(second) != "" || code(oldest) != identity.ReasonPolicy {
			t.Error("another than the oldest was ended")
		}
	})
	t.Run("sessions, whole server", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, func(o *identity.Options) { o.Limits.Sessions = 1 })
		wantErr(t, "first", open(h, identity.ProtocolFTP, home), nil)
		wantErr(t, "second", open(h, identity.ProtocolFTP, "192.0.2.2:1"), identity.ErrSessions)
	})
	t.Run("sessions of one account and road", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, func(o *identity.Options) { o.Limits.SessionsPerUser = map[identity.Road]int{identity.RoadFTP: 1} })
		h.person("alice", nil)
		first, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
		h.in(identity.ProtocolXMPP, "alice", testPassword)
		ses, _ := h.open(identity.ProtocolFTP, home)
		_, err := h.login(ses, "alice", testPassword)
		wantErr(t, "second", err, identity.ErrSessions)
		first.Close()
		_, err = h.login(ses, "alice", testPassword)
		wantErr(t, "after the first has gone", err, nil)
	})
	t.Run("of a class", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, func(o *identity.Options) {
			o.Classes = []identity.Class{
				{Name: "chat", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, Roads: []identity.Road{identity.RoadXMPP}},
				{Name: "all", From: []netip.Prefix{anywhere}, MaxSessions: 3, MaxSessionsPerAddress: 2},
			}
		})
		wantErr(t, "closed road", open(h, identity.ProtocolFTP, "198.51.100.1:1"), identity.ErrClassDenied)
		wantErr(t, "open road", open(h, identity.ProtocolXMPP, "198.51.100.1:1"), nil)
		first, _ := h.open(identity.ProtocolFTP, home)
		wantErr(t, "second", open(h, identity.ProtocolFTP, home), nil)
		wantErr(t, "third of the address", open(h, identity.ProtocolFTP, home), identity.ErrSessions)
		wantErr(t, "third of the class", open(h, identity.ProtocolFTP, "192.0.2.2:1"), nil)
		wantErr(t, "fourth of the class", open(h, identity.ProtocolFTP, "192.0.2.3:1"), identity.ErrSessions)
		first.Close()
		wantErr(t, "after one has gone", open(h, identity.ProtocolFTP, "192.0.2.3:1"), nil)
	})
}

func TestWatch(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	ctx, cancel := context.WithCancel(t.Context())
	events := h.Registry.Watch(ctx, 10)
	ses, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	ses.Update(func(d *identity.Details) { d.Doing = "STOR /a" })
	ses.Update(func(d *identity.Details) { d.Doing = "STOR /a" }) // no change, no event
	ses.Close()
	ses.Update(func(d *identity.Details) { d.Doing = "late" }) // not listed any more
	for _, want := range []string{"opened  ", "upgraded alice ", "changed alice STOR /a", "ended alice STOR /a"} {
		e := <-events
		user := ""
		if e.Session.User != nil {
			user = *e.Session.User
		}
		if got := fmt.Sprintf("%s %s %s", e.Kind, user, e.Session.Doing); got != want {
			t.Errorf("event %q, want %q", got, want)
		}
	}
	cancel()
	for e := range events { // closed
		t.Errorf("a further event %v", e.Kind)
	}

	slow := h.Registry.Watch(t.Context(), 2)
	for range 5 {
		h.open(identity.ProtocolFTP, home)
	}
	for _, want := range []identity.EventKind{identity.EventOpened, identity.EventOpened, identity.EventLagged} {
		if e := <-slow; e.Kind != want {
			t.Errorf("a slow watcher gets %v, want %v", e.Kind, want)
		}
	}
	h.open(identity.ProtocolFTP, home)
	if e := <-slow; e.Kind != identity.EventOpened {
		t.Errorf("after it has caught up: %v", e.Kind)
	}
}

// TestManyAtOnce lets everything happen at the same time; the race detector and the counts
// afterwards judge.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	h.OnUpgrade(func(*identity.Session) {})
	events := h.Registry.Watch(t.Context(), 4)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				ses, _, err := h.tryOpen(identity.ProtocolFTP, home)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = h.login(ses, "alice", testPassword) // may be ended meanwhile
				ses.Update(func(d *identity.Details) { d.Doing = fmt.Sprint(i) })
				ses.CountIn(1)
				_ = ses.Info()
				h.Allowed(ses, "ftp:RETR")
				if i%2 == 0 {
					_ = h.Registry.End(ses.ID(), identity.Reason{Code: identity.ReasonEnded})
				}
				ses.Close()
			}
		})
		wg.Go(func() {
			for range 5 {
				b, _, err := h.StartAnonymous(t.Context(), h.visit())
				if err != nil {
					t.Error(err)
					return
				}
				if c, err := h.Upgrade(t.Context(), b, form("alice", testPassword), i%2 == 0); err == nil {
					_, _, _ = h.Resume(t.Context(), h.with(identity.CookieLoggedIn, c.Value))
				}
				_, _ = h.Downgrade(t.Context(), b, identity.Reason{Code: identity.ReasonEnded})
				b.Close()
			}
		})
	}
	wg.Go(func() {
		for i := range 20 {
			u.Profile.Name = fmt.Sprint(i)
			_ = h.store.Write(t.Context(), func(w identity.StoreWriter) error { _, err := w.PutUser(t.Context(), u); return err })
			h.Reconcile(t.Context(), u.ID)
			h.Sweep()
			h.Registry.EndWhere(identity.Filter{User: "alice"}, identity.Reason{Code: identity.ReasonEnded})
		}
	})
	wg.Wait()
	if n := h.Registry.Count(identity.Filter{}); n != 0 {
		t.Errorf("%d sessions are left: %+v", n, h.Registry.List(identity.Filter{}))
	}
	h.FlushBehind(t.Context())
	if rows, err := h.store.BrowserSessions(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("%d rows are left, %v", len(rows), err)
	}
	if c := h.Registry.Counts(); c != "" {
		t.Errorf("counts are left: %s", c)
	}
	select {
	case <-events:
	default:
		t.Error("no event")
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	ses, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	u.State = identity.UserDisabled
	h.write(func(ctx context.Context, w identity.StoreWriter) error { _, err := w.PutUser(ctx, u); return err })
	select {
	case <-ses.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("a change made elsewhere does not reach the session")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	rows, err := h.store.Audit(t.Context(), identity.AuditFilter{})
	if err != nil || len(rows) != 2 || rows[0].Event != "session.end" || rows[0].Result != "disabled" {
		t.Errorf("what was written behind: %+v, %v", rows, err)
	}
}
