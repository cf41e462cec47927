package sqlstore_test

import (
	"testing"

	"trivium/files"
	"trivium/files/sqlstore"
	"trivium/files/storetest"
	"trivium/internal/sqldb/sqltest"
)

func open(t *testing.T) *sqlstore.Store {
	t.Helper()
	return sqlstore.New(sqltest.Migrated(t, sqlstore.Migrate))
}

func TestUsage(t *testing.T) {
	t.Parallel()
	storetest.Usage(t, func(t *testing.T) files.UsageStore { return open(t) })
}

func TestSums(t *testing.T) {
	t.Parallel()
	storetest.Sums(t, func(t *testing.T) files.SumStore { return open(t) })
}

func TestBin(t *testing.T) {
	t.Parallel()
	storetest.Bin(t, func(t *testing.T) files.BinStore { return open(t) })
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
	storetest.Shares(t, func(t *testing.T) files.ShareStore { return open(t) })
}
