// Package trivium_test holds the architecture as a test: which package may import which.
package trivium_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the import table of ARCHITECTURE.md: for a package (or, with /..., it and all
// below), what of ours it may import. Imports go down only; what is not listed is forbidden.
var mayImport = []struct {
	pkg  string
	ours []string
}{
	// 0: domain core, settings, plumbing
	{"identity", nil},
	{"identity/crypt3", nil},
	{"config", nil},
	{"doctor", nil},
	{"config/gendoc", []string{"config"}},
	{"internal/...", nil},
	{"internal/acme", []string{"internal/certs"}},
	{"internal/licences/gen", []string{"internal/licences"}},
	{"internal/bus/bustest", []string{"internal/bus"}},
	{"internal/sqldb/sqltest", []string{"internal/sqldb", "internal/pgtest"}},
	// 1
	{"tokens", []string{"identity"}},
	{"files", []string{"identity"}},
	{"backup", nil},
	{"files/local", []string{"files"}},
	{"files/s3", []string{"files"}},
	{"files/backendtest", []string{"files"}},
	{"identity/ldap", []string{"identity"}},
	{"identity/hook", []string{"identity"}},
	{"identity/oidc", []string{"identity"}},
	{"identity/oidc/oidctest", nil},
	{"identity/provider", []string{"identity"}},
	{"webhooks", []string{"identity"}},
	{"webhooks/sqlstore", []string{"webhooks", "identity", "internal/sqldb"}},
	// 2
	{"identity/sqlstore", []string{"identity", "internal/sqldb", "internal/mail"}},
	{"identity/storetest", []string{"identity"}},
	{"identity/proftpd", []string{"identity"}},
	{"identity/importer", []string{"identity"}},
	{"identity/factor", []string{"identity"}},
	{"identity/factor/factortest", nil},
	{"tokens/sqlstore", []string{"tokens", "identity", "internal/sqldb"}},
	{"tokens/storetest", []string{"tokens", "identity"}},
	{"files/sqlstore", []string{"files", "files/s3", "identity", "internal/sqldb"}},
	{"files/storetest", []string{"files", "identity"}},
	{"xmpp/sqlstore", []string{"xmpp", "xmpp/...", "identity", "internal/sqldb"}}, // of the small modules too
	{"xmpp/storetest", []string{"xmpp", "xmpp/...", "identity"}},
	{"xmpp/xmpptest", []string{"xmpp", "xmpp/sqlstore", "identity", "identity/sqlstore", "tokens", "tokens/sqlstore", "config", "internal/..."}},
	// 3: the roads never import one another
	{"ftp", []string{"identity", "files", "config", "internal/..."}},
	{"web", []string{"backup", "doctor", "webhooks", "identity", "identity/importer", "identity/oidc", "identity/provider", "tokens", "files", "config", "internal/...", "web/takeout", "web/text"}},
	{"web/text", nil},
	{"web/auth", []string{"identity"}},
	{"web/takeout", []string{"identity", "files"}},
	{"web/api", []string{"backup", "webhooks", "doctor", "identity", "identity/proftpd", "identity/importer", "tokens", "files", "config", "internal/...", "web/auth", "web/takeout"}},
	{"web/dav", []string{"identity", "files", "internal/...", "web/auth"}},
	{"xmpp", []string{"identity", "config", "internal/..."}},
	{"xmpp/gendoap", nil},
	{"xmpp/blocking", []string{"xmpp", "identity"}},
	{"xmpp/command", []string{"xmpp", "identity"}},
	{"xmpp/register", []string{"xmpp", "identity"}},
	{"xmpp/extdisco", []string{"xmpp", "identity"}},
	{"xmpp/confirm", []string{"xmpp", "identity"}},
	{"xmpp/invite", []string{"xmpp", "identity"}},
	{"xmpp/contact", []string{"xmpp", "identity"}},
	{"xmpp/last", []string{"xmpp", "identity"}},
	{"xmpp/portable", []string{"xmpp", "identity"}},
	{"xmpp/devices", []string{"xmpp", "identity"}},
	{"xmpp/greet", []string{"xmpp", "identity"}},
	{"xmpp/groups", []string{"xmpp", "identity"}},
	{"xmpp/carbons", []string{"xmpp", "identity"}},
	{"xmpp/offline", []string{"xmpp", "identity"}},
	{"xmpp/private", []string{"xmpp", "identity"}},
	{"xmpp/push", []string{"xmpp", "identity"}},
	{"xmpp/vcard", []string{"xmpp", "identity"}},
	{"xmpp/announce", []string{"xmpp", "identity", "internal/..."}},
	{"xmpp/notice", []string{"xmpp", "identity", "internal/..."}},
	{"xmpp/mam", []string{"xmpp", "identity", "internal/..."}},
	{"xmpp/mam/sqlstore", []string{"xmpp/mam", "identity", "internal/sqldb"}},
	{"xmpp/mam/storetest", []string{"xmpp/mam", "identity"}},
	{"xmpp/caps", []string{"xmpp", "identity"}},
	{"xmpp/pubsub", []string{"xmpp", "identity"}},
	{"xmpp/pubsub/sqlstore", []string{"xmpp/pubsub", "identity", "internal/sqldb"}},
	{"xmpp/pubsub/storetest", []string{"xmpp/pubsub", "identity"}},
	// 4 and 5
	{"cmd/trivium/app", []string{"..."}},
	{"cmd/trivium", []string{"backup", "internal/qr", "cmd/trivium/app", "config"}},
	{"e2e", nil},
	{"e2e/...", nil},
}

// fxOnly and sqldbOnly are what two imports are confined to.
var (
	fxOnly    = []string{"cmd/trivium/app"}
	sqldbOnly = []string{"cmd/trivium/app", "webhooks/sqlstore", "identity/sqlstore", "tokens/sqlstore", "files/sqlstore", "xmpp/sqlstore", "internal/sqldb/sqltest", "xmpp/xmpptest", "xmpp/mam/sqlstore", "xmpp/pubsub/sqlstore"}
	roads     = []string{"ftp", "web", "xmpp"}
)

func TestImports(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "testdata" || d.Name() == "node_modules" || name == "var") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		files++
		checkFile(t, filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at: the walk is broken", files)
	}
}

func checkFile(t *testing.T, name string) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	pkg := path.Dir(name)
	if pkg == "." { // this file
		return
	}
	test := strings.HasSuffix(name, "_test.go")
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.HasPrefix(imp, "go.uber.org/fx") && !matches(pkg, fxOnly) {
			t.Errorf("%s imports %s: only cmd/trivium/app composes", name, imp)
		}
		ours, ok := strings.CutPrefix(imp, "trivium/")
		if !ok || ours == pkg {
			continue
		}
		if test {
			checkTestImport(t, name, pkg, ours)
			continue
		}
		if strings.HasPrefix(ours, "internal/sqldb") && !matches(pkg, sqldbOnly) {
			t.Errorf("%s imports %s: only the sqlstores and app speak SQL", name, ours)
		}
		if !allowed(t, pkg, ours) {
			t.Errorf("%s: package %s may not import %s", name, pkg, ours)
		}
	}
}

// checkTestImport lets tests use every lower tier, but never another road, and e2e nothing but the server
// of a database.
func checkTestImport(t *testing.T, name, pkg, ours string) {
	if top(pkg) == "e2e" && ours != "internal/pgtest" {
		t.Errorf("%s imports %s: e2e speaks the wire and the command line only", name, ours)
	}
	if matches(top(pkg), roads) && matches(top(ours), roads) && top(pkg) != top(ours) {
		t.Errorf("%s imports %s: the roads never import one another", name, ours)
	}
}

func allowed(t *testing.T, pkg, ours string) bool {
	best, found := -1, false
	for i, row := range mayImport {
		if matches(pkg, []string{row.pkg}) && (best < 0 || len(row.pkg) > len(mayImport[best].pkg)) {
			best, found = i, true
		}
	}
	if !found {
		t.Errorf("package %s has no row in the import table", pkg)
		return true
	}
	return matches(ours, mayImport[best].ours)
}

func matches(pkg string, patterns []string) bool {
	for _, p := range patterns {
		if p == pkg || p == "..." {
			return true
		}
		if base, ok := strings.CutSuffix(p, "/..."); ok && (pkg == base || strings.HasPrefix(pkg, base+"/")) {
			return true
		}
	}
	return false
}

func top(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	return first
}
