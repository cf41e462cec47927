package text

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

//go:embed *.toml
var builtIn embed.FS

// Bounds of what a site and a browser may bring.
const (
	maxLanguages = 64
	maxHeader    = 256 // bytes of an Accept-Language header that are read
	maxRemember  = 512 // headers whose language is remembered
)

// Language is the texts of one language. Its methods are safe for any goroutine.
type Language struct {
	Tag  string // BCP 47, as for the attribute lang
	Name string // as its speakers call it
	Dir  string // ltr or rtl

	tag      language.Tag
	messages map[string]*message
	english  *Language // takes the place of what is missing; nil: it is English
	numbers  numbers
	echoes   func() map[string][]*echo // of English by section, made when first asked for
}

// Set is the languages of a site, English first. It is safe for any goroutine.
type Set struct {
	languages []*Language
	matcher   language.Matcher

	mu    sync.Mutex // guards known
	known map[string]*Language
}

// New reads the catalogues that are built in, and the files *.toml of site, which may be nil. What is wrong
// with a file of the site is told in faults, and the file left out; err is about those built in.
func New(site fs.FS) (s *Set, faults []error, err error) {
	s = &Set{known: map[string]*Language{}}
	english, err := builtIn.ReadFile("en.toml")
	if err != nil {
		return nil, nil, fmt.Errorf("reading the English texts: %w", err)
	}
	base, err := parse("en.toml", english)
	if err != nil {
		return nil, nil, err
	}
	en, err := newLanguage("en.toml", language.English, base, base, nil)
	if err != nil {
		return nil, nil, err
	}
	s.languages = append(s.languages, en)
	names, err := fs.Glob(builtIn, "*.toml")
	if err != nil {
		return nil, nil, fmt.Errorf("listing the catalogues: %w", err)
	}
	for _, file := range names {
		if file == "en.toml" {
			continue
		}
		if err := s.add(builtIn, file, base); err != nil {
			return nil, nil, err
		}
	}
	if site != nil {
		if names, err = fs.Glob(site, "*.toml"); err != nil {
			faults = append(faults, fmt.Errorf("listing the site's catalogues: %w", err))
		}
		for _, file := range names {
			if err := s.add(site, file, base); err != nil {
				faults = append(faults, err)
			}
		}
	}
	tags := make([]language.Tag, len(s.languages))
	for i, l := range s.languages {
		tags[i] = l.tag
	}
	s.matcher = language.NewMatcher(tags)
	return s, faults, nil
}

// add reads a catalogue; one of a language that is there replaces its texts.
func (s *Set) add(from fs.FS, file string, base map[string]*entry) error {
	tag, err := language.Parse(strings.TrimSuffix(path.Base(file), ".toml"))
	if err != nil {
		return &Fault{File: file, Text: "a catalogue is named by its language, such as pl.toml or pt-BR.toml"}
	}
	f, err := from.Open(file)
	if err != nil {
		return fmt.Errorf("reading a catalogue: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("reading the catalogue %s: %w", file, err)
	}
	own, err := parse(file, data)
	if err != nil {
		return err
	}
	l, err := newLanguage(file, tag, own, base, s.languages[0])
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(s.languages, func(o *Language) bool { return o.tag == tag }); i >= 0 {
		for key, m := range s.languages[i].messages {
			if _, ok := l.messages[key]; !ok {
				l.messages[key] = m
			}
		}
		if _, ok := own["language.name"]; !ok {
			l.Name, l.Dir = s.languages[i].Name, s.languages[i].Dir
		}
		if i == 0 {
			l.english = nil
			for _, o := range s.languages[1:] {
				o.english = l
			}
		}
		s.languages[i] = l
		return nil
	}
	if len(s.languages) >= maxLanguages {
		return &Fault{File: file, Text: "there are too many languages"}
	}
	s.languages = append(s.languages, l)
	return nil
}

// explains reports whether a text says what a key of the configuration is: its English stands with the key.
func explains(key string) bool {
	section, _, _ := strings.Cut(key, ".")
	return section == "config" || strings.HasPrefix(section, "config_")
}

func newLanguage(file string, tag language.Tag, own, base map[string]*entry, english *Language) (*Language, error) {
	l := &Language{Tag: tag.String(), tag: tag, messages: make(map[string]*message, len(own)), english: english, numbers: numbersOf(tag)}
	for key, e := range own {
		if explains(key) {
			if english == nil || e.forms != nil || strings.TrimSpace(e.one) == "" {
				return nil, &Fault{File: file, Line: e.line, Column: e.column, Text: "the text " + key + " explains a key of the configuration: another language than English, one form, and not empty"}
			}
			l.messages[key] = &message{one: form{{literal: e.one, escaped: special.Replace(e.one), arg: -1}}, written: e.one}
			continue
		}
		like, ok := base[key]
		if !ok {
			return nil, &Fault{File: file, Line: e.line, Column: e.column, Text: "there is no text " + key}
		}
		if err := check(file, key, e, like); err != nil {
			return nil, err
		}
		names, _ := placeholders(like.reference())
		l.messages[key] = compile(e, names, strings.Contains(like.reference(), "<"))
	}
	l.echoes = sync.OnceValue(func() map[string][]*echo { return echoesOf(l) })
	if english != nil {
		l.echoes = english.echoes
	}
	l.Name, l.Dir = l.Tag, "ltr"
	if e, ok := own["language.name"]; ok {
		l.Name = e.one
	}
	if script, _ := tag.Script(); slices.Contains([]string{"Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm"}, script.String()) {
		l.Dir = "rtl"
	}
	return l, nil
}

// Languages are all of them, English first, then as their files are named.
func (s *Set) Languages() []*Language { return slices.Clone(s.languages) }

// Find is the language of this very tag; nil where there is none.
func (s *Set) Find(tag string) *Language {
	for _, l := range s.languages {
		if strings.EqualFold(l.Tag, tag) {
			return l
		}
	}
	return nil
}

// Match finds the language for wishes in the order of their weight: each is a tag, an Accept-Language header
// (RFC 9110 section 12.5.4), or "". The first that asks for a language that there is decides; English stands
// where none does.
func (s *Set) Match(wishes ...string) *Language {
	for _, w := range wishes {
		if w == "" {
			continue
		}
		if l := s.match(w); l != nil {
			return l
		}
	}
	return s.languages[0]
}

func (s *Set) match(wish string) *Language {
	if len(wish) > maxHeader {
		wish = wish[:maxHeader]
	}
	s.mu.Lock()
	l, ok := s.known[wish]
	s.mu.Unlock()
	if ok {
		return l
	}
	tags, _, err := language.ParseAcceptLanguage(wish)
	if cutAt := strings.LastIndexByte(wish, ','); err != nil && cutAt > 0 { // what was clipped may end within a tag
		tags, _, err = language.ParseAcceptLanguage(wish[:cutAt])
	}
	if err == nil && len(tags) > 0 {
		if _, i, sure := s.matcher.Match(tags...); sure > language.No {
			l = s.languages[i]
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxRemember {
		clear(s.known)
	}
	s.known[strings.Clone(wish)] = l
	return l
}

// find is the message of a key, in English where the language has none.
func (l *Language) find(key string) *message {
	if l == nil {
		return nil
	}
	if m, ok := l.messages[key]; ok {
		return m
	}
	if l.english != nil {
		return l.english.messages[key]
	}
	return nil
}

// Has reports whether there is a text of this key.
func (l *Language) Has(key string) bool { return l.find(key) != nil }

// Plain is the text of a key as markup, where it needs no arguments. marked: it is one for H.
func (l *Language) Plain(key string) (escaped string, marked, ok bool) {
	m := l.find(key)
	if m == nil {
		return "", false, false
	}
	f, ok := m.plain()
	if !ok {
		return "", m.marked, false
	}
	for _, p := range f {
		escaped += p.escaped
	}
	return escaped, m.marked, true
}

// Args is how many arguments the text of a key takes, and whether it has markup and is for H; ok is false
// where there is no such text.
func (l *Language) Args(key string) (n int, marked, ok bool) {
	m := l.find(key)
	if m == nil {
		return 0, false, false
	}
	return m.args, m.marked, true
}

// Written is the text of a key as the catalogue has it, placeholders and all; "" for a plural.
func (l *Language) Written(key string) string {
	m := l.find(key)
	if m == nil {
		return ""
	}
	return m.written
}

// Keys are those that the language itself has, sorted.
func (l *Language) Keys() []string {
	keys := make([]string, 0, len(l.messages))
	for k := range l.messages {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
