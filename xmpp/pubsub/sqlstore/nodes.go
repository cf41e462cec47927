package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/pubsub"
)

func (r reader) Node(ctx context.Context, owner identity.UserID, name string) (pubsub.Node, error) {
	n, err := scanNode(r.q.QueryRowContext(ctx, "SELECT owner, name, jid, config, created, items, bytes FROM pubsub_nodes WHERE owner = $1 AND name = $2", string(owner), name))
	if errors.Is(err, sql.ErrNoRows) {
		err = identity.ErrNotFound
	}
	if err != nil {
		return pubsub.Node{}, fmt.Errorf("reading a node: %w", err)
	}
	return n, nil
}

func (r reader) Nodes(ctx context.Context, owner identity.UserID) ([]pubsub.Node, error) {
	list, err := sqldb.All(scanNode)(r.q.QueryContext(sqldb.Brief(ctx), "SELECT owner, name, jid, config, created, items, bytes FROM pubsub_nodes WHERE owner = $1 ORDER BY name", string(owner)))
	if err != nil {
		return nil, fmt.Errorf("reading nodes: %w", err)
	}
	return list, nil
}

// Greeting asks for eight addresses at a time, so that there is one text of the query.
func (r reader) Greeting(ctx context.Context, jids []string) ([]pubsub.Node, error) {
	var all []pubsub.Node
	for len(jids) > 0 {
		var args [8]any
		for i := range args {
			args[i] = jids[min(i, len(jids)-1)]
		}
		list, err := sqldb.All(scanNode)(r.q.QueryContext(sqldb.Brief(ctx), `SELECT owner, name, jid, config, created, items, bytes FROM pubsub_nodes
			WHERE greets = 1 AND items > 0 AND jid IN ($1, $2, $3, $4, $5, $6, $7, $8)`, args[:]...))
		if err != nil {
			return nil, fmt.Errorf("reading nodes: %w", err)
		}
		all = append(all, list...)
		jids = jids[min(len(args), len(jids)):]
	}
	return all, nil
}

func (r reader) Usage(ctx context.Context, owner identity.UserID) (nodes int, bytes int64, err error) {
	err = r.q.QueryRowContext(ctx, "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM pubsub_nodes WHERE owner = $1", string(owner)).Scan(&nodes, &bytes)
	if err != nil {
		return 0, 0, fmt.Errorf("counting nodes: %w", err)
	}
	return nodes, bytes, nil
}

func (w *writer) PutNode(ctx context.Context, n pubsub.Node) error {
	config, err := json.Marshal(n.Config)
	if err != nil {
		return fmt.Errorf("storing a node: %w", err)
	}
	greets := 0
	if n.Config.Greets() {
		greets = 1
	}
	_, err = w.tx.ExecContext(ctx, `INSERT INTO pubsub_nodes (owner, name, jid, config, greets, created, items, bytes) VALUES ($1, $2, $3, $4, $5, $6, 0, 0)
		ON CONFLICT (owner, name) DO UPDATE SET jid = excluded.jid, config = excluded.config, greets = excluded.greets`,
		string(n.Owner), n.Name, n.JID, string(config), greets, n.Created.Unix())
	if err != nil {
		return fmt.Errorf("storing a node: %w", err)
	}
	return nil
}

func (w *writer) RemoveNode(ctx context.Context, owner identity.UserID, name string) error {
	for _, query := range []string{
		"DELETE FROM pubsub_items WHERE owner = $1 AND node = $2",
		"DELETE FROM pubsub_affiliations WHERE owner = $1 AND node = $2",
		"DELETE FROM pubsub_subscriptions WHERE owner = $1 AND node = $2",
		"DELETE FROM pubsub_nodes WHERE owner = $1 AND name = $2",
	} {
		if _, err := w.tx.ExecContext(ctx, query, string(owner), name); err != nil {
			return fmt.Errorf("removing a node: %w", err)
		}
	}
	return nil
}

// scanNode reads one row of pubsub_nodes; sql.ErrNoRows comes back as it is.
func scanNode(row sqldb.Scanner) (pubsub.Node, error) {
	var n pubsub.Node
	var owner, config string
	var created int64
	if err := row.Scan(&owner, &n.Name, &n.JID, &config, &created, &n.Items, &n.Bytes); err != nil {
		return n, err
	}
	n.Owner, n.Created = identity.UserID(owner), time.Unix(created, 0).UTC()
	if err := json.Unmarshal([]byte(config), &n.Config); err != nil {
		return n, fmt.Errorf("the configuration of a node: %w", err)
	}
	return n, nil
}
