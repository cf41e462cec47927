package identity_test

import (
	"log/slog"
	"testing"
	"time"

	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

// node is a server on a database that others use as well.
func node(t *testing.T, url, name string) *house {
	t.Helper()
	db, err := sqldb.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // what was written is committed
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	store := sqlstore.New(db)
	h := newHouse(t, func(o *identity.Options) { o.Store, o.Node = store, name })
	h.store = store
	return h
}

// One node on PostgreSQL hears of what another has begun, changed and ended, by the poll that finds changed
// accounts.
func TestNodesHear(t *testing.T) {
	t.Parallel()
	url := sqltest.Postgres(t).URL(t)
	a, b := node(t, url, "a"), node(t, url, "b")
	var begun []string
	b.OnAnnounce(func(x identity.Announcement) { begun = append(begun, x.ID) })
	a.person("alice", nil)
	a.person("root1", func(u *identity.User) { u.Level = identity.LevelRoot })
	hear := func() {
		t.Helper()
		if err := b.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.SweepAnnouncements(t.Context())
	}
	hear()
	alice, _ := b.in(identity.ProtocolFTP, "alice", testPassword)
	text := func() (out []string) {
		for _, x := range b.Announced(alice, identity.PlaceFTP) {
			out = append(out, x.Text)
		}
		return out
	}

	// An announcement is told on the other node, begins there once, and ends there.
	x, err := a.Announce(t.Context(), boss, everybody("Down at 9"))
	if err != nil {
		t.Fatal(err)
	}
	if got := text(); len(got) != 0 {
		t.Errorf("before it hears: %q", got)
	}
	_, seen := b.AnnouncedSince(alice, identity.PlaceFTP, -1)
	hear()
	hear()
	if got := text(); len(got) != 1 || got[0] != "Down at 9" || len(begun) != 1 || begun[0] != x.ID {
		t.Errorf("it says %q, and has begun %v", got, begun)
	}
	if list, now := b.AnnouncedSince(alice, identity.PlaceFTP, seen); len(list) != 1 || now == seen {
		t.Errorf("since then: %v, %d and %d", list, seen, now)
	} else if again, _ := b.AnnouncedSince(alice, identity.PlaceFTP, now); len(again) != 0 {
		t.Errorf("once more: %v", again)
	}
	if _, err := b.PreviewAnnouncement(t.Context(), identity.Actor{User: "root1", Level: identity.LevelRoot}, everybody("look")); err != nil {
		t.Fatal(err)
	}
	if err := a.EndAnnouncement(t.Context(), boss, x.ID); err != nil {
		t.Fatal(err)
	}
	hear()
	if got := text(); len(got) != 0 {
		t.Errorf("after its end: %q", got)
	}
	root, _ := b.in(identity.ProtocolFTP, "root1", testPassword)
	if got := b.Announced(root, identity.PlaceFTP); len(got) != 1 || !got[0].Preview() {
		t.Errorf("the preview of the other node is gone: %v", got)
	}

	// Maintenance holds there, and ends what it is to end.
	set := func(c identity.MaintenanceChange) {
		t.Helper()
		if _, _, err := a.SetMaintenance(t.Context(), boss, c); err != nil {
			t.Fatal(err)
		}
		hear()
	}
	login := func() error {
		ses, _ := b.open(identity.ProtocolFTP, home)
		defer ses.Close()
		_, err := b.login(ses, "alice", testPassword)
		return err
	}
	set(identity.MaintenanceChange{On: true, Message: "New disks"})
	wantErr(t, "a log-in in maintenance", login(), identity.ErrMaintenance)
	if got := b.Maintenance(); got != a.Maintenance() || got.Message != "New disks" {
		t.Errorf("%+v on one node, %+v on the other", got, a.Maintenance())
	}
	select {
	case <-alice.Ended():
		t.Fatal("a running session has ended")
	default:
	}
	set(identity.MaintenanceChange{On: true, Message: "New disks", End: true})
	select {
	case <-alice.Ended():
	case <-time.After(5 * time.Second):
		t.Fatal("a running session has not ended")
	}
	if r := alice.Reason(); r.Code != identity.ReasonMaintenance {
		t.Errorf("%+v", r)
	}
	select {
	case <-root.Ended():
		t.Error("an administrator's session has ended")
	default:
	}
	set(identity.MaintenanceChange{})
	wantErr(t, "a log-in after it", login(), nil)
}
