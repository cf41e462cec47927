package sqlstore

import (
	"context"
	"database/sql"

	"trivium/identity"
)

// Bans implements identity.Store.
func (r reader) Bans(ctx context.Context) ([]identity.Ban, error) {
	var out []identity.Ban
	err := r.each(ctx, "reading bans", func(rows *sql.Rows) error {
		var b identity.Ban
		var since, until int64
		if err := rows.Scan(&b.Prefix, &b.Reason, &since, &until, &b.Count); err != nil {
			return err
		}
		b.Since, b.Until = moment(since), moment(until)
		out = append(out, b)
		return nil
	}, `SELECT prefix, reason, since, until, count FROM identity_bans ORDER BY since DESC, prefix`)
	return out, err
}

// PutBan implements identity.StoreWriter.
func (w *writer) PutBan(ctx context.Context, b identity.Ban) error {
	_, err := w.exec(ctx, "keeping a ban", `INSERT INTO identity_bans (prefix, reason, since, until, count)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (prefix) DO UPDATE SET reason = excluded.reason, since = excluded.since,
		until = excluded.until, count = excluded.count`, b.Prefix, b.Reason, micros(b.Since), micros(b.Until), b.Count)
	return err
}

// RemoveBan implements identity.StoreWriter.
func (w *writer) RemoveBan(ctx context.Context, prefix string) error {
	return w.change(ctx, "lifting a ban", `DELETE FROM identity_bans WHERE prefix = $1`, prefix)
}
