package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"trivium/config"
	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/control"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/mam"
	mamstore "trivium/xmpp/mam/sqlstore"
	away "trivium/xmpp/offline"
	"trivium/xmpp/portable"
	"trivium/xmpp/pubsub"
	pubsubstore "trivium/xmpp/pubsub/sqlstore"
	xmppstore "trivium/xmpp/sqlstore"
	"trivium/xmpp/vcard"
)

// Errors of ExportChat and ImportChat.
var (
	ErrRunning   = errors.New("the server is running, or another command works on its data")
	ErrNoAccount = errors.New("there is no such account")
)

// ChatReport is what became of one account in an import.
type ChatReport = portable.Report

// chatData is the store of chat while no server runs.
type chatData struct {
	cfg      *config.Config
	db       *sqldb.DB
	release  func()
	accounts identity.StoreReader
	small    *xmppstore.Store
}

// openChatData takes the data directory for itself.
func openChatData(ctx context.Context, cfg *config.Config) (*chatData, error) {
	if err := control.Dir(cfg.DataDir); err != nil {
		return nil, err
	}
	release, err := control.Lock(cfg.DataDir)
	if errors.Is(err, control.ErrLocked) {
		return nil, ErrRunning
	}
	if err != nil {
		return nil, err
	}
	db, err := openStore(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		release()
		return nil, err
	}
	return &chatData{cfg, db, release, identitystore.New(db), xmppstore.New(db)}, nil
}

func (d *chatData) close() error {
	err := d.db.Close()
	d.release()
	return err
}

// owner finds an account by login or login@domain.
func (d *chatData) owner(ctx context.Context, name string) (xmpp.Owner, error) {
	login, domain, err := identity.ParseAddress(name, d.cfg.Domain)
	if err != nil {
		return xmpp.Owner{}, err
	}
	acc, err := d.accounts.Account(ctx, domain, login)
	if err != nil {
		return xmpp.Owner{}, err
	}
	return xmpp.Owner{Address: xmpp.NewAddress(string(acc.Login), acc.Domain), ID: acc.ID}, nil
}

// ExportChat writes what chat keeps of an account (XEP-0227). It works while no server runs; else
// ErrRunning. ErrNoAccount where there is no such account. With keys the SCRAM keys of its password are
// written, too.
func ExportChat(ctx context.Context, cfg *config.Config, login string, keys bool, out io.Writer) (err error) {
	d, err := openChatData(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	owner, err := d.owner(ctx, login)
	if errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrInvalid) {
		return ErrNoAccount
	}
	if err != nil {
		return err
	}
	archive, err := mamstore.Open(ctx, d.db, mamstore.Options{})
	if err != nil {
		return err
	}
	defer archive.Close()
	s := d.sources()
	if keys {
		s.Keys = d.keys
	}
	s.Archive = func(ctx context.Context, id identity.UserID, each func(string, time.Time, []byte) error) error {
		return mam.Each(ctx, archive, id, func(m mam.Stored) error { return each(strconv.FormatInt(int64(m.ID), 10), m.ID.Time(), m.Stanza) })
	}
	s.Prefs = archivePrefs(archive)
	return portable.Export(ctx, out, owner, s)
}

// archivePrefs reads the preferences of archives.
func archivePrefs(s mam.Store) func(context.Context, identity.UserID) ([]byte, error) {
	return func(ctx context.Context, id identity.UserID) ([]byte, error) { return mam.ExportPrefs(ctx, s, id) }
}

// keys are the SCRAM keys of an account.
func (d *chatData) keys(ctx context.Context, id identity.UserID) ([]identity.SCRAMKeys, error) {
	seal, err := sealKey(d.cfg)
	if err != nil {
		return nil, err
	}
	acc, err := d.accounts.AccountByID(ctx, id)
	if err != nil {
		return nil, err
	}
	return identity.OpenSCRAMKeys(seal, id, acc.Password)
}

// page is how many messages are read at a time.
const page = 100

func (d *chatData) sources() portable.Sources {
	nodes := pubsub.New(pubsub.Options{Store: pubsubstore.New(d.db)})
	return portable.Sources{
		Roster: d.small.Roster, Blocked: d.small.Blocked, VCard: d.small.VCard, Private: d.small.EachPrivate,
		Offline: func(ctx context.Context, id identity.UserID, each func([]byte, time.Time) error) error {
			for after := int64(0); ; {
				list, err := d.small.Wait(ctx, id, after, page)
				if err != nil {
					return err
				}
				for _, w := range list {
					if err := each(w.Stanza, w.At); err != nil {
						return err
					}
					after = w.ID
				}
				if len(list) < page {
					return nil
				}
			}
		},
		Nodes: func(ctx context.Context, owner xmpp.Owner, each func(portable.Node) error) error {
			return nodes.Export(ctx, owner, func(n pubsub.Node, given []pubsub.Affiliated, subs []pubsub.Subscription) error {
				out := portable.Node{Name: n.Name, Form: n.Config.Form()}
				for _, a := range given {
					out.Affiliations = append(out.Affiliations, [2]string{a.JID, string(a.Affiliation)})
				}
				for _, s := range subs {
					out.Subscriptions = append(out.Subscriptions, [3]string{s.JID, s.State(), ""})
				}
				return each(out)
			}, nil)
		},
		Items: func(ctx context.Context, owner xmpp.Owner, each func(node, id string, payload []byte) error) error {
			return nodes.Export(ctx, owner, nil, func(n pubsub.Node, i pubsub.Item) error { return each(n.Name, i.ID, i.Payload) })
		},
	}
}

// ImportChat reads what servers have written of accounts (XEP-0227) and adds it to those that are
// there; told gets the report of each. It works while no server runs; else ErrRunning.
func ImportChat(ctx context.Context, cfg *config.Config, in io.Reader, dry bool, told func(ChatReport) error) (err error) {
	d, err := openChatData(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	s := d.sinks()
	if d.cfg.XMPP.Archive {
		archive, err := mamstore.Open(ctx, d.db, mamstore.Options{})
		if err != nil {
			return err
		}
		defer archive.Close()
		s.Archive = func(ctx context.Context, id identity.UserID, list []portable.Past) (int, error) {
			past := make([]mam.Past, len(list))
			for i, m := range list {
				past[i] = mam.Past{At: m.At, Sent: m.Sent, FromJID: m.From, ToJID: m.To, Stanza: m.Stanza}
			}
			return archive.Import(ctx, id, past)
		}
		s.Prefs = func(ctx context.Context, id identity.UserID, el *xmpp.Element, dry bool) (bool, error) {
			added, err := mam.ImportPrefs(ctx, archive, id, el, dry)
			if errors.Is(err, mam.ErrPrefs) {
				err = portable.ErrNotUnderstood
			}
			return added, err
		}
	}
	return portable.Import(ctx, in, s, dry, told)
}

func (d *chatData) sinks() portable.Sinks {
	return portable.Sinks{
		Account: d.owner, Contacts: d.addContacts,
		Block: func(ctx context.Context, id identity.UserID, jids []string) error {
			return d.small.Block(ctx, id, jids...)
		},
		VCard: func(ctx context.Context, id identity.UserID, card []byte) (bool, error) {
			if had, err := d.small.VCard(ctx, id); err != nil || len(had) > 0 {
				return false, err
			}
			return true, d.small.PutVCard(ctx, id, card)
		},
		VCard4: vcard.Four,
		Private: func(ctx context.Context, id identity.UserID, name xml.Name, element []byte) (bool, error) {
			if had, err := d.small.Private(ctx, id, name); err != nil || len(had) > 0 {
				return false, err
			}
			return true, d.small.PutPrivate(ctx, id, name, element)
		},
		Offline: func(ctx context.Context, id identity.UserID, from string, at time.Time, stanza []byte) (bool, error) {
			if had, err := d.waits(ctx, id, at, stanza); err != nil || had {
				return err == nil, err
			}
			kept, err := d.small.Keep(ctx, []away.Waiting{{Owner: id, From: from, At: at, Stanza: stanza}}, d.cfg.XMPP.OfflineMessages)
			return err == nil && kept[0], err
		},
		Nodes: func(owner xmpp.Owner) portable.NodeSink {
			p := pubsub.New(pubsub.Options{Store: pubsubstore.New(d.db), Limits: pubsub.DefaultLimits(int64(d.cfg.Limits.XMPPStanzaSize))})
			return nodeSink{p.Import(owner, time.Now()), d}
		},
	}
}

// waits reports whether a message waits for the account already, as after an import that is done twice.
func (d *chatData) waits(ctx context.Context, id identity.UserID, at time.Time, stanza []byte) (bool, error) {
	for after := int64(0); ; {
		list, err := d.small.Wait(ctx, id, after, page)
		if err != nil {
			return false, err
		}
		for _, w := range list {
			if w.At.Unix() == at.Unix() && bytes.Equal(w.Stanza, stanza) {
				return true, nil
			}
			after = w.ID
		}
		if len(list) < page {
			return false, nil
		}
	}
}

// nodeSink is an import of nodes that knows the accounts here.
type nodeSink struct {
	*pubsub.Import
	d *chatData
}

// Affiliate implements portable.NodeSink.
func (n nodeSink) Affiliate(ctx context.Context, node, jid, affiliation string) error {
	return n.Import.Affiliate(ctx, node, jid, pubsub.Affiliation(affiliation))
}

// Subscribe implements portable.NodeSink.
func (n nodeSink) Subscribe(ctx context.Context, node, jid, state string) error {
	if state != "subscribed" && state != "pending" {
		return nil
	}
	var of xmpp.Owner
	if bare, _, _ := strings.Cut(jid, "/"); strings.Contains(bare, "@") {
		var err error
		of, err = n.d.owner(ctx, bare)
		if err != nil && !errors.Is(err, identity.ErrNotFound) && !errors.Is(err, identity.ErrInvalid) {
			return err
		}
	}
	return n.Import.Subscribe(ctx, node, jid, of.ID, state == "pending")
}

// addContacts adds contacts that are not there yet, in one transaction.
func (d *chatData) addContacts(ctx context.Context, id identity.UserID, list []xmpp.Contact) (added int, err error) {
	err = d.small.Write(ctx, func(w xmpp.StoreWriter) error {
		added = 0
		for _, c := range list {
			if _, err := w.Contact(ctx, id, c.JID); err == nil {
				continue
			} else if !errors.Is(err, identity.ErrNotFound) {
				return err
			}
			if err := w.PutContact(ctx, id, c); err != nil {
				return fmt.Errorf("adding the contact %s: %w", c.JID, err)
			}
			added++
		}
		if added == 0 {
			return nil
		}
		return w.PutRosterVersion(ctx, id, rand.Text())
	})
	return added, err
}
