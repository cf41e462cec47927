package sqlstore_test

import (
	"testing"

	"trivium/files"
	"trivium/files/sqlstore"
	"trivium/files/storetest"
	"trivium/internal/sqldb/sqltest"
)

// each runs a suite on each engine.
func each[S any](t *testing.T, suite func(*testing.T, func(*testing.T) S), as func(*sqlstore.Store) S) {
	sqltest.Each(t, func(t *testing.T, e sqltest.Engine) {
		suite(t, func(t *testing.T) S { return as(sqlstore.New(e.Migrated(t, sqlstore.Migrate))) })
	})
}

func TestUsage(t *testing.T) {
	t.Parallel()
	each(t, storetest.Usage, func(s *sqlstore.Store) files.UsageStore { return s })
}

func TestSums(t *testing.T) {
	t.Parallel()
	each(t, storetest.Sums, func(s *sqlstore.Store) files.SumStore { return s })
}

func TestBin(t *testing.T) {
	t.Parallel()
	each(t, storetest.Bin, func(s *sqlstore.Store) files.BinStore { return s })
}

func TestQueries(t *testing.T) {
	t.Parallel()
	sqltest.CheckQueries(t, ".")
}

func TestDialectsAgree(t *testing.T) {
	t.Parallel()
	sqltest.CheckDialects(t, ".")
}

func TestShares(t *testing.T) {
	each(t, storetest.Shares, func(s *sqlstore.Store) files.ShareStore { return s })
}
