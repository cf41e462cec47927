package app

import (
	"context"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"trivium/config"
	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/mam"
	mamstore "trivium/xmpp/mam/sqlstore"
	"trivium/xmpp/portable"
	xmppstore "trivium/xmpp/sqlstore"
)

// chatTakeout writes what chat keeps of an account, while the server runs and while it does not.
type chatTakeout struct {
	cfg     *config.Config
	db      *sqldb.DB
	archive atomic.Pointer[mam.Archive] // of the running server; nil: there is none, or no server
}

func newChatTakeout(cfg *config.Config, db *sqldb.DB) *chatTakeout {
	return &chatTakeout{cfg: cfg, db: db}
}

func (c *chatTakeout) write(ctx context.Context, acc identity.Account, out io.Writer) error {
	d := &chatData{cfg: c.cfg, db: c.db, accounts: identitystore.New(c.db), small: xmppstore.New(c.db)}
	s := d.sources()
	a := c.archive.Load()
	switch {
	case a != nil:
		s.Archive, s.Prefs = archived(a.Each), a.ExportPrefs
	case c.cfg.XMPP.Archive:
		store, err := mamstore.Open(ctx, c.db, mamstore.Options{})
		if err != nil {
			return err
		}
		defer store.Close()
		s.Prefs = archivePrefs(store)
		s.Archive = archived(func(ctx context.Context, id identity.UserID, fn func(mam.Stored) error) error {
			return mam.Each(ctx, store, id, fn)
		})
	}
	return portable.Export(ctx, out, xmpp.Owner{Address: xmpp.NewAddress(string(acc.Login), acc.Domain), ID: acc.ID}, s)
}

// archived is an archive as an export reads it.
func archived(each func(context.Context, identity.UserID, func(mam.Stored) error) error) func(context.Context, identity.UserID, func(string, time.Time, []byte) error) error {
	return func(ctx context.Context, id identity.UserID, fn func(string, time.Time, []byte) error) error {
		return each(ctx, id, func(m mam.Stored) error { return fn(strconv.FormatInt(int64(m.ID), 10), m.ID.Time(), m.Stanza) })
	}
}
