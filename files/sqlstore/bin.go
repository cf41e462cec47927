package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"time"
	"unicode/utf8"

	"trivium/files"
	"trivium/internal/sqldb"
)

var _ files.BinStore = (*Store)(nil)

const (
	trashColumns   = `id, tree, path, folder, bytes, entries, removed_at, removed_by`
	versionColumns = `id, tree, path, bytes, modified_at, replaced_at, replaced_by`
	moveColumns    = `id, tree, source, target, entry`
)

// PutTrash implements files.BinStore.
func (s *Store) PutTrash(ctx context.Context, r files.TrashRow) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO file_trash (`+trashColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			r.ID, r.Tree, r.Path, r.Dir, r.Bytes, r.Entries, r.At.UTC(), r.By)
		return err
	})
}

// Trash implements files.BinStore.
func (s *Store) Trash(ctx context.Context, id string) (files.TrashRow, error) {
	return one(scanTrash(s.db.QueryRowContext(ctx, `SELECT `+trashColumns+` FROM file_trash WHERE id = $1`, id)))
}

// TrashOf implements files.BinStore.
func (s *Store) TrashOf(ctx context.Context, tree string, limit int) ([]files.TrashRow, error) {
	return sqldb.All(scanTrash)(s.db.QueryContext(ctx, `SELECT `+trashColumns+` FROM file_trash
		WHERE tree = $1 ORDER BY removed_at DESC, id LIMIT $2`, tree, limit))
}

// OldTrash implements files.BinStore.
func (s *Store) OldTrash(ctx context.Context, tree string, before time.Time, limit int) ([]files.TrashRow, error) {
	if tree == "" {
		return sqldb.All(scanTrash)(s.db.QueryContext(ctx, `SELECT `+trashColumns+` FROM file_trash
			WHERE removed_at < $1 ORDER BY removed_at, id LIMIT $2`, before.UTC(), limit))
	}
	return sqldb.All(scanTrash)(s.db.QueryContext(ctx, `SELECT `+trashColumns+` FROM file_trash
		WHERE tree = $1 AND removed_at < $2 ORDER BY removed_at, id LIMIT $3`, tree, before.UTC(), limit))
}

// TrashAfter implements files.BinStore.
func (s *Store) TrashAfter(ctx context.Context, tree, id string, limit int) ([]files.TrashRow, error) {
	return sqldb.All(scanTrash)(s.db.QueryContext(ctx, `SELECT `+trashColumns+` FROM file_trash
		WHERE tree = $1 AND id > $2 ORDER BY id LIMIT $3`, tree, id, limit))
}

// DropTrash implements files.BinStore.
func (s *Store) DropTrash(ctx context.Context, ids ...string) error {
	return s.drop(ctx, `DELETE FROM file_trash WHERE id = $1`, ids)
}

// Held implements files.BinStore.
func (s *Store) Held(ctx context.Context, tree string) (bytes, entries int64, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT CAST(COALESCE(sum(bytes), 0) AS BIGINT), CAST(COALESCE(sum(entries), 0) AS BIGINT) FROM (
		SELECT bytes, entries FROM file_trash WHERE tree = $1
		UNION ALL SELECT bytes, 1 FROM file_versions WHERE tree = $2) AS held`, tree, tree).Scan(&bytes, &entries)
	return bytes, entries, err
}

// PutVersion implements files.BinStore.
func (s *Store) PutVersion(ctx context.Context, r files.VersionRow) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO file_versions (`+versionColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			r.ID, r.Tree, r.Path, r.Bytes, r.ModTime.UTC(), r.At.UTC(), r.By)
		return err
	})
}

// Version implements files.BinStore.
func (s *Store) Version(ctx context.Context, id string) (files.VersionRow, error) {
	return one(scanVersion(s.db.QueryRowContext(ctx, `SELECT `+versionColumns+` FROM file_versions WHERE id = $1`, id)))
}

// VersionsOf implements files.BinStore.
func (s *Store) VersionsOf(ctx context.Context, tree, path string) ([]files.VersionRow, error) {
	return sqldb.All(scanVersion)(s.db.QueryContext(ctx, `SELECT `+versionColumns+` FROM file_versions
		WHERE tree = $1 AND path = $2 ORDER BY replaced_at DESC, id`, tree, path))
}

// below bounds the paths below one: its slash, and the byte after it.
func below(path string) (from, to string) { return path + "/", path + "0" }

// VersionsBelow implements files.BinStore.
func (s *Store) VersionsBelow(ctx context.Context, tree, path string, limit int) ([]files.VersionRow, error) {
	from, to := below(path)
	return sqldb.All(scanVersion)(s.db.QueryContext(ctx, `SELECT `+versionColumns+` FROM file_versions
		WHERE tree = $1 AND (path = $2 OR path > $3 AND path < $4) ORDER BY path, id LIMIT $5`, tree, path, from, to, limit))
}

// OldVersions implements files.BinStore.
func (s *Store) OldVersions(ctx context.Context, tree string, limit int) ([]files.VersionRow, error) {
	if tree == "" {
		return sqldb.All(scanVersion)(s.db.QueryContext(ctx, `SELECT `+versionColumns+` FROM file_versions
			ORDER BY replaced_at, id LIMIT $1`, limit))
	}
	return sqldb.All(scanVersion)(s.db.QueryContext(ctx, `SELECT `+versionColumns+` FROM file_versions
		WHERE tree = $1 ORDER BY replaced_at, id LIMIT $2`, tree, limit))
}

// VersionsAfter implements files.BinStore.
func (s *Store) VersionsAfter(ctx context.Context, tree, id string, limit int) ([]files.VersionRow, error) {
	return sqldb.All(scanVersion)(s.db.QueryContext(ctx, `SELECT `+versionColumns+` FROM file_versions
		WHERE tree = $1 AND id > $2 ORDER BY id LIMIT $3`, tree, id, limit))
}

// PlanMove implements files.BinStore.
func (s *Store) PlanMove(ctx context.Context, m files.Move) error {
	first, last := below(m.From)
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE file_versions SET move_id = $1
			WHERE tree = $2 AND (path = $3 OR path > $4 AND path < $5)`, m.ID, m.Tree, m.From, first, last); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO file_moves (`+moveColumns+`) VALUES ($1, $2, $3, $4, $5)`,
			m.ID, m.Tree, m.From, m.To, m.Unique)
		return err
	})
}

// EndMove implements files.BinStore.
func (s *Store) EndMove(ctx context.Context, m files.Move, moved bool) error {
	first, last := below(m.From)
	to := m.To
	if !moved {
		to = m.From
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		// substr counts characters, from 1.
		if _, err := tx.ExecContext(ctx, `UPDATE file_versions SET path = $1 || substr(path, CAST(CAST($2 AS BIGINT) AS INTEGER)), move_id = ''
			WHERE tree = $3 AND (path = $4 OR path > $5 AND path < $6) AND move_id = $7`,
			to, utf8.RuneCountInString(m.From)+1, m.Tree, m.From, first, last, m.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM file_moves WHERE id = $1`, m.ID)
		return err
	})
}

// Moves implements files.BinStore.
func (s *Store) Moves(ctx context.Context, tree string) ([]files.Move, error) {
	return sqldb.All(scanMove)(s.db.QueryContext(ctx, `SELECT `+moveColumns+` FROM file_moves WHERE tree = $1 ORDER BY id LIMIT 500`, tree))
}

func scanMove(row sqldb.Scanner) (m files.Move, err error) {
	err = row.Scan(&m.ID, &m.Tree, &m.From, &m.To, &m.Unique)
	return m, err
}

// DropVersions implements files.BinStore.
func (s *Store) DropVersions(ctx context.Context, ids ...string) error {
	return s.drop(ctx, `DELETE FROM file_versions WHERE id = $1`, ids)
}

func (s *Store) drop(ctx context.Context, query string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, query, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func scanTrash(row sqldb.Scanner) (r files.TrashRow, err error) {
	err = row.Scan(&r.ID, &r.Tree, &r.Path, &r.Dir, &r.Bytes, &r.Entries, &r.At, &r.By)
	r.At = r.At.UTC()
	return r, err
}

func scanVersion(row sqldb.Scanner) (r files.VersionRow, err error) {
	err = row.Scan(&r.ID, &r.Tree, &r.Path, &r.Bytes, &r.ModTime, &r.At, &r.By)
	r.ModTime, r.At = r.ModTime.UTC(), r.At.UTC()
	return r, err
}

// one names the error of a row that is not there.
func one[R any](r R, err error) (R, error) {
	if errors.Is(err, sql.ErrNoRows) {
		var none R
		return none, fs.ErrNotExist
	}
	return r, err
}
