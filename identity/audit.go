package identity

import (
	"context"
	"strings"
)

// Bounds of a row of the audit log in bytes; what is longer is cut. Names there are what clients
// sent.
const (
	maxAuditField  = 1024
	maxAuditDetail = 16 << 10
)

// AuditEvent and AuditFilter stand in accounts.go.

// Record appends to the audit log; roads and packages above use it for changes of their own. A
// zero time is now.
func (s *Service) Record(ctx context.Context, e AuditEvent) error {
	if e.Time.IsZero() {
		e.Time = s.now()
	}
	e = cleaned(e)
	return s.store.Write(ctx, func(w StoreWriter) error { return w.AppendAudit(ctx, e) })
}

// Audit reads the log, newest first.
func (s *Service) Audit(ctx context.Context, f AuditFilter) ([]AuditEvent, error) {
	return s.store.Audit(ctx, f)
}

// cleaned makes every text of e one that each database takes, and bounds it.
func cleaned(e AuditEvent) AuditEvent {
	for _, f := range []*string{&e.Event, &e.Actor, &e.Via, &e.Subject, &e.Remote, &e.Session, &e.Result} {
		*f = clip(plain(*f), maxAuditField)
	}
	e.Protocol, e.Method = Protocol(clip(plain(string(e.Protocol)), maxAuditField)), Method(clip(plain(string(e.Method)), maxAuditField))
	for _, f := range []*string{&e.Detail, &e.Before, &e.After} {
		*f = clip(plain(*f), maxAuditDetail)
	}
	return e
}

// plain replaces what is not UTF-8 and the NUL, which PostgreSQL refuses.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}
