package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"trivium/identity"
)

// BansChanged implements identity.Store.
func (r reader) BansChanged(ctx context.Context, seq int64) ([]identity.Ban, error) {
	var out []identity.Ban
	err := r.each(ctx, "reading bans", func(rows *sql.Rows) error {
		var b identity.Ban
		var kind string
		var since, until int64
		if err := rows.Scan(&b.Prefix, &kind, &b.Reason, &b.Actor, &since, &until, &b.Count, &b.Seq); err != nil {
			return err
		}
		b.Kind, b.Since, b.Until = identity.BanKind(kind), moment(since), moment(until)
		out = append(out, b)
		return nil
	}, `SELECT prefix, kind, reason, actor, since, until, count, seq FROM identity_bans
		WHERE seq > $1 ORDER BY seq, prefix`, seq)
	return out, err
}

// BanSeq implements identity.Store.
func (r reader) BanSeq(ctx context.Context) (int64, error) {
	var seq int64
	err := r.q.QueryRowContext(ctx, `SELECT value FROM identity_counters WHERE name = 'ban'`).Scan(&seq)
	return seq, unavailable("reading the sequence of bans", err)
}

// nextBan gives out the next sequence of bans, in the order of the commits as nextChange does.
func (w *writer) nextBan(ctx context.Context) (int64, error) {
	var seq int64
	err := w.tx.QueryRowContext(ctx, `UPDATE identity_counters SET value = value + 1
		WHERE name = 'ban' RETURNING value`).Scan(&seq)
	return seq, unavailable("raising the sequence of bans", err)
}

// PutBan implements identity.StoreWriter.
func (w *writer) PutBan(ctx context.Context, b identity.Ban) error {
	seq, err := w.nextBan(ctx)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, "keeping a ban", `INSERT INTO identity_bans (prefix, kind, reason, actor, since, until, count, seq)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (prefix) DO UPDATE SET kind = excluded.kind,
		reason = excluded.reason, actor = excluded.actor, since = excluded.since, until = excluded.until,
		count = excluded.count, seq = excluded.seq`,
		b.Prefix, string(b.Kind), b.Reason, b.Actor, micros(b.Since), micros(b.Until), b.Count, seq)
	return err
}

// ForgetBans implements identity.StoreWriter.
func (w *writer) ForgetBans(ctx context.Context, before time.Time) error {
	_, err := w.exec(ctx, "forgetting old bans", `DELETE FROM identity_bans WHERE until < $1 AND since < $1`, micros(before))
	return err
}

// BanAllows implements identity.Store.
func (r reader) BanAllows(ctx context.Context) ([]identity.BanAllow, error) {
	var out []identity.BanAllow
	err := r.each(ctx, "reading what is never banned", func(rows *sql.Rows) error {
		var a identity.BanAllow
		var since int64
		if err := rows.Scan(&a.Prefix, &a.Reason, &a.Actor, &since); err != nil {
			return err
		}
		a.Since = moment(since)
		out = append(out, a)
		return nil
	}, `SELECT prefix, reason, actor, since FROM identity_ban_allows ORDER BY prefix`)
	return out, err
}

// PutBanAllow implements identity.StoreWriter.
func (w *writer) PutBanAllow(ctx context.Context, a identity.BanAllow) error {
	if _, err := w.nextBan(ctx); err != nil {
		return err
	}
	_, err := w.exec(ctx, "keeping what is never banned", `INSERT INTO identity_ban_allows (prefix, reason, actor, since)
		VALUES ($1, $2, $3, $4) ON CONFLICT (prefix) DO UPDATE SET reason = excluded.reason, actor = excluded.actor,
		since = excluded.since`, a.Prefix, a.Reason, a.Actor, micros(a.Since))
	return err
}

// RemoveBanAllow implements identity.StoreWriter.
func (w *writer) RemoveBanAllow(ctx context.Context, prefix string) error {
	if _, err := w.nextBan(ctx); err != nil {
		return err
	}
	return w.change(ctx, "removing what is never banned", `DELETE FROM identity_ban_allows WHERE prefix = $1`, prefix)
}
