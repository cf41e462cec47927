package sqlstore_test

import (
	"testing"

	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	"trivium/tokens/sqlstore"
	"trivium/tokens/storetest"
)

func TestContract(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, e sqltest.Engine) {
		storetest.Run(t, func(t *testing.T) tokens.Store { return sqlstore.New(e.Migrated(t, sqlstore.Migrate)) })
	})
}

func TestDialectsAgree(t *testing.T) { sqltest.CheckDialects(t, ".") }

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }
