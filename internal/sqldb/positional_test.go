package sqldb

import "testing"

func TestPositional(t *testing.T) {
	for _, tt := range []struct{ name, query, want string }{
		{"none", "SELECT 1", "SELECT 1"},
		{"in order", "INSERT INTO a VALUES ($1, $2), ($3, $4)", "INSERT INTO a VALUES (?, ?), (?, ?)"},
		{"more than nine", "SELECT $1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11", "SELECT ?,?,?,?,?,?,?,?,?,?,?"},
		{"one twice", "SELECT $1, $2 WHERE a = $1", "SELECT $1, $2 WHERE a = $1"},
		{"out of order", "SELECT $2, $1", "SELECT $2, $1"},
		{"a gap", "SELECT $1, $3", "SELECT $1, $3"},
		{"in quotes", `SELECT '$1''$2', "$3", $1`, `SELECT '$1''$2', "$3", ?`},
		{"a name", "SELECT $name", "SELECT $name"},
		{"a comment", "SELECT $1 -- '", "SELECT $1 -- '"},
		{"another comment", "SELECT /* ' */ $1", "SELECT /* ' */ $1"},
		{"an open quote", "SELECT $1, 'a", "SELECT $1, 'a"},
		{"others beside it", "SELECT $1, ?", "SELECT $1, ?"},
		{"a minus", "SELECT a - $1", "SELECT a - ?"},
	} {
		if got := positional(tt.query); got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}
