package config

import (
	"errors"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/knadh/koanf/parsers/toml/v2"
	gotoml "github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxFile bounds what is read; a hand-written file is a few kilobytes.
const maxFile = 1 << 20

// document is the text of the file with the place of everything in it. go-toml gives values and
// syntax errors; its low-level parser gives places, which koanf does not keep.
type document struct {
	name   string
	lines  []string
	text   []byte // expressions that do not parse are blanked out, so that the rest can be checked
	values map[string]any
	items  []item
	broken []broken
	starts []int // offset of each line
}

// item is one key with its value, or one section header.
type item struct {
	path   []string // the number of an array's entry is a step of its own
	key    span
	value  span
	parts  []span // of an array
	header bool
	many   bool // [[header]]
}

// span is a place in one line.
type span struct{ line, column, width int } // line and column from 1, in characters

// broken is one syntax error.
type broken struct {
	at      span
	message string
	first   int // line where the expression begins
}

// resume matches a line with which the text can make sense again after an error: a header, a
// comment or a key with a value. Lines of base64 do not.
var resume = regexp.MustCompile(`^\s*(#|\[|["'A-Za-z0-9_][^=]*=\s*[^=\s])`)

func parseDocument(name string, text []byte) *document {
	d := &document{name: name, lines: strings.Split(string(text), "\n"), text: append([]byte(nil), text...)}
	for i, line := range d.lines {
		d.lines[i] = strings.TrimSuffix(line, "\r")
	}
	for at := range d.text {
		if at == 0 || d.text[at-1] == '\n' {
			d.starts = append(d.starts, at)
		}
	}
	const most = 50 // errors; a file with more is no TOML at all
	for range most {
		values, err := toml.Parser().Unmarshal(d.text)
		if err == nil {
			d.values = values
			break
		}
		if !d.cut(err) {
			return d
		}
	}
	if d.values != nil {
		d.scan(d.text)
	}
	return d
}

// cut records a syntax error and blanks out its expression. It reports whether it made progress.
func (d *document) cut(err error) bool {
	at, message := span{1, 1, 1}, err.Error()
	var de *gotoml.DecodeError
	if errors.As(err, &de) {
		at.line, at.column = de.Position()
		message = strings.TrimPrefix(de.Error(), "toml: ")
	}
	at.line = min(max(at.line, 1), len(d.lines))
	line := d.lines[at.line-1]
	at.column = utf8.RuneCountInString(line[:min(max(at.column-1, 0), len(line))]) + 1
	first := min(d.start(at.line), at.line)
	if at.column > utf8.RuneCountInString(line) && at.column > 1 {
		at.column--
	}
	last := at.line // one past, once from 0
	for last < len(d.lines) && !resume.MatchString(d.lines[last]) {
		last++
	}
	if strings.HasPrefix(strings.TrimSpace(d.lines[first-1]), "[") {
		// Keys below a header that does not parse belong to nobody: they are left out too.
		for last < len(d.lines) && !strings.HasPrefix(strings.TrimSpace(d.lines[last]), "[") {
			last++
		}
	}
	at.width = wordAt(line, at.column)
	d.broken = append(d.broken, broken{at, message, first})
	return d.blank(first, last)
}

// wordAt is the length of the word that begins at a column; at least 1.
func wordAt(line string, column int) int {
	n := 0
	for _, r := range []rune(line)[min(column-1, utf8.RuneCountInString(line)):] {
		if r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		n++
	}
	return max(1, n)
}

// blank overwrites lines first to last with spaces and reports whether that changed anything.
func (d *document) blank(first, last int) bool {
	changed, line := false, 1
	for i, c := range d.text {
		if c == '\n' {
			line++
			continue
		}
		if line >= first && line <= last && c != ' ' {
			d.text[i], changed = ' ', true
		}
	}
	return changed
}

// start returns the first line of the expression that does not parse, which lies at or before
// line: the one after everything that does.
func (d *document) start(line int) int {
	var p unstable.Parser
	p.Reset(d.text)
	next := 1
	for p.NextExpression() {
		e := p.Expression()
		end := d.offset(&p, e)
		if e.Kind == unstable.KeyValue {
			end = int(e.Raw.Offset + e.Raw.Length)
		}
		at := d.lineOf(end)
		if at >= line {
			// It parses, so the fault is in its meaning: a key given twice, for instance.
			return d.lineOf(d.offset(&p, e))
		}
		next = at + 1
	}
	for next < line && next <= len(d.starts) && d.blankLine(next) {
		next++
	}
	return next
}

func (d *document) blankLine(n int) bool {
	line, _, _ := strings.Cut(string(d.text[d.starts[n-1]:]), "\n")
	return strings.TrimSpace(line) == ""
}

// lineOf is the line, from 1, that the byte at offset lies in.
func (d *document) lineOf(offset int) int {
	n := sort.SearchInts(d.starts, offset+1)
	return max(n, 1)
}

// offset is where an expression's key begins.
func (d *document) offset(p *unstable.Parser, e *unstable.Node) int {
	switch e.Kind {
	case unstable.KeyValue, unstable.Table, unstable.ArrayTable:
		if it := e.Key(); it.Next() {
			return int(it.Node().Raw.Offset)
		}
	}
	return int(e.Raw.Offset)
}

// scan finds the place of every key and value in text, which parses.
func (d *document) scan(text []byte) {
	var p unstable.Parser
	p.Reset(text)
	counts := map[string]int{}
	var table []string
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			path, at := d.keyOf(e)
			// A header below an array of tables goes on with its last entry.
			table = nil
			for i, step := range path {
				table = append(table, step)
				name := strings.Join(table, "\x00")
				n, many := counts[name]
				if i == len(path)-1 && e.Kind == unstable.ArrayTable {
					table = append(table, strconv.Itoa(n))
					counts[name] = n + 1
				} else if many {
					table = append(table, strconv.Itoa(n-1))
				}
			}
			d.items = append(d.items, item{path: append([]string(nil), table...), key: at, header: true, many: e.Kind == unstable.ArrayTable})
		case unstable.KeyValue:
			d.keyValue(table, e, e.Raw)
		}
	}
}

// keyValue notes one key; inline tables are gone into. raw is the range of key and value.
func (d *document) keyValue(in []string, e *unstable.Node, raw unstable.Range) {
	name, at := d.keyOf(e)
	it := item{path: append(append([]string(nil), in...), name...), key: at}
	it.value = d.valueSpan(e, raw)
	v := e.Value()
	switch v.Kind {
	case unstable.InlineTable:
		if len(it.path) == 1 {
			it.header = true
			d.items = append(d.items, it)
		}
		for kids := v.Children(); kids.Next(); {
			if kid := kids.Node(); kid.Kind == unstable.KeyValue {
				d.keyValue(it.path, kid, kid.Raw)
			}
		}
		return
	case unstable.Array:
		n := 0
		for kids := v.Children(); kids.Next(); {
			kid := kids.Node()
			switch kid.Kind {
			case unstable.Comment:
				continue
			case unstable.InlineTable:
				for grand := kid.Children(); grand.Next(); {
					if g := grand.Node(); g.Kind == unstable.KeyValue {
						d.keyValue(append(append([]string(nil), it.path...), strconv.Itoa(n)), g, g.Raw)
					}
				}
			}
			part := it.value
			if kid.Raw.Length > 0 {
				part = d.spanOf(int(kid.Raw.Offset), int(kid.Raw.Length))
			}
			it.parts = append(it.parts, part)
			n++
		}
	}
	d.items = append(d.items, it)
}

func (d *document) keyOf(e *unstable.Node) ([]string, span) {
	var path []string
	from, to := -1, 0
	for it := e.Key(); it.Next(); {
		n := it.Node()
		path = append(path, string(n.Data))
		if from < 0 {
			from = int(n.Raw.Offset)
		}
		to = int(n.Raw.Offset + n.Raw.Length)
	}
	if from < 0 {
		return nil, span{1, 1, 1}
	}
	return path, d.spanOf(from, to-from)
}

// valueSpan finds the value between the = after the key and the end of the expression.
func (d *document) valueSpan(e *unstable.Node, raw unstable.Range) span {
	at := int(raw.Offset)
	for it := e.Key(); it.Next(); {
		at = int(it.Node().Raw.Offset + it.Node().Raw.Length)
	}
	end := int(raw.Offset + raw.Length)
	if v := e.Value(); v.Raw.Length > 0 && v.Kind != unstable.InlineTable {
		return d.spanOf(int(v.Raw.Offset), int(v.Raw.Length))
	}
	if end <= at || end > len(d.text) {
		end = len(d.text)
		if nl := strings.IndexByte(string(d.text[min(at, end):]), '\n'); nl >= 0 {
			end = at + nl
		}
	}
	for at < end && (d.text[at] == ' ' || d.text[at] == '\t' || d.text[at] == '=') {
		at++
	}
	return d.spanOf(at, len(strings.TrimRight(string(d.text[at:end]), " \t\r\n")))
}

// spanOf turns bytes into a line and characters; what goes over the end of the line is cut.
func (d *document) spanOf(offset, length int) span {
	offset = min(offset, len(d.text))
	s := span{line: d.lineOf(offset), column: 1}
	if len(d.starts) > 0 {
		s.column += utf8.RuneCount(d.text[d.starts[s.line-1]:offset])
	}
	text, _, _ := strings.Cut(string(d.text[offset:min(offset+length, len(d.text))]), "\n")
	s.width = max(1, utf8.RuneCountInString(strings.TrimRight(text, "\r")))
	return s
}

// lookup returns the value at a path, nil where there is none.
func (d *document) lookup(path []string) any {
	var v any = d.values
	for _, step := range path {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(in) {
				return nil
			}
			v = in[n]
		default:
			return nil
		}
	}
	return v
}
