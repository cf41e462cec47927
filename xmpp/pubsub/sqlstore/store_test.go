package sqlstore_test

import (
	"testing"

	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp/pubsub"
	"trivium/xmpp/pubsub/sqlstore"
	"trivium/xmpp/pubsub/storetest"
)

func TestStore(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, e sqltest.Engine) {
		storetest.Run(t, func(t *testing.T) pubsub.Store { return sqlstore.New(e.Migrated(t, sqlstore.Migrate)) })
	})
}

func TestDialectsAgree(t *testing.T) { sqltest.CheckDialects(t, ".") }

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }
