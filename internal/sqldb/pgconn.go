package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/stdlib"
)

// pgConnector makes connections whose errors are for people.
type pgConnector struct {
	driver.Connector
	pg   *postgres
	role pgRole
}

func (c *pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, c.pg.say(err)
	}
	inner, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(errors.New("the driver of PostgreSQL has another kind of connection"), conn.Close())
	}
	return &pgConn{inner, c.pg, c.role}, nil
}

// pgConn is a connection of the pool. The one that writes reads the rows of a query at once, so that the
// next statement may follow while they are looked at, as it may with SQLite.
type pgConn struct {
	*stdlib.Conn
	pg   *postgres
	role pgRole
}

// IsValid implements driver.Validator.
func (c *pgConn) IsValid() bool { return !c.Conn.Conn().IsClosed() }

func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := ctx.Err(); err != nil { // the driver would call the connection bad
		return nil, err
	}
	fitAll(args)
	res, err := c.Conn.ExecContext(ctx, query, args)
	return res, c.failure(ctx, err)
}

func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fitAll(args)
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.failure(ctx, err)
	}
	if c.role != pgWrites {
		return &pgRows{rows, c.pg}, nil
	}
	kept, err := readAll(rows)
	if err != nil {
		return nil, c.failure(ctx, err)
	}
	return kept, nil
}

func fitAll(args []driver.NamedValue) {
	for i := range args {
		args[i].Value = fit(args[i].Value)
	}
}

// fit is an argument as PostgreSQL takes it: its text is UTF-8 and has no NUL, where SQLite's is bytes.
// What does not fit becomes U+FFFD, so that a question for it finds nothing instead of failing; what is
// a name or is signed was checked before.
func fit(arg any) any {
	s, ok := arg.(string)
	if !ok || utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return arg
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// failure is an error for people. A read over a connection that had died is asked again on another one,
// which database/sql does at ErrBadConn; nothing else is, as it may have been done.
func (c *pgConn) failure(ctx context.Context, err error) error {
	if err == nil || err == driver.ErrBadConn && c.role != pgWrites {
		return err
	}
	if c.role == pgReads && c.Conn.Conn().IsClosed() && ctx.Err() == nil {
		return driver.ErrBadConn
	}
	return c.pg.say(err)
}

// pgRows are rows whose errors are for people.
type pgRows struct {
	driver.Rows
	pg *postgres
}

func (r *pgRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == nil || err == io.EOF {
		return err
	}
	return r.pg.say(err)
}

// keptRows are rows in memory.
type keptRows struct {
	columns []string
	rows    [][]driver.Value
}

func readAll(rows driver.Rows) (*keptRows, error) {
	k := &keptRows{columns: rows.Columns()}
	for {
		row := make([]driver.Value, len(k.columns))
		err := rows.Next(row)
		if err == io.EOF {
			return k, rows.Close()
		}
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		k.rows = append(k.rows, row)
	}
}

func (k *keptRows) Columns() []string { return k.columns }
func (k *keptRows) Close() error      { return nil }

func (k *keptRows) Next(dest []driver.Value) error {
	if len(k.rows) == 0 {
		return io.EOF
	}
	copy(dest, k.rows[0])
	k.rows = k.rows[1:]
	return nil
}

// patientConn is a connection to the server that waits for an answer for a time, and not for ever: a
// server whose machine stands still closes nothing.
type patientConn struct {
	net.Conn
	wait time.Duration
}

// Write begins the time, for all that is read answers something that was written.
func (c *patientConn) Write(b []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.wait)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
