package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/webhooks"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the tables to their newest form.
func Migrate(ctx context.Context, db *sqldb.DB) error { return db.Migrate(ctx, "webhooks", migrations) }

// Store is a webhooks.Store.
type Store struct{ db *sqldb.DB }

var _ webhooks.Store = (*Store)(nil)

// New returns a store on a database that Migrate has been run on. The caller closes db.
func New(db *sqldb.DB) *Store { return &Store{db} }

func fault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return identity.ErrNotFound
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("webhooks: %w: %w", identity.ErrUnavailable, err)
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func (s *Store) hooks(ctx context.Context, rest string, args ...any) ([]webhooks.Hook, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, url, events, secret, active, note, created_by, created_at, position, failures, failing, next_at, why
		FROM webhooks `+rest, args...)
	if err != nil {
		return nil, fault(err)
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	var out []webhooks.Hook
	for rows.Next() {
		var h webhooks.Hook
		var events string
		var created, failing, next int64
		if err := rows.Scan(&h.ID, &h.URL, &events, &h.Secret, &h.Active, &h.Note, &h.CreatedBy, &created, &h.Position, &h.Failures, &failing, &next, &h.Why); err != nil {
			return nil, fault(err)
		}
		if events != "" {
			h.Events = strings.Split(events, "\n")
		}
		h.CreatedAt, h.Failing, h.NextAt = moment(created), moment(failing), moment(next)
		out = append(out, h)
	}
	return out, fault(rows.Err())
}

// Hooks implements webhooks.Store.
func (s *Store) Hooks(ctx context.Context) ([]webhooks.Hook, error) {
	return s.hooks(ctx, `ORDER BY created_at, id`)
}

// Hook implements webhooks.Store.
func (s *Store) Hook(ctx context.Context, id string) (webhooks.Hook, error) {
	list, err := s.hooks(ctx, `WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = identity.ErrNotFound
	}
	if err != nil {
		return webhooks.Hook{}, err
	}
	return list[0], nil
}

func (s *Store) exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, fault(err)
}

// PutHook implements webhooks.Store.
func (s *Store) PutHook(ctx context.Context, h webhooks.Hook) error {
	_, err := s.exec(ctx, `INSERT INTO webhooks (id, url, events, secret, active, note, created_by, created_at, position, failures, failing, next_at, why)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (id) DO UPDATE SET url = excluded.url, events = excluded.events, secret = excluded.secret, active = excluded.active, note = excluded.note,
		failures = excluded.failures, failing = excluded.failing, next_at = excluded.next_at, why = excluded.why`,
		h.ID, h.URL, strings.Join(h.Events, "\n"), h.Secret, h.Active, h.Note, h.CreatedBy, micros(h.CreatedAt), h.Position, h.Failures,
		micros(h.Failing), micros(h.NextAt), h.Why)
	return err
}

// RemoveHook implements webhooks.Store.
func (s *Store) RemoveHook(ctx context.Context, id string) error {
	n, err := s.exec(ctx, `DELETE FROM webhooks WHERE id = $1`, id)
	if err == nil && n == 0 {
		err = identity.ErrNotFound
	}
	return err
}

// Move implements webhooks.Store.
func (s *Store) Move(ctx context.Context, was int64, h webhooks.Hook) error {
	_, err := s.exec(ctx, `UPDATE webhooks SET position = $1, failures = $2, failing = $3, next_at = $4, active = $5, why = $6
		WHERE id = $7 AND position = $8 AND active`, h.Position, h.Failures, micros(h.Failing), micros(h.NextAt), h.Active, h.Why, h.ID, was)
	return err
}

// AddDelivery implements webhooks.Store.
func (s *Store) AddDelivery(ctx context.Context, d webhooks.Delivery, keep int) (id int64, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var last int64
		id = 0
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM webhook_deliveries WHERE hook = $1`, d.Hook).Scan(&last); err != nil {
			return err
		}
		_, err := tx.TryContext(ctx, `INSERT INTO webhook_deliveries (id, hook, message, event, at, status, took, error, attempt)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, last+1, d.Hook, d.Message, d.Event, micros(d.At), d.Status, d.Took.Microseconds(), d.Error, d.Attempt)
		if sqldb.IsForeign(err) {
			return nil // the subscription went meanwhile
		}
		if err != nil {
			return err
		}
		id = last + 1
		_, err = tx.ExecContext(ctx, `DELETE FROM webhook_deliveries WHERE hook = $1 AND id <= (SELECT id FROM webhook_deliveries WHERE hook = $1
			ORDER BY id DESC LIMIT 1 OFFSET $2)`, d.Hook, keep)
		return err
	})
	return id, fault(err)
}

// Deliveries implements webhooks.Store.
func (s *Store) Deliveries(ctx context.Context, hook string) ([]webhooks.Delivery, error) {
	return s.deliveries(ctx, `WHERE hook = $1 ORDER BY id DESC`, hook)
}

// LastDeliveries implements webhooks.Store.
func (s *Store) LastDeliveries(ctx context.Context) (map[string]webhooks.Delivery, error) {
	list, err := s.deliveries(ctx, `WHERE id = (SELECT MAX(d.id) FROM webhook_deliveries d WHERE d.hook = webhook_deliveries.hook)`)
	last := make(map[string]webhooks.Delivery, len(list))
	for _, d := range list {
		last[d.Hook] = d
	}
	return last, err
}

func (s *Store) deliveries(ctx context.Context, rest string, args ...any) ([]webhooks.Delivery, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, hook, message, event, at, status, took, error, attempt FROM webhook_deliveries `+rest, args...)
	if err != nil {
		return nil, fault(err)
	}
	defer func() { _ = rows.Close() }()
	out := []webhooks.Delivery{}
	for rows.Next() {
		var d webhooks.Delivery
		var at, took int64
		if err := rows.Scan(&d.ID, &d.Hook, &d.Message, &d.Event, &at, &d.Status, &took, &d.Error, &d.Attempt); err != nil {
			return nil, fault(err)
		}
		d.At, d.Took = moment(at), time.Duration(took)*time.Microsecond
		d.Millis = d.Took.Milliseconds()
		out = append(out, d)
	}
	return out, fault(rows.Err())
}
