package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/vcard"
)

var _ vcard.Store = (*Store)(nil)

// VCard implements vcard.Store.
func (s *Store) VCard(ctx context.Context, owner identity.UserID) ([]byte, error) {
	return blob(s.db.QueryRowContext(ctx, "SELECT card FROM xmpp_vcards WHERE owner = $1", string(owner)), "a vCard")
}

// blob reads one column of one row; nil where there is none.
func blob(row sqldb.Scanner, what string) ([]byte, error) {
	var b []byte
	switch err := row.Scan(&b); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return b, nil
}

// PutVCard implements vcard.Store.
func (s *Store) PutVCard(ctx context.Context, owner identity.UserID, card []byte) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		if card == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM xmpp_vcards WHERE owner = $1", string(owner))
		} else {
			_, err = tx.ExecContext(ctx, "INSERT INTO xmpp_vcards (owner, card) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET card = excluded.card", string(owner), card)
		}
		if err != nil {
			return fmt.Errorf("storing a vCard: %w", err)
		}
		return nil
	})
}
