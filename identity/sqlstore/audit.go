package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"trivium/identity"
)

// Audit implements identity.Store.
func (r reader) Audit(ctx context.Context, f identity.AuditFilter) ([]identity.AuditEvent, error) {
	exact, prefix := f.Event, ""
	if p, ok := strings.CutSuffix(f.Event, ".*"); ok {
		exact, prefix = "", likeEscaper().Replace(p)+".%"
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 200
	}
	var out []identity.AuditEvent
	err := r.each(ctx, "reading the audit log", func(rows *sql.Rows) error {
		var e identity.AuditEvent
		var at int64
		var protocol, method string
		err := rows.Scan(&at, &e.Event, &e.Actor, &e.Via, &e.Subject, &protocol, &method, &e.Remote, &e.Session, &e.Result, &e.Detail, &e.Before, &e.After)
		if err != nil {
			return err
		}
		e.Time, e.Protocol, e.Method = moment(at), identity.Protocol(protocol), identity.Method(method)
		out = append(out, e)
		return nil
	}, `SELECT at, event, actor, via, subject, protocol, method, remote, session, result, detail, before, after FROM identity_audit
		WHERE at >= $1 AND ($2 = '' OR event = $2) AND ($3 = '' OR event LIKE $3 ESCAPE '!')
		AND ($4 = '' OR subject = $4) AND ($5 = '' OR actor = $5)
		ORDER BY at DESC, id DESC LIMIT $6`,
		micros(f.Since), exact, prefix, f.Subject, f.Actor, limit)
	return out, err
}

// auditRows is how many rows one statement writes, where there are so many; it saves most of the work
// that is done for a statement and not for a row.
const auditRows = 16

// AppendAudit implements identity.StoreWriter.
func (w *writer) AppendAudit(ctx context.Context, events ...identity.AuditEvent) error {
	for len(events) >= auditRows {
		if err := w.appendAudit(ctx, auditMany(), events[:auditRows]); err != nil {
			return err
		}
		events = events[auditRows:]
	}
	for i := range events {
		if err := w.appendAudit(ctx, auditOne, events[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

const (
	auditInto = `INSERT INTO identity_audit (at, event, actor, via, subject, protocol, method, remote, session, result, detail, before, after) VALUES `
	auditOne  = auditInto + `($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	auditArgs = 13
)

// auditMany is the statement for auditRows rows.
func auditMany() string {
	b := append(make([]byte, 0, len(auditInto)+auditRows*auditArgs*6), auditInto...)
	for i := range auditRows * auditArgs {
		switch {
		case i == 0:
			b = append(b, "($"...)
		case i%auditArgs == 0:
			b = append(b, "), ($"...)
		default:
			b = append(b, ", $"...)
		}
		b = strconv.AppendInt(b, int64(i+1), 10)
	}
	return string(append(b, ')'))
}

func (w *writer) appendAudit(ctx context.Context, query string, events []identity.AuditEvent) error {
	args := make([]any, 0, auditArgs*len(events))
	for i := range events {
		e := &events[i]
		args = append(args, micros(e.Time), e.Event, e.Actor, e.Via, e.Subject, string(e.Protocol), string(e.Method), e.Remote, e.Session, e.Result, e.Detail, e.Before, e.After)
	}
	_, err := w.exec(ctx, "writing the audit log", query, args...)
	return err
}

// Bans implements identity.Store.
func (r reader) Bans(ctx context.Context) ([]identity.Ban, error) {
	var out []identity.Ban
	err := r.each(ctx, "reading bans", func(rows *sql.Rows) error {
		var b identity.Ban
		var since, until int64
		if err := rows.Scan(&b.Prefix, &b.Reason, &since, &until, &b.Count); err != nil {
			return err
		}
		b.Since, b.Until = moment(since), moment(until)
		out = append(out, b)
		return nil
	}, `SELECT prefix, reason, since, until, count FROM identity_bans ORDER BY since DESC, prefix`)
	return out, err
}

// PutBan implements identity.StoreWriter.
func (w *writer) PutBan(ctx context.Context, b identity.Ban) error {
	_, err := w.exec(ctx, "keeping a ban", `INSERT INTO identity_bans (prefix, reason, since, until, count)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (prefix) DO UPDATE SET reason = excluded.reason, since = excluded.since,
		until = excluded.until, count = excluded.count`, b.Prefix, b.Reason, micros(b.Since), micros(b.Until), b.Count)
	return err
}

// RemoveBan implements identity.StoreWriter.
func (w *writer) RemoveBan(ctx context.Context, prefix string) error {
	return w.change(ctx, "lifting a ban", `DELETE FROM identity_bans WHERE prefix = $1`, prefix)
}

// Setting implements identity.Store.
func (r reader) Setting(ctx context.Context, name string) (string, error) {
	var value string
	err := r.q.QueryRowContext(ctx, `SELECT value FROM identity_settings WHERE name = $1`, name).Scan(&value)
	return value, unavailable("reading a setting", err)
}

// PutSetting implements identity.StoreWriter.
func (w *writer) PutSetting(ctx context.Context, name, value string) error {
	if value == "" {
		_, err := w.exec(ctx, "removing a setting", `DELETE FROM identity_settings WHERE name = $1`, name)
		return err
	}
	_, err := w.exec(ctx, "keeping a setting", `INSERT INTO identity_settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
