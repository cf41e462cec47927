package trivium_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestManualNamesTests: each test that the manual names as the proof of something is there.
func TestManualNamesTests(t *testing.T) {
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := os.ReadFile(name)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"docs/xmpp.md", "e2e/CHECKS.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllSubmatch(text, -1)
		if len(named) == 0 {
			t.Errorf("%s names no test", page)
		}
		for _, m := range named {
			if !there[string(m[1])] {
				t.Errorf("%s names %s, which is nowhere", page, m[1])
			}
		}
	}
}

// TestChecksOfPages: each of the forty checks has its row, and each part of TestPages that the table names is there.
func TestChecksOfPages(t *testing.T) {
	table, err := os.ReadFile("e2e/CHECKS.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("e2e/pages_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string // of subtests
	for _, m := range regexp.MustCompile(`\{"([^"]+)", \(\*pages\)|t\.Run\("([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		names = append(names, m[1]+m[2])
	}
	named := func(part string) bool {
		part = strings.ReplaceAll(part, "_", " ")
		return slices.ContainsFunc(names, func(n string) bool {
			return strings.HasPrefix(n, part) || regexp.MustCompile(`^(\d\d )*`+regexp.QuoteMeta(part)+` `).MatchString(n)
		})
	}
	rows := map[string]bool{}
	for _, line := range strings.Split(string(table), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) == 5 {
			for _, n := range regexp.MustCompile(`\b\d+\b`).FindAllString(cells[1], -1) {
				rows[n] = true
			}
		}
		_, after, found := strings.Cut(line, "`TestPages`")
		for _, m := range regexp.MustCompile(`/((attack:_)?[a-z0-9_]+)`).FindAllStringSubmatch(after, -1) {
			if found && !named(m[1]) {
				t.Errorf("the table names TestPages/%s, which is not there: %s", m[1], line)
			}
		}
	}
	for n := 1; n <= 40; n++ {
		if !rows[strconv.Itoa(n)] {
			t.Errorf("check %d has no row", n)
		}
	}
}
