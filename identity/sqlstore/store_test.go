package sqlstore_test

import (
	"errors"
	"log/slog"
	"testing"

	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/identity/storetest"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, e sqltest.Engine) {
		storetest.Run(t, func(t *testing.T) identity.Store {
			t.Helper()
			return sqlstore.New(e.Migrated(t, sqlstore.Migrate))
		})
	})
}

func TestQueries(t *testing.T) {
	t.Parallel()
	sqltest.CheckQueries(t, ".")
}

func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, e sqltest.Engine) {
		db := e.Open(t)
		for range 2 {
			if err := sqlstore.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestDialectsAgree(t *testing.T) {
	t.Parallel()
	sqltest.CheckDialects(t, ".")
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, testUnavailable)
}

func testUnavailable(t *testing.T, e sqltest.Engine) {
	db, err := sqldb.Open(t.Context(), e.URL(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	s := sqlstore.New(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Account(t.Context(), "example.org", "user1"); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("reading from a closed store: %v", err)
	}
	err = s.Write(t.Context(), func(identity.StoreWriter) error { return nil })
	if !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("writing to a closed store: %v", err)
	}
}
