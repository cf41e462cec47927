package sqlstore

import (
	"context"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/blocking"
)

var _ blocking.Store = (*Store)(nil)

// Blocked implements blocking.Store.
func (s *Store) Blocked(ctx context.Context, owner identity.UserID) ([]string, error) {
	list, err := sqldb.All(func(row sqldb.Scanner) (jid string, err error) {
		err = row.Scan(&jid)
		return jid, err
	})(s.db.QueryContext(sqldb.Brief(ctx), "SELECT jid FROM xmpp_blocked WHERE owner = $1 ORDER BY jid", string(owner)))
	if err != nil {
		return nil, fmt.Errorf("reading blocked addresses: %w", err)
	}
	return list, nil
}

// Block implements blocking.Store.
func (s *Store) Block(ctx context.Context, owner identity.UserID, jids ...string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, j := range jids {
			if _, err := tx.ExecContext(ctx, "INSERT INTO xmpp_blocked (owner, jid) VALUES ($1, $2) ON CONFLICT DO NOTHING", string(owner), j); err != nil {
				return fmt.Errorf("blocking an address: %w", err)
			}
		}
		return nil
	})
}

// Unblock implements blocking.Store.
func (s *Store) Unblock(ctx context.Context, owner identity.UserID, jids ...string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if len(jids) == 0 {
			_, err := tx.ExecContext(ctx, "DELETE FROM xmpp_blocked WHERE owner = $1", string(owner))
			return err
		}
		for _, j := range jids {
			if _, err := tx.ExecContext(ctx, "DELETE FROM xmpp_blocked WHERE owner = $1 AND jid = $2", string(owner), j); err != nil {
				return fmt.Errorf("unblocking an address: %w", err)
			}
		}
		return nil
	})
}
