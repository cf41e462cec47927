package sqlstore_test

import (
	"testing"

	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp/pubsub"
	"trivium/xmpp/pubsub/sqlstore"
	"trivium/xmpp/pubsub/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) pubsub.Store {
		files, err := sqlstore.Migrations()
		if err != nil {
			t.Fatal(err)
		}
		return sqlstore.New(sqltest.Migrated(t, "pubsub", files))
	})
}

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }
