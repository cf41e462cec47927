package webhooks

import (
	"context"
	"strings"
	"time"

	"trivium/identity"
)

// Hook is a subscription.
type Hook struct {
	ID        string
	URL       string
	Events    []string // names, or beginnings that end in .*; empty: all
	Secret    []byte   // sealed
	Active    bool
	Note      string
	CreatedBy string
	CreatedAt time.Time

	Position int64     // of the audit log: all rows up to it are done
	Failures int       // tries of the row after it that have failed
	Failing  time.Time // since when; zero: the last try was good
	NextAt   time.Time // not before
	Why      string    // it was switched off by itself; "" else
}

// Wants reports whether an event is subscribed to.
func (h Hook) Wants(event string) bool {
	if len(h.Events) == 0 {
		return true
	}
	for _, p := range h.Events {
		if Match(p, event) {
			return true
		}
	}
	return false
}

// Match reports whether a name meets a pattern: itself, a beginning that ends in .*, or *.
func Match(pattern, event string) bool {
	if head, ok := strings.CutSuffix(pattern, "*"); ok && (head == "" || strings.HasSuffix(head, ".")) {
		return strings.HasPrefix(event, head)
	}
	return pattern == event
}

// Delivery is one try.
type Delivery struct {
	ID      int64         `json:"id"`
	Hook    string        `json:"-"`
	Message string        `json:"webhook_id" doc:"the same for each try of one event"`
	Event   string        `json:"event"`
	At      time.Time     `json:"at"`
	Status  int           `json:"status" doc:"0: there was no answer"`
	Took    time.Duration `json:"-"`
	Millis  int64         `json:"took_ms"`
	Error   string        `json:"error" doc:"why it was not taken; empty: it was"`
	Attempt int           `json:"attempt"`
}

// Store keeps subscriptions and the last deliveries.
type Store interface {
	Hooks(ctx context.Context) ([]Hook, error) // by CreatedAt
	Hook(ctx context.Context, id string) (Hook, error)
	PutHook(ctx context.Context, h Hook) error // by ID
	RemoveHook(ctx context.Context, id string) error
	// Move sets Position, Failures, Failing, NextAt, Active and Why alone, where Position is still was; it
	// is no error where it is not, or the subscription is gone.
	Move(ctx context.Context, was int64, h Hook) error
	// AddDelivery keeps one, and of the subscription's the newest keep alone; it returns the ID, 0 where the
	// subscription is gone.
	AddDelivery(ctx context.Context, d Delivery, keep int) (int64, error)
	Deliveries(ctx context.Context, hook string) ([]Delivery, error) // the newest first
	LastDeliveries(ctx context.Context) (map[string]Delivery, error) // the newest of each subscription, by its ID
}

// Log is what webhooks needs of identity.
type Log interface {
	Audit(ctx context.Context, f identity.AuditFilter) ([]identity.AuditEvent, error)
	AuditHead(ctx context.Context) (identity.AuditHead, error)
	AuditChanged(ctx context.Context) (<-chan struct{}, error)
	Record(ctx context.Context, e identity.AuditEvent) error
	DeriveKey(use string) []byte
}
