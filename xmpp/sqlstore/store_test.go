package sqlstore_test

import (
	"testing"

	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp"
	"trivium/xmpp/sqlstore"
	"trivium/xmpp/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) xmpp.Store {
		files, err := sqlstore.Migrations()
		if err != nil {
			t.Fatal(err)
		}
		return sqlstore.New(sqltest.Migrated(t, "xmpp", files))
	})
}

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }
