package app

import (
	"context"
	"fmt"
	"log/slog"

	"trivium/config"
	filestore "trivium/files/sqlstore"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb"
	tokenstore "trivium/tokens/sqlstore"
	hookstore "trivium/webhooks/sqlstore"
	mamstore "trivium/xmpp/mam/sqlstore"
	pubsubstore "trivium/xmpp/pubsub/sqlstore"
	xmppstore "trivium/xmpp/sqlstore"
)

// openStore opens the database and brings its tables to their newest form, module by module in
// the order in which they need one another.
func openStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (*sqldb.DB, error) {
	db, err := sqldb.Open(ctx, cfg.DatabaseURL(), log)
	if err != nil {
		return nil, err
	}
	// What a server knows of chats and files is in its memory, so one works on a database.
	if err := db.Alone(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	if err := migrateStore(ctx, db); err != nil {
		_ = db.Close()
		return nil, err
	}
	if err := moveCertificates(ctx, db, log); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("moving the certificates of clients: %w", err)
	}
	return db, nil
}

// seeded are the tables in which migrations write rows.
var seeded = []string{"identity_counters", "identity_audit_head"}

// migrateStore brings the tables of all modules to their newest form.
func migrateStore(ctx context.Context, db *sqldb.DB) error {
	for _, m := range []struct {
		name    string
		migrate func(context.Context, *sqldb.DB) error
	}{
		{"identity", identitystore.Migrate},
		{"tokens", tokenstore.Migrate},
		{"files", filestore.Migrate},
		{"webhooks", hookstore.Migrate},
		{"xmpp", xmppstore.Migrate},
		{"mam", mamstore.Migrate},
		{"pubsub", pubsubstore.Migrate},
	} {
		if err := m.migrate(ctx, db); err != nil {
			return fmt.Errorf("preparing the tables of %s: %w", m.name, err)
		}
	}
	return nil
}
