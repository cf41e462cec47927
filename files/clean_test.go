package files_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"trivium/files"
)

func TestClean(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, tt := range []struct{ cwd, p, want string }{
		{"/", "", "/"}, {"/a", "", "/a"}, {"/a", "b", "/a/b"}, {"/a", "/b", "/b"}, {"/a/b", "..", "/a"},
		{"/a", "../../../x", "/x"}, {"/", "//a///b/", "/a/b"}, {"/", "a/./b/../c", "/a/c"},
		{"/", "…/ÄÖ/日本", "/…/ÄÖ/日本"}, {"/", " a ", "/ a "}, {"/", `a\..\b`, `/a\..\b`}, {"/", long, "/" + long},
		{"/", "%2e%2e/x", "/%2e%2e/x"}, {"/", "-rf", "/-rf"}, {"/", "a\tb", "/a\tb"},
	} {
		if got, err := files.Clean(tt.cwd, tt.p); err != nil || got != tt.want {
			t.Errorf("Clean(%q, %q) = %q, %v; want %q", tt.cwd, tt.p, got, err, tt.want)
		}
	}
	for _, p := range []string{"a\x00b", "a\nb", "a\rb", "\xff", long + "x", strings.Repeat("a/", 2100)} {
		if got, err := files.Clean("/", p); !errors.Is(err, files.ErrName) {
			t.Errorf("Clean(%q) = %q, %v; want ErrName", p, got, err)
		}
	}
}

// slowClean walks the segments one by one.
func slowClean(cwd, p string) (string, bool) {
	whole := p
	if !strings.HasPrefix(p, "/") {
		whole = cwd + "/" + p
	}
	if len(whole) > 4096 || !utf8.ValidString(whole) {
		return "", false
	}
	for _, r := range whole {
		if r == 0 || r == '\n' || r == '\r' {
			return "", false
		}
	}
	var stack []string
	for _, s := range strings.Split(whole, "/") {
		switch s {
		case "", ".":
		case "..":
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
		default:
			stack = append(stack, s)
		}
	}
	for _, s := range stack {
		if len(s) > 255 {
			return "", false
		}
	}
	return "/" + strings.Join(stack, "/"), true
}

func FuzzClean(f *testing.F) {
	for _, s := range [][2]string{{"/", "../../etc/passwd"}, {"/a/b", "./../c//d/"}, {"/", "a\x00"}, {"/x", "/..."}, {"/", "..\n"}, {"/ä", "\xc3"}, {"/a", "..//../b"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, cwd, p string) {
		cwd, err := files.Clean("/", cwd)
		if err != nil {
			return
		}
		got, err := files.Clean(cwd, p)
		want, ok := slowClean(cwd, p)
		if (err == nil) != ok || ok && got != want {
			t.Fatalf("Clean(%q, %q) = %q, %v; the slow model says %q, %v", cwd, p, got, err, want, ok)
		}
		if err != nil {
			return
		}
		if again, err := files.Clean("/", got); err != nil || again != got {
			t.Fatalf("not idempotent: %q becomes %q, %v", got, again, err)
		}
		for i, s := range strings.Split(got, "/") {
			if s == ".." || s == "." || s == "" && i > 0 && got != "/" {
				t.Fatalf("segment %q in %q", s, got)
			}
		}
	})
}
