package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Tx is one caller's part of the writer's transaction. It is valid only until the function it was
// given to returns, and only on that goroutine. Rows that are still open then are closed.
//
// A statement that fails ends the write on PostgreSQL, unless it was tried: no other may follow, and Write
// answers an error even where the function does not.
//
// Its contexts are looked at between statements and never interrupt one: SQLite answers an
// interrupted write with the rollback of the whole transaction, the work of all callers in it.
type Tx struct {
	w     *writer
	conn  *sql.Conn
	rows  []*sql.Rows
	row   []*sql.Row
	open  map[string]struct{} // texts of queries whose rows may be open
	bytes int                 // size of all arguments so far
	// lost is an error with which the engine may have rolled the transaction back: nothing more may run,
	// since it would be outside of any transaction. failed is an error that the caller may not have seen,
	// hidden by a sql.Row; aborted one after which PostgreSQL takes no more statements of this caller.
	lost, failed, aborted error
	done                  bool
}

// ExecContext runs a statement that answers no rows.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.check(ctx, query); err != nil {
		return nil, err
	}
	tx.count(args)
	ctx = context.WithoutCancel(ctx)
	var res sql.Result
	var err error
	if st := tx.prepared(ctx, query); st != nil {
		res, err = st.ExecContext(ctx, args...)
	} else {
		res, err = tx.conn.ExecContext(ctx, query, args...)
	}
	return res, tx.note(err)
}

// TryContext is ExecContext for a statement whose refusal the function can go on from: it undoes itself
// alone, and the rest of the write stands. On PostgreSQL that takes a savepoint around it.
func (tx *Tx) TryContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	p, ok := tx.w.engine.(*postgres)
	if !ok {
		return tx.ExecContext(ctx, query, args...)
	}
	if err := tx.check(ctx, query); err != nil {
		return nil, err
	}
	tx.count(args)
	res, refused, err := p.try(context.WithoutCancel(ctx), tx.conn, query, args)
	if refused {
		return nil, err
	}
	return res, tx.note(err)
}

// QueryContext runs a query; the rows must be closed before the next statement that writes.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.check(ctx, query); err != nil {
		return nil, err
	}
	tx.count(args)
	ctx = context.WithoutCancel(ctx)
	var rows *sql.Rows
	var err error
	if st := tx.prepared(ctx, query); st != nil {
		rows, err = st.QueryContext(ctx, args...)
	} else {
		rows, err = tx.conn.QueryContext(ctx, query, args...)
	}
	if err != nil {
		return nil, tx.note(err)
	}
	tx.hold(query)
	tx.rows = append(tx.rows, rows)
	return rows, nil
}

// QueryRowContext runs a query that answers at most one row; errors come from the row's Scan.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if err := tx.check(ctx, query); err != nil {
		// A sql.Row cannot be made with an error of ours. So the row is that of a context which is
		// over, and the reason becomes the caller's error if its function does not answer one.
		if !tx.done && tx.failed == nil {
			tx.failed = err
		}
		over, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancel()
		return tx.conn.QueryRowContext(over, "SELECT 1")
	}
	tx.count(args)
	ctx = context.WithoutCancel(ctx)
	var row *sql.Row
	if st := tx.prepared(ctx, query); st != nil {
		row = st.QueryRowContext(ctx, args...)
	} else {
		row = tx.conn.QueryRowContext(ctx, query, args...)
	}
	if err := row.Err(); err != nil {
		_ = tx.note(err) // the caller gets it from Scan
		return row
	}
	tx.hold(query)
	tx.row = append(tx.row, row)
	return row
}

// check answers why a statement may not run now.
func (tx *Tx) check(ctx context.Context, query string) error {
	switch {
	case tx.done:
		return ErrTxDone
	case tx.lost != nil:
		return tx.lost
	case tx.aborted != nil:
		return fmt.Errorf("after a statement of this write has failed: %w", tx.aborted)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case controls(query):
		return ErrTxControl
	}
	return nil
}

// controls reports whether a statement begins with a word that would end or nest the transaction.
func controls(query string) bool {
	q := strings.TrimLeft(query, " \t\r\n;")
	word := q
	if i := strings.IndexFunc(q, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' }); i >= 0 {
		word = q[:i]
	}
	switch len(word) {
	case 3, 5, 6, 7, 8, 9: // the lengths of the words below; most statements stop here or one step on
		switch strings.ToUpper(word) {
		case "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "VACUUM":
			return true
		}
	}
	return false
}

// prepared answers the kept statement for query, or nil where query must be run by itself: when
// rows of the same statement may be open, running it again would pull them away.
func (tx *Tx) prepared(ctx context.Context, query string) *sql.Stmt {
	if _, open := tx.open[query]; open {
		return nil
	}
	return tx.w.prepared(ctx, query)
}

func (tx *Tx) hold(query string) {
	if tx.open == nil {
		tx.open = make(map[string]struct{})
	}
	tx.open[query] = struct{}{}
}

// count adds what the arguments will roughly take in the write-ahead log.
func (tx *Tx) count(args []any) {
	for _, a := range args {
		switch v := a.(type) {
		case []byte:
			tx.bytes += len(v)
		case string:
			tx.bytes += len(v)
		default:
			tx.bytes += 8
		}
	}
}

// note remembers an error that took the whole transaction with it, or this caller's part of it.
func (tx *Tx) note(err error) error {
	switch {
	case err == nil:
	case tx.lost == nil && tx.w.engine.breaks(err):
		tx.lost = err
	case tx.aborted == nil && tx.w.engine.aborts():
		tx.aborted = err
	}
	return err
}

// end closes what was left open and makes the Tx unusable.
func (tx *Tx) end() {
	tx.done = true
	for _, r := range tx.rows {
		_ = r.Close() // an error of reading was the caller's to see in rows.Err
	}
	for _, r := range tx.row {
		_ = r.Scan() // closes it; harmless after the caller's own Scan
	}
}
