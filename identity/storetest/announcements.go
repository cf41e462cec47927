package storetest

import (
	"context"
	"testing"
	"time"

	"trivium/identity"
)

func announcements(t *testing.T, s identity.Store) {
	ctx := t.Context()
	one := identity.Announcement{ID: "a", Text: "Down at 9\nfor an hour", Texts: map[string]string{"de": "Um 9 Uhr"}, Audience: identity.Audience{Kind: identity.AudienceGroup, Group: "choir"},
		Places: []identity.Place{identity.PlaceWeb, identity.PlaceChat}, From: at(10), Until: at(20), CreatedAt: at(1), CreatedBy: "admin"}
	one.Audience.SetGID(10007)
	two := identity.Announcement{ID: "b", Text: "Hello", Audience: identity.Audience{Kind: identity.AudienceLevel, Level: identity.LevelStaff}, Places: []identity.Place{identity.PlaceFTP}, From: at(5), CreatedAt: at(2)}
	for _, a := range []identity.Announcement{one, two} {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutAnnouncement(ctx, a) })
	}
	list, err := s.Announcements(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "both, by their beginning", list, []identity.Announcement{two, one})
	note := func(id string, owners ...identity.UserID) (fresh []identity.UserID) {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) (err error) {
			fresh, err = w.NoteAnnounced(ctx, id, identity.PlaceChat, owners...)
			return err
		})
		return fresh
	}
	equal(t, "told first", note("a", "u", "v"), []identity.UserID{"u", "v"})
	equal(t, "told again", note("a", "v", "w"), []identity.UserID{"w"})
	note("b", "u")
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		_, err := w.NoteAnnounced(ctx, "b", identity.PlaceWeb, "v")
		return err
	})
	told, err := s.Announced(ctx, "v", identity.PlaceChat)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "what one was told in chat", told, []string{"a"})
	two.EndedAt, two.EndedBy = at(30), "boss"
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutAnnouncement(ctx, two) })
	for _, x := range []struct {
		before time.Time
		left   int
	}{{at(20), 2}, {at(21), 1}, {at(31), 0}} {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.ForgetAnnouncements(ctx, x.before) })
		if list, err = s.Announcements(ctx); err != nil || len(list) != x.left {
			t.Errorf("before %v: %d are left, want %d, %v", x.before, len(list), x.left, err)
		}
		if x.left == 1 {
			equal(t, "the one that was ended", list[0], two)
		}
	}
	if told, err = s.Announced(ctx, "v", identity.PlaceWeb); err != nil || len(told) != 0 {
		t.Errorf("still told %v, %v", told, err)
	}
}
