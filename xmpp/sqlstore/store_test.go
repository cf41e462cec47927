package sqlstore_test

import (
	"testing"

	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/greet"
	"trivium/xmpp/offline"
	"trivium/xmpp/private"
	"trivium/xmpp/push"
	"trivium/xmpp/sqlstore"
	"trivium/xmpp/storetest"
	"trivium/xmpp/vcard"
)

// each runs a suite on each engine.
func each[S any](t *testing.T, suite func(*testing.T, func(*testing.T) S), as func(*sqlstore.Store) S) {
	sqltest.Each(t, func(t *testing.T, e sqltest.Engine) {
		suite(t, func(t *testing.T) S { return as(sqlstore.New(e.Migrated(t, sqlstore.Migrate))) })
	})
}

func TestStore(t *testing.T) {
	each(t, storetest.Run, func(s *sqlstore.Store) xmpp.Store { return s })
}

func TestBlocking(t *testing.T) {
	each(t, storetest.Blocking, func(s *sqlstore.Store) blocking.Store { return s })
}

func TestOffline(t *testing.T) {
	each(t, storetest.Offline, func(s *sqlstore.Store) offline.Store { return s })
}

func TestPush(t *testing.T) {
	each(t, storetest.Push, func(s *sqlstore.Store) push.Store { return s })
}

func TestVCard(t *testing.T) {
	each(t, storetest.VCard, func(s *sqlstore.Store) vcard.Store { return s })
}

func TestPrivate(t *testing.T) {
	each(t, storetest.Private, func(s *sqlstore.Store) private.Store { return s })
}

func TestGreet(t *testing.T) {
	each(t, storetest.Greet, func(s *sqlstore.Store) greet.Store { return s })
}

func TestDialectsAgree(t *testing.T) { sqltest.CheckDialects(t, ".") }

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }
