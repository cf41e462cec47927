// Package sqlstore keeps tokens in the SQL database.
package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/tokens"
)

//go:embed migrations
var migrations embed.FS

// Store is a tokens.Store.
type Store struct{ db *sqldb.DB }

// New returns a Store on a database that Migrate has been run on.
func New(db *sqldb.DB) *Store { return &Store{db} }

// Migrate brings the tables of this package to their newest form.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	return db.Migrate(ctx, "tokens", migrations)
}

const columns = `id, secret_hash, user_id, jid, label, scopes, path, from_prefixes, stored_key, server_key,
	created_at, expires_at, used_at, used_remote, used_protocol, used_agent`

// Put implements tokens.Store.
func (s *Store) Put(ctx context.Context, r tokens.Row) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tokens (`+columns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			r.ID, r.SecretHash, string(r.User), r.JID, r.Label, joinScopes(r.Scopes), r.Path, joinPrefixes(r.From),
			r.StoredKey, r.ServerKey, r.CreatedAt.UTC(), optionalTime(r.ExpiresAt), optionalTime(r.Use.At),
			r.Use.Remote, string(r.Use.Protocol), r.Use.Agent)
		if sqldb.IsUnique(err) {
			return fmt.Errorf("token %s: %w", r.ID, identity.ErrExists)
		}
		return err
	})
}

// Get implements tokens.Store.
func (s *Store) Get(ctx context.Context, id string) (tokens.Row, error) {
	r, err := scan(s.db.QueryRowContext(ctx, `SELECT `+columns+` FROM tokens WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return tokens.Row{}, identity.ErrNotFound
	}
	return r, err
}

// List implements tokens.Store.
func (s *Store) List(ctx context.Context, user identity.UserID) ([]tokens.Row, error) {
	if user == "" {
		return sqldb.All(scan)(s.db.QueryContext(ctx, `SELECT `+columns+` FROM tokens ORDER BY created_at, id`))
	}
	return sqldb.All(scan)(s.db.QueryContext(sqldb.Brief(ctx), `SELECT `+columns+` FROM tokens
		WHERE user_id = $1 ORDER BY created_at, id`, string(user)))
}

// Remove implements tokens.Store.
func (s *Store) Remove(ctx context.Context, ids ...string) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Used implements tokens.Store.
func (s *Store) Used(ctx context.Context, uses map[string]tokens.Use) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for id, u := range uses {
			if _, err := tx.ExecContext(ctx, `UPDATE tokens SET used_at = $1, used_remote = $2,
				used_protocol = $3, used_agent = $4 WHERE id = $5`,
				u.At.UTC(), u.Remote, string(u.Protocol), u.Agent, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func scan(row sqldb.Scanner) (tokens.Row, error) {
	var (
		r                                tokens.Row
		user, scopes, prefixes, protocol string
		expires, used                    sql.NullTime
	)
	err := row.Scan(&r.ID, &r.SecretHash, &user, &r.JID, &r.Label, &scopes, &r.Path, &prefixes, &r.StoredKey, &r.ServerKey,
		&r.CreatedAt, &expires, &used, &r.Use.Remote, &protocol, &r.Use.Agent)
	if err != nil {
		return tokens.Row{}, err
	}
	r.User, r.Use.Protocol = identity.UserID(user), identity.Protocol(protocol)
	r.CreatedAt, r.ExpiresAt, r.Use.At = r.CreatedAt.UTC(), expires.Time.UTC(), used.Time.UTC()
	if !expires.Valid {
		r.ExpiresAt = time.Time{}
	}
	if !used.Valid {
		r.Use.At = time.Time{}
	}
	for s := range strings.SplitSeq(scopes, ",") {
		r.Scopes = append(r.Scopes, tokens.Scope(s))
	}
	for p := range strings.SplitSeq(prefixes, ",") {
		if p == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return tokens.Row{}, fmt.Errorf("token %s: %w", r.ID, err)
		}
		r.From = append(r.From, prefix)
	}
	return r, nil
}

func joinScopes(in []tokens.Scope) string {
	s := make([]string, len(in))
	for i := range in {
		s[i] = string(in[i])
	}
	return strings.Join(s, ",")
}

func joinPrefixes(in []netip.Prefix) string {
	s := make([]string, len(in))
	for i := range in {
		s[i] = in[i].String()
	}
	return strings.Join(s, ",")
}

func optionalTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}
