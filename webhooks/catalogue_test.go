package webhooks

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The catalogue names each event that the source records.
func TestCatalogueIsComplete(t *testing.T) {
	var known []string
	for _, f := range Catalogue() {
		for _, e := range f.Events {
			if slices.Contains(known, e) || e != f.Name && !strings.HasPrefix(e, f.Name+".") {
				t.Errorf("%s of %s is there twice, or of another family", e, f.Name)
			}
			known = append(known, e)
		}
	}
	recorded := regexp.MustCompile(`(?:\bEvent(?:[A-Z]\w*)?\s*[:=]+\s*|\bevent(?:, event)? :?= |\b(?:record|audit|change|note|Record)\w*\([^"\n]*)"([a-z]+(?:\.[a-z_]+)+)"`)
	found := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "vendor" || d.Name() == "e2e" || d.Name() == "sqltest" || d.Name() == "storetest"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range recorded.FindAllStringSubmatch(string(b), -1) {
			found++
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s records %s, which the catalogue lacks", path, m[1])
			}
		}
		return nil
	})
	if err != nil || found < 60 {
		t.Errorf("%d events were found in the source: %v", found, err)
	}
}
