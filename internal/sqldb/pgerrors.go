package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Codes of PostgreSQL (its manual, appendix A) that are told apart.
const (
	pgUnique   = "23505"
	pgForeign  = "23503"
	pgNoTable  = "42P01"
	pgReadOnly = "25006"
)

// pgCode is PostgreSQL's code in err, "" where err holds none.
func pgCode(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

// say makes of an error of the driver one that says what to do; others come back as they are.
func (p *postgres) say(err error) error {
	var done *fault
	if err == nil || errors.As(err, &done) {
		return err
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return p.sayServer(pe, err)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &connect):
		return p.gone(shortest(connect), err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, driver.ErrBadConn):
		return p.gone("the connection broke", err)
	case errors.As(err, &network), strings.Contains(err.Error(), "conn closed"): // pgx has no name for that one
		return p.gone("the connection broke", err)
	}
	return err
}

// sayServer is about an error that the server has sent.
func (p *postgres) sayServer(pe *pgconn.PgError, err error) error {
	role := p.conf.User
	switch {
	case pe.Code == "28P01" || pe.Code == "28000":
		return &fault{fmt.Sprintf("%s does not let in the role %q: %s. Check database.password (or PGPASSFILE, ~/.pgpass), and the server's pg_hba.conf", p.name, role, pe.Message), err}
	case pe.Code == "3D000":
		return &fault{fmt.Sprintf("%s does not exist. Make it: createdb --owner=%s --encoding=UTF8 --template=template0 %s", p.name, role, p.conf.Database), err}
	case pe.Code == "42501":
		return &fault{fmt.Sprintf("the role %q may not do this in %s: %s. Make it the owner: ALTER DATABASE %s OWNER TO %s", role, p.name, pe.Message, p.conf.Database, role), err}
	case pe.Code == "53300":
		return p.gone("it has no connection left (raise max_connections, or set pool_max_conns in database.url)", err)
	case strings.HasPrefix(pe.Code, "57P"), strings.HasPrefix(pe.Code, "08"), pe.Code == pgReadOnly:
		return p.gone(pe.Message, err)
	case strings.HasPrefix(pe.Code, "53"): // its disk is full, it has no memory
		return &fault{p.name + " has not enough room: " + pe.Message + ". Nothing was changed", err}
	}
	return err
}

// gone is an error of a server that is not there now.
func (p *postgres) gone(why string, err error) error {
	return &fault{fmt.Sprintf("cannot reach %s: %s. Look whether the server runs; it is tried again by itself", p.name, why), errors.Join(ErrGone, err)}
}

// shortest is what a failed connection comes down to: the server's address is known, and the same error
// for each of its addresses says nothing more.
func shortest(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	inner := errors.Unwrap(err)
	if inner == nil {
		return err.Error()
	}
	first, _, _ := strings.Cut(inner.Error(), "\n")
	return first
}
