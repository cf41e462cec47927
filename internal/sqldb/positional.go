package sqldb

import (
	"strconv"
	"strings"
)

// positional writes $1 to $n as ?, where each of them stands once and in this order, so that it means
// the same. To SQLite a $1 is a name, which the driver asks for with each value and which SQLite looks
// for from the first on: with the hundreds of values of a statement for many rows that took longer
// than to write them.
func positional(query string) string {
	if !strings.Contains(query, "$") {
		return query
	}
	var b strings.Builder
	b.Grow(len(query))
	n := 0
	for i := 0; i < len(query); {
		switch c := query[i]; {
		case c == '\'' || c == '"':
			end := strings.IndexByte(query[i+1:], c)
			if end < 0 {
				return query
			}
			b.WriteString(query[i : i+end+2])
			i += end + 2
		case c == '-' && strings.HasPrefix(query[i:], "--"), c == '/' && strings.HasPrefix(query[i:], "/*"),
			c == '?', c == ':', c == '@', c == '`', c == '[':
			return query // rare here, and not worth understanding
		case c == '$':
			j := i + 1
			for j < len(query) && '0' <= query[j] && query[j] <= '9' {
				j++
			}
			if k, err := strconv.Atoi(query[i+1 : j]); err != nil || k != n+1 {
				return query
			}
			n++
			b.WriteByte('?')
			i = j
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}
