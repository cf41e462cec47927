package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"trivium/identity"
)

// Notifications implements identity.Store.
func (r reader) Notifications(ctx context.Context, user identity.UserID, before int64, limit int) ([]identity.Notification, error) {
	var list []identity.Notification
	if before <= 0 {
		before = math.MaxInt64
	}
	err := r.each(ctx, "reading notifications", func(rows *sql.Rows) error {
		n := identity.Notification{User: user}
		var kind, about string
		var at int64
		if err := rows.Scan(&n.ID, &kind, &at, &n.Seen, &about); err != nil {
			return err
		}
		n.Kind, n.At = identity.NoticeKind(kind), moment(at)
		list = append(list, n)
		return json.Unmarshal([]byte(about), &list[len(list)-1].About)
	}, `SELECT id, kind, at, seen = 1, about FROM identity_notifications WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`,
		string(user), before, limit)
	return list, err
}

// UnseenNotifications implements identity.Store.
func (r reader) UnseenNotifications(ctx context.Context, user identity.UserID) (n int, err error) {
	err = r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM identity_notifications WHERE user_id = $1 AND seen = 0`, string(user)).Scan(&n)
	return n, unavailable("counting notifications", err)
}

// NoticeChoices implements identity.Store.
func (r reader) NoticeChoices(ctx context.Context, user identity.UserID) (map[identity.NoticeKind]identity.NoticeWays, error) {
	list := map[identity.NoticeKind]identity.NoticeWays{}
	err := r.each(ctx, "reading what somebody wants to hear of", func(rows *sql.Rows) error {
		var kind string
		var ways uint8
		err := rows.Scan(&kind, &ways)
		list[identity.NoticeKind(kind)] = identity.NoticeWays(ways)
		return err
	}, `SELECT kind, ways FROM identity_notice_choices WHERE user_id = $1`, string(user))
	return list, err
}

// AddNotification implements identity.StoreWriter.
func (w *writer) AddNotification(ctx context.Context, n identity.Notification, keep int) error {
	about, err := json.Marshal(n.About)
	if err != nil {
		return fmt.Errorf("keeping a notification: %w", err)
	}
	var last int64
	if err := w.q.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM identity_notifications WHERE user_id = $1`, string(n.User)).Scan(&last); err != nil {
		return unavailable("keeping a notification", err)
	}
	_, err = w.exec(ctx, "keeping a notification", `INSERT INTO identity_notifications (user_id, id, kind, at, seen, about) VALUES ($1, $2, $3, $4, 0, $5)`,
		string(n.User), last+1, string(n.Kind), micros(n.At), string(about))
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, "dropping old notifications", `DELETE FROM identity_notifications WHERE user_id = $1 AND id <= $2`, string(n.User), last+1-int64(keep))
	return err
}

// SeeNotifications implements identity.StoreWriter.
func (w *writer) SeeNotifications(ctx context.Context, user identity.UserID, ids ...int64) error {
	if len(ids) == 0 {
		_, err := w.exec(ctx, "marking notifications", `UPDATE identity_notifications SET seen = 1 WHERE user_id = $1 AND seen = 0`, string(user))
		return err
	}
	for _, id := range ids {
		if _, err := w.exec(ctx, "marking notifications", `UPDATE identity_notifications SET seen = 1 WHERE user_id = $1 AND id = $2`, string(user), id); err != nil {
			return err
		}
	}
	return nil
}

// PutNoticeChoice implements identity.StoreWriter.
func (w *writer) PutNoticeChoice(ctx context.Context, user identity.UserID, kind identity.NoticeKind, ways identity.NoticeWays) error {
	_, err := w.exec(ctx, "keeping what somebody wants to hear of", `INSERT INTO identity_notice_choices (user_id, kind, ways) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, kind) DO UPDATE SET ways = excluded.ways`, string(user), string(kind), int64(ways))
	return err
}

// ForgetNotifications implements identity.StoreWriter.
func (w *writer) ForgetNotifications(ctx context.Context, before time.Time) error {
	_, err := w.exec(ctx, "dropping old notifications", `DELETE FROM identity_notifications WHERE at < $1`, micros(before))
	return err
}

// RemoveNotificationsOf implements identity.StoreWriter.
func (w *writer) RemoveNotificationsOf(ctx context.Context, user identity.UserID) error {
	if _, err := w.exec(ctx, "removing notifications", `DELETE FROM identity_notifications WHERE user_id = $1`, string(user)); err != nil {
		return err
	}
	_, err := w.exec(ctx, "removing notifications", `DELETE FROM identity_notice_choices WHERE user_id = $1`, string(user))
	return err
}
