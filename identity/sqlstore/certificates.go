package sqlstore

import (
	"context"
	"database/sql"

	"trivium/identity"
)

const certificateColumns = `SELECT user_id, fingerprint, label, der, manages, added_at, used_at, used_protocol, used_remote
	FROM identity_certificates `

// Certificates implements identity.Store.
func (r reader) Certificates(ctx context.Context, user identity.UserID) ([]identity.CertificateRow, error) {
	return r.certificates(ctx, certificateColumns+`WHERE user_id = $1 ORDER BY label`, string(user))
}

// Certificate implements identity.Store.
func (r reader) Certificate(ctx context.Context, user identity.UserID, fingerprint string) (identity.CertificateRow, error) {
	list, err := r.certificates(ctx, certificateColumns+`WHERE user_id = $1 AND fingerprint = $2`, string(user), fingerprint)
	if err == nil && len(list) == 0 {
		err = identity.ErrNotFound
	}
	if err != nil {
		return identity.CertificateRow{}, err
	}
	return list[0], nil
}

// CertificateOwners implements identity.Store.
func (r reader) CertificateOwners(ctx context.Context, fingerprint string, limit int) ([]identity.UserID, error) {
	var out []identity.UserID
	err := r.each(ctx, "looking for a certificate", func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		out = append(out, identity.UserID(id))
		return err
	}, `SELECT user_id FROM identity_certificates WHERE fingerprint = $1 ORDER BY user_id LIMIT $2`, fingerprint, limit)
	return out, err
}

func (r reader) certificates(ctx context.Context, query string, args ...any) ([]identity.CertificateRow, error) {
	var out []identity.CertificateRow
	err := r.each(ctx, "reading certificates", func(rows *sql.Rows) error {
		var c identity.CertificateRow
		var user, protocol string
		var added, used int64
		if err := rows.Scan(&user, &c.Fingerprint, &c.Label, &c.DER, &c.Manages, &added, &used, &protocol, &c.UsedRemote); err != nil {
			return err
		}
		c.User, c.UsedProtocol = identity.UserID(user), identity.Protocol(protocol)
		c.AddedAt, c.UsedAt = moment(added), moment(used)
		out = append(out, c)
		return nil
	}, query, args...)
	return out, err
}

// AddCertificate implements identity.StoreWriter.
func (w *writer) AddCertificate(ctx context.Context, c identity.CertificateRow) error {
	_, err := w.exec(ctx, "adding a certificate", `INSERT INTO identity_certificates (user_id, fingerprint, label, der, manages,
		added_at, used_at, used_protocol, used_remote) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(c.User), c.Fingerprint, c.Label, c.DER, c.Manages, micros(c.AddedAt), micros(c.UsedAt), string(c.UsedProtocol), c.UsedRemote)
	if err != nil {
		return err
	}
	return w.Touch(ctx, c.User)
}

// UseCertificate implements identity.StoreWriter.
func (w *writer) UseCertificate(ctx context.Context, c identity.CertificateRow) error {
	return w.change(ctx, "noting the use of a certificate", `UPDATE identity_certificates SET used_at = $1, used_protocol = $2, used_remote = $3
		WHERE user_id = $4 AND fingerprint = $5`, micros(c.UsedAt), string(c.UsedProtocol), c.UsedRemote, string(c.User), c.Fingerprint)
}

// RemoveCertificates implements identity.StoreWriter; one that is not there is no error.
func (w *writer) RemoveCertificates(ctx context.Context, user identity.UserID, fingerprints ...string) error {
	for _, f := range fingerprints {
		if _, err := w.exec(ctx, "removing a certificate", `DELETE FROM identity_certificates WHERE user_id = $1 AND fingerprint = $2`, string(user), f); err != nil {
			return err
		}
	}
	return w.Touch(ctx, user)
}
