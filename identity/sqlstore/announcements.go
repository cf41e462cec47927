package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"trivium/identity"
)

// Announcements implements identity.StoreReader.
func (r reader) Announcements(ctx context.Context) (list []identity.Announcement, err error) {
	err = r.each(ctx, "reading announcements", func(rows *sql.Rows) error {
		var a identity.Announcement
		var texts, audience, places string
		var level, gid, from, until, created, ended int64
		err := rows.Scan(&a.ID, &a.Text, &texts, &audience, &level, &gid, &places, &from, &until, &created, &a.CreatedBy, &ended, &a.EndedBy)
		if err != nil {
			return err
		}
		kind, group, _ := strings.Cut(audience, ":")
		a.Audience = identity.Audience{Kind: identity.AudienceKind(kind), Level: identity.Level(level), Group: group}
		a.Audience.SetGID(uint32(gid))
		for _, p := range strings.Split(places, ",") {
			a.Places = append(a.Places, identity.Place(p))
		}
		a.From, a.Until, a.CreatedAt, a.EndedAt = moment(from), moment(until), moment(created), moment(ended)
		list = append(list, a)
		if texts == "" {
			return nil
		}
		if err := json.Unmarshal([]byte(texts), &list[len(list)-1].Texts); err != nil {
			return fmt.Errorf("the texts of %s: %w", a.ID, err)
		}
		return nil
	}, `SELECT id, body, texts, audience, level, gid, places, starts_at, ends_at, created_at, created_by, ended_at, ended_by
		FROM identity_announcements ORDER BY starts_at, id`)
	return list, err
}

// PutAnnouncement implements identity.StoreWriter.
func (w *writer) PutAnnouncement(ctx context.Context, a identity.Announcement) error {
	texts := ""
	if len(a.Texts) > 0 {
		b, err := json.Marshal(a.Texts)
		if err != nil {
			return fmt.Errorf("keeping an announcement: %w", err)
		}
		texts = string(b)
	}
	audience := string(a.Audience.Kind)
	if a.Audience.Group != "" {
		audience += ":" + a.Audience.Group
	}
	places := make([]string, len(a.Places))
	for i, p := range a.Places {
		places[i] = string(p)
	}
	_, err := w.exec(ctx, "keeping an announcement", `INSERT INTO identity_announcements
		(id, standing, body, texts, audience, level, gid, places, starts_at, ends_at, created_at, created_by, ended_at, ended_by)
		VALUES ($1, 0, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (id) DO UPDATE SET body = excluded.body, texts = excluded.texts, ends_at = excluded.ends_at,
		ended_at = excluded.ended_at, ended_by = excluded.ended_by`,
		a.ID, a.Text, texts, audience, int64(a.Audience.Level), int64(a.Audience.GID()), strings.Join(places, ","),
		micros(a.From), micros(a.Until), micros(a.CreatedAt), a.CreatedBy, micros(a.EndedAt), a.EndedBy)
	return err
}

// ForgetAnnouncements implements identity.StoreWriter.
func (w *writer) ForgetAnnouncements(ctx context.Context, before time.Time) error {
	const over = `(ended_at > 0 AND ended_at < $1 OR ends_at > 0 AND ends_at < $1)`
	_, err := w.exec(ctx, "forgetting who was told", `DELETE FROM identity_announced WHERE announcement IN (SELECT id FROM identity_announcements WHERE `+over+`)
		OR announcement NOT IN (SELECT id FROM identity_announcements)`, micros(before))
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, "forgetting announcements", `DELETE FROM identity_announcements WHERE `+over, micros(before))
	return err
}

// Announced implements identity.StoreReader.
func (r reader) Announced(ctx context.Context, owner identity.UserID, p identity.Place) (ids []string, err error) {
	err = r.each(ctx, "reading who was told", func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT announcement FROM identity_announced WHERE owner = $1 AND place = $2`, string(owner), string(p))
	return ids, err
}

// NoteAnnounced implements identity.StoreWriter.
func (w *writer) NoteAnnounced(ctx context.Context, id string, p identity.Place, owners ...identity.UserID) (fresh []identity.UserID, err error) {
	for _, o := range owners {
		res, err := w.exec(ctx, "noting who was told", `INSERT INTO identity_announced (announcement, owner, place) VALUES ($1, $2, $3)
			ON CONFLICT (announcement, owner, place) DO NOTHING`, id, string(o), string(p))
		if err != nil {
			return nil, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return nil, unavailable("noting who was told", err)
		}
		if n > 0 {
			fresh = append(fresh, o)
		}
	}
	return fresh, nil
}
