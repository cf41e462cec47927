package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrNotEmpty is what MoveTo answers where the target holds something already.
var ErrNotEmpty = errors.New("the database is not empty")

// Moved is what MoveTo has moved.
type Moved struct {
	Tables int
	Rows   int64
	// Altered are the texts that PostgreSQL cannot have as they were, and that have U+FFFD now where they were
	// no UTF-8.
	Altered int64
}

// MoveProgress hears how far a move is: rows of total, all tables together.
type MoveProgress func(table string, rows, total int64)

// moveTable is one table to move.
type moveTable struct {
	name    string
	columns []string
	needs   []string // tables that its foreign keys point to
	rows    int64
}

// Foreign lists the tables of a PostgreSQL database that are none of names, nor versions of modules: another
// program's. A store shall not be put beside them.
func (db *DB) Foreign(ctx context.Context, names []string) ([]string, error) {
	all, err := All(scanName)(db.QueryContext(ctx, `SELECT table_name::text FROM information_schema.tables
		WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name NOT IN (
			SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema() AND column_name = 'is_applied')
		ORDER BY 1`))
	return slices.DeleteFunc(all, func(n string) bool { return slices.Contains(names, n) }), err
}

// Tables lists the tables of an SQLite store that hold what modules keep: no versions, no indexes of text.
func (db *DB) Tables(ctx context.Context) ([]string, error) {
	return All(scanName)(db.QueryContext(ctx, `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
		AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
		AND NOT EXISTS (SELECT 1 FROM pragma_table_info(pragma_table_list.name) AS c WHERE c.name = 'is_applied') ORDER BY name`))
}

func scanName(row Scanner) (name string, err error) {
	err = row.Scan(&name)
	return name, err
}

// MoveTo copies all rows of an SQLite store into a PostgreSQL database that the same program has
// migrated, in one transaction: all is there when it returns nil, else nothing. The target's tables
// must be empty but for seeds, the tables in which migrations write rows, which are replaced; else the
// error is [ErrNotEmpty]. Numbers that the store gives out go on behind those that it has given.
// Nobody may write to the source meanwhile. progress may be nil.
func (db *DB) MoveTo(ctx context.Context, to *DB, seeds []string, progress MoveProgress) (m Moved, err error) {
	target, ok := to.engine.(*postgres)
	if !ok || db.Dialect() != SQLite {
		return m, errors.New("a store is moved from SQLite to PostgreSQL")
	}
	tables, err := db.moveTables(ctx)
	if err != nil {
		return m, fmt.Errorf("reading what the store holds: %w", err)
	}
	pool, err := target.pool(ctx, pgMigrates, 1)
	if err != nil {
		return m, target.say(err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return m, target.say(err)
	}
	err = conn.Raw(func(c any) error {
		pg, ok := c.(*pgConn)
		if !ok {
			return errors.New("the connection is none of PostgreSQL")
		}
		v := &move{from: db, conn: pg.Conn.Conn(), progress: progress, moved: &m}
		return target.say(v.all(ctx, tables, seeds))
	})
	return m, errors.Join(err, conn.Close())
}

// moveTables lists the tables of the store so that each comes after those that it points to.
func (db *DB) moveTables(ctx context.Context) ([]moveTable, error) {
	names, err := db.Tables(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]*moveTable{}
	for _, name := range names {
		t := &moveTable{name: name}
		if t.columns, err = All(scanName)(db.QueryContext(ctx, "SELECT name FROM pragma_table_info($1) ORDER BY cid", name)); err != nil {
			return nil, err
		}
		if t.needs, err = All(scanName)(db.QueryContext(ctx, `SELECT "table" FROM pragma_foreign_key_list($1)`, name)); err != nil {
			return nil, err
		}
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+quote(name)).Scan(&t.rows); err != nil {
			return nil, err
		}
		all[name] = t
	}
	var sorted []moveTable
	seen := map[string]bool{}
	var put func(name string)
	put = func(name string) {
		if t := all[name]; t != nil && !seen[name] {
			seen[name] = true
			for _, n := range t.needs {
				put(n)
			}
			sorted = append(sorted, *t)
		}
	}
	for _, name := range names {
		put(name)
	}
	return sorted, nil
}

// quote is a name in SQL.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// move is one move under way.
type move struct {
	from     *DB
	conn     *pgx.Conn
	progress MoveProgress
	moved    *Moved
	total    int64
}

func (v *move) all(ctx context.Context, tables []moveTable, seeds []string) error {
	for _, t := range tables {
		v.total += t.rows
	}
	return pgx.BeginFunc(ctx, v.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", pgLockSpace, pgLockWrite); err != nil {
			return err
		}
		types := make(map[string]map[string]pgColumn, len(tables))
		for _, t := range tables {
			columns, err := pgColumns(ctx, tx, t)
			if err != nil {
				return err
			}
			types[t.name] = columns
			if slices.Contains(seeds, t.name) {
				if _, err := tx.Exec(ctx, "DELETE FROM "+quote(t.name)); err != nil {
					return err
				}
				continue
			}
			var full bool
			if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+quote(t.name)+")").Scan(&full); err != nil {
				return err
			}
			if full {
				return fmt.Errorf("%w: there are rows in %s", ErrNotEmpty, t.name)
			}
		}
		for _, t := range tables {
			if err := v.table(ctx, tx, t, types[t.name]); err != nil {
				return fmt.Errorf("moving %s: %w", t.name, err)
			}
		}
		return nil
	})
}

// pgColumn is a column of the target.
type pgColumn struct {
	kind     string // as information_schema names its type
	identity bool
}

// pgColumns reads the columns of a table of the target, which must be those of the source.
func pgColumns(ctx context.Context, tx pgx.Tx, t moveTable) (map[string]pgColumn, error) {
	rows, err := tx.Query(ctx, `SELECT column_name::text, data_type::text, is_identity::text = 'YES' FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = $1`, t.name)
	if err != nil {
		return nil, err
	}
	columns := map[string]pgColumn{}
	var name string
	var c pgColumn
	if _, err := pgx.ForEachRow(rows, []any{&name, &c.kind, &c.identity}, func() error { columns[name] = c; return nil }); err != nil {
		return nil, err
	}
	same := len(columns) == len(t.columns)
	for _, n := range t.columns {
		_, ok := columns[n]
		same = same && ok
	}
	if !same {
		return nil, fmt.Errorf("the table %s has other columns in the target: %s there, and %d here", t.name, strconv.Itoa(len(columns)), len(t.columns))
	}
	return columns, nil
}

// table copies one table, counts what has arrived, and sets the numbers that it gives out.
func (v *move) table(ctx context.Context, tx pgx.Tx, t moveTable, types map[string]pgColumn) error {
	names := make([]string, len(t.columns))
	for i, n := range t.columns {
		names[i] = quote(n)
	}
	rows, err := v.from.read.QueryContext(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+quote(t.name))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	src := &moveRows{rows: rows, table: t, types: types, v: v}
	copied, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, src)
	if err != nil {
		return err
	}
	var there int64
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+quote(t.name)).Scan(&there); err != nil {
		return err
	}
	if there != t.rows || copied != t.rows {
		return fmt.Errorf("%d rows were to be moved, and %d have arrived: is somebody writing to the store?", t.rows, there)
	}
	for n, c := range types {
		if !c.identity {
			continue
		}
		if err := v.sequence(ctx, tx, t.name, n); err != nil {
			return err
		}
	}
	v.moved.Tables++
	v.moved.Rows += copied
	v.report(t.name, 0)
	return nil
}

// sequence makes a column go on behind the highest number that was ever given, which may be gone.
func (v *move) sequence(ctx context.Context, tx pgx.Tx, table, column string) error {
	var highest int64
	if err := v.from.QueryRowContext(ctx, "SELECT COALESCE(max("+quote(column)+"), 0) FROM "+quote(table)).Scan(&highest); err != nil {
		return err
	}
	var book bool // SQLite has the table of such numbers only where a table asks for one
	if err := v.from.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence')").Scan(&book); err != nil {
		return err
	}
	if book {
		var given int64
		if err := v.from.QueryRowContext(ctx, "SELECT COALESCE(max(seq), 0) FROM sqlite_sequence WHERE name = $1", table).Scan(&given); err != nil {
			return err
		}
		highest = max(highest, given)
	}
	_, err := tx.Exec(ctx, "SELECT setval(pg_get_serial_sequence($1, $2), $3, false)", quote(table), column, highest+1)
	return err
}

func (v *move) report(table string, more int64) {
	if v.progress != nil {
		v.progress(table, v.moved.Rows+more, v.total)
	}
}
