package sqltest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckFile(t *testing.T) {
	for _, tt := range []struct {
		name, expr string
		found      int
		fault      string
	}{
		{"ascending", "`SELECT a FROM b WHERE c = $1 AND d = $2 AND e = $1`", 1, ""},
		{"descending", "`SELECT a FROM b WHERE c = $2 AND d = $1`", 1, "$2 appears before $1"},
		{"gap", "`UPDATE a SET b = $1 WHERE c = $3`", 1, "$3 appears before $2"},
		{"question mark", `"DELETE FROM a WHERE b = ?"`, 1, "parameter ?"},
		{"sum", `"INSERT INTO a " + "(b, c) VALUES ($2, " + "$1)"`, 1, "$2 appears before $1"},
		{"sum with a variable", `"SELECT " + cols + " FROM a WHERE b = $2 OR b = $1"`, 1, "$2 appears before $1"},
		{"quoted", "`SELECT '$9?' FROM b WHERE c = $1`", 1, ""},
		{"common table expression", "`WITH x AS (SELECT $2) SELECT $1`", 1, "$2 appears before $1"},
		{"words", `"Select a file, or $5 will be lost?"`, 0, ""},
		{"update in words", `"UPDATE needed?"`, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.go")
			if err := os.WriteFile(path, []byte("package a\n\nconst q = "+tt.expr+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			found, faults, err := checkFile(path)
			if err != nil || found != tt.found {
				t.Fatalf("found %d, %v; want %d", found, err, tt.found)
			}
			if got := strings.Join(faults, "\n"); (tt.fault == "") != (got == "") || !strings.Contains(got, tt.fault) {
				t.Errorf("faults %q, want %q", got, tt.fault)
			}
		})
	}
}
