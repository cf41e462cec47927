package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

// json prints an answer of the API as it came, with line breaks.
func (s *shell) json(text []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(text), "", "  "); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	b.WriteByte('\n')
	_, err := s.stdout.Write(b.Bytes())
	return err
}

// object prints a value of our own as JSON.
func (s *shell) object(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.json(text)
}

// say tells a person what was done; -q and --json are for those who do not want to hear it.
func (s *shell) say(format string, args ...any) error {
	if s.Quiet {
		return nil
	}
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = printable(text)
		}
	}
	_, err := fmt.Fprintf(s.stdout, format+"\n", args...)
	return err
}

// result prints a sentence that is what was asked for, so -q does not silence it.
func (s *shell) result(text string) error {
	_, err := fmt.Fprintln(s.stdout, printable(text))
	return err
}

// note is say on stderr, for what is no result.
func (s *shell) note(format string, args ...any) {
	if !s.Quiet && !s.JSON {
		fmt.Fprintf(s.stderr, format+"\n", args...)
	}
}

// tableOf fetches a list and prints a row for each of it, as table does; with --json it prints the list as it came.
func tableOf[T any](s *shell, path string, q url.Values, empty string, headers []string, row func(T) []string, right ...string) error {
	var list []T
	if shown, err := s.fetch(path, q, &list); shown || err != nil {
		return err
	}
	var rows [][]string
	for _, x := range list {
		rows = append(rows, row(x))
	}
	return s.table(empty, headers, rows, right...)
}

// table prints rows under headers, aligned by the columns that a terminal gives each rune. The
// columns named in right are numbers.
func (s *shell) table(empty string, headers []string, rows [][]string, right ...string) error {
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
		}
	}
	if s.Plain {
		var b strings.Builder
		for _, row := range rows {
			b.WriteString(strings.Join(row, "\t") + "\n")
		}
		_, err := io.WriteString(s.stdout, b.String())
		return err
	}
	if len(rows) == 0 {
		s.note("%s", empty)
		return nil
	}
	widths := make([]int, len(headers))
	for _, row := range append([][]string{headers}, rows...) {
		for i, cell := range row {
			if row[i] == "" {
				row[i], cell = "-", "-"
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	var b strings.Builder
	for _, row := range append([][]string{headers}, rows...) {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-columns(cell))
			if isOneOf(headers[i], right) {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
			if i < len(row)-1 {
				line.WriteString("  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(s.stdout, b.String())
	return err
}

// fields prints one thing as names and values.
func (s *shell) fields(pairs ...string) error {
	widest := 0
	for i := 0; i < len(pairs); i += 2 {
		widest = max(widest, columns(pairs[i]))
	}
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := pairs[i], printable(pairs[i+1])
		switch {
		case s.Plain:
			b.WriteString(name + "\t" + value + "\n")
		case value != "":
			b.WriteString(name + strings.Repeat(" ", widest-columns(name)) + "  " + value + "\n")
		}
	}
	_, err := io.WriteString(s.stdout, b.String())
	return err
}

func isOneOf(s string, list []string) bool {
	for _, x := range list {
		if s == x {
			return true
		}
	}
	return false
}

// columns is how wide a terminal shows s (Unicode Standard Annex #11).
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case width.LookupRune(r).Kind() == width.EastAsianWide, width.LookupRune(r).Kind() == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// printable keeps what strangers send, such as user agents, from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case !unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r):
			return '\uFFFD'
		case unicode.In(r, unicode.Bidi_Control):
			return '\uFFFD'
		}
		return r
	}, s)
}

// The colours, each always with a word or sign beside it.
const (
	green  = "32"
	yellow = "33"
	red    = "31"
)

func (s *shell) paint(w io.Writer, colour, text string) string {
	if !s.colour(w) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// span is a length of time in its two largest units: 4d 2h, 12m, 0s.
func span(d time.Duration) string {
	d = max(d, 0)
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		text := strconv.FormatInt(int64(d/u.size), 10) + u.name
		if i < 2 {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				text += " " + strconv.FormatInt(int64(rest), 10) + units[i+1].name
			}
		}
		return text
	}
	return "0s"
}

// day is a time for people.
func day(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// size is a number of bytes for people.
func size(n int64) string {
	const step = 1000
	f, unit := float64(n), 0
	for f >= step && unit < 5 {
		f, unit = f/step, unit+1
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + []string{"", "KB", "MB", "GB", "TB", "PB"}[unit]
}

// levels are the names of the API, with the number of each; nobody, which is demanded and never held, is the last.
func levels() []word {
	return []word{{"none", "0"}, {"anonymous", "1"}, {"loggedin", "2"}, {"user", "10"}, {"customer", "20"}, {"staff", "30"}, {"moderator", "40"},
		{"admin", "50"}, {"root", "100"}, {"nobody", "125"}}
}

// levelName is a level in words.
func levelName(n int) string {
	number := strconv.Itoa(n)
	for _, l := range levels() {
		if l.help == number {
			return l.text
		}
	}
	return "level"
}

func level(n int) string { return levelName(n) + " " + strconv.Itoa(n) }

// text is what a pointer points at, "" for null.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
