package sqlstore

import (
	"context"
	"database/sql"

	"trivium/identity"
)

// BrowserSessions implements identity.Store.
func (r reader) BrowserSessions(ctx context.Context) ([]identity.BrowserRow, error) {
	var out []identity.BrowserRow
	err := r.each(ctx, "reading browser sessions", func(rows *sql.Rows) error {
		var b identity.BrowserRow
		var user, method, factor string
		var started, login, last, until int64
		err := rows.Scan(&b.ID, &b.Selector, &b.SecretHash, &user, &b.OrigUser, &method, &b.CredentialVersion, &b.CSRF,
			&b.Stay, &b.Remote, &b.Local, &b.TLS, &b.UserAgent, &b.Referer, &b.Lang, &started, &login, &last, &factor, &b.Data, &b.TZOffset, &b.TZSet,
			&b.Certificate, &b.CertificateVouched, &until)
		if err != nil {
			return err
		}
		b.User, b.Method, b.Factor = identity.UserID(user), identity.Method(method), identity.FactorKind(factor)
		b.StartedAt, b.LoginAt, b.LastActivity = moment(started), moment(login), moment(last)
		b.CertificateUntil = moment(until)
		out = append(out, b)
		return nil
	}, `SELECT id, selector, secret_hash, user_id, orig_user, method, credential_version, csrf, stay, remote, local, tls,
		user_agent, referer, lang, started_at, login_at, last_activity, factor, data, tz_offset, tz_set,
		certificate, certificate_vouched, certificate_until
		FROM identity_browser_sessions ORDER BY started_at, id`)
	return out, err
}

// PutBrowserSession implements identity.StoreWriter.
func (w *writer) PutBrowserSession(ctx context.Context, b identity.BrowserRow) error {
	_, err := w.exec(ctx, "keeping a browser session", `INSERT INTO identity_browser_sessions (id, selector, secret_hash,
		user_id, orig_user, method, credential_version, csrf, stay, remote, local, tls, user_agent, referer, lang,
		started_at, login_at, last_activity, factor, data, tz_offset, tz_set, certificate, certificate_vouched, certificate_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
		ON CONFLICT (id) DO UPDATE SET selector = excluded.selector, secret_hash = excluded.secret_hash,
		user_id = excluded.user_id, orig_user = excluded.orig_user, method = excluded.method,
		credential_version = excluded.credential_version, csrf = excluded.csrf, stay = excluded.stay,
		remote = excluded.remote, local = excluded.local, tls = excluded.tls, user_agent = excluded.user_agent,
		referer = excluded.referer, lang = excluded.lang, started_at = excluded.started_at,
		login_at = excluded.login_at, last_activity = excluded.last_activity, factor = excluded.factor, data = excluded.data,
		tz_offset = excluded.tz_offset, tz_set = excluded.tz_set,
		certificate = excluded.certificate, certificate_vouched = excluded.certificate_vouched, certificate_until = excluded.certificate_until`,
		b.ID, b.Selector, b.SecretHash, string(b.User), b.OrigUser, string(b.Method), b.CredentialVersion, b.CSRF,
		b.Stay, b.Remote, b.Local, b.TLS, b.UserAgent, b.Referer, b.Lang,
		micros(b.StartedAt), micros(b.LoginAt), micros(b.LastActivity), string(b.Factor), b.Data, b.TZOffset, b.TZSet,
		b.Certificate, b.CertificateVouched, micros(b.CertificateUntil))
	return err
}

// RemoveBrowserSessions implements identity.StoreWriter; one that is not there is no error.
func (w *writer) RemoveBrowserSessions(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if _, err := w.exec(ctx, "removing a browser session", `DELETE FROM identity_browser_sessions WHERE id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}
