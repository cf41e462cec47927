package sqlstore

import (
	"context"
	"fmt"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
)

// OldCertificate is a client certificate from the time when chat alone knew them.
type OldCertificate struct {
	Owner   identity.UserID
	Name    string
	DER     []byte
	Manages bool
	Added   time.Time
}

// OldCertificates lists those that have not been moved to identity's list yet.
func (s *Store) OldCertificates(ctx context.Context) ([]OldCertificate, error) {
	list, err := sqldb.All(func(row sqldb.Scanner) (c OldCertificate, err error) {
		var manages int
		var added int64
		err = row.Scan(&c.Owner, &c.Name, &c.DER, &manages, &added)
		c.Manages, c.Added = manages != 0, moment(added)
		return c, err
	})(s.q.QueryContext(sqldb.Brief(ctx), "SELECT owner, name, der, manages, added FROM xmpp_certificates ORDER BY owner, name"))
	if err != nil {
		return nil, fmt.Errorf("reading old certificates: %w", err)
	}
	return list, nil
}

// ForgetOldCertificates removes them.
func (s *Store) ForgetOldCertificates(ctx context.Context) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM xmpp_certificates")
		return err
	})
	if err != nil {
		return fmt.Errorf("removing old certificates: %w", err)
	}
	return nil
}
