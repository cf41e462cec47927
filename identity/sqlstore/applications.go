package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"trivium/identity"
)

// A list stands in a column with one to a line: none of what is in them holds a line end.
func lines(list []string) string { return strings.Join(list, "\n") }

func unlines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (r reader) applications(ctx context.Context, query string, args ...any) ([]identity.Application, error) {
	var out []identity.Application
	err := r.each(ctx, "reading applications", func(rows *sql.Rows) error {
		var (
			a                                   identity.Application
			redirects, logouts, scopes, members string
			level                               uint8
			created, changed                    int64
		)
		if err := rows.Scan(&a.ID, &a.Name, &a.SecretHash, &redirects, &logouts, &a.LogoutURI, &scopes, &level, &members, &a.Consent, &a.Factor,
			&a.Algorithm, &a.CreatedBy, &created, &changed); err != nil {
			return err
		}
		a.Redirects, a.LogoutRedirects, a.Scopes, a.Groups = unlines(redirects), unlines(logouts), unlines(scopes), unlines(members)
		a.Level, a.CreatedAt, a.ChangedAt = identity.Level(level), moment(created), moment(changed)
		out = append(out, a)
		return nil
	}, `SELECT id, name, secret, redirects, logout_redirects, logout_uri, scopes, level, members, consent, factor, algorithm, created_by,
		created_at, changed_at FROM identity_applications `+query, args...)
	return out, err
}

// Application implements identity.Store.
func (r reader) Application(ctx context.Context, id string) (identity.Application, error) {
	return only(r.applications(ctx, `WHERE id = $1`, id))
}

// only is the one row that there is, or ErrNotFound.
func only[T any](list []T, err error) (T, error) {
	if err == nil && len(list) == 0 {
		err = identity.ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return list[0], nil
}

// Applications implements identity.Store.
func (r reader) Applications(ctx context.Context) ([]identity.Application, error) {
	return r.applications(ctx, `ORDER BY name, id`)
}

// ApplicationUseCounts implements identity.Store.
func (r reader) ApplicationUseCounts(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	err := r.each(ctx, "counting the people of applications", func(rows *sql.Rows) error {
		var id string
		var n int
		err := rows.Scan(&id, &n)
		out[id] = n
		return err
	}, `SELECT application, COUNT(*) FROM identity_application_users GROUP BY application`)
	return out, err
}

func (r reader) applicationUsers(ctx context.Context, query string, args ...any) ([]identity.ApplicationUser, error) {
	var out []identity.ApplicationUser
	err := r.each(ctx, "reading the people of applications", func(rows *sql.Rows) error {
		var u identity.ApplicationUser
		var user, scopes string
		var first, last int64
		if err := rows.Scan(&u.Application, &user, &scopes, &u.Agreed, &first, &last); err != nil {
			return err
		}
		u.User, u.Scopes, u.FirstAt, u.LastAt = identity.UserID(user), unlines(scopes), moment(first), moment(last)
		out = append(out, u)
		return nil
	}, `SELECT application, user_id, scopes, agreed, first_at, last_at FROM identity_application_users `+query, args...)
	return out, err
}

// ApplicationUsers implements identity.Store.
func (r reader) ApplicationUsers(ctx context.Context, user identity.UserID) ([]identity.ApplicationUser, error) {
	return r.applicationUsers(ctx, `WHERE user_id = $1 ORDER BY application`, string(user))
}

// ApplicationUser implements identity.Store.
func (r reader) ApplicationUser(ctx context.Context, application string, user identity.UserID) (identity.ApplicationUser, error) {
	return only(r.applicationUsers(ctx, `WHERE application = $1 AND user_id = $2`, application, string(user)))
}

const grantColumns = `SELECT id, application, user_id, session, sid, scopes, redirect, challenge, nonce, method, factor, credential_version,
	generation, auth_at, created_at, used_at, expires_at FROM identity_application_grants `

func (r reader) grants(ctx context.Context, query string, args ...any) ([]identity.ApplicationGrant, error) {
	var out []identity.ApplicationGrant
	err := r.each(ctx, "reading log-ins at applications", func(rows *sql.Rows) error {
		var (
			g                            identity.ApplicationGrant
			user, scopes, method, factor string
			auth, created, used, expires int64
		)
		if err := rows.Scan(&g.ID, &g.Application, &user, &g.Session, &g.SID, &scopes, &g.Redirect, &g.Challenge, &g.Nonce, &method, &factor,
			&g.CredentialVersion, &g.Generation, &auth, &created, &used, &expires); err != nil {
			return err
		}
		g.User, g.Scopes, g.Method, g.Factor = identity.UserID(user), unlines(scopes), identity.Method(method), identity.FactorKind(factor)
		g.AuthAt, g.CreatedAt, g.UsedAt, g.ExpiresAt = moment(auth), moment(created), moment(used), moment(expires)
		out = append(out, g)
		return nil
	}, grantColumns+query, args...)
	return out, err
}

// ApplicationGrant implements identity.Store.
func (r reader) ApplicationGrant(ctx context.Context, id string) (identity.ApplicationGrant, error) {
	return only(r.grants(ctx, `WHERE id = $1`, id))
}

// defaultGrants is how many a list has where nothing else is said.
const defaultGrants = 500

// ApplicationGrants implements identity.Store. Each kind of question has an index of its own.
func (r reader) ApplicationGrants(ctx context.Context, f identity.GrantFilter) ([]identity.ApplicationGrant, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultGrants
	}
	const rest = ` ORDER BY created_at, id LIMIT `
	switch {
	case f.Session != "":
		return r.grants(ctx, `WHERE session = $1 AND ($2 = '' OR user_id = $2)`+rest+`$3`, f.Session, string(f.User), limit)
	case f.User != "":
		return r.grants(ctx, `WHERE user_id = $1 AND ($2 = '' OR application = $2)`+rest+`$3`, string(f.User), f.Application, limit)
	case f.Application != "":
		return r.grants(ctx, `WHERE application = $1`+rest+`$2`, f.Application, limit)
	case !f.Expired.IsZero():
		return r.grants(ctx, `WHERE expires_at < $1`+rest+`$2`, micros(f.Expired), limit)
	}
	return r.grants(ctx, rest+`$1`, limit)
}

// ApplicationKeys implements identity.Store.
func (r reader) ApplicationKeys(ctx context.Context) ([]identity.SealedKey, error) {
	var out []identity.SealedKey
	err := r.each(ctx, "reading the keys of ID tokens", func(rows *sql.Rows) error {
		var k identity.SealedKey
		var created int64
		err := rows.Scan(&k.ID, &k.Algorithm, &k.Sealed, &created)
		k.CreatedAt = moment(created)
		out = append(out, k)
		return err
	}, `SELECT id, algorithm, sealed, created_at FROM identity_application_keys ORDER BY created_at, id`)
	return out, err
}

// PutApplication implements identity.StoreWriter.
func (w *writer) PutApplication(ctx context.Context, a identity.Application) error {
	_, err := w.exec(ctx, "keeping an application", `INSERT INTO identity_applications (id, name, secret, redirects, logout_redirects, logout_uri,
		scopes, level, members, consent, factor, algorithm, created_by, created_at, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, secret = excluded.secret, redirects = excluded.redirects,
		logout_redirects = excluded.logout_redirects, logout_uri = excluded.logout_uri, scopes = excluded.scopes, level = excluded.level,
		members = excluded.members, consent = excluded.consent, factor = excluded.factor, algorithm = excluded.algorithm,
		changed_at = excluded.changed_at`,
		a.ID, a.Name, a.SecretHash, lines(a.Redirects), lines(a.LogoutRedirects), a.LogoutURI, lines(a.Scopes), int(a.Level), lines(a.Groups),
		a.Consent, a.Factor, a.Algorithm, a.CreatedBy, micros(a.CreatedAt), micros(a.ChangedAt))
	return err
}

// RemoveApplication implements identity.StoreWriter.
func (w *writer) RemoveApplication(ctx context.Context, id string) error {
	return w.change(ctx, "removing an application", `DELETE FROM identity_applications WHERE id = $1`, id)
}

// PutApplicationUser implements identity.StoreWriter.
func (w *writer) PutApplicationUser(ctx context.Context, u identity.ApplicationUser) error {
	_, err := w.exec(ctx, "noting who uses an application", `INSERT INTO identity_application_users (application, user_id, scopes, agreed, first_at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (application, user_id) DO UPDATE SET scopes = excluded.scopes, agreed = excluded.agreed, last_at = excluded.last_at`,
		u.Application, string(u.User), lines(u.Scopes), u.Agreed, micros(u.FirstAt), micros(u.LastAt))
	return err
}

// RemoveApplicationUser implements identity.StoreWriter.
func (w *writer) RemoveApplicationUser(ctx context.Context, application string, user identity.UserID) error {
	return w.change(ctx, "forgetting who uses an application", `DELETE FROM identity_application_users WHERE application = $1 AND user_id = $2`, application, string(user))
}

// AddApplicationGrant implements identity.StoreWriter.
func (w *writer) AddApplicationGrant(ctx context.Context, g identity.ApplicationGrant) error {
	_, err := w.exec(ctx, "keeping a log-in at an application", `INSERT INTO identity_application_grants (id, application, user_id, session, sid,
		scopes, redirect, challenge, nonce, method, factor, credential_version, generation, auth_at, created_at, used_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		g.ID, g.Application, string(g.User), g.Session, g.SID, lines(g.Scopes), g.Redirect, g.Challenge, g.Nonce, string(g.Method), string(g.Factor),
		g.CredentialVersion, g.Generation, micros(g.AuthAt), micros(g.CreatedAt), micros(g.UsedAt), micros(g.ExpiresAt))
	return err
}

// AdvanceApplicationGrant implements identity.StoreWriter.
func (w *writer) AdvanceApplicationGrant(ctx context.Context, id string, generation int64, used, expires time.Time) error {
	return w.change(ctx, "using a log-in at an application", `UPDATE identity_application_grants SET generation = generation + 1, used_at = $1,
		expires_at = $2 WHERE id = $3 AND generation = $4`, micros(used), micros(expires), id, generation)
}

// DetachApplicationGrant implements identity.StoreWriter.
func (w *writer) DetachApplicationGrant(ctx context.Context, id string) error {
	return w.change(ctx, "detaching a log-in at an application", `UPDATE identity_application_grants SET session = '' WHERE id = $1`, id)
}

// RemoveApplicationGrants implements identity.StoreWriter.
func (w *writer) RemoveApplicationGrants(ctx context.Context, ids ...string) ([]string, error) {
	var gone []string
	for _, id := range ids {
		err := w.change(ctx, "ending a log-in at an application", `DELETE FROM identity_application_grants WHERE id = $1`, id)
		if err != nil && !errors.Is(err, identity.ErrNotFound) {
			return gone, err
		}
		if err == nil {
			gone = append(gone, id)
		}
	}
	return gone, nil
}

// AddApplicationKey implements identity.StoreWriter.
func (w *writer) AddApplicationKey(ctx context.Context, k identity.SealedKey) error {
	_, err := w.exec(ctx, "keeping a key of ID tokens", `INSERT INTO identity_application_keys (id, algorithm, sealed, created_at) VALUES ($1, $2, $3, $4)`,
		k.ID, k.Algorithm, k.Sealed, micros(k.CreatedAt))
	return err
}

// RemoveApplicationKeys implements identity.StoreWriter.
func (w *writer) RemoveApplicationKeys(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if _, err := w.exec(ctx, "removing a key of ID tokens", `DELETE FROM identity_application_keys WHERE id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}
