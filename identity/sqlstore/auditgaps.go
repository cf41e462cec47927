package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"trivium/identity"
)

// AuditGap implements identity.Store.
func (r reader) AuditGap(ctx context.Context, id int64) (g identity.AuditGap, err error) {
	var at int64
	err = r.q.QueryRowContext(ctx, `SELECT first_id, last_id, at, before_chain, after_chain, mac FROM identity_audit_gaps
		WHERE first_id <= $1 ORDER BY first_id DESC LIMIT 1`, id).Scan(&g.First, &g.Last, &at, &g.Before, &g.After, &g.MAC)
	if err == nil && g.Last < id {
		err = sql.ErrNoRows
	}
	if err != nil {
		return identity.AuditGap{}, unavailable("reading what was removed from the audit log", err)
	}
	g.At = moment(at)
	return g, nil
}

// AuditExpired implements identity.Store.
func (r reader) AuditExpired(ctx context.Context, before time.Time, event string, limit int) ([]int64, error) {
	query, args := `SELECT id FROM identity_audit WHERE at < $1 ORDER BY at, id LIMIT $2`, []any{micros(before), limit}
	if event != "" {
		query, args = `SELECT id FROM identity_audit WHERE event = $1 AND at < $2 ORDER BY at, id LIMIT $3`, []any{event, micros(before), limit}
	}
	var out []int64
	err := r.each(ctx, "looking for old rows of the audit log", func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		out = append(out, id)
		return err
	}, query, args...)
	return out, err
}

// PutAuditGap implements identity.StoreWriter. The gap comes first: a trigger lets no row go that is in
// none.
func (w *writer) PutAuditGap(ctx context.Context, g identity.AuditGap) error {
	const doing = "removing rows of the audit log"
	if _, err := w.exec(ctx, doing, `DELETE FROM identity_audit_gaps WHERE first_id >= $1 AND last_id <= $2`, g.First, g.Last); err != nil {
		return err
	}
	_, err := w.exec(ctx, doing, `INSERT INTO identity_audit_gaps (first_id, last_id, at, before_chain, after_chain, mac)
		VALUES ($1, $2, $3, $4, $5, $6)`, g.First, g.Last, micros(g.At), g.Before, g.After, g.MAC)
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, doing, `DELETE FROM identity_audit WHERE id >= $1 AND id <= $2`, g.First, g.Last)
	return err
}
