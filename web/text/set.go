package text

import (
	"bytes"
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

	tag     language.Tag
	words   func() *words             // those built in are read when they are first asked for: that is not at the start
	english *Language                 // takes the place of what is missing; nil: it is English
	echoes  func() map[string][]*echo // of English by section, made when first asked for
}

// words are what a language has.
type words struct {
	messages map[string]*message
	numbers  numbers
}

// Set is the languages of a site, English first. It is safe for any goroutine.
type Set struct {
	languages []*Language
	matcher   language.Matcher

	mu    sync.Mutex // guards known
	known map[string]*Language
}

// New knows the catalogues that are built in, and reads the files *.toml of site, which may be nil. What is wrong
// with a file of the site is told in faults, and the file left out; err is about those built in.
func New(site fs.FS) (s *Set, faults []error, err error) {
	s = &Set{known: map[string]*Language{}}
	base := sync.OnceValues(func() (map[string]*entry, error) { return readBuiltIn("en.toml") })
	en, err := builtInLanguage("en.toml", base, base, nil)
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
		l, err := builtInLanguage(file, func() (map[string]*entry, error) { return readBuiltIn(file) }, base, en)
		if err != nil {
			return nil, nil, err
		}
		s.languages = append(s.languages, l)
	}
	if site != nil {
		if names, err = fs.Glob(site, "*.toml"); err != nil {
			faults = append(faults, fmt.Errorf("listing the site's catalogues: %w", err))
		}
		for _, file := range names {
			english, err := base()
			if err != nil {
				return nil, nil, err
			}
			if err := s.add(site, file, english); err != nil {
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

// readBuiltIn reads a catalogue of this program, which the tests have checked: the start does not.
func readBuiltIn(file string) (map[string]*entry, error) {
	data, err := builtIn.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the texts of %s: %w", file, err)
	}
	return expressions(file, data)
}

// builtInLanguage is one of this program; read gives its catalogue, base the English one.
func builtInLanguage(file string, read, base func() (map[string]*entry, error), english *Language) (*Language, error) {
	tag, err := language.Parse(strings.TrimSuffix(file, ".toml"))
	if err != nil {
		return nil, fmt.Errorf("the catalogue %s is named by no language: %w", file, err)
	}
	data, err := builtIn.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the texts of %s: %w", file, err)
	}
	head, err := expressions(file, sectionOf(data, "language"))
	if err != nil {
		return nil, err
	}
	return theLanguage(tag, head, english, sync.OnceValue(func() *words {
		own, err := read()
		if err != nil { // the tests have read it
			return &words{numbers: numbersOf(tag)}
		}
		like, err := base()
		if err != nil {
			return &words{numbers: numbersOf(tag)}
		}
		return wordsOf(tag, own, like)
	})), nil
}

// sectionOf is the part of a catalogue from the head of a section to the next; nil where it has none.
func sectionOf(data []byte, section string) []byte {
	start := bytes.Index(data, []byte("["+section+"]\n"))
	if start < 0 || start > 0 && data[start-1] != '\n' {
		return nil
	}
	part := data[start:]
	if end := bytes.Index(part, []byte("\n[")); end >= 0 {
		part = part[:end+1]
	}
	return part
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
		mine := l.words().messages
		for key, m := range s.languages[i].words().messages {
			if _, ok := mine[key]; !ok {
				mine[key] = m
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
	for key, e := range own {
		if explains(key) {
			if english == nil || e.forms != nil || strings.TrimSpace(e.one) == "" {
				return nil, &Fault{File: file, Line: e.line, Column: e.column, Text: "the text " + key + " explains a key of the configuration: another language than English, one form, and not empty"}
			}
			continue
		}
		like, ok := base[key]
		if !ok {
			return nil, &Fault{File: file, Line: e.line, Column: e.column, Text: "there is no text " + key}
		}
		if err := check(file, key, e, like); err != nil {
			return nil, err
		}
	}
	made := wordsOf(tag, own, base)
	return theLanguage(tag, own, english, func() *words { return made }), nil
}

// wordsOf prepares the texts of a catalogue that was checked.
func wordsOf(tag language.Tag, own, base map[string]*entry) *words {
	w := &words{messages: make(map[string]*message, len(own)), numbers: numbersOf(tag)}
	for key, e := range own {
		like := base[key]
		switch {
		case explains(key):
			w.messages[key] = &message{one: form{{literal: e.one, escaped: special.Replace(e.one), arg: -1}}, written: e.one}
			continue
		case like == nil:
			continue
		}
		names, _ := placeholders(like.reference())
		w.messages[key] = compile(e, names, strings.Contains(like.reference(), "<"))
	}
	return w
}

// theLanguage is a language of these words; own has at least what its catalogue says of itself.
func theLanguage(tag language.Tag, own map[string]*entry, english *Language, made func() *words) *Language {
	l := &Language{Tag: tag.String(), tag: tag, words: made, english: english}
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
	return l
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
	if m, ok := l.words().messages[key]; ok {
		return m
	}
	if l.english != nil {
		return l.english.words().messages[key]
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
	messages := l.words().messages
	keys := make([]string, 0, len(messages))
	for k := range messages {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
