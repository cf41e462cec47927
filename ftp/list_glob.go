package ftp

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxBraces bounds what the braces of one segment stand for.
const maxBraces = 64

// pattern is one segment of a path with *, ?, [a-z], [!a] or {a,b} in it; any of its forms may fit.
// Without any of these it is a name. A backslash is one.
type pattern struct {
	name  string // where there is none of them
	forms [][]glyph
}

// glyph is one character of a pattern, or what stands for some.
type glyph struct {
	kind   byte // 0: the character; '*', '?', '['
	char   rune
	not    bool   // of a set
	ranges []rune // pairs: from, to
}

// isPattern reports whether a text holds what makes a pattern. An unclosed bracket or brace is a
// character as any other.
func isPattern(text string) bool {
	return strings.ContainsAny(text, "*?") ||
		strings.IndexByte(text, '[') >= 0 && strings.IndexByte(text, ']') >= 0 ||
		strings.IndexByte(text, '{') >= 0 && strings.IndexByte(text, ',') >= 0 && strings.IndexByte(text, '}') >= 0
}

func parsePattern(segment string) pattern {
	if !isPattern(segment) {
		return pattern{name: segment}
	}
	var p pattern
	for _, form := range braces(segment) {
		p.forms = append(p.forms, parseForm(form))
	}
	return p
}

// fits reports whether a name is one that the pattern means. As in a shell, a dot at the beginning
// must be said.
func (p *pattern) fits(name string) bool {
	if p.forms == nil {
		return name == p.name
	}
	return slices.ContainsFunc(p.forms, func(f []glyph) bool {
		if strings.HasPrefix(name, ".") && (len(f) == 0 || f[0].kind != 0) {
			return false
		}
		return match(f, name)
	})
}

// braces gives the forms of {a,b}, one brace after the other; none inside another. Where there would
// be too many, the braces are characters.
func braces(s string) []string {
	all := []string{""}
	for s != "" {
		from := strings.IndexByte(s, '{')
		to := -1
		if from >= 0 {
			to = strings.IndexByte(s[from:], '}')
		}
		if to < 0 {
			break
		}
		to += from
		choices := strings.Split(s[from+1:to], ",")
		if len(choices) == 1 {
			choices[0] = s[from : to+1]
		}
		if len(all)*len(choices) > maxBraces {
			break
		}
		var next []string
		for _, head := range all {
			for _, c := range choices {
				next = append(next, head+s[:from]+c)
			}
		}
		all, s = next, s[to+1:]
	}
	for i := range all {
		all[i] += s
	}
	return all
}

func parseForm(s string) (form []glyph) {
	for s != "" {
		c, n := utf8.DecodeRuneInString(s)
		switch c {
		case '*':
			if len(form) == 0 || form[len(form)-1].kind != '*' {
				form = append(form, glyph{kind: '*'})
			}
		case '?':
			form = append(form, glyph{kind: '?'})
		case '[':
			if g, rest, ok := parseSet(s[1:]); ok {
				form, s = append(form, g), rest
				continue
			}
			fallthrough
		default:
			form = append(form, glyph{char: c})
		}
		s = s[n:]
	}
	return form
}

// parseSet reads a set behind its "[".
func parseSet(s string) (g glyph, rest string, ok bool) {
	g.kind = '['
	if s != "" && (s[0] == '!' || s[0] == '^') {
		g.not, s = true, s[1:]
	}
	for first := true; s != ""; first = false {
		from, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		if from == ']' && !first {
			return g, s, true
		}
		to := from
		if len(s) > 1 && s[0] == '-' && s[1] != ']' {
			to, n = utf8.DecodeRuneInString(s[1:])
			s = s[1+n:]
		}
		g.ranges = append(g.ranges, from, to)
	}
	return g, "", false
}

func (g *glyph) fits(c rune) bool {
	switch g.kind {
	case 0:
		return g.char == c
	case '[':
		in := false
		for i := 0; i < len(g.ranges); i += 2 {
			in = in || g.ranges[i] <= c && c <= g.ranges[i+1]
		}
		return in != g.not
	}
	return true
}

// match takes at most len(form) times len(name) steps: only the last star is tried anew, as what
// stands before it could not fit better elsewhere.
func match(form []glyph, name string) bool {
	at, star, from := 0, -1, 0
	for i := 0; i < len(name); {
		c, n := utf8.DecodeRuneInString(name[i:])
		switch {
		case at < len(form) && form[at].kind == '*':
			star, from = at, i
			at++
		case at < len(form) && form[at].fits(c):
			at++
			i += n
		case star >= 0:
			_, n = utf8.DecodeRuneInString(name[from:])
			from += n
			at, i = star+1, from
		default:
			return false
		}
	}
	for at < len(form) && form[at].kind == '*' {
		at++
	}
	return at == len(form)
}
