package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"trivium/files"
	"trivium/internal/sqldb"
)

var _ files.SumStore = (*Store)(nil)

// state is what of a key changes with the file's content.
func state(k files.SumKey) string {
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
	}
	return fmt.Sprintf("%d %s %s", k.Size, stamp(k.ModTime), stamp(k.Changed))
}

// Sum implements files.SumStore.
func (s *Store) Sum(ctx context.Context, k files.SumKey) (sum []byte, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT sum FROM file_sums
		WHERE tree = $1 AND file = $2 AND algorithm = $3 AND state = $4`,
		k.Tree, k.Unique, string(k.Algorithm), state(k)).Scan(&sum)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fs.ErrNotExist
	}
	return sum, err
}

// PutSum implements files.SumStore.
func (s *Store) PutSum(ctx context.Context, k files.SumKey, sum []byte, at time.Time) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO file_sums (tree, file, algorithm, state, sum, put_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tree, file, algorithm) DO UPDATE SET state = excluded.state, sum = excluded.sum,
				put_at = excluded.put_at`,
			k.Tree, k.Unique, string(k.Algorithm), state(k), sum, at.UTC())
		return err
	})
}

// PruneSums implements files.SumStore.
func (s *Store) PruneSums(ctx context.Context, before time.Time, keep int) error {
	// Where the row number keep stands, if there are so many; no write for nothing.
	var oldest time.Time
	err := s.db.QueryRowContext(ctx, `SELECT put_at FROM file_sums ORDER BY put_at DESC LIMIT 1 OFFSET $1`, keep).Scan(&oldest)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	case !oldest.Before(before):
		before = oldest.Add(time.Microsecond) // that row too
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM file_sums WHERE put_at < $1`, before.UTC())
		return err
	})
}
