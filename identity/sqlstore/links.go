package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"trivium/identity"
)

// AccountBySubject implements identity.Store.
func (r reader) AccountBySubject(ctx context.Context, source, subject string) (identity.Account, error) {
	return r.account(ctx, accountColumns+accountTables+`WHERE u.source <> '' AND u.source = $1 AND u.subject = $2 ORDER BY s.name`, source, subject)
}

// UIDTaken implements identity.Store.
func (r reader) UIDTaken(ctx context.Context, uid uint32) (taken bool, err error) {
	err = r.q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM identity_users WHERE uid = $1)`, uid).Scan(&taken)
	return taken, unavailable("looking for a uid", err)
}

const linkColumns = `SELECT l.issuer, l.subject, l.user_id, l.source, l.label, l.linked_at, l.used_at FROM identity_links l `

func (r reader) links(ctx context.Context, query string, args ...any) ([]identity.Link, error) {
	var out []identity.Link
	err := r.each(ctx, "reading links", func(rows *sql.Rows) error {
		var l identity.Link
		var user string
		var linked, used int64
		if err := rows.Scan(&l.Issuer, &l.Subject, &user, &l.Source, &l.Label, &linked, &used); err != nil {
			return err
		}
		l.User, l.LinkedAt, l.UsedAt = identity.UserID(user), moment(linked), moment(used)
		out = append(out, l)
		return nil
	}, linkColumns+query, args...)
	return out, err
}

// Link implements identity.Store.
func (r reader) Link(ctx context.Context, issuer, subject string) (identity.Link, error) {
	ls, err := r.links(ctx, `WHERE l.issuer = $1 AND l.subject = $2`, issuer, subject)
	if err == nil && len(ls) == 0 {
		err = identity.ErrNotFound
	}
	if err != nil {
		return identity.Link{}, err
	}
	return ls[0], nil
}

// Links implements identity.Store.
func (r reader) Links(ctx context.Context, user identity.UserID) ([]identity.Link, error) {
	return r.links(ctx, `WHERE l.user_id = $1 ORDER BY l.source, l.issuer, l.subject`, string(user))
}

// PutLink implements identity.StoreWriter.
func (w *writer) PutLink(ctx context.Context, l identity.Link) error {
	err := w.change(ctx, fmt.Sprintf("linking an account to %s", l.Source), `INSERT INTO identity_links (issuer, subject, user_id, source, label, linked_at, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (issuer, subject) DO UPDATE SET source = excluded.source, label = excluded.label, linked_at = excluded.linked_at,
		used_at = excluded.used_at WHERE identity_links.user_id = excluded.user_id`,
		l.Issuer, l.Subject, string(l.User), l.Source, l.Label, micros(l.LinkedAt), micros(l.UsedAt))
	if errors.Is(err, identity.ErrNotFound) {
		if _, none := w.AccountByID(ctx, l.User); none != nil {
			return none
		}
		return fmt.Errorf("linking an account to %s: %w", l.Source, identity.ErrExists) // it is another account's
	}
	return err
}

// RemoveLink implements identity.StoreWriter.
func (w *writer) RemoveLink(ctx context.Context, issuer, subject string) error {
	return w.change(ctx, "removing a link", `DELETE FROM identity_links WHERE issuer = $1 AND subject = $2`, issuer, subject)
}
