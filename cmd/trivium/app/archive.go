package app

import (
	"context"
	"errors"
	"log/slog"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
	mamstore "trivium/xmpp/mam/sqlstore"
)

// newArchive is the message archive; nil where there is to be none. It closes after the chat road,
// so that what its clients sent last is written.
func newArchive(lc fx.Lifecycle, ch *chatTakeout, cfg *config.Config, s *identity.Service, db *sqldb.DB, log *slog.Logger) (*mam.Archive, error) {
	if !cfg.XMPP.Archive {
		return nil, nil
	}
	ctx := context.Background() // a few reads
	store, err := mamstore.Open(ctx, db, mamstore.Options{Log: log})
	if err != nil {
		return nil, err
	}
	a, err := mam.New(ctx, mam.Options{Store: store, Days: cfg.XMPP.ArchiveDays, Keep: cfg.XMPP.ArchiveMessages, Log: log,
		Gone: func(ctx context.Context, id identity.UserID) (bool, error) {
			u, err := s.UserByID(ctx, id)
			if errors.Is(err, identity.ErrNotFound) {
				return true, nil
			}
			return err == nil && u.State == identity.UserDeleted, err
		}})
	if err != nil {
		store.Close()
		return nil, err
	}
	lc.Append(fx.Hook{OnStop: func(context.Context) error {
		a.Close()
		store.Close()
		return nil
	}})
	background(lc, a.Run)
	ch.archive.Store(a)
	return a, nil
}
