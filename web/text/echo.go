package text

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// echoed are the sections whose English texts are what services below say: what the doctor and tests of
// connections find, errors and words of services, details of the audit log, what values a key of the
// configuration has. Services speak English, to the
// command line, the logs and the API as to the pages; the English text is the key by which the pages
// find the one in their language.
func echoed() []string { return []string{"finding", "service", "audit", "setting"} }

// maxDepth bounds sentences within sentences.
const maxDepth = 4

// Echo is what a service below has said in English, in the language: the text of the section that is written
// so in English, with whatever stands in the place of its placeholders. Of a placeholder whose name begins
// with "said" that is said in the language too. What no text of the section is like comes back as it is.
func (l *Language) Echo(section, english string) string {
	if l == nil || l.english == nil || english == "" {
		return english
	}
	return l.echo(section, english, maxDepth)
}

func (l *Language) echo(section, english string, depth int) string {
	for _, e := range l.echoes()[section] {
		m := e.match(english)
		if m == nil {
			continue
		}
		args := make([]any, len(e.names))
		for i, name := range e.names {
			text := m[i]
			n, err := strconv.Atoi(text)
			switch {
			case name == "n" && err == nil:
				args[i] = n
			case strings.HasPrefix(name, "said") && depth > 1:
				args[i] = l.echo(section, text, depth-1)
			default:
				args[i] = l.measured(text)
			}
		}
		return l.T(e.key, args...)
	}
	return english
}

var measure = regexp.MustCompile(`^([0-9]+)\.([0-9]+) ?([kMGT]?B|m?s)$`)

// measured writes a size or a time that a service has measured with the language's decimal sign.
func (l *Language) measured(text string) string {
	m := measure.FindStringSubmatch(text)
	if m == nil || l.words().numbers.point == "" {
		return text
	}
	return m[1] + l.words().numbers.point + m[2] + "\u00a0" + m[3]
}

// echo is an English text as a pattern.
type echo struct {
	key           string
	names         []string // of the arguments
	front, behind string   // what it begins and ends with
	letters       int      // how much of it is no placeholder
	groups        []int    // which argument a group is
	like          *regexp.Regexp
}

// match returns what stands in the place of each argument; nil: the text is another.
func (e *echo) match(english string) []string {
	if e.like == nil {
		if english != e.front {
			return nil
		}
		return []string{}
	}
	if !strings.HasPrefix(english, e.front) || !strings.HasSuffix(english, e.behind) {
		return nil
	}
	m := e.like.FindStringSubmatch(english)
	if m == nil {
		return nil
	}
	if e.front == "" && !strings.HasPrefix(e.names[e.groups[0]], "said") && strings.Contains(m[1], ": ") {
		return nil // it begins with a sentence of its own
	}
	found := make([]string, len(e.names))
	for i, arg := range e.groups {
		if found[arg] != "" && found[arg] != m[i+1] {
			return nil // what is named twice is the same
		}
		found[arg] = m[i+1]
	}
	return found
}

// echoesOf makes the patterns of the English texts by section, those that say most first.
func echoesOf(english *Language) map[string][]*echo {
	lists := map[string][]*echo{}
	for _, key := range english.Keys() {
		section, _, _ := strings.Cut(key, ".")
		m := english.words().messages[key]
		if m.marked || !slices.Contains(echoed(), section) {
			continue
		}
		if m.forms == nil {
			lists[section] = append(lists[section], patternOf(key, m.names, m.one))
		}
		for _, f := range m.forms {
			lists[section] = append(lists[section], patternOf(key, m.names, f))
		}
	}
	for _, list := range lists {
		slices.SortFunc(list, func(a, b *echo) int { return cmp.Or(b.letters-a.letters, cmp.Compare(a.key, b.key)) })
	}
	return lists
}

func patternOf(key string, names []string, f form) *echo {
	e := &echo{key: key, names: names}
	pattern := "(?s)^"
	for i, p := range f {
		if p.arg >= 0 {
			e.groups = append(e.groups, p.arg)
			if names[p.arg] == "n" {
				pattern += "([0-9]+)"
			} else {
				pattern += "(.+?)"
			}
			continue
		}
		e.letters += len(p.literal)
		pattern += regexp.QuoteMeta(p.literal)
		if i == 0 {
			e.front = p.literal
		}
		if i == len(f)-1 {
			e.behind = p.literal
		}
	}
	if len(e.groups) > 0 {
		e.like = regexp.MustCompile(pattern + "$")
	}
	return e
}
