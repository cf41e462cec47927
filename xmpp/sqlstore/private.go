package sqlstore

import (
	"context"
	"encoding/xml"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/private"
)

var _ private.Store = (*Store)(nil)

// Private implements private.Store.
func (s *Store) Private(ctx context.Context, owner identity.UserID, name xml.Name) ([]byte, error) {
	return blob(s.db.QueryRowContext(ctx, "SELECT xml FROM xmpp_private WHERE owner = $1 AND space = $2 AND local = $3", string(owner), name.Space, name.Local), "private XML")
}

// PutPrivate implements private.Store.
func (s *Store) PutPrivate(ctx context.Context, owner identity.UserID, name xml.Name, element []byte) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		switch {
		case name == xml.Name{}:
			_, err = tx.ExecContext(ctx, "DELETE FROM xmpp_private WHERE owner = $1", string(owner))
		case element == nil:
			_, err = tx.ExecContext(ctx, "DELETE FROM xmpp_private WHERE owner = $1 AND space = $2 AND local = $3", string(owner), name.Space, name.Local)
		default:
			_, err = tx.ExecContext(ctx, `INSERT INTO xmpp_private (owner, space, local, xml) VALUES ($1, $2, $3, $4)
				ON CONFLICT (owner, space, local) DO UPDATE SET xml = excluded.xml`, string(owner), name.Space, name.Local, element)
		}
		if err != nil {
			return fmt.Errorf("storing private XML: %w", err)
		}
		return nil
	})
}

// CountPrivate implements private.Store.
func (s *Store) CountPrivate(ctx context.Context, owner identity.UserID) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM xmpp_private WHERE owner = $1", string(owner)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting private XML: %w", err)
	}
	return n, nil
}

// EachPrivate calls fn with each element of an account, by name, until fn returns an error: for who
// takes an account elsewhere (XEP-0227).
func (s *Store) EachPrivate(ctx context.Context, owner identity.UserID, fn func(element []byte) error) error {
	rows, err := s.db.QueryContext(ctx, "SELECT xml FROM xmpp_private WHERE owner = $1 ORDER BY space, local", string(owner))
	if err != nil {
		return fmt.Errorf("reading private XML: %w", err)
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return fmt.Errorf("reading private XML: %w", err)
		}
		if err := fn(b); err != nil {
			return err
		}
	}
	return rows.Err()
}
