package sqlstore_test

import (
	"testing"

	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp/mam"
	"trivium/xmpp/mam/sqlstore"
	"trivium/xmpp/mam/storetest"
)

func TestStore(t *testing.T) { sqltest.Each(t, testStore) }

func testStore(t *testing.T, e sqltest.Engine) {
	for _, tt := range []struct {
		name   string
		foldAt int
		settle bool
	}{{"all in the tail", 1 << 20, false}, {"index written when asked", 1 << 20, true}, {"index written all the time", 7, true}} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) *storetest.Opened {
				db := e.Migrated(t, sqlstore.Migrate)
				var s *sqlstore.Store
				var err error
				again := func() mam.Store {
					if s != nil {
						s.Close()
					}
					s, err = sqlstore.Open(t.Context(), db, sqlstore.FoldAt(sqlstore.Options{Node: 3}, tt.foldAt))
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				o := &storetest.Opened{Store: again(), Again: again}
				t.Cleanup(func() { s.Close() })
				if tt.settle {
					o.Settle = func() {
						if err := s.Fold(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				return o
			})
		})
	}
}

func TestDialectsAgree(t *testing.T) { sqltest.CheckDialects(t, ".") }

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }
