package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Example is a commented trivium.toml with every key at its default. Two lines are not commented
// out, those that nearly everybody has to look at.
func Example() string {
	var b strings.Builder
	s := newSchema()
	b.WriteString("# trivium.toml — every key is optional; what you see commented out is the default.\n" +
		"# Times: 30s 5m 12h 7d. Sizes: 500KB 100MB 2GiB. Secrets: \"@file:PATH\". All about a key: trivium config describe KEY\n")
	writeKeys(&b, s.of(""), map[string]string{"domain": "example.org"})
	for _, sec := range s.sections {
		switch {
		case sec.Many:
			fmt.Fprintf(&b, "\n# %s\n#[[%s]]\n", sec.Doc, sec.Name)
			writeEntry(&b, s.of(sec.Name))
		case sec.Named:
			fmt.Fprintf(&b, "\n# %s\n#[%s.%s]\n", sec.Doc, sec.Name, sec.sample)
			writeEntry(&b, s.of(sec.Name))
		case sec.Map:
			fmt.Fprintf(&b, "\n# %s\n#[%s]\n#\"web:/files/**\" = \"user\"\n", sec.Doc, sec.Name)
		default:
			fmt.Fprintf(&b, "\n# %s\n[%s]\n", sec.Doc, sec.Name)
			writeKeys(&b, s.of(sec.Name), map[string]string{"ftp.passive_ports": "50000-50999"})
		}
	}
	return b.String()
}

// writeKeys writes each key, commented out unless it is in open.
func writeKeys(b *strings.Builder, keys []*key, open map[string]string) {
	lines := make([]string, len(keys))
	for i, k := range keys {
		if text, ok := open[k.Path]; ok {
			lines[i] = k.Name + " = " + k.literal(text)
		} else {
			lines[i] = "#" + k.Name + " = " + k.literal(k.Default)
		}
	}
	writeAligned(b, lines, keys)
}

// writeEntry shows an entry of a list of sections.
func writeEntry(b *strings.Builder, keys []*key) {
	lines := make([]string, len(keys))
	for i, k := range keys {
		text := k.Default
		if k.Example != "" {
			text = k.Example
		}
		lines[i] = "#" + k.Name + " = " + k.literal(text)
	}
	writeAligned(b, lines, keys)
}

// writeAligned puts the comments of one section under one another, unless a line is too long.
func writeAligned(b *strings.Builder, lines []string, keys []*key) {
	const widest = 44 // columns; a longer line does not push all others to the right
	column := 0
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n <= widest {
			column = max(column, n)
		}
	}
	for i, line := range lines {
		fmt.Fprintf(b, "%s%s  # %s\n", line, strings.Repeat(" ", max(0, column-utf8.RuneCountInString(line))), keys[i].comment())
	}
}

// comment is what stands behind a key of the example.
func (k *key) comment() string {
	text := k.Doc
	if k.Values != nil && !k.List {
		text = strings.Join(k.Values, " | ") + ": " + text
	}
	if k.Default == "" && k.Example != "" && k.Env != "" && k.Type != "level" {
		text += "; such as " + k.literal(k.Example)
	}
	return text
}
