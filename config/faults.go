package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Fault is one thing that is wrong in the configuration.
type Fault struct {
	// Where is file:line:column, NAME=value (environment), or the flag.
	Where   string `json:"where"`
	Layer   Layer  `json:"layer"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`   // from 1
	Column  int    `json:"column,omitempty"` // from 1, in characters
	Key     string `json:"key,omitempty"`    // as written; a key that exists unless Message says otherwise
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Source  string `json:"source,omitempty"` // the line, with secrets left out

	caret, width int  // of the underline in Source, in characters; width 0: none
	known        bool // Key exists
}

// Faults is the error of [Load]: everything that is wrong, file first, each part in order.
type Faults struct {
	List []Fault
	File string
}

// Error is the whole report, as people see it: UX of the command line, several lines, no newline
// at the end.
func (f *Faults) Error() string {
	var b strings.Builder
	inFile := 0
	for _, fault := range f.List {
		if fault.Layer == LayerFile {
			inFile++
		}
	}
	what, n := f.File, inFile
	if inFile == 0 {
		what, n = "the configuration", len(f.List)
	}
	plural := "s"
	if n == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, "trivium: %s has %d error%s\n\n", what, n, plural)
	about := ""
	for i, fault := range f.List {
		if i > 0 && fault.Layer != LayerFile && f.List[i-1].Layer == LayerFile {
			b.WriteByte('\n')
		}
		fault.write(&b)
		if fault.known {
			about = " " + fault.Key
			if strings.HasPrefix(fault.Key, "policy.") {
				about = " policy"
			}
		}
	}
	fmt.Fprintf(&b, "\nReference: trivium config describe%s · nothing was started", about)
	return b.String()
}

func (f Fault) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %s  %s", f.Where, f.Message)
	if f.Source == "" || f.width == 0 {
		if f.Hint != "" {
			b.WriteString("; " + f.Hint)
		}
		b.WriteByte('\n')
		return
	}
	source, caret, width := window(f.Source, f.caret, f.width)
	fmt.Fprintf(b, "\n%7d | %s\n        | %s%s", f.Line, source, strings.Repeat(" ", caret), strings.Repeat("~", width))
	if f.Hint != "" {
		b.WriteString(" " + f.Hint)
	}
	b.WriteByte('\n')
}

// window cuts a long line down to the part around its underline.
func window(line string, caret, width int) (string, int, int) {
	const columns = 100 // what fits a terminal beside the line number
	r := []rune(line)
	start := 0
	if len(r) > columns && caret > columns/2 {
		start = min(caret-columns/4, len(r)-columns)
	}
	end := min(len(r), start+columns)
	text := string(r[start:end])
	if start > 0 {
		text = "…" + string(r[start+1:end])
	}
	if end < len(r) {
		text += "…"
	}
	caret -= start
	return text, caret, max(1, min(width, end-start-caret))
}

// printable keeps control characters of the input away from the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, s)
}

// sortFaults puts the file first, by position, then the environment, then flags.
func sortFaults(list []Fault) {
	slices.SortStableFunc(list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Layer.rank(), b.Layer.rank()), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
