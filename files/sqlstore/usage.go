package sqlstore

import (
	"context"
	"database/sql"

	"trivium/files"
	"trivium/internal/sqldb"
)

var _ files.UsageStore = (*Store)(nil)

const usageColumns = `tree, bytes, entries, dirty, counted_at, soft_since`

// Usage implements files.UsageStore.
func (s *Store) Usage(ctx context.Context, key string) (files.UsageRow, error) {
	return one(scanUsage(s.db.QueryRowContext(ctx, `SELECT `+usageColumns+` FROM file_usage WHERE tree = $1`, key)))
}

// Usages implements files.UsageStore.
func (s *Store) Usages(ctx context.Context) ([]files.UsageRow, error) {
	return sqldb.All(scanUsage)(s.db.QueryContext(ctx, `SELECT `+usageColumns+` FROM file_usage ORDER BY tree`))
}

// PutUsage implements files.UsageStore.
func (s *Store) PutUsage(ctx context.Context, rows ...files.UsageRow) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, r := range rows {
			if _, err := tx.ExecContext(ctx, `INSERT INTO file_usage (`+usageColumns+`)
				VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (tree) DO UPDATE SET bytes = excluded.bytes, entries = excluded.entries,
					dirty = excluded.dirty, counted_at = excluded.counted_at, soft_since = excluded.soft_since`,
				r.Key, r.Bytes, r.Files, r.Dirty, optionalTime(r.CountedAt), optionalTime(r.SoftSince)); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropUsage implements files.UsageStore.
func (s *Store) DropUsage(ctx context.Context, keys ...string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, key := range keys {
			if _, err := tx.ExecContext(ctx, `DELETE FROM file_usage WHERE tree = $1`, key); err != nil {
				return err
			}
		}
		return nil
	})
}

func scanUsage(row sqldb.Scanner) (files.UsageRow, error) {
	var (
		r              files.UsageRow
		counted, since sql.NullTime
	)
	if err := row.Scan(&r.Key, &r.Bytes, &r.Files, &r.Dirty, &counted, &since); err != nil {
		return files.UsageRow{}, err
	}
	if counted.Valid {
		r.CountedAt = counted.Time.UTC()
	}
	if since.Valid {
		r.SoftSince = since.Time.UTC()
	}
	return r, nil
}
