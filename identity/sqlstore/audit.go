package sqlstore

import (
	"context"
	"database/sql"
	"strconv"

	"trivium/identity"
)

// AuditEvents implements identity.Store. It goes from each name to the next by the index.
func (r reader) AuditEvents(ctx context.Context) ([]string, error) {
	var out []string
	err := r.each(ctx, "reading the events of the audit log", func(rows *sql.Rows) error {
		var e string
		err := rows.Scan(&e)
		out = append(out, e)
		return err
	}, `WITH RECURSIVE known (event) AS (SELECT MIN(event) FROM identity_audit UNION ALL
		SELECT (SELECT MIN(a.event) FROM identity_audit a WHERE a.event > known.event) FROM known WHERE known.event IS NOT NULL)
		SELECT event FROM known WHERE event IS NOT NULL`)
	return out, err
}

// AuditRows implements identity.Store.
func (r reader) AuditRows(ctx context.Context, from int64, limit int) ([]identity.AuditRow, error) {
	var out []identity.AuditRow
	err := r.each(ctx, "reading the audit log", func(rows *sql.Rows) error {
		var row identity.AuditRow
		err := scanAudit(rows, &row.AuditEvent, &row.Chain)
		out = append(out, row)
		return err
	}, `SELECT `+auditColumns+`, chain FROM identity_audit WHERE id >= $1 ORDER BY id LIMIT $2`, from, limit)
	return out, err
}

// scanAudit reads auditColumns and what more there is.
func scanAudit(rows *sql.Rows, e *identity.AuditEvent, more ...any) error {
	var at int64
	err := rows.Scan(append([]any{&e.ID, &at, &e.Event, &e.Actor, &e.Via, &e.Subject, (*string)(&e.Protocol), (*string)(&e.Method),
		&e.Remote, &e.Session, &e.Result, &e.Detail, &e.Before, &e.After}, more...)...)
	e.Time = moment(at)
	return err
}

// AuditHead implements identity.Store.
func (r reader) AuditHead(ctx context.Context) (identity.AuditHead, error) {
	return r.auditHead(ctx, `SELECT began, id, chain, mac FROM identity_audit_head WHERE one = 1`)
}

// LockAuditHead implements identity.StoreWriter: writing the row locks it until the commit.
func (w *writer) LockAuditHead(ctx context.Context) (identity.AuditHead, error) {
	return w.auditHead(ctx, `UPDATE identity_audit_head SET one = 1 WHERE one = 1 RETURNING began, id, chain, mac`)
}

// auditHead reads the head. Where somebody has removed its row it is as in a store that nobody has
// appended to; identity knows better, and says so.
func (r reader) auditHead(ctx context.Context, query string) (h identity.AuditHead, err error) {
	err = r.q.QueryRowContext(ctx, query).Scan(&h.Began, &h.ID, &h.Chain, &h.MAC)
	if err == sql.ErrNoRows {
		err = r.q.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM identity_audit`).Scan(&h.ID)
		h.Began = h.ID
	}
	return h, unavailable("reading the head of the audit log", err)
}

// auditRows is how many rows one statement writes, where there are so many; it saves most of the work
// that is done for a statement and not for a row.
const auditRows = 64

// AppendAudit implements identity.StoreWriter.
func (w *writer) AppendAudit(ctx context.Context, head identity.AuditHead, rows ...identity.AuditRow) error {
	for len(rows) >= auditRows {
		if err := w.appendAudit(ctx, w.auditMany, rows[:auditRows]); err != nil {
			return err
		}
		rows = rows[auditRows:]
	}
	for i := range rows {
		if err := w.appendAudit(ctx, auditOne, rows[i:i+1]); err != nil {
			return err
		}
	}
	_, err := w.run(ctx, "writing the head of the audit log", `INSERT INTO identity_audit_head (one, began, id, chain, mac)
		VALUES (1, $1, $2, $3, $4) ON CONFLICT (one) DO UPDATE SET began = excluded.began, id = excluded.id,
		chain = excluded.chain, mac = excluded.mac`, head.Began, head.ID, head.Chain, head.MAC)
	return err
}

const (
	auditColumns = `id, at, event, actor, via, subject, protocol, method, remote, session, result, detail, before, after`
	auditInto    = `INSERT INTO identity_audit (` + auditColumns + `, host, chain) VALUES `
	auditOne     = auditInto + `($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
	auditArgs    = 16
)

// manyRows is the statement for auditRows rows.
func manyRows() string {
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

func (w *writer) appendAudit(ctx context.Context, query string, rows []identity.AuditRow) error {
	args := make([]any, 0, auditArgs*len(rows))
	for i := range rows {
		e := &rows[i]
		var host []byte
		if a := e.Host(); a.IsValid() {
			b := a.As16()
			host = b[:]
		}
		args = append(args, e.ID, micros(e.Time), e.Event, e.Actor, e.Via, e.Subject, string(e.Protocol), string(e.Method),
			e.Remote, e.Session, e.Result, e.Detail, e.Before, e.After, host, e.Chain)
	}
	_, err := w.run(ctx, "writing the audit log", query, args...)
	return err
}
