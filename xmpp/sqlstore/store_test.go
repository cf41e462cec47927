package sqlstore_test

import (
	"testing"

	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/offline"
	"trivium/xmpp/private"
	"trivium/xmpp/push"
	"trivium/xmpp/sqlstore"
	"trivium/xmpp/storetest"
	"trivium/xmpp/vcard"
)

func open(t *testing.T) *sqlstore.Store {
	return sqlstore.New(sqltest.Migrated(t, sqlstore.Migrate))
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) xmpp.Store { return open(t) })
}

func TestBlocking(t *testing.T) {
	storetest.Blocking(t, func(t *testing.T) blocking.Store { return open(t) })
}

func TestOffline(t *testing.T) {
	storetest.Offline(t, func(t *testing.T) offline.Store { return open(t) })
}

func TestPush(t *testing.T) {
	storetest.Push(t, func(t *testing.T) push.Store { return open(t) })
}

func TestVCard(t *testing.T) {
	storetest.VCard(t, func(t *testing.T) vcard.Store { return open(t) })
}

func TestPrivate(t *testing.T) {
	storetest.Private(t, func(t *testing.T) private.Store { return open(t) })
}

func TestDialectsAgree(t *testing.T) { sqltest.CheckDialects(t, ".") }

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }
