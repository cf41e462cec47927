package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/pubsub"
)

func (r reader) Affiliation(ctx context.Context, owner identity.UserID, node, jid string) (pubsub.Affiliation, error) {
	var a string
	err := r.q.QueryRowContext(ctx, "SELECT affiliation FROM pubsub_affiliations WHERE owner = $1 AND node = $2 AND jid = $3", string(owner), node, jid).Scan(&a)
	if errors.Is(err, sql.ErrNoRows) {
		return pubsub.None, nil
	}
	if err != nil {
		return pubsub.None, fmt.Errorf("reading an affiliation: %w", err)
	}
	return pubsub.Affiliation(a), nil
}

// The queries by node and by address are apart, so that each finds its rows by an index.
const (
	affiliationsAt = "SELECT node, jid, affiliation FROM pubsub_affiliations WHERE owner = $1 AND node = $2 AND ($3 = '' OR jid = $3) ORDER BY jid"
	affiliationsOf = "SELECT node, jid, affiliation FROM pubsub_affiliations WHERE owner = $1 AND jid = $2 ORDER BY node"

	subscriptionsTo = "SELECT node, jid, bare, account, pending FROM pubsub_subscriptions WHERE owner = $1 AND node = $2 AND ($3 = '' OR bare = $3) ORDER BY jid"
	subscriptionsOf = "SELECT node, jid, bare, account, pending FROM pubsub_subscriptions WHERE owner = $1 AND bare = $2 ORDER BY node, jid"
)

func (r reader) Affiliations(ctx context.Context, owner identity.UserID, node, jid string) ([]pubsub.Affiliated, error) {
	list, err := sqldb.All(scanAffiliated)(r.by(ctx, affiliationsAt, affiliationsOf, owner, node, jid))
	if err != nil {
		return nil, fmt.Errorf("reading affiliations: %w", err)
	}
	return list, nil
}

func (r reader) Subscriptions(ctx context.Context, owner identity.UserID, node, bare string) ([]pubsub.Subscription, error) {
	list, err := sqldb.All(scanSubscription)(r.by(ctx, subscriptionsTo, subscriptionsOf, owner, node, bare))
	if err != nil {
		return nil, fmt.Errorf("reading subscriptions: %w", err)
	}
	return list, nil
}

// by asks by node where one is given, else by address.
func (r reader) by(ctx context.Context, at, of string, owner identity.UserID, node, jid string) (*sql.Rows, error) {
	if node == "" {
		return r.q.QueryContext(sqldb.Brief(ctx), of, string(owner), jid)
	}
	return r.q.QueryContext(sqldb.Brief(ctx), at, string(owner), node, jid)
}

func (w *writer) PutAffiliation(ctx context.Context, owner identity.UserID, a pubsub.Affiliated) error {
	var err error
	if a.Affiliation == pubsub.None {
		_, err = w.tx.ExecContext(ctx, "DELETE FROM pubsub_affiliations WHERE owner = $1 AND node = $2 AND jid = $3", string(owner), a.Node, a.JID)
	} else {
		_, err = w.tx.ExecContext(ctx, `INSERT INTO pubsub_affiliations (owner, node, jid, affiliation) VALUES ($1, $2, $3, $4)
			ON CONFLICT (owner, node, jid) DO UPDATE SET affiliation = excluded.affiliation`, string(owner), a.Node, a.JID, string(a.Affiliation))
	}
	return wrap("storing an affiliation", err)
}

func (w *writer) PutSubscription(ctx context.Context, owner identity.UserID, s pubsub.Subscription) error {
	pending := 0
	if s.Pending {
		pending = 1
	}
	_, err := w.tx.ExecContext(ctx, `INSERT INTO pubsub_subscriptions (owner, node, jid, bare, account, pending) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (owner, node, jid) DO UPDATE SET account = excluded.account, pending = excluded.pending`,
		string(owner), s.Node, s.JID, s.Bare, string(s.Account), pending)
	return wrap("storing a subscription", err)
}

func (w *writer) RemoveSubscription(ctx context.Context, owner identity.UserID, node, jid string) (bool, error) {
	res, err := w.tx.ExecContext(ctx, "DELETE FROM pubsub_subscriptions WHERE owner = $1 AND node = $2 AND jid = $3", string(owner), node, jid)
	if err != nil {
		return false, fmt.Errorf("removing a subscription: %w", err)
	}
	n, err := res.RowsAffected()
	return n > 0, wrap("removing a subscription", err)
}

func scanAffiliated(row sqldb.Scanner) (a pubsub.Affiliated, err error) {
	err = row.Scan(&a.Node, &a.JID, &a.Affiliation)
	return a, err
}

func scanSubscription(row sqldb.Scanner) (s pubsub.Subscription, err error) {
	var account string
	var pending int
	err = row.Scan(&s.Node, &s.JID, &s.Bare, &account, &pending)
	s.Account, s.Pending = identity.UserID(account), pending != 0
	return s, err
}
