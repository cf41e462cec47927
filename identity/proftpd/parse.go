package proftpd

import (
	"fmt"
	"strings"
)

// Bounds of what is read.
const (
	maxText  = 1 << 20 // bytes
	maxDepth = 32      // of sections in one another
	maxRules = 5000    // that come out
)

// SkippedLine is a line that no rule says.
type SkippedLine struct {
	Line int    `json:"line"`
	Text string `json:"text"`
	Why  string `json:"why"`
}

// section is a place in the configuration where <Limit> may stand.
type section struct {
	parent    *section
	line      int
	text      string
	anonymous bool
	path      []string // canonical segments; nil: everywhere
	inside    bool     // of the folder's entries and not of the folder
	off       string   // why nothing in it can be said; ""
	limits    []*limit
}

// limit is one <Limit>.
type limit struct {
	line      int
	commands  []string
	denyFirst bool
	allow     []test
	deny      []test
	off       string
}

// test is one Allow or Deny directive: whom it is about.
type test struct {
	kind  byte // 'u' user, 'g' group, 'c' class, '*' everybody
	names []name
	and   bool
}

type name struct {
	name string
	not  bool
}

// reader goes through the lines.
type reader struct {
	maps    map[string]string
	classOf func(prefixes []string) string
	skipped []SkippedLine
	all     []*section
	anon    bool // there is an <Anonymous>
}

func (r *reader) skip(line int, text, why string, args ...any) {
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	r.skipped = append(r.skipped, SkippedLine{line, strings.ToValidUTF8(text, "\ufffd"), fmt.Sprintf(why, args...)})
}

// open is what a section of the file is to the reader.
type open struct {
	name    string
	section *section // that was open before
	limit   bool
}

func (r *reader) read(text string) {
	top := &section{}
	r.all = append(r.all, top)
	here := top
	var in *limit
	var stack []open
	dead := 0 // depth of sections that are passed over whole
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if i := strings.IndexByte(line, '#'); i == 0 {
			continue
		}
		if line == "" {
			continue
		}
		if strings.HasPrefix(line, "</") {
			if dead > 0 {
				dead--
				continue
			}
			if len(stack) == 0 {
				r.skip(n, line, "nothing is open here")
				continue
			}
			last := stack[len(stack)-1]
			stack, here, in = stack[:len(stack)-1], last.section, nil
			continue
		}
		if !strings.HasPrefix(line, "<") {
			if dead == 0 && in != nil {
				r.directive(n, line, in)
			}
			continue
		}
		if dead > 0 {
			dead++
			continue
		}
		words := strings.Fields(strings.Trim(line, "<>"))
		if len(words) == 0 || len(stack) >= maxDepth || in != nil {
			r.skip(n, line, "no section can stand here")
			dead++
			continue
		}
		kind, args := strings.ToLower(words[0]), words[1:]
		switch kind {
		case "limit":
			in = &limit{line: n}
			for _, c := range args {
				in.commands = append(in.commands, strings.ToUpper(strings.ReplaceAll(c, "_", " ")))
			}
			if here.off != "" {
				r.skip(n, line, "%s", here.off)
				in.off = here.off
			}
			here.limits = append(here.limits, in)
			stack = append(stack, open{kind, here, true})
		case "directory", "anonymous":
			stack = append(stack, open{kind, here, false})
			here = r.place(n, line, here, kind == "anonymous", strings.Join(args, " "))
			r.all = append(r.all, here)
		case "global", "virtualhost", "ifmodule", "ifdefine", "ifversion":
			if kind == "virtualhost" {
				r.skip(n, line, "a virtual host is read as the whole server")
			}
			stack = append(stack, open{kind, here, false})
		default:
			if kind == "class" {
				r.skip(n, line, "classes stand in the configuration: write [[class]] with name and from")
			} else {
				r.skip(n, line, "what is in such a section is not read")
			}
			dead++
		}
	}
	if len(stack) > 0 || dead > 0 {
		r.skip(n, "", "a section is not closed")
	}
}

// place is a <Directory> or <Anonymous>.
func (r *reader) place(line int, text string, in *section, anonymous bool, path string) *section {
	s := &section{parent: in, line: line, text: text, anonymous: anonymous || in.anonymous, off: in.off}
	r.anon = r.anon || anonymous
	path = strings.Trim(path, `"'`)
	if anonymous { // its root is what anonymous sessions see as /
		s.path = []string{"pub"}
		return s
	}
	switch {
	case strings.HasPrefix(path, "~/") || path == "~" || path == "~/*":
		path = "/home/*" + strings.TrimPrefix(path, "~")
	case strings.HasPrefix(path, "~"):
		path = "/home/" + path[1:]
	case !strings.HasPrefix(path, "/"):
		base := "/"
		if in.path != nil {
			base = "/" + strings.Join(in.path, "/") + "/"
		} else if path == "*" || path == "" {
			base = ""
		}
		path = base + path
	default:
		path = r.mapped(path)
	}
	segments := strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	if n := len(segments); n > 0 && segments[n-1] == "*" && strings.HasSuffix(text, "*>") && !strings.HasSuffix(path, "home/*") {
		segments, s.inside = segments[:n-1], true
	}
	for _, p := range segments {
		if p != "*" && strings.ContainsAny(p, "*?[{") {
			s.off = "our patterns have * for a whole segment alone"
		}
	}
	if len(segments) > 0 && segments[0] != "home" && segments[0] != "groups" && segments[0] != "pub" && s.off == "" {
		s.off = fmt.Sprintf("where %s lies here is not known: give --map %s=/pub or the like", path, path)
	}
	s.path = segments
	if s.path == nil {
		s.path = []string{}
	}
	return s
}

// mapped puts the longest known prefix of a real path in its canonical place.
func (r *reader) mapped(path string) string {
	best := ""
	for from := range r.maps {
		from = strings.TrimSuffix(from, "/")
		if (path == from || strings.HasPrefix(path, from+"/")) && len(from) > len(best) {
			best = from
		}
	}
	if best == "" {
		return path
	}
	to, ok := r.maps[best]
	if !ok {
		to = r.maps[best+"/"]
	}
	return strings.TrimSuffix(to, "/") + strings.TrimPrefix(path, best)
}

// directive is a line in a <Limit>.
func (r *reader) directive(n int, line string, in *limit) {
	words := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' })
	if len(words) == 0 {
		return
	}
	word, args := strings.ToLower(words[0]), words[1:]
	cannot := func(why string, a ...any) {
		r.skip(n, line, why, a...)
		in.off = fmt.Sprintf("line %d in it cannot be said", n)
	}
	list := &in.allow
	if strings.HasPrefix(word, "deny") {
		list = &in.deny
	}
	switch word {
	case "order":
		in.denyFirst = len(args) > 0 && strings.EqualFold(args[0], "deny")
	case "allowall", "denyall":
		*list = append(*list, test{kind: '*'})
	case "allow", "deny":
		if len(args) > 0 && strings.EqualFold(args[0], "from") {
			args = args[1:]
		}
		switch {
		case len(args) == 1 && strings.EqualFold(args[0], "all"):
			*list = append(*list, test{kind: '*'})
		case len(args) == 1 && strings.EqualFold(args[0], "none"):
		case len(args) == 0:
			cannot("it names nobody")
		default:
			class := ""
			if r.classOf != nil {
				class = r.classOf(args)
			}
			if class == "" {
				cannot("rules go by classes, and none has just these addresses: add [[class]] with from = %q to the configuration", args)
				return
			}
			*list = append(*list, test{kind: 'c', names: []name{{name: class}}})
		}
	case "allowuser", "denyuser", "allowgroup", "denygroup", "allowclass", "denyclass":
		t := test{kind: 'c'}
		switch {
		case strings.HasSuffix(word, "user"):
			t.kind = 'u'
		case strings.HasSuffix(word, "group"):
			t.kind, t.and = 'g', true
		}
		if len(args) > 1 {
			switch strings.ToLower(args[0]) {
			case "and", "or":
				t.and, args = strings.EqualFold(args[0], "and"), args[1:]
			case "regex", "glob":
				cannot("rules name users, groups and classes, not patterns of names")
				return
			}
		}
		for _, a := range args {
			x := name{strings.TrimPrefix(a, "!"), strings.HasPrefix(a, "!")}
			if x.name == "*" && !x.not && len(args) == 1 {
				t = test{kind: '*'}
				break
			}
			if x.name == "" || strings.ContainsAny(x.name, "*?[/: ") {
				cannot("rules name users, groups and classes, not patterns of names")
				return
			}
			t.names = append(t.names, x)
		}
		if t.kind != '*' && len(t.names) == 0 {
			cannot("it names nobody")
			return
		}
		*list = append(*list, t)
	case "ignorehidden":
		r.skip(n, line, "what a level may not see is hidden here in any case")
	default:
		cannot("it is not known")
	}
}
