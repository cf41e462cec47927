package text

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"

	"golang.org/x/text/feature/plural"
)

// message is a text prepared for use.
type message struct {
	one     form
	forms   map[plural.Form]form // nil: it is one
	count   int                  // which argument decides among the forms
	marked  bool                 // it has markup, and is for H alone
	args    int                  // how many there are
	names   []string             // of them
	written string
}

// form is a text cut at its placeholders.
type form []piece

type piece struct {
	literal string // as text
	escaped string // as markup
	arg     int    // -1: it is the literal
	address bool   // the argument is the whole address of a link
}

// plain is the text where nothing has to be put in.
func (m *message) plain() (form, bool) { return m.one, m.forms == nil && m.args == 0 }

// compile prepares a text that check has let through; names are the arguments in their order.
func compile(e *entry, names []string, marked bool) *message {
	m := &message{marked: marked, args: len(names), names: names, written: e.one}
	if e.forms == nil {
		m.one = cut(e.one, names, marked)
		return m
	}
	m.forms = map[plural.Form]form{}
	for i, n := range names {
		if n == "n" {
			m.count = i
		}
	}
	forms := map[string]plural.Form{"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, "other": plural.Other}
	for name, text := range e.forms {
		m.forms[forms[name]] = cut(text, names, marked)
	}
	return m
}

// cut cuts a text, and what it is as markup, which has the same placeholders.
func cut(text string, names []string, marked bool) form {
	f := split(text, names)
	for i, p := range split(escape(text, marked), names) {
		f[i].escaped, f[i].address = p.literal, p.address
	}
	return f
}

func split(text string, names []string) (f form) {
	if !strings.Contains(text, "{") {
		if text == "" {
			return nil
		}
		return form{{literal: text, arg: -1}}
	}
	at := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if m[0] > at {
			f = append(f, piece{literal: text[at:m[0]], arg: -1})
		}
		f = append(f, piece{arg: slices.Index(names, text[m[2]:m[3]]), address: strings.HasSuffix(text[:m[0]], `href="`)})
		at = m[1]
	}
	if at < len(text) {
		f = append(f, piece{literal: text[at:], arg: -1})
	}
	return f
}

// special are the characters of HTML.
var special = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;")

// escape escapes a text, of one with markup what is none.
func escape(text string, marked bool) string {
	if !marked {
		return special.Replace(text)
	}
	var b strings.Builder
	at := 0
	for _, m := range tags.FindAllStringIndex(text, -1) {
		b.WriteString(special.Replace(text[at:m[0]]))
		b.WriteString(text[m[0]:m[1]])
		at = m[1]
	}
	b.WriteString(special.Replace(text[at:]))
	return b.String()
}

// pick chooses the plural form.
func (l *Language) pick(m *message, args []any) form {
	if m.forms == nil {
		return m.one
	}
	which := plural.Other
	if m.count < len(args) {
		if n, ok := integer(args[m.count]); ok {
			if n < 0 {
				n = -n
			}
			const most = 10_000_000 // the rules look at the last digits, and whether it is a million
			if n > most {
				n = n%1_000_000 + most
			}
			which = plural.Cardinal.MatchPlural(l.tag, int(n), 0, 0, 0, 0)
		}
	}
	if f, ok := m.forms[which]; ok {
		return f
	}
	return m.forms[plural.Other]
}

// T is the text of a key. A key that no catalogue has comes back itself.
func (l *Language) T(key string, args ...any) string {
	m := l.find(key)
	if m == nil {
		return unknown(key, args)
	}
	f := l.pick(m, args)
	if len(f) == 1 && f[0].arg < 0 {
		return f[0].literal
	}
	var b strings.Builder
	for _, p := range f {
		switch {
		case p.arg < 0:
			b.WriteString(p.literal)
		case p.arg < len(args):
			b.WriteString(l.word(args[p.arg]))
		}
	}
	return b.String()
}

// H is the text of a key as markup: what of the arguments is no template.HTML is escaped, and an address
// that is none of this server's or of https, or xmpp's, becomes "#".
func (l *Language) H(key string, args ...any) template.HTML {
	m := l.find(key)
	if m == nil {
		return template.HTML(html.EscapeString(unknown(key, args))) //nolint:gosec // escaped
	}
	var b strings.Builder
	for _, p := range l.pick(m, args) {
		switch {
		case p.arg < 0:
			b.WriteString(p.escaped)
		case p.arg >= len(args):
		case p.address:
			b.WriteString(html.EscapeString(address(l.word(args[p.arg]))))
		default:
			if h, ok := args[p.arg].(template.HTML); ok {
				b.WriteString(string(h))
			} else {
				b.WriteString(html.EscapeString(l.word(args[p.arg])))
			}
		}
	}
	return template.HTML(b.String()) //nolint:gosec // catalogues are checked, arguments escaped
}

func address(s string) string {
	switch {
	case strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && !strings.ContainsAny(s, "\\\t\r\n"), strings.HasPrefix(s, "#"), strings.HasPrefix(s, "?"),
		strings.HasPrefix(s, "https://"), strings.HasPrefix(s, "xmpp:"):
		return s
	}
	return "#"
}

// word writes an argument.
func (l *Language) word(a any) string {
	switch a := a.(type) {
	case string:
		return a
	case template.HTML:
		return string(a)
	case fmt.Stringer:
		return a.String()
	}
	if n, ok := integer(a); ok {
		return l.Number(n)
	}
	return fmt.Sprint(a)
}

func integer(a any) (int64, bool) {
	switch n := a.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case int32:
		return int64(n), true
	case uint32:
		return int64(n), true
	case uint64:
		return int64(n), true //nolint:gosec // counts
	case uint16:
		return int64(n), true
	case uint8:
		return int64(n), true
	case uint:
		return int64(n), true //nolint:gosec // counts
	}
	return 0, false
}

// unknown is what stands where a text should: the words of somebody who has put none into the catalogue.
func unknown(key string, args []any) string {
	if len(args) == 0 {
		return key
	}
	write := fmt.Sprintf
	return write(key, args...)
}
