package text_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// hole stands in a sentence for what is only known when it is said.
const hole = "\x00"

// speaker are files whose sentences pages show, and the section of the catalogues that has them.
type speaker struct {
	section string
	files   string   // below the module, as a glob
	errors  bool     // only errors that are said as they are: those that wrap what means so
	fields  []string // only what is given to these fields of structs, as Type.Field
	calls   []string // only what is given to these, as a format and its arguments
}

func speakers() []speaker {
	return []speaker{
		{section: "finding", files: "internal/probe/*.go"},
		{section: "finding", files: "cmd/trivium/app/check_*.go"},
		{section: "finding", files: "cmd/trivium/app/doctor.go"},
		{section: "finding", files: "doctor/*.go"},
		{section: "service", files: "identity/*.go", errors: true},
		{section: "service", files: "tokens/*.go", errors: true},
		{section: "service", files: "webhooks/*.go", errors: true},
		{section: "service", files: "identity/factor/*.go", errors: true},
		{section: "service", files: "identity/provider/*.go", errors: true},
		{section: "service", files: "identity/proftpd/*.go", errors: true},
		{section: "service", files: "files/*.go", errors: true},
		{section: "service", files: "cmd/trivium/app/*.go", errors: true},
		{section: "service", files: "xmpp/*.go", errors: true},
		{section: "service", files: "xmpp/blocking/*.go", errors: true},
		{section: "service", files: "xmpp/vcard/*.go", errors: true},
		{section: "service", files: "xmpp/greet/*.go", errors: true},
		{section: "service", files: "xmpp/announce/*.go", errors: true},
		{section: "service", files: "web/*.go", errors: true},
		{section: "service", files: "files/name.go"},
		{section: "service", files: "internal/certs/upload.go", calls: []string{"New", "Errorf"}},
		{section: "service", files: "identity/import*.go", calls: []string{"warn"}},
		{section: "service", files: "identity/importer/*.go", calls: []string{"warn"}},
		{section: "finding", files: "internal/acme/fault.go"},
		{section: "audit", files: "identity/*.go", fields: []string{"AuditEvent.Detail", "Reason.Text"}},
		{section: "audit", files: "tokens/*.go", fields: []string{"AuditEvent.Detail"}},
		{section: "audit", files: "webhooks/*.go", fields: []string{"AuditEvent.Detail"}},
		{section: "audit", files: "web/*.go", fields: []string{"AuditEvent.Detail"}},
		{section: "audit", files: "web/api/s*.go", fields: []string{"AuditEvent.Detail"}},
		{section: "audit", files: "cmd/trivium/app/*.go", fields: []string{"AuditEvent.Detail"}},
	}
}

// sentence is one that a speaker says, with holes.
type sentence struct{ text, at string }

// sentencesOf are the sentences of a file: each text that is put together from literals, and has words.
func sentencesOf(t *testing.T, path string, who speaker) (list []sentence) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if who.calls != nil {
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok && slices.Contains(who.calls, called(c)) {
				if s := shape(&ast.CallExpr{Fun: &ast.Ident{Name: "Sprintf"}, Args: c.Args}, nil); s != hole {
					list = append(list, sentence{s, set.Position(c.Pos()).String()})
				}
			}
			return true
		})
		return list
	}
	if who.fields != nil {
		return given(set, f, who.fields)
	}
	return sentencesOfNode(set, f, f, nil, who.errors, list)
}

// given are the texts that stand in fields of these names.
func given(set *token.FileSet, f *ast.File, fields []string) (list []sentence) {
	ast.Inspect(f, func(n ast.Node) bool {
		c, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		for _, e := range c.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			if k, ok := kv.Key.(*ast.Ident); ok && slices.Contains(fields, named(c.Type)+"."+k.Name) {
				if s := shape(kv.Value, nil); !foreign.MatchString(s) && strings.ContainsFunc(strings.ReplaceAll(s, hole, ""), unicode.IsLetter) {
					list = append(list, sentence{s, set.Position(kv.Pos()).String()})
				}
			}
		}
		return true
	})
	return list
}

// sentencesOfNode are those below a node; consts are the texts that have names there. Each function has its own.
func sentencesOfNode(set *token.FileSet, f *ast.File, top ast.Node, outer map[string]string, onlyErrors bool, list []sentence) []sentence {
	consts := maps.Clone(outer)
	if consts == nil {
		consts = map[string]string{}
	}
	ast.Inspect(top, func(n ast.Node) bool {
		if fn, ok := n.(*ast.FuncDecl); ok && n != top && fn != nil {
			return false
		}
		if v, ok := n.(*ast.ValueSpec); ok {
			for i, name := range v.Names {
				if i < len(v.Values) {
					if s := shape(v.Values[i], nil); s != hole {
						consts[name.Name] = s
					}
				}
			}
		}
		return true
	})
	say := func(e ast.Expr) {
		if s := shape(e, consts); wordy(s) {
			list = append(list, sentence{s, set.Position(e.Pos()).String()})
		}
	}
	ast.Inspect(top, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n != top {
				list = sentencesOfNode(set, f, n, consts, onlyErrors, list)
				return false
			}
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.BinaryExpr:
			if s := shape(n, consts); !onlyErrors && s != hole {
				say(n)
				return false
			}
		case *ast.BasicLit:
			if !onlyErrors {
				say(n)
			}
		case *ast.CallExpr:
			switch name := called(n); {
			case name == "faultf" || name == "fail":
				if onlyErrors && len(n.Args) > 1 && meant(n.Args[0]) {
					say(&ast.CallExpr{Fun: &ast.Ident{Name: "Sprintf", NamePos: n.Pos()}, Args: n.Args[1:]})
				}
			case name == "Errorf" || name == "New":
				if onlyErrors && explains(n) || !onlyErrors {
					say(n)
				}
				return false
			case slices.Contains([]string{"say", "MustCompile", "Debug", "Info", "Warn", "Error", "Log", "LogAttrs"}, name):
				return false
			case name == "Sprintf" && !onlyErrors:
				say(n)
				return false
			}
		}
		return true
	})
	return list
}

// explains reports whether an error is one whose own words pages show: it wraps what means so.
func explains(c *ast.CallExpr) bool {
	return len(c.Args) > 0 && meant(c.Args[len(c.Args)-1])
}

// meant reports whether an expression is an error whose words are shown.
func meant(e ast.Expr) bool {
	return slices.Contains([]string{"ErrInvalid", "ErrExists", "ErrRefused", "ErrNotFound", "ErrExpired"}, named(e))
}

func called(c *ast.CallExpr) string { return named(c.Fun) }

// named is the last part of a name.
func named(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

var verb = regexp.MustCompile(`%[-+# 0]*[0-9]*(?:\.[0-9]+)?[a-zA-Z%]`)

// shape is the text that an expression gives.
func shape(e ast.Expr, consts map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return s
		}
	case *ast.ParenExpr:
		return shape(e.X, consts)
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return shape(e.X, consts) + shape(e.Y, consts)
		}
	case *ast.Ident:
		if s, ok := consts[e.Name]; ok {
			return s
		}
	case *ast.CallExpr:
		name := called(e)
		if len(e.Args) == 0 || name != "Sprintf" && name != "Errorf" && name != "New" {
			return hole
		}
		at := 0
		return verb.ReplaceAllStringFunc(strings.TrimSuffix(shape(e.Args[0], consts), ": %w"), func(v string) string {
			if v == "%%" {
				return "%"
			}
			at++
			if at < len(e.Args) {
				if s := shape(e.Args[at], consts); s != hole && !strings.HasSuffix(v, "q") {
					return s
				}
			}
			if strings.HasSuffix(v, "q") {
				return `"` + hole + `"`
			}
			return hole
		})
	}
	return hole
}

// wordy reports whether a text is one for people: it has two words at least, and no markup.
func wordy(s string) bool {
	s = strings.TrimSpace(s)
	words := strings.FieldsFunc(strings.ReplaceAll(s, hole, " "), func(r rune) bool { return !unicode.IsLetter(r) })
	return strings.Contains(s, " ") && len(words) > 1 && !foreign.MatchString(s)
}

// foreign is what is no sentence of any language: markup, commands of this program and of FTP, records of the DNS, what a
// probe sends, fingerprints.
var foreign = regexp.MustCompile(`^<|^trivium( (--)?[a-z.]+| [A-Z]+| \x00)+$| IN (SRV|A) |^[A-Z]{4}( [A-Z]+)?$|^PASS \[secret\]$|^connection test\s*$|^Trivium connection test$|^SHA-256 \x00$`)

// TestSentences: what services say in English, and pages show, is in each of the catalogues that are built in.
func TestSentences(t *testing.T) {
	set := set(t, nil)
	for _, who := range speakers() {
		paths, err := filepath.Glob(filepath.Join("..", "..", who.files))
		if err != nil || len(paths) == 0 {
			t.Fatal(who.files, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			for _, s := range sentencesOf(t, path, who) {
				sample := strings.ReplaceAll(s.text, hole, "7")
				for _, l := range set.Languages()[1:] {
					if l.Echo(who.section, sample) == sample {
						t.Errorf("%s: no text of the section %s in %s is like %q", s.at, who.section, l.Tag, strings.ReplaceAll(s.text, hole, "{}"))
					}
				}
			}
		}
	}
}
