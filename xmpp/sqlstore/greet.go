package sqlstore

import (
	"context"
	"fmt"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/greet"
)

var _ greet.Store = (*Store)(nil)

// Greetings implements greet.Store.
func (s *Store) Greetings(ctx context.Context) ([]greet.Greeting, error) {
	list, err := sqldb.All(func(row sqldb.Scanner) (g greet.Greeting, err error) {
		var at int64
		err = row.Scan(&g.Kind, &g.Series, &g.Text, &at)
		g.SetAt = time.UnixMicro(at)
		return g, err
	})(s.db.QueryContext(ctx, "SELECT kind, series, body, set_at FROM xmpp_greetings ORDER BY kind"))
	if err != nil {
		return nil, fmt.Errorf("reading greetings: %w", err)
	}
	return list, nil
}

// PutGreeting implements greet.Store.
func (s *Store) PutGreeting(ctx context.Context, g greet.Greeting) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		if g.Text == "" {
			_, err = tx.ExecContext(ctx, "DELETE FROM xmpp_greetings WHERE kind = $1", string(g.Kind))
		} else {
			_, err = tx.ExecContext(ctx, `INSERT INTO xmpp_greetings (kind, series, body, set_at) VALUES ($1, $2, $3, $4)
				ON CONFLICT (kind) DO UPDATE SET series = excluded.series, body = excluded.body, set_at = excluded.set_at`,
				string(g.Kind), g.Series, g.Text, g.SetAt.UnixMicro())
		}
		if err != nil {
			return fmt.Errorf("storing a greeting: %w", err)
		}
		return nil
	})
}

// Told implements greet.Store.
func (s *Store) Told(ctx context.Context, owner identity.UserID, k greet.Kind, series string) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM xmpp_greeted WHERE owner = $1 AND kind = $2 AND series = $3", string(owner), string(k), series).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("reading who was greeted: %w", err)
	}
	return n > 0, nil
}

// Tell implements greet.Store.
func (s *Store) Tell(ctx context.Context, k greet.Kind, series string, owners ...identity.UserID) (fresh []identity.UserID, err error) {
	if len(owners) == 0 {
		return nil, nil
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		fresh = nil
		for _, o := range owners {
			res, err := tx.ExecContext(ctx, `INSERT INTO xmpp_greeted (owner, kind, series) VALUES ($1, $2, $3)
				ON CONFLICT (owner, kind) DO UPDATE SET series = excluded.series WHERE xmpp_greeted.series <> excluded.series`, string(o), string(k), series)
			if err != nil {
				return fmt.Errorf("storing who was greeted: %w", err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return fmt.Errorf("storing who was greeted: %w", err)
			}
			if n > 0 {
				fresh = append(fresh, o)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return fresh, nil
}

// Forget implements greet.Store.
func (s *Store) Forget(ctx context.Context, owner identity.UserID) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM xmpp_greeted WHERE owner = $1", string(owner)); err != nil {
			return fmt.Errorf("forgetting who was greeted: %w", err)
		}
		return nil
	})
}
