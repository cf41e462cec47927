package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// pgOldest is the oldest server that is taken, as server_version_num has it: 13.0.
	pgOldest = 130000
	// pgStatement bounds one statement, and the time for which a process that has come to a halt in the
	// middle of a write keeps others from writing.
	pgStatement = time.Minute
	// pgKept is how many statements a connection keeps prepared.
	pgKept = 512
)

// The advisory locks of a database. The first half of the key is ours.
const (
	pgLockSpace   = 0x54726976 // "Triv"
	pgLockWrite   = 1          // of a transaction: who writes now
	pgLockAlone   = 2          // of a session: which process has the database for itself
	pgLockMigrate = 3          // of a session: who migrates now
)

// postgres is a PostgreSQL database.
type postgres struct {
	conf    *pgx.ConnConfig
	name    string // of the database and its server, for people
	readers int
	log     *slog.Logger

	alone atomic.Bool // whether the write connection takes pgLockAlone
	mine  atomic.Pointer[pgBackend]
}

// pgBackend is a process of the server: the one behind a connection.
type pgBackend struct {
	pid     uint32
	started time.Time
}

func (p *postgres) dialect() Dialect        { return Postgres }
func (p *postgres) place() string           { return p.name }
func (p *postgres) prepares() bool          { return false } // pgx keeps those of each connection
func (p *postgres) aborts() bool            { return true }
func (p *postgres) finish(*sql.DB) error    { return nil }
func (p *postgres) explain(err error) error { return p.say(err) }

// begin waits for other processes that write: changes are numbered in the order of their commits,
// which readers go by.
func (p *postgres) begin() (string, bool) {
	return "BEGIN; SELECT pg_advisory_xact_lock(" + strconv.Itoa(pgLockSpace) + ", " + strconv.Itoa(pgLockWrite) + "); SAVEPOINT caller", true
}

func (p *postgres) breaks(err error) bool {
	return errors.Is(err, ErrGone) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}

func (p *postgres) state(conn *sql.Conn) (s txState) {
	s = txNone
	_ = conn.Raw(func(c any) error { // its error is that of a connection that has gone
		pg, ok := c.(*pgConn)
		if !ok || pg.Conn.Conn().IsClosed() {
			return nil
		}
		switch pg.Conn.Conn().PgConn().TxStatus() {
		case 'T':
			s = txOpen
		case 'E':
			s = txFailed
		}
		return nil
	})
	return s
}

// try runs a statement in a savepoint of its own, all in one round trip; refused says that the statement
// failed and the transaction stands as it was before.
func (p *postgres) try(ctx context.Context, conn *sql.Conn, query string, args []any) (res driver.RowsAffected, refused bool, err error) {
	err = conn.Raw(func(c any) error {
		pg, ok := c.(*pgConn)
		if !ok {
			return errors.New("the connection is none of PostgreSQL")
		}
		fitted := make([]any, len(args))
		for i := range args {
			fitted[i] = fit(args[i])
		}
		var b pgx.Batch
		b.Queue("SAVEPOINT attempt")
		b.Queue(query, fitted...)
		b.Queue("RELEASE attempt")
		inner := pg.Conn.Conn()
		results := inner.SendBatch(ctx, &b)
		_, err := results.Exec()
		if err == nil {
			tag, terr := results.Exec()
			res, err = driver.RowsAffected(tag.RowsAffected()), terr
		}
		err = errors.Join(err, results.Close())
		if err == nil || inner.IsClosed() {
			return p.say(err)
		}
		if inner.PgConn().TxStatus() == 'E' {
			if _, rerr := inner.Exec(ctx, "ROLLBACK TO attempt; RELEASE attempt"); rerr != nil {
				return p.say(errors.Join(err, rerr))
			}
		}
		refused = true
		return p.say(err)
	})
	return res, refused, err
}

func (p *postgres) open(ctx context.Context, write bool) (*sql.DB, error) {
	role, n := pgReads, p.readers
	if write {
		role, n = pgWrites, 1
	}
	return p.pool(ctx, role, n)
}

func (p *postgres) pool(ctx context.Context, role pgRole, n int) (*sql.DB, error) {
	pool := sql.OpenDB(p.connector(role))
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}

// migrator holds a lock of the session from before the version is read until the last file is done.
func (p *postgres) migrator(ctx context.Context) (*sql.DB, func() error, error) {
	pool, err := p.pool(ctx, pgMigrates, 2)
	if err != nil {
		return nil, nil, err
	}
	conn, err := pool.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, "SELECT pg_advisory_lock("+strconv.Itoa(pgLockSpace)+", "+strconv.Itoa(pgLockMigrate)+")")
	}
	if err != nil {
		return nil, nil, errors.Join(err, pool.Close())
	}
	// The session ends with its connection, and the lock with it.
	return pool, func() error {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		return nil
	}, nil
}

// pgRole is what a connection is for.
type pgRole int

const (
	pgReads pgRole = iota
	pgWrites
	pgMigrates
)

func (p *postgres) connector(role pgRole) driver.Connector {
	conf := p.conf.Copy()
	conf.DialFunc = dialWith(pgStatement + 30*time.Second)
	if role == pgMigrates {
		conf.DialFunc = dialWith(0)
	}
	inner := stdlib.GetConnector(*conf,
		// A connection that has died while nobody used it is found by the query, which is then asked again.
		stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false }),
		stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error { return p.greet(ctx, conn, role) }))
	return &pgConnector{Connector: inner, pg: p, role: role}
}

// greet makes a new connection what it is for, and refuses a server that would not do.
func (p *postgres) greet(ctx context.Context, conn *pgx.Conn, role pgRole) error {
	fixed := map[string]string{
		"default_transaction_isolation":       "read committed",
		"default_transaction_read_only":       "off",
		"statement_timeout":                   strconv.FormatInt(pgStatement.Milliseconds(), 10),
		"idle_in_transaction_session_timeout": strconv.FormatInt(pgStatement.Milliseconds(), 10),
		// So that what a machine that has lost its power holds is let go.
		"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3",
	}
	switch role {
	case pgReads:
		fixed["default_transaction_read_only"] = "on"
	case pgMigrates:
		fixed["statement_timeout"], fixed["idle_in_transaction_session_timeout"] = "0", "0"
	}
	names, values := make([]string, 0, len(fixed)), make([]string, 0, len(fixed))
	for k, v := range fixed {
		names, values = append(names, k), append(values, v)
	}
	var settings, version int
	var encoding, sync, fsync string
	var standby bool
	me := pgBackend{pid: conn.PgConn().PID()}
	err := conn.QueryRow(ctx, `SELECT count(set_config(s.name, s.value, false)), current_setting('server_version_num')::int,
		current_setting('server_encoding'), current_setting('synchronous_commit'), current_setting('fsync'), pg_is_in_recovery(),
		COALESCE((SELECT backend_start FROM pg_stat_get_activity(pg_backend_pid())), now())
		FROM unnest($1::text[], $2::text[]) AS s (name, value)`, names, values).Scan(&settings, &version, &encoding, &sync, &fsync, &standby, &me.started)
	switch {
	case err != nil:
		return err
	case version < pgOldest:
		return &fault{fmt.Sprintf("%s is PostgreSQL %d.%d, and this program needs 13 or newer. Upgrade the server, or set database.url to another", p.name, version/10000, version%10000), errServer}
	case encoding != "UTF8":
		return &fault{fmt.Sprintf("%s has the encoding %s, which cannot keep all names. Make a database with it: createdb --encoding=UTF8 --template=template0 NAME", p.name, encoding), errServer}
	case standby:
		return &fault{p.name + " is a standby, which takes no changes. Name the primary server in database.url, or all with target_session_attrs=read-write", errors.Join(errServer, ErrGone)}
	}
	if role != pgWrites {
		return nil
	}
	if sync == "off" { // what was acknowledged would be lost with the power
		if _, err := conn.Exec(ctx, "SET synchronous_commit = on"); err != nil {
			return err
		}
	}
	if fsync == "off" {
		p.log.Warn("the database server does not wait for its disk: fsync is off, and a power failure can destroy the database", "database", p.name)
	}
	return p.claim(ctx, conn, me)
}

// errServer is the cause of a fault of the server's own making.
var errServer = errors.New("the database server cannot be used")

const (
	// aloneWait is how long a process waits for one that is ending.
	aloneWait  = 5 * time.Second
	alonePause = 50 * time.Millisecond
)

// claim takes the database for this process, where it has it for itself. What held it before is ended where
// that was a connection of this process which the server has not yet seen break.
func (p *postgres) claim(ctx context.Context, conn *pgx.Conn, me pgBackend) error {
	before := p.mine.Load()
	if p.alone.Load() {
		var ours bool
		lock := func() error { return conn.QueryRow(ctx, p.aloneQuery()).Scan(&ours) }
		if err := lock(); err != nil {
			return err
		}
		for deadline := time.Now().Add(aloneWait); !ours && before != nil && time.Now().Before(deadline); {
			_, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2", before.pid, before.started)
			if err == nil {
				err = pause(ctx, alonePause)
			}
			if err == nil {
				err = lock()
			}
			if err != nil {
				return err
			}
		}
		if !ours {
			return p.taken()
		}
	}
	p.mine.Store(&me)
	return nil
}

func (p *postgres) aloneQuery() string {
	return "SELECT pg_try_advisory_lock(" + strconv.Itoa(pgLockSpace) + ", " + strconv.Itoa(pgLockAlone) + ")"
}

func (p *postgres) taken() error {
	return &fault{p.name + " is in use by another Trivium, which writes to it. One process at a time works on a database: stop the other, or give this one a database of its own", ErrInUse}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Alone takes the database for this process alone for as long as it is open: another process that asks
// for the same gets [ErrInUse], now or, where the connection has broken and the other was faster, with
// each write. Those that do not ask are not kept out. It waits some seconds for a process that is
// ending. An SQLite file needs none of this: the lock of its data directory does it.
func (db *DB) Alone(ctx context.Context) error {
	p, ok := db.engine.(*postgres)
	if !ok {
		return nil
	}
	deadline := time.Now().Add(aloneWait)
	for {
		var ours bool
		// The lock is the session's: it stays when the transaction has ended.
		err := db.Write(ctx, func(tx *Tx) error { return tx.QueryRowContext(ctx, p.aloneQuery()).Scan(&ours) })
		switch {
		case err != nil:
			return err
		case ours:
			p.alone.Store(true)
			return nil
		case time.Now().After(deadline):
			return p.taken()
		}
		if err := pause(ctx, alonePause); err != nil {
			return err
		}
	}
}
