package sqldb

import (
	"database/sql"
	"fmt"
	"time"
)

// reportEvery is after how many rows a move says how far it is.
const reportEvery = 2000

// moveRows gives the rows of a table of SQLite to COPY, each value as its column in the target wants it.
type moveRows struct {
	rows  *sql.Rows
	table moveTable
	types map[string]pgColumn
	v     *move

	values []any
	refs   []any
	count  int64
	err    error
}

// Next implements pgx.CopyFromSource.
func (r *moveRows) Next() bool {
	if r.err != nil || !r.rows.Next() {
		return false
	}
	if r.refs == nil {
		r.values, r.refs = make([]any, len(r.table.columns)), make([]any, len(r.table.columns))
		for i := range r.values {
			r.refs[i] = &r.values[i]
		}
	}
	if r.err = r.rows.Scan(r.refs...); r.err != nil {
		return false
	}
	if r.count++; r.count%reportEvery == 0 {
		r.v.report(r.table.name, r.count)
	}
	return true
}

// Values implements pgx.CopyFromSource.
func (r *moveRows) Values() ([]any, error) {
	out := make([]any, len(r.values))
	for i, v := range r.values {
		name := r.table.columns[i]
		as, altered, err := moveValue(v, r.types[name].kind)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
		if altered {
			r.v.moved.Altered++
		}
		out[i] = as
	}
	return out, nil
}

// Err implements pgx.CopyFromSource.
func (r *moveRows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.rows.Err()
}

// moveTimes are the forms in which times stand in SQLite's text.
var moveTimes = [...]string{"2006-01-02 15:04:05.999999999-07:00", time.RFC3339Nano, "2006-01-02 15:04:05.999999999", time.DateTime}

// moveValue is what SQLite had as a column of PostgreSQL takes it; altered says that a text did not fit.
func moveValue(v any, kind string) (as any, altered bool, err error) {
	if v == nil {
		return nil, false, nil
	}
	switch kind {
	case "boolean":
		if n, ok := v.(int64); ok {
			return n != 0, false, nil
		}
		if b, ok := v.(bool); ok {
			return b, false, nil
		}
	case "bigint":
		if n, ok := v.(int64); ok {
			return n, false, nil
		}
		if b, ok := v.(bool); ok && b {
			return int64(1), false, nil
		} else if ok {
			return int64(0), false, nil
		}
	case "bytea":
		switch b := v.(type) {
		case []byte:
			return b, false, nil
		case string:
			return []byte(b), false, nil
		}
	case "text":
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		if s, ok := v.(string); ok {
			fitted := fit(s)
			return fitted, fitted != any(s), nil
		}
	case "timestamp with time zone":
		switch t := v.(type) {
		case time.Time:
			return t, false, nil
		case string:
			for _, form := range moveTimes {
				if at, err := time.Parse(form, t); err == nil {
					return at, false, nil
				}
			}
		}
	}
	return nil, false, fmt.Errorf("a value of the kind %T is not one of %s", v, kind)
}
