package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

type referenceCmd struct {
	Out string `arg:"" name:"file" help:"Where the page is written."`
}

// Run writes docs/cli.md.
func (c *referenceCmd) Run(*shell) error {
	page, err := reference()
	if err != nil {
		return err
	}
	return os.WriteFile(c.Out, []byte(page), 0o644) //nolint:gosec // a page of the manual is for everybody
}

// reference is the page of all commands in Markdown.
func reference() (string, error) {
	parser, _, err := newParser(&commands{}, io.Discard, io.Discard)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`# Command line

<!-- Generated from the command tree by go generate ./cmd/trivium; edits here are lost. -->

Nouns, then verbs. Results go to stdout, messages to stderr. Commands work with the server running (over
` + "`control.sock`" + ` in the data directory; they count at once for live sessions) or stopped, except those about what
is live: ` + "`status` and `session`" + `. A password never stands on the command line.

With ` + "`--json`" + ` each command prints one array or object with snake_case keys, times in RFC 3339, sizes in bytes, levels
as numbers; an error is ` + "`{\"error\":{\"code\",\"message\",\"hint\"}}`" + ` on stderr.

| exit | meaning |
|---|---|
`)
	for _, row := range exitRows() {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	b.WriteString(`
Environment: ` + "`TRIVIUM_CONFIG`, `TRIVIUM_DATA_DIR`, `TRIVIUM_SOCKET`, `NO_COLOR`" + `, and each key of the
[configuration](config.md).

## Flags of every command

`)
	writeFlags(&b, parser.Model.Flags)
	group := ""
	for _, leaf := range parser.Model.Leaves(true) {
		if top := pathOf(leaf)[1]; top != group {
			group = top
			fmt.Fprintf(&b, "\n## %s\n", topOf(leaf).Name)
			if topOf(leaf) != leaf {
				fmt.Fprintf(&b, "\n%s\n", topOf(leaf).Help)
			}
		}
		if topOf(leaf) != leaf {
			fmt.Fprintf(&b, "\n### %s\n", strings.Join(pathOf(leaf), " "))
		}
		fmt.Fprintf(&b, "\n%s\n\n```\n%s\n```\n", leaf.Help, usageLine(leaf))
		if leaf.Detail != "" {
			if _, examples, ok := strings.Cut(leaf.Detail, "Examples:\n\n"); ok {
				fmt.Fprintf(&b, "\nExamples:\n\n```\n%s\n```\n", unindent(examples))
			}
		}
		if len(leaf.Aliases) > 0 {
			fmt.Fprintf(&b, "\nAlso: `%s`\n", strings.Join(leaf.Aliases, "`, `"))
		}
		if len(leaf.Positional)+len(leaf.Flags) > 0 {
			b.WriteString("\n")
			writeArguments(&b, leaf)
		}
	}
	return b.String(), nil
}

func unindent(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		lines = append(lines, strings.TrimPrefix(line, "  "))
	}
	return strings.Join(lines, "\n")
}

func topOf(n *kong.Node) *kong.Node {
	for n.Parent != nil && n.Parent.Parent != nil {
		n = n.Parent
	}
	return n
}

// usageLine is kong's, in capitals as in the tables: trivium user add LOGIN [flags].
func usageLine(n *kong.Node) string {
	parts := pathOf(n)
	for _, p := range n.Positional {
		name := strings.ToUpper(p.Name)
		if p.IsCumulative() {
			name += "..."
		}
		if !p.Required {
			name = "[" + name + "]"
		}
		parts = append(parts, name)
	}
	for _, f := range n.Flags {
		if f.Required {
			parts = append(parts, flagName(f))
		}
	}
	for _, f := range n.Flags {
		if !f.Required && !f.Hidden {
			parts = append(parts, "[flags]")
			break
		}
	}
	return strings.Join(parts, " ")
}

func flagName(f *kong.Flag) string {
	text := "--" + f.Name
	if !f.IsBool() {
		place := f.PlaceHolder
		if place == "" {
			place = strings.ToUpper(f.Name)
		}
		text += " " + place
	}
	return text
}

func writeArguments(b *strings.Builder, n *kong.Node) {
	b.WriteString("| argument | what it is |\n|---|---|\n")
	for _, p := range n.Positional {
		fmt.Fprintf(b, "| `%s` | %s |\n", strings.ToUpper(p.Name), p.Help)
	}
	writeRows(b, n.Flags)
}

func writeFlags(b *strings.Builder, flags []*kong.Flag) {
	b.WriteString("| flag | what it does |\n|---|---|\n")
	writeRows(b, flags)
}

func writeRows(b *strings.Builder, flags []*kong.Flag) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		name := "`" + flagName(f) + "`"
		if f.Short != 0 {
			name = "`-" + string(f.Short) + "`, " + name
		}
		fmt.Fprintf(b, "| %s | %s |\n", name, strings.ReplaceAll(f.Help, "|", `\|`))
	}
}

// exitRows says what the exit codes mean.
func exitRows() [][2]string {
	return [][2]string{
		{"0", "done"},
		{"1", "failed"},
		{"2", "usage, or a value that is not valid"},
		{"3", "configuration invalid"},
		{"4", "not found"},
		{"5", "exists already"},
		{"6", "refused, or not confirmed"},
		{"7", "server not running or not reachable"},
		{"130", "interrupted"},
	}
}
