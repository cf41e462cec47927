package app

import (
	"context"
	"log/slog"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/webhooks"
	hookstore "trivium/webhooks/sqlstore"
)

// newWebhooks makes the service; the server alone delivers.
func newWebhooks(lc fx.Lifecycle, cfg *config.Config, db *sqldb.DB, s *identity.Service, live serving, log *slog.Logger) (*webhooks.Service, error) {
	w, err := webhooks.New(webhooks.Options{Store: hookstore.New(db), Log: s, Private: cfg.Web.WebhooksPrivate, Slog: log})
	if err != nil {
		return nil, err
	}
	if live {
		background(lc, func(ctx context.Context) {
			if err := w.Run(ctx); err != nil && ctx.Err() == nil {
				log.Error("webhooks are not delivered", "event", "webhook.failed", "err", err)
			}
		})
	}
	return w, nil
}
