package storetest

import (
	"context"
	"testing"

	"trivium/identity"
)

func notifications(t *testing.T, s identity.Store) {
	ctx := t.Context()
	add := func(n identity.Notification, keep int) {
		t.Helper()
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.AddNotification(ctx, n, keep) })
	}
	list := func(user identity.UserID, before int64, limit int) (ids []int64) {
		t.Helper()
		rows, err := s.Notifications(ctx, user, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids
	}
	unseen := func(user identity.UserID, want int) {
		t.Helper()
		if n, err := s.UnseenNotifications(ctx, user); err != nil || n != want {
			t.Errorf("%d unseen, want %d, %v", n, want, err)
		}
	}
	one := identity.Notification{User: "a", Kind: identity.NoticeDevice, At: at(1), About: identity.NoticeAbout{Protocol: identity.ProtocolFTP, Client: "lftp", What: "ä \"x\"", Removed: true}}
	add(one, 3)
	rows, err := s.Notifications(ctx, "a", 0, 10)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	one.ID = 1
	equal(t, "a notification", rows[0], one)
	for i := range 4 {
		add(identity.Notification{User: "a", Kind: identity.NoticeQuota, At: at(i + 2)}, 3)
	}
	add(identity.Notification{User: "b", Kind: identity.NoticeQuota, At: at(9)}, 3)
	equal(t, "the newest alone are kept", list("a", 0, 10), []int64{5, 4, 3})
	equal(t, "a page", list("a", 5, 1), []int64{4})
	unseen("a", 3)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.SeeNotifications(ctx, "a", 4, 77) })
	unseen("a", 2)
	if rows, err := s.Notifications(ctx, "a", 5, 1); err != nil || !rows[0].Seen {
		t.Error("what was seen is not", err)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.SeeNotifications(ctx, "a") })
	unseen("a", 0)
	unseen("b", 1)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.ForgetNotifications(ctx, at(5)) })
	equal(t, "the old ones are gone", list("a", 0, 10), []int64{5})

	for _, ways := range []identity.NoticeWays{identity.NoticePage, identity.NoticeMail | identity.NoticeChat} {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
			return w.PutNoticeChoice(ctx, "a", identity.NoticeShare, ways)
		})
	}
	chosen, err := s.NoticeChoices(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "what was chosen", chosen, map[identity.NoticeKind]identity.NoticeWays{identity.NoticeShare: identity.NoticeMail | identity.NoticeChat})
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveNotificationsOf(ctx, "a") })
	if chosen, err := s.NoticeChoices(ctx, "a"); err != nil || len(chosen) != 0 || len(list("a", 0, 10)) != 0 || len(list("b", 0, 10)) != 1 {
		t.Errorf("%v is left, %v", chosen, err)
	}
}
