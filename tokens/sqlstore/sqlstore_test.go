package sqlstore_test

import (
	"context"
	"testing"

	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	"trivium/tokens/sqlstore"
	"trivium/tokens/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) tokens.Store {
		db := sqltest.Open(t)
		if err := sqlstore.Migrate(context.Background(), db); err != nil {
			t.Fatal(err)
		}
		return sqlstore.New(db)
	})
}

func TestDialectsAgree(t *testing.T) { sqltest.CheckDialects(t, ".") }

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }
