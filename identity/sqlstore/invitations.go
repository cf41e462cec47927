package sqlstore

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
)

const invitationColumns = `SELECT id, hash, kind, domain, user_id, credential_version, level, member_of, contact, note, uses, used,
	created_by, creator, created_at, expires_at, revoked_at FROM identity_invitations `

func scanInvitation(rows *sql.Rows) (identity.Invitation, error) {
	var (
		i                         identity.Invitation
		kind, user, groups, maker string
		level                     uint8
		created, expires, revoked int64
	)
	err := rows.Scan(&i.ID, &i.Hash, &kind, &i.Domain, &user, &i.CredentialVersion, &level, &groups, &i.Contact, &i.Note, &i.Uses, &i.Used,
		&i.CreatedBy, &maker, &created, &expires, &revoked)
	i.Kind, i.User, i.Creator, i.Level = identity.InviteKind(kind), identity.UserID(user), identity.UserID(maker), identity.Level(level)
	i.CreatedAt, i.ExpiresAt, i.RevokedAt = moment(created), moment(expires), moment(revoked)
	if groups != "" {
		i.Groups = strings.Split(groups, ",")
	}
	return i, err
}

func (r reader) invitations(ctx context.Context, query string, args ...any) ([]identity.Invitation, error) {
	var out []identity.Invitation
	err := r.each(ctx, "reading invitations", func(rows *sql.Rows) error {
		i, err := scanInvitation(rows)
		out = append(out, i)
		return err
	}, query, args...)
	return out, err
}

// Invitation implements identity.Store.
func (r reader) Invitation(ctx context.Context, id string) (identity.Invitation, error) {
	out, err := r.invitations(sqldb.Brief(ctx), invitationColumns+`WHERE id = $1`, id)
	if err == nil && len(out) == 0 {
		err = identity.ErrNotFound
	}
	if err != nil {
		return identity.Invitation{}, err
	}
	return out[0], nil
}

// defaultInvitations is how many a list has where nothing else is said.
const defaultInvitations = 500

// Invitations implements identity.Store.
func (r reader) Invitations(ctx context.Context, f identity.InviteFilter) ([]identity.Invitation, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultInvitations
	}
	return r.invitations(ctx, invitationColumns+`WHERE ($1 = '' OR creator = $1) AND ($2 = '' OR user_id = $2)
		AND (CAST($3 AS BIGINT) = 0 OR expires_at > $3 AND revoked_at = 0 AND used < uses)
		ORDER BY created_at DESC, id LIMIT $4`, string(f.Creator), string(f.User), micros(f.Open), limit)
}

// InviteUses implements identity.Store.
func (r reader) InviteUses(ctx context.Context, id string) ([]identity.InviteUse, error) {
	var out []identity.InviteUse
	err := r.each(ctx, "reading uses of an invitation", func(rows *sql.Rows) error {
		u := identity.InviteUse{Invitation: id}
		var user string
		var at int64
		if err := rows.Scan(&user, &u.Login, &u.Via, &u.Remote, &at); err != nil {
			return err
		}
		u.User, u.At = identity.UserID(user), moment(at)
		out = append(out, u)
		return nil
	}, `SELECT user_id, login, via, remote, used_at FROM identity_invitation_uses WHERE invitation = $1 ORDER BY ordinal DESC`, id)
	return out, err
}

// PutInvitation implements identity.StoreWriter.
func (w *writer) PutInvitation(ctx context.Context, i identity.Invitation) error {
	_, err := w.exec(ctx, "keeping an invitation", `INSERT INTO identity_invitations (id, hash, kind, domain, user_id, credential_version,
		level, member_of, contact, note, uses, used, created_by, creator, created_at, expires_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		i.ID, i.Hash, string(i.Kind), i.Domain, string(i.User), i.CredentialVersion, int(i.Level), strings.Join(i.Groups, ","), i.Contact,
		i.Note, i.Uses, i.Used, i.CreatedBy, string(i.Creator), micros(i.CreatedAt), micros(i.ExpiresAt), micros(i.RevokedAt))
	return err
}

// UseInvitation implements identity.StoreWriter. The row is locked until the commit, so that two uses
// come one after the other.
func (w *writer) UseInvitation(ctx context.Context, u identity.InviteUse) error {
	var used int64
	err := w.tx.QueryRowContext(ctx, `UPDATE identity_invitations SET used = used + 1
		WHERE id = $1 AND used < uses AND revoked_at = 0 RETURNING used`, u.Invitation).Scan(&used)
	if err != nil {
		return unavailable("using an invitation", err)
	}
	_, err = w.exec(ctx, "noting the use of an invitation", `INSERT INTO identity_invitation_uses (invitation, ordinal, user_id, login, via, remote, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, u.Invitation, used, string(u.User), u.Login, u.Via, u.Remote, micros(u.At))
	return err
}

// RevokeInvitation implements identity.StoreWriter.
func (w *writer) RevokeInvitation(ctx context.Context, id string, at time.Time) error {
	return w.change(ctx, "revoking an invitation", `UPDATE identity_invitations SET revoked_at = $1 WHERE id = $2`, micros(at), id)
}

// RevokeInvitations implements identity.StoreWriter.
func (w *writer) RevokeInvitations(ctx context.Context, user identity.UserID, at time.Time) error {
	_, err := w.exec(ctx, "revoking invitations", `UPDATE identity_invitations SET revoked_at = $1
		WHERE user_id = $2 AND revoked_at = 0 AND used < uses`, micros(at), string(user))
	return err
}

// ForgetInvitations implements identity.StoreWriter.
func (w *writer) ForgetInvitations(ctx context.Context, before time.Time) error {
	_, err := w.exec(ctx, "forgetting invitations", `DELETE FROM identity_invitations
		WHERE expires_at < $1 OR revoked_at > 0 AND revoked_at < $1`, micros(before))
	return err
}
