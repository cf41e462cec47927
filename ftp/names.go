package ftp

import (
	"strconv"
	"strings"
)

// unquoteName reads a name behind its opening quote up to the closing one, quotes inside of it
// doubled (as in RFC 959 appendix II), and gives what follows.
func unquoteName(text string) (name, rest string, ok bool) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '"')
		if i < 0 {
			return "", "", false
		}
		b.WriteString(text[:i])
		text = text[i+1:]
		if !strings.HasPrefix(text, `"`) {
			return b.String(), text, true
		}
		b.WriteByte('"')
		text = text[1:]
	}
}

// parseNames reads several names with spaces between them; one that holds spaces stands in quotes.
func parseNames(arg string) (names []string, ok bool) {
	for arg = strings.TrimLeft(arg, " "); arg != ""; arg = strings.TrimLeft(arg, " ") {
		var name string
		if rest, quoted := strings.CutPrefix(arg, `"`); quoted {
			if name, arg, ok = unquoteName(rest); !ok || arg != "" && arg[0] != ' ' {
				return nil, false
			}
		} else {
			name, arg, _ = strings.Cut(arg, " ")
		}
		if name == "" {
			return nil, false
		}
		names = append(names, name)
	}
	return names, len(names) > 0
}

// orHere is an argument that may be left out.
func orHere(arg string) string {
	if arg == "" {
		return "."
	}
	return arg
}

// word is an owner or a group as one word that can be the value of a fact (RFC 3659 section 7.2).
func word(name string, id uint32) string {
	if name == "" {
		return strconv.FormatUint(uint64(id), 10)
	}
	return strings.NewReplacer(" ", "_", ";", "_").Replace(printable(name))
}
