package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/pubsub"
)

func (r reader) Item(ctx context.Context, owner identity.UserID, node, id string) (pubsub.Item, error) {
	i, err := scanItem(r.q.QueryRowContext(ctx, "SELECT id, seq, payload, publisher, published FROM pubsub_items WHERE owner = $1 AND node = $2 AND id = $3", string(owner), node, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = identity.ErrNotFound
	}
	if err != nil {
		return pubsub.Item{}, fmt.Errorf("reading an item: %w", err)
	}
	return i, nil
}

const (
	pageForward = `SELECT id, seq, payload, publisher, published FROM pubsub_items
		WHERE owner = $1 AND node = $2 AND seq > $3 AND seq < $4 AND published >= $5 ORDER BY seq LIMIT $6`
	pageBack = `SELECT id, seq, payload, publisher, published FROM pubsub_items
		WHERE owner = $1 AND node = $2 AND seq > $3 AND seq < $4 AND published >= $5 ORDER BY seq DESC LIMIT $6`
)

func (r reader) Items(ctx context.Context, owner identity.UserID, node string, p pubsub.Page) (list []pubsub.Item, more bool, err error) {
	before := p.Before
	if before == 0 {
		before = math.MaxInt64
	}
	query := pageForward
	if p.Last {
		query = pageBack
	}
	rows, err := r.q.QueryContext(ctx, query, string(owner), node, p.After, before, since(p.Since), p.Max+1)
	if err != nil {
		return nil, false, fmt.Errorf("reading items: %w", err)
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	var bytes int64
	for rows.Next() {
		i, err := scanItem(rows)
		if err != nil {
			return nil, false, fmt.Errorf("reading items: %w", err)
		}
		bytes += i.Size()
		if len(list) >= p.Max || len(list) > 0 && bytes > p.Bytes {
			more = true
			break
		}
		list = append(list, i)
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("reading items: %w", err)
	}
	if p.Last {
		slices.Reverse(list)
	}
	return list, more, nil
}

// since is a time as the column published has it; the zero time is before all.
func since(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (r reader) Count(ctx context.Context, owner identity.UserID, node string, seq int64, newer time.Time) (int, error) {
	if seq == 0 {
		seq = math.MaxInt64
	}
	var n int
	err := r.q.QueryRowContext(ctx, "SELECT COUNT(*) FROM pubsub_items WHERE owner = $1 AND node = $2 AND seq < $3 AND published >= $4", string(owner), node, seq, since(newer)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting items: %w", err)
	}
	return n, nil
}

func (w *writer) PutItem(ctx context.Context, owner identity.UserID, node string, i pubsub.Item) error {
	if _, err := w.RemoveItem(ctx, owner, node, i.ID); err != nil {
		return err
	}
	var seq int64
	err := w.tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(seq), 0) + 1 FROM pubsub_items WHERE owner = $1 AND node = $2", string(owner), node).Scan(&seq)
	if err != nil {
		return fmt.Errorf("storing an item: %w", err)
	}
	// A number is not given twice, even where the newest item has gone: time is ahead of any count.
	seq = max(seq, i.Published.UnixMicro())
	_, err = w.tx.ExecContext(ctx, "INSERT INTO pubsub_items (owner, node, id, seq, payload, publisher, published, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		string(owner), node, i.ID, seq, i.Payload, i.Publisher, i.Published.UnixMilli(), i.Size())
	if err != nil {
		return fmt.Errorf("storing an item: %w", err)
	}
	return w.count(ctx, owner, node, 1, i.Size())
}

// count adds to what a node counts.
func (w *writer) count(ctx context.Context, owner identity.UserID, node string, items int, bytes int64) error {
	_, err := w.tx.ExecContext(ctx, "UPDATE pubsub_nodes SET items = items + $1, bytes = bytes + $2 WHERE owner = $3 AND name = $4", items, bytes, string(owner), node)
	if err != nil {
		return fmt.Errorf("counting items: %w", err)
	}
	return nil
}

func (w *writer) RemoveItem(ctx context.Context, owner identity.UserID, node, id string) (bool, error) {
	var bytes int64
	err := w.tx.QueryRowContext(ctx, "SELECT bytes FROM pubsub_items WHERE owner = $1 AND node = $2 AND id = $3", string(owner), node, id).Scan(&bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("removing an item: %w", err)
	}
	if _, err := w.tx.ExecContext(ctx, "DELETE FROM pubsub_items WHERE owner = $1 AND node = $2 AND id = $3", string(owner), node, id); err != nil {
		return false, fmt.Errorf("removing an item: %w", err)
	}
	return true, w.count(ctx, owner, node, -1, -bytes)
}

func (w *writer) RemoveItems(ctx context.Context, owner identity.UserID, node string, before time.Time) error {
	end := int64(math.MaxInt64)
	if !before.IsZero() {
		end = before.UnixMilli()
	}
	var n int
	var bytes int64
	err := w.tx.QueryRowContext(ctx, "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM pubsub_items WHERE owner = $1 AND node = $2 AND published < $3", string(owner), node, end).Scan(&n, &bytes)
	if err != nil || n == 0 {
		return wrap("removing items", err)
	}
	if _, err := w.tx.ExecContext(ctx, "DELETE FROM pubsub_items WHERE owner = $1 AND node = $2 AND published < $3", string(owner), node, end); err != nil {
		return fmt.Errorf("removing items: %w", err)
	}
	return w.count(ctx, owner, node, -n, -bytes)
}

func (w *writer) Trim(ctx context.Context, owner identity.UserID, node string, keep int) (ids []string, err error) {
	var n int
	err = w.tx.QueryRowContext(ctx, "SELECT items FROM pubsub_nodes WHERE owner = $1 AND name = $2", string(owner), node).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil || n <= keep {
		return nil, wrap("counting items", err)
	}
	ids, err = sqldb.All(scanID)(
		w.tx.QueryContext(ctx, "SELECT id FROM pubsub_items WHERE owner = $1 AND node = $2 ORDER BY seq LIMIT $3", string(owner), node, n-keep))
	if err != nil {
		return nil, fmt.Errorf("removing items: %w", err)
	}
	for _, id := range ids {
		if _, err := w.RemoveItem(ctx, owner, node, id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// scanItem reads one row of pubsub_items; sql.ErrNoRows comes back as it is.
func scanItem(row sqldb.Scanner) (pubsub.Item, error) {
	var i pubsub.Item
	var published int64
	if err := row.Scan(&i.ID, &i.Seq, &i.Payload, &i.Publisher, &published); err != nil {
		return i, err
	}
	i.Published = time.UnixMilli(published).UTC()
	return i, nil
}

func scanID(row sqldb.Scanner) (id string, err error) {
	err = row.Scan(&id)
	return id, err
}
