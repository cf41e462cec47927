package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
)

func (r reader) Certificates(ctx context.Context, owner identity.UserID) ([]xmpp.Certificate, error) {
	list, err := sqldb.All(scanCertificate)(r.q.QueryContext(sqldb.Brief(ctx), "SELECT name, fingerprint, der, manages, added FROM xmpp_certificates WHERE owner = $1 ORDER BY name", string(owner)))
	if err != nil {
		return nil, fmt.Errorf("reading the certificates of an account: %w", err)
	}
	return list, nil
}

func (r reader) Certificate(ctx context.Context, owner identity.UserID, fingerprint string) (xmpp.Certificate, error) {
	c, err := scanCertificate(r.q.QueryRowContext(ctx, "SELECT name, fingerprint, der, manages, added FROM xmpp_certificates WHERE fingerprint = $1 AND owner = $2", fingerprint, string(owner)))
	if errors.Is(err, sql.ErrNoRows) {
		err = identity.ErrNotFound
	}
	if err != nil {
		return xmpp.Certificate{}, fmt.Errorf("reading a certificate: %w", err)
	}
	return c, nil
}

func (r reader) CertificateOwners(ctx context.Context, fingerprint string) ([]identity.UserID, error) {
	list, err := sqldb.All(func(row sqldb.Scanner) (id identity.UserID, err error) {
		err = row.Scan(&id)
		return id, err
	})(r.q.QueryContext(sqldb.Brief(ctx), "SELECT owner FROM xmpp_certificates WHERE fingerprint = $1 ORDER BY owner LIMIT 2", fingerprint))
	if err != nil {
		return nil, fmt.Errorf("looking for a certificate: %w", err)
	}
	return list, nil
}

func (w *writer) AddCertificate(ctx context.Context, owner identity.UserID, c xmpp.Certificate) error {
	manages := 0
	if c.Manages {
		manages = 1
	}
	_, err := w.tx.ExecContext(ctx, "INSERT INTO xmpp_certificates (owner, name, fingerprint, der, manages, added) VALUES ($1, $2, $3, $4, $5, $6)",
		string(owner), c.Name, c.Fingerprint, c.DER, manages, seconds(c.Added))
	if sqldb.IsUnique(err) {
		err = identity.ErrExists
	}
	if err != nil {
		return fmt.Errorf("storing a certificate: %w", err)
	}
	return nil
}

func (w *writer) RemoveCertificate(ctx context.Context, owner identity.UserID, name string) error {
	if _, err := w.tx.ExecContext(ctx, "DELETE FROM xmpp_certificates WHERE owner = $1 AND name = $2", string(owner), name); err != nil {
		return fmt.Errorf("removing a certificate: %w", err)
	}
	return nil
}

// scanCertificate reads one row of xmpp_certificates; sql.ErrNoRows comes back as it is.
func scanCertificate(row sqldb.Scanner) (c xmpp.Certificate, err error) {
	var manages int
	var added int64
	err = row.Scan(&c.Name, &c.Fingerprint, &c.DER, &manages, &added)
	c.Manages, c.Added = manages != 0, moment(added)
	return c, err
}
