package sqlstore

import (
	"context"
	"database/sql"

	"trivium/identity"
)

const factorColumns = `SELECT id, user_id, kind, label, credential, sealed, counter, failures, failed_at, cloned,
	created_at, used_at, used_remote, used_agent FROM identity_factors `

// Factors implements identity.Store.
func (r reader) Factors(ctx context.Context, user identity.UserID) ([]identity.FactorRow, error) {
	return r.factors(ctx, factorColumns+`WHERE user_id = $1 ORDER BY created_at, id`, string(user))
}

// FactorByCredential implements identity.Store.
func (r reader) FactorByCredential(ctx context.Context, credential string) (identity.FactorRow, error) {
	list, err := r.factors(ctx, factorColumns+`WHERE credential = $1`, credential)
	if err == nil && len(list) == 0 {
		err = identity.ErrNotFound
	}
	if err != nil {
		return identity.FactorRow{}, err
	}
	return list[0], nil
}

func (r reader) factors(ctx context.Context, query string, args ...any) ([]identity.FactorRow, error) {
	var out []identity.FactorRow
	err := r.each(ctx, "reading factors", func(rows *sql.Rows) error {
		var f identity.FactorRow
		var user, kind string
		var credential sql.NullString
		var failed, created, used int64
		err := rows.Scan(&f.ID, &user, &kind, &f.Label, &credential, &f.Sealed, &f.Counter, &f.Failures, &failed, &f.Cloned,
			&created, &used, &f.UsedRemote, &f.UsedAgent)
		if err != nil {
			return err
		}
		f.User, f.Kind, f.Credential = identity.UserID(user), identity.FactorKind(kind), credential.String
		f.FailedAt, f.CreatedAt, f.UsedAt = moment(failed), moment(created), moment(used)
		out = append(out, f)
		return nil
	}, query, args...)
	return out, err
}

// AddFactor implements identity.StoreWriter.
func (w *writer) AddFactor(ctx context.Context, f identity.FactorRow) error {
	credential := sql.NullString{String: f.Credential, Valid: f.Credential != ""}
	_, err := w.exec(ctx, "adding a factor", `INSERT INTO identity_factors (id, user_id, kind, label, credential, sealed, counter,
		failures, failed_at, cloned, created_at, used_at, used_remote, used_agent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		f.ID, string(f.User), string(f.Kind), f.Label, credential, f.Sealed, f.Counter, f.Failures, micros(f.FailedAt), f.Cloned,
		micros(f.CreatedAt), micros(f.UsedAt), f.UsedRemote, f.UsedAgent)
	if err != nil {
		return err
	}
	return w.countFactors(ctx, f.User)
}

// ChangeFactor implements identity.StoreWriter.
func (w *writer) ChangeFactor(ctx context.Context, was, now identity.FactorRow) error {
	return w.change(ctx, "changing a factor", `UPDATE identity_factors SET label = $1, sealed = $2, counter = $3, failures = $4,
		failed_at = $5, cloned = $6, used_at = $7, used_remote = $8, used_agent = $9
		WHERE id = $10 AND counter = $11 AND failures = $12`,
		now.Label, now.Sealed, now.Counter, now.Failures, micros(now.FailedAt), now.Cloned, micros(now.UsedAt), now.UsedRemote, now.UsedAgent,
		was.ID, was.Counter, was.Failures)
}

// RemoveFactors implements identity.StoreWriter; one that is not there is no error.
func (w *writer) RemoveFactors(ctx context.Context, user identity.UserID, ids ...string) error {
	for _, id := range ids {
		if _, err := w.exec(ctx, "removing a factor", `DELETE FROM identity_factors WHERE user_id = $1 AND id = $2`, string(user), id); err != nil {
			return err
		}
	}
	return w.countFactors(ctx, user)
}

// countFactors notes with the account which kinds it has, as the bits of identity.FactorSet.
func (w *writer) countFactors(ctx context.Context, user identity.UserID) error {
	rows, err := w.Factors(ctx, user)
	if err != nil {
		return err
	}
	var kinds []identity.FactorKind
	for _, f := range rows {
		kinds = append(kinds, f.Kind)
	}
	seq, err := w.nextChange(ctx)
	if err != nil {
		return err
	}
	return w.change(ctx, "noting the factors", `UPDATE identity_users SET factors = $1, change_seq = $2 WHERE id = $3`,
		int(identity.SetOf(kinds...)), seq, string(user))
}
