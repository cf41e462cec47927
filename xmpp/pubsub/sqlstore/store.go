package sqlstore

import (
	"context"
	"embed"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/pubsub"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the tables of this package to their newest form.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	return db.Migrate(ctx, "pubsub", migrations)
}

// Store is a pubsub.Store over sqldb.
type Store struct {
	reader
	db *sqldb.DB
}

var _ pubsub.Store = (*Store)(nil)

// New returns a store on a database that has been migrated.
func New(db *sqldb.DB) *Store { return &Store{reader{db}, db} }

// Write runs fn in one transaction; nil means that it is on disk.
func (s *Store) Write(ctx context.Context, fn func(pubsub.StoreWriter) error) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error { return fn(&writer{reader{tx}, tx}) })
}

// Remove forgets an account.
func (s *Store) Remove(ctx context.Context, owner identity.UserID) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, query := range []string{
			"DELETE FROM pubsub_items WHERE owner = $1",
			"DELETE FROM pubsub_affiliations WHERE owner = $1",
			"DELETE FROM pubsub_subscriptions WHERE owner = $1",
			"DELETE FROM pubsub_subscriptions WHERE account = $1",
			"DELETE FROM pubsub_nodes WHERE owner = $1",
		} {
			if _, err := tx.ExecContext(ctx, query, string(owner)); err != nil {
				return fmt.Errorf("removing the nodes of an account: %w", err)
			}
		}
		return nil
	})
}

type reader struct{ q sqldb.Querier }

type writer struct {
	reader
	tx *sqldb.Tx
}
