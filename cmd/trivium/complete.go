package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completeCmd is what the scripts of `trivium completion` ask at each press of the key: how may the last word
// go on? It never says that something is wrong, for nobody could read it there.
type completeCmd struct {
	Line  string   `name:"line" help:"The line as far as the cursor, for shells that cut words elsewhere."`
	Words []string `arg:"" optional:"" passthrough:"" name:"word" help:"The words as far as the cursor, with the program's name."`
}

// Run prints one possible word a line, after a tab what it means; :files and :dirs stand for what the shell
// itself completes.
func (c *completeCmd) Run(s *shell) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if c.Line != "" {
		words = splitLine(c.Line)
	}
	if len(words) < 2 {
		return nil
	}
	parser, _, err := newParser(&commands{}, s.stdout, s.stderr)
	if err != nil {
		return err
	}
	p := readLine(parser.Model.Node, words[1:len(words)-1])
	for _, w := range p.complete(s, words[len(words)-1]) {
		line := w.text
		if w.help != "" {
			line += "\t" + printable(w.help)
		}
		if _, err := fmt.Fprintln(s.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// word is one way to go on.
type word struct{ text, help string }

const (
	filesWord = ":files"
	dirsWord  = ":dirs"
)

// place is where a line has got to.
type place struct {
	node    *kong.Node
	pending *kong.Flag // whose value comes next
	args    int        // how many arguments the command has
	rest    bool       // -- has come: no flags any more
	given   map[string]string
}

// readLine follows the words of a line, of which the last is not yet finished and not among them.
func readLine(root *kong.Node, words []string) *place {
	p := &place{node: root, given: map[string]string{}}
	for _, w := range words {
		switch {
		case p.pending != nil:
			p.given[p.pending.Name], p.pending = w, nil
		case p.rest:
			p.args++
		case w == "--":
			p.rest = true
		case strings.HasPrefix(w, "-") && w != "-":
			name, value, has := strings.Cut(w, "=")
			f := p.flag(name)
			switch {
			case f == nil:
			case has || f.IsBool():
				p.given[f.Name] = value
			default:
				p.pending = f
			}
		default:
			if child := childOf(p.node, w); child != nil {
				p.node = child
			} else {
				p.args++
			}
		}
	}
	return p
}

func childOf(n *kong.Node, name string) *kong.Node {
	for _, c := range n.Children {
		if c.Name == name || slices.Contains(c.Aliases, name) {
			return c
		}
	}
	return nil
}

// flags are those that may stand at this place, a command's own before those of every command.
func (p *place) flags() (list []*kong.Flag) {
	for n := p.node; n != nil; n = n.Parent {
		list = append(list, n.Flags...)
	}
	return list
}

func (p *place) flag(name string) *kong.Flag {
	for _, f := range p.flags() {
		if "--"+f.Name == name || f.Short != 0 && "-"+string(f.Short) == name {
			return f
		}
	}
	return nil
}

// complete lists how part may go on.
func (p *place) complete(s *shell, part string) []word {
	if p.pending != nil {
		return p.values(s, p.pending.Value, part)
	}
	if name, value, has := strings.Cut(part, "="); has && !p.rest && strings.HasPrefix(name, "--") {
		f := p.flag(name)
		if f == nil {
			return nil
		}
		list := p.values(s, f.Value, value)
		for i := range list {
			if list[i].text != filesWord && list[i].text != dirsWord {
				list[i].text = name + "=" + list[i].text
			}
		}
		return list
	}
	if strings.HasPrefix(part, "-") && !p.rest {
		return p.flagWords(part)
	}
	if len(p.node.Children) > 0 {
		var list []word
		for _, c := range p.node.Children {
			if !c.Hidden && strings.HasPrefix(c.Name, part) {
				list = append(list, word{c.Name, c.Help})
			}
		}
		return list
	}
	if n := len(p.node.Positional); n > 0 {
		at := p.node.Positional[min(p.args, n-1)]
		if p.args < n || at.IsCumulative() {
			return p.values(s, at, part)
		}
	}
	return nil
}

func (p *place) flagWords(part string) (list []word) {
	for _, f := range p.flags() {
		_, again := p.given[f.Name]
		if !f.Hidden && strings.HasPrefix("--"+f.Name, part) && (!again || f.IsCumulative()) {
			list = append(list, word{"--" + f.Name, f.Help})
		}
	}
	return list
}

// values lists what a value may be: words of its own, files, or names that the server knows.
func (p *place) values(s *shell, v *kong.Value, part string) []word {
	var list []word
	for _, e := range v.EnumSlice() {
		if e != "" && strings.HasPrefix(e, part) {
			list = append(list, word{text: e})
		}
	}
	if len(list) > 0 {
		return list
	}
	switch strings.ToLower(v.Name) {
	case "file", "config", "socket", "password-file", "cert", "key-file", "files":
		return []word{{text: filesWord}}
	case "dir", "data-dir":
		return []word{{text: dirsWord}}
	}
	if v.Flag != nil {
		switch v.Flag.PlaceHolder {
		case "FILE", "PATH":
			return []word{{text: filesWord}}
		case "DIR":
			return []word{{text: dirsWord}}
		}
	}
	return p.names(s, v.Name, part)
}

// splitLine cuts a line into words as a shell does, the last one perhaps empty or with its quote still open.
func splitLine(line string) []string {
	var words []string
	var b strings.Builder
	var quote rune
	started, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			started, escaped = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				b.WriteRune(r)
			}
		case r == '\'' || r == '"':
			started, quote = true, r
		case r == ' ' || r == '\t':
			if started {
				words = append(words, b.String())
				b.Reset()
			}
			started = false
		default:
			started = true
			b.WriteRune(r)
		}
	}
	return append(words, b.String())
}
