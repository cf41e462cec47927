package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Size is how many bytes the store takes, roughly.
func (db *DB) Size(ctx context.Context) (n int64, err error) {
	query := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if db.Dialect() == Postgres {
		query = "SELECT pg_database_size(current_database())"
	}
	err = db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// Snapshot writes what the store holds at one moment into a new SQLite file, which must not exist, of
// mode 0600. Who writes meanwhile is not held up: it reads in a transaction of its own. From PostgreSQL
// all tables are copied in one REPEATABLE READ transaction into a file whose tables migrate has made;
// seeds are the tables in which that writes rows, which are replaced. What is half written is removed.
func (db *DB) Snapshot(ctx context.Context, file string, migrate func(context.Context, *DB) error, seeds []string) (err error) {
	if err := touchNew(file); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			for _, end := range []string{"", "-wal", "-shm", "-journal"} {
				_ = os.Remove(file + end)
			}
		}
	}()
	if db.Dialect() == SQLite {
		return db.vacuumInto(ctx, file)
	}
	to, err := Open(ctx, "sqlite:"+file, db.log)
	if err != nil {
		return err
	}
	if err = migrate(ctx, to); err == nil {
		err = db.copyInto(ctx, to, seeds)
	}
	return errors.Join(err, to.Close())
}

// touchNew makes an empty file, which SQLite takes for a new database.
func touchNew(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// vacuumInto copies an SQLite file (https://sqlite.org/lang_vacuum.html section 3): one read transaction,
// whose file is whole when it ends and needs no log beside it.
func (db *DB) vacuumInto(ctx context.Context, file string) (err error) {
	l, ok := db.engine.(lite)
	if !ok {
		return errors.New("the store is no SQLite file")
	}
	// A connection of its own: those that read may not write, not even elsewhere, and the one that writes is busy.
	pool, err := sql.Open("sqlite", strings.Replace(dsn(l.path, false), "_pragma=query_only%281%29", "_pragma=temp_store%28FILE%29", 1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if _, err := pool.ExecContext(ctx, "VACUUM INTO $1", file); err != nil {
		return fmt.Errorf("copying the database %s: %w", l.path, err)
	}
	return nil
}

// copyInto copies all rows of a PostgreSQL store into an SQLite file with the same tables, empty but for
// seeds. Times become the text in which SQLite's driver writes them.
func (db *DB) copyInto(ctx context.Context, to *DB, seeds []string) (err error) {
	source, ok := db.engine.(*postgres)
	if !ok {
		return errors.New("the store is no PostgreSQL database")
	}
	tables, err := to.moveTables(ctx)
	if err != nil {
		return err
	}
	pool, err := source.pool(ctx, pgMigrates, 1)
	if err != nil {
		return source.say(err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return source.say(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	file, err := to.engine.open(ctx, true) // the connection of the writer is the writer's
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	target, err := file.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	// What is copied is whole or thrown away, and rows come in the order of tables, not of keys.
	for _, pragma := range []string{"PRAGMA foreign_keys = OFF", "PRAGMA synchronous = OFF"} {
		if _, err := target.ExecContext(ctx, pragma); err != nil {
			return err
		}
	}
	return conn.Raw(func(c any) error {
		pg, ok := c.(*pgConn)
		if !ok {
			return errors.New("the connection is none of PostgreSQL")
		}
		err := pgx.BeginTxFunc(ctx, pg.Conn.Conn(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			return copyTables(ctx, tx, target, tables, seeds)
		})
		return source.say(err)
	})
}

func copyTables(ctx context.Context, tx pgx.Tx, target *sql.Conn, tables []moveTable, seeds []string) (err error) {
	if _, err := target.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = target.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // the error before it counts
		}
	}()
	for _, t := range tables {
		types, err := pgColumns(ctx, tx, t)
		if err != nil {
			return err
		}
		if slices.Contains(seeds, t.name) {
			if _, err := target.ExecContext(ctx, "DELETE FROM "+quote(t.name)); err != nil {
				return err
			}
		}
		if err := copyTable(ctx, tx, target, t, types); err != nil {
			return fmt.Errorf("copying %s: %w", t.name, err)
		}
	}
	_, err = target.ExecContext(ctx, "COMMIT")
	return err
}

// copyTable copies one table, and the number that it gave out last.
func copyTable(ctx context.Context, tx pgx.Tx, target *sql.Conn, t moveTable, types map[string]pgColumn) error {
	names, marks := make([]string, len(t.columns)), make([]string, len(t.columns))
	for i, n := range t.columns {
		names[i], marks[i] = quote(n), fmt.Sprintf("$%d", i+1)
	}
	list := strings.Join(names, ", ")
	rows, err := tx.Query(ctx, "SELECT "+list+" FROM "+quote(t.name))
	if err != nil {
		return err
	}
	defer rows.Close()
	put, err := target.PrepareContext(ctx, "INSERT INTO "+quote(t.name)+" ("+list+") VALUES ("+strings.Join(marks, ", ")+")")
	if err != nil {
		return err
	}
	defer func() { _ = put.Close() }() // nothing hangs on it
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		for i, v := range values {
			if at, ok := v.(time.Time); ok {
				values[i] = at.UTC()
			}
		}
		if _, err := put.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for n, c := range types {
		if !c.identity {
			continue
		}
		var given *int64
		if err := tx.QueryRow(ctx, "SELECT pg_sequence_last_value(pg_get_serial_sequence($1, $2)::regclass)", quote(t.name), n).Scan(&given); err != nil {
			return err
		}
		if err := setSequence(ctx, target, t.name, given); err != nil {
			return err
		}
	}
	return nil
}

// setSequence makes a table go on behind the number that was given last, where SQLite keeps that for it.
func setSequence(ctx context.Context, target *sql.Conn, table string, given *int64) error {
	var kept bool
	err := target.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1 AND sql LIKE '%AUTOINCREMENT%')", table).Scan(&kept)
	if err != nil || !kept || given == nil {
		return err
	}
	if _, err := target.ExecContext(ctx, "DELETE FROM sqlite_sequence WHERE name = $1", table); err != nil {
		return err
	}
	_, err = target.ExecContext(ctx, "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", table, *given)
	return err
}

// Contents is what CheckFile has found.
type Contents struct {
	Rows     map[string]int64 // by table
	Versions map[string]int64 // by module
}

// CheckFile looks at an SQLite file that nobody uses: its pages and indexes (PRAGMA quick_check), how many
// rows its tables have, and the versions of its modules. The file is only read. An error says what is wrong.
func CheckFile(ctx context.Context, file string) (c Contents, err error) {
	pool, err := sql.Open("sqlite", dsn(file, false)+"&mode=ro&immutable=1")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	found, err := All(scanName)(pool.QueryContext(ctx, "PRAGMA quick_check(5)"))
	if err != nil {
		return c, fmt.Errorf("the copy of the database cannot be read: %w", err)
	}
	if len(found) != 1 || found[0] != "ok" {
		return c, fmt.Errorf("the copy of the database is damaged: %s", strings.Join(found, "; "))
	}
	names, err := All(scanName)(pool.QueryContext(ctx, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"))
	if err != nil {
		return c, err
	}
	c.Rows, c.Versions = map[string]int64{}, map[string]int64{}
	for _, name := range names {
		var versions bool
		if err := pool.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pragma_table_info($1) AS c WHERE c.name = 'is_applied')", name).Scan(&versions); err != nil {
			return c, err
		}
		count := "SELECT count(*) FROM " + quote(name)
		into, key := c.Rows, name
		if versions {
			count, into, key = "SELECT COALESCE(max(version_id), 0) FROM "+quote(name), c.Versions, strings.TrimSuffix(name, "_versions")
		}
		var n int64
		if err := pool.QueryRowContext(ctx, count).Scan(&n); err != nil {
			return c, err
		}
		into[key] = n
	}
	return c, nil
}
