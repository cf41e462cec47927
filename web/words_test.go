package web

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"trivium/identity"
	"trivium/web/text"
)

// sources are the templates by name, and the Go files of the pages.
func sources(t *testing.T) (templates map[string]string, code []string) {
	t.Helper()
	names, err := fs.Glob(templateFS, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	templates = map[string]string{}
	for _, n := range names {
		b, err := templateFS.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		templates[n] = string(b)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, string(b))
	}
	return templates, code
}

// wordless are texts that are the same in each language: names of things.
var wordless = []string{"Trivium", "uid:gid", "uid", "gid", "uid, gid", "rows", "CSV", "JSON", "LDAP", "OpenID Connect", "FTP", "XMPP", "WebDAV", "API", "2FA", "TLS", "TLS:", "UTC", "/s", "Go", "Linux", "Windows", "RS256", "ES256"}

// TestTemplatesHaveNoWords: what a person reads comes from the catalogues, in texts and in attributes.
func TestTemplatesHaveNoWords(t *testing.T) {
	templates, _ := sources(t)
	spoken := []string{"aria-label", "alt", "title", "placeholder", "data-confirm", "data-label"}
	for name, source := range templates {
		source = regexp.MustCompile(`\{\{define "described"\}\}.*`).ReplaceAllString(source, "") // attributes alone
		source = strings.NewReplacer("<noscript>", "", "</noscript>", "").Replace(regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(source, ""))
		z := html.NewTokenizer(strings.NewReader(source))
		inCode := 0
		for {
			kind := z.Next()
			if kind == html.ErrorToken {
				break
			}
			token := z.Token()
			say := func(words string) {
				words = strings.TrimSpace(words)
				if strings.ContainsFunc(words, unicode.IsLetter) && !slices.Contains(wordless, words) {
					t.Errorf("%s has the words %q: put them into the catalogues, and {{t \"section.key\"}} here", name, words)
				}
			}
			switch {
			case kind == html.StartTagToken && (token.Data == "code" || token.Data == "script"):
				inCode++
			case kind == html.EndTagToken && (token.Data == "code" || token.Data == "script"):
				inCode--
			case kind == html.TextToken && inCode == 0:
				say(token.Data)
			}
			for _, a := range token.Attr {
				if slices.Contains(spoken, a.Key) {
					say(a.Val)
				}
			}
		}
	}
}

// TestTemplateTexts: each text that a template asks for is there, with as many arguments as it takes, and by
// h where it has markup.
func TestTemplateTexts(t *testing.T) {
	words := english(t)
	templates, _ := sources(t)
	for name, source := range templates {
		trees := map[string]*parse.Tree{}
		tree := parse.New(name)
		tree.Mode = parse.SkipFuncCheck
		if _, err := tree.Parse(source, "", "", trees); err != nil {
			t.Fatal(err)
		}
		for _, tree := range trees {
			eachCommand(tree.Root, func(c *parse.CommandNode) {
				f, ok := c.Args[0].(*parse.IdentifierNode)
				if !ok || f.Ident != "t" && f.Ident != "h" || len(c.Args) < 2 {
					return
				}
				s, ok := c.Args[1].(*parse.StringNode)
				if !ok {
					return
				}
				n, marked, ok := words.Args(s.Text)
				switch {
				case !ok:
					t.Errorf("%s: there is no text %s", name, s.Text)
				case n != len(c.Args)-2:
					t.Errorf("%s: %s takes %d arguments, not %d", name, s.Text, n, len(c.Args)-2)
				case marked && f.Ident == "t":
					t.Errorf("%s: %s has markup, and is used with t", name, s.Text)
				}
			})
		}
	}
}

// eachCommand goes through all commands below a node.
func eachCommand(n parse.Node, visit func(*parse.CommandNode)) {
	branch := func(b *parse.BranchNode) {
		eachCommand(b.Pipe, visit)
		eachCommand(b.List, visit)
		if b.ElseList != nil {
			eachCommand(b.ElseList, visit)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, x := range n.Nodes {
			eachCommand(x, visit)
		}
	case *parse.ActionNode:
		eachCommand(n.Pipe, visit)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			eachCommand(n.Pipe, visit)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			eachCommand(c, visit)
		}
	case *parse.CommandNode:
		visit(n)
		for _, a := range n.Args {
			eachCommand(a, visit)
		}
	}
}

// made are sections whose keys are put together, or looked up by what a service says.
var made = []string{"script", "language", "time", "level", "nav", "service", "finding", "audit", "event", "field", "setting"}

// TestKeys: no key of the catalogue is unused, and none is used that is not there.
func TestKeys(t *testing.T) {
	words := english(t)
	templates, code := sources(t)
	used := map[string]bool{}
	quotedKey := regexp.MustCompile(`"([a-z0-9_]+\.[a-z0-9_]+)"`)
	sections := map[string]bool{}
	for _, k := range words.Keys() {
		section, _, _ := strings.Cut(k, ".")
		sections[section] = true
	}
	for _, s := range templates {
		for _, m := range quotedKey.FindAllStringSubmatch(s, -1) {
			used[m[1]] = true
		}
	}
	spoken := regexp.MustCompile(`(?:\.T|\.H)\(("[^"]*")`)
	for _, s := range code {
		for _, m := range quotedKey.FindAllStringSubmatch(s, -1) {
			used[m[1]] = true
		}
		for _, m := range spoken.FindAllStringSubmatch(s, -1) {
			if k := strings.Trim(m[1], `"`); !words.Has(k) && !strings.HasSuffix(k, ".") && !strings.HasSuffix(k, "_") {
				t.Errorf("there is no text %s", k)
			}
		}
	}
	beginning := regexp.MustCompile(`"([a-z0-9_]+\.[a-z0-9_]*_)"`) // of keys that are put together
	var beginnings []string
	for _, s := range code {
		for _, m := range beginning.FindAllStringSubmatch(s, -1) {
			beginnings = append(beginnings, m[1])
		}
	}
	for _, k := range words.Keys() {
		if slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(k, b) }) {
			continue
		}
		if section, _, _ := strings.Cut(k, "."); !used[k] && !slices.Contains(made, section) {
			t.Errorf("the text %s is used nowhere", k)
		}
	}
}

// TestScriptTexts: what the scripts say is in the catalogue, and what that has of theirs is said.
func TestScriptTexts(t *testing.T) {
	words := english(t)
	known := map[string]bool{}
	for _, k := range words.Keys() {
		if strings.HasPrefix(k, "script.") {
			known[words.Written(k)] = false
		}
	}
	files, err := filepath.Glob("assets/js/*.js")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bt\("([^"]+)"`).FindAllStringSubmatch(string(b), -1) {
			if _, ok := known[m[1]]; !ok {
				t.Errorf("%s says %q, which is no text of the section script", f, m[1])
			}
			known[m[1]] = true
		}
	}
	for text, said := range known {
		if !said {
			t.Errorf("no script says %q", text)
		}
	}
}

// TestNavigationTexts: each page of the navigation has a name in the catalogues.
func TestNavigationTexts(t *testing.T) {
	words := english(t)
	s := testServer(t, Options{})
	for _, part := range s.nav {
		if key := "nav.group_" + part.name; !words.Has(key) {
			t.Errorf("a part of the navigation has no text %s", key)
		}
		for _, r := range part.rows {
			if key := "nav." + strings.ReplaceAll(r.Page, ".", "_"); !words.Has(key) {
				t.Errorf("the page %s has no text %s", r.Page, key)
			} else if words.T(key) != r.nav {
				t.Errorf("%s is %q in English, and %q in the table of routes", key, words.T(key), r.nav)
			}
		}
	}
}

// TestEcho: what a service says in English is said in the language.
func TestEcho(t *testing.T) {
	languages, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	de := languages.Match("de")
	if got := de.Echo("service", "used up"); got != "aufgebraucht" {
		t.Errorf("%q", got)
	}
	if got := de.Echo("service", "something else"); got != "something else" {
		t.Errorf("%q", got)
	}
}

// TestFindings: what the doctor and tests of connections find in English is said in the language, with sentences
// inside of sentences and with numbers.
func TestFindings(t *testing.T) {
	languages, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	de := languages.Match("de")
	for english, want := range map[string]string{
		"the certificate of example.org expires in 13 days":                       "das Zertifikat von example.org läuft in 13 Tagen ab",
		"the certificate of example.org expires in 1 day":                         "das Zertifikat von example.org läuft in 1 Tag ab",
		"1 of 2 administrators has no second factor":                              "1 von 2 Administratoren ohne zweiten Faktor",
		"59.9 GB free for the data directory":                                     "59,9\u00a0GB frei für das Datenverzeichnis",
		"Connection: 192.0.2.1:5222 answers":                                      "Verbindung: 192.0.2.1:5222 antwortet",
		"no data connection to port 50000: no answer in time":                     "keine Datenverbindung zu Port 50000: keine Antwort in der Zeit",
		`needs "Control connection", which failed`:                                "braucht „Steuerverbindung“, was fehlgeschlagen ist",
		"passive data: PASV announces 10.0.0.5, a private address":                "passive Daten: PASV nennt 10.0.0.5, eine private Adresse",
		"example.org:5222: connection refused":                                    "example.org:5222: Verbindung abgelehnt",
		"_xmpp-client._tcp.example.org → example.org:5222":                        "_xmpp-client._tcp.example.org → example.org:5222",
		"what was kept since then is lost with this disk; the last try failed: x": "was seitdem gespeichert wurde, ginge mit dieser Festplatte verloren; der letzte Versuch schlug fehl: x",
	} {
		if got := de.Echo("finding", english); got != want {
			t.Errorf("%q: %q, want %q", english, got, want)
		}
	}
	if got := languages.Match("en").Echo("finding", "it is off"); got != "it is off" {
		t.Errorf("%q", got)
	}
}

// TestCodeHasNoWords: what Go code gives to pages, flashes and fields is a key of the catalogue, and no sentence.
func TestCodeHasNoWords(t *testing.T) {
	words := english(t)
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	given := []string{"done", "fill", "sorry", "refused", "trouble", "askSharePassword"}
	fields := []string{"Text", "Label", "Help", "Title"}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		look := func(e ast.Expr) {
			ast.Inspect(e, func(n ast.Node) bool {
				l, ok := n.(*ast.BasicLit)
				if !ok || l.Kind != token.STRING {
					return true
				}
				s, err := strconv.Unquote(l.Value)
				if r, _ := utf8.DecodeRuneInString(s); err != nil || !unicode.IsUpper(r) && !strings.Contains(strings.TrimSpace(s), " ") || words.Has(s) || slices.Contains(wordless, s) {
					return true
				}
				if key := "home.label_" + strings.ReplaceAll(strings.ToLower(s), " ", "_"); words.Has(key) {
					return true
				}
				t.Errorf("%s has the words %q: put them into the catalogues, and their key here", set.Position(l.Pos()), s)
				return true
			})
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains(given, s.Sel.Name) {
					for _, a := range n.Args {
						look(a)
					}
				}
			case *ast.CompositeLit:
				if s, ok := n.Type.(*ast.SelectorExpr); ok && (s.Sel.Name == "Refusal" || s.Sel.Name == "Reason") {
					return false // what applications and logs are told, not people
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && slices.Contains(fields, k.Name) {
					look(n.Value)
				}
			}
			return true
		})
	}
}

// TestServiceSentences: what identity and tokens say of a mistake is said in the language, as a whole sentence.
func TestServiceSentences(t *testing.T) {
	languages, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	de := languages.Match("de")
	for english, want := range map[string]string{
		"the password is too short; use at least 8 characters": "Das Passwort ist zu kurz; nehmen Sie mindestens 8 Zeichen.",
		`there is a user "alice" already`:                      "Den Benutzer „alice“ gibt es schon.",
		"something that nobody has translated":                 "Something that nobody has translated.",
	} {
		err := fmt.Errorf("%s: %w", english, identity.ErrInvalid)
		if got := answerTo(err).words(de, err); got != want {
			t.Errorf("%q: %q, want %q", english, got, want)
		}
	}
}
