package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"trivium/cmd/trivium/app"
	"trivium/config"
)

type storeCmd struct {
	Move storeMoveCmd `cmd:"" help:"Move an SQLite store to PostgreSQL."`
}

type storeMoveCmd struct {
	To string `name:"to" required:"" placeholder:"URL" help:"The empty database: postgres://ROLE@HOST/DATABASE, without a password."`
	passwordFlags
}

// Help has the examples.
func (c *storeMoveCmd) Help() string {
	return "The server must be stopped. All is moved at once or nothing is; the file stays as it was. A move that broke off may be begun again.\n" +
		"The password of the role comes from --password-file, --password-stdin, database.password, $PGPASSFILE or ~/.pgpass, never from the URL, which others can see.\n" +
		"Then set database.url to the same URL, and start the server.\n" +
		"Examples:\n\n  trivium store move --to postgres://trivium@db.example.org/trivium --password-file /etc/trivium/database.password\n" +
		"  trivium store move --to 'postgres:///trivium?host=/run/postgresql&user=trivium'"
}

// Run moves.
func (c *storeMoveCmd) Run(s *shell) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	if err := config.CheckPostgres(c.To); err != nil {
		return usage("what --to says %s", err)
	}
	password, ok, err := c.read(s, "", false)
	if err != nil {
		return err
	}
	if !ok {
		password = cfg.Database.Password.Reveal()
	}
	to := c.To
	if password != "" {
		u, err := url.Parse(c.To)
		if err != nil {
			return usage("what --to says is no URL")
		}
		u.User = url.UserPassword(u.User.Username(), password)
		to = u.String()
	}
	var progress func(string, int64, int64)
	if terminal(s.stderr) && !s.Quiet && !s.JSON {
		progress = c.progress(s)
	}
	m, err := app.MoveStore(s.ctx, cfg, to, progress)
	if progress != nil {
		_, _ = fmt.Fprint(s.stderr, "\r\x1b[K") // what is left of it says nothing any more
	}
	if err != nil {
		return moveError(err, m)
	}
	if m.Altered > 0 {
		_, _ = fmt.Fprintf(s.stderr, "%d texts that were no UTF-8 have U+FFFD in the places of what PostgreSQL cannot have.\n", m.Altered)
	}
	return s.done(map[string]any{"from": m.From, "to": m.To, "tables": m.Tables, "rows": m.Rows, "altered": m.Altered},
		"Moved %d rows in %d tables to %s, and counted them there.\nNow set database.url = %q, start the server, and check: trivium audit verify\nThe file %s stays as it was; keep it until you have a backup of the database.",
		m.Rows, m.Tables, m.To, c.To, m.From)
}

// progress writes how far it is, a few times a second, over what it wrote last.
func (c *storeMoveCmd) progress(s *shell) func(string, int64, int64) {
	var last time.Time
	return func(table string, rows, total int64) {
		if time.Since(last) < 200*time.Millisecond {
			return
		}
		last = time.Now()
		_, _ = fmt.Fprintf(s.stderr, "\r\x1b[K%3d %%  %d of %d rows  %s", rows*100/max(total, 1), rows, total, table)
	}
}

func moveError(err error, m app.MovedStore) error {
	switch {
	case errors.Is(err, app.ErrRunning):
		return &failure{exit: exitRefused, code: "running", message: "the server is running, or another command works on its data", hint: "stop it first: nothing may change while the store is moved"}
	case errors.Is(err, app.ErrNotSQLite):
		return &failure{exit: exitRefused, code: "refused", message: "the store is no SQLite file: database.url names PostgreSQL already", hint: "name the file: trivium store move --set database.url=sqlite:trivium.db --to URL"}
	case errors.Is(err, app.ErrNotEmpty):
		return &failure{exit: exitRefused, code: "not_empty", message: m.To + ": " + err.Error() + ". Nothing was moved", hint: "make another one: createdb --owner=ROLE --encoding=UTF8 --template=template0 NAME"}
	}
	return fmt.Errorf("nothing was moved: %w", err)
}
