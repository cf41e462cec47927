package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/web/text"
	"trivium/webhooks"
)

// both are the catalogues that are built in, by their own keys alone.
func both(t *testing.T) map[string][]string {
	t.Helper()
	languages, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]string{}
	for _, l := range languages.Languages() {
		keys[l.Tag] = l.Keys()
	}
	return keys
}

// TestEventsHaveNames: each event that the server records has a name in both catalogues.
func TestEventsHaveNames(t *testing.T) {
	keys := both(t)
	for _, f := range webhooks.Catalogue() {
		for _, e := range f.Events {
			for tag, own := range keys {
				if key := "event." + strings.ReplaceAll(e, ".", "_"); !slices.Contains(own, key) {
					t.Errorf("%s.toml lacks %s", tag, key)
				}
			}
		}
	}
}

// recordedFields are the names of the fields that rows of the audit log have, by where the source names them.
func recordedFields(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	inJSON := regexp.MustCompile(`"([a-z_]+)":%`)
	for _, folder := range []string{"identity", "tokens", "webhooks", "cmd/trivium/app"} {
		paths, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatal(folder, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			note := func(e ast.Expr) {
				if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if name, err := strconv.Unquote(l.Value); err == nil && regexp.MustCompile(`^[a-z_]+$`).MatchString(name) {
						found[name] = set.Position(l.Pos()).String()
					}
				}
			}
			shown := func(n ast.Node) {
				ast.Inspect(n, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.CompositeLit:
						_, object := n.Type.(*ast.MapType)
						if name, ok := n.Type.(*ast.Ident); ok && name.Name == "fields" || object {
							for _, e := range n.Elts {
								if kv, ok := e.(*ast.KeyValueExpr); ok {
									note(kv.Key)
								}
							}
						}
					case *ast.AssignStmt:
						for _, e := range n.Lhs {
							if at, ok := e.(*ast.IndexExpr); ok {
								note(at.Index)
							}
						}
					}
					return true
				})
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl: // those that gather fields
					if folder == "identity" && strings.Contains(string(source[set.Position(n.Pos()).Offset:set.Position(n.End()).Offset]), "fields") || strings.HasPrefix(n.Name.Name, "shown") {
						shown(n)
					}
				case *ast.KeyValueExpr:
					if k, ok := n.Key.(*ast.Ident); ok && (k.Name == "After" || k.Name == "Before") {
						for _, m := range inJSON.FindAllStringSubmatch(string(source[set.Position(n.Pos()).Offset:set.Position(n.End()).Offset]), -1) {
							found[m[1]] = path
						}
					}
				}
				return true
			})
		}
	}
	for _, r := range identity.NoticeRules() {
		found[string(r.Kind)] = "identity.NoticeRules"
	}
	return found
}

// TestFieldsHaveNames: each field that a row of the audit log may have has a name in both catalogues, and there
// are no others.
func TestFieldsHaveNames(t *testing.T) {
	found, keys := recordedFields(t), both(t)
	if len(found) < 60 {
		t.Errorf("only %d fields were found in the source", len(found))
	}
	for name, at := range found {
		for tag, own := range keys {
			if !slices.Contains(own, "field."+name) {
				t.Errorf("%s: %s.toml lacks field.%s", at, tag, name)
			}
		}
	}
	for _, key := range keys["en"] {
		if name, ok := strings.CutPrefix(key, "field."); ok && found[name] == "" {
			t.Errorf("nothing records a field %s", name)
		}
	}
}

// TestRecordedWords: a row says what changed in the visitor's words and form.
func TestRecordedWords(t *testing.T) {
	languages, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	berlin := time.FixedZone("CEST", 2*60*60)
	for _, tt := range []struct{ tag, before, after, want string }{
		{"en", `{"level":"user"}`, `{"level":"staff"}`, "level user → staff"},
		{"de", `{"level":"user"}`, `{"level":"staff"}`, "Stufe Benutzer → Team"},
		{"de", `{"quota_bytes":1500000}`, `{"quota_bytes":0}`, "Speicherplatz 1,5 MB → keine"},
		{"de", `{"must_change":true}`, "", "Passwort muss geändert werden war ja"},
		{"de", "", `{"expires_at":"2026-07-01T10:00:00Z"}`, "Läuft ab 01.07.2026 12:00:00 CEST"},
		{"de", "", `{"web.lang":"de"}`, "web.lang de"},
	} {
		p := &page{words: languages.Find(tt.tag), zone: berlin, times: formOf(tt.tag)}
		if got := p.ChangeWords(auditRow{identity.AuditEvent{Before: tt.before, After: tt.after}}); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.tag, got, tt.want)
		}
	}
}

// TestResultsHaveWords: the log's words of how something ended are said in each language.
func TestResultsHaveWords(t *testing.T) {
	languages, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	said := []string{"refused", "error", "lost", "changed"}
	for _, err := range identity.Errors() {
		said = append(said, err.Error())
	}
	for _, c := range []identity.ReasonCode{identity.ReasonEnded, identity.ReasonDisabled, identity.ReasonRevoked, identity.ReasonExpired, identity.ReasonPolicy,
		identity.ReasonIdle, identity.ReasonReplaced, identity.ReasonShutdown, identity.ReasonClosed, identity.ReasonMaintenance} {
		said = append(said, string(c))
	}
	for _, l := range languages.Languages()[1:] {
		for _, s := range said {
			if recordedWord(l, s) == s {
				t.Errorf("%s has no words for %q", l.Tag, s)
			}
		}
	}
}
