package sqlstore

import (
	"context"
	"fmt"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/push"
)

var _ push.Store = (*Store)(nil)

// Services implements push.Store.
func (s *Store) Services(ctx context.Context, owner identity.UserID) ([]push.Service, error) {
	list, err := sqldb.All(func(row sqldb.Scanner) (p push.Service, err error) {
		err = row.Scan(&p.JID, &p.Node, &p.Resource, &p.Options, &p.Faults)
		return p, err
	})(s.db.QueryContext(sqldb.Brief(ctx), "SELECT jid, node, resource, options, faults FROM xmpp_push WHERE owner = $1 ORDER BY named_at, jid, node", string(owner)))
	if err != nil {
		return nil, fmt.Errorf("reading push services: %w", err)
	}
	return list, nil
}

// PutService implements push.Store.
func (s *Store) PutService(ctx context.Context, owner identity.UserID, p push.Service) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO xmpp_push (owner, jid, node, resource, options, faults, named_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (owner, jid, node) DO UPDATE SET resource = excluded.resource, options = excluded.options, faults = excluded.faults, named_at = excluded.named_at`,
			string(owner), p.JID, p.Node, p.Resource, p.Options, p.Faults, time.Now().UnixMicro())
		if err != nil {
			return fmt.Errorf("storing a push service: %w", err)
		}
		return nil
	})
}

// DropServices implements push.Store.
func (s *Store) DropServices(ctx context.Context, owner identity.UserID, jid string, node *string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		switch {
		case jid == "":
			_, err = tx.ExecContext(ctx, "DELETE FROM xmpp_push WHERE owner = $1", string(owner))
		case node == nil:
			_, err = tx.ExecContext(ctx, "DELETE FROM xmpp_push WHERE owner = $1 AND jid = $2", string(owner), jid)
		default:
			_, err = tx.ExecContext(ctx, "DELETE FROM xmpp_push WHERE owner = $1 AND jid = $2 AND node = $3", string(owner), jid, *node)
		}
		if err != nil {
			return fmt.Errorf("removing push services: %w", err)
		}
		return nil
	})
}
