package sqlstore

import (
	"context"
	"fmt"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/offline"
)

var _ offline.Store = (*Store)(nil)

// Keep implements offline.Store.
func (s *Store) Keep(ctx context.Context, list []offline.Waiting, max int) ([]bool, error) {
	kept := make([]bool, len(list))
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		counts := make(map[identity.UserID]int)
		for i, w := range list {
			n, known := counts[w.Owner]
			if !known {
				if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM xmpp_offline WHERE owner = $1", string(w.Owner)).Scan(&n); err != nil {
					return fmt.Errorf("counting messages that wait: %w", err)
				}
			}
			if kept[i] = n < max; kept[i] {
				n++
				_, err := tx.ExecContext(ctx, "INSERT INTO xmpp_offline (owner, sender, at, stanza) VALUES ($1, $2, $3, $4)", string(w.Owner), w.From, w.At.UnixMicro(), w.Stanza)
				if err != nil {
					return fmt.Errorf("keeping a message: %w", err)
				}
			}
			counts[w.Owner] = n
		}
		return nil
	})
	return kept, err
}

// Wait implements offline.Store.
func (s *Store) Wait(ctx context.Context, owner identity.UserID, after int64, n int) ([]offline.Waiting, error) {
	list, err := sqldb.All(func(row sqldb.Scanner) (w offline.Waiting, err error) {
		var at int64
		err = row.Scan(&w.ID, &w.From, &at, &w.Stanza)
		w.At = time.UnixMicro(at)
		return w, err
	})(s.db.QueryContext(sqldb.Brief(ctx), "SELECT id, sender, at, stanza FROM xmpp_offline WHERE owner = $1 AND id > $2 ORDER BY id LIMIT $3", string(owner), after, n))
	if err != nil {
		return nil, fmt.Errorf("reading messages that wait: %w", err)
	}
	return list, nil
}

// Count implements offline.Store.
func (s *Store) Count(ctx context.Context, owner identity.UserID) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM xmpp_offline WHERE owner = $1", string(owner)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting messages that wait: %w", err)
	}
	return n, nil
}

// Drop implements offline.Store.
func (s *Store) Drop(ctx context.Context, owner identity.UserID, ids ...int64) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, "DELETE FROM xmpp_offline WHERE owner = $1 AND id = $2", string(owner), id); err != nil {
				return fmt.Errorf("removing messages that waited: %w", err)
			}
		}
		return nil
	})
}

// DropAll implements offline.Store.
func (s *Store) DropAll(ctx context.Context, owner identity.UserID, upTo int64) (n int, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		done, err := tx.ExecContext(ctx, "DELETE FROM xmpp_offline WHERE owner = $1 AND id <= $2", string(owner), upTo)
		if err != nil {
			return fmt.Errorf("removing messages that waited: %w", err)
		}
		gone, err := done.RowsAffected()
		n = int(gone)
		return err
	})
	return n, err
}
