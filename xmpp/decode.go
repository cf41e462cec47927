package xmpp

import (
	"bytes"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// part is bytes of an element as text, without a copy: nobody ever changes an element's bytes.
func part(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// attrValue decodes an attribute's value (XML 1.0 section 3.3.3); where it stands for itself, it is
// a part of b.
func attrValue(b []byte) string {
	if !odd(b) {
		return part(b)
	}
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte(" "))
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '&':
			r, n := reference(b[i:])
			out = utf8.AppendRune(out, r)
			i += max(n, 1) // never 0: the bytes are validated
			continue
		case isSpace(c):
			out = append(out, ' ')
		default:
			out = append(out, c)
		}
		i++
	}
	return string(out)
}

// odd reports whether a value is another than its bytes.
func odd(b []byte) bool {
	for _, c := range b {
		if c == '&' || c < ' ' {
			return true
		}
	}
	return false
}

// content decodes character data.
func content(b []byte) string {
	if bytes.IndexByte(b, '&') < 0 && bytes.IndexByte(b, '<') < 0 && bytes.IndexByte(b, '\r') < 0 {
		return string(b)
	}
	b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		switch {
		case b[0] == '&':
			r, n := reference(b)
			out = utf8.AppendRune(out, r)
			b = b[max(n, 1):]
		case bytes.HasPrefix(b, []byte(cdataStart)):
			text, rest, _ := bytes.Cut(b[len(cdataStart):], []byte("]]>"))
			out = append(out, text...)
			b = rest
		default:
			out = append(out, b[0])
			b = b[1:]
		}
	}
	return string(out)
}

// known are the words that nearly every stream's open tag has, so that they cost no memory each time.
var known = func() map[string]string {
	m := map[string]string{}
	for _, w := range []string{nsClient, nsStream, "", "stream"} {
		m[w] = w
	}
	return m
}()

// intern is s without what it may be a part of.
func intern(s string) string {
	if w, ok := known[s]; ok {
		return w
	}
	return strings.Clone(s)
}
