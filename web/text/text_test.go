package text_test

import (
	"errors"
	"html/template"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"trivium/web/text"
)

func set(t *testing.T, files map[string]string) *text.Set {
	t.Helper()
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	s, faults, err := text.New(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return s
}

// The start reads the catalogues of this program without a look at their faults.
func TestBuiltIn(t *testing.T) {
	if err := text.CheckBuiltIn(); err != nil {
		t.Error(err)
	}
	s, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for tag, name := range map[string]string{"en": "English", "de": "Deutsch"} {
		if l := s.Find(tag); l == nil || l.Name != name {
			t.Errorf("%s: %+v", tag, l)
		}
	}
}

// TestComplete: German has each text that English has.
func TestComplete(t *testing.T) {
	s := set(t, nil)
	en, de := s.Find("en"), s.Find("de")
	if en == nil || de == nil || en.Name != "English" || de.Name != "Deutsch" {
		t.Fatalf("languages %v, %v", en, de)
	}
	own := de.Keys()
	for _, key := range en.Keys() {
		if _, found := slices.BinarySearch(own, key); !found {
			t.Errorf("de.toml lacks %s", key)
		}
	}
}

func TestTexts(t *testing.T) {
	s := set(t, map[string]string{
		"en.toml": "[quota]\nentries = {one = \"{n} file is left\", other = \"{n} files are left\"}\n",
		"pl.toml": "[language]\nname = \"polski\"\n[quota]\nentries = {one = \"został {n} plik\", few = \"zostały {n} pliki\", many = \"zostało {n} plików\", other = \"zostało {n} pliku\"}\n",
		"ar.toml": "[language]\nname = \"العربية\"\n",
	})
	en, pl, ar := s.Find("en"), s.Find("pl"), s.Find("ar")
	if ar.Dir != "rtl" || pl.Dir != "ltr" || pl.Name != "polski" {
		t.Errorf("%q, %q, %q", ar.Dir, pl.Dir, pl.Name)
	}
	for _, tt := range []struct {
		l    *text.Language
		n    any
		want string
	}{
		{en, 1, "1 file is left"}, {en, 0, "0 files are left"}, {en, int64(1234), "1,234 files are left"},
		{pl, 1, "został 1 plik"}, {pl, 3, "zostały 3 pliki"}, {pl, 12, "zostało 12 plików"}, {pl, uint32(22), "zostały 22 pliki"},
		{ar, 2, "٢ files are left"}, // a text that it lacks, with its own digits
	} {
		if got := tt.l.T("quota.entries", tt.n); got != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.l.Tag, tt.n, got, tt.want)
		}
	}
	if got := en.T("Nothing is in %s", "it"); got != "Nothing is in it" {
		t.Errorf("words that are no key: %q", got)
	}
}

func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct{ file, content, want string }{
		"syntax":           {"pl.toml", "[language]\nname = \n", "pl.toml:2:8: "},
		"twice":            {"pl.toml", "[language]\nname = \"a\"\nname = \"b\"\n", "pl.toml:3:1: "},
		"unknown key":      {"pl.toml", "[language]\n  nam = \"a\"\n", "pl.toml:2:3: there is no text language.nam"},
		"no text":          {"pl.toml", "[language]\nname = 3\n", "pl.toml:2:1: a text is"},
		"placeholder":      {"pl.toml", "[language]\nname = \"{x}\"\n", "pl.toml:2:1: the text language.name has the placeholder {x}"},
		"brace":            {"pl.toml", "[language]\nname = \"{\"\n", "pl.toml:2:1: the text language.name has a brace"},
		"markup":           {"pl.toml", "[language]\nname = \"<b>a</b>\"\n", "pl.toml:2:1: the text language.name has < or >"},
		"no section":       {"pl.toml", "name = \"a\"\n", "pl.toml:1:1: the key name is no section"},
		"plural form":      {"pl.toml", "[language]\nname = {single = \"a\", other = \"b\"}\n", "a plural form is one of"},
		"without other":    {"pl.toml", "[language]\nname = {one = \"a\"}\n", "other is missing"},
		"nothing to count": {"pl.toml", "[language]\nname = {other = \"a\"}\n", "no number {n}"},
		"empty":            {"pl.toml", "[language]\nname = \"\"\n", "is empty"},
		"file name":        {"words.of.toml", "", "is named by its language"},
		"list":             {"pl.toml", "[[language]]\nname = \"a\"\n", "sections and texts"},
	} {
		t.Run(name, func(t *testing.T) {
			s, faults, err := text.New(fstest.MapFS{tt.file: {Data: []byte(tt.content)}})
			if err != nil {
				t.Fatal(err)
			}
			if len(faults) != 1 || !strings.Contains(faults[0].Error(), tt.want) {
				t.Errorf("faults %v, want %q", faults, tt.want)
			}
			var f *text.Fault
			if len(faults) > 0 && !errors.As(faults[0], &f) {
				t.Errorf("%T is no Fault", faults[0])
			}
			if s.Find("pl") != nil {
				t.Error("the catalogue is not left out")
			}
		})
	}
}

func TestMatch(t *testing.T) {
	s := set(t, map[string]string{"pt-BR.toml": "", "zh-Hant.toml": ""})
	for _, tt := range []struct {
		wishes []string
		want   string
	}{
		{nil, "en"}, {[]string{""}, "en"}, {[]string{"de"}, "de"}, {[]string{"de-AT,de;q=0.9,en;q=0.8"}, "de"}, {[]string{"", "fr,de;q=0.5"}, "de"},
		{[]string{"fr", "de"}, "de"}, {[]string{"en-GB", "de"}, "en"}, {[]string{"en;q=0.5, de;q=0.9"}, "de"}, {[]string{"pt"}, "pt-BR"}, {[]string{"zh-TW"}, "zh-Hant"},
		{[]string{"*"}, "en"}, {[]string{"\x00;;q=", "de"}, "de"}, {[]string{strings.Repeat("fr,", 80) + "de-very-long,xx"}, "en"}, {[]string{"fr", "fr", "de"}, "de"},
	} {
		if got := s.Match(tt.wishes...); got.Tag != tt.want {
			t.Errorf("%q: %s, want %s", tt.wishes, got.Tag, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	files := map[string]string{}
	for _, l := range []string{"fr", "pl", "es", "hi", "ar"} {
		files[l+".toml"] = ""
	}
	s := set(t, files)
	for _, tt := range []struct {
		tag          string
		n            int64
		number, size string
	}{
		{"en", 0, "0", "0 B"}, {"en", 999, "999", "999 B"}, {"en", 1234567, "1,234,567", "1.2 MB"}, {"en", -1234, "-1,234", "-1,234 B"}, {"en", 999_999, "999,999", "1 MB"}, {"en", 5_000_000_000, "5,000,000,000", "5 GB"},
		{"de", 1234567, "1.234.567", "1,2 MB"}, {"de", 1000, "1.000", "1 kB"}, {"es", 1234, "1.234", "1,2 kB"}, {"es", 12345, "12.345", "12,3 kB"},
		{"pl", 1234567, "1\u00a0234\u00a0567", "1,2 MB"}, {"hi", 1234567, "12,34,567", "1.2 MB"},
	} {
		l := s.Find(tt.tag)
		if got := l.Number(tt.n); got != tt.number {
			t.Errorf("%s: %q, want %q", tt.tag, got, tt.number)
		}
		if got := l.Bytes(tt.n); got != tt.size {
			t.Errorf("%s: %q, want %q", tt.tag, got, tt.size)
		}
	}
}

// TestMarkup: arguments never become markup, and addresses are ours.
func TestMarkup(t *testing.T) {
	s := set(t, nil)
	en := s.Find("en")
	for _, tt := range []struct {
		args []any
		want template.HTML
	}{
		{[]any{"<b>", "/files/a?b=1&c"}, `Gone: <strong>&lt;b&gt;</strong> &amp; &#34;more&#34;, see <a href="/files/a?b=1&amp;c">here</a>.`},
		{[]any{template.HTML("<i>x</i>"), "javascript:alert(1)"}, `Gone: <strong><i>x</i></strong> &amp; &#34;more&#34;, see <a href="#">here</a>.`},
		{[]any{1234, `//evil.example/"`}, `Gone: <strong>1,234</strong> &amp; &#34;more&#34;, see <a href="#">here</a>.`},
	} {
		if got := text.Trial(en, `Gone: <strong>{name}</strong> & "more", see <a href="{link}">here</a>.`, tt.args...); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.args, got, tt.want)
		}
	}
	for _, bad := range []string{"<b>a</b>", "<strong>a", "a</em>", "<a>x</a>", `<a href="//evil">x</a>`, `<a href="https://evil">x</a>`, `<a href="/" onclick="x">x</a>`, "<strong>a</em></strong>", "1 < 2", `<a href='/x'>x</a>`} {
		if text.CheckMarkup(bad) == nil {
			t.Errorf("%s is let through", bad)
		}
	}
	for _, good := range []string{"<strong>a</strong>", `<a href="/files/">x</a>`, `<a href="#new">x</a>`, "a<br>b", `<a href="{link}"><em>x</em></a>`, `<a href="/">x</a>`} {
		if err := text.CheckMarkup(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

// FuzzCatalogue: whatever stands in a file of the site, it is read or told, and no argument becomes markup.
func FuzzCatalogue(f *testing.F) {
	f.Add([]byte("[language]\nname = \"x\"\n"), "de")
	f.Add([]byte("[common]\nnever = {one = \"{n}\", other = \"<a\"}\n[[x]]\n"), "fr;q=0.3,*")
	f.Add([]byte("language.name = '''a\nb'''\n\"a b\".c = 1979-05-27\n"), "\xff")
	f.Fuzz(func(t *testing.T, data []byte, header string) {
		s, faults, err := text.New(fstest.MapFS{"pl.toml": {Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			if !strings.HasPrefix(f.Error(), "pl.toml") {
				t.Errorf("%v does not name the file", f)
			}
		}
		l := s.Match("pl", header)
		for _, key := range l.Keys() {
			if strings.Contains(string(l.H(key, "<x", "<x", "<x", "<x")), "<x") {
				t.Errorf("%s lets an argument become markup", key)
			}
		}
	})
}
