package sqltest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// CheckQueries reports each string in the Go files of dir (test files excepted, folders below it
// not entered) that looks like SQL and whose parameters $1 to $n do not first appear in ascending
// order without gaps, that uses ? for a parameter, or that says OR ROLLBACK (which would take other
// callers' work with it). Constants joined with + are read as one
// string; what is not constant in between is left out. It fails when it finds no SQL at all, since
// then it checked nothing.
func CheckQueries(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatalf("reading the folder to check: %v", err)
	}
	found := 0
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		n, faults, err := checkFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Errorf("parsing: %v", err)
		}
		found += n
		for _, f := range faults {
			t.Error(f)
		}
	}
	if found == 0 {
		t.Errorf("no SQL found in the Go files of %s", dir)
	}
}

// checkFile answers how many SQL strings a file has and what is wrong with them.
func checkFile(path string) (found int, faults []string, err error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return 0, nil, err
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr, *ast.BasicLit:
			text, ok := constant(n.(ast.Expr))
			if !ok {
				return true
			}
			if looksLikeSQL(text) {
				found++
				if fault := checkParams(text); fault != "" {
					faults = append(faults, fmt.Sprintf("%s: %s in %q", fset.Position(n.Pos()), fault, text))
				}
			}
			return false // the parts of a sum are no queries by themselves
		}
		return true
	})
	return found, faults, nil
}

// constant is the text of a string literal or of a sum with string literals in it; ok is false
// where there is none.
func constant(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.ParenExpr:
		return constant(e.X)
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		l, lok := constant(e.X)
		r, rok := constant(e.Y)
		return l + r, lok || rok
	}
	return "", false
}

var (
	statement  = regexp.MustCompile(`(?is)^\s*(SELECT\s.*|INSERT\s.*\bINTO\s.*|REPLACE\s+INTO\s.*|UPDATE\s.*\bSET\s.*|DELETE\s+FROM\s.*|WITH\s.*\bAS\s*\(.*)`)
	param      = regexp.MustCompile(`\$[0-9]+|\?`)
	orRollback = regexp.MustCompile(`(?i)\bOR\s+ROLLBACK\b`)
	quoted     = regexp.MustCompile(`'(?:[^']|'')*'|"[^"]*"|--[^\n]*`)
)

// looksLikeSQL reports whether text begins as a statement that takes parameters does, in the
// capitals that SQL is written in here.
func looksLikeSQL(text string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	first, _, _ = strings.Cut(first, "\n")
	return first == strings.ToUpper(first) && statement.MatchString(text)
}

// checkParams answers what is wrong with the parameters of a query, or "".
func checkParams(query string) string {
	if orRollback.MatchString(query) {
		return "OR ROLLBACK"
	}
	highest := 0
	for _, p := range param.FindAllString(quoted.ReplaceAllString(query, "''"), -1) {
		if p == "?" {
			return "parameter ? (write $1 to $n)"
		}
		n, err := strconv.Atoi(p[1:])
		if err != nil || n > highest+1 || n == 0 {
			return fmt.Sprintf("parameter %s appears before $%d", p, highest+1)
		}
		highest = max(highest, n)
	}
	return ""
}
