package identity

import (
	"regexp"
	"strings"
	"testing"
)

var nameSeeds = []string{"alice", "ALICE", "ａｌｉｃｅ", "Ⅷ", "straße", "ΑΣ", "ß", "a.b+c-d_e", "..", ".", "-a", "a/b", "a\\b",
	"a\x00b", "a b", "a@b", "ǅ", "ﬁ", "é", "e\u0301", "ا", "aا", "١", "1", "_", strings.Repeat("a", 64), strings.Repeat("a", 65),
	"\xff", "a\u200b", "K", "İ"}

func FuzzParseUserName(f *testing.F) {
	for _, s := range nameSeeds {
		f.Add(s)
	}
	folder := regexp.MustCompile(`[/\\\x00-\x20\x7f]`)
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseUserName(s)
		if err != nil {
			return
		}
		if again, err := ParseUserName(string(n)); err != nil || again != n {
			t.Errorf("%q is %q, and that is %q, %v", s, n, again, err)
		}
		if n == "" || n == "." || n == ".." || folder.MatchString(string(n)) {
			t.Errorf("%q is no safe folder name", n)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range nameSeeds {
		f.Add(s)
		f.Add(s + "@Example.ORG")
		f.Add("alice@" + s)
	}
	for _, s := range []string{"a@xn--strae-oqa.de", "a@straße.de", "a@b.", "a@", "@b", "a@b@c", "a@[::1]", "a@127.0.0.1", "a@b..c", "a@。"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, d, err := ParseAddress(s, "example.org")
		if err != nil {
			return
		}
		n2, d2, err := ParseAddress(string(n)+"@"+d, "elsewhere.example")
		if err != nil || n2 != n || d2 != d {
			t.Errorf("%q is %q at %q, and that is %q at %q, %v", s, n, d, n2, d2, err)
		}
	})
}
