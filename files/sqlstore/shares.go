package sqlstore

import (
	"context"
	"database/sql"
	"io/fs"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/sqldb"
)

var _ files.ShareStore = (*Store)(nil)

const shareColumns = `id, code, owner, path, canonical, folder, box, note, salt, hash, created_at, expires_at, most, used`

// PutShare implements files.ShareStore.
func (s *Store) PutShare(ctx context.Context, x files.Share) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO file_shares (`+shareColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			x.ID, x.Code, string(x.Owner), x.Path, x.Canonical, x.Dir, x.Drop, x.Note, bytesOf(x.Salt), bytesOf(x.Hash),
			x.CreatedAt.UTC(), optionalTime(x.ExpiresAt), x.Limit, x.Count)
		return err
	})
	if sqldb.IsUnique(err) {
		return fs.ErrExist
	}
	return err
}

// bytesOf is b, never NULL.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Share implements files.ShareStore.
func (s *Store) Share(ctx context.Context, code string) (files.Share, error) {
	return one(scanShare(s.db.QueryRowContext(ctx, `SELECT `+shareColumns+` FROM file_shares WHERE code = $1`, code)))
}

// Shares implements files.ShareStore.
func (s *Store) Shares(ctx context.Context, owner identity.UserID) ([]files.Share, error) {
	if owner == "" {
		return sqldb.All(scanShare)(s.db.QueryContext(ctx, `SELECT `+shareColumns+` FROM file_shares ORDER BY created_at DESC, id`))
	}
	return sqldb.All(scanShare)(s.db.QueryContext(ctx, `SELECT `+shareColumns+` FROM file_shares
		WHERE owner = $1 ORDER BY created_at DESC, id`, string(owner)))
}

// CountShare implements files.ShareStore.
func (s *Store) CountShare(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE file_shares SET used = used + 1 WHERE id = $1 AND (most = 0 OR used < most)`, id)
		return affected(r, err)
	})
}

// DropShare implements files.ShareStore.
func (s *Store) DropShare(ctx context.Context, ids ...string) error {
	return s.drop(ctx, `DELETE FROM file_shares WHERE id = $1`, ids)
}

func scanShare(row sqldb.Scanner) (x files.Share, err error) {
	var owner string
	var expires sql.NullTime
	err = row.Scan(&x.ID, &x.Code, &owner, &x.Path, &x.Canonical, &x.Dir, &x.Drop, &x.Note, &x.Salt, &x.Hash, &x.CreatedAt, &expires, &x.Limit, &x.Count)
	x.Owner, x.ExpiresAt = identity.UserID(owner), expires.Time
	return x, err
}
