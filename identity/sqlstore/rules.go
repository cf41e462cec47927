package sqlstore

import (
	"context"
	"database/sql"

	"trivium/identity"
)

// PolicyRules implements identity.Store. The version is read first: rules that come in between are then
// read again.
func (r reader) PolicyRules(ctx context.Context) (int64, []identity.StoredRule, error) {
	version, err := r.RulesVersion(ctx)
	if err != nil {
		return 0, nil, err
	}
	var out []identity.StoredRule
	err = r.each(ctx, "reading the rules of the policy", func(rows *sql.Rows) error {
		var (
			x          identity.StoredRule
			user, name string
			level      uint8
			at         int64
		)
		if err := rows.Scan(&x.Resource, &user, &x.GID, &x.Class, &level, &x.Note, &x.By, &at, &name, &x.Domain); err != nil {
			return err
		}
		x.User, x.Level, x.At, x.Name = identity.UserID(user), identity.Level(level), moment(at), identity.UserName(name)
		out = append(out, x)
		return nil
	}, `SELECT r.resource, r.user_id, r.gid, r.class, r.level, r.note, r.actor, r.at,
		COALESCE(u.login, g.name, ''), COALESCE(u.domain, g.domain, '')
		FROM identity_rules r
		LEFT JOIN identity_users u ON u.id = r.user_id
		LEFT JOIN identity_groups g ON g.gid = r.gid
		ORDER BY r.resource, r.user_id, r.gid, r.class`)
	return version, out, err
}

// RulesVersion implements identity.Store.
func (r reader) RulesVersion(ctx context.Context) (int64, error) {
	var v int64
	err := r.q.QueryRowContext(ctx, `SELECT value FROM identity_counters WHERE name = 'rules'`).Scan(&v)
	return v, unavailable("reading the version of the policy", err)
}

// TouchRules implements identity.StoreWriter; the row of the counter is locked until the commit.
func (w *writer) TouchRules(ctx context.Context) error {
	seq, err := w.nextChange(ctx)
	if err != nil {
		return err
	}
	return w.change(ctx, "raising the version of the policy", `UPDATE identity_counters SET value = $1 WHERE name = 'rules'`, seq)
}

// PutRule implements identity.StoreWriter.
func (w *writer) PutRule(ctx context.Context, r identity.StoredRule) error {
	_, err := w.withRules(ctx, `INSERT INTO identity_rules (resource, user_id, gid, class, level, note, actor, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (resource, user_id, gid, class) DO UPDATE SET
		level = excluded.level, note = excluded.note, actor = excluded.actor, at = excluded.at`,
		r.Resource, string(r.User), r.GID, r.Class, int(r.Level), r.Note, r.By, micros(r.At))
	return err
}

// RemoveRule implements identity.StoreWriter.
func (w *writer) RemoveRule(ctx context.Context, r identity.StoredRule) error {
	n, err := w.withRules(ctx, `DELETE FROM identity_rules WHERE resource = $1 AND user_id = $2 AND gid = $3 AND class = $4`,
		r.Resource, string(r.User), r.GID, r.Class)
	if err == nil && n == 0 {
		err = identity.ErrNotFound
	}
	return err
}

// RemoveRulesOf implements identity.StoreWriter.
func (w *writer) RemoveRulesOf(ctx context.Context, id identity.UserID) (int, error) {
	return w.withRules(ctx, `DELETE FROM identity_rules WHERE user_id = $1`, string(id))
}

// withRules runs a statement on rules, and raises their version where it meets any.
func (w *writer) withRules(ctx context.Context, query string, args ...any) (int, error) {
	const doing = "changing the rules of the policy"
	res, err := w.exec(ctx, doing, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return 0, unavailable(doing, err)
	}
	return int(n), w.TouchRules(ctx)
}
