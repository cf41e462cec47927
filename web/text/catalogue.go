package text

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxFile is the most that a catalogue may have, in bytes.
const maxFile = 1 << 20

// Fault is what is wrong with a catalogue, and where. Line and Column count from 1; 0 where nothing
// shorter than the file is at fault.
type Fault struct {
	File         string
	Line, Column int
	Text         string
}

func (f *Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Text)
}

// entry is a text of a catalogue as it is written: one form, or several by their CLDR names.
type entry struct {
	one          string
	forms        map[string]string // nil: it is one
	line, column int
}

// formNames are the plural forms of CLDR.
func formNames() []string { return []string{"zero", "one", "two", "few", "many", "other"} }

// all are its texts, by form; "" is the one.
func (e *entry) all() map[string]string {
	if e.forms == nil {
		return map[string]string{"": e.one}
	}
	return e.forms
}

// reference is the text that says which placeholders there are, and in which order.
func (e *entry) reference() string {
	if e.forms == nil {
		return e.one
	}
	return e.forms["other"]
}

var keyForm = regexp.MustCompile(`^[a-z0-9_-]+\.[a-z0-9_]+$`)

// parse reads a catalogue. The error is a *Fault.
func parse(file string, data []byte) (map[string]*entry, error) {
	if len(data) > maxFile {
		return nil, &Fault{File: file, Text: "a catalogue may have 1 MiB at most"}
	}
	var whole map[string]any // finds what is no TOML, and keys given twice
	if err := toml.Unmarshal(data, &whole); err != nil {
		f := &Fault{File: file, Text: strings.TrimPrefix(err.Error(), "toml: ")}
		var at *toml.DecodeError
		if errors.As(err, &at) {
			f.Line, f.Column = at.Position()
		}
		return nil, f
	}
	return expressions(file, data)
}

// expressions reads a catalogue of which it is known that it is TOML, and no key given twice.
func expressions(file string, data []byte) (map[string]*entry, error) {
	var p unstable.Parser
	p.Reset(data)
	entries, section, places := map[string]*entry{}, "", cursor{data: data}
	for p.NextExpression() {
		e := p.Expression()
		name, offset := nameOf(e)
		line, column := places.at(offset)
		fault := func(text string) error {
			return &Fault{File: file, Line: line, Column: column, Text: text}
		}
		switch e.Kind {
		case unstable.Table:
			section = name
		case unstable.KeyValue:
			key := section + "." + name
			if section == "" {
				key = name
			}
			if !keyForm.MatchString(key) {
				return nil, fault("the key " + key + " is no section and name in small letters, digits and _")
			}
			t := &entry{line: line, column: column}
			switch v := e.Value(); v.Kind {
			case unstable.String:
				t.one = string(v.Data)
			case unstable.InlineTable:
				t.forms = map[string]string{}
				for kids := v.Children(); kids.Next(); {
					kid := kids.Node()
					form, _ := nameOf(kid)
					if !slices.Contains(formNames(), form) {
						return nil, fault("a plural form is one of " + strings.Join(formNames(), ", ") + ", not " + form)
					}
					if kid.Value().Kind != unstable.String {
						return nil, fault("a plural form is a text")
					}
					t.forms[form] = string(kid.Value().Data)
				}
				if _, ok := t.forms["other"]; !ok {
					return nil, fault("the plural form other is missing")
				}
			default:
				return nil, fault("a text is a string, or a table of plural forms")
			}
			entries[key] = t
		default:
			if e.Kind != unstable.Comment {
				return nil, fault("a catalogue has sections and texts, nothing else")
			}
		}
	}
	if err := p.Error(); err != nil { // toml has read it, so this cannot be
		return nil, &Fault{File: file, Text: err.Error()}
	}
	return entries, nil
}

// nameOf is the key of an expression, its parts joined by dots, and where it begins.
func nameOf(e *unstable.Node) (string, int) {
	var parts []string
	at := int(e.Raw.Offset)
	switch e.Kind {
	case unstable.Table, unstable.ArrayTable, unstable.KeyValue:
	default:
		return "", at
	}
	for it := e.Key(); it.Next(); {
		if len(parts) == 0 {
			at = int(it.Node().Raw.Offset)
		}
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, "."), at
}

// cursor tells lines and columns, from 1, of places that come one after the other, without counting from the
// beginning for each.
type cursor struct {
	data  []byte
	start int // of the line
	line  int // from 0
}

func (c *cursor) at(offset int) (line, column int) {
	if offset < c.start {
		c.start, c.line = 0, 0
	}
	for {
		end := bytes.IndexByte(c.data[c.start:offset], '\n')
		if end < 0 {
			return c.line + 1, offset - c.start + 1
		}
		c.start += end + 1
		c.line++
	}
}

// check holds a text against the English one: its placeholders are among those, its plural forms count {n},
// and it has markup only where English has some.
func check(file, key string, e, english *entry) error {
	fault := func(format string, args ...any) error {
		return &Fault{File: file, Line: e.line, Column: e.column, Text: "the text " + key + " " + fmt.Sprintf(format, args...)}
	}
	names, err := placeholders(english.reference())
	if err != nil {
		return fault("%v", err)
	}
	if e.forms != nil && !slices.Contains(names, "n") {
		return fault("has plural forms, but no number {n} decides among them")
	}
	marked := strings.Contains(english.reference(), "<")
	for form, text := range e.all() {
		own, err := placeholders(text)
		if err != nil {
			return fault("%v", err)
		}
		for _, n := range own {
			if !slices.Contains(names, n) {
				return fault("has the placeholder {%s}, which the English one has not (it has: %s)", n, strings.Join(names, " "))
			}
		}
		for _, n := range names {
			if n != "n" && !slices.Contains(own, n) && e.forms == nil {
				return fault("lacks the placeholder {%s}", n)
			}
		}
		if !marked && strings.ContainsAny(text, "<>") {
			return fault("has < or >, and the English one has no markup")
		}
		if marked {
			if err := markup(text); err != nil {
				return fault("%v", err)
			}
		}
		if strings.TrimSpace(text) == "" {
			return fault("is empty%s", form)
		}
	}
	return nil
}

var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)

// placeholders are the names in braces, in the order in which they come first.
func placeholders(text string) (names []string, err error) {
	if !strings.ContainsAny(text, "{}") { // as nearly all: New is at every start
		return nil, nil
	}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	if rest := placeholder.ReplaceAllString(text, ""); strings.ContainsAny(rest, "{}") {
		return nil, errors.New("has a brace that is no placeholder such as {name}")
	}
	return names, nil
}

// tags are what a text may have of markup. An address is a path of this server or a placeholder, which H checks.
var tags = regexp.MustCompile(`<(?:(/?)(strong|em|code|a)|(br)|(a) href="(?:\{[a-z][a-z0-9_]*\}|/(?:[a-zA-Z0-9#?][a-zA-Z0-9/._#?=&-]*)?|#[a-z-]+)")>`)

// markup reports whether a text has other markup than it may, or leaves some open.
func markup(text string) error {
	var open []string
	for _, m := range tags.FindAllStringSubmatch(text, -1) {
		switch {
		case m[3] != "":
		case m[4] != "":
			open = append(open, m[4])
		case m[1] == "":
			if m[2] == "a" {
				return errors.New("has a link without address")
			}
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			return fmt.Errorf("closes %s, which is not what is open", m[2])
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("leaves %s open", open[len(open)-1])
	}
	if strings.ContainsAny(tags.ReplaceAllString(text, ""), "<>") {
		return errors.New("has markup other than strong, em, code, br, and a with the address of a page here")
	}
	return nil
}
