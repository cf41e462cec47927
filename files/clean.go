package files

import (
	"path"
	"strings"
	"unicode/utf8"
)

// Bounds of names: NAME_MAX and PATH_MAX of Linux.
const (
	maxNameBytes = 255
	maxPathBytes = 4096
)

// Clean joins p to the folder cwd (absolute; p absolute stands alone) and normalises it: absolute,
// slash-separated, without ".", ".." or empty segments; ".." above the top stays there. It answers
// ErrName for NUL, CR, LF, what is not UTF-8, a segment longer than 255 bytes or a path longer
// than 4096.
func Clean(cwd, p string) (string, error) {
	if !strings.HasPrefix(p, "/") {
		p = cwd + "/" + p
	}
	if len(p) > maxPathBytes || !utf8.ValidString(p) || strings.ContainsAny(p, "\x00\r\n") {
		return "", ErrName
	}
	p = path.Clean("/" + p)
	for segment := range strings.SplitSeq(p[1:], "/") {
		if len(segment) > maxNameBytes {
			return "", ErrName
		}
	}
	return p, nil
}

// split cuts a relative or absolute clean path into segments.
func split(p string) []string {
	p = strings.Trim(p, "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

// speakable reports whether a client could say the name; one that came from elsewhere and cannot
// be said is not shown either.
func speakable(name string) bool {
	ascii := true
	for i := range len(name) { // once for each line of a listing, so without strings.ContainsAny
		switch c := name[i]; {
		case c == 0, c == '\r', c == '\n', c == '/':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return name != "" && name != "." && name != ".." && (ascii || utf8.ValidString(name))
}

// inside reports whether p is base or below it.
func inside(base, p string) bool {
	return base == "/" || p == base || strings.HasPrefix(p, base) && p[len(base)] == '/'
}
