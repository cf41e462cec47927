package sqldb

import "database/sql"

// Scanner is a row that can be read: a *sql.Row, or the present one of *sql.Rows.
type Scanner interface{ Scan(...any) error }

// All returns a function that reads all rows of a query by scan: All(scan)(db.QueryContext(...)).
func All[R any](scan func(Scanner) (R, error)) func(*sql.Rows, error) ([]R, error) {
	return func(rows *sql.Rows, err error) ([]R, error) {
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
		var out []R
		for rows.Next() {
			r, err := scan(rows)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		return out, rows.Err()
	}
}
