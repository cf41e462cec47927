package sqldb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// pgExample is how a URL is written.
const pgExample = "postgres://trivium@db.example.org/trivium"

// newPG reads a URL of PostgreSQL as libpq does, with its environment (PGPASSFILE, PGSSLROOTCERT, …). No error
// repeats the URL, which may hold a password.
func newPG(raw string, log *slog.Logger) (*postgres, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the database URL cannot be read; what is special in a password has to be written as %XX, or goes into database.password. Example: " + pgExample)
	}
	q := u.Query()
	p := &postgres{readers: readers, log: log}
	if text := q.Get("pool_max_conns"); text != "" {
		if p.readers, err = strconv.Atoi(text); err != nil || p.readers < 1 || p.readers > 500 {
			return nil, errors.New("pool_max_conns in the database URL is how many connections read: a number from 1 to 500")
		}
		q.Del("pool_max_conns")
	}
	if strings.Trim(u.Path, "/") == "" && q.Get("dbname") == "" && os.Getenv("PGDATABASE") == "" {
		return nil, errors.New("the database URL names no database. Example: " + pgExample)
	}
	if !q.Has("sslmode") && os.Getenv("PGSSLMODE") == "" && !local(u, q) {
		q.Set("sslmode", "verify-full") // libpq's own default takes any server, and plain text too
	}
	u.RawQuery = q.Encode()
	if p.conf, err = pgx.ParseConfig(u.String()); err != nil {
		return nil, fmt.Errorf("the database URL cannot be used: %s. Example: %s", parseFault(err), pgExample)
	}
	p.name = placeOf(p.conf)
	p.tune()
	return p, nil
}

// local reports whether the server is on this machine.
func local(u *url.URL, q url.Values) bool {
	hosts := u.Host
	if h := q.Get("host"); h != "" {
		hosts = h
	}
	if hosts == "" {
		hosts = os.Getenv("PGHOST")
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		ip := net.ParseIP(host)
		if host != "" && !strings.HasPrefix(host, "/") && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// parseFault is what pgx found wrong, without the text that it was in.
func parseFault(err error) string {
	var pe *pgconn.ParseConfigError
	if !errors.As(err, &pe) {
		return "it has a fault"
	}
	text := strings.Replace(err.Error(), pe.ConnString, "", 1)
	if _, after, ok := strings.Cut(text, "`: "); ok {
		text = after
	}
	if u, err := url.Parse(pe.ConnString); err == nil {
		secret, _ := u.User.Password()
		for _, s := range []string{secret, u.Query().Get("password"), u.Query().Get("sslpassword")} {
			if s != "" && strings.Contains(text, s) {
				return "it has a fault"
			}
		}
	}
	return text
}

func placeOf(c *pgx.ConnConfig) string {
	where := net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
	if strings.HasPrefix(c.Host, "/") {
		where = c.Host
	}
	return fmt.Sprintf("the PostgreSQL database %s at %s", c.Database, where)
}

// tune sets what every connection has.
func (p *postgres) tune() {
	c := p.conf
	c.StatementCacheCapacity = pgKept
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "trivium"
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if len(c.Fallbacks) > 0 && c.ValidateConnect == nil { // of several servers, the one that takes changes
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	// A query that nobody waits for any more is cancelled at the server, and its connection stays.
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 5 * time.Second}
	}
}

// dialWith is how a connection is made; wait is how long an answer of the server is waited for, 0 for ever.
func dialWith(wait time.Duration) pgconn.DialFunc {
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil || wait == 0 {
			return conn, err
		}
		return &patientConn{conn, wait}, nil
	}
}
