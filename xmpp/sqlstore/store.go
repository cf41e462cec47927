package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the tables of this package to their newest form.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	return db.Migrate(ctx, "xmpp", migrations)
}

// Store is an xmpp.Store over sqldb.
type Store struct {
	reader
	db *sqldb.DB
}

var _ xmpp.Store = (*Store)(nil)

// New returns a store on a database that has been migrated.
func New(db *sqldb.DB) *Store { return &Store{reader{db}, db} }

// Write runs fn in one transaction; nil means that it is on disk.
func (s *Store) Write(ctx context.Context, fn func(xmpp.StoreWriter) error) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error { return fn(&writer{reader{tx}, tx}) })
}

type reader struct{ q sqldb.Querier }

type writer struct {
	reader
	tx *sqldb.Tx
}

// Roster reads contacts and version; a change between the two is seen as the older version, so
// that a client asks again rather than trusts a list it does not have.
func (r reader) Roster(ctx context.Context, owner identity.UserID) (xmpp.Roster, error) {
	version, err := r.RosterVersion(ctx, owner)
	if err != nil {
		return xmpp.Roster{}, err
	}
	contacts, err := sqldb.All(scan)(r.q.QueryContext(sqldb.Brief(ctx), "SELECT jid, name, groups, state, listed, request FROM xmpp_contacts WHERE owner = $1 ORDER BY jid", string(owner)))
	if err != nil {
		return xmpp.Roster{}, fmt.Errorf("reading a roster: %w", err)
	}
	return xmpp.Roster{Version: version, Contacts: contacts}, nil
}

func (r reader) RosterVersion(ctx context.Context, owner identity.UserID) (string, error) {
	var version string
	err := r.q.QueryRowContext(ctx, "SELECT version FROM xmpp_rosters WHERE owner = $1", string(owner)).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("reading the version of a roster: %w", err)
	}
	return version, nil
}

func (r reader) Contact(ctx context.Context, owner identity.UserID, jid string) (xmpp.Contact, error) {
	row := r.q.QueryRowContext(ctx, "SELECT jid, name, groups, state, listed, request FROM xmpp_contacts WHERE owner = $1 AND jid = $2", string(owner), jid)
	c, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = identity.ErrNotFound
	}
	if err != nil {
		return xmpp.Contact{}, fmt.Errorf("reading a contact: %w", err)
	}
	return c, nil
}

func (r reader) CountContacts(ctx context.Context, owner identity.UserID) (listed, unlisted int, err error) {
	err = r.q.QueryRowContext(ctx, "SELECT COALESCE(SUM(listed), 0), COUNT(*) - COALESCE(SUM(listed), 0) FROM xmpp_contacts WHERE owner = $1", string(owner)).Scan(&listed, &unlisted)
	if err != nil {
		return 0, 0, fmt.Errorf("counting contacts: %w", err)
	}
	return listed, unlisted, nil
}

func (w *writer) PutContact(ctx context.Context, owner identity.UserID, c xmpp.Contact) error {
	groups, err := json.Marshal(c.Groups)
	if err != nil {
		return fmt.Errorf("storing a contact: %w", err)
	}
	listed := 0
	if c.Listed {
		listed = 1
	}
	_, err = w.tx.ExecContext(ctx, `INSERT INTO xmpp_contacts (owner, jid, name, groups, state, listed, request) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (owner, jid) DO UPDATE SET name = excluded.name, groups = excluded.groups, state = excluded.state, listed = excluded.listed, request = excluded.request`,
		string(owner), c.JID, c.Name, string(groups), int64(c.State), listed, c.Request)
	if err != nil {
		return fmt.Errorf("storing a contact: %w", err)
	}
	return nil
}

func (w *writer) RemoveContact(ctx context.Context, owner identity.UserID, jid string) error {
	_, err := w.tx.ExecContext(ctx, "DELETE FROM xmpp_contacts WHERE owner = $1 AND jid = $2", string(owner), jid)
	if err != nil {
		return fmt.Errorf("removing a contact: %w", err)
	}
	return nil
}

func (w *writer) PutRosterVersion(ctx context.Context, owner identity.UserID, version string) error {
	_, err := w.tx.ExecContext(ctx, "INSERT INTO xmpp_rosters (owner, version) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET version = excluded.version", string(owner), version)
	if err != nil {
		return fmt.Errorf("storing the version of a roster: %w", err)
	}
	return nil
}

// scan reads one row of xmpp_contacts; sql.ErrNoRows comes back as it is.
func scan(row sqldb.Scanner) (xmpp.Contact, error) {
	var c xmpp.Contact
	var groups string
	var state int64
	var listed int
	if err := row.Scan(&c.JID, &c.Name, &groups, &state, &listed, &c.Request); err != nil {
		return c, err
	}
	c.State, c.Listed = xmpp.Subscription(state), listed != 0
	if err := json.Unmarshal([]byte(groups), &c.Groups); err != nil {
		return c, fmt.Errorf("the groups of a contact: %w", err)
	}
	return c, nil
}
