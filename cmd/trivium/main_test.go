package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReferenceIsFresh(t *testing.T) {
	page, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("..", "..", "docs", "cli.md")
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Error("docs/cli.md is old: go generate ./cmd/trivium")
	}
	for _, want := range []string{"## serve", "### trivium user add", "trivium token issue LOGIN --scope SCOPE [flags]", "Also: `kick`", "trivium session list"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "## reference") {
		t.Error("the page has a hidden command")
	}
}

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "jürgen": 6, "ju\u0308rgen": 6, "日本": 4, "a\u200bb": 2, "ｆｕｌｌ": 8} {
		if got := columns(s); got != want {
			t.Errorf("columns(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	for name, tt := range map[string]struct {
		globals Globals
		want    string
	}{
		"aligned": {Globals{}, "NAME   N\n日本   1\nab    22\n"},
		"plain":   {Globals{Plain: true}, "日本\t1\nab\t22\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			s := &shell{Globals: &tt.globals, stdout: &out, stderr: &out}
			if err := s.table("", []string{"NAME", "N"}, [][]string{{"日本", "1"}, {"ab", "22"}}, "N"); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%swant\n%s", out.String(), tt.want)
			}
		})
	}
}

// What strangers send must not steer the terminal of who looks at it.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"FileZilla 3.69": "FileZilla 3.69", "a\x1b[2Jb": "a\uFFFD[2Jb", "a\nb\tc": "a b c", "a\u202eb": "a\uFFFDb", "日本": "日本", "a\u009bb": "a\uFFFDb"} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59 * time.Second: "59s", 12*time.Minute + 5*time.Second: "12m", 3 * time.Hour: "3h",
		3*time.Hour + 4*time.Minute: "3h 4m", 98*time.Hour + time.Minute: "4d 2h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestDurationsAndSizes(t *testing.T) {
	for in, want := range map[string]time.Duration{"30s": 30 * time.Second, "90d": 90 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1h30m": 90 * time.Minute, "0s": 0} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "d", "-1h", "-1d", "1y", "99999999d", "9999999999999w", "soon"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("parseDuration(%q) = %s", in, got)
		}
	}
	for in, want := range map[string]int64{"0": 0, "500": 500, "5GB": 5e9, "1.5 KiB": 1536, "none": -1, "default": 0, "2mib": 2 << 20} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "GB", "-1GB", "5XB", "99999999TB", "1e9"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("parseSize(%q) = %d", in, got)
		}
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{"": "", "1h": "2030-01-02T11:00:00Z", "1d": "2030-01-01T12:00:00Z", "2029-12-31T23:00:00+01:00": "2029-12-31T22:00:00Z"} {
		if got, err := parseSince("--since", in, now); err != nil || got != want {
			t.Errorf("parseSince(%q) = %q, %v", in, got, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for code, want := range map[string]int{"not_found": 4, "exists": 5, "refused": 6, "unauthorized": 6, "not_running": 7, "invalid": 2, "failed": 1, "unavailable": 1} {
		if got := exitOf(code); got != want {
			t.Errorf("exitOf(%q) = %d, want %d", code, got, want)
		}
	}
}
